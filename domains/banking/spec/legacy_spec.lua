-- SPDX-License-Identifier: MIT
-- Events of version 1: the bank kept euros and said so nowhere.
describe("events without a currency", function()
    local account = moonlog.upcaster "banking.account"
    local function movement(opening, closing)
        return ('{"transactionId":"00000000-0000-4000-8000-000000000001","openingBalance":%d,"closingBalance":%d,'
                .. '"description":"x","date":1000000}'):format(opening, closing)
    end
    local function moved(opening, closing)
        return { transactionId = "00000000-0000-4000-8000-000000000001", openingBalance = opening, closingBalance = closing,
                 description = "x", date = 1000000 }
    end
    local opened = [[{"accountNumber":"4711","accountName":"Savings","ownerName":"Ada","initialBalance":500,"transaction":]]
        .. movement(0, 500) .. "}"

    it("are in euros: an opening", function()
        account:given_bytes { type = "AccountCreated", version = 1, json = opened }:expect {
            { type = "AccountCreated", version = 2,
              data = { accountNumber = "4711", accountName = "Savings", ownerName = "Ada", initialBalance = 500,
                       currency = "EUR", transaction = moved(0, 500) } } }
        account:given_bytes { type = "AccountCreated", version = 1,
                              json = '{"accountNumber":"1","accountName":"n","ownerName":"o","initialBalance":0}' }:expect {
            { type = "AccountCreated", version = 2,
              data = { accountNumber = "1", accountName = "n", ownerName = "o", initialBalance = 0, currency = "EUR" } } }
    end)
    it("are in euros: a movement", function()
        for kind, closing in pairs { MoneyDeposited = 700, MoneyWithdrawn = 300 } do
            account:given_bytes { type = kind, version = 1,
                                  json = '{"amount":200,"transaction":' .. movement(500, closing) .. "}" }:expect {
                { type = kind, version = 2, data = { amount = 200, currency = "EUR", transaction = moved(500, closing) } } }
        end
    end)
    it("of version 2 keep the currency they have", function()
        account:given_bytes { type = "MoneyDeposited", version = 2,
                              json = '{"amount":200,"currency":"JPY","transaction":' .. movement(500, 700) .. "}" }:expect {
            { type = "MoneyDeposited", version = 2, data = { amount = 200, currency = "JPY", transaction = moved(500, 700) } } }
    end)
    it("go on living: an old account, new commands", function()
        moonlog.aggregate "banking.account":given {
            { type = "AccountCreated", version = 1, json = opened },
            { type = "MoneyDeposited", version = 1, json = '{"amount":200,"transaction":' .. movement(500, 700) .. "}" },
        }:when { type = "WithdrawMoney", data = { amount = 5, currency = "EUR" } }:expect_reply { balance = 200 }
    end)
    it("give the rows that events of today give", function()
        moonlog.projection "banking.reports":given {
            { type = "AccountCreated", version = 1, stream = "banking.account/a", json = opened },
        }:expect_row("Balances", { AccountId = "a" }, { CurrentBalance = 500, Currency = "EUR" })
            :expect_row("Transactions", { AccountId = "a" }, { Amount = 500, Currency = "EUR" })
    end)
end)
