/* SPDX-License-Identifier: MIT */
/* What the tests of the SQLite room share: a store in a directory of its own, opened and closed again and again. */
#ifndef MOONLOG_TESTS_UNIT_SQLITE_KIT_H
#define MOONLOG_TESTS_UNIT_SQLITE_KIT_H

#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/sqlite.h"

struct kit {
	char directory[64];
	struct sqlite_options options;
	struct store *store;
	struct store_reader *reader;
	struct arena arena;
	struct fault fault;
};

/* A fresh, empty directory; nothing is opened yet. */
void kit_begin(struct kit *kit);
void kit_end(struct kit *kit);
/* Give 0 or -1 with kit->fault. A reader is opened with the store. */
int kit_open(struct kit *kit);
void kit_close(struct kit *kit);
void kit_path(const struct kit *kit, const char *file, char path[128]);

/* One event on a stream, under a command id when `command` is not NULL. */
enum commit_result kit_put(struct kit *kit, const char *stream, const char *data, const char *command,
			   struct append *append);
void kit_record(struct kit *kit, const char *key, const char *value);
/* `count` events over `streams` streams named shop.cart/<n>, each with a command id c<n>. */
void kit_fill(struct kit *kit, int count, int streams);
/* -1 when it cannot be read. */
long kit_count(struct kit *kit, const char *stream);
bool kit_remembers(struct kit *kit, const char *command);
/* Findings of a verification; -1 when it failed. `kinds` collects 1 << kind. */
long kit_verify(struct kit *kit, unsigned *kinds);
void kit_copy(const char *from, const char *to);

/* Makes the tables of today those of schema 3, where a block of the index of streams lay beside its key. */
#define KIT_AS_SCHEMA_3                                                                                                \
	"CREATE TABLE old(segment INTEGER NOT NULL, stream INTEGER NOT NULL, version INTEGER NOT NULL,"                \
	" block BLOB NOT NULL, PRIMARY KEY(segment, stream, version)) WITHOUT ROWID;"                                  \
	"INSERT INTO old SELECT * FROM stream_lookup;"                                                                 \
	"DROP VIEW stream_lookup; DROP TABLE stream_index; DROP TABLE stream_blocks;"                                  \
	"ALTER TABLE old RENAME TO stream_index; PRAGMA user_version = 3;"

#endif
