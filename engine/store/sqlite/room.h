/* SPDX-License-Identifier: MIT */
/* What the files of the SQLite room share: the open store and its readers. */
#ifndef MOONLOG_STORE_SQLITE_ROOM_H
#define MOONLOG_STORE_SQLITE_ROOM_H

#include "store/sqlite/catalogue.h"
#include "store/sqlite/find.h"
#include "store/sqlite/group.h"
#include "store/sqlite/sqlite.h"

/* The log's end: what the next commit continues. */
struct log_end {
	log_position head;
	uint64_t last_stream;
	uint64_t last_bare;
	struct check link;
	int64_t time;
	int64_t now; /* while a group is decided: what the clock said */
};

struct sealer;

struct sqlite_store {
	struct store base;
	struct store_stats stats;
	const struct clock *clock;
	const struct entropy *entropy;
	char *directory;
	char *file;
	char *log_file; /* SQLite's, of what is not in `file` yet */
	bool read_only;
	bool no_sync;
	uint64_t remember_ids;
	int64_t remember_us;
	void (*fatal)(void *self, const struct fault *fault);
	void *fatal_self;

	struct index index; /* shared with readers, by its own lock */

	/* the committer's */
	int lock_fd;
	int witness_fd;
	int64_t witness_ns; /* when it was last written */
	log_position witnessed;
	struct link link;
	struct finder finder;
	struct types types;
	struct catalogue catalogue;
	struct log_end end;
	struct group group;
	struct sealer *sealer; /* NULL: nothing is being sealed */
	uint32_t seal_debt;    /* entries committed since the last bite of sealing */
	uint64_t mended;       /* of index.damages, those that were looked into */
	uint64_t forgetting;   /* segment whose command ids are being dropped from disk; 0: none */
	uint64_t wal_pages;
	uint64_t rested;             /* commits at the last idle moment */
	uint64_t measured;           /* commits when the files were last looked at */
	uint64_t waited_pages;       /* its size when readers were last waited for in vain */
	uint64_t checkpointed_pages; /* of the present log file */
	bool failed;
	struct fault failure;
};

struct sqlite_reader {
	struct store_reader base;
	struct sqlite_store *store;
	struct link link;
	struct finder finder;
	struct types types;
	struct name_cache names;
	struct positions positions;
	uint64_t turn; /* number of the present read */
	bool held;     /* one transaction from hold to let_go, which ends at held_head */
	log_position held_head;
};

static inline struct sqlite_store *
sqlite_store_of(struct store *store)
{
	return container_of(store, struct sqlite_store, base);
}

static inline struct sqlite_reader *
sqlite_reader_of(struct store_reader *reader)
{
	return container_of(reader, struct sqlite_reader, base);
}

/* schema.c. Makes or checks the tables of a database just opened for writing; gives the index's seed. */
int sqlite_schema_make(struct link *link, bool no_sync, const struct entropy *entropy, uint64_t *seed,
		       struct fault *fault);
/* Looks at application id and version. *empty: a database without anything in it. */
int sqlite_schema_check(struct link *link, bool *empty, uint64_t *seed, struct fault *fault);
/* For a link that only reads: what it needs to read tables of an older program. */
int sqlite_schema_look(struct link *link, struct fault *fault);
#define SQLITE_ROOM_PAGE 8192

/* start.c. The index from its sealed segments and the log after them; the log's end. */
int sqlite_start(struct sqlite_store *store, struct fault *fault);

/* commit.c */
enum commit_result sqlite_commit(struct store *store, struct append **appends, size_t count, struct fault *fault);
/* After a failure of which nobody knows what it left: refuse all further commits, say so once. */
void sqlite_fail(struct sqlite_store *store, const struct fault *fault);

/* mend.c. Seals one damaged segment anew, if there is one that was not tried yet; true when there may be more. */
bool sqlite_mend(struct sqlite_store *store);

/* records.c. The value as stored, into `arena`; checked. */
int sqlite_get_record(struct link *link, struct slice space, struct slice key, struct arena *arena, struct slice *value,
		      bool *found, struct fault *fault);

/* checkpoint.c */
void sqlite_wal_watch(struct sqlite_store *store);
/* How large the database and its log file are, for the figures. */
void sqlite_measure(struct sqlite_store *store);
/* After a commit: when the log file has grown past its hard bound. */
void sqlite_checkpoint_due(struct sqlite_store *store);
bool sqlite_idle(struct store *store);

/* read.c */
int sqlite_reader_open(struct store *store, struct store_reader **reader, struct fault *fault);
void sqlite_reader_close(struct store_reader *reader);
/* A read-only store's head is what the file shows. */
int sqlite_refresh_head(struct sqlite_reader *reader, struct fault *fault);
/* Whether what a row holds gives its digest; says what does not. Fails: CORRUPT "digest_mismatch". */
int sqlite_check_content(struct sqlite_reader *reader, const struct row *row, struct slice name, struct fault *fault);
int sqlite_read_stream(struct store_reader *reader, struct slice stream, stream_version from, struct read_limit limit,
		       struct arena *arena, struct entries *entries, stream_version *version, struct fault *fault);
int sqlite_read_log(struct store_reader *reader, log_position after, const struct log_filter *filter,
		    struct read_limit limit, struct arena *arena, struct entries *entries, log_position *seen,
		    struct fault *fault);
int sqlite_position_at(struct store_reader *reader, int64_t wall_us, log_position *position, struct fault *fault);
/* Makes the function known by which SQL looks at names' seals. */
int sqlite_list_open(struct link *link, struct fault *fault);
int sqlite_list_streams(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
			struct arena *arena, struct slice **names, size_t *count, struct fault *fault);
int sqlite_read_record(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
		       struct slice *value, bool *found, struct fault *fault);
int sqlite_list_records(struct store_reader *reader, struct slice space, struct slice after, size_t limit,
			struct arena *arena, struct record **records, size_t *count, struct fault *fault);
int sqlite_list_spaces(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		       struct arena *arena, struct slice **spaces, size_t *count, struct fault *fault);
int sqlite_hold(struct store_reader *reader, log_position *head, struct fault *fault);
void sqlite_let_go(struct store_reader *reader);
int sqlite_find_command(struct store_reader *reader, const struct command_id *id, const struct fingerprint *fingerprint,
			struct arena *arena, struct remembered *remembered, struct fault *fault);

#endif
