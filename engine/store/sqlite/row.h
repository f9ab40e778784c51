/* SPDX-License-Identifier: MIT */
/* A row of the table `entries`, as bytes in columns, and what is checked when it is read [I2]. */
#ifndef MOONLOG_STORE_SQLITE_ROW_H
#define MOONLOG_STORE_SQLITE_ROW_H

#include "base/buf.h"
#include "model/command_id.h"
#include "model/entry.h"
#include "store/sqlite/link.h"

struct row {
	log_position position;
	uint64_t stream;
	stream_version version;
	uint64_t type;
	int64_t at;
	uint32_t part; /* 0: a commit of one entry; else size * 1024 + offset in the commit */
	uint32_t seal;
	struct slice command; /* of a commit's first entry: id, fingerprint, reply; else empty */
	struct check digest;
	struct check link;
	struct slice meta;
	struct slice data;
};

/* What stands beside an entry's data and type: provenance, key, headers. */
struct row_meta {
	struct provenance provenance;
	struct slice key;
	struct slice headers;
};

/* 2026-01-01T00:00:00Z: times are stored relative to it, which saves two bytes an entry until 2030. */
#define ROW_EPOCH_US INT64_C(1767225600000000)

#define SEAL_SIZE 3 /* it stands behind the link, in the same column */

#define COMMAND_HEAD (sizeof(struct command_id) + sizeof(struct fingerprint))

struct row_command {
	struct command_id id;
	struct fingerprint fingerprint;
	struct slice reply;
};

uint32_t row_part(uint32_t size, uint32_t offset);
static inline uint32_t
row_size(uint32_t part)
{
	return part == 0 ? 1 : part / 1024;
}
static inline uint32_t
row_offset(uint32_t part)
{
	return part % 1024;
}

/* 24 bits over all that neither the digest covers nor anybody recomputes at a plain read. */
uint32_t row_seal(const struct row *row);
/* Of a commit without entries. */
uint32_t row_seal_bare(uint64_t number, log_position position, int64_t at, struct slice command);
uint32_t row_seal_name(uint64_t stream, struct slice name);
uint32_t row_seal_record(struct slice space, struct slice key, struct slice value);

/* Binds every column; what the row borrows must outlive the step. */
void row_bind(sqlite3_stmt *statement, const struct row *row);
/* Borrows from the statement; loads what it can. Fails: CORRUPT "row_mismatch" with the position. */
int row_load(sqlite3_stmt *statement, struct row *row, struct fault *fault);
/* The same in two halves: all but digest, metadata and data, which stay empty; then these. */
int row_load_head(sqlite3_stmt *statement, struct row *row, struct fault *fault);
int row_load_rest(sqlite3_stmt *statement, struct row *row, struct fault *fault);
/* The same from the narrow columns, which leave out type, digest, metadata and data: they stay empty. */
int row_load_narrow(sqlite3_stmt *statement, struct row *row, struct fault *fault);
/* Whether a column holds exactly this seal. */
static inline bool
row_has_seal(sqlite3_stmt *statement, int column, uint32_t seal)
{
	return sqlite3_column_int64(statement, column) == (int64_t)seal;
}

/* Empty when all are defaults. */
void row_put_meta(struct buf *out, const struct row_meta *meta);
/* Borrows. false: damaged. */
bool row_get_meta(struct slice bytes, struct row_meta *meta);
bool row_get_command(struct slice bytes, struct row_command *command);

#endif
