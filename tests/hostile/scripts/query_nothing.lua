-- SPDX-License-Identifier: MIT
-- Returns nothing.
-- call: query
-- expect: bad_result
return {
    queries = {
        ask = {
            params = {},
            run = function(view)
                return nil
            end,
        },
    },
}
