/* SPDX-License-Identifier: MIT */
/* What differs between two programs of a domain, for people: `moonlog dev`, `moonlog plan`, a reload's report. */
#ifndef MOONLOG_CORE_CHANGES_H
#define MOONLOG_CORE_CHANGES_H

#include "script/script.h"

enum change_kind {
	CHANGE_FILE,
	CHANGE_AGGREGATE, /* state_version, what its fold depends on */
	CHANGE_EVENT,
	CHANGE_COMMAND,
	CHANGE_TABLE,
	CHANGE_PROJECTION, /* changed: its rows are made anew */
	CHANGE_REACTOR,    /* or process manager: what it does */
	CHANGE_QUERY,
	CHANGE_ROUTE
};

enum change_way { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CHANGED };

struct change {
	enum change_kind kind;
	enum change_way way;
	struct slice name;   /* "account.lua", "account.MoneyDeposited", "GET /api/accounts/{id}" */
	struct slice detail; /* "version 1 to 2"; empty where the way says all */
};

struct change_side {
	const struct source_set *sources; /* may be NULL: files are not compared */
	const struct script_program *program;
};

/*
 * In order of kind, then as the programs list them. Names borrow from both sides. The same sources and program give an
 * empty list.
 */
int changes_find(const struct change_side *before, const struct change_side *after, struct arena *arena,
		 struct change **list, size_t *count, struct fault *fault);

const char *changes_kind_name(enum change_kind kind);
const char *changes_way_name(enum change_way way);
/* A JSON list: [{"kind","way","name","detail"}]. */
void changes_write_json(const struct change *list, size_t count, struct buf *out);
/* A line a change, two blanks before it: "  + event account.Closed", "  ~ projection balances: ...". */
void changes_write_text(const struct change *list, size_t count, struct buf *out);

#endif
