-- SPDX-License-Identifier: MIT
-- The bank: accounts with a balance, transfers between two of them, reports of balances and transactions.

local function opened(_, meta)
    return { accountId = meta.id }
end

local function balance(reply, meta)
    return { balance = reply.balance, currency = reply.currency, version = meta.version }
end

local balance_schema = { balance = "money", currency = "string?", version = "integer" }

local function status(reply, meta)
    return { status = reply.status, version = meta.version }
end

local function account(state, meta)
    return {
        id = meta.id,
        accountNumber = state.accountNumber,
        accountName = state.accountName,
        ownerName = state.ownerName,
        balance = state.balance,
        currency = state.currency,
        status = state.status,
        isActive = state.status == "active",
        version = meta.version,
    }
end

local account_schema = {
    id = "string", accountNumber = "string", accountName = "string", ownerName = "string",
    balance = "money", currency = "string", status = "string", isActive = "boolean", version = "integer",
}

return {
    settings = {
        currency = "EUR", -- of amounts that name none
    },

    routes = {
        { "POST", "/api/accounts", command = "account.CreateAccount", status = 201,
          location = "/api/accounts/{id}", reply = opened, summary = "Open an account" },
        { "GET", "/api/accounts/{id}", state = "account", reply = account, returns = account_schema,
          summary = "One account" },
        { "GET", "/api/accounts/{id}/history", history = "account", summary = "What happened to an account" },
        { "POST", "/api/accounts/{id}/deposit", command = "account.DepositMoney", reply = balance,
          returns = balance_schema, summary = "Pay money in" },
        { "POST", "/api/accounts/{id}/withdraw", command = "account.WithdrawMoney", reply = balance,
          returns = balance_schema, summary = "Take money out" },
        { "POST", "/api/accounts/{id}/transfer", command = "account.TransferMoney",
          returns = { fromAccountNewBalance = "money", toAccountNewBalance = "money", currency = "string?" },
          summary = "Move money to another account" },
        { "POST", "/api/accounts/{id}/freeze", command = "account.FreezeAccount", reply = status,
          summary = "Stop all movements of an account" },
        { "POST", "/api/accounts/{id}/unfreeze", command = "account.UnfreezeAccount", reply = status,
          summary = "Allow movements again" },
        { "POST", "/api/accounts/{id}/close", command = "account.CloseAccount", reply = status,
          summary = "Close an empty account for good" },
        { "GET", "/api/reports/balances", query = "balances", summary = "All balances by account name" },
        { "GET", "/api/reports/transactions/{id}", query = "transactions", summary = "An account's transactions" },
        { "GET", "/health", health = true, summary = "Is the service there" },
    },
}
