/* SPDX-License-Identifier: MIT */
/*
 * A machine: one Lua state in which a program's files have run. The same struct serves the scratch state of loading.
 * Every call from outside enters by moon_protect; ctx, meta and view are objects of the machine that mean the call
 * running now and raise outside of it, so a script cannot keep one for later.
 */
#ifndef MOONLOG_SCRIPT_LUA_MACHINE_H
#define MOONLOG_SCRIPT_LUA_MACHINE_H

#include "base/id.h"
#include "script/lua/json.h"
#include "script/lua/operations.h"
#include "script/lua/program.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

#define MACHINE_REQUIRE_DEPTH 32
#define MACHINE_RESULT_BYTES  ((size_t)1 << 20)

struct deciding;

/* What `meta` shows while apply, map or a projection's handler runs. */
struct moon_meta {
	bool active;
	bool provisional; /* in a decision: id and position are not known, time is the decision's */
	bool touched;     /* one of those three was read */
	struct slice type;
	struct slice stream;
	stream_version version;
	log_position position;
	int64_t time_us;
	const struct id *id; /* NULL when provisional */
	unsigned piece;      /* of the recorded event, from 1; 0 is 1 of 1 */
	unsigned pieces;
	const struct react_message *message; /* a message of others: `meta` shows what it says of itself */
};

/* What `ctx` shows. */
struct moon_ctx {
	bool active;
	const struct script_context *context;
	struct slice id; /* of the stream; data NULL in queries */
	struct slice stream;
	stream_version version;
	struct deciding *decision; /* NULL outside of handle */
	uint64_t random[4];
};

struct moon_machine {
	struct script_machine door;
	struct moon_program *program; /* const once loaded */
	struct vm *vm;
	struct script_options options;
	uint32_t limit_ms; /* of the operation that runs now */
	uint32_t epoch;    /* counts the states it has had; part of every script_state */
	/* while files run; what they raise is gathered where the program gathers findings */
	bool loading;
	bool *needs; /* of the program being built; NULL in machines of a finished one */
	uint16_t require_stack[MACHINE_REQUIRE_DEPTH];
	unsigned require_depth;
	/* references into the registry */
	int modules; /* table: file index + 1 -> what the file returned */
	int states;  /* table: script_state -> state */
	int settings;
	int ctx_object;
	int meta_object;
	int *handlers;     /* [handler number] */
	int *views;        /* [projection], then one for queries */
	int *row_tables;   /* [table]: metatable of rows that were read */
	int *column_names; /* [table]: array of its columns' names, made at first use */
	/* the call that runs now */
	struct moon_meta meta;
	struct moon_ctx ctx;
	const struct row_port *rows;
	bool rows_writable;
	struct arena arena; /* of one row operation */
	struct buf scratch;
	struct fault hard;   /* of the row port or the loader: no pcall of a script may hide it */
	struct fault raised; /* what moon_fail last carried */
	struct schema_trouble input;
	bool has_input;
	bool plain_replies;      /* the test kit: replies as the handler gave them */
	struct kit_lines *lines; /* the test kit: which lines ran, a file; NULL: nobody asks */
};

static inline struct moon_machine *
moon_machine_of(lua_State *L)
{
	return vm_of(L)->owner;
}

/* ---- machine.c ---- */

/*
 * A machine whose files have run; for a program still being built when `needs` is given. On failure *trouble
 * tells more.
 */
int moon_machine_new(struct moon_program *program, const struct script_options *options, bool *needs,
		     struct moon_machine **machine, struct vm_trouble *trouble, struct fault *fault);
void moon_machine_free(struct moon_machine *machine);
/* Finds every handler of the program in the files' tables and makes ctx, meta and the views. Inside moon_protect. */
void moon_machine_bind(lua_State *L, struct moon_machine *machine);
/*
 * vm_protect within the limit of the operation that runs, and the class and code that moon_fail carried. A machine
 * whose state was killed or ran out of memory gets a new one first: what was kept in it is gone (moon_state_held).
 */
int moon_protect(struct moon_machine *machine, lua_CFunction body, void *request, struct fault *fault);
/*
 * Raises an error with class and code. `handler` names the rule at fault: its place goes before the text; with
 * 0 it is the place of the Lua line that called us, or none.
 */
_Noreturn void moon_fail(lua_State *L, uint32_t handler, enum fault_class class, const char *code, const char *format,
			 ...) __attribute__((format(printf, 5, 6)));
/* The same with a fault as it is, e.g. what a loader or a row port gave. */
_Noreturn void moon_fail_fault(lua_State *L, const struct fault *fault);
/* Raises what a schema found in a person's input: INPUT, remembered for script_trouble. */
_Noreturn void moon_fail_input(lua_State *L, const struct schema_trouble *trouble);
/* Bytes of the scratch buffer into `arena`; raises when memory is out. */
struct slice moon_keep(lua_State *L, struct arena *arena, struct slice bytes);
/* arena_zero that raises. */
void *moon_alloc(lua_State *L, struct arena *arena, size_t count, size_t size);

static inline void
moon_push_handler(lua_State *L, const struct moon_machine *machine, uint32_t handler)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->handlers[handler]);
}

/* ---- load.c: the files ---- */

/* Runs the file (once) and pushes what it returned. */
void moon_source_run(lua_State *L, struct moon_machine *machine, uint16_t source);
int moon_require(lua_State *L);

/* ---- state.c ---- */

/* Pops the table on top into a slot. */
script_state moon_state_keep(lua_State *L, struct moon_machine *machine);
void moon_state_push(lua_State *L, const struct moon_machine *machine, script_state state);
/* Replaces what the slot holds by the value on top, popped. */
void moon_state_set(lua_State *L, const struct moon_machine *machine, script_state state);
void moon_state_drop(struct moon_machine *machine, script_state state);
/* Is it still there? Not when the machine has, or needs, a new Lua state since. */
bool moon_state_held(const struct moon_machine *machine, script_state state);
/* Pushes a deep copy of the plain table at `index`; raises for what is no JSON. */
void moon_state_copy(lua_State *L, int index);
/* Raises as `apply`'s bad_result when the state after the event, on top, popped, has no JSON form. */
void moon_state_check(lua_State *L, uint32_t apply, struct slice event);
/* Pushes what `initial` of the aggregate gives. */
void moon_state_initial(lua_State *L, struct moon_machine *machine, uint16_t aggregate);

/* ---- upcast.c ---- */

/* What a recorded event is under the rules of today. */
struct moon_pieces {
	unsigned count;
	bool plain;     /* one piece, whose data is what moon_pieces_open pushed */
	uint16_t event; /* of that piece */
};

/*
 * Decodes a recorded event and brings it up to date, sets meta. Pushes one value that belongs to moon_piece_push.
 * Raises for events without a way.
 */
void moon_pieces_open(lua_State *L, struct moon_machine *machine, uint16_t aggregate,
		      const struct recorded_entry *entry, struct moon_pieces *pieces);
/* Pushes the data of a piece (from 0) of those opened at stack index `at`, sets meta for it. Gives its event. */
uint16_t moon_piece_push(lua_State *L, struct moon_machine *machine, uint16_t aggregate,
			 const struct moon_pieces *pieces, unsigned piece, int at);

/* ---- fold.c ---- */

/* state, data on top -> the state after; meta is set by the caller. */
void moon_apply(lua_State *L, struct moon_machine *machine, uint16_t aggregate, uint16_t event);
struct moon_meta moon_meta_recorded(const struct recorded_entry *entry);

/* ---- ctx.c ---- */

void moon_ctx_open(lua_State *L, struct moon_machine *machine);
void moon_meta_open(lua_State *L, struct moon_machine *machine);
void moon_ctx_begin(struct moon_machine *machine, const struct script_context *context);
void moon_ctx_end(struct moon_machine *machine);
/* Pushes the second argument of a route's reply: id, stream, version, position (when not 0). */
void moon_reply_meta(lua_State *L, struct slice stream, struct slice id, stream_version version, log_position position);

/* What stands after the slash of a stream's name. */
struct slice moon_stream_id(struct slice stream);
/* Makes the next id that ctx:uuid would give. */
void moon_ctx_id(struct moon_machine *machine, char text[ID_TEXT_SIZE]);

/* ---- decide.c, for ctx.c ---- */

/* ctx:load: pushes the handle of another stream. */
void moon_decision_load(lua_State *L, struct deciding *decision, uint16_t aggregate, struct slice id);
void moon_decision_reserve(lua_State *L, struct deciding *decision, const struct reservation *reservation);
struct arena *moon_decision_arena(const struct deciding *decision);
/* Does a command's handler run, whose stream reservations and timers belong to? */
bool moon_decision_commands(const struct deciding *decision);
/* ctx:timer, with what it wants at `index`, and ctx:cancel, with 0. */
void moon_decision_timer(lua_State *L, struct deciding *decision, struct slice name, int index);

/* ---- project.c ---- */

/* The aggregate of an event of this domain; -1 for any other entry. */
int moon_entry_aggregate(const struct moon_program *program, const struct recorded_entry *entry);
/* May an event of the aggregate be, today, one that has a handler? Anything older may become what is handled. */
bool moon_entry_matters(const struct moon_program *program, uint16_t aggregate, const struct recorded_entry *entry,
			const uint32_t *handlers);

/* ---- view.c, rows.c, answer.c ---- */

void moon_views_open(lua_State *L, struct moon_machine *machine);
/*
 * Cells of the Lua table at `index` for the table's columns; missing ones are UNSET, or with `whole` null or
 * refused.
 */
struct cell *moon_row_read(lua_State *L, int index, uint16_t table, bool whole);
/* A key: a table of exactly the key's columns, or the value itself where there is one column. */
struct cell *moon_key_read(lua_State *L, int index, uint16_t table);
void moon_cell_read(lua_State *L, int index, uint16_t table, uint16_t column, struct cell *cell);
void moon_row_push(lua_State *L, uint16_t table, const struct row *row);
/* Table of a row that was read, by its metatable; -1 for any other value. */
int moon_row_table(lua_State *L, int index);
/* Appends a query's or reply's value: by the schema when there is one, else rows by their columns. */
void moon_answer_write(lua_State *L, int index, const struct schema *schema, uint32_t handler, struct buf *out);
/* The refusal at `index`: code, status, message; raises bad_result for what is none. `details` may be NULL. */
struct moon_refusal {
	struct slice code;
	struct slice message;
	uint16_t status;
};
void moon_refusal_read(lua_State *L, int index, uint32_t handler, struct moon_refusal *refusal, struct buf *details);

#endif
