-- SPDX-License-Identifier: MIT
-- What stock and payment say of an order.

local function tell(command, fill)
    return function(data)
        return { { command = "order." .. command, id = data.OrderNo, data = fill and fill(data) or {} } }
    end
end

return {
    name = "answers",
    topics = { "OrderStream" },
    react = {
        IE_StockDecreaseFailed = tell("Fail", function(data) return { Reason = data.Reason or "out of stock" } end),
        IS_StockDecreaseFailed = tell("Fail", function(data) return { Reason = data.Reason or "out of stock" } end),
        IS_StockChanged = tell("ConfirmChange", function(data) return { ChangeId = data.ChangeId } end),
        IS_StockChangeFailed = tell("RefuseChange", function(data)
            return { ChangeId = data.ChangeId, Reason = data.Reason }
        end),
        IE_PaymentSuccessed = tell "Succeed",
        IE_PaymentFailed = tell("Fail", function(data) return { Reason = data.Reason or "payment failed" } end),
    },
}
