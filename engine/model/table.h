/* SPDX-License-Identifier: MIT */
/*
 * Read-model tables, rows and queries as plain values, so that the script door and the view door can speak of the same
 * thing without knowing each other. Scripts reach a view only through struct row_port.
 */
#ifndef MOONLOG_MODEL_TABLE_H
#define MOONLOG_MODEL_TABLE_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/slice.h"

enum column_type {
	COLUMN_TEXT,
	COLUMN_INTEGER,
	COLUMN_REAL,
	COLUMN_BOOLEAN,
	COLUMN_MONEY, /* integer minor units in the table; a decimal only at the HTTP edge */
	COLUMN_TIME,  /* integer microseconds since 1970; ISO 8601 text at the HTTP edge */
	COLUMN_JSON   /* canonical JSON text */
};

struct column {
	struct slice name;
	enum column_type type;
	bool optional;         /* may be null */
	uint32_t length_max;   /* characters of text; 0 = no bound */
	struct slice currency; /* COLUMN_MONEY: name of the column that holds it; empty: the domain's setting */
};

struct column_set { /* an index or a key: column numbers in order */
	const uint16_t *columns;
	uint16_t count;
	bool unique;
};

struct table {
	struct slice name; /* as the author wrote it, e.g. "Balances" */
	const struct column *columns;
	uint16_t column_count;
	struct column_set key; /* 1.. columns; always unique */
	const struct column_set *indexes;
	uint16_t index_count;
	/* Number + 1 of the text column that holds the id of the one stream a row comes from; 0: not said. */
	uint16_t stream_column;
};

#define ROW_KEY_MAX 16 /* columns of a key or index */

struct cell {
	enum { CELL_NULL, CELL_INTEGER, CELL_REAL, CELL_TEXT, CELL_UNSET } kind; /* UNSET: not named in a write */
	int64_t integer; /* also booleans (0, 1), money and time */
	double real;
	struct slice text;
};

/* One cell a column, in the table's column order. */
struct row {
	struct cell *cells;
};

enum filter_op {
	FILTER_EQ,
	FILTER_NE,
	FILTER_LT,
	FILTER_LE,
	FILTER_GT,
	FILTER_GE,
	FILTER_PREFIX,
	FILTER_IS_NULL,
	FILTER_NOT_NULL
};

struct filter {
	uint16_t column;
	enum filter_op op;
	struct cell value;
};

struct order {
	uint16_t column;
	bool descending;
};

/* All filters hold (and); rows in this order, the key's columns breaking ties. */
struct row_query {
	uint16_t table; /* index in the port's tables */
	const struct filter *filters;
	size_t filter_count;
	const struct order *orders;
	size_t order_count;
	uint32_t limit; /* 1..ROW_LIMIT_MAX */
	uint32_t offset;
};

#define ROW_LIMIT_MAX 1000

/*
 * What a script may do with the rows of its domain while a projection batch or a query runs. Core fills it from a view;
 * the test kit fills it from a view in memory. `arena` of each call holds what is given back.
 * A failing call gives -1; the script room raises it in Lua and hands the same fault on.
 */
struct row_port {
	const struct table *tables;
	uint16_t table_count;
	bool writable; /* false in queries: the writing calls are refused by the script room */
	void *self;
	/* *found false when there is no such row. `key` has one cell a key column. */
	int (*get)(void *self, uint16_t table, const struct cell *key, struct arena *arena, struct row *row,
		   bool *found, struct fault *fault);
	/* A row that exists is replaced whole. */
	int (*put)(void *self, uint16_t table, const struct row *row, struct fault *fault);
	/* Only a row that does not exist; INPUT "duplicate_row" otherwise (also from a unique index). */
	int (*insert)(void *self, uint16_t table, const struct row *row, struct fault *fault);
	/* Cells of kind UNSET stay as they are. *found false when there is no such row. */
	int (*update)(void *self, uint16_t table, const struct cell *key, const struct row *changes, bool *found,
		      struct fault *fault);
	/* Adds to numeric columns; UNSET cells stay. A missing row is made with nulls elsewhere, 0 + amount here. */
	int (*add)(void *self, uint16_t table, const struct cell *key, const struct row *amounts, struct fault *fault);
	int (*remove)(void *self, uint16_t table, const struct cell *key, bool *found, struct fault *fault);
	int (*remove_where)(void *self, uint16_t table, const struct filter *filters, size_t count, uint64_t *removed,
			    struct fault *fault);
	/* *rows: array of *count rows in `arena`. */
	int (*find)(void *self, const struct row_query *query, struct arena *arena, struct row **rows, size_t *count,
		    struct fault *fault);
	int (*count)(void *self, const struct row_query *query, uint64_t *count, struct fault *fault);
	/* At most `limit` rows in key order, those after `after` (NULL: from the first one); for walking whole tables.
	 * NULL in ports that no walk needs. */
	int (*scan)(void *self, uint16_t table, const struct cell *after, uint32_t limit, struct arena *arena,
		    struct row **rows, size_t *count, struct fault *fault);
};

#endif
