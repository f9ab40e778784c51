-- SPDX-License-Identifier: MIT
-- A row with a column that is not there.
-- call: project
-- expect: script_error bad_result bad_row
return {
    name = "rows",
    tables = { things = { key = { "id" }, columns = { id = "text", n = "integer" } } },
    on = {
        ["thing.Made"] = function(view, data, meta)
            view.things:put { id = meta.stream, n = 1, m = 2 }
        end,
    },
}
