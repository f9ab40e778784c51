/* SPDX-License-Identifier: MIT */
/*
 * The rows that one event caused: a domain's projections over rows in memory, with every row noted before it is
 * written. What they knew before comes from the events that were given before: those of one stream are enough for most.
 */
#ifndef MOONLOG_DAEMON_DEBUG_ROWS_H
#define MOONLOG_DAEMON_DEBUG_ROWS_H

#include "daemon/rules.h"
#include "view/view.h"

struct touched {
	uint16_t table;
	struct cell *key;
	bool had;
	struct row before;
};

struct debug_rows {
	const struct rules *rules;
	struct view *view;
	const struct row_port *below;
	struct row_port port; /* over `below`, noting */
	struct arena arena;   /* of what is noted */
	struct touched *items;
	size_t count;
	size_t room;
	bool noting;
};

/* A row that is another than before; `before` or `after` is empty for one that was not or is no more. JSON objects. */
struct debug_rows_sink {
	void (*each)(void *self, struct slice projection, struct slice table, struct slice before, struct slice after);
	/* A projection that failed at this event. */
	void (*failed)(void *self, struct slice projection, const struct fault *fault);
	void *self;
};

/* Owns: until debug_rows_close, also after a failure. */
int debug_rows_open(struct debug_rows *rows, const struct rules *rules, struct fault *fault);
void debug_rows_close(struct debug_rows *rows);
/* Events before those that are asked about. A projection that fails here only misses that event. */
void debug_rows_past(struct debug_rows *rows, const struct recorded_entry *entries, size_t count);
int debug_rows_entry(struct debug_rows *rows, const struct recorded_entry *entry, const struct debug_rows_sink *sink,
		     struct fault *fault);

#endif
