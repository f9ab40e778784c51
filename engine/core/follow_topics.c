/* SPDX-License-Identifier: MIT */
/*
 * A projection that topics feed, where the log is the bus: its place is a position of the log as any projection's, and
 * rows and place move in one transaction [I6]. It hears every domain of the store, so it has pages of its own.
 */
#include "core/cloudevent.h"
#include "core/follow.h"

bool
follow_by_topics(const struct projection *projection)
{
	return projection->script->topic_count != 0;
}

static bool
is_wanted(const struct script_projection *script, const struct recorded_entry *entry)
{
	for (size_t i = 0; entry->topic.size != 0 && i < script->topic_count; i++)
		if (slice_equal(script->topics[i], entry->topic))
			return true;
	return false;
}

int
follow_messages(struct projector *projector, struct projection *projection, const struct entries *entries, size_t *done,
		struct fault *fault)
{
	const struct row_port *rows = view_rows(projector->options.view);

	for (*done = 0; *done < entries->count; ++*done) {
		const struct recorded_entry *entry = &entries->items[*done];
		struct react_message message;
		size_t taken;

		if (!is_wanted(projection->script, entry))
			continue;
		cloudevent_of_entry(entry, &projector->page, &message);
		if (script_project_messages(projector->machine, projection->number, rows, &message, 1, &taken, fault) !=
		    0)
			return -1;
	}
	return 0;
}
