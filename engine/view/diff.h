/* SPDX-License-Identifier: MIT */
/*
 * What differs between two read models: table by table, row by row. For two projections held at the same position this
 * is what a change of rules changes for readers.
 */
#ifndef MOONLOG_VIEW_DIFF_H
#define MOONLOG_VIEW_DIFF_H

#include <stdatomic.h>

#include "base/buf.h"
#include "view/view.h"

enum view_diff_kind { DIFF_GONE, DIFF_NEW, DIFF_CHANGED };

/* A row as canonical JSON: members in bytewise order; money in minor units, time in microseconds since 1970. */
struct view_diff_sample {
	enum view_diff_kind kind;
	struct slice key;    /* object of the key's columns */
	struct slice before; /* object of all columns; empty for a new row */
	struct slice after;  /* empty for a row that is gone */
};

struct view_diff_table {
	struct slice name;
	bool in_before;
	bool in_after;
	/* Columns and key are the same in both, so rows were compared; else only counted. */
	bool compared;
	uint64_t rows_before;
	uint64_t rows_after;
	uint64_t gone;                    /* keys that only `before` has */
	uint64_t fresh;                   /* keys that only `after` has */
	uint64_t changed;                 /* keys of both with other cells */
	struct view_diff_sample *samples; /* the first ones by key */
	size_t sample_count;
};

struct view_diff {
	struct view_diff_table *tables; /* those of `before` in its order, then those that only `after` has */
	size_t table_count;
	uint64_t differing; /* gone, fresh and changed rows of all tables; all rows of tables that were only counted */
};

struct view_diff_options {
	size_t samples;            /* at most of each table */
	const struct slice *names; /* of the tables to look at; NULL: all */
	size_t name_count;
	const _Atomic bool *stop; /* set by anybody: give up; may be NULL */
};

/*
 * Compares two snapshots: readers' ports between view_reader_begin and view_reader_end, or those of two batches. Walks
 * both in key order with a page of each in memory. Gives everything in `arena`. Fails: what the ports fail with;
 * TIMEOUT "diff_stopped"; MEMORY.
 */
int view_diff(const struct row_port *before, const struct row_port *after, const struct view_diff_options *options,
	      struct arena *arena, struct view_diff *diff, struct fault *fault);
/* Appends a JSON array, an object a table: "table", "compared", counts, "samples". */
void view_diff_write(const struct view_diff *diff, struct buf *out);

#endif
