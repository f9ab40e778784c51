-- SPDX-License-Identifier: MIT
-- An account: opened once, money in and out while it is active, closed when empty.
-- Amounts are integers of minor units; `transaction` tells both balances around a movement.

local currencies = require "currencies"

local text = function(most) return { type = "string", min_length = 1, max_length = most, pattern = "%S" } end
local transaction_schema = {
    fields = {
        transactionId = "uuid", openingBalance = "money", closingBalance = "money",
        description = { type = "string", max_length = 255 }, date = "time",
    },
}
local description = { type = "string", optional = true, max_length = 255 }
local amount = { type = "money", minimum = 1 }

local function transaction(ctx, opening, change, words)
    return {
        transactionId = ctx:uuid(),
        openingBalance = opening,
        closingBalance = opening + change,
        description = words,
        date = ctx:now(),
    }
end

local refusals = {
    frozen = { code = "account_inactive", message = "the account is frozen" },
    closed = { code = "account_closed", message = "the account is closed" },
}

-- Movements need an active account and an amount in its own currency.
local function obstacle(state, data, ctx)
    if state.status ~= "active" then return refusals[state.status] end
    local currency = data.currency or ctx.settings.currency
    if currency ~= state.currency then
        return { code = "currency_mismatch",
                 message = "the account is kept in " .. state.currency .. ", the amount is in " .. currency }
    end
end

-- The reply names the currency only where it is not the bank's usual one.
local function reply(state, balance, ctx)
    return { balance = balance, currency = state.currency ~= ctx.settings.currency and state.currency or nil }
end

local function withdrawn(state, data, ctx, words)
    return { type = "MoneyWithdrawn",
             data = { amount = data.amount, currency = state.currency,
                      transaction = transaction(ctx, state.balance, -data.amount, words) } }
end

local function deposited(state, data, ctx, words)
    return { type = "MoneyDeposited",
             data = { amount = data.amount, currency = state.currency,
                      transaction = transaction(ctx, state.balance, data.amount, words) } }
end

-- The message other services read: what the account's balance was and is.
local function balance_updated(data, meta, state)
    local moved = data.transaction
    return {
        type = "AccountBalanceUpdatedEvent",
        data = {
            AccountId = meta.stream_id,
            Version = meta.version,
            AccountNumber = state.accountNumber,
            AccountName = state.accountName,
            Currency = data.currency,
            PreviousBalance = money.format(moved.openingBalance, data.currency),
            NewBalance = money.format(moved.closingBalance, data.currency),
            Transaction = {
                TransactionId = moved.transactionId,
                Amount = money.format(moved.closingBalance - moved.openingBalance, data.currency),
                Description = moved.description,
                CreatedAt = time.format(moved.date),
            },
        },
    }
end

local function account_created(data, meta)
    local first = data.transaction
    return {
        type = "AccountCreatedEvent",
        data = {
            AccountId = meta.stream_id,
            Version = meta.version,
            AccountNumber = data.accountNumber,
            AccountName = data.accountName,
            OwnerName = data.ownerName,
            Currency = data.currency,
            InitialBalance = money.format(data.initialBalance, data.currency),
            Transaction = first and {
                TransactionId = first.transactionId,
                Amount = money.format(data.initialBalance, data.currency),
                Description = first.description,
                CreatedAt = time.format(first.date),
            } or nil,
        },
    }
end

local function status_changed(_, meta, state)
    return { type = "AccountStatusChangedEvent",
             data = { AccountId = meta.stream_id, Version = meta.version, Status = state.status } }
end

local status_published = { topic = "banking-events", map = status_changed }

-- Events of the first version knew no currency: the bank kept everything in euros.
local function in_euros(data)
    data.currency = "EUR"
    return data
end

local function move(state, data)
    state.balance = data.transaction.closingBalance
    return state
end

return {
    name = "account",
    state_version = 1,
    initial = function() return { status = "none", balance = 0 } end,

    events = {
        AccountCreated = {
            version = 2,
            upcast = { [1] = in_euros },
            data = {
                accountNumber = "string", accountName = "string", ownerName = "string",
                initialBalance = "money", currency = "string",
                transaction = { fields = transaction_schema.fields, optional = true },
            },
            apply = function(state, data)
                state.status = "active"
                state.accountNumber = data.accountNumber
                state.accountName = data.accountName
                state.ownerName = data.ownerName
                state.currency = data.currency
                state.balance = data.initialBalance
                return state
            end,
            publish = { topic = "banking-events", map = account_created },
        },
        MoneyDeposited = {
            version = 2,
            upcast = { [1] = in_euros },
            data = { amount = "money", currency = "string", transaction = transaction_schema },
            apply = move,
            publish = { topic = "banking-events", map = balance_updated },
        },
        MoneyWithdrawn = {
            version = 2,
            upcast = { [1] = in_euros },
            data = { amount = "money", currency = "string", transaction = transaction_schema },
            apply = move,
            publish = { topic = "banking-events", map = balance_updated },
        },
        AccountFrozen = {
            data = { reason = "string?" },
            apply = function(state) state.status = "frozen"; return state end,
            publish = status_published,
        },
        AccountUnfrozen = {
            data = {},
            apply = function(state) state.status = "active"; return state end,
            publish = status_published,
        },
        AccountClosed = {
            data = { reason = "string?" },
            apply = function(state) state.status = "closed"; return state end,
            publish = status_published,
        },
    },

    commands = {
        CreateAccount = {
            creates = true,
            data = {
                accountNumber = text(50), accountName = text(100), ownerName = text(100),
                initialBalance = { type = "money", minimum = 0, default = 0 },
                currency = { type = "string", optional = true, enum = currencies },
            },
            handle = function(_, data, ctx)
                ctx:reserve("accountNumber", data.accountNumber,
                            { code = "account_number_taken", message = "the account number is in use" })
                local created = {
                    accountNumber = data.accountNumber, accountName = data.accountName, ownerName = data.ownerName,
                    initialBalance = data.initialBalance, currency = data.currency or ctx.settings.currency,
                }
                if data.initialBalance > 0 then
                    created.transaction = transaction(ctx, 0, data.initialBalance, "Initial deposit")
                end
                return { { type = "AccountCreated", data = created } }
            end,
        },

        DepositMoney = {
            data = { amount = amount, currency = "string?", description = description },
            reply = { balance = "money", currency = "string?" },
            handle = function(state, data, ctx)
                local refusal = obstacle(state, data, ctx)
                if refusal then return nil, refusal end
                return { deposited(state, data, ctx, data.description or "Deposit") },
                       reply(state, state.balance + data.amount, ctx)
            end,
        },

        WithdrawMoney = {
            data = { amount = amount, currency = "string?", description = description },
            reply = { balance = "money", currency = "string?" },
            handle = function(state, data, ctx)
                local refusal = obstacle(state, data, ctx)
                if refusal then return nil, refusal end
                if state.balance < data.amount then
                    return nil, { code = "insufficient_funds", message = "the balance does not cover the amount" }
                end
                return { withdrawn(state, data, ctx, data.description or "Withdrawal") },
                       reply(state, state.balance - data.amount, ctx)
            end,
        },

        -- Both accounts change in one commit, or neither does.
        TransferMoney = {
            data = { toAccountId = { type = "string", min_length = 1, max_length = 200 }, amount = amount,
                     currency = "string?", description = description },
            reply = { fromAccountNewBalance = "money", toAccountNewBalance = "money", currency = "string?" },
            handle = function(state, data, ctx)
                if data.toAccountId == ctx.id then
                    return nil, { code = "same_account", message = "source and destination are the same account" }
                end
                local target = ctx:load("account", data.toAccountId)
                if not target.exists then
                    return nil, { code = "destination_not_found", status = 404,
                                  message = "the destination account does not exist" }
                end
                local refusal = obstacle(state, data, ctx) or obstacle(target.state, data, ctx)
                if refusal then return nil, refusal end
                if state.balance < data.amount then
                    return nil, { code = "insufficient_funds", message = "the balance does not cover the amount" }
                end
                local out = withdrawn(state, data, ctx,
                                      data.description or "Transfer to " .. target.state.accountNumber)
                local into = deposited(target.state, data, ctx,
                                       data.description or "Transfer from " .. state.accountNumber)
                into.stream = target
                local answer = reply(state, nil, ctx)
                answer.fromAccountNewBalance = state.balance - data.amount
                answer.toAccountNewBalance = target.state.balance + data.amount
                return { out, into }, answer
            end,
        },

        FreezeAccount = {
            data = { reason = description },
            handle = function(state, data)
                if state.status == "closed" then return nil, refusals.closed end
                if state.status == "frozen" then return {}, { status = "frozen" } end
                return { { type = "AccountFrozen", data = { reason = data.reason } } }, { status = "frozen" }
            end,
        },

        UnfreezeAccount = {
            data = {},
            handle = function(state)
                if state.status == "closed" then return nil, refusals.closed end
                if state.status == "active" then return {}, { status = "active" } end
                return { { type = "AccountUnfrozen", data = {} } }, { status = "active" }
            end,
        },

        CloseAccount = {
            data = { reason = description },
            handle = function(state, data)
                if state.status == "closed" then return {}, { status = "closed" } end
                if state.status == "frozen" then return nil, refusals.frozen end
                if state.balance ~= 0 then
                    return nil, { code = "balance_not_zero", message = "only an empty account can be closed" }
                end
                return { { type = "AccountClosed", data = { reason = data.reason } } }, { status = "closed" }
            end,
        },
    },
}
