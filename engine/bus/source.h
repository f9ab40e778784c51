/* SPDX-License-Identifier: MIT */
/*
 * The source's door: messages of some topics come in through it, a lane (one partition of one topic) in order. Where a
 * lane stands is the caller's to keep, in the transaction of the effects; what a bus remembers is a hint for its tools.
 *
 * Threads: a source belongs to one thread; source_wake and the maker's waker are any thread's.
 */
#ifndef MOONLOG_BUS_SOURCE_H
#define MOONLOG_BUS_SOURCE_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/mailbox.h"
#include "bus/message.h"

#define SOURCE_START UINT64_MAX /* the oldest that is there */

struct source;

/* Partition `partition` of `topic`. The local bus has one for all topics: the log, topic "" and partition 0. */
struct source_lane {
	struct slice topic;
	int32_t partition;
};

enum source_news {
	SOURCE_NOTHING,
	SOURCE_MESSAGE,
	SOURCE_ASSIGNED, /* the lane is ours: source_begin must follow */
	SOURCE_REVOKED,  /* it is not any more: nothing of it that is not durable may become so by us */
	SOURCE_PASSED,   /* the lane has come to `offset` without a message for us */
	SOURCE_GONE /* `*fault`: the stored offset is not there any more, or lies past the end; nothing is skipped */
};

struct source_event {
	enum source_news what;
	struct source_lane lane;
	uint64_t offset; /* MESSAGE: its own; PASSED: the next; GONE: the oldest that is there */
	struct message message;
	/* Where the bus reads a log of ours, what it found there; `message` has only topic, key and value then. */
	const struct recorded_entry *entry;
};

struct source_ops {
	void (*close)(struct source *source);
	int (*next)(struct source *source, struct arena *arena, struct source_event *event, struct fault *fault);
	int (*begin)(struct source *source, const struct source_lane *lane, uint64_t offset, struct fault *fault);
	int (*pause)(struct source *source, const struct source_lane *lane, bool paused, struct fault *fault);
	void (*told)(struct source *source, const struct source_lane *lane, uint64_t next);
	uint64_t (*behind)(struct source *source);
	bool (*hears)(struct source *source, struct fault *fault); /* NULL: always */
};

struct source {
	const struct source_ops *ops;
	const char *kind;
};

/* What a consumer wants to hear. All borrowed until source_close. */
struct source_wanted {
	struct slice group;         /* "domain.reactor": whose lanes are shared out */
	bool alone;                 /* every store has a group of its own, and hears every lane */
	const struct slice *topics; /* whole names */
	size_t topic_count;
	struct slice own_events; /* local bus: also the events of this domain, published or not; empty: none */
	struct waker waker;      /* called when source_next may have something; must not block */
};

struct source_maker {
	int (*open)(void *self, const struct source_wanted *wanted, struct source **source, struct fault *fault);
	void *self;
};

void source_close(struct source *source);
/*
 * What is there now; never waits (the waker tells when to ask again). Slices live in `arena`. Fails: AWAY (the bus
 * cannot be reached: ask again later), CONFIG (it refuses us).
 */
int source_next(struct source *source, struct arena *arena, struct source_event *event, struct fault *fault);
/* After ASSIGNED, or to go back after messages were not taken: the next message is the one at `offset` or after. */
int source_begin(struct source *source, const struct source_lane *lane, uint64_t offset, struct fault *fault);
/* A paused lane gives nothing; its place is kept. */
int source_pause(struct source *source, const struct source_lane *lane, bool paused, struct fault *fault);
/* The effects of all before `next` are durable. */
void source_told(struct source *source, const struct source_lane *lane, uint64_t next);
/* Messages that are known to wait beyond what was given; UINT64_MAX: not known. */
uint64_t source_behind(struct source *source);
/*
 * Is the bus there? false: not now, and *fault says why; lanes and places are kept. The waker tells when that has
 * changed. Asks nobody: it is what the bus's own traffic has shown.
 */
bool source_hears(struct source *source, struct fault *fault);

#endif
