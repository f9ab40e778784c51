/* SPDX-License-Identifier: MIT */
/*
 * In: binary mode is told by the header ce_specversion, structured mode by a content-type application/cloudevents+json
 * (batches are refused), everything else is a plain message. Names of headers are compared in either case, because
 * clients differ; of several headers of a name the last one counts.
 *
 * A handler gets JSON. Data that claims to be JSON must be it; other text becomes a JSON text; bytes that are no text
 * are refused, so that they end as a dead letter with their reason.
 */
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/cloudevent.h"

#define TRACE_MAX 255 /* bytes; today's has 55 */

struct decoding {
	const struct message *message;
	const char *place;
	struct arena *arena;
	struct react_message *decoded;
	struct fault *fault;
};

static int
no_memory(struct decoding *d)
{
	return fault_set(d->fault, FAULT_MEMORY, "memory", "no memory for the message at %s", d->place);
}

static bool
same_name(struct slice name, struct slice wanted)
{
	return name.size == wanted.size && strncasecmp(name.data, wanted.data, name.size) == 0;
}

static bool
header(const struct message *message, struct slice name, struct slice *value)
{
	for (size_t i = message->header_count; i > 0; i--) {
		if (same_name(message->headers[i - 1].name, name)) {
			*value = message->headers[i - 1].value;
			return true;
		}
	}
	*value = SLICE_NONE;
	return false;
}

static bool
begins_with(struct slice text, const char *prefix)
{
	return text.size >= strlen(prefix) && strncasecmp(text.data, prefix, strlen(prefix)) == 0;
}

/* Of "application/json; charset=utf-8" what stands before the parameters. */
static struct slice
media(struct slice type)
{
	size_t end = 0;

	while (end < type.size && type.data[end] != ';' && type.data[end] != ' ')
		end++;
	return slice_from(type.data, end);
}

static bool
is_json(struct slice content_type)
{
	struct slice type = media(content_type);

	return same_name(type, SLICE("application/json")) || same_name(type, SLICE("text/json")) ||
	       (type.size > 5 && strncasecmp(type.data + type.size - 5, "+json", 5) == 0);
}

/* ---- data ---- */

static int
take_text(struct decoding *d, struct slice bytes)
{
	struct buf quoted;

	buf_init(&quoted, 6 * bytes.size + 2);
	json_quote(&quoted, bytes);
	d->decoded->data = quoted.failed ? SLICE_NONE : arena_copy(d->arena, buf_slice(&quoted));
	buf_fini(&quoted);
	return d->decoded->data.data != NULL ? 0 : no_memory(d);
}

static int
take_data(struct decoding *d, struct slice bytes, struct slice content_type)
{
	struct json_value value;
	struct fault fault;

	if (json_check(bytes, &value, &fault) == 0) {
		d->decoded->data = bytes;
		return 0;
	}
	if (is_json(content_type))
		return fault_set(d->fault, FAULT_INPUT, "bad_cloudevent", "%s: its data claims to be JSON: %s",
				 d->place, fault.text);
	if (!json_utf8(bytes))
		return fault_set(d->fault, FAULT_INPUT, "bad_cloudevent",
				 "%s: its data is neither JSON nor text (content-type \"%.*s\")", d->place,
				 SLICE_ARG(content_type));
	return take_text(d, bytes);
}

static int
sextet(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

/* data_base64: what is left of RFC 4648 when no line breaks are allowed. */
static int
take_base64(struct decoding *d, struct slice text, struct slice content_type)
{
	char *bytes = arena_alloc(d->arena, text.size / 4 * 3 + 1);
	size_t size = 0;
	unsigned word = 0, pads = 0;

	if (bytes == NULL)
		return no_memory(d);
	for (size_t i = 0; i < text.size; i++) {
		int six = sextet(text.data[i]);

		if (text.data[i] == '=' && i + 2 >= text.size)
			pads++;
		else if (six < 0 || pads != 0)
			goto bad;
		word = word << 6 | (six < 0 ? 0U : (unsigned)six);
		if (i % 4 != 3)
			continue;
		bytes[size++] = (char)(word >> 16);
		bytes[size++] = (char)(word >> 8);
		bytes[size++] = (char)word;
		word = 0;
	}
	if (text.size % 4 == 0)
		return take_data(d, slice_from(bytes, size - pads), content_type);
bad:
	return fault_set(d->fault, FAULT_INPUT, "bad_cloudevent", "%s: data_base64 is no base64", d->place);
}

/* ---- attributes ---- */

static int
bad_attribute(struct decoding *d, const char *name, const char *reason)
{
	return fault_set(d->fault, FAULT_INPUT, "bad_cloudevent", "%s: attribute %s %s", d->place, name, reason);
}

static int
check_version(struct decoding *d, struct slice version)
{
	if (slice_equal(version, SLICE("1.0")))
		return 0;
	return fault_set(d->fault, FAULT_INPUT, "bad_cloudevent", "%s: specversion \"%.*s\" is not 1.0", d->place,
			 SLICE_ARG(version));
}

/* What the attributes say, whichever mode they came in. */
struct attributes {
	struct slice id, source, type, subject, time, correlation, sequence, version, content_type;
};

static int
take_time(struct decoding *d, struct slice time)
{
	char text[64];

	d->decoded->time_us = d->message->time_us;
	if (time.size == 0)
		return 0;
	if (time.size >= sizeof(text))
		return bad_attribute(d, "time", "is no time of RFC 3339");
	memcpy(text, time.data, time.size);
	text[time.size] = '\0';
	return clock_parse(text, &d->decoded->time_us) == 0 ? 0 : bad_attribute(d, "time", "is no time of RFC 3339");
}

static int
take_attributes(struct decoding *d, const struct attributes *given)
{
	const struct {
		const char *name;
		struct slice value;
		struct slice *to;
		bool wanted;
	} each[] = {
		{ "id", given->id, &d->decoded->id, true },
		{ "source", given->source, &d->decoded->source, true },
		{ "type", given->type, &d->decoded->type, true },
		{ "subject", given->subject, &d->decoded->subject, false },
		{ "correlationid", given->correlation, &d->decoded->correlation_id, false },
		{ "sequence", given->sequence, &d->decoded->sequence, false },
	};

	for (size_t i = 0; i < countof(each); i++) {
		if (each[i].wanted && each[i].value.size == 0)
			return bad_attribute(d, each[i].name, "is missing");
		if (!json_utf8(each[i].value))
			return bad_attribute(d, each[i].name, "is not UTF-8");
		*each[i].to = each[i].value;
	}
	if (!slice_to_u64(given->version, &d->decoded->stream_version))
		d->decoded->stream_version = 0;
	return take_time(d, given->time);
}

/* That of this hop, else the event's own. It is no reason to refuse a message: one that cannot be is left out. */
static void
take_trace(struct decoding *d)
{
	struct slice trace;

	if (!header(d->message, SLICE("traceparent"), &trace) || trace.size == 0)
		header(d->message, SLICE("ce_traceparent"), &trace);
	if (trace.size != 0 && trace.size <= TRACE_MAX && json_utf8(trace))
		d->decoded->traceparent = trace;
}

/* ---- the modes ---- */

static int
decode_binary(struct decoding *d, struct slice version)
{
	const struct message *message = d->message;
	struct attributes given;

	header(message, SLICE("ce_id"), &given.id);
	header(message, SLICE("ce_source"), &given.source);
	header(message, SLICE("ce_type"), &given.type);
	header(message, SLICE("ce_subject"), &given.subject);
	header(message, SLICE("ce_time"), &given.time);
	header(message, SLICE("ce_correlationid"), &given.correlation);
	header(message, SLICE("ce_sequence"), &given.sequence);
	header(message, SLICE("ce_streamversion"), &given.version);
	header(message, SLICE("content-type"), &given.content_type);
	if (check_version(d, version) != 0 || take_attributes(d, &given) != 0)
		return -1;
	return message->tombstone ? 0 : take_data(d, message->value, given.content_type);
}

/* A member as text: a string decoded, a number as it stands; empty when absent or null. */
static int
member(struct decoding *d, struct json_value object, const char *name, struct slice *text)
{
	struct json_value value;
	struct buf decoded;

	*text = SLICE_NONE;
	if (!json_member(object, slice_text(name), &value) || value.kind == JSON_NULL)
		return 0;
	if (value.kind == JSON_NUMBER) {
		*text = value.raw;
		return 0;
	}
	if (value.kind != JSON_STRING)
		return bad_attribute(d, name, "is no text");
	buf_init(&decoded, value.raw.size);
	json_decode(value, &decoded);
	*text = decoded.failed ? SLICE_NONE : arena_copy(d->arena, buf_slice(&decoded));
	buf_fini(&decoded);
	return text->data != NULL ? 0 : no_memory(d);
}

static int
decode_structured(struct decoding *d)
{
	struct json_value object, data;
	struct slice version, encoded;
	struct attributes given;
	struct fault fault;

	if (json_check(d->message->value, &object, &fault) != 0)
		return fault_set(d->fault, FAULT_INPUT, "bad_cloudevent", "%s: %s", d->place, fault.text);
	if (object.kind != JSON_OBJECT)
		return fault_set(d->fault, FAULT_INPUT, "bad_cloudevent", "%s: an event is a JSON object", d->place);
	if (member(d, object, "specversion", &version) != 0 || member(d, object, "id", &given.id) != 0 ||
	    member(d, object, "source", &given.source) != 0 || member(d, object, "type", &given.type) != 0 ||
	    member(d, object, "subject", &given.subject) != 0 || member(d, object, "time", &given.time) != 0 ||
	    member(d, object, "correlationid", &given.correlation) != 0 ||
	    member(d, object, "sequence", &given.sequence) != 0 ||
	    member(d, object, "streamversion", &given.version) != 0 ||
	    member(d, object, "datacontenttype", &given.content_type) != 0 ||
	    member(d, object, "data_base64", &encoded) != 0 || check_version(d, version) != 0 ||
	    take_attributes(d, &given) != 0)
		return -1;
	if (json_member(object, SLICE("data"), &data)) {
		if (encoded.size != 0)
			return bad_attribute(d, "data", "stands beside data_base64");
		d->decoded->data = data.raw;
		return 0;
	}
	return encoded.size != 0 ? take_base64(d, encoded, given.content_type) : 0;
}

static int
decode_plain(struct decoding *d, struct slice content_type)
{
	const struct message *message = d->message;
	struct react_message *decoded = d->decoded;

	if (!header(message, SLICE("type"), &decoded->type) || decoded->type.size == 0 || !json_utf8(decoded->type))
		decoded->type = message->topic;
	if (!header(message, SLICE("id"), &decoded->id) || decoded->id.size == 0 || !json_utf8(decoded->id))
		decoded->id = arena_copy(d->arena, slice_text(d->place));
	decoded->source = message->topic;
	decoded->time_us = message->time_us;
	if (decoded->id.data == NULL)
		return no_memory(d);
	return message->tombstone ? 0 : take_data(d, message->value, content_type);
}

int
cloudevent_decode(const struct message *message, const char *place, struct arena *arena, struct react_message *decoded,
		  struct fault *fault)
{
	struct decoding d = { message, place, arena, decoded, fault };
	struct slice version, content_type;

	*decoded = (struct react_message){ .topic = message->topic, .key = message->key, .data = SLICE("null") };
	take_trace(&d);
	header(message, SLICE("content-type"), &content_type);
	if (begins_with(content_type, "application/cloudevents")) {
		if (!same_name(media(content_type), SLICE("application/cloudevents+json")))
			return fault_set(fault, FAULT_INPUT, "bad_cloudevent",
					 "%s: %.*s is not taken, only application/cloudevents+json", place,
					 SLICE_ARG(content_type));
		return decode_structured(&d);
	}
	if (header(message, SLICE("ce_specversion"), &version))
		return decode_binary(&d, version);
	return decode_plain(&d, content_type);
}
