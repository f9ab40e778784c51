/* SPDX-License-Identifier: MIT */
/*
 * What the queries of a domain see: a read model with the projector that fills it. A reload whose projections are the
 * same keeps it; one that changes them has another one made beside it, and queries change over when that one has
 * caught up. So a query sees the whole of the old or the whole of the new.
 *
 * Threads: opened and closed by one; held and released by any; what is inside has the threads of view.h, projector.h.
 */
#ifndef MOONLOG_CORE_READSIDE_H
#define MOONLOG_CORE_READSIDE_H

#include "core/projector.h"
#include "core/ruleset.h"

struct readside {
	struct ruleset *rules; /* whose projections fill it, whose tables it has; held */
	struct view *view;
	struct projector *projector; /* NULL: no projections */
	unsigned slot;
	_Atomic bool damaged; /* somebody who read its rows found that */
	_Atomic size_t users; /* windows of readers; it is closed by its owner when there are none */
};

/* How a read model is to be made. */
struct readside_plan {
	const struct engine_parts *parts;
	struct ruleset *rules;
	unsigned slot;
	const struct projector_options *options; /* of the projector, without view and program */
	struct view *from;        /* rows and checkpoints are a copy of these; NULL: they are what the slot holds */
	const _Atomic bool *stop; /* set by anybody: give the copy up; may be NULL */
	const bool *reset;        /* by number of the projection: its rows in the copy are emptied; NULL: none */
};

/* Fails: as copying and opening views does (TIMEOUT "copy_stopped", CORRUPT "view_corrupt"), as opening projectors. */
int readside_make(const struct readside_plan *plan, struct readside **readside, struct fault *fault);
/*
 * What slot holds, with the rules' tables. `options`: of the projector, without view and program. Opens view and
 * projector, starts no thread. Fails: as opening views and projectors does.
 */
int readside_open(const struct engine_parts *parts, struct ruleset *rules, unsigned slot,
		  const struct projector_options *options, struct readside **readside, struct fault *fault);
/* The slot that serves readers, made when there is none; all others are thrown away. NULL where the rules have neither
 * projections nor queries. */
int readside_open_live(const struct engine_parts *parts, struct ruleset *rules, const struct projector_options *options,
		       struct readside **readside, struct fault *fault);
/* Nobody holds it any more. `readside` may be NULL. */
void readside_close(struct readside *readside);

/* Would these rules have the same tables, filled in the same way? */
bool readside_fits(const struct readside *readside, const struct ruleset *rules);

static inline struct readside *
readside_hold(struct readside *readside)
{
	atomic_fetch_add(&readside->users, 1);
	return readside;
}

static inline void
readside_release(struct readside *readside)
{
	if (readside != NULL)
		atomic_fetch_sub(&readside->users, 1);
}

/* Did a reader of its rows, or its projector, find it damaged? */
static inline bool
readside_is_damaged(const struct readside *readside)
{
	return atomic_load(&readside->damaged) ||
	       (readside->projector != NULL && projector_is_damaged(readside->projector));
}

/* By number of a program's projection: would its rows be other ones by `rules` than they are here? */
bool readside_differs(const struct readside *readside, const struct ruleset *rules, size_t number);

/* The rows stand here; the head where nothing is projected. Any thread that holds it. */
log_position readside_position(const struct readside *readside, const struct store *store);

#endif
