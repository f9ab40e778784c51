/* SPDX-License-Identifier: MIT */
/*
 * Load-time checks: from the authors' tables to the program's C values. A struct inspection knows the file and
 * the way into its table, so that every finding names "file:line: path: reason". All functions run inside
 * moon_protect and raise.
 */
#ifndef MOONLOG_SCRIPT_LUA_INSPECT_H
#define MOONLOG_SCRIPT_LUA_INSPECT_H

#include "script/lua/check.h"
#include "script/lua/machine.h"

struct inspection {
	lua_State *L;
	struct moon_machine *machine; /* the scratch state in which the files have run */
	struct moon_program *program;
	struct arena *arena;
	uint16_t source;
	unsigned depth;
	struct moon_step path[PROGRAM_PATH_MAX];
	size_t handler_room;
	const char *code; /* of the finding being raised */
	bool unknown;     /* the table at hand has a field that is unknown */
	bool missing;     /* gathering: names may be unknown only because what declares them is broken */
	/* being built */
	struct script_aggregate *aggregates;
	struct moon_aggregate *aggregate_rules;
	size_t aggregate_count;
	struct script_projection *projections;
	struct moon_projection *projection_rules;
	size_t projection_count;
	struct table *tables;
	struct moon_table *table_rules;
	size_t table_count;
	struct script_reactor *reactors;
	struct moon_reactor *reactor_rules;
	size_t reactor_count;
	struct script_query *queries;
	struct moon_query *query_rules;
	size_t query_count;
	struct script_route *routes;
	struct moon_route *route_rules;
	size_t route_count;
};

/* ---- inspect.c ---- */

/* Raises; the line is where `word` (may be NULL) stands after the words of the path. */
_Noreturn void inspect_fail(struct inspection *in, const char *word, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same under a code of its own ("unknown_field"); inspect_fail's is "bad_rules". */
_Noreturn void inspect_fail_as(struct inspection *in, const char *code, const char *word, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Raises that a name stands for nothing; not told where that may follow from another finding. */
_Noreturn void inspect_absent(struct inspection *in, const char *code, const char *word, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * Runs with(in, self), the value on top of the stack on top again. Where findings are gathered, what it raises is
 * noted, true says that there was something, and the checks go on; else it raises.
 */
bool inspect_try(struct inspection *in, void (*with)(struct inspection *in, void *self), void *self);
/* Notes a finding that ends nothing; only where findings are gathered. */
void inspect_note(struct inspection *in, enum finding_severity severity, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Notes a file that is no part of the domain itself and that no other one requires. */
void inspect_unused(struct inspection *in);
/* Are findings gathered? */
static inline bool
inspect_gathers(const struct inspection *in)
{
	return in->program->findings != NULL;
}
void inspect_enter(struct inspection *in, struct slice name);
void inspect_enter_index(struct inspection *in, int64_t index);
void inspect_leave(struct inspection *in);
/* Refuses fields of the table on top beside the named ones (NULL-ended). */
void inspect_fields(struct inspection *in, const char *const *names);
/* Raises that the table on top, `what` by its field `word`, lacks a field: it may have it under a name near to it. */
_Noreturn void inspect_lacks(struct inspection *in, const char *word, const char *what, const char *field);
/* The table on top: its keys, all of them texts, copied and in bytewise order. */
struct slice *inspect_keys(struct inspection *in, size_t *count);
/*
 * Pushes the field of the table on top. With `type` other than LUA_TNONE, nil and that type alone pass. Gives
 * the type.
 */
int inspect_push(struct inspection *in, const char *field, int type);
/* A text field of the table on top, copied; SLICE_NONE when absent. */
struct slice inspect_text(struct inspection *in, const char *field);
bool inspect_flag(struct inspection *in, const char *field);
int64_t inspect_integer(struct inspection *in, const char *field, int64_t least, int64_t most, int64_t otherwise);
/* The function in a field of the table on top, as a handler's number; 0 when absent and not needed. */
uint32_t inspect_handler(struct inspection *in, const char *field, bool needed);
/* The schema in a field of the table on top: always an object's fields, or any schema (a table of fields too). */
const struct schema *inspect_fields_schema(struct inspection *in, const char *field);
const struct schema *inspect_any_schema(struct inspection *in, const char *field);
/* The list of texts in a field of the table on top; none where it is nil. */
const struct slice *inspect_texts(struct inspection *in, const char *field, size_t most, size_t *count);
/* `topics` of the table on top. */
const struct slice *inspect_topics(struct inspection *in, size_t *count);
/* A name of ours: letters, digits and _, a letter first, at most `most` characters. */
bool inspect_name_ok(struct slice name, size_t most);
struct slice inspect_keep(struct inspection *in, struct slice text);
void *inspect_alloc(struct inspection *in, size_t count, size_t size);

/* ---- one kind of file each, the file's table on top ---- */

void inspect_aggregate(struct inspection *in);
void inspect_document(struct inspection *in);
/* The state and events of a process manager; inspect_reactor checks the rest of its file. */
void inspect_process(struct inspection *in);
void inspect_reactor(struct inspection *in);
/* `timers` of an aggregate (commands) or a process (functions). */
void inspect_timers(struct inspection *in, void *rules);
void inspect_tables(struct inspection *in);
void inspect_projection(struct inspection *in);
void inspect_unhandled(struct inspection *in);
void inspect_queries(struct inspection *in);
void inspect_routes(struct inspection *in);
void inspect_settings(struct inspection *in);
/* Fields and columns that handlers name and that there are not; only where findings are gathered. */
void inspect_data(struct inspection *in);

/* ---- names of events of the domain, inspect_projection.c ---- */

struct inspect_reach {
	uint32_t **numbers; /* [aggregate][event]; rows are made as they are needed */
	uint32_t number;    /* to write there */
	const char *what;   /* that follows them: "a projection" */
	bool found;
};

/* "Event", "aggregate.Event" or "domain.aggregate.Event"; raises where there is none. */
void inspect_event_name(struct inspection *in, struct slice key, struct inspect_reach *reach);

#endif
