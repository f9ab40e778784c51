/* SPDX-License-Identifier: MIT */
/*
 * JSON without a tree: a strict scanner over bytes and a writer into a buf (RFC 8259, UTF-8 checked, equal keys in an
 * object refused where the caller collects them). The codec of script/lua goes its own way straight to the Lua stack
 * but shares the rules: docs/INTERFACES.md.
 */
#ifndef MOONLOG_BASE_JSON_H
#define MOONLOG_BASE_JSON_H

#include "base/buf.h"
#include "base/fault.h"

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

#define JSON_DEPTH_MAX 64

/* One value inside a larger text: `raw` are its bytes, quotes and brackets included. */
struct json_value {
	enum json_kind kind;
	struct slice raw;
};

/* Checks that `text` is one whole value and nothing else. Fails: INPUT "bad_json" naming the byte offset. */
int json_check(struct slice text, struct json_value *value, struct fault *fault);

/*
 * Walks the members of an object or the elements of an array that json_check has passed:
 *   struct json_iter it; json_iter(&it, value); while (json_next(&it, &key, &item)) ...
 * `key` is raw between the quotes, escapes undecoded (empty for arrays). Any other kind has no members.
 */
struct json_iter {
	const char *at;
	const char *end;
	bool object;
};
void json_iter(struct json_iter *iter, struct json_value value);
bool json_next(struct json_iter *iter, struct slice *key, struct json_value *item);
/* The member of an object with this key (compared undecoded). false when absent. */
bool json_member(struct json_value object, struct slice key, struct json_value *item);
/* Decoded text of a string value, appended to `out`; nothing for another kind. */
void json_decode(struct json_value string, struct buf *out);
bool json_to_i64(struct json_value number, int64_t *integer);
bool json_to_u64(struct json_value number, uint64_t *integer);

/* Numbers as canonical text; without a NUL. A float is finite. Give the size. */
#define JSON_NUMBER_SIZE 40
size_t json_integer_text(int64_t integer, char text[JSON_NUMBER_SIZE]);
size_t json_float_text(double number, char text[JSON_NUMBER_SIZE]);
void json_real(struct buf *out, double number);

/* The writer: a quoted string, escapes only what must be (control characters, quote, backslash); bytes that are not
 * UTF-8 become U+FFFD, each. */
void json_quote(struct buf *out, struct slice text);
/* "key": with the comma before it where json_comma puts one. */
void json_key(struct buf *out, const char *key);
/* A member whole: its key as above, and its value. */
void json_put_u64(struct buf *out, const char *key, uint64_t number);
void json_put_text(struct buf *out, const char *key, struct slice text);
/* ISO 8601. */
void json_put_time(struct buf *out, const char *key, int64_t wall_us);
/*
 * A comma, unless a value may stand here already: at the start, after an opening bracket, comma, colon or line break.
 */
void json_comma(struct buf *out);
/* Is this well-formed UTF-8 (no surrogates, no overlong forms)? */
bool json_utf8(struct slice text);

#endif
