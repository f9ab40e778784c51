-- SPDX-License-Identifier: MIT
describe("account", function()
    local account = moonlog.aggregate "banking.account"

    local function movement(opening, closing, words)
        return { transactionId = "00000000-0000-4000-8000-000000000001", openingBalance = opening, closingBalance = closing,
                 description = words or "x", date = 1000000 }
    end
    local function created(balance, currency)
        return { type = "AccountCreated",
                 data = { accountNumber = "4711", accountName = "Savings", ownerName = "Ada", initialBalance = balance,
                          currency = currency or "EUR", transaction = balance > 0 and movement(0, balance) or nil } }
    end
    local opening = { accountNumber = "4711", accountName = "Savings", ownerName = "Ada", initialBalance = 100 }
    local function opening_with(changes)
        local data = {}
        for k, v in pairs(opening) do data[k] = v end
        for k, v in pairs(changes) do data[k] = v end
        return { type = "CreateAccount", data = data }
    end
    local frozen = { type = "AccountFrozen", data = {} }
    local closed = { type = "AccountClosed", data = {} }

    describe("opening", function()
        it("records the account with its first transaction", function()
            account:given {}:when { type = "CreateAccount", data = opening }
                :expect_events { "AccountCreated" }
                :expect_state { status = "active", balance = 10000, accountNumber = "4711", accountName = "Savings",
                                ownerName = "Ada", currency = "EUR" }
        end)
        it("with 0 records no transaction", function()
            account:given {}:when(opening_with { initialBalance = 0 }):expect {
                { type = "AccountCreated", data = { accountNumber = "4711", accountName = "Savings", ownerName = "Ada",
                                                    initialBalance = 0, currency = "EUR" } } }
        end)
        it("refuses a negative balance", function()
            account:given {}:when(opening_with { initialBalance = -1 }):expect_error "bad_input"
        end)
        it("refuses blank texts", function()
            for _, field in ipairs { "accountNumber", "accountName", "ownerName" } do
                account:given {}:when(opening_with { [field] = "   " }):expect_error "bad_input"
                account:given {}:when(opening_with { [field] = "" }):expect_error "bad_input"
            end
        end)
        it("refuses unknown fields", function()
            account:given {}:when(opening_with { accountNumbr = "1" }):expect_error "bad_input"
        end)
        it("refuses an account that is there already", function()
            account:given { created(100) }:when { type = "CreateAccount", data = opening }:expect_refusal "stream_exists"
        end)
        it("keeps the currency it is told", function()
            account:given {}:when(opening_with { currency = "JPY", initialBalance = 500 })
                :expect_state { status = "active", balance = 500, accountNumber = "4711", accountName = "Savings",
                                ownerName = "Ada", currency = "JPY" }
        end)
    end)

    describe("deposit", function()
        it("adds the amount", function()
            account:given { created(10000) }:when { type = "DepositMoney", data = { amount = 5.25 } }
                :expect_events { "MoneyDeposited" }:expect_reply { balance = 10525 }
        end)
        it("needs no description", function()
            account:given { created(0) }:when { type = "DepositMoney", data = { amount = 1 } }:expect_reply { balance = 100 }
        end)
        it("refuses nothing and less", function()
            for _, amount in ipairs { 0, -1 } do
                account:given { created(100) }:when { type = "DepositMoney", data = { amount = amount } }
                    :expect_error "bad_input"
            end
        end)
        it("refuses more decimals than the currency has", function()
            account:given { created(100) }:when { type = "DepositMoney", json = '{"amount": 1.234}' }:expect_error "bad_money"
        end)
        it("refuses another currency", function()
            account:given { created(100) }:when { type = "DepositMoney", data = { amount = 1, currency = "USD" } }
                :expect_refusal "currency_mismatch"
        end)
        it("refuses a frozen and a closed account", function()
            account:given { created(100), frozen }:when { type = "DepositMoney", data = { amount = 1 } }
                :expect_refusal "account_inactive"
            account:given { created(0), closed }:when { type = "DepositMoney", data = { amount = 1 } }
                :expect_refusal "account_closed"
        end)
        it("wants an account", function()
            account:given {}:when { type = "DepositMoney", data = { amount = 1 } }:expect_refusal "no_such_stream"
        end)
    end)

    describe("withdrawal", function()
        it("takes the amount", function()
            account:given { created(10000) }:when { type = "WithdrawMoney", data = { amount = 30, description = "rent" } }
                :expect_events { "MoneyWithdrawn" }:expect_reply { balance = 7000 }
        end)
        it("may take everything", function()
            account:given { created(10000) }:when { type = "WithdrawMoney", data = { amount = 100 } }
                :expect_reply { balance = 0 }
        end)
        it("refuses an overdraft", function()
            account:given { created(10000) }:when { type = "WithdrawMoney", data = { amount = 100.01 } }
                :expect_refusal "insufficient_funds"
        end)
        it("refuses a frozen account", function()
            account:given { created(10000), frozen }:when { type = "WithdrawMoney", data = { amount = 1 } }
                :expect_refusal "account_inactive"
        end)
    end)

    describe("transfer", function()
        local function both(from, to, extra)
            local given = { ["a"] = { created(from) }, ["b"] = { created(to) } }
            for id, more in pairs(extra or {}) do given[id][#given[id] + 1] = more end
            return account:given_streams("a", given)
        end
        it("moves the amount in one commit", function()
            both(10000, 500):when { type = "TransferMoney", data = { toAccountId = "b", amount = 40 } }
                :expect_events { "MoneyWithdrawn", "MoneyDeposited" }
                :expect_reply { fromAccountNewBalance = 6000, toAccountNewBalance = 4500 }
        end)
        it("refuses an overdraft, the same account, an unknown one", function()
            both(100, 0):when { type = "TransferMoney", data = { toAccountId = "b", amount = 1.01 } }
                :expect_refusal "insufficient_funds"
            both(100, 0):when { type = "TransferMoney", data = { toAccountId = "a", amount = 1 } }:expect_refusal "same_account"
            both(100, 0):when { type = "TransferMoney", data = { toAccountId = "c", amount = 1 } }
                :expect_refusal "destination_not_found"
        end)
        it("refuses 0 and less", function()
            both(100, 0):when { type = "TransferMoney", data = { toAccountId = "b", amount = 0 } }:expect_error "bad_input"
        end)
        it("refuses when either side is frozen", function()
            both(100, 0, { a = frozen }):when { type = "TransferMoney", data = { toAccountId = "b", amount = 1 } }
                :expect_refusal "account_inactive"
            both(100, 0, { b = frozen }):when { type = "TransferMoney", data = { toAccountId = "b", amount = 1 } }
                :expect_refusal "account_inactive"
        end)
    end)

    describe("freezing and closing", function()
        it("freezes once and answers the same again", function()
            account:given { created(0) }:when { type = "FreezeAccount", data = {} }:expect { { type = "AccountFrozen", data = {} } }
            account:given { created(0), frozen }:when { type = "FreezeAccount", data = {} }:expect {}
        end)
        it("unfreezes", function()
            account:given { created(0), frozen }:when { type = "UnfreezeAccount", data = {} }
                :expect { { type = "AccountUnfrozen", data = {} } }
            account:given { created(0) }:when { type = "UnfreezeAccount", data = {} }:expect {}
        end)
        it("closes an empty account only", function()
            account:given { created(0) }:when { type = "CloseAccount", data = {} }:expect { { type = "AccountClosed", data = {} } }
            account:given { created(1) }:when { type = "CloseAccount", data = {} }:expect_refusal "balance_not_zero"
            account:given { created(0), frozen }:when { type = "CloseAccount", data = {} }:expect_refusal "account_inactive"
        end)
        it("is for good", function()
            account:given { created(0), closed }:when { type = "UnfreezeAccount", data = {} }:expect_refusal "account_closed"
            account:given { created(0), closed }:when { type = "FreezeAccount", data = {} }:expect_refusal "account_closed"
            account:given { created(0), closed }:when { type = "CloseAccount", data = {} }:expect {}
        end)
    end)
end)
