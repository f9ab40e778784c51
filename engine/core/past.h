/* SPDX-License-Identifier: MIT */
/*
 * Rules of a domain that were replaced, held until nobody else does: while a command, a seat or a read model has them
 * they may yet decide something. The reloader's.
 */
#ifndef MOONLOG_CORE_PAST_H
#define MOONLOG_CORE_PAST_H

#include "core/ruleset.h"

struct past {
	struct ruleset **items;
	size_t count;
	size_t room;
	bool lost; /* some could not be remembered: who lives is not known any more */
};

/* Takes the hold over. */
void past_add(struct past *past, struct ruleset *rules);
/* Lets go of those that nobody else holds; gives the numbers of the others. NULL: not known. */
const uint32_t *past_living(struct past *past, struct arena *arena, size_t *count);
void past_free(struct past *past);

#endif
