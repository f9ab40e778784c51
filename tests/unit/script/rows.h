/* SPDX-License-Identifier: MIT */
/* A row port over a plain array, just enough for tests of scripts: no indexes, equality filters, no order. */
#ifndef MOONLOG_TESTS_UNIT_SCRIPT_ROWS_H
#define MOONLOG_TESTS_UNIT_SCRIPT_ROWS_H

#include "model/table.h"

struct rows {
	struct row_port port;
	struct arena arena;
	struct {
		uint16_t table;
		struct row row;
		bool gone;
	} items[200];
	size_t count;
};

void rows_init(struct rows *rows, const struct table *tables, size_t count);
void rows_fini(struct rows *rows);
/* Text of the cells of a table's rows: "a|5|-;b|6|x;", in insertion order. */
struct slice rows_text(struct rows *rows, uint16_t table);

#endif
