/* SPDX-License-Identifier: MIT */
/* A store with something of every kind in it, and what every read of it gives: taken before and after damage. */
#ifndef MOONLOG_TESTS_UNIT_SQLITE_PICTURE_H
#define MOONLOG_TESTS_UNIT_SQLITE_PICTURE_H

#include "unit/sqlite/kit.h"

#define PICTURE_READS 200

/* What each read gave: a hash, or 0 for a fault. */
struct picture {
	uint64_t reads[PICTURE_READS];
	const char *what[PICTURE_READS];
	size_t count;
};

/* What verify said. */
struct findings {
	long count;
	unsigned kinds; /* 1 << kind */
	bool placed;    /* one of them names positions */
	/* ... and the stream, by number where its name is damaged, or a range whose streams nobody knows */
	bool named;
};

/* Events, messages with metadata, commands with and without entries, records: `entries` positions in all. */
void picture_fill(struct kit *kit, int entries);
void picture_take(struct kit *kit, struct picture *picture);
/* The first read that gave something else without a fault, or NULL. *faults: some gave one. */
const char *picture_differs(const struct picture *before, const struct picture *after, bool *faults);

/* With a cache of its own, as the command has. Tables that are not ours any more count as one finding. */
void findings_take(struct kit *kit, struct findings *findings);

#endif
