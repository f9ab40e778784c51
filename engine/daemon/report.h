/* SPDX-License-Identifier: MIT */
/* A folder's rules, checked, and what is wrong with them in the form that people and editors read. */
#ifndef MOONLOG_DAEMON_REPORT_H
#define MOONLOG_DAEMON_REPORT_H

#include "base/buf.h"
#include "script/lua/check.h"

struct report {
	const char *folder;
	struct arena arena;
	struct source_set sources;
	struct findings findings;
	struct script_program *program; /* NULL: it does not load */
};

/* Reads the folder once and checks what it held. Owns: everything, until report_close (also after a failure). */
int report_open(struct report *report, const char *folder, const struct script_options *options, struct fault *fault);
void report_close(struct report *report);

/* Errors and warnings. */
size_t report_faults(const struct report *report);
/* "folder/account.lua:12: reason", the line and a caret below; notes only with `notes`. */
void report_text(const struct report *report, bool notes, struct buf *out);
/* {"folder","findings":[{"severity","code","file","line","text","excerpt"}],"ok"} and a line end. */
void report_json(const struct report *report, struct buf *out);

#endif
