/* SPDX-License-Identifier: MIT */
#include "core/ruleset.h"

#include <stdlib.h>

int
ruleset_make(struct arena *arena, const struct source_set *sources, const struct script_ops *script,
	     const struct script_options *options, struct ruleset **rules, struct fault *fault)
{
	struct ruleset *made = calloc(1, sizeof(*made));

	*rules = NULL;
	if (made == NULL) {
		arena_fini(arena);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for rules");
	}
	made->arena = *arena;
	made->sources = *sources;
	atomic_init(&made->users, 1);
	if (script_load(script, &made->sources, options, &made->program, fault) != 0) {
		ruleset_release(made);
		return -1;
	}
	*rules = made;
	return 0;
}

struct ruleset *
ruleset_hold(struct ruleset *rules)
{
	must(atomic_fetch_add(&rules->users, 1) != 0);
	return rules;
}

void
ruleset_release(struct ruleset *rules)
{
	if (rules == NULL || atomic_fetch_sub(&rules->users, 1) != 1)
		return;
	if (rules->program != NULL)
		script_unload(rules->program);
	arena_fini(&rules->arena);
	free(rules);
}

void
ruleset_number(struct ruleset *rules, uint32_t generation)
{
	rules->generation = generation;
	rules->program->generation = generation;
}
