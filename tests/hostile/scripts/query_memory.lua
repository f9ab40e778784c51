-- SPDX-License-Identifier: MIT
-- Fills the memory.
-- call: query
-- expect: memory_limit
return {
    queries = {
        ask = {
            params = {},
            run = function(view)
                local t = {}
                for i = 1, 1e9 do t[i] = { i } end
            end,
        },
    },
}
