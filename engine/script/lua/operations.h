/* SPDX-License-Identifier: MIT */
/* The operations behind the door's table: contracts in script/script.h, what bounds their time in machine.c. */
#ifndef MOONLOG_SCRIPT_LUA_OPERATIONS_H
#define MOONLOG_SCRIPT_LUA_OPERATIONS_H

#include "script/lua/program.h"

struct findings;

int moon_load(const struct source_set *sources, const struct script_options *options, struct script_program **program,
	      struct fault *fault);
/*
 * The same, but what the checks find is gathered and they go on; *program is NULL when something was found. Fails:
 * when it cannot be gathered (memory; sources that are no text; what no check expects).
 */
int moon_load_all(const struct source_set *sources, const struct script_options *options, struct findings *findings,
		  struct script_program **program, struct fault *fault);
void moon_unload(struct script_program *program);
int moon_fold(struct script_machine *machine, uint16_t aggregate, script_state state,
	      const struct recorded_entry *entries, size_t count, size_t *folded, struct fault *fault);
int moon_initial(struct script_machine *machine, uint16_t aggregate, script_state *state, struct fault *fault);
int moon_encode(struct script_machine *machine, uint16_t aggregate, script_state state, struct buf *out,
		struct fault *fault);
int moon_decode(struct script_machine *machine, uint16_t aggregate, struct slice bytes, script_state *state,
		struct fault *fault);
int moon_decide(struct script_machine *machine, const struct decide_request *request, struct arena *arena,
		struct decided *decided, struct fault *fault);
int moon_react(struct script_machine *machine, const struct react_request *request, struct arena *arena,
	       struct decided *decided, struct fault *fault);
int moon_project_messages(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
			  const struct react_message *messages, size_t count, size_t *done, struct fault *fault);
int moon_project(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
		 const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault);
int moon_query(struct script_machine *machine, const struct query_request *request, struct buf *out,
	       struct fault *fault);
int moon_show(struct script_machine *machine, const struct show_request *request, struct buf *out, struct fault *fault);
int moon_upcast(struct script_machine *machine, uint16_t aggregate, const struct recorded_entry *entry, unsigned flags,
		struct arena *arena, struct script_pieces *pieces, struct fault *fault);
uint64_t moon_order(struct script_machine *machine);
bool moon_path(const struct script_program *program, uint16_t aggregate, struct slice type, uint32_t schema_version);

/* openapi.c: the program's paths and schemas as a JSON object. */
int moon_openapi(const struct moon_program *program, struct buf *out);

#endif
