/* SPDX-License-Identifier: MIT */
/*
 * Lua 5.4's patterns with a budget of steps: no pattern keeps C busy for longer. Knows no Lua state, so that schemas
 * use it too. Classes are those of the "C" locale.
 */
#ifndef MOONLOG_SCRIPT_LUA_PATTERN_H
#define MOONLOG_SCRIPT_LUA_PATTERN_H

#include "base/slice.h"

#define PATTERN_CAPTURES 32
#define PATTERN_OPEN     ((ptrdiff_t)-1)
#define PATTERN_POSITION ((ptrdiff_t)-2)

struct pattern_capture {
	const char *start;
	ptrdiff_t size; /* or PATTERN_OPEN, PATTERN_POSITION */
};

struct pattern {
	const char *subject;
	const char *subject_end;
	const char *end;     /* of the pattern */
	uint64_t steps;      /* left */
	uint32_t depth;      /* left */
	unsigned captures;   /* made so far */
	const char *error;   /* why the pattern is bad; NULL: it is not */
	char error_text[32]; /* `error` may stand here */
	bool over_limit;     /* the steps are used up */
	struct pattern_capture capture[PATTERN_CAPTURES];
};

void pattern_init(struct pattern *state, struct slice subject, struct slice pattern, uint64_t steps);
/* The end of the match of `pattern` that begins at `at`; NULL when there is none, or on `error` or `over_limit`. */
const char *pattern_match(struct pattern *state, const char *at, const char *pattern);
/* Without magic characters: a plain search does. */
bool pattern_is_plain(struct slice pattern);
/* First match at or after `at`, "^" respected; *start its beginning. */
const char *pattern_search(struct pattern *state, const char *at, struct slice pattern, const char **start);

#endif
