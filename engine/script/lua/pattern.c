/* SPDX-License-Identifier: MIT */
/*
 * Promises: matches what the manual of Lua 5.4 says (6.4.1), within `steps` tries of a single character or item; tests
 * compare it with the packaged library on random patterns.
 *
 * A backtracking matcher: match_here tries the pattern's first item and calls itself for the rest where the item may
 * match in more than one way. The subject is never read outside of its bounds; where the manual's examples look at the
 * byte behind the end, that is a NUL.
 *
 * Fails: by `error` or `over_limit`; every function then gives NULL at once, so that backtracking ends too.
 */
#include "script/lua/pattern.h"

#include <stdio.h>

#define DEPTH_MAX     200
#define ESCAPE        '%'
#define CHARGED_BYTES 16 /* a step */

static const char *match_here(struct pattern *state, const char *at, const char *item);

static const char *
fail(struct pattern *state, const char *error)
{
	if (state->error == NULL && !state->over_limit)
		state->error = error;
	return NULL;
}

static inline bool
failed(const struct pattern *state)
{
	return state->error != NULL || state->over_limit;
}

static inline bool
step(struct pattern *state)
{
	if (state->steps == 0) {
		state->over_limit = true;
		return false;
	}
	state->steps--;
	return true;
}

/* Bytes that are looked at besides the character itself: long sets and captures cost what they take. */
static inline bool
charge(struct pattern *state, size_t bytes)
{
	uint64_t steps = bytes / CHARGED_BYTES;
	if (state->steps < steps) {
		state->over_limit = true;
		return false;
	}
	state->steps -= steps;
	return true;
}

/* ---- single characters ---- */

static inline bool
is_lower(unsigned char c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool
is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool
in_class(unsigned char c, unsigned char class)
{
	bool letter = is_lower(c) || is_upper(c), in;
	switch (is_upper(class) ? class + 32 : class) {
	case 'a':
		in = letter;
		break;
	case 'c':
		in = c < ' ' || c == 127;
		break;
	case 'd':
		in = is_digit(c);
		break;
	case 'g':
		in = c > ' ' && c < 127;
		break;
	case 'l':
		in = is_lower(c);
		break;
	case 'p':
		in = c > ' ' && c < 127 && !letter && !is_digit(c);
		break;
	case 's':
		in = c == ' ' || (c >= '\t' && c <= '\r');
		break;
	case 'u':
		in = is_upper(c);
		break;
	case 'w':
		in = letter || is_digit(c);
		break;
	case 'x':
		in = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		break;
	case 'z': /* not in the manual any more, but in the library */
		in = c == 0;
		break;
	default:
		return c == class;
	}
	return is_upper(class) ? !in : in;
}

/* `set` is at "[", `last` at its "]". */
static bool
in_set(unsigned char c, const char *set, const char *last)
{
	bool wanted = true;
	if (set[1] == '^') {
		wanted = false;
		set++;
	}
	while (++set < last) {
		if (*set == ESCAPE) {
			set++;
			if (in_class(c, (unsigned char)*set))
				return wanted;
		} else if (set[1] == '-' && set + 2 < last) {
			set += 2;
			if ((unsigned char)set[-2] <= c && c <= (unsigned char)*set)
				return wanted;
		} else if ((unsigned char)*set == c) {
			return wanted;
		}
	}
	return !wanted;
}

/* The end of the single-character item at `item`, where its repetition stands if it has one. */
static const char *
item_end(struct pattern *state, const char *item)
{
	if (*item == ESCAPE) {
		if (item + 1 == state->end)
			return fail(state, "malformed pattern (ends with '%')");
		return item + 2;
	}
	if (*item != '[')
		return item + 1;
	const char *set = item++;
	if (item < state->end && *item == '^')
		item++;
	do { /* the first character is never the closing one */
		if (item >= state->end)
			return fail(state, "malformed pattern (missing ']')");
		if (*item++ == ESCAPE && item < state->end)
			item++;
	} while (item >= state->end || *item != ']');
	return charge(state, (size_t)(item - set)) ? item + 1 : NULL;
}

static bool
matches_one(struct pattern *state, const char *at, const char *item, const char *end)
{
	if (at >= state->subject_end || !step(state))
		return false;
	unsigned char c = (unsigned char)*at;
	switch (*item) {
	case '.':
		return true;
	case ESCAPE:
		return in_class(c, (unsigned char)item[1]);
	case '[':
		return charge(state, (size_t)(end - item)) && in_set(c, item, end - 1);
	default:
		return (unsigned char)*item == c;
	}
}

/* ---- items that may match in several ways ---- */

static const char *
longest_first(struct pattern *state, const char *at, const char *item, const char *end)
{
	const char *last = at;
	while (matches_one(state, last, item, end))
		last++;
	for (; last >= at && !failed(state); last--) {
		const char *result = match_here(state, last, end + 1);
		if (result != NULL)
			return result;
	}
	return NULL;
}

static const char *
shortest_first(struct pattern *state, const char *at, const char *item, const char *end)
{
	for (;;) {
		const char *result = match_here(state, at, end + 1);
		if (result != NULL)
			return result;
		if (failed(state) || !matches_one(state, at, item, end))
			return NULL;
		at++;
	}
}

/* ---- captures and the other long items ---- */

static const char *
capture_begin(struct pattern *state, const char *at, const char *rest, ptrdiff_t size)
{
	if (state->captures >= PATTERN_CAPTURES)
		return fail(state, "too many captures");
	state->capture[state->captures++] = (struct pattern_capture){ at, size };
	const char *result = match_here(state, at, rest);
	if (result == NULL)
		state->captures--;
	return result;
}

static const char *
capture_end(struct pattern *state, const char *at, const char *rest)
{
	unsigned open = state->captures;
	while (open > 0 && state->capture[open - 1].size != PATTERN_OPEN)
		open--;
	if (open == 0)
		return fail(state, "invalid pattern capture");
	struct pattern_capture *capture = &state->capture[open - 1];
	capture->size = at - capture->start;
	const char *result = match_here(state, at, rest);
	if (result == NULL)
		capture->size = PATTERN_OPEN;
	return result;
}

/* "%1": the text of an earlier capture again. */
static const char *
capture_again(struct pattern *state, const char *at, unsigned char digit)
{
	int index = digit - '1';
	if (index < 0 || (unsigned)index >= state->captures || state->capture[index].size == PATTERN_OPEN) {
		snprintf(state->error_text, sizeof state->error_text, "invalid capture index %%%d", index + 1);
		return fail(state, state->error_text);
	}
	const struct pattern_capture *capture = &state->capture[index];
	if (capture->size < 0 || state->subject_end - at < capture->size || !charge(state, (size_t)capture->size) ||
	    memcmp(capture->start, at, (size_t)capture->size) != 0)
		return NULL;
	return at + capture->size;
}

/* "%bxy", `pair` at x. */
static const char *
balance(struct pattern *state, const char *at, const char *pair)
{
	if (state->end - pair < 2)
		return fail(state, "malformed pattern (missing arguments to '%b')");
	if (at >= state->subject_end || *at != *pair)
		return NULL;
	for (size_t open = 1; ++at < state->subject_end && step(state);) {
		if (*at == pair[1]) {
			if (--open == 0)
				return at + 1;
		} else if (*at == *pair) {
			open++;
		}
	}
	return NULL;
}

/* "%f[set]", `set` at "[": gives what follows the set, or NULL. */
static const char *
frontier(struct pattern *state, const char *at, const char *set)
{
	if (set >= state->end || *set != '[')
		return fail(state, "missing '[' after '%f' in pattern");
	const char *end = item_end(state, set);
	if (end == NULL)
		return NULL;
	unsigned char before = at == state->subject ? 0 : (unsigned char)at[-1];
	unsigned char here = at < state->subject_end ? (unsigned char)*at : 0;
	return !in_set(before, set, end - 1) && in_set(here, set, end - 1) ? end : NULL;
}

/* What a step over one item leaves: go on behind it, or the answer is known. */
struct progress {
	const char *at; /* NULL: no match */
	const char *item;
	bool done;
};

static struct progress
pass_single(struct pattern *state, const char *at, const char *item)
{
	const char *end = item_end(state, item);
	if (end == NULL)
		return (struct progress){ NULL, NULL, true };
	char repeat = '\0';
	if (end < state->end)
		repeat = *end;
	if (repeat == '*')
		return (struct progress){ longest_first(state, at, item, end), NULL, true };
	if (repeat == '-')
		return (struct progress){ shortest_first(state, at, item, end), NULL, true };
	bool one = matches_one(state, at, item, end);
	if (repeat == '+')
		return (struct progress){ one ? longest_first(state, at + 1, item, end) : NULL, NULL, true };
	if (repeat == '?') {
		const char *result = one ? match_here(state, at + 1, end + 1) : NULL;
		if (result != NULL || failed(state))
			return (struct progress){ result, NULL, true };
		return (struct progress){ at, end + 1, false };
	}
	return (struct progress){ one ? at + 1 : NULL, end, !one };
}

static struct progress
pass_escape(struct pattern *state, const char *at, const char *item)
{
	const char *next;
	unsigned char kind = item + 1 < state->end ? (unsigned char)item[1] : 0;
	if (kind == 'b') {
		next = balance(state, at, item + 2);
		return (struct progress){ next, item + 4, next == NULL };
	}
	if (kind == 'f') {
		next = frontier(state, at, item + 2);
		return (struct progress){ next != NULL ? at : NULL, next, next == NULL };
	}
	if (is_digit(kind)) {
		next = capture_again(state, at, kind);
		return (struct progress){ next, item + 2, next == NULL };
	}
	return pass_single(state, at, item);
}

static const char *
match_here(struct pattern *state, const char *at, const char *item)
{
	if (state->depth == 0)
		return fail(state, "pattern too complex");
	state->depth--;
	struct progress progress = { at, item, false };
	while (!progress.done && progress.item < state->end) {
		if (failed(state) || !step(state)) {
			progress.at = NULL;
			break;
		}
		at = progress.at;
		item = progress.item;
		progress.done = true;
		if (*item == '(' && item + 1 < state->end && item[1] == ')')
			progress.at = capture_begin(state, at, item + 2, PATTERN_POSITION);
		else if (*item == '(')
			progress.at = capture_begin(state, at, item + 1, PATTERN_OPEN);
		else if (*item == ')')
			progress.at = capture_end(state, at, item + 1);
		else if (*item == '$' && item + 1 == state->end)
			progress.at = at == state->subject_end ? at : NULL;
		else if (*item == ESCAPE)
			progress = pass_escape(state, at, item);
		else
			progress = pass_single(state, at, item);
	}
	state->depth++;
	return failed(state) ? NULL : progress.at;
}

void
pattern_init(struct pattern *state, struct slice subject, struct slice pattern, uint64_t steps)
{
	state->subject = subject.data != NULL ? subject.data : "";
	state->subject_end = state->subject + subject.size;
	state->end = pattern.data + pattern.size;
	state->steps = steps;
	state->depth = DEPTH_MAX;
	state->captures = 0;
	state->error = NULL;
	state->over_limit = false;
}

const char *
pattern_match(struct pattern *state, const char *at, const char *pattern)
{
	state->captures = 0;
	state->depth = DEPTH_MAX;
	return match_here(state, at, pattern);
}

bool
pattern_is_plain(struct slice pattern)
{
	for (size_t i = 0; i < pattern.size; i++)
		if (pattern.data[i] != '\0' && strchr("^$*+?.([%-", pattern.data[i]) != NULL)
			return false;
	return true;
}

const char *
pattern_search(struct pattern *state, const char *at, struct slice pattern, const char **start)
{
	bool anchor = pattern.size > 0 && pattern.data[0] == '^';
	const char *items = pattern.data + anchor;
	for (;; at++) {
		const char *end = pattern_match(state, at, items);
		*start = at;
		if (end != NULL || anchor || at >= state->subject_end || failed(state))
			return end;
	}
}
