/* SPDX-License-Identifier: MIT */
/*
 * A lane that was given and taken away before the caller heard of it is not spoken of. Lanes are few (the partitions of
 * the topics of one consumer), so a list is walked.
 */
#include "bus/kafka/lanes.h"

#include <stdlib.h>

void
kafka_lanes_fini(struct kafka_lanes *lanes)
{
	for (size_t i = 0; i < lanes->count; i++)
		free(lanes->all[i]);
	free(lanes->all);
	free(lanes->news);
	*lanes = (struct kafka_lanes){ 0 };
}

struct kafka_lane *
kafka_lane_find(struct kafka_lanes *lanes, struct slice topic, int32_t partition)
{
	for (size_t i = 0; i < lanes->count; i++) {
		struct kafka_lane *lane = lanes->all[i];
		if (lane->partition == partition && slice_equal(slice_from(lane->topic, lane->topic_size), topic))
			return lane;
	}
	return NULL;
}

struct kafka_lane *
kafka_lane_need(struct kafka_lanes *lanes, struct slice topic, int32_t partition)
{
	struct kafka_lane *lane = kafka_lane_find(lanes, topic, partition);

	if (lane != NULL || topic.size >= sizeof(lane->topic))
		return lane;
	if (lanes->count == lanes->room) {
		size_t room = lanes->room == 0 ? 16 : 2 * lanes->room;
		struct kafka_lane **more = realloc(lanes->all, room * sizeof(struct kafka_lane *));
		if (more == NULL)
			return NULL;
		lanes->all = more;
		lanes->room = room;
	}
	lane = calloc(1, sizeof(*lane));
	if (lane == NULL)
		return NULL;
	memcpy(lane->topic, topic.data, topic.size);
	lane->topic_size = topic.size;
	lane->partition = partition;
	lanes->all[lanes->count++] = lane;
	return lane;
}

struct source_lane
kafka_lane_name(const struct kafka_lane *lane)
{
	return (struct source_lane){ slice_from(lane->topic, lane->topic_size), lane->partition };
}

static bool
tell(struct kafka_lanes *lanes, enum source_news what, struct kafka_lane *lane)
{
	if (lanes->news_first > 0 && lanes->news_count == 0)
		lanes->news_first = 0;
	if (lanes->news_first + lanes->news_count == lanes->news_room) {
		size_t room = lanes->news_room == 0 ? 32 : 2 * lanes->news_room;
		struct kafka_news *more = realloc(lanes->news, room * sizeof(*more));
		if (more == NULL)
			return false;
		lanes->news = more;
		lanes->news_room = room;
	}
	lanes->news[lanes->news_first + lanes->news_count++] = (struct kafka_news){ what, lane };
	return true;
}

bool
kafka_lane_assign(struct kafka_lanes *lanes, struct kafka_lane *lane)
{
	lane->ours = true;
	lane->known = lane->begun = lane->paused = lane->gone = lane->due = false;
	lane->resets = 0;
	lane->seen = 0;
	return tell(lanes, SOURCE_ASSIGNED, lane);
}

bool
kafka_lane_revoke(struct kafka_lanes *lanes, struct kafka_lane *lane)
{
	bool known = lane->known;

	lane->ours = lane->known = lane->begun = lane->due = false;
	return !known || tell(lanes, SOURCE_REVOKED, lane);
}

bool
kafka_lanes_take(struct kafka_lanes *lanes, struct kafka_news *news)
{
	while (lanes->news_count > 0) {
		*news = lanes->news[lanes->news_first++];
		lanes->news_count--;
		if (news->what == SOURCE_REVOKED)
			return true;
		/* Taken away again meanwhile, or told already. */
		if (news->lane->ours && !news->lane->known) {
			news->lane->known = true;
			return true;
		}
	}
	return false;
}
