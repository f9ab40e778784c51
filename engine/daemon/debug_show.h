/* SPDX-License-Identifier: MIT */
/* One event of `debug`, as text for people or as a JSON object for tools. */
#ifndef MOONLOG_DAEMON_DEBUG_SHOW_H
#define MOONLOG_DAEMON_DEBUG_SHOW_H

#include "base/buf.h"
#include "base/json.h"
#include "script/script.h"
#include "store/store.h"

/* What is known of an event; pieces are gathered before it is shown. */
struct debug_event {
	const struct recorded_entry *entry;
	struct script_pieces pieces;
	const struct fault *upcast_fault; /* NULL: the chain ran through */
	struct slice before;              /* canonical states; `after` is empty when the fold failed */
	struct slice after;
	const struct fault *fold_fault;
	struct entries commit; /* all entries of its commit */
	bool rows_known;
	const struct debug_row {
		struct slice projection;
		struct slice table;
		struct slice before;
		struct slice after;
		struct slice failure; /* instead of a row */
	} * rows;
	size_t row_count;
};

void debug_show_json(const struct debug_event *event, struct buf *out);
void debug_show_text(const struct debug_event *event, bool colour, struct buf *out);

#endif
