/* SPDX-License-Identifier: MIT */
/*
 * Which events the log holds: aggregate, type and schema version, with a late position of each. A row is written by the
 * commit that brings the first event of its kind, so none is ever missing; positions follow now and then.
 *
 * The writer's, but for catalogue_list and what verify makes of its own.
 */
#ifndef MOONLOG_STORE_SQLITE_CATALOGUE_H
#define MOONLOG_STORE_SQLITE_CATALOGUE_H

#include "store/sqlite/link.h"
#include "store/store.h"

#define CATALOGUE_EVERY 4096 /* entries between two writings of positions */

struct known_type {
	uint64_t hash;
	struct slice aggregate; /* "domain.aggregate"; owned, as is name */
	struct slice name;
	uint32_t schema_version;
	log_position newest;
	log_position stored; /* what the table says; 0: it is to be written */
};

struct catalogue {
	struct known_type *items;
	size_t count;
	size_t room;
	uint32_t *table; /* number + 1 by hash */
	size_t table_room;
	log_position written; /* the head when positions were last written */
};

void catalogue_fini(struct catalogue *catalogue);
/* The table's rows; where one of them is not what was written, the table is made again from the log. */
int catalogue_load(struct catalogue *catalogue, struct link *link, struct fault *fault);
/* Fills the empty table from the log, inside a transaction. */
int catalogue_make(struct link *link, struct fault *fault);
/* Knows the kind of an event of a stream. Gives its number from 1; 0 without memory. */
size_t catalogue_note(struct catalogue *catalogue, struct slice stream, struct slice type, uint32_t schema_version,
		      log_position position);
size_t catalogue_note_aggregate(struct catalogue *catalogue, const struct type_found *found);
/* Inside a transaction: those after the first `before`, and positions when they are due. */
int catalogue_write(struct catalogue *catalogue, struct link *link, size_t before, log_position head,
		    struct fault *fault);
/* The transaction did not happen: forgets those after the first `before`. */
void catalogue_cut(struct catalogue *catalogue, size_t before);
static inline void
catalogue_seen(struct catalogue *catalogue, size_t number, log_position position)
{
	catalogue->items[number - 1].newest = position;
}

/* One row of the table or the scan: each slice borrowed until the next step. false: not what was written. */
bool catalogue_row(sqlite3_stmt *statement, struct type_found *found);
int sqlite_list_types(struct store_reader *reader, struct slice domain, struct arena *arena, struct type_found **types,
		      size_t *count, struct fault *fault);
int sqlite_list_generations(struct store_reader *reader, struct arena *arena, uint32_t **generations, size_t *count,
			    struct fault *fault);

#endif
