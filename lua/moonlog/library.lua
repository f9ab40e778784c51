-- SPDX-License-Identifier: MIT
---@meta moonlog.library
-- luacheck: ignore
-- Made by `moonlog editor` from the engine's allow-list: all that rules can name. Never run.

---The version of the language.
---@type string
_VERSION = nil

---Raises message when value is false or nil.
---@param value any
---@param message? any
---@return any
function assert(value, message) end

---Raises an error.
---@param message any
---@param level? any
function error(message, level) end

---Walks 1, 2, 3 ... up to the first nil.
---@param list any
---@return function
---@return table
---@return integer
function ipairs(list) end

---The least key above `key`, and its value; linear in the table.
---@param table any
---@param key? any
---@return any
---@return any
function next(table, key) end

---Walks numbers ascending, then texts bytewise.
---@param table any
---@return function
---@return table
---@return any
function pairs(table) end

---Calls f; false and the error when it raises.
---@param f any
---@param ... any
---@return boolean
---@return any
function pcall(f, ...) end

---A line in the daemon's log.
---@param ... any
function print(...) end

---Equality without metamethods.
---@param a any
---@param b any
---@return boolean
function rawequal(a, b) end

---Reads without metamethods.
---@param table any
---@param key any
---@return any
function rawget(table, key) end

---Length without metamethods.
---@param value any
---@return integer
function rawlen(value) end

---Writes without metamethods; read-only tables are refused.
---@param table any
---@param key any
---@param value any
---@return table
function rawset(table, key, value) end

---A module of the domain's folder.
---@param name any
---@return any
function require(name) end

---The arguments from the n-th on, or their number for '#'.
---@param n any
---@param ... any
---@return any
function select(n, ...) end

---The metatable of a table.
---@param value any
---@return table?
function getmetatable(value) end

---Sets a metatable; metamethods added to it after its first use are ignored, __gc and __mode refused.
---@param table any
---@param metatable any
---@return table
function setmetatable(table, metatable) end

---A number from a text.
---@param value any
---@param base? any
---@return number?
function tonumber(value, base) end

---A text, without addresses.
---@param value any
---@return string
function tostring(value) end

---The name of a value's type.
---@param value any
---@return string
function type(value) end

---Calls f; handler sees the error before the stack unwinds.
---@param f any
---@param handler any
---@param ... any
---@return boolean
---@return any
function xpcall(f, handler, ...) end

---@class coroutinelib
coroutine = {}

---A new coroutine.
---@param f any
---@return thread
function coroutine.create(f) end

---Whether yield is allowed here.
---@return boolean
function coroutine.isyieldable() end

---Runs it up to its next yield.
---@param coroutine any
---@param ... any
---@return boolean
---@return any
function coroutine.resume(coroutine, ...) end

---"running", "suspended", "normal" or "dead".
---@param coroutine any
---@return string
function coroutine.status(coroutine) end

---A function that resumes a new coroutine.
---@param f any
---@return function
function coroutine.wrap(f) end

---Suspends the running coroutine.
---@param ... any
---@return any
function coroutine.yield(...) end

---@class jsonlib
json = {}

---Marks a table as an array, so that an empty one stays one.
---@param list? any
---@return table
function json.array(list) end

---The value of a JSON text.
---@param text any
---@return any
function json.decode(text) end

---The canonical JSON text of a value.
---@param value any
---@return string
function json.encode(value) end

---Whether a table is marked as an array.
---@param value any
---@return boolean
function json.isarray(value) end

---Whether a value is json.null.
---@param value any
---@return boolean
function json.isnull(value) end

---JSON's null. It counts as true in conditions: use json.isnull.
---@type any
json.null = nil

---@class mathlib
math = {}

---Absolute value.
---@param x any
---@return number
function math.abs(x) end

---Arc cosine.
---@param x any
---@return number
function math.acos(x) end

---Arc sine.
---@param x any
---@return number
function math.asin(x) end

---Arc tangent of y/x.
---@param y any
---@param x? any
---@return number
function math.atan(y, x) end

---The least integer not below x.
---@param x any
---@return integer
function math.ceil(x) end

---Cosine.
---@param x any
---@return number
function math.cos(x) end

---Radians to degrees.
---@param x any
---@return number
function math.deg(x) end

---e to the power x.
---@param x any
---@return number
function math.exp(x) end

---The largest integer not above x.
---@param x any
---@return integer
function math.floor(x) end

---Remainder, rounding the quotient towards zero.
---@param x any
---@param y any
---@return number
function math.fmod(x, y) end

---Infinity.
---@type number
math.huge = nil

---Logarithm.
---@param x any
---@param base? any
---@return number
function math.log(x, base) end

---The largest argument.
---@param x any
---@param ... any
---@return number
function math.max(x, ...) end

---The largest integer.
---@type integer
math.maxinteger = nil

---The least argument.
---@param x any
---@param ... any
---@return number
function math.min(x, ...) end

---The least integer.
---@type integer
math.mininteger = nil

---Integral and fractional part.
---@param x any
---@return number
---@return number
function math.modf(x) end

---Pi.
---@type number
math.pi = nil

---Degrees to radians.
---@param x any
---@return number
function math.rad(x) end

---Sine.
---@param x any
---@return number
function math.sin(x) end

---Square root.
---@param x any
---@return number
function math.sqrt(x) end

---Tangent.
---@param x any
---@return number
function math.tan(x) end

---x as an integer, or nil.
---@param x any
---@return integer?
function math.tointeger(x) end

---"integer", "float" or nil.
---@param x any
---@return string?
function math.type(x) end

---m < n as unsigned integers.
---@param m any
---@param n any
---@return boolean
function math.ult(m, n) end

---@class moneylib
money = {}

---Decimals of a currency: 2 for EUR, 0 for JPY.
---@param currency any
---@return integer
function money.decimals(currency) end

---50000, "EUR" -> "500.00".
---@param minor any
---@param currency any
---@return string
function money.format(minor, currency) end

---"500.00", "EUR" -> 50000; nil and why it is none.
---@param text any
---@param currency any
---@return integer?
---@return string?
function money.parse(text, currency) end

---@class stringlib
string = {}

---The bytes of s from i to j.
---@param s any
---@param i? any
---@param j? any
---@return integer
function string.byte(s, i, j) end

---A string of these bytes.
---@param ... any
---@return string
function string.char(...) end

---Where pattern first matches, and its captures.
---@param s any
---@param pattern any
---@param init? any
---@param plain? any
---@return integer?
---@return integer?
---@return any
function string.find(s, pattern, init, plain) end

---As in C; %p is refused.
---@param format any
---@param ... any
---@return string
function string.format(format, ...) end

---Walks all matches.
---@param s any
---@param pattern any
---@param init? any
---@return function
function string.gmatch(s, pattern, init) end

---Replaces matches; also gives their number.
---@param s any
---@param pattern any
---@param replacement any
---@param n? any
---@return string
---@return integer
function string.gsub(s, pattern, replacement, n) end

---Bytes of s.
---@param s any
---@return integer
function string.len(s) end

---ASCII letters in lower case.
---@param s any
---@return string
function string.lower(s) end

---The captures of the first match.
---@param s any
---@param pattern any
---@param init? any
---@return any
function string.match(s, pattern, init) end

---Values as bytes.
---@param format any
---@param ... any
---@return string
function string.pack(format, ...) end

---Size of such bytes.
---@param format any
---@return integer
function string.packsize(format) end

---n times s.
---@param s any
---@param n any
---@param between? any
---@return string
function string.rep(s, n, between) end

---The bytes backwards.
---@param s any
---@return string
function string.reverse(s) end

---The bytes from i to j as a string.
---@param s any
---@param i any
---@param j? any
---@return string
function string.sub(s, i, j) end

---Values from bytes.
---@param format any
---@param s any
---@param position? any
---@return any
function string.unpack(format, s, position) end

---ASCII letters in upper case.
---@param s any
---@return string
function string.upper(s) end

---@class tablelib
table = {}

---The elements as one string.
---@param list any
---@param between? any
---@param i? any
---@param j? any
---@return string
function table.concat(list, between, i, j) end

---Puts a value in, shifting the rest up.
---@param list any
---@param position? any
---@param value? any
function table.insert(list, position, value) end

---Copies elements.
---@param a any
---@param from any
---@param to any
---@param at any
---@param b? any
---@return table
function table.move(a, from, to, at, b) end

---A list of the arguments, with their number as n.
---@param ... any
---@return table
function table.pack(...) end

---Takes a value out, shifting the rest down.
---@param list any
---@param position? any
---@return any
function table.remove(list, position) end

---Sorts in place; equal elements keep their order.
---@param list any
---@param less? any
function table.sort(list, less) end

---The elements as results.
---@param list any
---@param i? any
---@param j? any
---@return any
function table.unpack(list, i, j) end

---@class timelib
time = {}

---Adds { days, hours, minutes, seconds, months, years ... }.
---@param time any
---@param amounts any
---@return integer
function time.add(time, amounts) end

---{ year, month, day, hour, minute, second, microsecond } in UTC.
---@param time any
---@return table
function time.date(time) end

---ISO 8601 in UTC of integer microseconds.
---@param time any
---@return string
function time.format(time) end

---Integer microseconds of ISO 8601; nil and why it is none.
---@param text any
---@return integer?
---@return string?
function time.parse(text) end

---@class utf8lib
utf8 = {}

---A string of these code points.
---@param ... any
---@return string
function utf8.char(...) end

---Matches one UTF-8 sequence.
---@type string
utf8.charpattern = nil

---Code points of s.
---@param s any
---@param i? any
---@param j? any
---@param lax? any
---@return integer
function utf8.codepoint(s, i, j, lax) end

---Walks the code points.
---@param s any
---@param lax? any
---@return function
function utf8.codes(s, lax) end

---Characters of s, or nil and the first bad byte.
---@param s any
---@param i? any
---@param j? any
---@param lax? any
---@return integer?
---@return integer?
function utf8.len(s, i, j, lax) end

---Byte position of the n-th character.
---@param s any
---@param n any
---@param i? any
---@return integer?
function utf8.offset(s, n, i) end
