/* SPDX-License-Identifier: MIT */
/*
 * The script's door: a domain's sources become a program, a program runs in one machine a thread, and every
 * call into author's code goes through one protected entry. Handlers decide and return; nothing they do has an
 * effect by itself, so any of them can be stopped at any instant. Lua values never leave the room behind this
 * door.
 *
 * Threads: script_load by one thread at a time; a program is immutable and shared; a machine belongs to one thread.
 */
#ifndef MOONLOG_SCRIPT_SCRIPT_H
#define MOONLOG_SCRIPT_SCRIPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/fault.h"
#include "model/entry.h"
#include "model/table.h"
#include "script/decision.h"
#include "script/options.h"
#include "script/pieces.h"

/* One file, read whole: never read again, so half-written files and later edits cannot matter. */
struct source_file {
	struct slice path; /* relative to the domain's folder, '/' between: "account.lua", "lib/text.lua" */
	struct slice bytes;
	struct digest hash;
};

struct source_set {
	struct slice domain;             /* the folder's name, a stream word */
	const struct source_file *items; /* in bytewise order of path */
	size_t count;
	struct digest hash; /* of paths and hashes */
};

/* Where and why author's code failed, for a person. Slices borrow from the machine or program until its next call. */
struct script_trouble {
	struct slice file; /* relative; empty when unknown */
	int line;          /* 0 when unknown */
	struct slice message;
	struct slice excerpt;   /* the source line, a caret line below it */
	struct slice traceback; /* "file:line" lines */
};

/* ---- what a program is: read-only, lives as long as the program ---- */

struct script_event {
	struct slice name;
	uint32_t version;     /* of its schema, the newest */
	struct slice topic;   /* empty: not published */
	bool has_publish_map; /* `publish` maps it to messages */
};

struct script_command {
	struct slice name;
	bool creates; /* wants the stream to be absent; every other command wants it to exist, unless `anywhere` */
	bool anywhere;
	struct slice summary;
};

struct script_aggregate {
	struct slice name;
	uint32_t state_version;
	uint32_t snapshot_every, snapshot_seconds; /* 0: as the engine has it; UINT32_MAX events: none */
	/* today's, then retired ones: only recorded, upcasters make others of them; `version`: newest recorded */
	const struct script_event *events;
	size_t event_count;
	size_t retired_count;
	const struct script_command *commands;
	size_t command_count;
	struct digest fold_hash; /* of the modules its fold depends on */
	bool meta_matters;       /* apply reads meta.id, position or time: fold again after the commit */
	/* Current state without event sourcing: each event is its whole state, so the newest alone is folded. */
	bool document;
	bool process; /* state and events of a process manager: no commands */
};

struct script_projection {
	struct slice name;
	const uint16_t *tables; /* into the program's tables */
	size_t table_count;
	const struct slice *events; /* "aggregate.Event" or "Event" as written */
	size_t event_count;
	const struct slice *topics; /* fed by these instead of the log: script_project_messages; no events then */
	size_t topic_count;
	const struct slice *messages; /* types it handles, as written: script_message_heard */
	size_t message_count;
	struct digest hash;        /* of what its rows depend on */
	bool by_stream;            /* all its tables have a stream_column; no handler touches another stream's rows */
	uint16_t stream_aggregate; /* of all its events, when by_stream */
};

struct script_query {
	struct slice name;
	struct slice summary;
};

enum script_target { TARGET_COMMAND, TARGET_QUERY, TARGET_STATE, TARGET_HISTORY, TARGET_HEALTH, TARGET_TEXT };

struct script_route {
	struct slice method; /* "GET", "POST", "PUT", "DELETE", "PATCH" */
	struct slice path;   /* "/api/accounts/{id}/deposit" */
	enum script_target target;
	uint16_t aggregate; /* COMMAND, STATE, HISTORY */
	uint16_t command;
	uint16_t query;
	uint16_t status;       /* of a success: 200, 201 ... */
	struct slice id_param; /* path parameter that is the stream's id; empty: `id_field`, else a new id is made */
	struct slice id_field; /* member of the body that is the stream's id, where the path has none; may be empty */
	struct slice location; /* pattern for the Location header of a 201, "{id}" replaced; may be empty */
	struct slice text;     /* TARGET_TEXT: the body */
	struct slice content_type;
	struct slice summary;
};

struct script_program {
	const struct script_ops *ops;
	struct slice domain;
	uint32_t generation; /* set by core after load */
	const struct script_aggregate *aggregates;
	size_t aggregate_count;
	const struct script_projection *projections;
	size_t projection_count;
	const struct script_reactor *reactors;
	size_t reactor_count;
	const struct script_query *queries;
	size_t query_count;
	const struct table *tables;
	size_t table_count;
	const struct script_route *routes;
	size_t route_count;
	bool multi_stream;     /* some handler uses ctx:load: the store must be able to */
	struct slice openapi;  /* JSON object: "paths" and "schemas" of this domain, for core to join */
	struct slice settings; /* canonical JSON of the domain's settings */
};

/* ---- calls ---- */

/* Input that a person sent and that a schema refuses: 400. */
struct input_trouble {
	struct slice field; /* path: "amount", "lines[2].price" */
	size_t offset;      /* byte in the body */
	bool has_offset;
};

struct query_request {
	uint16_t query;
	const struct script_param *params;
	size_t param_count;
	struct slice body; /* may be empty */
	struct script_context context;
	const struct row_port *rows;      /* may be NULL where the domain has no tables */
	const struct script_route *route; /* may be NULL */
};

/* A stream's state for a reader, shaped by the route's `reply` when it has one, else canonical. */
struct show_request {
	uint16_t aggregate;
	struct slice id;
	stream_version version;
	script_state state;               /* stays the caller's */
	const struct script_route *route; /* TARGET_STATE; may be NULL */
	struct script_context context;
};

struct script_machine {
	const struct script_ops *ops;
	const struct script_program *program;
};

struct script_ops {
	int (*load)(const struct source_set *sources, const struct script_options *options,
		    struct script_program **program, struct fault *fault);
	void (*unload)(struct script_program *program);
	int (*open)(const struct script_program *program, const struct script_options *options,
		    struct script_machine **machine, struct fault *fault);
	void (*close)(struct script_machine *machine);
	int (*initial)(struct script_machine *machine, uint16_t aggregate, script_state *state, struct fault *fault);
	int (*fold)(struct script_machine *machine, uint16_t aggregate, script_state state,
		    const struct recorded_entry *entries, size_t count, size_t *folded, struct fault *fault);
	int (*encode)(struct script_machine *machine, uint16_t aggregate, script_state state, struct buf *out,
		      struct fault *fault);
	int (*decode)(struct script_machine *machine, uint16_t aggregate, struct slice bytes, script_state *state,
		      struct fault *fault);
	void (*release)(struct script_machine *machine, script_state state);
	bool (*held)(const struct script_machine *machine, script_state state);
	int (*decide)(struct script_machine *machine, const struct decide_request *request, struct arena *arena,
		      struct decided *decided, struct fault *fault);
	int (*react)(struct script_machine *machine, const struct react_request *request, struct arena *arena,
		     struct decided *decided, struct fault *fault);
	int (*project)(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
		       const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault);
	int (*project_messages)(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
				const struct react_message *messages, size_t count, size_t *done, struct fault *fault);
	int (*query)(struct script_machine *machine, const struct query_request *request, struct buf *out,
		     struct fault *fault);
	int (*show)(struct script_machine *machine, const struct show_request *request, struct buf *out,
		    struct fault *fault);
	int (*upcast)(struct script_machine *machine, uint16_t aggregate, const struct recorded_entry *entry,
		      unsigned flags, struct arena *arena, struct script_pieces *pieces, struct fault *fault);
	bool (*path)(const struct script_program *program, uint16_t aggregate, struct slice type,
		     uint32_t schema_version);
	uint64_t (*order)(struct script_machine *machine);
	void (*trouble)(struct script_machine *machine, struct script_trouble *trouble, struct input_trouble *input);
	bool (*tidy)(struct script_machine *machine);
};

/*
 * Compiles, runs and checks every file: shapes, handlers that are functions, schemas, every event with apply,
 * every route naming a command or query that exists, names that are stream words, `initial()` that encodes.
 * Fails: SCRIPT "bad_rules": text "file:line: reason" with the excerpt after it; INPUT for sources that are no
 * text.
 */
int script_load(const struct script_ops *ops, const struct source_set *sources, const struct script_options *options,
		struct script_program **program, struct fault *fault);
/* Every machine of it must be closed before. */
void script_unload(struct script_program *program);
int script_open(const struct script_program *program, const struct script_options *options,
		struct script_machine **machine, struct fault *fault);
void script_close(struct script_machine *machine);

int script_initial(struct script_machine *machine, uint16_t aggregate, script_state *state, struct fault *fault);
/*
 * Folds recorded events into `state` in place. On failure *folded events were applied and the state must be
 * released.
 */
int script_fold(struct script_machine *machine, uint16_t aggregate, script_state state,
		const struct recorded_entry *entries, size_t count, size_t *folded, struct fault *fault);
/* Canonical JSON of a state: equal states give equal bytes. */
int script_encode(struct script_machine *machine, uint16_t aggregate, script_state state, struct buf *out,
		  struct fault *fault);
int script_decode(struct script_machine *machine, uint16_t aggregate, struct slice bytes, script_state *state,
		  struct fault *fault);
void script_state_release(struct script_machine *machine, script_state state);
/* false: the machine dropped it (see script_state above): it is to be loaded again. */
bool script_state_held(const struct script_machine *machine, script_state state);
/*
 * handle(state, data, ctx), then the new events folded into a copy of each state that they touch [step 5 of
 * design 4]. The request's own state is consumed: it is released, or given back as streams[0].state, also on
 * failure. Fails: INPUT (schema; see script_trouble's input), SCRIPT (raised, bad result, memory), LIMIT; what
 * the loader gave.
 */
int script_decide(struct script_machine *machine, const struct decide_request *request, struct arena *arena,
		  struct decided *decided, struct fault *fault);
/*
 * What a reactor, a process or a timer makes of what it hears: see react_request. decided->streams is empty when it has
 * no handler for it. A command that a rule refuses is no failure: `refused` of the action answers it, or it is counted.
 * Fails: as script_decide; SCRIPT "retry" when the handler asked to be called again later.
 */
int script_react(struct script_machine *machine, const struct react_request *request, struct arena *arena,
		 struct decided *decided, struct fault *fault);
/*
 * Calls the projection's handlers for the entries it handles, in order. On failure entries[*done] is the one
 * at fault.
 */
int script_project(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
		   const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault);
/* The same for a projection that topics feed: messages[*done] is the one at fault. */
int script_project_messages(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
			    const struct react_message *messages, size_t count, size_t *done, struct fault *fault);
/*
 * Appends the JSON answer to `out`. A query may refuse: *fault INPUT with the refusal's code and message, and
 * its HTTP status in fault->native (0: bad parameters, see script_trouble's input).
 */
int script_query(struct script_machine *machine, const struct query_request *request, struct buf *out,
		 struct fault *fault);
/* Appends the JSON of a state to `out`; a route's `reply` may refuse as a query does. */
int script_show(struct script_machine *machine, const struct show_request *request, struct buf *out,
		struct fault *fault);
/*
 * What a recorded event is under the rules of today: its pieces, by the one chain of upcasters that folds and
 * projections use too. Values lie in `arena` or borrow from `entry` and the program. With UPCAST_WIRE data that its
 * schema cannot describe is given in its stored form. Fails: SCRIPT "unknown_event", "newer_event", "no_upcast_path",
 * "upcast_circle" (1000 steps and no end), or what the upcaster did; CORRUPT for data that is no JSON.
 */
int script_upcast(struct script_machine *machine, uint16_t aggregate, const struct recorded_entry *entry,
		  unsigned flags, struct arena *arena, struct script_pieces *pieces, struct fault *fault);
/* Is the type known, the version no newer, each step of the type itself there? What they give shows when they run. */
bool script_path(const struct script_program *program, uint16_t aggregate, struct slice type, uint32_t schema_version);
/* The order of hashing in this machine: two whose numbers differ have different seeds. */
uint64_t script_order(struct script_machine *machine);
/* About the last failed call of this machine. */
void script_trouble(struct script_machine *machine, struct script_trouble *trouble, struct input_trouble *input);
/* A bounded step of collection, for idle moments; true when there is more to do. */
bool script_tidy(struct script_machine *machine);

/* Finds by name; -1 when there is none. */
int script_find_aggregate(const struct script_program *program, struct slice name);
int script_find_command(const struct script_aggregate *aggregate, struct slice name);
int script_find_query(const struct script_program *program, struct slice name);
int script_find_projection(const struct script_program *program, struct slice name);
int script_find_reactor(const struct script_program *program, struct slice name);
/*
 * Which of the types that a handler was written for a message's type is: itself, or of "shop.order.OrderPlaced.v1" also
 * "shop.order.OrderPlaced", "order.OrderPlaced" and "OrderPlaced", the longest first. -1: none.
 */
int script_message_heard(const struct slice *types, size_t count, struct slice type);

#endif
