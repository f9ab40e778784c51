/* SPDX-License-Identifier: MIT */
/*
 * `moonlog check`: everything that can be said about rules without running them on data. Loading ends at its first
 * finding; here the same checks go on behind each one, and what loading does not look at is read from the text.
 */
#ifndef MOONLOG_SCRIPT_LUA_CHECK_H
#define MOONLOG_SCRIPT_LUA_CHECK_H

#include "script/script.h"

enum finding_severity {
	FINDING_ERROR,   /* loading refuses it, or it fails when it runs */
	FINDING_WARNING, /* loads, and is hardly meant */
	FINDING_NOTE     /* may well be meant */
};

struct finding {
	enum finding_severity severity;
	const char *code;  /* "unknown_field" */
	struct slice file; /* empty: not in one file */
	int line;
	struct slice text;    /* the reason, one line */
	struct slice excerpt; /* the source line and a caret line; may be empty */
};

struct findings {
	struct arena *arena; /* of items and texts */
	struct finding *items;
	size_t count;
	size_t room;
	size_t errors;             /* of them */
	const struct slice *types; /* all events that the domain declares; NULL: not known, for some file is broken */
	size_t type_count;
	const struct slice *commands; /* "aggregate.Command" of all; NULL: not known */
	size_t command_count;
	const struct slice *tables; /* of all read models; NULL: not known */
	size_t table_count;
	bool lost; /* memory ran out: some are missing */
};

/* Adds one unless it is there already; slices and text are copied. */
void findings_add(struct findings *findings, const struct finding *finding);
/* The same with an error's place and words; `code` is kept. */
struct vm_trouble;
void findings_trouble(struct findings *findings, const char *code, const struct vm_trouble *trouble);

/*
 * Gathers all findings, in order of file and line; needs nothing in `findings` but the arena. *program is what was
 * loaded when no error was found, else NULL; script_unload frees it. A limit that stops the files is a finding, the
 * last. Fails: INPUT (sources that are no text), MEMORY.
 */
int moon_check(const struct source_set *sources, const struct script_options *options, struct findings *findings,
	       struct script_program **program, struct fault *fault);

#endif
