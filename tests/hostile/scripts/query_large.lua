-- SPDX-License-Identifier: MIT
-- An answer without end.
-- call: query
-- expect: bad_result memory_limit time_limit
return {
    queries = {
        ask = {
            params = {},
            run = function(view)
                local t = {}
                for i = 1, 200 do t[i] = string.rep("x", 200000) end
                return t
            end,
        },
    },
}
