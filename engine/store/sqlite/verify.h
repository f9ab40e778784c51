/* SPDX-License-Identifier: MIT */
/* Looking over a whole store, and copying it. See store_verify and store_backup. */
#ifndef MOONLOG_STORE_SQLITE_VERIFY_H
#define MOONLOG_STORE_SQLITE_VERIFY_H

#include "store/sqlite/room.h"

/* A verification on its way; made by verify.c, shared with verify_index.c. */
struct verification {
	struct sqlite_reader *reader;
	struct verify_report *report;
	bool alone; /* a copy that has no witness yet */
	log_position head;
	log_position at;
	struct check link; /* of the entry at `at` */
	int64_t time;
	uint32_t part_size; /* of the commit at `at`, and how far into it */
	uint32_t part_offset;
	stream_version *versions; /* by stream id */
	uint64_t streams;         /* room of `versions` */
	uint64_t last_born;

	/* The index, made again as the log goes by. */
	struct segment_range *segments;
	size_t segment_count;
	size_t segment;    /* the one that the log is in, or segment_count */
	struct live *live; /* what it should hold; NULL when the log had a hole in it */

	struct catalogue kinds; /* of events that have gone by */
};

int sqlite_verify(struct store_reader *reader, struct verify_report *report, struct fault *fault);
/* The same of a copy that has no witness beside it. */
int sqlite_verify_copy(struct store_reader *reader, struct verify_report *report, struct fault *fault);
int sqlite_backup(struct store_reader *reader, const char *path, struct verify_report *report, struct fault *fault);

void verify_finding(struct verification *verification, enum verify_finding_kind kind, struct slice stream,
		    log_position first, log_position last, const char *text);

/* verify_index.c */
int verify_index_begin(struct verification *verification, struct fault *fault);
void verify_index_end(struct verification *verification);
/* The log goes on with this row; `name`: of its stream. */
int verify_index_row(struct verification *verification, const struct row *row, struct slice name, struct fault *fault);
/* The log has a hole: what the present segment should hold is not known. */
void verify_index_hole(struct verification *verification);
/* verify_types.c. The kinds of events: each row, and the table at the end. */
int verify_types_row(struct verification *verification, const struct row *row, struct slice name, struct fault *fault);
int verify_types_end(struct verification *verification, struct fault *fault);
/* Keyed records, commands without entries, and the shape of the small tables. */
int verify_rest(struct verification *verification, struct fault *fault);

#endif
