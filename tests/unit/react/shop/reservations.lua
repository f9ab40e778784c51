-- SPDX-License-Identifier: MIT
return {
    name = "reservations",
    topics = { "orders" },
    react = {
        Placed = function(data, meta)
            return {
                { command = "stock.Reserve", id = "main", data = { n = data.n } },
                { message = "IS_Reserved", topic = "stock", key = meta.key, data = { n = data.n } },
            }
        end,
    },
}
