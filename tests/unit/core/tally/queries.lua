-- SPDX-License-Identifier: MIT
return {
    queries = {
        counters = {
            params = { limit = { type = "integer", default = 100 } },
            run = function(view, params) return view.Counters:find { order = { "Id" }, limit = params.limit } end,
        },
        refuses = {
            params = {},
            run = function() return nil, { code = "not_today", status = 404 } end,
        },
    },
}
