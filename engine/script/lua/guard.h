/* SPDX-License-Identifier: MIT */
/*
 * Rows of one stream: a row port before another one that lets a handler touch only rows whose stream column holds the
 * stream's id. So what a table's `stream_column` says is true of every row ever written, and the rows of one stream can
 * be made anew from that stream alone.
 *
 * Fails: SCRIPT "foreign_row", which no pcall of a handler stops; what the port behind fails with. A duplicate that may
 * be another stream's row is a "foreign_row" too: a handler must not learn of it.
 */
#ifndef MOONLOG_SCRIPT_LUA_GUARD_H
#define MOONLOG_SCRIPT_LUA_GUARD_H

#include "base/arena.h"
#include "model/table.h"

struct moon_guard {
	const struct row_port *behind;
	struct slice stream; /* whole name, for messages */
	struct slice id;
	struct arena scratch;
	struct row_port port; /* to be used in place of `behind` */
};

void moon_guard_init(struct moon_guard *guard, const struct row_port *behind);
void moon_guard_fini(struct moon_guard *guard);
/* The events that follow are of this stream (borrowed until the next one). */
void moon_guard_stream(struct moon_guard *guard, struct slice stream);

#endif
