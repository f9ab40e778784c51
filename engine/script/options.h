/* SPDX-License-Identifier: MIT */
/* How programs and machines are made: what they may use, and where what they say goes. */
#ifndef MOONLOG_SCRIPT_OPTIONS_H
#define MOONLOG_SCRIPT_OPTIONS_H

#include "base/slice.h"

/*
 * How long calls may take, in milliseconds; 0 = the default. What counts is the thread's processor time, and four times
 * as much by the clock. A call that is stopped fails with SCRIPT "time_limit": the same may go well later.
 */
struct script_limits {
	uint32_t command_ms;    /* script_decide, what it loads included */
	uint32_t apply_ms;      /* script_fold of a batch, script_initial, script_encode, script_decode */
	uint32_t projection_ms; /* script_project of a batch */
	uint32_t query_ms;      /* script_query, script_show, script_upcast */
	uint32_t load_ms;       /* running the files, and checking what they gave */
};

#define SCRIPT_LIMITS                                                                                                  \
	{                                                                                                              \
		.command_ms = 250, .apply_ms = 1000, .projection_ms = 2000, .query_ms = 1000, .load_ms = 500           \
	}

/* What replaces them for one domain; 0 = as for all. */
struct script_domain_limits {
	struct slice domain;
	struct script_limits limits;
};

struct script_options {
	size_t heap_bytes; /* of one machine; 0 = 64 MiB */
	size_t pool_bytes; /* of all machines of the process; 0 = as it was, at first without bound */
	struct script_limits limits;
	const struct script_domain_limits *domain_limits; /* outlive the machines */
	size_t domain_limit_count;
	bool development; /* tracebacks in answers */
	/* print and ctx:log end here; level as in log.h */
	void (*say)(void *self, int level, struct slice domain, struct slice text);
	void *say_self;
};

#endif
