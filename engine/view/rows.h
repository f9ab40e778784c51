/* SPDX-License-Identifier: MIT */
/*
 * What a row, a key and a query must be, so that every room of the view's door answers alike: one set of checks, one
 * order of cells, one meaning of each filter.
 *
 * Order of cells: null, then numbers by value, then text bytewise. A null holds no filter but IS_NULL and NE; EQ
 * and NE with a null value mean IS_NULL and NOT_NULL.
 */
#ifndef MOONLOG_VIEW_ROWS_H
#define MOONLOG_VIEW_ROWS_H

#include "base/buf.h"
#include "model/table.h"

/* <0, 0, >0; integers and reals compare by exact value; UNSET counts as null. */
int rows_compare(const struct cell *a, const struct cell *b);
/* By the set's columns of two whole rows. */
int rows_compare_by(const struct column_set *set, const struct cell *a, const struct cell *b);
/* Do rows of both look alike: the same columns in the same order, the same key? Names of tables do not matter. */
bool rows_same_shape(const struct table *a, const struct table *b);
/* The same name, shape and indexes: rows of one can be kept as rows of the other. */
bool rows_same_table(const struct table *a, const struct table *b);
/* What a cell becomes in this column: UNSET gives null, an integer in a real column gives a real. */
struct cell rows_stored(const struct column *column, const struct cell *cell);

/* A key's cells, one a key column, in the key's order. Fails: INPUT "bad_key". */
int rows_check_key(const struct table *table, const struct cell *key, struct fault *fault);
/* A whole row. Fails: INPUT "bad_cell", "missing_column", "too_long". */
int rows_check_row(const struct table *table, const struct row *row, struct fault *fault);
/* Changes to the row of `key`, which must stay its key. Fails: as rows_check_row, INPUT "key_changed". */
int rows_check_changes(const struct table *table, const struct cell *key, const struct row *changes,
		       struct fault *fault);
/* Fails: INPUT "bad_cell" for what is no number or no numeric column. */
int rows_check_amounts(const struct table *table, const struct row *amounts, struct fault *fault);
/*
 * before + amounts into `after` (column_count cells, texts borrowed). `before` NULL: no such row, `key` fills the
 * key's columns. Fails: INPUT "overflow", "missing_column".
 */
int rows_sum(const struct table *table, const struct cell *key, const struct cell *before, const struct row *amounts,
	     struct cell *after, struct fault *fault);
/* Fails: INPUT "bad_filter". */
int rows_check_filters(const struct table *table, const struct filter *filters, size_t count, struct fault *fault);
/* Filters, orders, and a limit in 1..ROW_LIMIT_MAX when `limited`. Fails: INPUT "bad_filter", "bad_order", "bad_limit". */
int rows_check_query(const struct table *table, const struct row_query *query, bool limited, struct fault *fault);

/* The filter with null values made plain: EQ null is IS_NULL, NE null is NOT_NULL. */
struct filter rows_plain(const struct filter *filter);
/* Do all filters hold for a whole row? */
bool rows_hold(const struct filter *filters, size_t count, const struct cell *cells);
/* The key's cells of a whole row, into `key`. */
void rows_key_of(const struct table *table, const struct cell *cells, struct cell *key);
/* Is the column part of the key? */
bool rows_in_set(const struct column_set *set, uint16_t column);
/*
 * Appends a whole row, or the columns of its key alone, as canonical JSON: members in bytewise order; money in minor
 * units, time in microseconds since 1970.
 */
void rows_write(const struct table *table, const struct cell *cells, bool key_only, struct buf *out);
/* INPUT "duplicate_row" naming table and columns. Gives -1. */
int rows_duplicate(const struct table *table, const struct column_set *set, struct fault *fault);

#endif
