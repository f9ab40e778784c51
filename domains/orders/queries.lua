-- SPDX-License-Identifier: MIT
return {
    queries = {
        orders = {
            summary = "Orders, newest first",
            params = {
                customerId = "string?", status = { type = "string", optional = true, enum = { "Suspend", "Successed", "Failed" } },
                limit = { type = "integer", minimum = 1, maximum = 1000, default = 100 },
                offset = { type = "integer", minimum = 0, default = 0 },
            },
            run = function(view, params)
                local found = json.array {}
                local rows = view.Orders:find {
                    where = { CustomerId = params.customerId, Status = params.status },
                    order = { "-Position" }, limit = params.limit, offset = params.offset,
                }
                for i, row in ipairs(rows) do
                    found[i] = { orderNo = row.OrderNo, customerId = row.CustomerId, status = row.Status,
                                 reason = row.Reason,
                                 orderDate = time.format(row.OrderDate) }
                end
                return found
            end,
        },
    },
}
