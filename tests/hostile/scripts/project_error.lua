-- SPDX-License-Identifier: MIT
-- Raises.
-- call: project
-- expect: script_error
return {
    name = "rows",
    tables = { things = { key = { "id" }, columns = { id = "text", n = "integer" } } },
    on = {
        ["thing.Made"] = function(view, data, meta)
            error("no")
        end,
    },
}
