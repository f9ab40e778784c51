-- SPDX-License-Identifier: MIT
-- The bank's reports, in the names its clients know.

local page = {
    limit = { type = "integer", minimum = 1, maximum = 1000, default = 100 },
    offset = { type = "integer", minimum = 0, default = 0 },
}

local function balance(row)
    return {
        accountId = row.AccountId, accountNumber = row.AccountNumber, accountName = row.AccountName,
        ownerName = row.OwnerName, currentBalance = row.CurrentBalance, currency = row.Currency,
        status = row.Status, lastUpdated = row.LastUpdated, version = row.Version,
    }
end

local function transaction(row)
    return {
        transactionId = row.TransactionId, accountId = row.AccountId, accountNumber = row.AccountNumber,
        accountName = row.AccountName, amount = row.Amount, openingBalance = row.OpeningBalance,
        closingBalance = row.ClosingBalance, currency = row.Currency, description = row.Description, date = row.Date,
    }
end

local function map(rows, shape)
    local shaped = json.array {}
    for i, row in ipairs(rows) do shaped[i] = shape(row) end
    return shaped
end

return {
    queries = {
        balances = {
            summary = "All balances, by account name",
            params = {
                ownerName = "string?", accountNumber = "string?", status = "string?",
                order = { type = "string", enum = { "accountName", "-accountName", "currentBalance", "-currentBalance" },
                          default = "accountName" },
                limit = page.limit, offset = page.offset,
            },
            returns = { array = { fields = {
                accountId = "string", accountNumber = "string", accountName = "string", ownerName = "string",
                currentBalance = "money", currency = "string", status = "string", lastUpdated = "time", version = "integer",
            } } },
            run = function(view, params)
                local descending, field = params.order:match "^(%-?)(.*)$"
                local column = field == "accountName" and "AccountName" or "CurrentBalance"
                return map(view.Balances:find {
                    where = { OwnerName = params.ownerName, AccountNumber = params.accountNumber,
                              Status = params.status },
                    order = { descending .. column }, limit = params.limit, offset = params.offset,
                }, balance)
            end,
        },

        transactions = {
            summary = "The transactions of one account, newest first",
            params = { id = "string", limit = page.limit, offset = page.offset },
            returns = { array = { fields = {
                transactionId = "string", accountId = "string", accountNumber = "string", accountName = "string",
                amount = "money", openingBalance = "money", closingBalance = "money", currency = "string",
                description = "string", date = "time",
            } } },
            run = function(view, params)
                return map(view.Transactions:find {
                    where = { AccountId = params.id }, order = { "-Version" },
                    limit = params.limit, offset = params.offset,
                }, transaction)
            end,
        },
    },
}
