/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint names the log that its rows were made from by the link of the entry it stands at. A link covers all that
 * lies before it, so one comparison tells whether that is the log which the store has now. An entry that cannot be read
 * tells nothing: then the position alone is kept, or believed.
 */
#include "core/follow.h"

/* false: there is no such entry, or it cannot be read. */
static bool
link_at(struct projector *projector, log_position position, struct check *link)
{
	const struct read_limit one = { 1, 0 };
	struct entries entries = { 0 };
	struct arena arena;
	struct fault ignored;
	log_position seen;
	bool known;

	if (position == 0)
		return false;
	if (projector->linked_at == position) {
		*link = projector->link;
		return true;
	}
	arena_init(&arena, SIZE_MAX);
	known = store_read_log(projector->reader, position - 1, NULL, one, &arena, &entries, &seen, &ignored) == 0 &&
		entries.count == 1 && entries.items[0].position == position;
	if (known) {
		*link = projector->link = entries.items[0].link;
		projector->linked_at = position;
	}
	arena_fini(&arena);
	return known;
}

void
follow_linked(struct projector *projector, const struct projection *projection, const struct entries *page,
	      log_position position, struct view_checkpoint *checkpoint)
{
	const struct recorded_entry *last = page != NULL && page->count != 0 ? &page->items[page->count - 1] : NULL;

	*checkpoint = follow_checkpoint(projection, position);
	/* Where a bus feeds it, positions are not the log's. */
	if (projection->now.by_bus)
		return;
	checkpoint->linked = last != NULL && last->position == position;
	if (checkpoint->linked)
		checkpoint->link = last->link;
	else
		checkpoint->linked = link_at(projector, position, &checkpoint->link);
}

bool
follow_is_of_log(struct projector *projector, const struct view_checkpoint *checkpoint)
{
	struct check link;

	return checkpoint->position <= store_head(projector->options.store) &&
	       (!checkpoint->linked || !link_at(projector, checkpoint->position, &link) ||
		check_equal(&link, &checkpoint->link));
}
