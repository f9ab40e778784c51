/* SPDX-License-Identifier: MIT */
#include "core/past.h"

#include <stdlib.h>

void
past_add(struct past *past, struct ruleset *rules)
{
	if (past->count == past->room) {
		size_t room = past->room != 0 ? 2 * past->room : 16;
		struct ruleset **wider = realloc(past->items, room * sizeof(struct ruleset *));

		if (wider == NULL) {
			past->lost = true;
			ruleset_release(rules);
			return;
		}
		past->items = wider;
		past->room = room;
	}
	past->items[past->count++] = rules;
}

const uint32_t *
past_living(struct past *past, struct arena *arena, size_t *count)
{
	uint32_t *numbers = arena_zero(arena, past->count + 1, sizeof(*numbers));
	size_t kept = 0;

	*count = 0;
	if (numbers == NULL || past->lost)
		return NULL;
	for (size_t i = 0; i < past->count; i++) {
		struct ruleset *rules = past->items[i];

		if (atomic_load(&rules->users) == 1) {
			ruleset_release(rules);
			continue;
		}
		numbers[(*count)++] = rules->generation;
		past->items[kept++] = rules;
	}
	past->count = kept;
	return numbers;
}

void
past_free(struct past *past)
{
	for (size_t i = 0; i < past->count; i++)
		ruleset_release(past->items[i]);
	free(past->items);
	*past = (struct past){ 0 };
}
