-- SPDX-License-Identifier: MIT
-- What the engine's own tests need of a domain: counters that can be opened, changed, moved between, refused.
return {
    settings = { currency = "EUR" },
    routes = {
        { "POST", "/counters", command = "counter.Open", status = 201,
          reply = function(_, meta) return { id = meta.id } end },
        { "POST", "/counters/{id}/add", command = "counter.Add",
          reply = function(reply, meta) return { value = reply.value, version = meta.version } end },
        { "GET", "/counters/{id}", state = "counter",
          reply = function(state, meta) return { value = state.value, version = meta.version } end },
        { "GET", "/counters/{id}/history", history = "counter" },
        { "GET", "/counters/all", query = "counters" },
    },
}
