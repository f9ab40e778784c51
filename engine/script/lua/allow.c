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
	STOCK("", "assert", "(value [, message])", "Raises message when value is false or nil."),
	STOCK("", "error", "(message [, level])", "Raises an error."),
	STOCK("", "ipairs", "(list)", "Walks 1, 2, 3 ... up to the first nil."),
	OWN("", "next", lib_next, "(table [, key])", "The least key above `key`, and its value; linear in the table."),
	OWN("", "pairs", lib_pairs, "(table)", "Walks numbers ascending, then texts bytewise."),
	STOCK("", "pcall", "(f, ...)", "Calls f; false and the error when it raises."),
	OWN("", "print", lib_print, "(...)", "A line in the daemon's log."),
	STOCK("", "rawequal", "(a, b)", "Equality without metamethods."),
	STOCK("", "rawget", "(table, key)", "Reads without metamethods."),
	STOCK("", "rawlen", "(value)", "Length without metamethods."),
	OWN("", "rawset", lib_rawset, "(table, key, value)",
	    "Writes without metamethods; read-only tables are refused."),
	OWN("", "require", lib_require, "(name)", "A module of the domain's folder."),
	STOCK("", "select", "(n, ...)", "The arguments from the n-th on, or their number for '#'."),
	OWN("", "getmetatable", lib_getmetatable, "(value)", "The metatable of a table."),
	OWN("", "setmetatable", lib_setmetatable, "(table, metatable)",
	    "Sets a metatable; metamethods added to it after its first use are ignored, __gc and __mode refused."),
	STOCK("", "tonumber", "(value [, base])", "A number from a text."),
	OWN("", "tostring", lib_tostring, "(value)", "A text, without addresses."),
	STOCK("", "type", "(value)", "The name of a value's type."),
	OWN("", "xpcall", lib_xpcall, "(f, handler, ...)", "Calls f; handler sees the error before the stack unwinds."),

	STOCK("coroutine", "create", "(f)", "A new coroutine."),
	STOCK("coroutine", "isyieldable", "()", "Whether yield is allowed here."),
	OWN("coroutine", "resume", lib_resume, "(coroutine, ...)", "Runs it up to its next yield."),
	STOCK("coroutine", "status", "(coroutine)", "\"running\", \"suspended\", \"normal\" or \"dead\"."),
	OWN("coroutine", "wrap", lib_wrap, "(f)", "A function that resumes a new coroutine."),
	STOCK("coroutine", "yield", "(...)", "Suspends the running coroutine."),

	OWN("json", "array", lib_json_array, "([list])", "Marks a table as an array, so that an empty one stays one."),
	OWN("json", "decode", lib_json_decode, "(text)", "The value of a JSON text."),
	OWN("json", "encode", lib_json_encode, "(value)", "The canonical JSON text of a value."),
	OWN("json", "isarray", lib_json_isarray, "(value)", "Whether a table is marked as an array."),
	OWN("json", "isnull", lib_json_isnull, "(value)", "Whether a value is json.null."),
	VALUE("json", "null", "JSON's null. It counts as true in conditions: use json.isnull."),

	STOCK("math", "abs", "(x)", "Absolute value."),
	STOCK("math", "acos", "(x)", "Arc cosine."),
	STOCK("math", "asin", "(x)", "Arc sine."),
	STOCK("math", "atan", "(y [, x])", "Arc tangent of y/x."),
	STOCK("math", "ceil", "(x)", "The least integer not below x."),
	STOCK("math", "cos", "(x)", "Cosine."),
	STOCK("math", "deg", "(x)", "Radians to degrees."),
	STOCK("math", "exp", "(x)", "e to the power x."),
	STOCK("math", "floor", "(x)", "The largest integer not above x."),
	STOCK("math", "fmod", "(x, y)", "Remainder, rounding the quotient towards zero."),
	VALUE("math", "huge", "Infinity."),
	STOCK("math", "log", "(x [, base])", "Logarithm."),
	STOCK("math", "max", "(x, ...)", "The largest argument."),
	VALUE("math", "maxinteger", "The largest integer."),
	STOCK("math", "min", "(x, ...)", "The least argument."),
	VALUE("math", "mininteger", "The least integer."),
	STOCK("math", "modf", "(x)", "Integral and fractional part."),
	VALUE("math", "pi", "Pi."),
	STOCK("math", "rad", "(x)", "Degrees to radians."),
	STOCK("math", "sin", "(x)", "Sine."),
	STOCK("math", "sqrt", "(x)", "Square root."),
	STOCK("math", "tan", "(x)", "Tangent."),
	STOCK("math", "tointeger", "(x)", "x as an integer, or nil."),
	STOCK("math", "type", "(x)", "\"integer\", \"float\" or nil."),
	STOCK("math", "ult", "(m, n)", "m < n as unsigned integers."),

	OWN("money", "decimals", lib_money_decimals, "(currency)", "Decimals of a currency: 2 for EUR, 0 for JPY."),
	OWN("money", "format", lib_money_format, "(minor, currency)", "50000, \"EUR\" -> \"500.00\"."),
	OWN("money", "parse", lib_money_parse, "(text, currency)",
	    "\"500.00\", \"EUR\" -> 50000; nil and why it is none."),

	STOCK("string", "byte", "(s [, i [, j]])", "The bytes of s from i to j."),
	STOCK("string", "char", "(...)", "A string of these bytes."),
	OWN("string", "find", lib_find, "(s, pattern [, init [, plain]])",
	    "Where pattern first matches, and its captures."),
	OWN("string", "format", lib_format, "(format, ...)", "As in C; %p is refused."),
	OWN("string", "gmatch", lib_gmatch, "(s, pattern [, init])", "Walks all matches."),
	OWN("string", "gsub", lib_gsub, "(s, pattern, replacement [, n])",
	    "Replaces matches; also gives their number."),
	STOCK("string", "len", "(s)", "Bytes of s."),
	STOCK("string", "lower", "(s)", "ASCII letters in lower case."),
	OWN("string", "match", lib_match, "(s, pattern [, init])", "The captures of the first match."),
	STOCK("string", "pack", "(format, ...)", "Values as bytes."),
	STOCK("string", "packsize", "(format)", "Size of such bytes."),
	OWN("string", "rep", lib_rep, "(s, n [, between])", "n times s."),
	STOCK("string", "reverse", "(s)", "The bytes backwards."),
	STOCK("string", "sub", "(s, i [, j])", "The bytes from i to j as a string."),
	STOCK("string", "unpack", "(format, s [, position])", "Values from bytes."),
	STOCK("string", "upper", "(s)", "ASCII letters in upper case."),

	STOCK("table", "concat", "(list [, between [, i [, j]]])", "The elements as one string."),
	OWN("table", "insert", lib_insert, "(list, [position,] value)", "Puts a value in, shifting the rest up."),
	OWN("table", "move", lib_move, "(a, from, to, at [, b])", "Copies elements."),
	STOCK("table", "pack", "(...)", "A list of the arguments, with their number as n."),
	OWN("table", "remove", lib_remove, "(list [, position])", "Takes a value out, shifting the rest down."),
	OWN("table", "sort", lib_sort, "(list [, less])", "Sorts in place; equal elements keep their order."),
	STOCK("table", "unpack", "(list [, i [, j]])", "The elements as results."),

	OWN("time", "add", lib_time_add, "(time, amounts)",
	    "Adds { days, hours, minutes, seconds, months, years ... }."),
	OWN("time", "date", lib_time_date, "(time)", "{ year, month, day, hour, minute, second, microsecond } in UTC."),
	OWN("time", "format", lib_time_format, "(time)", "ISO 8601 in UTC of integer microseconds."),
	OWN("time", "parse", lib_time_parse, "(text)", "Integer microseconds of ISO 8601; nil and why it is none."),

	STOCK("utf8", "char", "(...)", "A string of these code points."),
	VALUE("utf8", "charpattern", "Matches one UTF-8 sequence."),
	STOCK("utf8", "codepoint", "(s [, i [, j [, lax]]])", "Code points of s."),
	STOCK("utf8", "codes", "(s [, lax])", "Walks the code points."),
	STOCK("utf8", "len", "(s [, i [, j [, lax]]])", "Characters of s, or nil and the first bad byte."),
	STOCK("utf8", "offset", "(s, n [, i])", "Byte position of the n-th character."),
};

const struct sandbox_name *
sandbox_names(size_t *count)
{
	*count = countof(names);
	return names;
}
