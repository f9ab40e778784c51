-- SPDX-License-Identifier: MIT
-- Fills the memory.
-- call: project
-- expect: memory_limit
return {
    name = "rows",
    tables = { things = { key = { "id" }, columns = { id = "text", n = "integer" } } },
    on = {
        ["thing.Made"] = function(view, data, meta)
            local t = {}
            for i = 1, 1e9 do t[i] = { i } end
        end,
    },
}
