-- SPDX-License-Identifier: MIT
-- The payment of one order: current state. It is taken once, whatever is repeated, and never for an order that failed
-- before.

local function to_orders(type, order, reason)
    return { type = type, topic = "OrderStream", key = order, data = { OrderNo = order, Reason = reason } }
end

return {
    name = "payment",
    document = { status = "string", amount = "string?", paymentDate = "time?" },
    initial = function() return { status = "none" } end,

    commands = {
        Pay = {
            anywhere = true,
            data = { Total = "string?", CustomerId = "string?" },
            handle = function(state, data, ctx)
                if state.status ~= "none" then return {} end
                local total = data.Total or "0.00"
                state.amount = total
                local currency = ctx.settings.currency
                if money.parse(total, currency) > money.parse(ctx.settings.most, currency) then
                    state.status = "refused"
                    return { state = state,
                             messages = { to_orders("IE_PaymentFailed", ctx.id, "more than " .. ctx.settings.most) } }
                end
                state.status, state.paymentDate = "paid", ctx:now()
                return { state = state, messages = { to_orders("IE_PaymentSuccessed", ctx.id) } }
            end,
        },
        GiveBack = {
            anywhere = true,
            data = {},
            handle = function(state, _, ctx)
                if state.status == "none" then
                    state.status = "cancelled"
                    return { state = state }
                end
                if state.status ~= "paid" then return {} end
                state.status = "refunded"
                return { state = state, messages = { to_orders("IE_PaymentRefunded", ctx.id) } }
            end,
        },
    },
}
