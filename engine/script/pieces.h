/* SPDX-License-Identifier: MIT */
/* What a recorded event is under the rules of today: the answer of script_upcast. */
#ifndef MOONLOG_SCRIPT_PIECES_H
#define MOONLOG_SCRIPT_PIECES_H

#include "base/slice.h"

/* One of the events that a recorded event is under the rules of today. */
struct script_piece {
	struct slice type;
	uint32_t schema_version;
	struct slice data; /* canonical JSON: stored form, or the wire's */
};

/* One call of an upcaster. */
struct script_step {
	struct slice type; /* what went in */
	uint32_t schema_version;
	size_t parent; /* its input is result `place` of steps[parent]; SIZE_MAX: what was recorded */
	size_t place;
	const struct script_piece *results; /* stored form */
	size_t count;                       /* 0: dropped */
};

struct script_pieces {
	struct script_piece *items; /* in order; none when the event is dropped */
	size_t count;
	struct script_step *steps; /* in the order of their calls, with UPCAST_STEPS */
	size_t step_count;
};

enum {
	UPCAST_STEPS = 1,  /* give each step, also those before one that failed */
	UPCAST_WIRE = 2,   /* data as the wire shows it: money as decimals, times as ISO 8601 text */
	UPCAST_CHECKED = 4 /* data that its newest schema refuses is a fault: SCRIPT "bad_upcast" */
};

#endif
