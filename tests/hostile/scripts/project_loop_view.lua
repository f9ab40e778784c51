-- SPDX-License-Identifier: MIT
-- The same with rows.
-- call: project
-- expect: time_limit
return {
    name = "rows",
    tables = { things = { key = { "id" }, columns = { id = "text", n = "integer" } } },
    on = {
        ["thing.Made"] = function(view, data, meta)
            while true do view.things:get(meta.stream) end
        end,
    },
}
