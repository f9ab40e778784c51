/* SPDX-License-Identifier: MIT */
/* The grammar of stream names, and what an expectation means. */
#include "model/stream.h"

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
stream_word_ok(struct slice word)
{
	if (word.size == 0 || word.size > STREAM_WORD_MAX || !is_lower(word.data[0]))
		return false;
	for (size_t i = 1; i < word.size; i++)
		if (!is_lower(word.data[i]) && !is_digit(word.data[i]) && word.data[i] != '_')
			return false;
	return true;
}

bool
stream_id_ok(struct slice id)
{
	if (id.size == 0 || id.size > STREAM_ID_MAX)
		return false;
	for (size_t i = 0; i < id.size; i++) {
		char c = id.data[i];
		if (!is_lower(c) && !is_digit(c) && !(c >= 'A' && c <= 'Z') &&
		    (c == '\0' || strchr("._~:@-", c) == NULL))
			return false;
	}
	return true;
}

int
stream_parse(struct slice text, struct stream_name *name, struct fault *fault)
{
	const char *slash = text.size != 0 ? memchr(text.data, '/', text.size) : NULL;
	const char *dot = slash != NULL ? memchr(text.data, '.', (size_t)(slash - text.data)) : NULL;

	if (dot == NULL)
		return fault_set(fault, FAULT_INPUT, "bad_stream_name", "\"%.*s\": a stream is domain.aggregate/id",
				 (int)(text.size < 100 ? text.size : 100), text.data != NULL ? text.data : "");
	name->whole = text;
	name->domain = slice_from(text.data, (size_t)(dot - text.data));
	name->aggregate = slice_from(dot + 1, (size_t)(slash - dot) - 1);
	name->id = slice_from(slash + 1, text.size - (size_t)(slash - text.data) - 1);
	if (!stream_word_ok(name->domain) || !stream_word_ok(name->aggregate))
		return fault_set(fault, FAULT_INPUT, "bad_stream_name",
				 "\"%.*s\": domain and aggregate are lower-case words of at most %d characters",
				 (int)(text.size < 100 ? text.size : 100), text.data, STREAM_WORD_MAX);
	if (!stream_id_ok(name->id))
		return fault_set(fault, FAULT_INPUT, "bad_stream_name",
				 "\"%.*s\": an id is 1 to %d of A-Z a-z 0-9 . _ ~ : @ -",
				 (int)(text.size < 100 ? text.size : 100), text.data, STREAM_ID_MAX);
	return 0;
}

bool
expected_holds(struct expected expected, stream_version actual)
{
	switch (expected.kind) {
	case EXPECTED_ANY:
		return true;
	case EXPECTED_NO_STREAM:
		return actual == 0;
	case EXPECTED_EXISTS:
		return actual != 0;
	case EXPECTED_EXACTLY:
		return actual == expected.version;
	}
	return false;
}
