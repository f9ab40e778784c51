/* SPDX-License-Identifier: MIT */
/*
 * A recursive-descent check of a whole text, after which walking needs no further checks, and a writer.
 * Depth is bounded by JSON_DEPTH_MAX, so recursion is too. Faults name the byte offset.
 */
#include "base/json.h"

#include "base/clock.h"
#include "base/word.h"

struct scan {
	const char *start;
	const char *at;
	const char *end;
	unsigned depth;
	const char *reason;
};

static bool scan_value(struct scan *scan, struct json_value *value);

static bool
wrong(struct scan *scan, const char *reason)
{
	if (scan->reason == NULL)
		scan->reason = reason;
	return false;
}

static void
skip_blanks(struct scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
		scan->at++;
}

static bool
is_digit(const struct scan *scan)
{
	return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool
scan_digits(struct scan *scan)
{
	if (!is_digit(scan))
		return wrong(scan, "a digit is missing");
	while (is_digit(scan))
		scan->at++;
	return true;
}

static bool
scan_number(struct scan *scan)
{
	if (*scan->at == '-')
		scan->at++;
	if (scan->at < scan->end && *scan->at == '0') {
		scan->at++;
		if (is_digit(scan))
			return wrong(scan, "a number may not begin with 0");
	} else if (!scan_digits(scan)) {
		return false;
	}
	if (scan->at < scan->end && *scan->at == '.') {
		scan->at++;
		if (!scan_digits(scan))
			return false;
	}
	if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
		scan->at++;
		if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
			scan->at++;
		return scan_digits(scan);
	}
	return true;
}

/* Bytes of the well-formed UTF-8 sequence at `at`; 0 when there is none. */
static size_t
utf8_length(const unsigned char *at, size_t left)
{
	unsigned char lead = at[0];
	size_t length = lead < 0x80                   ? 1
			: lead >= 0xc2 && lead < 0xe0 ? 2
			: lead >= 0xe0 && lead < 0xf0 ? 3
			: lead >= 0xf0 && lead < 0xf5 ? 4
						      : 0;

	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) || (lead == 0xf0 && at[1] < 0x90) ||
	    (lead == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits; -1 when they are not. */
static int
hex_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);
		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static bool
scan_unicode(struct scan *scan)
{
	int unit = hex_unit(scan->at, scan->end);

	if (unit < 0)
		return wrong(scan, "\\u wants four hexadecimal digits");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return wrong(scan, "a lone surrogate");
	scan->at += 4;
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
		return wrong(scan, "a lone surrogate");
	unit = hex_unit(scan->at + 2, scan->end);
	if (unit < 0xdc00 || unit > 0xdfff)
		return wrong(scan, "a lone surrogate");
	scan->at += 6;
	return true;
}

static bool
scan_escape(struct scan *scan)
{
	scan->at++;
	if (scan->at == scan->end)
		return wrong(scan, "the string does not end");
	char c = *scan->at++;
	if (c == 'u')
		return scan_unicode(scan);
	if (memchr("\"\\/bfnrt", c, 8) == NULL) {
		scan->at--;
		return wrong(scan, "an unknown escape");
	}
	return true;
}

static bool
scan_string(struct scan *scan)
{
	scan->at++;
	while ((scan->at = word_skip_plain(scan->at, scan->end)) < scan->end) {
		unsigned char c = (unsigned char)*scan->at;
		if (c == '"') {
			scan->at++;
			return true;
		}
		if (c < 0x20)
			return wrong(scan, "a control character in a string");
		if (c == '\\') {
			if (!scan_escape(scan))
				return false;
			continue;
		}
		size_t length = utf8_length((const unsigned char *)scan->at, (size_t)(scan->end - scan->at));
		if (length == 0)
			return wrong(scan, "bytes that are not UTF-8");
		scan->at += length;
	}
	return wrong(scan, "the string does not end");
}

static bool
scan_word(struct scan *scan, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0)
		return wrong(scan, "an unknown word");
	scan->at += size;
	return true;
}

static bool
scan_members(struct scan *scan, char close)
{
	struct json_value ignored;

	scan->at++;
	skip_blanks(scan);
	if (scan->at < scan->end && *scan->at == close) {
		scan->at++;
		return true;
	}
	for (;;) {
		if (close == '}') {
			skip_blanks(scan);
			if (scan->at == scan->end || *scan->at != '"')
				return wrong(scan, "a member's name is missing");
			if (!scan_string(scan))
				return false;
			skip_blanks(scan);
			if (scan->at == scan->end || *scan->at != ':')
				return wrong(scan, "':' is missing");
			scan->at++;
		}
		if (!scan_value(scan, &ignored))
			return false;
		skip_blanks(scan);
		if (scan->at == scan->end)
			return wrong(scan, "the text ends too early");
		if (*scan->at == close) {
			scan->at++;
			return true;
		}
		if (*scan->at != ',')
			return wrong(scan, close == '}' ? "',' or '}' is missing" : "',' or ']' is missing");
		scan->at++;
	}
}

static bool
scan_nested(struct scan *scan, char close)
{
	if (scan->depth == JSON_DEPTH_MAX)
		return wrong(scan, "nested too deeply");
	scan->depth++;
	bool fine = scan_members(scan, close);
	scan->depth--;
	return fine;
}

static bool
scan_by_first(struct scan *scan, struct json_value *value)
{
	switch (*scan->at) {
	case '{':
		value->kind = JSON_OBJECT;
		return scan_nested(scan, '}');
	case '[':
		value->kind = JSON_ARRAY;
		return scan_nested(scan, ']');
	case '"':
		value->kind = JSON_STRING;
		return scan_string(scan);
	case 't':
		value->kind = JSON_TRUE;
		return scan_word(scan, "true");
	case 'f':
		value->kind = JSON_FALSE;
		return scan_word(scan, "false");
	case 'n':
		value->kind = JSON_NULL;
		return scan_word(scan, "null");
	default:
		value->kind = JSON_NUMBER;
		if (*scan->at == '-' || is_digit(scan))
			return scan_number(scan);
		return wrong(scan, "a value is missing");
	}
}

static bool
scan_value(struct scan *scan, struct json_value *value)
{
	skip_blanks(scan);
	if (scan->at == scan->end)
		return wrong(scan, "the text ends too early");
	const char *from = scan->at;
	if (!scan_by_first(scan, value))
		return false;
	value->raw = slice_from(from, (size_t)(scan->at - from));
	return true;
}

int
json_check(struct slice text, struct json_value *value, struct fault *fault)
{
	struct scan scan = { .start = text.data, .at = text.data, .end = text.data + text.size };

	if (text.size != 0 && scan_value(&scan, value)) {
		skip_blanks(&scan);
		if (scan.at == scan.end)
			return 0;
		wrong(&scan, "more after the value");
	}
	return fault_set(fault, FAULT_INPUT, "bad_json", "%s at byte %zu",
			 scan.reason != NULL ? scan.reason : "no value", (size_t)(scan.at - scan.start));
}

void
json_iter(struct json_iter *iter, struct json_value value)
{
	*iter = (struct json_iter){ .object = value.kind == JSON_OBJECT };
	if (value.kind != JSON_OBJECT && value.kind != JSON_ARRAY)
		return;
	iter->at = value.raw.data + 1;
	iter->end = value.raw.data + value.raw.size - 1;
}

bool
json_next(struct json_iter *iter, struct slice *key, struct json_value *item)
{
	struct scan scan = { .start = iter->at, .at = iter->at, .end = iter->end };

	skip_blanks(&scan);
	if (scan.at < scan.end && *scan.at == ',')
		scan.at++;
	skip_blanks(&scan);
	if (scan.at >= scan.end)
		return false;
	*key = SLICE_NONE;
	if (iter->object) {
		const char *from = scan.at;
		if (!scan_string(&scan))
			return false;
		*key = slice_from(from + 1, (size_t)(scan.at - from) - 2);
		skip_blanks(&scan);
		scan.at++;
	}
	if (!scan_value(&scan, item))
		return false;
	iter->at = scan.at;
	return true;
}

bool
json_member(struct json_value object, struct slice key, struct json_value *item)
{
	struct json_iter iter;
	struct slice name;

	if (object.kind != JSON_OBJECT)
		return false;
	json_iter(&iter, object);
	while (json_next(&iter, &name, item))
		if (slice_equal(name, key))
			return true;
	return false;
}

static void
put_utf8(struct buf *out, unsigned code)
{
	if (code < 0x80) {
		buf_byte(out, (char)code);
	} else if (code < 0x800) {
		buf_byte(out, (char)(0xc0 | code >> 6));
		buf_byte(out, (char)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		buf_byte(out, (char)(0xe0 | code >> 12));
		buf_byte(out, (char)(0x80 | (code >> 6 & 0x3f)));
		buf_byte(out, (char)(0x80 | (code & 0x3f)));
	} else {
		buf_byte(out, (char)(0xf0 | code >> 18));
		buf_byte(out, (char)(0x80 | (code >> 12 & 0x3f)));
		buf_byte(out, (char)(0x80 | (code >> 6 & 0x3f)));
		buf_byte(out, (char)(0x80 | (code & 0x3f)));
	}
}

static const char *
decode_escape(const char *at, const char *end, struct buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	if (*at != 'u') {
		buf_byte(out, to[(const char *)memchr(from, *at, 8) - from]);
		return at + 1;
	}
	unsigned code = (unsigned)hex_unit(at + 1, end);
	at += 5;
	if (code >= 0xd800 && code <= 0xdbff) {
		code = 0x10000 + ((code - 0xd800) << 10) + ((unsigned)hex_unit(at + 2, end) - 0xdc00);
		at += 6;
	}
	put_utf8(out, code);
	return at;
}

void
json_decode(struct json_value string, struct buf *out)
{
	if (string.kind != JSON_STRING)
		return;
	const char *at = string.raw.data + 1, *end = string.raw.data + string.raw.size - 1;
	while (at < end) {
		const char *escape = memchr(at, '\\', (size_t)(end - at));
		const char *stop = escape != NULL ? escape : end;
		buf_add(out, slice_from(at, (size_t)(stop - at)));
		at = escape != NULL ? decode_escape(escape + 1, end, out) : end;
	}
}

bool
json_to_i64(struct json_value number, int64_t *integer)
{
	return number.kind == JSON_NUMBER && slice_to_i64(number.raw, integer);
}

bool
json_to_u64(struct json_value number, uint64_t *integer)
{
	return number.kind == JSON_NUMBER && slice_to_u64(number.raw, integer);
}

static void
quote_byte(struct buf *out, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = memchr(from, c, 7);

	buf_byte(out, '\\');
	if (found != NULL) {
		buf_byte(out, to[found - from]);
	} else {
		buf_text(out, "u00");
		buf_hex(out, &c, 1);
	}
}

/* At the end when there is nothing more to look at. */
static size_t
skip_plain(struct slice text, size_t from)
{
	if (from >= text.size)
		return text.size;
	return (size_t)(word_skip_plain(text.data + from, text.data + text.size) - text.data);
}

void
json_quote(struct buf *out, struct slice text)
{
	size_t from = 0;

	buf_byte(out, '"');
	for (size_t i = skip_plain(text, 0); i < text.size; i = skip_plain(text, i + 1)) {
		unsigned char c = (unsigned char)text.data[i];
		size_t length = c < 0x80 ? 1 : utf8_length((const unsigned char *)text.data + i, text.size - i);

		if (c >= 0x80 && length != 0) {
			i += length - 1;
			continue;
		}
		buf_add(out, slice_from(text.data + from, i - from));
		if (length == 0)
			buf_text(out, "\xef\xbf\xbd");
		else
			quote_byte(out, c);
		from = i + 1;
	}
	if (from < text.size)
		buf_add(out, slice_from(text.data + from, text.size - from));
	buf_byte(out, '"');
}

void
json_comma(struct buf *out)
{
	char last = out->size != 0 ? out->data[out->size - 1] : '{';

	if (last != '{' && last != '[' && last != ',' && last != ':' && last != '\n')
		buf_byte(out, ',');
}

void
json_key(struct buf *out, const char *key)
{
	json_comma(out);
	json_quote(out, slice_text(key));
	buf_byte(out, ':');
}

void
json_put_u64(struct buf *out, const char *key, uint64_t number)
{
	json_key(out, key);
	buf_u64(out, number);
}

void
json_put_text(struct buf *out, const char *key, struct slice text)
{
	json_key(out, key);
	json_quote(out, text);
}

void
json_put_time(struct buf *out, const char *key, int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(wall_us, text);
	json_put_text(out, key, slice_text(text));
}

bool
json_utf8(struct slice text)
{
	for (size_t at = 0; at < text.size;) {
		unsigned char c = (unsigned char)text.data[at];
		size_t length = c < 0x80 ? 1 : utf8_length((const unsigned char *)text.data + at, text.size - at);

		if (length == 0)
			return false;
		at += length;
	}
	return true;
}
