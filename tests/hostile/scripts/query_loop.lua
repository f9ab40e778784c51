-- SPDX-License-Identifier: MIT
-- A query that never ends.
-- call: query
-- expect: time_limit
return {
    queries = {
        ask = {
            params = {},
            run = function(view)
                while true do end
            end,
        },
    },
}
