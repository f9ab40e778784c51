-- SPDX-License-Identifier: MIT
-- One row an account, one row a movement, as in the bank's own reports. A message names the account's version that it
-- tells of; one that a row has seen already changes nothing, so messages may come twice.

local function moment(text)
    return time.parse(text)
end

local function add_transaction(view, data, opening, closing)
    local moved = data.Transaction
    view.Transactions:insert {
        TransactionId = moved.TransactionId,
        AccountId = data.AccountId,
        AccountNumber = data.AccountNumber,
        AccountName = data.AccountName,
        Amount = money.parse(moved.Amount, data.Currency),
        OpeningBalance = opening,
        ClosingBalance = closing,
        Currency = data.Currency,
        Description = moved.Description,
        Date = moment(moved.CreatedAt),
        Version = data.Version,
    }
end

local function unseen(view, data)
    local account = view.Balances:get(data.AccountId)
    return account and account.Version < data.Version
end

return {
    name = "reports",
    topics = { "banking-events" },

    tables = {
        Balances = {
            key = { "AccountId" },
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
                Version = "integer",
            },
            indexes = { { "AccountId", "Version" } },
        },
    },

    on = {
        AccountCreatedEvent = function(view, data, meta)
            if view.Balances:get(data.AccountId) then return end
            local balance = money.parse(data.InitialBalance, data.Currency)
            view.Balances:insert {
                AccountId = data.AccountId, AccountNumber = data.AccountNumber, AccountName = data.AccountName,
                OwnerName = data.OwnerName, CurrentBalance = balance, Currency = data.Currency, Status = "active",
                LastUpdated = meta.time, Version = data.Version,
            }
            if data.Transaction then add_transaction(view, data, 0, balance) end
        end,
        AccountBalanceUpdatedEvent = function(view, data, meta)
            if not unseen(view, data) then return end
            local balance = money.parse(data.NewBalance, data.Currency)
            add_transaction(view, data, money.parse(data.PreviousBalance, data.Currency), balance)
            view.Balances:update(data.AccountId,
                                 { CurrentBalance = balance, LastUpdated = meta.time, Version = data.Version })
        end,
        AccountStatusChangedEvent = function(view, data, meta)
            if not unseen(view, data) then return end
            view.Balances:update(data.AccountId,
                                 { Status = data.Status, LastUpdated = meta.time, Version = data.Version })
        end,
    },
}
