/* SPDX-License-Identifier: MIT */
/*
 * One generation of a domain's rules as this process runs it: the sources, the program made of them. Immutable, shared
 * by all threads; it lives for as long as somebody holds it: the domain, a seat of a thread, a read model, an ask that
 * was routed by it. (STYLE knows no reference counts but this one: asks of several threads may outlive a reload.)
 */
#ifndef MOONLOG_CORE_RULESET_H
#define MOONLOG_CORE_RULESET_H

#include <stdatomic.h>

#include "base/arena.h"
#include "script/script.h"

struct ruleset {
	struct arena arena; /* of the sources */
	struct source_set sources;
	struct script_program *program;
	uint32_t generation; /* 0: not yet kept in the store */
	_Atomic size_t users;
};

/*
 * Compiles and checks `sources`, whose bytes lie in `arena`. Owns: the arena moves into the rules, also on failure.
 * Gives: rules held once by the caller. Fails: as script_load.
 */
int ruleset_make(struct arena *arena, const struct source_set *sources, const struct script_ops *script,
		 const struct script_options *options, struct ruleset **rules, struct fault *fault);
/* Once more by whoever sees that somebody holds it already. Any thread. */
struct ruleset *ruleset_hold(struct ruleset *rules);
/* The last one to let go frees it. `rules` may be NULL. Any thread. */
void ruleset_release(struct ruleset *rules);

/* Kept in the store: the number that events name. Before anybody else holds the rules. */
void ruleset_number(struct ruleset *rules, uint32_t generation);

#endif
