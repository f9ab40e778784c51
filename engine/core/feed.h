/* SPDX-License-Identifier: MIT */
/*
 * A projection that topics feed where the bus leaves the process: its messages come through a source, its places lie in
 * the view beside its rows and move in their transaction [I6].
 *
 *   checkpoint "<projection>"                              how many messages were taken; stopped or not
 *   checkpoint "<projection>@<topic>/<partition>"          the next offset
 *   checkpoint "<projection>@<topic>/<partition>#<source>" position of the last entry heard of that source, and its time
 *   checkpoint "<projection>@#heard/<page>"                ids of other senders' messages: feed_inbox.c
 *
 * The third finds what a publisher of ours sends again after a crash (mode idempotent): within a lane the positions of
 * one source rise, and what does not is a repeat, unless it is younger than all that was heard: then the source has
 * begun another history.
 *
 * Thread: the projector's, once it runs.
 */
#ifndef MOONLOG_CORE_FEED_H
#define MOONLOG_CORE_FEED_H

#include "core/follow.h"

/* Is it fed by topics of a bus that leaves the process? */
static inline bool
feed_feeds(const struct projector *projector, const struct projection *projection)
{
	return projector->options.foreign.open != NULL && projection->script->topic_count != 0;
}

/* Has it come to the end of its topics once, or is it stopped? */
bool feed_is_level(const struct projection *projection);

/* follow_open of one that feed_feeds. The source is opened by the first feed_round. */
int feed_open(struct projector *projector, struct projection *projection, struct fault *fault);
void feed_close(struct projection *projection);
/* At most one batch of each such projection. Gives false when one met something that may pass. */
bool feed_round(struct projector *projector);
/* How long until a feed has something to do that no mail tells of: 0 = at once; INT64_MAX = never. */
int64_t feed_wait_ns(const struct projector *projector);
/* An order: REBUILD, RETRY or SKIP. */
int feed_obey(struct projector *projector, struct projection *projection, enum projection_order order,
	      struct fault *fault);

#endif
