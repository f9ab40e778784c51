/* SPDX-License-Identifier: MIT */
/* Recorded entries as JSON, fast: the log leaves the engine through here. */
#ifndef MOONLOG_CORE_RENDER_H
#define MOONLOG_CORE_RENDER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/entry.h"

/* Remembers what neighbours share. Zeroed before the first entry. Thread: one. */
struct render {
	int64_t second; /* whose date stands in `date`; 0 = none */
	char date[20];
	log_position commit; /* whose first entry's id stands in `commit_id`; 0 = none */
	char commit_id[ID_TEXT_SIZE];
	/* Finds the id of a commit's first entry where the page does not hold it. May be NULL: then it is left out. */
	int (*first_id)(void *self, log_position commit_first, struct id *id);
	void *self;
};

/* Appends {"position":..., ..., "data":..., "digest":"...", "link":"..."}; data bytes as recorded. */
void render_entry(struct render *render, const struct recorded_entry *entry, struct buf *out);
/* The same for piece `number` (from 1) of an event that upcasters made `count` of: type, schema version and data are
 * the piece's; without digest and link. */
void render_piece(struct render *render, const struct recorded_entry *piece, size_t number, size_t count,
		  struct buf *out);
/* "2026-11-21T10:00:00.000000Z" with its quotes. */
void render_time(struct render *render, int64_t wall_us, struct buf *out);

#endif
