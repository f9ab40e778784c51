/* SPDX-License-Identifier: MIT */
/*
 * `moonlog test`: busted inside our process, specs in a Lua state with all libraries, the rules under test
 * through the very room that serves them.
 */
#ifndef MOONLOG_SCRIPT_LUA_KIT_H
#define MOONLOG_SCRIPT_LUA_KIT_H

#include "script/script.h"

struct kit_folder {
	const char *path; /* the domain's folder; its spec/ holds the specs */
	const struct source_set *sources;
};

/* Rows of one projection run; from whoever knows a view. */
struct kit_rows {
	const struct row_port *port; /* writable */
	void *self;
};

struct kit_options {
	const struct kit_folder *folders;
	size_t folder_count;
	/* Empty rows for a domain's tables; each is closed again by rows_close. */
	int (*rows_open)(void *self, const struct table *tables, size_t count, struct kit_rows *rows,
			 struct fault *fault);
	void (*rows_close)(void *self, struct kit_rows *rows);
	void *self;
	bool coverage;       /* which lines of handlers ran: told behind the specs' own output */
	double coverage_min; /* percent; fewer give 1 */
};

/*
 * Runs the specs of all folders; argv holds busted's options and, instead of the folders' spec/, files to run.
 * Output goes to stdout (one line a failure, then "N passed, N failed"; -o junit for machines), trouble to
 * stderr. Gives 0 when all passed, 1 when some failed, 2 when they could not be run (rules that do not load), 3 when
 * busted is missing.
 */
int moon_run_specs(int argc, const char *const *argv, const struct kit_options *options);

/*
 * Calls stopped with "file:line" where the specs are now, as soon as they are in Lua; "" when none run. It must not
 * return. For a signal's handler.
 */
void moon_stop_specs(void (*stopped)(const char *place));

#endif
