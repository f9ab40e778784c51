-- SPDX-License-Identifier: MIT
-- Each refusal is answered by a command that is refused.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local function again()
                return { { command = "thing.Refuse", id = "a", data = { n = 1 }, refused = again } }
            end
            return again()
        end,
    },
}
