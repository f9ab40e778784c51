/* SPDX-License-Identifier: MIT */
/*
 * One function from one file, in a sandboxed state of its own: JSON in, JSON out. For tools that let a person say in
 * Lua how records look elsewhere.
 */
#ifndef MOONLOG_SCRIPT_LUA_FUNCTION_H
#define MOONLOG_SCRIPT_LUA_FUNCTION_H

#include "base/buf.h"
#include "base/fault.h"
#include "script/options.h"

struct moon_function;

/*
 * Runs the file, which must return a function, within load_ms. Owns: until moon_function_close; the text must live as
 * long. Fails: SCRIPT with file and line, "time_limit".
 */
int moon_function_open(struct slice name, struct slice text, const struct script_limits *limits,
		       struct moon_function **function, struct fault *fault);
void moon_function_close(struct moon_function *function);
/*
 * Calls it with the decoded value, within command_ms; past it SCRIPT "time_limit", and it cannot be called again. Appends what it returns to `out`, nothing when that is nil. nil and a text is a
 * refusal: INPUT "refused" with that text.
 */
int moon_function_call(struct moon_function *function, struct slice json, struct buf *out, struct fault *fault);

#endif
