/* SPDX-License-Identifier: MIT */
/*
 * Lanes: the order of commands on one stream within one worker. A lane has at most one holder, the command that is
 * being decided or committed; others queue behind it. An append in flight that writes the stream, whoever's, also
 * keeps it busy, because deciding meanwhile could only end in a conflict.
 *
 * A holder that wants to load another stream whose append is in flight is parked there until it has landed. It waits
 * for a flight, never for a holder, so waiting cannot become a circle.
 *
 * Thread: one worker.
 */
#ifndef MOONLOG_CORE_LANE_H
#define MOONLOG_CORE_LANE_H

#include "core/command.h"

#define LANE_BUCKETS 1024

struct lane_queue {
	struct command *first, *last;
};

struct lane {
	struct lane *next; /* in its bucket, or free */
	struct lane *next_ready;
	struct command *holder;
	unsigned flying; /* appends in flight that write the stream */
	/* reactions: of which chain they are, and that somebody of another one waits for them (reaction.h) */
	const void *chain;
	bool wanted;
	struct lane_queue waiting;
	struct lane_queue parked;
	bool ready; /* on the list of lanes to look at */
	unsigned domain;
	uint64_t hash;
	size_t size;
	char name[STREAM_NAME_MAX];
};

struct lanes {
	struct lane *buckets[LANE_BUCKETS];
	struct lane *free;
	struct lane_list {
		struct lane *first, *last;
	} ready[DOMAIN_MAX];    /* by domain, so that each has its turn */
	uint64_t ready_domains; /* bit a list that is not empty */
	unsigned turn;
	size_t count;
};

void lanes_fini(struct lanes *lanes);
/* Queues a command for its own stream. -1 when memory is out. */
int lane_enter(struct lanes *lanes, struct command *command);
/*
 * The next command that may be decided now; it holds its lane. NULL when all have to wait. Domains take turns: however
 * many commands one has waiting, another's next one waits for one of each.
 */
struct command *lane_next(struct lanes *lanes);
/* The holder is done with its stream. */
void lane_leave(struct lanes *lanes, struct command *command);
/* An append that writes `name` was given to the committer. NULL when memory is out, which costs only a conflict
 * later. */
struct lane *lane_fly(struct lanes *lanes, struct slice name, uint64_t hash);
void lane_land(struct lanes *lanes, struct lane *lane);
/* The lane of a stream that an append in flight writes; NULL when there is none. */
struct lane *lane_flying(struct lanes *lanes, struct slice name, uint64_t hash);
/* Is there a lane that lane_next has not looked at? */
static inline bool
lanes_ready(const struct lanes *lanes)
{
	return lanes->ready_domains != 0;
}
void lane_park(struct lanes *lanes, struct lane *lane, struct command *command);

#endif
