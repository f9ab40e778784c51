/* SPDX-License-Identifier: MIT */
#include "core/seat.h"

#include <stdlib.h>

int
seat_open(struct ruleset *rules, const struct script_options *options, struct seat **seat, struct fault *fault)
{
	struct seat *made = calloc(1, sizeof(*made));

	*seat = NULL;
	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a script machine");
	if (script_open(rules->program, options, &made->machine, fault) != 0) {
		free(made);
		return -1;
	}
	made->rules = ruleset_hold(rules);
	*seat = made;
	return 0;
}

void
seat_close(struct seat *seat)
{
	if (seat == NULL)
		return;
	must(seat->users == 0);
	script_close(seat->machine);
	ruleset_release(seat->rules);
	free(seat);
}

void
seat_adopt(struct seat **current, struct seat *next)
{
	must(next->older == NULL);
	next->older = *current;
	*current = next;
}

void
seat_sweep(struct seat *current)
{
	struct seat **place = &current->older;

	while (*place != NULL) {
		struct seat *seat = *place;

		if (seat->users != 0) {
			place = &seat->older;
			continue;
		}
		*place = seat->older;
		seat_close(seat);
	}
}

void
seat_close_all(struct seat **current)
{
	while (*current != NULL) {
		struct seat *seat = *current;

		*current = seat->older;
		seat_close(seat);
	}
}
