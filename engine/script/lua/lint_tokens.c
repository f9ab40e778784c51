/* SPDX-License-Identifier: MIT */
/* Lua's tokens, comments left out. */
#include <string.h>

#include "base/buf.h"
#include "script/lua/lint.h"
#include "script/lua/vm.h"

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
peek(const struct tokens *tokens, size_t ahead)
{
	size_t at = tokens->at + ahead;
	return at < tokens->source.size ? tokens->source.data[at] : '\0';
}

static void
step(struct tokens *tokens, size_t count)
{
	for (; count > 0 && tokens->at < tokens->source.size; count--)
		tokens->line += tokens->source.data[tokens->at++] == '\n';
}

/* At "[==[": the number of equals signs + 1; 0 when no long text begins here. */
static size_t
long_level(const struct tokens *tokens)
{
	size_t equals = 0;
	if (peek(tokens, 0) != '[')
		return 0;
	while (peek(tokens, 1 + equals) == '=')
		equals++;
	return peek(tokens, 1 + equals) == '[' ? equals + 1 : 0;
}

static struct slice
long_text(struct tokens *tokens, size_t level)
{
	step(tokens, level + 1);
	size_t start = tokens->at;
	while (tokens->at < tokens->source.size) {
		size_t equals = 0;
		while (peek(tokens, 0) == ']' && peek(tokens, 1 + equals) == '=')
			equals++;
		if (peek(tokens, 0) == ']' && equals + 1 == level && peek(tokens, 1 + equals) == ']')
			break;
		step(tokens, 1);
	}
	struct slice text = slice_from(tokens->source.data + start, tokens->at - start);
	step(tokens, level + 1);
	return text;
}

static struct slice
short_text(struct tokens *tokens)
{
	char quote = peek(tokens, 0);
	step(tokens, 1);
	size_t start = tokens->at;
	while (tokens->at < tokens->source.size && peek(tokens, 0) != quote)
		step(tokens, peek(tokens, 0) == '\\' ? 2 : 1);
	struct slice text = slice_from(tokens->source.data + start, tokens->at - start);
	step(tokens, 1);
	return text;
}

static void
skip_blank(struct tokens *tokens)
{
	for (;;) {
		char c = peek(tokens, 0);
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
			step(tokens, 1);
		} else if (c == '-' && peek(tokens, 1) == '-') {
			step(tokens, 2);
			size_t level = long_level(tokens);
			if (level > 0)
				long_text(tokens, level);
			while (level == 0 && tokens->at < tokens->source.size && peek(tokens, 0) != '\n')
				step(tokens, 1);
		} else {
			return;
		}
	}
}

static bool
reserved(struct slice text)
{
	static const char *const words[] = { "and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
					     "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
					     "repeat",   "return", "then", "true", "until",  "while" };
	for (size_t i = 0; i < countof(words); i++)
		if (slice_equal(text, slice_text(words[i])))
			return true;
	return false;
}

static size_t
symbol_size(const struct tokens *tokens)
{
	static const char *const long_ones[] = { "...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>" };
	for (size_t i = 0; i < countof(long_ones); i++) {
		size_t size = strlen(long_ones[i]);
		if (tokens->source.size - tokens->at >= size &&
		    memcmp(tokens->source.data + tokens->at, long_ones[i], size) == 0)
			return size;
	}
	return 1;
}

static size_t
number_size(const struct tokens *tokens)
{
	size_t size = 0;
	char c = peek(tokens, 0);
	while (digit(c) || letter(c) || c == '.' ||
	       ((c == '+' || c == '-') && size > 0 && strchr("eEpP", peek(tokens, size - 1)) != NULL))
		c = peek(tokens, ++size);
	return size;
}

struct token
token_next(struct tokens *tokens)
{
	skip_blank(tokens);
	struct token token = { .line = tokens->line, .at = tokens->at };
	char c = peek(tokens, 0);
	size_t level = long_level(tokens), size = 0;
	if (tokens->at >= tokens->source.size)
		return token;
	if (level > 0 || c == '"' || c == '\'') {
		token.kind = TOKEN_STRING;
		token.text = level > 0 ? long_text(tokens, level) : short_text(tokens);
		return token;
	}
	if (letter(c)) {
		while (letter(peek(tokens, size)) || digit(peek(tokens, size)))
			size++;
		token.kind = TOKEN_NAME;
	} else if (digit(c) || (c == '.' && digit(peek(tokens, 1)))) {
		size = number_size(tokens);
		token.kind = TOKEN_NUMBER;
	} else {
		size = symbol_size(tokens);
		token.kind = TOKEN_SYMBOL;
	}
	token.text = slice_from(tokens->source.data + tokens->at, size);
	step(tokens, size);
	if (token.kind == TOKEN_NAME && reserved(token.text))
		token.kind = TOKEN_WORD;
	return token;
}

bool
token_is(const struct token *token, const char *text)
{
	return (token->kind == TOKEN_WORD || token->kind == TOKEN_SYMBOL || token->kind == TOKEN_NAME) &&
	       slice_equal(token->text, slice_text(text));
}

void
token_tell(struct findings *findings, const struct source_file *file, const struct token *token,
	   enum finding_severity severity, const char *code, const char *text)
{
	struct slice source = file->bytes;
	size_t start = token->at;
	char excerpt[512];
	while (start > 0 && source.data[start - 1] != '\n')
		start--;
	vm_excerpt(source, token->line, "", token->at - start, excerpt, sizeof excerpt);
	findings_add(findings, &(struct finding){ .severity = severity,
						  .code = code,
						  .file = file->path,
						  .line = token->line,
						  .text = slice_text(text),
						  .excerpt = slice_text(excerpt) });
}
