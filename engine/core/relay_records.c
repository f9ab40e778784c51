/* SPDX-License-Identifier: MIT */
/*
 * What the relay keeps in the store: who the store is, and how far it believes to be. All are small JSON objects, but
 * for the id. Fails: CORRUPT "bad_record" for one that is not what was written.
 */
#include "base/json.h"
#include "core/relay_inside.h"

#define RECORD_MAX 1024

static int
bad_record(const char *key, struct fault *fault)
{
	return fault_set(fault, FAULT_CORRUPT, "bad_record", "record relay/%s is not what was written", key);
}

int
relay_read_record(struct relay *relay, const char *key, struct slice *value, bool *found, struct fault *fault)
{
	return store_read_record(relay->reader, RELAY_SPACE, slice_text(key), &relay->scratch, value, found, fault);
}

int
relay_write_record(struct relay *relay, struct record_write record, bool *won, struct fault *fault)
{
	struct append append = { .records = &record, .record_count = 1, .arena = &relay->scratch };

	record.space = RELAY_SPACE;
	*won = false;
	if (relay->options.commit.commit(relay->options.commit.self, &append, fault) != 0)
		return -1;
	*won = append.answer == APPEND_DONE;
	return 0;
}

static int
put(struct relay *relay, const char *key, struct slice value, struct fault *fault)
{
	struct record_write record = { .rule = RECORD_PUT, .key = slice_text(key), .value = value };
	bool won;

	if (relay_write_record(relay, record, &won, fault) != 0)
		return -1;
	return won ? 0 : fault_set(fault, FAULT_BUSY, "not_written", "record relay/%s was not written", key);
}

static bool
number_member(struct json_value object, const char *name, uint64_t *number)
{
	struct json_value value;

	return json_member(object, slice_text(name), &value) && slice_to_u64(value.raw, number);
}

static bool
text_member(struct json_value object, const char *name, struct arena *arena, struct slice *text)
{
	struct json_value value;
	struct buf decoded;

	if (!json_member(object, slice_text(name), &value) || value.kind != JSON_STRING)
		return false;
	buf_init(&decoded, value.raw.size + 1);
	json_decode(value, &decoded);
	*text = decoded.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&decoded));
	buf_fini(&decoded);
	return text->data != NULL;
}

static bool
link_member(struct json_value object, struct check *link)
{
	static const char digits[] = "0123456789abcdef";
	struct json_value value;

	if (!json_member(object, SLICE("link"), &value) || value.raw.size != 2 * CHECK_SIZE + 2)
		return false;
	for (size_t i = 0; i < CHECK_SIZE; i++) {
		const char *high = memchr(digits, value.raw.data[1 + 2 * i], 16),
			   *low = memchr(digits, value.raw.data[2 + 2 * i], 16);

		if (high == NULL || low == NULL)
			return false;
		link->bytes[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

/* An object under a key; *found false when there is none. */
static int
read_object(struct relay *relay, const char *key, struct json_value *object, bool *found, struct fault *fault)
{
	struct slice value;

	if (relay_read_record(relay, key, &value, found, fault) != 0)
		return -1;
	if (*found && (json_check(value, object, NULL) != 0 || object->kind != JSON_OBJECT))
		return bad_record(key, fault);
	return 0;
}

/* ---- identity ---- */

/* A fresh id as a record that loses to one that is there. */
static struct record_write
new_id(const struct entropy *entropy, char text[ID_TEXT_SIZE])
{
	uint8_t random[16];
	struct id id;

	entropy_fill(entropy, random, sizeof(random));
	id = id_v4(random);
	id_format(&id, text);
	return (struct record_write){ .rule = RECORD_ABSENT,
				      .space = RELAY_SPACE,
				      .key = SLICE("store"),
				      .value = slice_from(text, ID_TEXT_SIZE - 1) };
}

int
relay_name_store(struct store *store, const struct entropy *entropy, struct arena *arena, struct slice *id,
		 struct fault *fault)
{
	struct append append = { .record_count = 1, .arena = arena }, *appends[1] = { &append };
	struct store_reader *reader;
	struct record_write record;
	char text[ID_TEXT_SIZE];
	bool found;
	int result = -1;

	if (store_reader_open(store, &reader, fault) != 0)
		return -1;
	if (store_read_record(reader, RELAY_SPACE, SLICE("store"), arena, id, &found, fault) != 0)
		goto out;
	if (!found) {
		record = new_id(entropy, text);
		append.records = &record;
		if (store_commit(store, appends, 1, fault) != COMMIT_DONE)
			goto out;
		*id = arena_copy(arena, record.value);
	}
	result = id->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for the store's id");
out:
	store_reader_close(reader);
	return result;
}

static int
read_store_id(struct relay *relay, struct fault *fault)
{
	char text[ID_TEXT_SIZE];
	struct slice value;
	struct id id;
	bool found, won;

	if (relay_read_record(relay, "store", &value, &found, fault) != 0)
		return -1;
	if (!found) {
		struct record_write record = new_id(relay->options.entropy, text);

		value = record.value;
		if (relay_write_record(relay, record, &won, fault) != 0)
			return -1;
		if (!won)
			return fault_set(fault, FAULT_BUSY, "not_written", "another process names the store");
	}
	if (id_parse(value, &id) != 0)
		return bad_record("store", fault);
	relay->store_id = arena_copy(&relay->names, value);
	relay->source = arena_format(&relay->names, "/%.*s/%.*s", SLICE_ARG(relay->options.service), SLICE_ARG(value));
	if (relay->store_id.data == NULL || relay->source.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the store's id");
	return 0;
}

static int
read_incarnation(struct relay *relay, struct fault *fault)
{
	struct json_value object;
	uint64_t number, from;
	bool found;

	relay->incarnation = 1;
	relay->incarnation_from = (struct relay_place){ .position = 0 };
	if (read_object(relay, "incarnation", &object, &found, fault) != 0 || !found)
		return found ? -1 : 0;
	if (!number_member(object, "number", &number) || !number_member(object, "from", &from) ||
	    !link_member(object, &relay->incarnation_from.link) || number > UINT32_MAX)
		return bad_record("incarnation", fault);
	relay->incarnation = (uint32_t)number;
	relay->incarnation_from.position = from;
	return 0;
}

static int
read_hint(struct relay *relay, struct fault *fault)
{
	struct json_value object;
	bool found;

	if (read_object(relay, "hint", &object, &found, fault) != 0)
		return -1;
	if (!found)
		return 0;
	if (!number_member(object, "position", &relay->hinted) || !number_member(object, "marked", &relay->hinted_mark))
		return bad_record("hint", fault);
	pthread_mutex_lock(&relay->lock);
	relay->status.position = relay->hinted;
	pthread_mutex_unlock(&relay->lock);
	return 0;
}

int64_t
relay_identify(struct relay *relay)
{
	struct slice value;
	struct fault fault;

	if (relay->store_id.size == 0 && read_store_id(relay, &fault) != 0)
		return relay_trouble(relay, &fault);
	if (read_incarnation(relay, &fault) != 0 || read_hint(relay, &fault) != 0 ||
	    relay_read_record(relay, "bootstrapped", &value, &relay->bootstrapped, &fault) != 0)
		return relay_trouble(relay, &fault);
	return relay_go(relay, PHASE_OPEN);
}

static void
add_place(struct buf *out, const char *name, const struct relay_place *place)
{
	json_key(out, name);
	buf_u64(out, place->position);
	buf_text(out, ",\"link\":\"");
	buf_hex(out, place->link.bytes, CHECK_SIZE);
	buf_byte(out, '"');
}

int
relay_write_incarnation(struct relay *relay, uint32_t number, const struct relay_place *from, struct fault *fault)
{
	struct buf value;
	int result;

	buf_init(&value, RECORD_MAX);
	buf_format(&value, "{\"number\":%u", number);
	add_place(&value, "from", from);
	buf_byte(&value, '}');
	result = put(relay, "incarnation", buf_slice(&value), fault);
	buf_fini(&value);
	if (result == 0) {
		relay->incarnation = number;
		relay->incarnation_from = *from;
	}
	return result;
}

int
relay_write_bootstrapped(struct relay *relay, struct fault *fault)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(clock_wall_us(relay->options.clock), text);
	if (put(relay, "bootstrapped", slice_text(text), fault) != 0)
		return -1;
	relay->bootstrapped = true;
	return 0;
}

int
relay_write_hint(struct relay *relay, struct fault *fault)
{
	log_position position = relay->at.position, marked = relay->mark.position;
	char time[CLOCK_TEXT_SIZE];
	struct buf value;
	int result;

	clock_format(clock_wall_us(relay->options.clock), time);
	buf_init(&value, RECORD_MAX);
	buf_format(&value, "{\"position\":%llu,\"marked\":%llu,\"at\":\"%s\"}", (unsigned long long)position,
		   (unsigned long long)marked, time);
	result = put(relay, "hint", buf_slice(&value), fault);
	buf_fini(&value);
	relay->hint_ns = clock_mono_ns(relay->options.clock);
	if (result == 0) {
		relay->hinted = position;
		relay->hinted_mark = marked;
	}
	return result;
}

/* ---- the mark of a bus that keeps none ---- */

/* What the next write is compared with. */
static int
remember_mark(struct relay *relay, struct slice value, struct fault *fault)
{
	if (relay->mark_text == NULL)
		relay->mark_text = arena_alloc(&relay->names, RECORD_MAX);
	if (relay->mark_text == NULL || value.size > RECORD_MAX)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the mark");
	if (value.size != 0)
		memcpy(relay->mark_text, value.data, value.size);
	relay->mark_value = slice_from(relay->mark_text, value.size);
	return 0;
}

int
relay_read_mark(struct relay *relay, struct bus_mark *mark, struct fault *fault)
{
	struct json_value object;
	uint64_t incarnation;
	bool found;

	*mark = (struct bus_mark){ .store = relay->store_id };
	if (read_object(relay, "mark", &object, &found, fault) != 0 ||
	    remember_mark(relay, found ? object.raw : SLICE_NONE, fault) != 0)
		return -1;
	if (!found)
		return 0;
	if (!number_member(object, "position", &mark->position) || !link_member(object, &mark->link) ||
	    !number_member(object, "incarnation", &incarnation) || incarnation > UINT32_MAX ||
	    !text_member(object, "owner", &relay->found_arena, &mark->owner) ||
	    !number_member(object, "epoch", &mark->epoch))
		return bad_record("mark", fault);
	mark->incarnation = (uint32_t)incarnation;
	mark->found = true;
	return 0;
}

int
relay_write_mark(struct relay *relay, const struct bus_mark *mark, bool *won, struct fault *fault)
{
	struct relay_place place = { mark->position, mark->link };
	struct buf value;
	int result;

	buf_init(&value, RECORD_MAX);
	buf_byte(&value, '{');
	add_place(&value, "position", &place);
	buf_format(&value, ",\"incarnation\":%u,\"owner\":", mark->incarnation);
	json_quote(&value, mark->owner);
	buf_format(&value, ",\"epoch\":%llu}", (unsigned long long)mark->epoch);
	struct record_write record = { .rule = relay->mark_value.size != 0 ? RECORD_EQUALS : RECORD_ABSENT,
				       .key = SLICE("mark"),
				       .value = buf_slice(&value),
				       .before = relay->mark_value };
	result = value.failed ? fault_set(fault, FAULT_LIMIT, "too_large", "the relay's owner has too long a name")
			      : relay_write_record(relay, record, won, fault);
	if (result == 0 && *won)
		result = remember_mark(relay, buf_slice(&value), fault);
	buf_fini(&value);
	return result;
}
