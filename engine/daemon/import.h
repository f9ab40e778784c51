/* SPDX-License-Identifier: MIT */
/*
 * Puts entries of elsewhere into a store: whole commits in large groups, each with a record of how far the file has
 * come, so that a killed import goes on where it stopped and nothing comes twice.
 *
 * A commit that continues the log exactly (same position, link before, time and generation) keeps its links and ids.
 * Any other gets those of this store; then headers keep what it was: imported_id, and imported_time where the time had
 * to be raised to the last entry's [I4].
 */
#ifndef MOONLOG_DAEMON_IMPORT_H
#define MOONLOG_DAEMON_IMPORT_H

#include "daemon/exchange.h"
#include "store/store.h"

#define IMPORT_GROUP 256
#define IMPORT_KEYS  8 /* unique keys of one commit */

struct import_place {
	uint64_t line;      /* of the file; 0: nothing yet */
	uint64_t entries;   /* imported so far */
	struct check check; /* over all lines up to this */
	bool done;
};

struct import {
	struct store *store; /* NULL: nothing is written, everything is looked at */
	struct store_reader *reader;
	char key[2 * DIGEST_SIZE + 1]; /* of the record */
	struct import_place place;     /* as committed */
	struct import_place next;      /* with what waits */
	uint64_t line;                 /* at hand, for messages; the caller's to set */
	/* the log's end with all that waits */
	log_position head;
	struct check link;
	int64_t last_us;
	int64_t now_us;
	bool unsure; /* some versions are the store's to give, so `link` is not known */
	/* what waits */
	struct arena arena;
	struct append *appends[IMPORT_GROUP];
	struct import_place places[IMPORT_GROUP]; /* after each */
	uint64_t lines[IMPORT_GROUP];             /* the first of each */
	size_t count;
	size_t entries;
	/* the commit being gathered */
	struct recorded_entry *open; /* [APPEND_ENTRY_MAX] */
	size_t open_count;
	struct record_write open_keys[IMPORT_KEYS]; /* unique keys that it takes */
	size_t open_key_count;
	uint64_t open_line;
	struct import_place open_place;
	/* generations of the file -> of the store */
	struct import_generation {
		uint32_t from;
		uint32_t to;
	} * generations;
	size_t generation_count;
};

/* `identity`: the file's first line. Reads how far an earlier import of it came. Owns: until import_close. */
int import_open(struct import *import, struct store *store, struct slice identity, struct fault *fault);
void import_close(struct import *import);

/*
 * One entry of line `place->line`; what it holds is copied. Entries of one commit_first that follow each other are one
 * commit. Of an event: version 0 is the stream's next. Faults name the line.
 */
int import_entry(struct import *import, const struct recorded_entry *entry, const struct import_place *place,
		 struct fault *fault);
/* Fails: also INPUT when another stream holds the key. */
int import_unique(struct import *import, const struct exchange_line *line, const struct import_place *place,
		  struct fault *fault);
/* The same as part of the commit of the entry that came last. Fails: also INPUT when it takes too many. */
int import_reserve(struct import *import, const struct exchange_line *line, const struct import_place *place,
		   struct fault *fault);
/* A file of rules; a generation made of files that came before. */
int import_source(struct import *import, const struct exchange_line *line, struct fault *fault);
int import_rules(struct import *import, const struct exchange_line *line, struct fault *fault);
/* Forgets the commit being gathered: the file went wrong before its end was seen. */
void import_forget(struct import *import);
/* Commits what waits; at the file's end with `place->done`. */
int import_flush(struct import *import, const struct import_place *place, struct fault *fault);

#endif
