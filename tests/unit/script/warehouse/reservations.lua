-- SPDX-License-Identifier: MIT
-- A reactor: what an order wants is reserved, or refused by message.
return {
    name = "reservations",
    topics = { "orders" },
    react = {
        IE_Placed = {
            data = { quantity = "integer" },
            handle = function(data, meta)
                if data.quantity == 99 then return nil, { retry = 2 } end
                return { { command = "stock.Reserve", id = "main", data = { quantity = data.quantity },
                           refused = function(refusal)
                               return { { message = "IS_Refused", topic = "out", key = meta.key,
                                          data = { code = refusal.code } } }
                           end } }
            end,
        },
        IE_Careless = function(data)
            return { { command = "stock.Reserve", id = "main", data = { quantity = data.quantity } } }
        end,
        ["stock.Saved"] = function(data, meta)
            if data.left > 0 then return end
            return { { message = "IS_Empty", topic = "out", data = { stock = meta.stream_id } } }
        end,
    },
}
