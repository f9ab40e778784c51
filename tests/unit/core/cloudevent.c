/* SPDX-License-Identifier: MIT */
/* CloudEvents on the wire: what goes out, byte for byte, and what comes in, in every form. */
#include "core/cloudevent.h"

#include "support/check.h"

static struct arena arena;
static struct fault fault;

static struct recorded_entry
entry_of(enum entry_kind kind)
{
	struct recorded_entry entry = { .position = 1042,
					.commit_first = 1041,
					.commit_size = 3,
					.kind = kind,
					.stream = SLICE("shop.order/o-7"),
					.version = kind == ENTRY_EVENT ? 3 : 0,
					.type = SLICE("Placed"),
					.schema_version = 2,
					.recorded_at_us = INT64_C(1767225600123456),
					.data = SLICE("{\"total\":5}"),
					.topic = SLICE("shop.order.events") };

	memset(entry.link.bytes, 0xab, sizeof(entry.link.bytes));
	entry.id = entry_id(entry.recorded_at_us, &entry.link);
	return entry;
}

static struct slice
value_of(const struct message *message, const char *name)
{
	struct slice found = SLICE("(none)");

	for (size_t i = 0; i < message->header_count; i++)
		if (slice_equal(message->headers[i].name, slice_text(name)))
			found = message->headers[i].value;
	return found;
}

static size_t
count_of(const struct message *message, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < message->header_count; i++)
		count += slice_equal(message->headers[i].name, slice_text(name));
	return count;
}

static void
encode(const struct recorded_entry *entry, struct message *message)
{
	arena_clear(&arena);
	CHECK(cloudevent_encode(entry, SLICE("/moonlog/store-1"), &arena, message, &fault) == 0);
}

static int
decode(const struct message *message, struct react_message *decoded)
{
	return cloudevent_decode(message, "t/0/17", &arena, decoded, &fault);
}

TEST(an_event_goes_out_in_binary_mode)
{
	struct recorded_entry entry = entry_of(ENTRY_EVENT);
	struct message message;

	entry.provenance.correlation_id = SLICE("c-1");
	entry.provenance.traceparent = SLICE("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	encode(&entry, &message);
	CHECK_SLICE(message.topic, "shop.order.events");
	CHECK_SLICE(message.key, "o-7");
	CHECK_SLICE(message.value, "{\"total\":5}");
	CHECK(!message.tombstone);
	CHECK_SLICE(value_of(&message, "ce_specversion"), "1.0");
	CHECK_SLICE(value_of(&message, "ce_id"), "019b76da-a87b-7bab-abab-abababababab");
	CHECK_SLICE(value_of(&message, "ce_source"), "/moonlog/store-1");
	CHECK_SLICE(value_of(&message, "ce_type"), "shop.order.Placed.v2");
	CHECK_SLICE(value_of(&message, "ce_time"), "2026-01-01T00:00:00.123456Z");
	CHECK_SLICE(value_of(&message, "ce_subject"), "o-7");
	CHECK_SLICE(value_of(&message, "ce_sequence"), "00000000000000001042-0001");
	CHECK_SLICE(value_of(&message, "ce_streamversion"), "3");
	CHECK_SLICE(value_of(&message, "ce_correlationid"), "c-1");
	CHECK_SLICE(value_of(&message, "ce_causationid"), "(none)");
	CHECK_SLICE(value_of(&message, "ce_traceparent"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	CHECK_SLICE(value_of(&message, "traceparent"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	CHECK_SLICE(value_of(&message, "content-type"), "application/json");
}

TEST(a_message_keeps_its_name_key_and_headers)
{
	struct recorded_entry entry = entry_of(ENTRY_MESSAGE);
	struct message message;

	entry.key = SLICE("k");
	entry.headers = SLICE(
		"{\"a\\u0062\":\"x\\ny\",\"ce_dataschema\":\"urn:x\",\"ce_id\":\"mine\",\"n\":5,\"o\":{\"a\":1}}");
	encode(&entry, &message);
	CHECK_SLICE(message.key, "k");
	CHECK_SLICE(value_of(&message, "ce_partitionkey"), "k");
	CHECK_SLICE(value_of(&message, "ce_type"), "Placed");
	CHECK_SLICE(value_of(&message, "ce_streamversion"), "(none)");
	CHECK_SLICE(value_of(&message, "ab"), "x\ny");
	CHECK_SLICE(value_of(&message, "ce_dataschema"), "urn:x");
	CHECK_SLICE(value_of(&message, "n"), "5");
	CHECK_SLICE(value_of(&message, "o"), "{\"a\":1}");
	CHECK_INT(count_of(&message, "ce_id"), 1);
	CHECK(!slice_equal(value_of(&message, "ce_id"), SLICE("mine")));
}

TEST(no_data_is_a_tombstone)
{
	struct recorded_entry entry = entry_of(ENTRY_MESSAGE);
	struct message message;

	entry.data = SLICE_NONE;
	encode(&entry, &message);
	CHECK(message.tombstone);
	CHECK_SLICE(value_of(&message, "content-type"), "(none)");
}

TEST(too_many_headers_are_told)
{
	struct recorded_entry entry = entry_of(ENTRY_MESSAGE);
	struct message message;
	char text[2000] = "{";

	for (int i = 0; i < 60; i++)
		sprintf(text + strlen(text), "%s\"h%d\":\"\"", i != 0 ? "," : "", i);
	strcat(text, "}");
	entry.headers = slice_text(text);
	CHECK(cloudevent_encode(&entry, SLICE("/s"), &arena, &message, &fault) != 0);
	CHECK_TEXT(fault.code, "too_many_headers");
	CHECK(strstr(fault.text, "position 1042") != NULL);
}

TEST(a_commit_shares_its_first_id_as_correlation)
{
	struct recorded_entry entries[3];
	char id[ID_TEXT_SIZE];

	for (int i = 0; i < 3; i++) {
		entries[i] = entry_of(ENTRY_EVENT);
		entries[i].position = 1041 + (uint64_t)i;
		entries[i].link.bytes[0] = (uint8_t)i;
		entries[i].id = entry_id(entries[i].recorded_at_us, &entries[i].link);
	}
	entries[2].provenance.correlation_id = SLICE("own");
	CHECK(cloudevent_correlate(entries, 3, &arena, &fault) == 0);
	id_format(&entries[0].id, id);
	CHECK_SLICE(entries[1].provenance.correlation_id, id);
	CHECK_SLICE(entries[2].provenance.correlation_id, "own");
}

TEST(what_goes_out_comes_in)
{
	struct recorded_entry entry = entry_of(ENTRY_EVENT);
	struct react_message wire, local;
	struct message message;

	entry.provenance.correlation_id = SLICE("c-1");
	entry.provenance.traceparent = SLICE("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	encode(&entry, &message);
	CHECK(decode(&message, &wire) == 0);
	cloudevent_of_entry(&entry, &arena, &local);
	CHECK_SLICE(wire.type, "shop.order.Placed.v2");
	CHECK_SLICE(wire.source, "/moonlog/store-1");
	CHECK(slice_equal(wire.type, local.type) && slice_equal(wire.id, local.id));
	CHECK(slice_equal(wire.subject, local.subject) && slice_equal(wire.topic, local.topic));
	CHECK(slice_equal(wire.key, local.key) && slice_equal(wire.data, local.data));
	CHECK(slice_equal(wire.correlation_id, local.correlation_id));
	CHECK_SLICE(wire.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	CHECK(slice_equal(wire.traceparent, local.traceparent));
	CHECK_INT(wire.time_us, local.time_us);
	CHECK_INT(wire.stream_version, 3);
	CHECK_INT(local.stream_version, 3);
}

TEST(structured_mode_is_taken)
{
	struct message_header type = { SLICE("Content-Type"), SLICE("application/CloudEvents+json; charset=UTF-8") };
	struct message message = {
		.topic = SLICE("t"),
		.key = SLICE("k"),
		.headers = &type,
		.header_count = 1,
		.value = SLICE("{\"specversion\":\"1.0\",\"id\":\"a\\u002fb\",\"source\":\"/"
			       "x\",\"type\":\"T\",\"subject\":\"s\","
			       "\"time\":\"2026-01-01T01:00:00+01:00\",\"streamversion\":7,\"data\":{\"a\":[1]}}")
	};
	struct react_message decoded;

	CHECK(decode(&message, &decoded) == 0);
	CHECK_SLICE(decoded.id, "a/b");
	CHECK_SLICE(decoded.source, "/x");
	CHECK_SLICE(decoded.type, "T");
	CHECK_SLICE(decoded.subject, "s");
	CHECK_SLICE(decoded.data, "{\"a\":[1]}");
	CHECK_INT(decoded.time_us, INT64_C(1767225600000000));
	CHECK_INT(decoded.stream_version, 7);
	message.value = SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"T\","
			      "\"datacontenttype\":\"text/plain\",\"data_base64\":\"YSJi\"}");
	CHECK(decode(&message, &decoded) == 0);
	CHECK_SLICE(decoded.data, "\"a\\\"b\"");
	message.value = SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"T\","
			      "\"data_base64\":\"eyJhIjoxfQ==\"}");
	CHECK(decode(&message, &decoded) == 0);
	CHECK_SLICE(decoded.data, "{\"a\":1}");
}

TEST(a_plain_message_is_named_by_its_headers_or_its_place)
{
	struct message_header headers[] = { { SLICE("type"), SLICE("Order") }, { SLICE("id"), SLICE("42") } };
	struct message message = { .topic = SLICE("orders"), .value = SLICE("hello"), .time_us = 9 };
	struct react_message decoded;

	CHECK(decode(&message, &decoded) == 0);
	CHECK_SLICE(decoded.type, "orders");
	CHECK_SLICE(decoded.id, "t/0/17");
	CHECK_SLICE(decoded.source, "orders");
	CHECK_SLICE(decoded.data, "\"hello\"");
	CHECK_INT(decoded.time_us, 9);
	message.headers = headers;
	message.header_count = 2;
	message.value = SLICE("{\"a\":1}");
	CHECK(decode(&message, &decoded) == 0);
	CHECK_SLICE(decoded.type, "Order");
	CHECK_SLICE(decoded.id, "42");
	CHECK_SLICE(decoded.data, "{\"a\":1}");
	message.tombstone = true;
	CHECK(decode(&message, &decoded) == 0);
	CHECK_SLICE(decoded.data, "null");
}

static void
refused(const struct message *message, const char *reason)
{
	struct react_message decoded;

	CHECK(decode(message, &decoded) != 0);
	CHECK_TEXT(fault.code, "bad_cloudevent");
	if (strstr(fault.text, reason) == NULL || strncmp(fault.text, "t/0/17", 6) != 0)
		CHECK_FAIL("\"%s\" does not say \"%s\"", fault.text, reason);
}

TEST(what_is_no_event_is_refused_with_its_reason)
{
	struct message_header binary[] = { { SLICE("ce_specversion"), SLICE("1.0") },
					   { SLICE("ce_id"), SLICE("1") },
					   { SLICE("ce_source"), SLICE("/x") },
					   { SLICE("ce_type"), SLICE("T") },
					   { SLICE("content-type"), SLICE("application/json") },
					   { SLICE("ce_time"), SLICE("2026-01-01T00:00:00Z") } };
	struct message message = { .topic = SLICE("t"), .headers = binary, .header_count = 6, .value = SLICE("{}") };
	struct react_message decoded;

	CHECK(decode(&message, &decoded) == 0);
	message.value = SLICE("{");
	refused(&message, "claims to be JSON");
	message.value = SLICE("{}");
	binary[0].value = SLICE("0.3");
	refused(&message, "specversion \"0.3\"");
	binary[0].value = SLICE("1.0");
	binary[5].value = SLICE("yesterday");
	refused(&message, "attribute time");
	binary[5].value = SLICE("");
	binary[3].value = SLICE("");
	refused(&message, "attribute type is missing");
	binary[3].value = SLICE("\xff");
	refused(&message, "attribute type is not UTF-8");
	binary[3].value = SLICE("T");
	binary[4].value = SLICE("application/octet-stream");
	message.value = SLICE("\xff\xfe");
	refused(&message, "neither JSON nor text");
	binary[4].value = SLICE("application/cloudevents-batch+json");
	refused(&message, "is not taken");
	binary[4].value = SLICE("application/cloudevents+json");
	message.value = SLICE("[]");
	refused(&message, "a JSON object");
	message.value = SLICE(
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/x\",\"type\":\"T\",\"data_base64\":\"a=b=\"}");
	refused(&message, "no base64");
}

__attribute__((constructor)) static void
open_arena(void)
{
	arena_init(&arena, (size_t)1 << 20);
}

__attribute__((destructor)) static void
close_arena(void)
{
	arena_fini(&arena);
}

TEST_MAIN()
