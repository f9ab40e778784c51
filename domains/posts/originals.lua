-- SPDX-License-Identifier: MIT
-- The shapes of the systems that this domain follows: of what they recorded (version 1 of every event), and of what
-- they sent to their topic.
local settings = require "settings"

local M = {}

-- "commentId" -> "CommentId"
local function pascal(name)
    return name:sub(1, 1):upper() .. name:sub(2)
end

-- Their logs spell a field in either case, depending on which service wrote it.
local function take(data, name)
    local value = data[pascal(name)]
    if value == nil then value = data[name] end
    if json.isnull(value) then return nil end
    return value
end

-- .NET writes seven digits of a second and, for local times, no zone; a dump of the document store wraps a date.
local function moment(value)
    if type(value) == "table" then value = value["$date"] end
    local stem, fraction, zone = tostring(value):match "^(%d+%-%d+%-%d+T%d+:%d+:%d+)%.?(%d*)(.*)$"
    local parsed = stem and time.parse(stem .. (fraction ~= "" and "." .. fraction:sub(1, 6) or "")
                                       .. (zone ~= "" and zone or "Z"))
    return parsed or error("not a time: " .. tostring(value))
end

-- An upcaster from their shape. `fields`: names and kinds of what the event holds today; `renamed`: what a field was
-- called. Id, Version and Type stand in every event of theirs; here they belong to the stream.
function M.upcast(fields, renamed)
    return function(data)
        local today = {}
        for name, kind in pairs(fields) do
            local value = take(data, name)
            if value == nil and renamed and renamed[name] then value = take(data, renamed[name]) end
            if kind == "time" then
                today[name] = moment(value)
            elseif not (kind == "string?" and value == nil) then
                today[name] = value == nil and "" or value
            end
        end
        return today
    end
end

-- A message as their consumers read it: the whole event, by its own type; positions in a stream begin at 0.
function M.publish(fields)
    return {
        topic = settings.topic,
        map = function(data, meta)
            local kind = meta.type .. "Event"
            local message = { Id = meta.stream_id, Version = meta.version - 1, Type = kind }
            for name, sort in pairs(fields) do
                message[pascal(name)] = sort == "time" and time.format(data[name]) or data[name]
            end
            return { type = kind, data = message }
        end,
    }
end

return M
