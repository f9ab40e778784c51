/* SPDX-License-Identifier: MIT */
/*
 * The allow-list: every name that a script sees, with what editors show for it. Names that are not here do not exist:
 * io, os, debug, package, load and its kin, collectgarbage, warn, _G, string.dump, math.random, coroutine.close.
 */
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"

#define STOCK(library, name, usage, doc)                                                                               \
	{                                                                                                              \
		library, name, SANDBOX_STOCK, NULL, usage, doc                                                         \
	}
#define OWN(library, name, function, usage, doc)                                                                       \
	{                                                                                                              \
		library, name, SANDBOX_OWN, function, usage, doc                                                       \
	}
#define VALUE(library, name, doc)                                                                                      \
	{                                                                                                              \
		library, name, SANDBOX_VALUE, NULL, NULL, doc                                                          \
	}

static const struct sandbox_name names[] = {
	VALUE("", "_VERSION", "The version of the language."),
	STOCK("", "assert", "(value [, message]) -> any", "Raises message when value is false or nil."),
	STOCK("", "error", "(message [, level])", "Raises an error."),
	STOCK("", "ipairs", "(list) -> function, table, integer", "Walks 1, 2, 3 ... up to the first nil."),
	OWN("", "next", lib_next, "(table [, key]) -> any, any",
	    "The least key above `key`, and its value; linear in the table."),
	OWN("", "pairs", lib_pairs, "(table) -> function, table, any", "Walks numbers ascending, then texts bytewise."),
	STOCK("", "pcall", "(f, ...) -> boolean, any", "Calls f; false and the error when it raises."),
	OWN("", "print", lib_print, "(...)", "A line in the daemon's log."),
	STOCK("", "rawequal", "(a, b) -> boolean", "Equality without metamethods."),
	STOCK("", "rawget", "(table, key) -> any", "Reads without metamethods."),
	STOCK("", "rawlen", "(value) -> integer", "Length without metamethods."),
	OWN("", "rawset", lib_rawset, "(table, key, value) -> table",
	    "Writes without metamethods; read-only tables are refused."),
	OWN("", "require", lib_require, "(name) -> any", "A module of the domain's folder."),
	STOCK("", "select", "(n, ...) -> any", "The arguments from the n-th on, or their number for '#'."),
	OWN("", "getmetatable", lib_getmetatable, "(value) -> table?", "The metatable of a table."),
	OWN("", "setmetatable", lib_setmetatable, "(table, metatable) -> table",
	    "Sets a metatable; metamethods added to it after its first use are ignored, __gc and __mode refused."),
	STOCK("", "tonumber", "(value [, base]) -> number?", "A number from a text."),
	OWN("", "tostring", lib_tostring, "(value) -> string", "A text, without addresses."),
	STOCK("", "type", "(value) -> string", "The name of a value's type."),
	OWN("", "xpcall", lib_xpcall, "(f, handler, ...) -> boolean, any",
	    "Calls f; handler sees the error before the stack unwinds."),

	STOCK("coroutine", "create", "(f) -> thread", "A new coroutine."),
	STOCK("coroutine", "isyieldable", "() -> boolean", "Whether yield is allowed here."),
	OWN("coroutine", "resume", lib_resume, "(coroutine, ...) -> boolean, any", "Runs it up to its next yield."),
	STOCK("coroutine", "status", "(coroutine) -> string", "\"running\", \"suspended\", \"normal\" or \"dead\"."),
	OWN("coroutine", "wrap", lib_wrap, "(f) -> function", "A function that resumes a new coroutine."),
	STOCK("coroutine", "yield", "(...) -> any", "Suspends the running coroutine."),

	OWN("json", "array", lib_json_array, "([list]) -> table",
	    "Marks a table as an array, so that an empty one stays one."),
	OWN("json", "decode", lib_json_decode, "(text) -> any", "The value of a JSON text."),
	OWN("json", "encode", lib_json_encode, "(value) -> string", "The canonical JSON text of a value."),
	OWN("json", "isarray", lib_json_isarray, "(value) -> boolean", "Whether a table is marked as an array."),
	OWN("json", "isnull", lib_json_isnull, "(value) -> boolean", "Whether a value is json.null."),
	VALUE("json", "null", "JSON's null. It counts as true in conditions: use json.isnull."),

	STOCK("math", "abs", "(x) -> number", "Absolute value."),
	STOCK("math", "acos", "(x) -> number", "Arc cosine."),
	STOCK("math", "asin", "(x) -> number", "Arc sine."),
	STOCK("math", "atan", "(y [, x]) -> number", "Arc tangent of y/x."),
	STOCK("math", "ceil", "(x) -> integer", "The least integer not below x."),
	STOCK("math", "cos", "(x) -> number", "Cosine."),
	STOCK("math", "deg", "(x) -> number", "Radians to degrees."),
	STOCK("math", "exp", "(x) -> number", "e to the power x."),
	STOCK("math", "floor", "(x) -> integer", "The largest integer not above x."),
	STOCK("math", "fmod", "(x, y) -> number", "Remainder, rounding the quotient towards zero."),
	VALUE("math", "huge", "Infinity."),
	STOCK("math", "log", "(x [, base]) -> number", "Logarithm."),
	STOCK("math", "max", "(x, ...) -> number", "The largest argument."),
	VALUE("math", "maxinteger", "The largest integer."),
	STOCK("math", "min", "(x, ...) -> number", "The least argument."),
	VALUE("math", "mininteger", "The least integer."),
	STOCK("math", "modf", "(x) -> number, number", "Integral and fractional part."),
	VALUE("math", "pi", "Pi."),
	STOCK("math", "rad", "(x) -> number", "Degrees to radians."),
	STOCK("math", "sin", "(x) -> number", "Sine."),
	STOCK("math", "sqrt", "(x) -> number", "Square root."),
	STOCK("math", "tan", "(x) -> number", "Tangent."),
	STOCK("math", "tointeger", "(x) -> integer?", "x as an integer, or nil."),
	STOCK("math", "type", "(x) -> string?", "\"integer\", \"float\" or nil."),
	STOCK("math", "ult", "(m, n) -> boolean", "m < n as unsigned integers."),

	OWN("money", "decimals", lib_money_decimals, "(currency) -> integer",
	    "Decimals of a currency: 2 for EUR, 0 for JPY."),
	OWN("money", "format", lib_money_format, "(minor, currency) -> string", "50000, \"EUR\" -> \"500.00\"."),
	OWN("money", "parse", lib_money_parse, "(text, currency) -> integer?, string?",
	    "\"500.00\", \"EUR\" -> 50000; nil and why it is none."),

	STOCK("string", "byte", "(s [, i [, j]]) -> integer", "The bytes of s from i to j."),
	STOCK("string", "char", "(...) -> string", "A string of these bytes."),
	OWN("string", "find", lib_find, "(s, pattern [, init [, plain]]) -> integer?, integer?, any",
	    "Where pattern first matches, and its captures."),
	OWN("string", "format", lib_format, "(format, ...) -> string", "As in C; %p is refused."),
	OWN("string", "gmatch", lib_gmatch, "(s, pattern [, init]) -> function", "Walks all matches."),
	OWN("string", "gsub", lib_gsub, "(s, pattern, replacement [, n]) -> string, integer",
	    "Replaces matches; also gives their number."),
	STOCK("string", "len", "(s) -> integer", "Bytes of s."),
	STOCK("string", "lower", "(s) -> string", "ASCII letters in lower case."),
	OWN("string", "match", lib_match, "(s, pattern [, init]) -> any", "The captures of the first match."),
	STOCK("string", "pack", "(format, ...) -> string", "Values as bytes."),
	STOCK("string", "packsize", "(format) -> integer", "Size of such bytes."),
	OWN("string", "rep", lib_rep, "(s, n [, between]) -> string", "n times s."),
	STOCK("string", "reverse", "(s) -> string", "The bytes backwards."),
	STOCK("string", "sub", "(s, i [, j]) -> string", "The bytes from i to j as a string."),
	STOCK("string", "unpack", "(format, s [, position]) -> any", "Values from bytes."),
	STOCK("string", "upper", "(s) -> string", "ASCII letters in upper case."),

	STOCK("table", "concat", "(list [, between [, i [, j]]]) -> string", "The elements as one string."),
	OWN("table", "insert", lib_insert, "(list, [position,] value)", "Puts a value in, shifting the rest up."),
	OWN("table", "move", lib_move, "(a, from, to, at [, b]) -> table", "Copies elements."),
	STOCK("table", "pack", "(...) -> table", "A list of the arguments, with their number as n."),
	OWN("table", "remove", lib_remove, "(list [, position]) -> any", "Takes a value out, shifting the rest down."),
	OWN("table", "sort", lib_sort, "(list [, less])", "Sorts in place; equal elements keep their order."),
	STOCK("table", "unpack", "(list [, i [, j]]) -> any", "The elements as results."),

	OWN("time", "add", lib_time_add, "(time, amounts) -> integer",
	    "Adds { days, hours, minutes, seconds, months, years ... }."),
	OWN("time", "date", lib_time_date, "(time) -> table",
	    "{ year, month, day, hour, minute, second, microsecond } in UTC."),
	OWN("time", "format", lib_time_format, "(time) -> string", "ISO 8601 in UTC of integer microseconds."),
	OWN("time", "parse", lib_time_parse, "(text) -> integer?, string?",
	    "Integer microseconds of ISO 8601; nil and why it is none."),

	STOCK("utf8", "char", "(...) -> string", "A string of these code points."),
	VALUE("utf8", "charpattern", "Matches one UTF-8 sequence."),
	STOCK("utf8", "codepoint", "(s [, i [, j [, lax]]]) -> integer", "Code points of s."),
	STOCK("utf8", "codes", "(s [, lax]) -> function", "Walks the code points."),
	STOCK("utf8", "len", "(s [, i [, j [, lax]]]) -> integer?, integer?",
	      "Characters of s, or nil and the first bad byte."),
	STOCK("utf8", "offset", "(s, n [, i]) -> integer?", "Byte position of the n-th character."),
};

const struct sandbox_name *
sandbox_names(size_t *count)
{
	*count = countof(names);
	return names;
}
