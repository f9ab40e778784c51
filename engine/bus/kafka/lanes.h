/* SPDX-License-Identifier: MIT */
/* The lanes of a source: which are ours, where each stands, and what the caller is still to be told of them. */
#ifndef MOONLOG_BUS_KAFKA_LANES_H
#define MOONLOG_BUS_KAFKA_LANES_H

#include "bus/source.h"

struct kafka_lane {
	char topic[250];
	size_t topic_size;
	int32_t partition;
	bool ours;
	bool known;       /* the caller was told that it is */
	bool begun;       /* and has said where to begin */
	bool paused;      /* by the caller */
	bool gone;        /* nothing comes until it is begun again */
	uint64_t first;   /* the oldest that was there then */
	bool due;         /* a hint is to be given */
	unsigned resets;  /* since it gave a message */
	uint64_t next;    /* offset of the next message, or SOURCE_START */
	uint64_t seen;    /* nothing for us lies before this offset: markers at the end are no messages */
	uint64_t durable; /* the hint */
};

struct kafka_news {
	enum source_news what;
	struct kafka_lane *lane;
};

struct kafka_lanes {
	struct kafka_lane **all; /* for good: slices of their topics are given out */
	size_t count, room;
	struct kafka_news *news; /* first in, first out */
	size_t news_first, news_count, news_room;
};

void kafka_lanes_fini(struct kafka_lanes *lanes);
/* NULL: there is none. */
struct kafka_lane *kafka_lane_find(struct kafka_lanes *lanes, struct slice topic, int32_t partition);
/* Made when there is none; NULL: no memory. */
struct kafka_lane *kafka_lane_need(struct kafka_lanes *lanes, struct slice topic, int32_t partition);
struct source_lane kafka_lane_name(const struct kafka_lane *lane);
/* It is ours now: ASSIGNED is to be told. false: no memory. */
bool kafka_lane_assign(struct kafka_lanes *lanes, struct kafka_lane *lane);
/* It is not: REVOKED is to be told when the caller knew it as ours. false: no memory. */
bool kafka_lane_revoke(struct kafka_lanes *lanes, struct kafka_lane *lane);
bool kafka_lanes_take(struct kafka_lanes *lanes, struct kafka_news *news);

#endif
