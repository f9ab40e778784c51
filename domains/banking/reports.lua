-- SPDX-License-Identifier: MIT
-- The read models: one row an account, one row a movement. Events arrive once and in order, so a balance is
-- set, never added up here; Version tells which event a row stands at.

local function add_transaction(view, data, account, meta)
    local moved = data.transaction
    view.Transactions:insert {
        TransactionId = moved.transactionId,
        AccountId = meta.stream_id,
        AccountNumber = account.AccountNumber,
        AccountName = account.AccountName,
        Amount = moved.closingBalance - moved.openingBalance,
        OpeningBalance = moved.openingBalance,
        ClosingBalance = moved.closingBalance,
        Currency = data.currency,
        Description = moved.description,
        Date = moved.date,
        Position = meta.position,
    }
end

local function moved(view, data, meta)
    local key = { AccountId = meta.stream_id }
    add_transaction(view, data, view.Balances:get(key), meta)
    view.Balances:update(key, {
        CurrentBalance = data.transaction.closingBalance, LastUpdated = meta.time, Version = meta.version,
    })
end

local function status(name)
    return function(view, _, meta)
        view.Balances:update({ AccountId = meta.stream_id },
                             { Status = name, LastUpdated = meta.time, Version = meta.version })
    end
end

return {
    name = "reports",

    tables = {
        Balances = {
            key = { "AccountId" },
            stream_column = "AccountId",
            columns = {
                AccountId = "text",
                AccountNumber = { type = "text", max_length = 50 },
                AccountName = { type = "text", max_length = 100 },
                OwnerName = { type = "text", max_length = 100 },
                CurrentBalance = { type = "money", currency = "Currency" },
                Currency = "text",
                Status = "text",
                LastUpdated = "time",
                Version = "integer",
            },
            indexes = { { "AccountNumber", unique = true }, { "AccountName" } },
        },
        Transactions = {
            key = { "TransactionId" },
            stream_column = "AccountId",
            columns = {
                TransactionId = "text",
                AccountId = "text",
                AccountNumber = { type = "text", max_length = 50 },
                AccountName = { type = "text", max_length = 100 },
                Amount = { type = "money", currency = "Currency" },
                OpeningBalance = { type = "money", currency = "Currency" },
                ClosingBalance = { type = "money", currency = "Currency" },
                Currency = "text",
                Description = { type = "text", max_length = 255 },
                Date = "time",
                Position = "integer",
            },
            indexes = { { "AccountId", "Position" } },
        },
    },

    on = {
        ["account.AccountCreated"] = function(view, data, meta)
            local account = {
                AccountId = meta.stream_id,
                AccountNumber = data.accountNumber,
                AccountName = data.accountName,
                OwnerName = data.ownerName,
                CurrentBalance = data.initialBalance,
                Currency = data.currency,
                Status = "active",
                LastUpdated = meta.time,
                Version = meta.version,
            }
            view.Balances:insert(account)
            if data.transaction then add_transaction(view, data, account, meta) end
        end,
        ["account.MoneyDeposited"] = moved,
        ["account.MoneyWithdrawn"] = moved,
        ["account.AccountFrozen"] = status "frozen",
        ["account.AccountUnfrozen"] = status "active",
        ["account.AccountClosed"] = status "closed",
    },
}
