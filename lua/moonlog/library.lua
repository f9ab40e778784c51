-- SPDX-License-Identifier: MIT
---@meta moonlog.library
-- luacheck: ignore
-- Made by `moonlog editor` from the engine's allow-list: all that rules can name. Never run.
---The version of the language.
---@type string
_VERSION = nil
---Raises message when value is false or nil.
---@type fun(value: any, message?: any): any
assert = nil
---Raises an error.
---@type fun(message: any, level?: any)
error = nil
---Walks 1, 2, 3 ... up to the first nil.
---@type fun(list: any): function, table, integer
ipairs = nil
---The least key above `key`, and its value; linear in the table.
---@type fun(table: any, key?: any): any, any
next = nil
---Walks numbers ascending, then texts bytewise.
---@type fun(table: any): function, table, any
pairs = nil
---Calls f; false and the error when it raises.
---@type fun(f: any, ...: any): boolean, any
pcall = nil
---A line in the daemon's log.
---@type fun(...: any)
print = nil
---Equality without metamethods.
---@type fun(a: any, b: any): boolean
rawequal = nil
---Reads without metamethods.
---@type fun(table: any, key: any): any
rawget = nil
---Length without metamethods.
---@type fun(value: any): integer
rawlen = nil
---Writes without metamethods; read-only tables are refused.
---@type fun(table: any, key: any, value: any): table
rawset = nil
---A module of the domain's folder.
---@type fun(name: any): any
require = nil
---The arguments from the n-th on, or their number for '#'.
---@type fun(n: any, ...: any): any
select = nil
---The metatable of a table.
---@type fun(value: any): table?
getmetatable = nil
---Sets a metatable; metamethods added to it after its first use are ignored, __gc and __mode refused.
---@type fun(table: any, metatable: any): table
setmetatable = nil
---A number from a text.
---@type fun(value: any, base?: any): number?
tonumber = nil
---A text, without addresses.
---@type fun(value: any): string
tostring = nil
---The name of a value's type.
---@type fun(value: any): string
type = nil
---Calls f; handler sees the error before the stack unwinds.
---@type fun(f: any, handler: any, ...: any): boolean, any
xpcall = nil

---@class coroutinelib
coroutine = {}
---A new coroutine.
---@type fun(f: any): thread
coroutine.create = nil
---Whether yield is allowed here.
---@type fun(): boolean
coroutine.isyieldable = nil
---Runs it up to its next yield.
---@type fun(coroutine: any, ...: any): boolean, any
coroutine.resume = nil
---"running", "suspended", "normal" or "dead".
---@type fun(coroutine: any): string
coroutine.status = nil
---A function that resumes a new coroutine.
---@type fun(f: any): function
coroutine.wrap = nil
---Suspends the running coroutine.
---@type fun(...: any): any
coroutine.yield = nil

---@class jsonlib
json = {}
---Marks a table as an array, so that an empty one stays one.
---@type fun(list?: any): table
json.array = nil
---The value of a JSON text.
---@type fun(text: any): any
json.decode = nil
---The canonical JSON text of a value.
---@type fun(value: any): string
json.encode = nil
---Whether a table is marked as an array.
---@type fun(value: any): boolean
json.isarray = nil
---Whether a value is json.null.
---@type fun(value: any): boolean
json.isnull = nil
---JSON's null. It counts as true in conditions: use json.isnull.
---@type any
json.null = nil

---@class mathlib
math = {}
---Absolute value.
---@type fun(x: any): number
math.abs = nil
---Arc cosine.
---@type fun(x: any): number
math.acos = nil
---Arc sine.
---@type fun(x: any): number
math.asin = nil
---Arc tangent of y/x.
---@type fun(y: any, x?: any): number
math.atan = nil
---The least integer not below x.
---@type fun(x: any): integer
math.ceil = nil
---Cosine.
---@type fun(x: any): number
math.cos = nil
---Radians to degrees.
---@type fun(x: any): number
math.deg = nil
---e to the power x.
---@type fun(x: any): number
math.exp = nil
---The largest integer not above x.
---@type fun(x: any): integer
math.floor = nil
---Remainder, rounding the quotient towards zero.
---@type fun(x: any, y: any): number
math.fmod = nil
---Infinity.
---@type number
math.huge = nil
---Logarithm.
---@type fun(x: any, base?: any): number
math.log = nil
---The largest argument.
---@type fun(x: any, ...: any): number
math.max = nil
---The largest integer.
---@type integer
math.maxinteger = nil
---The least argument.
---@type fun(x: any, ...: any): number
math.min = nil
---The least integer.
---@type integer
math.mininteger = nil
---Integral and fractional part.
---@type fun(x: any): number, number
math.modf = nil
---Pi.
---@type number
math.pi = nil
---Degrees to radians.
---@type fun(x: any): number
math.rad = nil
---Sine.
---@type fun(x: any): number
math.sin = nil
---Square root.
---@type fun(x: any): number
math.sqrt = nil
---Tangent.
---@type fun(x: any): number
math.tan = nil
---x as an integer, or nil.
---@type fun(x: any): integer?
math.tointeger = nil
---"integer", "float" or nil.
---@type fun(x: any): string?
math.type = nil
---m < n as unsigned integers.
---@type fun(m: any, n: any): boolean
math.ult = nil

---@class moneylib
money = {}
---Decimals of a currency: 2 for EUR, 0 for JPY.
---@type fun(currency: any): integer
money.decimals = nil
---50000, "EUR" -> "500.00".
---@type fun(minor: any, currency: any): string
money.format = nil
---"500.00", "EUR" -> 50000; nil and why it is none.
---@type fun(text: any, currency: any): integer?, string?
money.parse = nil

---@class stringlib
string = {}
---The bytes of s from i to j.
---@type fun(s: any, i?: any, j?: any): integer
string.byte = nil
---A string of these bytes.
---@type fun(...: any): string
string.char = nil
---Where pattern first matches, and its captures.
---@type fun(s: any, pattern: any, init?: any, plain?: any): integer?, integer?, any
string.find = nil
---As in C; %p is refused.
---@type fun(format: any, ...: any): string
string.format = nil
---Walks all matches.
---@type fun(s: any, pattern: any, init?: any): function
string.gmatch = nil
---Replaces matches; also gives their number.
---@type fun(s: any, pattern: any, replacement: any, n?: any): string, integer
string.gsub = nil
---Bytes of s.
---@type fun(s: any): integer
string.len = nil
---ASCII letters in lower case.
---@type fun(s: any): string
string.lower = nil
---The captures of the first match.
---@type fun(s: any, pattern: any, init?: any): any
string.match = nil
---Values as bytes.
---@type fun(format: any, ...: any): string
string.pack = nil
---Size of such bytes.
---@type fun(format: any): integer
string.packsize = nil
---n times s.
---@type fun(s: any, n: any, between?: any): string
string.rep = nil
---The bytes backwards.
---@type fun(s: any): string
string.reverse = nil
---The bytes from i to j as a string.
---@type fun(s: any, i: any, j?: any): string
string.sub = nil
---Values from bytes.
---@type fun(format: any, s: any, position?: any): any
string.unpack = nil
---ASCII letters in upper case.
---@type fun(s: any): string
string.upper = nil

---@class tablelib
table = {}
---The elements as one string.
---@type fun(list: any, between?: any, i?: any, j?: any): string
table.concat = nil
---Puts a value in, shifting the rest up.
---@type fun(list: any, position?: any, value?: any)
table.insert = nil
---Copies elements.
---@type fun(a: any, from: any, to: any, at: any, b?: any): table
table.move = nil
---A list of the arguments, with their number as n.
---@type fun(...: any): table
table.pack = nil
---Takes a value out, shifting the rest down.
---@type fun(list: any, position?: any): any
table.remove = nil
---Sorts in place; equal elements keep their order.
---@type fun(list: any, less?: any)
table.sort = nil
---The elements as results.
---@type fun(list: any, i?: any, j?: any): any
table.unpack = nil

---@class timelib
time = {}
---Adds { days, hours, minutes, seconds, months, years ... }.
---@type fun(time: any, amounts: any): integer
time.add = nil
---{ year, month, day, hour, minute, second, microsecond } in UTC.
---@type fun(time: any): table
time.date = nil
---ISO 8601 in UTC of integer microseconds.
---@type fun(time: any): string
time.format = nil
---Integer microseconds of ISO 8601; nil and why it is none.
---@type fun(text: any): integer?, string?
time.parse = nil

---@class utf8lib
utf8 = {}
---A string of these code points.
---@type fun(...: any): string
utf8.char = nil
---Matches one UTF-8 sequence.
---@type string
utf8.charpattern = nil
---Code points of s.
---@type fun(s: any, i?: any, j?: any, lax?: any): integer
utf8.codepoint = nil
---Walks the code points.
---@type fun(s: any, lax?: any): function
utf8.codes = nil
---Characters of s, or nil and the first bad byte.
---@type fun(s: any, i?: any, j?: any, lax?: any): integer?, integer?
utf8.len = nil
---Byte position of the n-th character.
---@type fun(s: any, n: any, i?: any): integer?
utf8.offset = nil
