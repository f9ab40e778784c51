/* SPDX-License-Identifier: MIT */
/* What can be read from a file's text alone: names that are nothing, modules that are not used, events of no type. */
#ifndef MOONLOG_SCRIPT_LUA_LINT_H
#define MOONLOG_SCRIPT_LUA_LINT_H

#include "script/lua/check.h"

/* ---- lint_tokens.c ---- */

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_WORD, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SYMBOL };

struct token {
	enum token_kind kind; /* WORD: reserved */
	struct slice text;    /* of a string: between its quotes, as written */
	int line;
	size_t at; /* offset of its first byte */
};

struct tokens {
	struct slice source;
	size_t at;
	int line;
};

/* Of text that Lua compiles; of other text it gives some tokens, too. */
struct token token_next(struct tokens *tokens);
bool token_is(const struct token *token, const char *text);
/* Adds a finding at the token, with its line and a caret. */
void token_tell(struct findings *findings, const struct source_file *file, const struct token *token,
		enum finding_severity severity, const char *code, const char *text);

/* ---- lint.c ---- */

/* Names that may be used; the nearest is suggested for one that may not. */
struct lint {
	struct findings *findings;
	const struct source_file *source;
	/* Is a type of event declared somewhere? NULL: not known. A hint is written to `hint`. */
	bool (*type_known)(void *self, struct slice type, char *hint, size_t size);
	/* The same of "aggregate.Command", which actions name. */
	bool (*command_known)(void *self, struct slice command, char *hint, size_t size);
	/* Tables of the domain's read models, and what is called on one. */
	bool (*table_known)(void *self, struct slice table, char *hint, size_t size);
	bool (*method_known)(void *self, struct slice method, char *hint, size_t size);
	/* Each function with the lines of its first and last word, after its statements; each statement's line. */
	void (*function)(void *self, int first, int last);
	void (*statement)(void *self, int line);
	void *self;
};

/* The file must compile. */
void lint_file(const struct lint *lint);

#endif
