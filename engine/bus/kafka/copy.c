/* SPDX-License-Identifier: MIT */
#include "bus/kafka/copy.h"

static bool
copy_headers(const rd_kafka_message_t *from, struct arena *arena, struct message *message)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t size;

	if (rd_kafka_message_headers(from, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	size_t count = rd_kafka_header_cnt(headers);
	struct message_header *all = arena_zero(arena, count, sizeof(*all));
	for (size_t i = 0; all != NULL && i < count; i++) {
		if (rd_kafka_header_get_all(headers, i, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		all[i].name = arena_copy(arena, slice_text(name));
		all[i].value = arena_copy(arena, slice_from(value, value != NULL ? size : 0));
		if (all[i].name.data == NULL || all[i].value.data == NULL)
			return false;
	}
	message->headers = all;
	message->header_count = count;
	return all != NULL;
}

bool
kafka_copy(const rd_kafka_message_t *from, const struct kafka_lane *lane, struct arena *arena,
	   struct source_event *event)
{
	rd_kafka_timestamp_type_t kind;
	int64_t time_ms = rd_kafka_message_timestamp(from, &kind);
	struct message *message = &event->message;

	event->what = SOURCE_MESSAGE;
	event->lane = kafka_lane_name(lane);
	event->offset = (uint64_t)from->offset;
	message->topic = event->lane.topic;
	message->key = arena_copy(arena, slice_from(from->key, from->key_len));
	message->value = arena_copy(arena, slice_from(from->payload, from->len));
	message->tombstone = from->payload == NULL;
	message->time_us = time_ms > 0 ? time_ms * 1000 : 0;
	return message->key.data != NULL && message->value.data != NULL && copy_headers(from, arena, message);
}
