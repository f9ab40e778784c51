-- SPDX-License-Identifier: MIT
-- A projection that never ends.
-- call: project
-- expect: time_limit
return {
    name = "rows",
    tables = { things = { key = { "id" }, columns = { id = "text", n = "integer" } } },
    on = {
        ["thing.Made"] = function(view, data, meta)
            while true do end
        end,
    },
}
