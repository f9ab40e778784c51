/* SPDX-License-Identifier: MIT */
/*
 * The projector: one thread a domain that follows the log for all projections of that domain. Entries go through the
 * scripts into the view in batches; rows and checkpoint of a projection move in one transaction [I6]. Each projection
 * has a checkpoint of its own; those at the same position share one read of the log.
 *
 * A poison event (the script or its rows refuse it) stops that projection alone, at that entry; the others go on.
 * What may pass by itself (busy, away, no memory, no space, a killed handler) is tried again with growing pauses.
 *
 * Threads: open, start, stop and close by one thread; everything marked "any thread" between open and close by any.
 */
#ifndef MOONLOG_CORE_PROJECTOR_H
#define MOONLOG_CORE_PROJECTOR_H

#include "bus/source.h"
#include "core/engine.h"
#include "script/script.h"
#include "store/store.h"
#include "view/view.h"

struct projector;

struct projector_options {
	/* All borrowed until projector_close. */
	struct store *store;
	struct view *view; /* the projector is its one writer; readers are anybody's */
	/*
	 * Feeds the projections that name topics; open NULL: they hear the log. Each has a group of its own, also for
	 * each `slot` of the view, so that it hears every lane.
	 */
	struct source_maker foreign;
	unsigned slot;
	const struct script_program *program;
	struct script_options script; /* of the machine it opens */
	const struct clock *clock;    /* NULL: the real one */
	size_t batch_entries;         /* at most in one transaction; 0 = 4000 */
	size_t batch_bytes;           /* of their data; 0 = 4 MiB */
	size_t remember;              /* ids of messages that a bus gave, each projection; 0: none */
	int64_t gather_us;            /* wait for more before a small batch; 0 = 2 ms, < 0 = never */
	/* Called on the projector's thread, holding no lock, after the position moved. Must not block. May be NULL. */
	void (*progressed)(void *self, log_position position);
	/* Called once, on the projector's thread, when a call on the view found it damaged (CORRUPT "view_corrupt"): it
	 * cannot be followed any further and wants to be made anew. Must not block. May be NULL. */
	void (*damaged)(void *self, const struct fault *fault);
	void *self;
};

/*
 * Defines the tables, reads the checkpoints, opens a machine. A projection whose definition changed starts from 0
 * (logged). Does not start a thread. Fails: what the view, store and script doors fail with.
 */
int projector_open(const struct projector_options *options, struct projector **projector, struct fault *fault);
/* Starts the thread. */
int projector_start(struct projector *projector, struct fault *fault);
/* Asks the thread to end after its present batch and waits for that. */
void projector_stop(struct projector *projector);
/* Stops when needed, writes the positions reached, frees. `projector` may be NULL. The view stays open. */
void projector_close(struct projector *projector);

/* The log has grown. Cheap: one atomic operation when the projector is awake. Any thread, after every commit. */
void projector_wake(struct projector *projector);
/* Somebody waits for a position: the next batch is not delayed to make it larger. Any thread. */
void projector_hurry(struct projector *projector);
/* Did a call on the view find it damaged? Any thread. */
bool projector_is_damaged(const struct projector *projector);
/* Has what a bus feeds come to the end of its topics once? true where a bus feeds nothing. Any thread. */
bool projector_is_level(const struct projector *projector);
/* Readers have what they are to have: the status does not say rebuilding until the next order for that. Any thread. */
void projector_is_read(struct projector *projector);
/*
 * The position that the rows of all projections have reached (stopped ones aside while any is not stopped, and those
 * that a bus feeds, unless they are rebuilt: then it is 0): every
 * row a reader sees in a snapshot begun after this call stands at it or later. The head when there are no
 * projections. Any thread.
 */
log_position projector_position(const struct projector *projector);
/* One status a projection, in the program's order; everything copied into `arena`. Any thread. Fails: MEMORY. */
int projector_status(struct projector *projector, struct arena *arena, struct projection_status **statuses,
		     size_t *count, struct fault *fault);
/*
 * Takes an order; the status tells the rest. RETRY tries the poison event again, SKIP steps over exactly the poison
 * that the status showed when the order was given, REBUILD empties the tables and starts from 0. Any thread. Fails:
 * INPUT "no_such_projection", "projection_not_stopped" (RETRY, SKIP).
 */
int projector_order(struct projector *projector, struct slice name, enum projection_order order, struct fault *fault);

/* engine_projection_rebuild_part. Any thread. */
int projector_rebuild_part(struct projector *projector, struct slice name, const struct projection_part *asked,
			   struct fault *fault);

/*
 * Holds the rows of all projections at one position: `position` (the head at some moment, so that no commit is cut in
 * two), or the foremost place that one of them has reached when that is further on. Until projector_resume nothing
 * moves past it and no order is followed; called again it moves the place on. For taking snapshots of two projectors
 * that can be compared. Stopped projections do not count. Any thread.
 */
void projector_pause_at(struct projector *projector, log_position position);
/*
 * Waits until it holds. Gives false when that was not so after `timeout_ns`: something is far behind or keeps failing;
 * it goes on trying until projector_resume. Any thread but the projector's.
 */
bool projector_wait_paused(struct projector *projector, int64_t timeout_ns, log_position *position);
/* Any thread. */
void projector_resume(struct projector *projector);

/*
 * One round by hand instead of projector_start: orders, then at most one batch a projection. Gives true when there is
 * more to do at once. For tests and simulation; never waits.
 */
bool projector_step(struct projector *projector);

#endif
