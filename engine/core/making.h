/* SPDX-License-Identifier: MIT */
/*
 * How a read model beside the live one begins, and what ends it.
 *
 * Thread: the reloader's.
 */
#ifndef MOONLOG_CORE_MAKING_H
#define MOONLOG_CORE_MAKING_H

#include "core/domain.h"

/*
 * From now on one is wanted by `rules`; nothing is being made. `all`: every row from nothing; `asked`: those of these
 * projections, a NUL behind each name. Owns: `asked` moves in, also on failure. Fails: MEMORY.
 */
int making_want(struct engine *engine, struct domain *domain, struct ruleset *rules, bool all, struct buf *asked,
		struct fault *fault);
/* Opens and starts what is wanted. Gives the time until it wants to be called again; < 0: it was given up. */
int64_t making_begin(struct engine *engine, struct domain *domain);
/* Something is wanted or being made. */
bool making_is_on(const struct domain *domain);
/* Others go first: what takes long looks at this. */
const _Atomic bool *making_stop_of(const struct engine *engine, const struct making *making);
/* What is under way makes room; gives what was ordered of it. `asked` is the caller's from now on. */
void making_replace(struct engine *engine, struct domain *domain, bool *all, struct buf *asked);
/* It is not made after all: told, logged, thrown away. */
void making_give_up(struct engine *engine, struct domain *domain, const char *reason);
/* It has come to this end: told. */
void making_end(struct engine *engine, struct domain *domain, enum told_result result, const char *reason);
void making_forget(struct making *making);

/* Stops and closes what lies in `place`, when something does, and removes its slot. No window holds it. */
void making_throw_away(struct engine *engine, struct domain *domain, struct aside *place);
void making_stop_projector(const struct readside *readside);

#endif
