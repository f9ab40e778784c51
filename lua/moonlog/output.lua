-- SPDX-License-Identifier: MIT
-- Output of `moonlog test`: a line for each spec that did not pass, with its place and reason, and a counted line.

return function(options)
    local busted = require "busted"
    local handler = require "busted.outputHandlers.base" ()

    local function reason(item)
        local message = item.message
        if type(message) == "table" then message = message.message or tostring(message) end
        if message == nil then message = "failed without a message" end
        local text = tostring(message)
        if options.verbose and item.trace and item.trace.traceback then text = text .. "\n" .. item.trace.traceback end
        return (text:gsub("\n", "\n    "))
    end

    local function place(item)
        local trace = item.element.trace
        return trace and trace.short_src and ("%s:%d"):format(trace.short_src, trace.currentline or 0) or item.name
    end

    local function report(word, item)
        io.write(("%s %s (%s)\n    %s\n"):format(word, item.name, place(item), reason(item)))
    end

    handler.suiteEnd = function()
        for _, item in ipairs(handler.pendings) do io.write(("pending %s (%s)\n"):format(item.name, place(item))) end
        for _, item in ipairs(handler.failures) do report("FAILED", item) end
        for _, item in ipairs(handler.errors) do report("ERROR", item) end
        io.write(("%d passed, %d failed\n"):format(handler.successesCount, handler.failuresCount + handler.errorsCount))
        io.flush()
        return nil, true
    end

    busted.subscribe({ "suite", "end" }, handler.suiteEnd)
    return handler
end
