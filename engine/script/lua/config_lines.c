/* SPDX-License-Identifier: MIT */
/*
 * Finds the line of a key by reading the chunk's tokens: braces open and close levels, and `name =` or `["name"] =`
 * inside one names a member of it. It needs no grammar: what it cannot follow (tables built by code) has no line, and
 * the message then names the file alone.
 */
#include "script/lua/config_lines.h"

#include <ctype.h>

#define LEVEL_MAX      8
#define PATH_MAX_BYTES 256

enum token { TOKEN_END, TOKEN_WORD, TOKEN_TEXT, TOKEN_MARK };

struct reader {
	const char *at;
	const char *end;
	int line;
	struct slice word; /* of WORD and TEXT */
	char mark;
};

struct walk {
	struct slice levels[LEVEL_MAX]; /* the key each open brace stands behind */
	size_t depth;                   /* may pass LEVEL_MAX; deeper levels have no keys */
	struct slice pending;           /* a word that `=` may turn into a key */
	int pending_line;
	struct slice key; /* set by `=`: the next brace belongs to it */
};

/* At "[": the level of a long bracket ("[[" is 0, "[=[" 1), or -1. */
static int
long_bracket(const struct reader *reader)
{
	const char *at = reader->at + 1;
	int level = 0;

	while (at < reader->end && *at == '=') {
		at++;
		level++;
	}
	return at < reader->end && *at == '[' ? level : -1;
}

static void
skip_long(struct reader *reader, int level)
{
	reader->at += level + 2;
	for (; reader->at < reader->end; reader->at++) {
		if (*reader->at == '\n')
			reader->line++;
		if (*reader->at != ']')
			continue;
		const char *at = reader->at + 1;
		int equals = 0;
		while (at < reader->end && *at == '=') {
			at++;
			equals++;
		}
		if (equals == level && at < reader->end && *at == ']') {
			reader->at = at + 1;
			return;
		}
	}
}

static void
skip_comment(struct reader *reader)
{
	reader->at += 2;
	if (reader->at < reader->end && *reader->at == '[') {
		int level = long_bracket(reader);
		if (level >= 0) {
			skip_long(reader, level);
			return;
		}
	}
	while (reader->at < reader->end && *reader->at != '\n')
		reader->at++;
}

static void
skip_space(struct reader *reader)
{
	while (reader->at < reader->end) {
		if (*reader->at == '\n')
			reader->line++;
		if (isspace((unsigned char)*reader->at))
			reader->at++;
		else if (reader->end - reader->at >= 2 && reader->at[0] == '-' && reader->at[1] == '-')
			skip_comment(reader);
		else
			return;
	}
}

static enum token
read_quoted(struct reader *reader)
{
	char quote = *reader->at++;
	const char *start = reader->at;

	while (reader->at < reader->end && *reader->at != quote && *reader->at != '\n') {
		if (*reader->at == '\\' && reader->at + 1 < reader->end)
			reader->at++;
		reader->at++;
	}
	reader->word = slice_from(start, (size_t)(reader->at - start));
	if (reader->at < reader->end)
		reader->at++;
	return TOKEN_TEXT;
}

static enum token
read_token(struct reader *reader)
{
	skip_space(reader);
	if (reader->at >= reader->end)
		return TOKEN_END;
	char c = *reader->at;
	if (c == '"' || c == '\'')
		return read_quoted(reader);
	if (c == '[' && long_bracket(reader) >= 0) {
		reader->word = SLICE_NONE;
		skip_long(reader, long_bracket(reader));
		return TOKEN_TEXT;
	}
	if (isalnum((unsigned char)c) || c == '_') {
		const char *start = reader->at;
		while (reader->at < reader->end && (isalnum((unsigned char)*reader->at) || *reader->at == '_'))
			reader->at++;
		reader->word = slice_from(start, (size_t)(reader->at - start));
		return TOKEN_WORD;
	}
	reader->at++;
	/* Comparisons are one mark of no meaning here, so that only a lone "=" reads as one. */
	bool pair = strchr("=~<>", c) != NULL && reader->at < reader->end && *reader->at == '=';
	reader->mark = pair ? '?' : c;
	if (pair)
		reader->at++;
	return TOKEN_MARK;
}

static bool
path_is(const struct walk *walk, struct slice last, struct slice wanted)
{
	char path[PATH_MAX_BYTES];
	size_t size = 0;

	if (walk->depth == 0 || walk->depth > LEVEL_MAX)
		return false;
	for (size_t i = 1; i <= walk->depth; i++) {
		struct slice part = i < walk->depth ? walk->levels[i] : last;
		if (part.size == 0 || size + part.size + 1 >= sizeof(path))
			return false;
		if (size != 0)
			path[size++] = '.';
		memcpy(path + size, part.data, part.size);
		size += part.size;
	}
	return slice_equal(slice_from(path, size), wanted);
}

/* true when this mark made `wanted` a key. */
static bool
take_mark(struct walk *walk, const struct reader *reader, struct slice wanted)
{
	switch (reader->mark) {
	case '=':
		walk->key = walk->pending;
		if (walk->pending.size != 0 && path_is(walk, walk->pending, wanted))
			return true;
		walk->pending = SLICE_NONE;
		break;
	case '{':
		if (walk->depth < LEVEL_MAX)
			walk->levels[walk->depth] = walk->key;
		walk->depth++;
		walk->key = walk->pending = SLICE_NONE;
		break;
	case '}':
		walk->depth -= walk->depth > 0;
		walk->key = walk->pending = SLICE_NONE;
		break;
	case '[':
	case ']':
		break; /* ["name"]: the text between stays pending */
	default:
		walk->key = walk->pending = SLICE_NONE;
	}
	return false;
}

int
config_line_of(struct slice source, struct slice key)
{
	struct reader reader = { .at = source.data, .end = source.data + source.size, .line = 1 };
	struct walk walk = { .depth = 0 };
	enum token token;

	while ((token = read_token(&reader)) != TOKEN_END) {
		if (token == TOKEN_MARK) {
			if (take_mark(&walk, &reader, key))
				return walk.pending_line;
			continue;
		}
		walk.pending = reader.word;
		walk.pending_line = reader.line;
	}
	return 0;
}
