/* SPDX-License-Identifier: MIT */
/* A table of hashes, at most half full. */
#include "core/seen.h"

#include <stdlib.h>

static void
put(struct seen *seen, uint64_t hash, bool *fresh)
{
	size_t at = hash & (seen->room - 1);

	while (seen->slots[at] != 0 && seen->slots[at] != hash)
		at = (at + 1) & (seen->room - 1);
	*fresh = seen->slots[at] == 0;
	seen->count += *fresh;
	seen->slots[at] = hash;
}

static bool
widen(struct seen *seen)
{
	struct seen wider = { .room = seen->room != 0 ? seen->room * 2 : 1024 };
	bool ignored;

	wider.slots = calloc(wider.room, sizeof(*wider.slots));
	if (wider.slots == NULL)
		return false;
	for (size_t i = 0; i < seen->room; i++)
		if (seen->slots[i] != 0)
			put(&wider, seen->slots[i], &ignored);
	free(seen->slots);
	*seen = wider;
	return true;
}

bool
seen_add(struct seen *seen, uint64_t hash, bool *fresh)
{
	if (seen->count * 2 >= seen->room && !widen(seen))
		return false;
	put(seen, hash != 0 ? hash : 1, fresh);
	return true;
}

void
seen_fini(struct seen *seen)
{
	free(seen->slots);
	*seen = (struct seen){ 0 };
}
