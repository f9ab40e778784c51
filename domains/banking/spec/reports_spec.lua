-- SPDX-License-Identifier: MIT
describe("reports", function()
    local reports = moonlog.projection "banking.reports"

    local function movement(id, opening, closing)
        return { transactionId = "00000000-0000-4000-8000-00000000000" .. id, openingBalance = opening,
                 closingBalance = closing, description = "x", date = 1000000 }
    end
    local function created(balance)
        return { type = "AccountCreated", stream = "banking.account/a",
                 data = { accountNumber = "4711", accountName = "Savings", ownerName = "Ada", initialBalance = balance,
                          currency = "EUR", transaction = balance > 0 and movement(1, 0, balance) or nil } }
    end

    it("an opening gives a balance and its first transaction", function()
        reports:given { created(500) }
            :expect_count("Balances", 1):expect_count("Transactions", 1)
            :expect_row("Balances", { AccountId = "a" }, { CurrentBalance = 500, AccountNumber = "4711", Status = "active" })
    end)
    it("an opening with 0 writes no transaction row", function()
        reports:given { created(0) }:expect_count("Balances", 1):expect_count("Transactions", 0)
    end)
    it("a withdrawal is a negative amount", function()
        reports:given { created(500),
                        { type = "MoneyWithdrawn", stream = "banking.account/a",
                          data = { amount = 200, currency = "EUR", transaction = movement(2, 500, 300) } } }
            :expect_row("Balances", { AccountId = "a" }, { CurrentBalance = 300, Version = 2 })
            :expect_row("Transactions", { TransactionId = "00000000-0000-4000-8000-000000000002" },
                        { Amount = -200, OpeningBalance = 500, ClosingBalance = 300 })
    end)
    it("freezing shows in the status", function()
        reports:given { created(0), { type = "AccountFrozen", stream = "banking.account/a", data = {} } }
            :expect_row("Balances", { AccountId = "a" }, { Status = "frozen", Version = 2 })
    end)
end)
