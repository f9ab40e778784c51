-- SPDX-License-Identifier: MIT
-- The bank's read side as a domain of its own: made of what the bank sends to `banking-events`.

return {
    title = "Reports of the bank",
    settings = { currency = "EUR" }, -- of amounts that name none

    routes = {
        { "GET", "/api/reports/balances", query = "balances", summary = "All balances by account name" },
        { "GET", "/api/reports/transactions/{id}", query = "transactions", summary = "An account's transactions" },
        { "GET", "/health", health = true, summary = "Is the service there" },
    },
}
