/* SPDX-License-Identifier: MIT */
/*
 * Topics are made by us and not by the broker's own way (auto.create.topics.enable), which knows no partition count.
 * That one was made by somebody else meanwhile is no failure.
 *
 * A control topic rolls small segments, for only what lies before the newest one is compacted, and a start reads all
 * that is left.
 */
#include "bus/kafka/topics.h"

static const char *const compact[][2] = {
	{ "cleanup.policy", "compact" },
	{ "segment.bytes", "16777216" },
	{ "segment.ms", "3600000" },
	{ "min.cleanable.dirty.ratio", "0.1" },
};

rd_kafka_t *
kafka_desk(const struct kafka_options *options, bool committed, struct fault *fault)
{
	const struct kafka_setting settings[] = {
		{ "isolation.level", committed ? "read_committed" : "read_uncommitted" },
		{ "allow.auto.create.topics", "false" },
		{ NULL, NULL },
	};
	rd_kafka_conf_t *conf = kafka_configure(options, NULL, settings, fault);

	return conf != NULL ? kafka_client(RD_KAFKA_CONSUMER, conf, fault) : NULL;
}

/* The partitions of a topic whose every partition has a leader; 0: there is no such topic. */
static enum bus_answer
look(rd_kafka_t *desk, const char *name, int32_t *partitions, struct fault *fault)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(desk, name, NULL);
	const struct rd_kafka_metadata *found = NULL;
	enum bus_answer answer = BUS_DONE;

	*partitions = 0;
	if (topic == NULL) {
		kafka_fault(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, name, NULL, fault);
		return BUS_LOST;
	}
	rd_kafka_resp_err_t code = rd_kafka_metadata(desk, 0, topic, &found, 2 * KAFKA_SLICE_MS);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && found->topic_cnt != 1)
		code = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		const struct rd_kafka_metadata_topic *t = &found->topics[0];
		code = t->err;
		for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < t->partition_cnt; i++)
			if (t->partitions[i].leader < 0)
				code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			*partitions = t->partition_cnt;
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
	    code != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
		kafka_fault(code, name, NULL, fault);
		answer = fault->class == FAULT_AWAY ? BUS_AGAIN : BUS_LOST;
	}
	if (found != NULL)
		rd_kafka_metadata_destroy(found);
	rd_kafka_topic_destroy(topic);
	return answer;
}

/* What came back for the one topic of a request. */
static enum bus_answer
made(rd_kafka_event_t *event, const char *name, struct fault *fault)
{
	const rd_kafka_CreateTopics_result_t *result;
	const rd_kafka_topic_result_t **topics;
	rd_kafka_resp_err_t code;
	const char *why;
	size_t count;

	if (event == NULL) {
		kafka_fault(RD_KAFKA_RESP_ERR__TIMED_OUT, name, "the broker does not make it", fault);
		return BUS_AGAIN;
	}
	code = rd_kafka_event_error(event);
	why = rd_kafka_event_error_string(event);
	result = rd_kafka_event_CreateTopics_result(event);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && result != NULL) {
		topics = rd_kafka_CreateTopics_result_topics(result, &count);
		must(count == 1);
		code = rd_kafka_topic_result_error(topics[0]);
		why = rd_kafka_topic_result_error_string(topics[0]);
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return BUS_DONE;
	kafka_fault(code, name, why, fault);
	fault_prefix(fault, "making a topic");
	return fault->class == FAULT_AWAY ? BUS_AGAIN : BUS_LOST;
}

static enum bus_answer
make(rd_kafka_t *desk, const char *name, const struct kafka_shape *shape, struct fault *fault)
{
	char why[256];
	rd_kafka_NewTopic_t *topic =
		rd_kafka_NewTopic_new(name, shape->partitions, shape->replication, why, sizeof(why));
	enum bus_answer answer;

	if (topic == NULL) {
		fault_set(fault, FAULT_INPUT, "kafka_topic", "%s: %s", name, why);
		return BUS_LOST;
	}
	for (size_t i = 0; shape->compact && i < countof(compact); i++)
		rd_kafka_NewTopic_set_config(topic, compact[i][0], compact[i][1]);
	if (!shape->compact)
		rd_kafka_NewTopic_set_config(topic, "max.message.bytes", KAFKA_MESSAGE_MAX);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(desk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(desk);
	rd_kafka_AdminOptions_set_request_timeout(options, 4 * KAFKA_SLICE_MS, why, sizeof(why));
	rd_kafka_AdminOptions_set_operation_timeout(options, 4 * KAFKA_SLICE_MS, why, sizeof(why));
	rd_kafka_CreateTopics(desk, &topic, 1, options, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 5 * KAFKA_SLICE_MS);
	answer = made(event, name, fault);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_NewTopic_destroy(topic);
	return answer;
}

enum bus_answer
kafka_topic(rd_kafka_t *desk, const char *name, const struct kafka_shape *shape, int32_t *partitions,
	    struct fault *fault)
{
	enum bus_answer answer = look(desk, name, partitions, fault);

	if (answer != BUS_DONE || *partitions > 0)
		return answer;
	answer = make(desk, name, shape, fault);
	if (answer == BUS_DONE)
		answer = look(desk, name, partitions, fault);
	if (answer == BUS_DONE && *partitions == 0) {
		fault_set(fault, FAULT_AWAY, "kafka_topic", "%s: made, but not yet known to the brokers", name);
		answer = BUS_AGAIN;
	}
	return answer;
}

enum bus_answer
kafka_ends(rd_kafka_t *desk, const char *topic, int32_t partition, int64_t *first, int64_t *next, struct fault *fault)
{
	rd_kafka_resp_err_t code =
		rd_kafka_query_watermark_offsets(desk, topic, partition, first, next, 2 * KAFKA_SLICE_MS);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return BUS_DONE;
	kafka_fault(code, topic, NULL, fault);
	return fault->class == FAULT_CONFIG ? BUS_LOST : BUS_AGAIN;
}

rd_kafka_message_t *
kafka_record_at(rd_kafka_t *desk, const char *topic, int32_t partition, int64_t offset)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(desk, topic, NULL);
	rd_kafka_message_t *record = NULL;

	if (handle != NULL && rd_kafka_consume_start(handle, partition, offset) == 0) {
		record = rd_kafka_consume(handle, partition, KAFKA_SLICE_MS);
		rd_kafka_consume_stop(handle, partition);
	}
	if (record != NULL && record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_message_destroy(record);
		record = NULL;
	}
	if (handle != NULL)
		rd_kafka_topic_destroy(handle);
	return record;
}
