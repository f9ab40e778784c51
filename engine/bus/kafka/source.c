/* SPDX-License-Identifier: MIT */
/*
 * The source [I6]. The group shares out lanes and nothing else: offsets are the caller's, so nothing is committed by
 * the library itself, and what we commit is a hint for tools that show lag.
 *
 *     given by the group -> ASSIGNED told -> source_begin for each -> one assign() with their offsets -> messages
 *     taken away         -> REVOKED told  -> at the next source_next: unassign, the group goes on
 *
 * To go back, all lanes are assigned anew, each with the offset after the last message that was given out: what the
 * library had read ahead is dropped by it and read again. Seeking would be cheaper and is not to be trusted in 2.0.2.
 * So are offsets that the library would choose: with a stored offset that is not there it gives an error and stays
 * where it is, and the lane is asked about before it is called gone, for a broker that starts says so too.
 *
 * The waker is called by threads of the library whenever its queue is no longer empty. Every five seconds it
 * puts figures there that nobody reads: so an idle caller comes by, the group does not take it for dead, and that
 * brokers are silent is seen.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "bus/kafka/client.h"
#include "bus/kafka/copy.h"
#include "bus/kafka/hearing.h"
#include "bus/kafka/lanes.h"
#include "bus/kafka/topics.h"

#define HINT_NS         (INT64_C(1) * 1000 * 1000 * 1000)
#define CLOSE_NS        (INT64_C(2) * 1000 * 1000 * 1000)
#define RESETS_BELIEVED 3

struct kafka_source {
	struct source door;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	struct waker waker;
	bool leaves; /* the group is told when we close; a member with an instance keeps its lanes over a restart */
	struct kafka_lanes lanes;
	bool assign_due;   /* when every lane of ours has begun */
	bool unassign_due; /* when what was taken away has been told */
	bool closing;
	bool lost; /* for good: `trouble` is told at every call */
	struct fault trouble;
	int64_t hinted_ns;
	bool hint_due;
	struct kafka_hearing hearing; /* while none answers a hint would hold up the client's end until they are back */
};

static struct kafka_source *
inside(struct source *source)
{
	return container_of(source, struct kafka_source, door);
}

static void
wake(rd_kafka_t *client, void *self)
{
	struct kafka_source *s = self;

	(void)client;
	if (s->waker.wake != NULL)
		s->waker.wake(s->waker.self);
}

/* ---- what the library calls while it is polled ---- */

static void
note_error(rd_kafka_t *client, int code, const char *text, void *self)
{
	struct kafka_source *s = self;

	if (code == RD_KAFKA_RESP_ERR__FATAL) {
		s->lost = kafka_is_lost(client, "consumer", &s->trouble);
		return;
	}
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		kafka_hearing_down(&s->hearing);
	/* One connection, or one request: when it is all of them, that is told too. */
	if (!s->lost && code != RD_KAFKA_RESP_ERR__TRANSPORT && code != RD_KAFKA_RESP_ERR__TIMED_OUT)
		kafka_fault((rd_kafka_resp_err_t)code, "consumer", text, &s->trouble);
}

static int
ignore_figures(rd_kafka_t *client, char *json, size_t size, void *self)
{
	(void)client, (void)json, (void)size, (void)self;
	return 0;
}

static void
hint(struct kafka_source *s)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);

	s->hint_due = false;
	s->hinted_ns = clock_mono_ns(clock_real());
	for (size_t i = 0; i < s->lanes.count; i++) {
		struct kafka_lane *lane = s->lanes.all[i];
		if (lane->due && lane->ours)
			rd_kafka_topic_partition_list_add(list, lane->topic, lane->partition)->offset =
				(int64_t)lane->durable;
		lane->due = false;
	}
	if (list->cnt > 0)
		rd_kafka_commit(s->client, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

static void
hint_now_and_then(struct kafka_source *s)
{
	if (s->hint_due && kafka_hears(&s->hearing, NULL) && clock_mono_ns(clock_real()) - s->hinted_ns >= HINT_NS)
		hint(s);
}

static void
no_memory(struct kafka_source *s)
{
	s->lost = true;
	fault_set(&s->trouble, FAULT_MEMORY, NULL, "no memory for the lanes of a consumer");
}

static void
rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *self)
{
	struct kafka_source *s = self;
	bool good = true;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !s->closing) {
		for (int i = 0; good && i < list->cnt; i++) {
			struct kafka_lane *lane =
				kafka_lane_need(&s->lanes, slice_text(list->elems[i].topic), list->elems[i].partition);
			good = lane != NULL && kafka_lane_assign(&s->lanes, lane);
		}
		s->assign_due = true;
		s->unassign_due = false;
	} else {
		if (!rd_kafka_assignment_lost(client) && kafka_hears(&s->hearing, NULL))
			hint(s);
		for (size_t i = 0; good && i < s->lanes.count; i++)
			if (s->lanes.all[i]->ours)
				good = kafka_lane_revoke(&s->lanes, s->lanes.all[i]);
		s->assign_due = false;
		s->unassign_due = true;
	}
	if (s->closing)
		rd_kafka_assign(client, NULL);
	if (!good)
		no_memory(s);
}

/* ---- lanes ---- */

/* The library is told of all lanes at once, when the last of them has begun. */
static void
assign(struct kafka_source *s)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	rd_kafka_topic_partition_list_t *paused = rd_kafka_topic_partition_list_new(1);
	bool ready = true;

	for (size_t i = 0; i < s->lanes.count; i++) {
		struct kafka_lane *lane = s->lanes.all[i];
		if (!lane->ours)
			continue;
		ready = ready && (lane->begun || lane->gone);
		if (!lane->begun)
			continue;
		rd_kafka_topic_partition_list_add(list, lane->topic, lane->partition)->offset =
			lane->next == SOURCE_START ? RD_KAFKA_OFFSET_BEGINNING : (int64_t)lane->next;
		if (lane->paused)
			rd_kafka_topic_partition_list_add(paused, lane->topic, lane->partition);
	}
	if (ready) {
		s->assign_due = false;
		rd_kafka_resp_err_t code = rd_kafka_assign(s->client, list);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			note_error(s->client, (int)code, "lanes cannot be assigned", s);
		else if (paused->cnt > 0)
			rd_kafka_pause_partitions(s->client, paused);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_topic_partition_list_destroy(paused);
}

/*
 * The library cannot read on where the lane stands. Asked about first: a broker that has just begun says so too, and at
 * the start of a lane old records may have gone meanwhile. true: there is news for the caller.
 */
static bool
reset(struct kafka_source *s, struct kafka_lane *lane, struct fault *fault, bool *failed)
{
	int64_t first = 0, end = 0;
	enum bus_answer answer = kafka_ends(s->client, lane->topic, lane->partition, &first, &end, fault);

	if (lane->next == SOURCE_START || answer != BUS_DONE ||
	    ((int64_t)lane->next >= first && (int64_t)lane->next <= end)) {
		s->assign_due = true;
		if (++lane->resets < RESETS_BELIEVED)
			return false;
		*failed = true;
		fault_set(fault, FAULT_AWAY, "kafka_offset", "%s/%d: the broker does not give what it says it has",
			  lane->topic, (int)lane->partition);
		return true;
	}
	lane->gone = true;
	lane->begun = false;
	lane->first = (uint64_t)first;
	fault_set(fault, FAULT_CONFIG, "offset_gone",
		  "%s/%d: offset %llu is not there: the broker has %lld to %lld (%s); nothing is skipped by itself",
		  lane->topic, (int)lane->partition, (unsigned long long)lane->next, (long long)first, (long long)end,
		  (int64_t)lane->next < first ? "older ones were removed" : "the topic was made anew, or lost its end");
	return true;
}

/* ---- messages ---- */

static int
tell_trouble(struct kafka_source *s, struct fault *fault)
{
	if (s->trouble.class == FAULT_NONE)
		return 0;
	if (fault != NULL)
		*fault = s->trouble;
	if (!s->lost)
		fault_clear(&s->trouble);
	return -1;
}

/* true: *event, or a failure with *failed, is for the caller. */
static bool
take_message(struct kafka_source *s, const rd_kafka_message_t *from, struct arena *arena, struct source_event *event,
	     struct fault *fault, bool *failed)
{
	struct kafka_lane *lane =
		from->rkt != NULL
			? kafka_lane_find(&s->lanes, slice_text(rd_kafka_topic_name(from->rkt)), from->partition)
			: NULL;

	if (lane != NULL && (!lane->ours || !lane->begun))
		return false;
	if (lane != NULL && from->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		if ((uint64_t)from->offset > lane->seen)
			lane->seen = (uint64_t)from->offset;
		return false;
	}
	if (lane != NULL && from->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
		if (!reset(s, lane, fault, failed))
			return false;
		if (*failed)
			return true;
		event->what = SOURCE_GONE;
		event->lane = kafka_lane_name(lane);
		event->offset = lane->first;
		return true;
	}
	if (from->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		note_error(s->client, from->err, rd_kafka_message_errstr(from), s);
		*failed = tell_trouble(s, fault) != 0;
		return *failed;
	}
	if (lane == NULL || (lane->next != SOURCE_START && (uint64_t)from->offset < lane->next))
		return false;
	if (!kafka_copy(from, lane, arena, event)) {
		/* It was taken from the library but not given out: it has to come again. */
		lane->next = (uint64_t)from->offset;
		s->assign_due = true;
		*event = (struct source_event){ .what = SOURCE_NOTHING };
		fault_set(fault, FAULT_MEMORY, NULL, "no memory for a message of %zu bytes", from->len);
		*failed = true;
		return true;
	}
	lane->next = (uint64_t)from->offset + 1;
	lane->resets = 0;
	return true;
}

static bool
tell_news(struct kafka_source *s, struct source_event *event)
{
	struct kafka_news news;

	if (!kafka_lanes_take(&s->lanes, &news))
		return false;
	event->what = news.what;
	event->lane = kafka_lane_name(news.lane);
	return true;
}

static int
next(struct source *source, struct arena *arena, struct source_event *event, struct fault *fault)
{
	struct kafka_source *s = inside(source);

	for (;;) {
		rd_kafka_message_t *message;
		bool told, failed = false;

		if (tell_news(s, event))
			return 0;
		if (s->lost)
			return tell_trouble(s, fault);
		if (s->unassign_due) {
			s->unassign_due = false;
			rd_kafka_assign(s->client, NULL);
		}
		if (s->assign_due)
			assign(s);
		message = rd_kafka_consumer_poll(s->client, 0);
		if (message == NULL) {
			if (s->lanes.news_count > 0)
				continue;
			hint_now_and_then(s);
			return tell_trouble(s, fault);
		}
		told = take_message(s, message, arena, event, fault, &failed);
		rd_kafka_message_destroy(message);
		if (told)
			return failed ? -1 : 0;
	}
}

static int
find_ours(struct kafka_source *s, const struct source_lane *name, struct kafka_lane **lane, struct fault *fault)
{
	*lane = kafka_lane_find(&s->lanes, name->topic, name->partition);
	if (*lane != NULL && (*lane)->ours)
		return 0;
	return fault_set(fault, FAULT_BUSY, "not_ours", "%.*s/%d is not ours any more", SLICE_ARG(name->topic),
			 (int)name->partition);
}

static int
begin(struct source *source, const struct source_lane *name, uint64_t offset, struct fault *fault)
{
	struct kafka_source *s = inside(source);
	struct kafka_lane *lane;

	if (find_ours(s, name, &lane, fault) != 0)
		return -1;
	if (offset != SOURCE_START && offset > INT64_MAX)
		return fault_set(fault, FAULT_INPUT, "bad_offset", "%s/%d: no offset is so large", lane->topic,
				 (int)lane->partition);
	lane->begun = true;
	lane->gone = false;
	lane->resets = 0;
	lane->next = offset;
	s->assign_due = true;
	/* It is done in source_next, once for all that begin together. */
	wake(s->client, s);
	return 0;
}

static int
pause_lane(struct source *source, const struct source_lane *name, bool paused, struct fault *fault)
{
	struct kafka_source *s = inside(source);
	struct kafka_lane *lane;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (find_ours(s, name, &lane, fault) != 0)
		return -1;
	if (lane->paused == paused)
		return 0;
	lane->paused = paused;
	/* A lane that is about to be assigned is paused then; that does not end a pause. */
	if (lane->begun && (!paused || !s->assign_due)) {
		rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
		rd_kafka_topic_partition_list_add(list, lane->topic, lane->partition);
		code = paused ? rd_kafka_pause_partitions(s->client, list)
			      : rd_kafka_resume_partitions(s->client, list);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			code = list->elems[0].err;
		rd_kafka_topic_partition_list_destroy(list);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_fault(code, lane->topic, NULL, fault);
	return 0;
}

static void
told(struct source *source, const struct source_lane *name, uint64_t after)
{
	struct kafka_source *s = inside(source);
	struct kafka_lane *lane = kafka_lane_find(&s->lanes, name->topic, name->partition);

	if (lane == NULL || !lane->ours)
		return;
	lane->durable = after;
	lane->due = s->hint_due = true;
	hint_now_and_then(s);
}

static uint64_t
behind(struct source *source)
{
	struct kafka_source *s = inside(source);
	uint64_t sum = 0;

	if (!kafka_hears(&s->hearing, NULL))
		return UINT64_MAX;
	for (size_t i = 0; i < s->lanes.count; i++) {
		struct kafka_lane *lane = s->lanes.all[i];
		int64_t first, end;
		if (!lane->ours)
			continue;
		if (rd_kafka_get_watermark_offsets(s->client, lane->topic, lane->partition, &first, &end) !=
			    RD_KAFKA_RESP_ERR_NO_ERROR ||
		    end < 0 || !lane->begun)
			return UINT64_MAX;
		uint64_t at = lane->next != SOURCE_START ? lane->next : first > 0 ? (uint64_t)first : 0;
		if (at < lane->seen)
			at = lane->seen;
		if (at < (uint64_t)end)
			sum += (uint64_t)end - at;
	}
	return sum;
}

static bool
hears(struct source *source, struct fault *fault)
{
	return kafka_hears(&inside(source)->hearing, fault);
}

/* ---- opening and closing ---- */

/* Hands the lanes to the others of the group; bounded, for its coordinator may be away. */
static void
leave(struct kafka_source *s)
{
	int64_t end = clock_mono_ns(clock_real()) + CLOSE_NS;
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(s->client, s->queue);

	if (error != NULL) {
		rd_kafka_error_destroy(error);
		return;
	}
	while (!rd_kafka_consumer_closed(s->client) && clock_mono_ns(clock_real()) < end) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(s->queue, 20);
		if (event == NULL)
			continue;
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
			rd_kafka_assign(s->client, NULL);
		rd_kafka_event_destroy(event);
	}
}

static void
close_source(struct source *source)
{
	struct kafka_source *s = inside(source);

	if (s->queue != NULL) {
		rd_kafka_queue_cb_event_enable(s->queue, NULL, NULL);
		s->closing = true;
		/* One that keeps its lanes ends without: its client was seen not to end while a hint was on its way. */
		if (!s->lost && s->leaves && kafka_hears(&s->hearing, NULL))
			hint(s);
		if (s->leaves)
			leave(s);
		rd_kafka_queue_destroy(s->queue);
	}
	if (s->client != NULL)
		rd_kafka_destroy_flags(s->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	kafka_lanes_fini(&s->lanes);
	free(s);
}

static const struct source_ops ops = {
	.close = close_source,
	.next = next,
	.begin = begin,
	.pause = pause_lane,
	.told = told,
	.behind = behind,
	.hears = hears,
};

static rd_kafka_t *
open_consumer(struct kafka_source *s, const struct kafka_options *options, const struct source_wanted *wanted,
	      struct fault *fault)
{
	char group[512], instance[256];

	struct slice store = wanted->alone ? options->store_id : SLICE_NONE;

	if (snprintf(group, sizeof(group), "%.*s.%.*s%s%.*s", SLICE_ARG(options->service), SLICE_ARG(wanted->group),
		     store.size != 0 ? "." : "", SLICE_ARG(store)) >= (int)sizeof(group) ||
	    snprintf(instance, sizeof(instance), "%.*s", SLICE_ARG(options->instance)) >= (int)sizeof(instance)) {
		fault_set(fault, FAULT_CONFIG, "kafka_setting", "the name of a group or an instance is too long");
		return NULL;
	}
	const struct kafka_setting settings[] = {
		{ "group.id", group },
		{ "group.instance.id", instance[0] != '\0' ? instance : NULL },
		{ "partition.assignment.strategy", "range" },
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "auto.offset.reset", "error" },
		{ "isolation.level", "read_committed" },
		{ "enable.partition.eof", "true" },
		{ "allow.auto.create.topics", "false" },
		{ NULL, NULL },
	};
	/* A topic that is made later is found within seconds; a member that died is missed after ten. */
	static const struct kafka_setting defaults[] = {
		{ "session.timeout.ms", "10000" },         { "heartbeat.interval.ms", "1000" },
		{ "statistics.interval.ms", "5000" },      { "topic.metadata.refresh.interval.ms", "3000" },
		{ "queued.max.messages.kbytes", "16384" }, { NULL, NULL },
	};
	rd_kafka_conf_t *conf = kafka_configure(options, defaults, settings, fault);
	if (conf == NULL)
		return NULL;
	rd_kafka_conf_set_opaque(conf, s);
	rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
	rd_kafka_conf_set_error_cb(conf, note_error);
	rd_kafka_conf_set_stats_cb(conf, ignore_figures);
	kafka_hearing_init(&s->hearing, conf, s->waker);
	return kafka_client(RD_KAFKA_CONSUMER, conf, fault);
}

static int
subscribe(struct kafka_source *s, const struct source_wanted *wanted, struct fault *fault)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)wanted->topic_count);
	rd_kafka_resp_err_t code;
	char name[250];
	int failed = 0;

	for (size_t i = 0; failed == 0 && i < wanted->topic_count; i++) {
		/* One that starts with ^ would be a pattern. */
		if (snprintf(name, sizeof(name), "%.*s", SLICE_ARG(wanted->topics[i])) >= (int)sizeof(name) ||
		    name[0] == '\0' || name[0] == '^')
			failed = fault_set(fault, FAULT_CONFIG, "kafka_topic", "\"%.*s\" is no name of a topic",
					   SLICE_ARG(wanted->topics[i]));
		else
			rd_kafka_topic_partition_list_add(list, name, RD_KAFKA_PARTITION_UA);
	}
	if (failed == 0 && (code = rd_kafka_subscribe(s->client, list)) != RD_KAFKA_RESP_ERR_NO_ERROR)
		failed = kafka_fault(code, "subscribe", NULL, fault);
	rd_kafka_topic_partition_list_destroy(list);
	return failed;
}

int
kafka_source_open(void *options, const struct source_wanted *wanted, struct source **source, struct fault *fault)
{
	const struct kafka_options *o = options;
	struct kafka_source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return fault_set(fault, FAULT_MEMORY, NULL, "no memory for a source");
	s->door = (struct source){ .ops = &ops, .kind = "kafka" };
	s->waker = wanted->waker;
	s->leaves = o->instance.size == 0;
	s->client = open_consumer(s, o, wanted, fault);
	if (s->client != NULL) {
		rd_kafka_poll_set_consumer(s->client);
		s->queue = rd_kafka_queue_get_consumer(s->client);
		rd_kafka_queue_cb_event_enable(s->queue, wake, s);
		if (subscribe(s, wanted, fault) == 0) {
			*source = &s->door;
			return 0;
		}
		s->leaves = false;
	}
	close_source(&s->door);
	return -1;
}
