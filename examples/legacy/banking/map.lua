-- SPDX-License-Identifier: MIT
-- The event table of the bank's predecessor, a row a line, for: moonlog import --map map.lua log.ndjson --data DIR
-- It kept euros and said so nowhere: its events are version 1 of ours, without a currency. Its amounts were decimals.

local function cents(amount)
    return amount and math.floor(amount * 100 + 0.5)
end

local function moment(text)
    return (text:gsub("(%.%d%d%d%d%d%d)%d+", "%1"))
end

local function transaction(moved)
    if moved == nil or json.isnull(moved) then return nil end
    return {
        transactionId = moved.Id,
        openingBalance = cents(moved.OpeningBalance),
        closingBalance = cents(moved.ClosingBalance),
        description = moved.Description,
        date = time.parse(moment(moved.Date)),
    }
end

return function(row)
    if row.is_archived then return nil end
    local data = row.data
    return {
        stream = "banking.account/" .. row.stream_id,
        type = row.type,
        version = 1,
        number = row.version,
        time = moment(row.timestamp),
        id = row.id,
        unique = row.type == "AccountCreated" and { accountNumber = data.AccountNumber } or nil,
        data = {
            accountNumber = data.AccountNumber,
            accountName = data.AccountName,
            ownerName = data.OwnerName,
            initialBalance = cents(data.InitialBalance),
            amount = cents(data.Amount),
            transaction = transaction(data.Transaction),
        },
    }
end
