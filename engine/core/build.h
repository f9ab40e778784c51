/* SPDX-License-Identifier: MIT */
/*
 * Read models made beside the ones that are read. Rows are filled from the log by a projector of their own; when it has
 * come as far as the other, queries change over by one pointer. The replaced one goes on following for a while, so that
 * a rollback finds its rows up to date.
 *
 * Thread: the reloader's.
 */
#ifndef MOONLOG_CORE_BUILD_H
#define MOONLOG_CORE_BUILD_H

#include "core/domain.h"

/*
 * Sees to it that queries run by `rules`: at once where the rows are the same or were kept, else from now on a read
 * model is being made, in which the projections that are the same begin with a copy of their rows. Fails: MEMORY.
 */
int build_follow(struct engine *engine, struct domain *domain, struct ruleset *rules, struct fault *fault);
/*
 * Makes the rows of one projection, or of all where `projection` is empty, from nothing by the rules that decide now,
 * also where they are the same. Gives the build's number. Fails: INPUT "no_such_projection", MEMORY.
 */
int build_anew(struct engine *engine, struct domain *domain, struct slice projection, uint64_t *number,
	       struct fault *fault);
/* Looks at what is being made and what is kept. Gives the time until it wants to look again; < 0: not before news. */
int64_t build_look(struct engine *engine, struct domain *domain);
/* Stops and closes what is not read. */
void build_close(struct domain *domain);

#endif
