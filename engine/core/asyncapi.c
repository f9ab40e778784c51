/* SPDX-License-Identifier: MIT */
/*
 * One AsyncAPI 3.0 document of all domains: a channel a topic, what is sent to it and what is heard from it. Messages
 * that `publish` maps are named only when they are made, so such an event tells its topic alone.
 */
#include <stdlib.h>

#include "base/json.h"
#include "core/inside.h"

struct writing {
	struct ruleset *rules[DOMAIN_MAX];
	size_t count;
	struct slice *topics;
	size_t topic_count, topic_room;
	struct buf *out;
	bool failed; /* memory */
};

static void
key(struct buf *out, struct slice name)
{
	json_comma(out);
	json_quote(out, name);
	buf_byte(out, ':');
}

static void
note_topic(struct writing *writing, struct slice topic)
{
	for (size_t i = 0; i < writing->topic_count; i++)
		if (slice_equal(writing->topics[i], topic))
			return;
	if (topic.size == 0)
		return;
	if (writing->topic_count == writing->topic_room) {
		size_t room = writing->topic_room * 2 + 16;
		struct slice *more = realloc(writing->topics, room * sizeof(*more));

		if (more == NULL) {
			writing->failed = true;
			return;
		}
		writing->topics = more;
		writing->topic_room = room;
	}
	writing->topics[writing->topic_count++] = topic;
}

/* Calls `each` for every event of today that is published. */
static void
visit(struct writing *writing, void (*each)(struct writing *writing, const struct script_program *program,
					    const struct script_aggregate *aggregate, const struct script_event *event))
{
	for (size_t i = 0; i < writing->count; i++) {
		const struct script_program *program = writing->rules[i]->program;

		for (size_t a = 0; a < program->aggregate_count; a++)
			for (size_t e = 0; e < program->aggregates[a].event_count; e++)
				if (program->aggregates[a].events[e].topic.size != 0)
					each(writing, program, &program->aggregates[a],
					     &program->aggregates[a].events[e]);
	}
}

static void
note_event(struct writing *writing, const struct script_program *program, const struct script_aggregate *aggregate,
	   const struct script_event *event)
{
	(void)program;
	(void)aggregate;
	note_topic(writing, event->topic);
}

static void
write_sent(struct writing *writing, const struct script_program *program, const struct script_aggregate *aggregate,
	   const struct script_event *event)
{
	struct buf *out = writing->out;

	json_comma(out);
	buf_format(out, "\"send.%.*s.%.*s.%.*s\":{\"action\":\"send\",\"channel\":{\"$ref\":\"#/channels/%.*s\"}",
		   SLICE_ARG(program->domain), SLICE_ARG(aggregate->name), SLICE_ARG(event->name),
		   SLICE_ARG(event->topic));
	if (!event->has_publish_map)
		buf_format(out, ",\"messages\":[{\"$ref\":\"#/channels/%.*s/messages/%.*s.%.*s.%.*s\"}]",
			   SLICE_ARG(event->topic), SLICE_ARG(program->domain), SLICE_ARG(aggregate->name),
			   SLICE_ARG(event->name));
	buf_byte(out, '}');
}

static void
write_message(struct writing *writing, const struct script_program *program, const struct script_aggregate *aggregate,
	      const struct script_event *event)
{
	struct buf *out = writing->out;

	if (event->has_publish_map)
		return;
	json_comma(out);
	buf_format(out,
		   "\"%.*s.%.*s.%.*s\":{\"name\":\"%.*s\",\"contentType\":\"application/json\",\"payload\":"
		   "{\"$ref\":\"#/components/schemas/%.*s.%.*s.event.%.*s\"}}",
		   SLICE_ARG(program->domain), SLICE_ARG(aggregate->name), SLICE_ARG(event->name),
		   SLICE_ARG(event->name), SLICE_ARG(program->domain), SLICE_ARG(aggregate->name),
		   SLICE_ARG(event->name));
}

static void
write_channel(struct writing *writing, struct slice topic)
{
	struct buf *out = writing->out;

	key(out, topic);
	buf_text(out, "{\"address\":");
	json_quote(out, topic);
	buf_text(out, ",\"messages\":{");
	for (size_t i = 0; i < writing->count; i++) {
		const struct script_program *program = writing->rules[i]->program;

		for (size_t a = 0; a < program->aggregate_count; a++) {
			const struct script_aggregate *aggregate = &program->aggregates[a];

			for (size_t e = 0; e < aggregate->event_count; e++) {
				const struct script_event *event = &aggregate->events[e];

				if (event->has_publish_map || !slice_equal(event->topic, topic))
					continue;
				json_comma(out);
				buf_format(
					out, "\"%.*s.%.*s.%.*s\":{\"$ref\":\"#/components/messages/%.*s.%.*s.%.*s\"}",
					SLICE_ARG(program->domain), SLICE_ARG(aggregate->name), SLICE_ARG(event->name),
					SLICE_ARG(program->domain), SLICE_ARG(aggregate->name), SLICE_ARG(event->name));
			}
		}
	}
	buf_text(out, "}}");
}

/* What a reactor hears from one of its topics. */
static void
write_heard(struct writing *writing, const struct script_program *program, const struct script_reactor *reactor,
	    struct slice topic)
{
	struct buf *out = writing->out;

	json_comma(out);
	buf_format(out,
		   "\"receive.%.*s.%.*s.%.*s\":{\"action\":\"receive\",\"channel\":{\"$ref\":\"#/channels/%.*s\"},"
		   "\"x-message-types\":[",
		   SLICE_ARG(program->domain), SLICE_ARG(reactor->name), SLICE_ARG(topic), SLICE_ARG(topic));
	for (size_t i = 0; i < reactor->message_count; i++) {
		json_comma(out);
		json_quote(out, reactor->messages[i]);
	}
	buf_text(out, "]}");
}

/* Of all reactors; without `write` their topics are noted. */
static void
visit_heard(struct writing *writing, bool write)
{
	for (size_t i = 0; i < writing->count; i++) {
		const struct script_program *program = writing->rules[i]->program;

		for (size_t r = 0; r < program->reactor_count; r++)
			for (size_t t = 0; t < program->reactors[r].topic_count; t++)
				if (write)
					write_heard(writing, program, &program->reactors[r],
						    program->reactors[r].topics[t]);
				else
					note_topic(writing, program->reactors[r].topics[t]);
	}
}

static void
write_schemas(struct writing *writing)
{
	for (size_t i = 0; i < writing->count; i++) {
		struct json_value whole = { JSON_OBJECT, writing->rules[i]->program->openapi }, members, item;
		struct json_iter iter;
		struct slice name;

		if (whole.raw.size == 0 || !json_member(whole, SLICE("schemas"), &members))
			continue;
		json_iter(&iter, members);
		while (json_next(&iter, &name, &item)) {
			key(writing->out, name);
			buf_add(writing->out, item.raw);
		}
	}
}

void
asyncapi_write(struct engine *engine, struct buf *out)
{
	struct writing writing = { .count = engine->domain_count, .out = out };

	for (size_t i = 0; i < writing.count; i++)
		writing.rules[i] = domain_hold_rules(engine->domains[i]);
	visit(&writing, note_event);
	visit_heard(&writing, false);
	buf_text(out, "{\"asyncapi\":\"3.0.0\",\"info\":{\"title\":\"moonlog\",\"version\":\"" MOONLOG_VERSION
		      "\"},\"defaultContentType\":\"application/json\",\"channels\":{");
	for (size_t i = 0; i < writing.topic_count; i++)
		write_channel(&writing, writing.topics[i]);
	buf_text(out, "},\"operations\":{");
	visit(&writing, write_sent);
	visit_heard(&writing, true);
	buf_text(out, "},\"components\":{\"messages\":{");
	visit(&writing, write_message);
	buf_text(out, "},\"schemas\":{");
	write_schemas(&writing);
	buf_text(out, "}}}");
	for (size_t i = 0; i < writing.count; i++)
		ruleset_release(writing.rules[i]);
	free(writing.topics);
	out->failed = out->failed || writing.failed;
}
