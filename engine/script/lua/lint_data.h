/* SPDX-License-Identifier: MIT */
/* Fields that a handler reads or writes and that no schema has; columns that no table has. From the text alone. */
#ifndef MOONLOG_SCRIPT_LUA_LINT_DATA_H
#define MOONLOG_SCRIPT_LUA_LINT_DATA_H

#include "model/table.h"
#include "script/lua/lint.h"
#include "script/lua/schema.h"

/* A function in a file, and what its parameters are. One function may be several handlers: then all of them count. */
struct lint_shape {
	uint16_t source; /* the file of its text */
	int line;        /* where it begins */
	unsigned data;   /* the parameter that holds data, from 1; 0: none */
	unsigned view;   /* the one that is a view */
	bool decides;    /* it gives events */
	const char *whose;
	const struct schema *fields; /* of data; NULL: any */
};

/* An event that may be given. */
struct lint_event {
	struct slice name;
	const struct schema *fields;
};

struct lint_data {
	struct findings *findings;
	const struct source_set *sources;
	const struct lint_shape *shapes;
	size_t shape_count;
	const struct lint_event *events;
	size_t event_count;
	const struct table *tables;
	size_t table_count;
};

/* Of one file that compiles. Fails when memory is out. */
bool lint_data_file(const struct lint_data *lint, uint16_t source);

#endif
