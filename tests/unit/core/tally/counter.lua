-- SPDX-License-Identifier: MIT
return {
    name = "counter",
    initial = function() return { value = 0, seen = 0 } end,

    events = {
        Opened = { data = { name = "string" }, apply = function(state, data) state.name = data.name; return state end },
        Added = {
            data = { by = "integer" },
            apply = function(state, data)
                state.value = state.value + data.by
                state.seen = state.seen + 1
                return state
            end,
        },
        Failed = { data = {}, apply = function(state) state.failed = true; return state end },
        Stamped = { data = {}, apply = function(state, _, meta) state.position = meta.position; return state end },
    },

    commands = {
        Open = {
            creates = true,
            data = { name = "string" },
            handle = function(_, data, ctx)
                ctx:reserve("name", data.name, { code = "name_taken", message = "another counter has this name" })
                return { { type = "Opened", data = { name = data.name } } }
            end,
        },
        Add = {
            data = { by = { type = "integer", minimum = -1000000, maximum = 1000000 } },
            handle = function(state, data)
                if state.value + data.by < 0 then return nil, { code = "below_zero", message = "it would fall below 0" } end
                return { { type = "Added", data = { by = data.by } } }, { value = state.value + data.by }
            end,
        },
        Put = {
            anywhere = true,
            data = { by = "integer" },
            handle = function(_, data) return { { type = "Added", data = { by = data.by } } } end,
        },
        Move = {
            data = { to = "string", by = { type = "integer", minimum = 1 } },
            handle = function(state, data, ctx)
                local target = ctx:load("counter", data.to)
                if not target.exists then return nil, { code = "no_target", status = 404 } end
                if state.value < data.by then return nil, { code = "below_zero" } end
                return { { type = "Added", data = { by = -data.by } },
                         { type = "Added", data = { by = data.by }, stream = target } }
            end,
        },
        Peek = {
            data = { at = "string" },
            handle = function(_, data, ctx)
                local other = ctx:load("counter", data.at)
                return {}, { value = other.exists and other.state.value or -1, version = other.version }
            end,
        },
        Talk = {
            anywhere = true,
            data = { lines = "integer" },
            handle = function(_, data)
                for i = 1, data.lines do print("line", i) end
                return {}
            end,
        },
        Spin = {
            anywhere = true,
            handle = function()
                while true do pcall(function() while true do local _ = {} end end) end
            end,
        },
        Rename = {
            data = { name = "string" },
            handle = function(state, data, ctx)
                ctx:release("name", state.name)
                ctx:reserve("name", data.name)
                return { { type = "Opened", data = { name = data.name } } }
            end,
        },
        Fail = {
            data = {},
            handle = function() return { { type = "Failed", data = {} } }, nil, { code = "failed_for_good", status = 418 } end,
        },
        Stamp = { data = {}, handle = function() return { { type = "Stamped", data = {} } } end },
        Nothing = { data = {}, handle = function() return {}, { nothing = true } end },
        Raise = { data = {}, handle = function() error("on purpose") end },
        Seed = { data = {}, handle = function(_, _, ctx) return {}, { id = ctx:uuid() } end },
    },
}
