/* SPDX-License-Identifier: MIT */
/* The reading half of the codec in pieces, for json_read.c and schema_read.c. All inside vm_protect. */
#ifndef MOONLOG_SCRIPT_LUA_JSON_READER_H
#define MOONLOG_SCRIPT_LUA_JSON_READER_H

#include "script/lua/json.h"

struct json_names;

struct json_reader {
	lua_State *L;
	const char *start;
	const char *at;
	const char *end;
	struct json_limits limits; /* no zeros */
	uint32_t depth;
	struct json_names *names; /* NULL: names are made anew */
	int names_index;
	/* Set with the first failure, after which every function gives false. */
	const char *error; /* a reason without place */
	const char *error_at;
	bool over_limit;
};

void json_reader_init(struct json_reader *reader, lua_State *L, struct slice text, const struct json_limits *limits);
bool json_reader_fail(struct json_reader *reader, const char *at, const char *reason);
bool json_reader_fail_limit(struct json_reader *reader, const char *at, const char *reason);
/* Turns the reader's failure into a fault. Gives -1. */
int json_reader_fault(const struct json_reader *reader, struct fault *fault);

static inline void
json_reader_space(struct json_reader *reader)
{
	while (reader->at < reader->end &&
	       (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t'))
		reader->at++;
}

/* Any value: pushed. */
bool json_reader_value(struct json_reader *reader);
/* After the opening quote: pushes the text, goes behind the closing quote. *raw (may be NULL): the bytes between. */
bool json_reader_string(struct json_reader *reader, struct slice *raw);
/* The same for a member's name, which may be one of those read lately. *raw holds no escape unless `escaped`. */
bool json_reader_name(struct json_reader *reader, struct slice *raw, bool *escaped);
/* Makes the place for a state's names; pushes it, for the reader's use until it is popped. */
void json_names_open(lua_State *L);
void json_names_push(struct json_reader *reader);
/* The bytes of a number, checked for form; `integral` when without point and exponent. */
bool json_reader_number(struct json_reader *reader, struct slice *raw, bool *integral);
/* Value of such bytes. false when it does not fit. */
bool json_number_integer(struct slice raw, int64_t *integer);
bool json_number_float(struct slice raw, double *number);
/* `true`, `false`, `null` */
bool json_reader_word(struct json_reader *reader, const char *word, size_t size);
/* After a value: the end of the text. */
bool json_reader_end(struct json_reader *reader);

/*
 * One step inside an object or array, whose opening bracket was passed. json_reader_open checks the depth; `more` gives
 * false at the closing bracket or on failure (then reader->error is set).
 */
bool json_reader_open(struct json_reader *reader);
bool json_reader_more(struct json_reader *reader, char closing, bool *first);
bool json_reader_colon(struct json_reader *reader);

#endif
