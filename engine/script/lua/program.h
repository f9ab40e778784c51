/* SPDX-License-Identifier: MIT */
/*
 * A domain as C values: what the checks of load time made of the authors' tables. Immutable after moon_load,
 * shared by all machines; everything lives in the program's arena. Handlers are numbers (from 1; 0 = none):
 * each machine holds the function of a number in its own state, found there by the handler's path in its
 * file's table.
 */
#ifndef MOONLOG_SCRIPT_LUA_PROGRAM_H
#define MOONLOG_SCRIPT_LUA_PROGRAM_H

#include "script/lua/schema.h"
#include "script/script.h"

#define PROGRAM_SOURCES_MAX 512
#define PROGRAM_PATH_MAX    5
#define MOON_PROCESS        "_process" /* field of a process's state that the engine keeps */

/* One step from a table to a value in it: by name, or by index where the name is empty. */
struct moon_step {
	struct slice name;
	int64_t index;
};

struct moon_handler {
	uint16_t source;
	uint16_t depth;
	struct moon_step path[PROGRAM_PATH_MAX];
	int line; /* where the function begins */
	int home; /* the file of its text; -1: not known */
};

/* Events that the engine makes: the whole state of a document, and what it keeps of a process. */
enum moon_own { OWN_NONE, OWN_SAVED, OWN_STARTED, OWN_COMPLETED, OWN_PUSHED, OWN_UNDONE };

struct moon_event {
	const struct schema *data;
	enum moon_own own; /* then there is no apply */
	uint32_t apply;
	uint32_t map;           /* publish.map */
	const uint32_t *upcast; /* [v]: what becomes of version v; below the newest, retired: up to it; may be NULL */
};

struct moon_command {
	const struct schema *data;
	const struct schema *reply; /* may be NULL */
	uint32_t handle;
};

struct moon_timer {
	struct slice name;
	uint32_t handle;  /* of a process */
	uint16_t command; /* of an aggregate */
};

struct moon_aggregate {
	const struct moon_event *events; /* as in the door's struct, same order, the retired ones after the others */
	const struct moon_command *commands;
	const uint16_t *slots; /* open hash of event names: index + 1, 0 = empty */
	uint32_t slot_mask;
	const struct moon_timer *timers;
	size_t timer_count;
	uint32_t initial;
	uint16_t source;
};

/* What a reactor does about one type of message, or kind of event. */
struct moon_heard {
	uint32_t handle;
	const struct schema *data; /* of a message; may be NULL */
	bool starts;               /* a process */
	uint32_t correlate;        /* function; 0: `field` */
	struct slice field;        /* of data, or of meta */
	bool of_meta;
};

struct moon_reactor {
	const struct moon_heard *messages; /* as in the door's struct */
	const struct moon_heard *own;      /* events of the domain */
	const uint32_t *const *events;     /* [aggregate][event]: index into `own` + 1; a row may be NULL */
	uint16_t source;
};

struct moon_projection {
	const uint32_t *const *handlers; /* [aggregate][event]; a row is NULL when it handles none of the aggregate's */
	const uint32_t *messages;        /* handlers, as in the door's struct */
	uint16_t source;
};

struct moon_query {
	const struct schema *params;
	const struct schema *returns; /* may be NULL */
	uint32_t run;
};

struct moon_route {
	const struct schema *returns; /* may be NULL */
	uint32_t reply;
};

/* Beside the door's struct table: how rows leave. */
struct moon_table {
	const uint16_t *sorted; /* column numbers in bytewise order of their names */
	const uint16_t
		*currency_column; /* by column, for money: column number + 1 that names the currency; 0 = the setting */
};

struct findings;

struct moon_program {
	struct script_program door;
	struct arena arena;
	struct source_set sources;     /* a copy */
	const bool *needs;             /* [a * sources.count + b]: file a requires file b, directly */
	struct moon_handler *handlers; /* [1..handler_count] */
	size_t handler_count;
	const struct moon_aggregate *aggregates;
	const struct moon_projection *projections;
	const struct moon_reactor *reactors;
	const struct moon_query *queries;
	const struct moon_route *routes;
	const struct moon_table *tables;
	struct findings *findings; /* while it is checked (check.h); NULL: the first finding ends loading */
	struct slice currency;     /* settings.currency; empty when not set */
	struct slice title;
	struct slice description;
};

/* Index of an event by its type; -1 when the aggregate has none of the name, or only a retired one. */
int moon_event_find(const struct moon_program *program, uint16_t aggregate, struct slice type);
/* The same, retired ones too. */
int moon_type_find(const struct moon_program *program, uint16_t aggregate, struct slice type);
bool moon_topic_ok(struct slice topic);
/* A timer of an aggregate or a process; NULL when it has none of the name. */
const struct moon_timer *moon_timer_find(const struct moon_aggregate *aggregate, struct slice name);
/* The file with this path; -1 when there is none. */
int moon_source_find(const struct source_set *sources, struct slice path);

#endif
