/* SPDX-License-Identifier: MIT */
/*
 * Shadow replay: recorded history through the rules that decide now and through those that want to, stream by stream,
 * newest first. Two folds of the same events must give the same canonical state; where they do not, the first event
 * that the new rules treat differently is named.
 *
 * It judges folds, with the upcasters before them. What `handle` would decide is not asked. A call that was stopped by
 * the watchdog is no difference: the stream counts as not asked.
 */
#ifndef MOONLOG_CORE_SHADOW_H
#define MOONLOG_CORE_SHADOW_H

#include "base/clock.h"
#include "core/ruleset.h"
#include "store/store.h"
#include "view/view.h"

#define SHADOW_SHOWN_MAX 20 /* differences that are told in detail */

struct shadow_options {
	struct store *store;
	const struct clock *clock;
	const struct script_options *script;
	struct ruleset *before;
	struct ruleset *after;
	unsigned threads;                 /* streams asked at once; 1.. */
	int64_t box_us;                   /* ends after this time, with what was asked until then; 0: asks all */
	const _Atomic unsigned *pressing; /* not 0: something goes first; may be NULL */
	/* Rows in memory, for shadow_rows.h; NULL: rows are not asked. */
	int (*scratch)(const struct table *tables, size_t table_count, struct view **view, struct fault *fault);
};

struct shadow_difference {
	struct slice stream;
	struct slice aggregate;
	stream_version version; /* of the first event that is treated differently */
	log_position position;
	struct slice type;
	bool declared;       /* the aggregate's state_version was raised: a difference is meant */
	struct slice before; /* canonical states after that event; empty: too large to show */
	struct slice after;
	struct slice places; /* where they part, as shadow_places.h says, whatever their size */
	struct slice raised; /* the new rules fail on it: place and reason; then `after` is empty */
};

struct shadow_result {
	uint64_t streams;        /* of the domain, whose aggregates' folds differ at all */
	uint64_t asked;          /* of them */
	uint64_t events;         /* folded, once by each side */
	uint64_t left_out;       /* of those: the rules of before fail on them, the new ones do not until there */
	uint64_t stopped;        /* streams on which the watchdog ended a call */
	struct slice stopped_at; /* one of them */
	uint64_t differing;
	uint64_t undeclared; /* of those: of aggregates whose state_version was not raised */
	struct shadow_difference *shown;
	size_t shown_count;
	int64_t took_us;
};

/* Gives 0 while history may go on. Fails: BUSY "broken_off". */
int shadow_goes_on(const struct shadow_options *options, struct fault *fault);
/*
 * Runs in threads of its own, at low priority, and returns when they have ended. Everything given lies in `arena`.
 * Fails: as reading and opening machines do; BUSY "broken_off", something goes first; a difference is no fault.
 */
int shadow_run(const struct shadow_options *options, struct arena *arena, struct shadow_result *result,
	       struct fault *fault);

#endif
