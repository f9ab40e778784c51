-- SPDX-License-Identifier: MIT
return {
    name = "counters",
    tables = {
        Counters = { key = { "Id" }, columns = { Id = "text", Value = "integer", Version = "integer" } },
    },
    on = {
        ["counter.Opened"] = function(view, _, meta)
            if not view.Counters:get { Id = meta.stream_id } then
                view.Counters:insert { Id = meta.stream_id, Value = 0, Version = meta.version }
            end
        end,
        ["counter.Added"] = function(view, data, meta)
            view.Counters:add({ Id = meta.stream_id }, { Value = data.by })
            view.Counters:update({ Id = meta.stream_id }, { Version = meta.version })
        end,
    },
}
