-- SPDX-License-Identifier: MIT
-- The log of the posts' predecessors, record by record, for: moonlog import --map map.lua log.ndjson --data DIR
-- Data is taken as it is; version 1 of each event says what it has become (domains/posts/originals.lua).

-- Services differed in the case of names; a dump of the document store wraps ids and dates.
local function take(record, name)
    local value = record[name]
    if value == nil then value = record[name:sub(1, 1):lower() .. name:sub(2)] end
    if type(value) == "table" then value = value["$date"] or value["$oid"] or value end
    return value
end

-- Seven digits of a second, where a time holds six.
local function moment(text)
    return (text:gsub("(%.%d%d%d%d%d%d)%d+", "%1"))
end

return function(record)
    if take(record, "AggregateType") ~= "PostAggregate" then return nil end
    local id = take(record, "Id")
    if id == nil then id = take(record, "_id") end
    return {
        stream = "posts.post/" .. take(record, "AggregateIdentifier"),
        type = take(record, "EventType"):gsub("Event$", ""),
        version = 1,
        number = take(record, "Version") + 1,
        time = moment(take(record, "TimeStamp")),
        id = id,
        data = take(record, "EventData"),
    }
end
