/* SPDX-License-Identifier: MIT */
/*
 * The store's door: streams of events, one log over all of them, and keyed records written in the same commits.
 * Promises [I1] to [I5]; every back room passes tests/contract/store_contract.c, and store/memory is the contract's
 * executable reading. README.md says it in prose.
 *
 * Threads: store_commit by one thread at a time (the committer's role). Readers: any number, each used by one thread at
 * a time. store_head and store_stats: any thread.
 */
#ifndef MOONLOG_STORE_STORE_H
#define MOONLOG_STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/fault.h"
#include "model/command_id.h"
#include "model/entry.h"

/* Sizes that the door lets through, in bytes (entries: model/entry.h; streams: model/stream.h). */
#define STORE_TOPIC_MAX   249 /* Kafka's */
#define STORE_KEY_MAX     1024
#define STORE_HEADERS_MAX (64 * 1024)
#define STORE_SPACE_MAX   200
#define STORE_VALUE_MAX   (16 * 1024 * 1024)
#define STORE_RECORDS_MAX 4000 /* a commit */
#define STORE_TYPES_LAG   4096

struct store;        /* an open store */
struct store_reader; /* one thread's window on it */

/* A stream that the command read or writes. Versions are compared in memory before anything is inserted. */
struct append_stream {
	struct slice name;
	struct expected expected;
};

/* A small value under (space, key), e.g. ("unique/banking.accountNumber", "4711"). Later writes of one append win. */
enum record_rule {
	RECORD_PUT,          /* whatever was there */
	RECORD_ABSENT,       /* only if there is none: conflict otherwise */
	RECORD_EQUALS,       /* only if the present value equals `before`: conflict otherwise */
	RECORD_REMOVE,       /* removing what is not there is fine */
	RECORD_REMOVE_EQUALS /* only if the present value equals `before` */
};

struct record_write {
	enum record_rule rule;
	struct slice space;
	struct slice key;
	struct slice value;
	struct slice before;
};

enum append_answer {
	APPEND_NONE, /* not yet decided */
	APPEND_DONE,
	APPEND_CONFLICT,        /* a stream's version was not as expected: `conflict_stream`, `actual` */
	APPEND_RECORD_CONFLICT, /* a record was not as expected: `conflict_record` */
	/* the command id was remembered with the same fingerprint: `reply`, positions as then */
	APPEND_REPEATED,
	APPEND_MISMATCH, /* remembered with another fingerprint: nothing written */
	APPEND_FAILED    /* this append alone was at fault: `fault` */
};

/*
 * Everything one command decided: together or not at all [I3]. Asked fields are borrowed until store_commit returns;
 * answered fields are filled by it.
 */
struct append {
	/* asked */
	const struct append_stream *streams;
	size_t stream_count;             /* 0 only when there are no entries */
	const struct new_entry *entries; /* versions are given in order, stream by stream */
	size_t entry_count;              /* 0..APPEND_ENTRY_MAX; 0 is a commit of records alone and takes no position */
	const struct record_write *records;
	size_t record_count;
	const struct command_id *command_id; /* NULL: not remembered */
	struct fingerprint fingerprint;
	struct slice reply; /* remembered with command_id, given back on APPEND_REPEATED */
	struct provenance provenance;
	uint32_t generation;
	/* 0: by the committer's clock. Else when it was recorded elsewhere; raised to the last entry's time [I4] */
	int64_t at_us;
	struct arena *arena; /* for what is answered */

	/* answered */
	enum append_answer answer;
	log_position first; /* of the first entry; 0 without entries */
	log_position last;
	int64_t recorded_at_us;
	/* after the append, one a stream (in `arena`); also on APPEND_CONFLICT: as they are */
	stream_version *versions;
	struct check last_link;
	size_t conflict_stream;
	stream_version actual;
	size_t conflict_record;
	struct slice repeated_reply;
	struct fault fault;
};

/* What a commit did, when it failed as a whole. */
enum commit_result {
	COMMIT_DONE,          /* every append has its answer; all APPEND_DONE are durable */
	COMMIT_NOT_ATTEMPTED, /* nothing was written (BUSY, AWAY, FULL, MEMORY, CORRUPT ...): *fault says why */
	/* perhaps written (UNKNOWN): ask by command id; the store is fatal now and takes no more */
	COMMIT_UNKNOWN
};

struct store_stats {
	log_position head;
	uint64_t commits;
	uint64_t syncs;
	uint64_t bytes_on_disk;
	uint64_t wal_bytes;
	uint64_t indexed_to; /* the stream index's mark */
	uint64_t remembered_ids;
};

/* A field of a store that counts meanwhile. Any thread. */
static inline uint64_t
store_stat(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* Filters of a log read; an empty slice matches all. */
struct log_filter {
	struct slice domain;
	struct slice stream_prefix; /* of the whole name */
	bool published_only;
	bool events_only;   /* no messages, documents and timers: they are passed unread */
	log_position until; /* the last one that is looked at; 0: the head */
};

struct read_limit {
	size_t entries; /* 1.. */
	size_t bytes;   /* of data; at least one entry is given whatever its size; 0 = no bound */
};

struct entries {
	struct recorded_entry *items;
	size_t count;
};

/* A kind of event that the log holds. */
struct type_found {
	struct slice aggregate; /* "domain.aggregate" */
	struct slice type;
	uint32_t schema_version;
	log_position newest; /* a late event of it; those after it lie within STORE_TYPES_LAG entries or so */
};

/* A remembered command. */
struct remembered {
	bool found;
	bool same; /* the fingerprint is the one asked with */
	log_position first;
	log_position last;
	struct slice reply;
};

struct record {
	struct slice key;
	struct slice value;
};

enum verify_finding_kind {
	VERIFY_CONTENT,    /* an entry's bytes do not give its digest */
	VERIFY_LINK,       /* an entry's link does not follow from the one before */
	VERIFY_VERSION,    /* a stream's versions are not 1..n */
	VERIFY_POSITION,   /* positions are not 1..h, or commit bounds do not fit */
	VERIFY_UNREADABLE, /* pages of first..last cannot be read */
	VERIFY_INDEX,      /* a derived index disagrees with the log: will be recomputed */
	VERIFY_TAIL,       /* the witness knows a later position or another link, or there is none that can be read */
	VERIFY_RECORD      /* a keyed record's bytes do not give its check */
};

struct verify_finding {
	enum verify_finding_kind kind;
	struct slice stream; /* may be empty */
	log_position first;
	log_position last;
	char text[200];
};

struct verify_report {
	/* NULL or called from the verifying thread. `finding` borrowed until it returns. */
	void (*found)(void *self, const struct verify_finding *finding);
	void (*progress)(void *self, log_position at, log_position head);
	void *self;
	uint64_t entries;
	uint64_t findings;
};

struct store_ops {
	void (*close)(struct store *store);
	/* See store_commit. */
	enum commit_result (*commit)(struct store *store, struct append **appends, size_t count, struct fault *fault);
	/* A bite of housekeeping (checkpoint, index), by the committer's role; true when there is more to do. */
	bool (*idle)(struct store *store);
	int (*reader_open)(struct store *store, struct store_reader **reader, struct fault *fault);
	void (*reader_close)(struct store_reader *reader);
	int (*read_stream)(struct store_reader *reader, struct slice stream, stream_version from,
			   struct read_limit limit, struct arena *arena, struct entries *entries,
			   stream_version *version, struct fault *fault);
	int (*read_log)(struct store_reader *reader, log_position after, const struct log_filter *filter,
			struct read_limit limit, struct arena *arena, struct entries *entries, log_position *seen,
			struct fault *fault);
	int (*position_at)(struct store_reader *reader, int64_t wall_us, log_position *position, struct fault *fault);
	int (*list_streams)(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
			    struct arena *arena, struct slice **names, size_t *count, struct fault *fault);
	int (*list_types)(struct store_reader *reader, struct slice domain, struct arena *arena,
			  struct type_found **types, size_t *count, struct fault *fault);
	int (*read_record)(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
			   struct slice *value, bool *found, struct fault *fault);
	int (*list_records)(struct store_reader *reader, struct slice space, struct slice after, size_t limit,
			    struct arena *arena, struct record **records, size_t *count, struct fault *fault);
	int (*list_spaces)(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
			   struct arena *arena, struct slice **spaces, size_t *count, struct fault *fault);
	int (*find_command)(struct store_reader *reader, const struct command_id *id,
			    const struct fingerprint *fingerprint, struct arena *arena, struct remembered *remembered,
			    struct fault *fault);
	/* Optional; NULL: not supported. */
	int (*list_generations)(struct store_reader *reader, struct arena *arena, uint32_t **generations, size_t *count,
				struct fault *fault);
	int (*hold)(struct store_reader *reader, log_position *head, struct fault *fault);
	void (*let_go)(struct store_reader *reader);
	int (*verify)(struct store_reader *reader, struct verify_report *report, struct fault *fault);
	int (*backup)(struct store_reader *reader, const char *path, struct verify_report *report, struct fault *fault);
};

struct store {
	const struct store_ops *ops;
	const char *kind;          /* "sqlite", "memory" */
	bool multi_stream;         /* capability: one append may write several streams */
	_Atomic uint64_t head;     /* last durable position */
	struct store_stats *stats; /* owned by the room; fields read by store_stat */
};

struct store_reader {
	struct store *store;
};

/* Closes it. Every reader must be closed before. `store` may be NULL. */
void store_close(struct store *store);

/*
 * Commits a group in one transaction with one sync. Compares each append's expected versions, records and command id in
 * memory and in order (an append sees those before it in the group); one that loses is answered and drops only itself;
 * an error that one append causes makes the room try the appends again one by one.
 * Gives: a result for the group; on COMMIT_DONE each append's answer.
 */
enum commit_result store_commit(struct store *store, struct append **appends, size_t count, struct fault *fault);
bool store_idle(struct store *store);

int store_reader_open(struct store *store, struct store_reader **reader, struct fault *fault);
void store_reader_close(struct store_reader *reader);

/* The last durable position. Any thread. */
log_position store_head(const struct store *store);

/*
 * Events of one stream from version `from` (>= 1), oldest first. *version: the stream's last version as of this read (0
 * = no such stream: an answer). Every entry's digest is checked. Fails: CORRUPT "digest_mismatch" naming stream,
 * version, position. From STORE_BEYOND on there is none in any stream: *version alone is asked.
 */
#define STORE_BEYOND ((stream_version)1 << 62)
int store_read_stream(struct store_reader *reader, struct slice stream, stream_version from, struct read_limit limit,
		      struct arena *arena, struct entries *entries, stream_version *version, struct fault *fault);
/*
 * Entries after a position, in order, never past the durable head [I4]. *seen: the position the reader has come to
 * (moves past filtered entries; equal to the head, or to `until`, when the end was reached). `filter` may be NULL.
 */
int store_read_log(struct store_reader *reader, log_position after, const struct log_filter *filter,
		   struct read_limit limit, struct arena *arena, struct entries *entries, log_position *seen,
		   struct fault *fault);
/* The last position recorded at or before a time; 0 when none was. */
int store_position_at(struct store_reader *reader, int64_t wall_us, log_position *position, struct fault *fault);
/* Names after `after` in bytewise order. */
int store_list_streams(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		       struct arena *arena, struct slice **names, size_t *count, struct fault *fault);
/*
 * Every (aggregate, type, schema version) of the events in the log, each once, without going through the log. An empty
 * `domain` asks for all.
 */
int store_list_types(struct store_reader *reader, struct slice domain, struct arena *arena, struct type_found **types,
		     size_t *count, struct fault *fault);
/*
 * Every generation that an entry of the log names, each once, in rising order, without going through the log; one that
 * no entry names any more may be among them. Fails: CONFIG "unsupported" where the room cannot.
 */
int store_list_generations(struct store_reader *reader, struct arena *arena, uint32_t **generations, size_t *count,
			   struct fault *fault);
int store_read_record(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
		      struct slice *value, bool *found, struct fault *fault);
/*
 * At most `limit` of a space, by key, behind `after`. Fails: CORRUPT "record_mismatch"; then (*records)[*count] is the
 * record that is not what was written, or *records is NULL where that cannot be told.
 */
int store_list_records(struct store_reader *reader, struct slice space, struct slice after, size_t limit,
		       struct arena *arena, struct record **records, size_t *count, struct fault *fault);
/* Spaces that hold records and begin with `prefix`, after `after`, in bytewise order. */
int store_list_spaces(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		      struct arena *arena, struct slice **spaces, size_t *count, struct fault *fault);
/*
 * From here to store_let_go the reader sees log and records as of one moment, *head the last position then; only
 * store_read_log and reads of records may be used. For a short while: the room cannot tidy up behind it. Fails: CONFIG
 * "unsupported" where the room cannot.
 */
int store_hold(struct store_reader *reader, log_position *head, struct fault *fault);
void store_let_go(struct store_reader *reader);
/* `fingerprint` may be NULL: `same` is then true whenever found. */
int store_find_command(struct store_reader *reader, const struct command_id *id, const struct fingerprint *fingerprint,
		       struct arena *arena, struct remembered *remembered, struct fault *fault);

/* Reads the whole log: digests, links, versions, positions, indexes, records, witness. Findings are no faults.
 * Fails: CONFIG "unsupported" where the room cannot; else as reads do. */
int store_verify(struct store_reader *reader, struct verify_report *report, struct fault *fault);
/* An online copy at `path` (must not exist), verified before this returns 0. */
int store_backup(struct store_reader *reader, const char *path, struct verify_report *report, struct fault *fault);

#endif
