/* SPDX-License-Identifier: MIT */
/* What lua/moonlog/kit.lua stands on: the C functions of the table `core`. */
#ifndef MOONLOG_SCRIPT_LUA_KIT_CORE_H
#define MOONLOG_SCRIPT_LUA_KIT_CORE_H

#include "script/lua/kit.h"
#include "script/lua/machine.h"

#define KIT_DOMAINS_MAX 16

struct kit_domain {
	struct script_program *program;
	struct script_machine *machine;
};

struct kit {
	const struct kit_options *options;
	struct arena arena; /* of one call */
	struct kit_domain domains[KIT_DOMAINS_MAX];
	struct kit_domain twins[KIT_DOMAINS_MAX]; /* machines of their own: other seeds, other addresses */
	size_t domain_count;
	struct kit_cover *cover; /* NULL: nobody asks */
};

/* The files of lua/moonlog, built in. */
struct kit_text {
	const char *name; /* "kit", "output", "runner", "views" */
	const unsigned char *bytes;
	size_t size;
};
extern const struct kit_text kit_texts[];
extern const size_t kit_text_count;

void kit_core_push(lua_State *L, struct kit *kit);

/* ---- shared by the functions of `core`; each has the kit as upvalue 1 and a table of arguments at index 1 ---- */

struct kit_past {
	struct recorded_entry *entries;
	size_t count;
};

struct kit *kit_of(lua_State *L);
/* A text field of the table at `table`, kept alive by it; SLICE_NONE when absent. */
struct slice kit_field_text(lua_State *L, int table, const char *field);
struct kit_domain *kit_domain_named(lua_State *L, struct slice name);
/* Sets a text field of the table on top. */
void kit_set_text(lua_State *L, const char *field, struct slice text);
/* Pushes a result that says what failed. Gives 1. */
int kit_give_fault(lua_State *L, const struct fault *fault);
/* The field `at`. */
int64_t kit_read_time(lua_State *L, int table);
/* The list in field `events`; it stays on the stack. */
struct kit_past kit_read_past(lua_State *L, const struct kit_domain *domain);

/* State and version of a stream as the past has it: a script_loader's load, `self` being a struct kit_streams. */
struct kit_streams {
	const struct kit_domain *domain;
	const struct kit_past *past;
	bool by_json; /* the state leaves the machine as JSON and comes back after each event */
};
int kit_fold_stream(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version,
		    struct fault *fault);
/* Entries, reservations and timers into the table on top. */
void kit_push_decided(lua_State *L, const struct decided *decided);
void kit_release_states(const struct kit_domain *domain, const struct decided *decided);
/* The list in field `messages`; none where it is absent. It stays on the stack. */
struct react_message *kit_read_messages(lua_State *L, size_t *count);

/* A whole number in the table of arguments, or `otherwise`. */
int64_t kit_field_integer(lua_State *L, const char *field, int64_t otherwise);
bool kit_field_flag(lua_State *L, const char *field);
int kit_upcast(lua_State *L);
int kit_shift(lua_State *L);
int kit_project(lua_State *L);
int kit_query(lua_State *L);
int kit_react(lua_State *L);
int kit_micros(lua_State *L);

#endif
