/* SPDX-License-Identifier: MIT */
/*
 * One reservation an entry, then plain stores: most of a log read is spent here, in the store's digests and in the
 * kernel. Text that a client may have chosen (types, correlation ids) is checked for characters that JSON wants
 * escaped, and goes the slow way only then. Data is canonical JSON already and is copied.
 *
 * Members that stand at their default are left out: kind event, a commit of one entry, empty texts. An event without a
 * correlation id of its own shows that of its commit: the id of the commit's first entry.
 */
#include "core/render.h"

#include "base/json.h"
#include "base/word.h"

#define FIXED_ROOM 640 /* more than all keys, numbers, ids and hashes of one entry take */

static const char digits[] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static inline char *
put(char *at, const char *text, size_t size)
{
	memcpy(at, text, size);
	return at + size;
}

#define PUT(at, literal) put((at), (literal), sizeof(literal) - 1)

static char *
put_u64(char *at, uint64_t number)
{
	char text[20];
	size_t start = sizeof(text);

	while (number >= 100) {
		start -= 2;
		memcpy(text + start, digits + 2 * (number % 100), 2);
		number /= 100;
	}
	if (number >= 10) {
		start -= 2;
		memcpy(text + start, digits + 2 * number, 2);
	} else {
		text[--start] = (char)('0' + number);
	}
	return put(at, text + start, sizeof(text) - start);
}

static char *
put_hex(char *at, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i += 4) {
		word_put(at, word_hex(bytes + i));
		at += 8;
	}
	return at;
}

static bool
is_plain(struct slice text)
{
	return text.size == 0 || word_skip_plain(text.data, text.data + text.size) == text.data + text.size;
}

static char *
put_time(struct render *render, char *at, int64_t wall_us)
{
	int64_t second = wall_us / 1000000, rest = wall_us % 1000000;
	unsigned micro;

	if (rest < 0) {
		second--;
		rest += 1000000;
	}
	if (render->second != second || second == 0) {
		char text[CLOCK_TEXT_SIZE];

		clock_format(second * 1000000, text);
		memcpy(render->date, text, 20);
		render->second = second;
	}
	micro = (unsigned)rest;
	at = put(at, render->date, 20); /* with the point */
	memcpy(at, digits + 2 * (micro / 10000), 2);
	memcpy(at + 2, digits + 2 * (micro / 100 % 100), 2);
	memcpy(at + 4, digits + 2 * (micro % 100), 2);
	at[6] = 'Z';
	return at + 7;
}

void
render_time(struct render *render, int64_t wall_us, struct buf *out)
{
	char text[40], *at = text;

	*at++ = '"';
	at = put_time(render, at, wall_us);
	*at++ = '"';
	buf_add(out, slice_from(text, (size_t)(at - text)));
}

/* The room for it is reserved already, escapes included, so json_quote does not move the buffer. */
static char *
put_member(char *at, const char *key, size_t key_size, struct slice text, struct buf *out)
{
	at = put(at, key, key_size);
	if (is_plain(text)) {
		*at++ = '"';
		if (text.size != 0)
			at = put(at, text.data, text.size);
		*at++ = '"';
		return at;
	}
	out->size = (size_t)(at - out->data);
	json_quote(out, text);
	return out->data + out->size;
}

#define PUT_MEMBER(at, key, text, out) put_member((at), ",\"" key "\":", sizeof(",\"" key "\":") - 1, (text), (out))

/* The id of the first entry of the entry's commit, as text; NULL when it cannot be known. */
static const char *
commit_id(struct render *render, const struct recorded_entry *entry)
{
	struct id id = entry->id;

	if (render->commit == entry->commit_first)
		return render->commit_id;
	if (entry->position != entry->commit_first &&
	    (render->first_id == NULL || render->first_id(render->self, entry->commit_first, &id) != 0))
		return NULL;
	id_format(&id, render->commit_id);
	render->commit = entry->commit_first;
	return render->commit_id;
}

static size_t
text_room(const struct recorded_entry *entry)
{
	const struct provenance *from = &entry->provenance;

	/* Six bytes for one is the most that escaping can make of it. */
	return 6 * (entry->stream.size + entry->type.size + entry->topic.size + entry->key.size +
		    from->correlation_id.size + from->causation_id.size + from->traceparent.size + from->actor.size);
}

static char *
put_head(struct render *render, char *at, const struct recorded_entry *entry, struct buf *out)
{
	char text[ID_TEXT_SIZE];

	at = PUT(at, "{\"position\":");
	at = put_u64(at, entry->position);
	if (entry->kind == ENTRY_MESSAGE)
		at = PUT(at, ",\"kind\":\"message\"");
	else if (entry->kind == ENTRY_DOCUMENT)
		at = PUT(at, ",\"kind\":\"document\"");
	else if (entry->kind == ENTRY_TIMER)
		at = PUT(at, ",\"kind\":\"timer\"");
	at = PUT_MEMBER(at, "stream", entry->stream, out);
	if (entry->version != 0) {
		at = PUT(at, ",\"version\":");
		at = put_u64(at, entry->version);
	}
	id_format(&entry->id, text);
	at = PUT(at, ",\"id\":\"");
	at = put(at, text, ID_TEXT_SIZE - 1);
	*at++ = '"';
	at = PUT_MEMBER(at, "type", entry->type, out);
	at = PUT(at, ",\"schema_version\":");
	at = put_u64(at, entry->schema_version);
	at = PUT(at, ",\"generation\":");
	at = put_u64(at, entry->generation);
	at = PUT(at, ",\"time\":\"");
	at = put_time(render, at, entry->recorded_at_us);
	*at++ = '"';
	return at;
}

static char *
put_provenance(struct render *render, char *at, const struct recorded_entry *entry, struct buf *out)
{
	const struct provenance *from = &entry->provenance;
	const char *first = NULL;

	if (from->correlation_id.size != 0) {
		at = PUT_MEMBER(at, "correlation_id", from->correlation_id, out);
	} else if ((first = commit_id(render, entry)) != NULL) {
		at = PUT(at, ",\"correlation_id\":\"");
		at = put(at, first, ID_TEXT_SIZE - 1);
		*at++ = '"';
	}
	if (from->causation_id.size != 0)
		at = PUT_MEMBER(at, "causation_id", from->causation_id, out);
	if (from->traceparent.size != 0)
		at = PUT_MEMBER(at, "traceparent", from->traceparent, out);
	if (from->actor.size != 0)
		at = PUT_MEMBER(at, "actor", from->actor, out);
	if (entry->commit_size == 1)
		return at;
	at = PUT(at, ",\"commit_first\":");
	at = put_u64(at, entry->commit_first);
	at = PUT(at, ",\"commit_size\":");
	return put_u64(at, entry->commit_size);
}

/* All up to the data, which is the last of it. */
static char *
put_whole(struct render *render, const struct recorded_entry *entry, struct buf *out)
{
	char *at;

	if (!buf_reserve(out, FIXED_ROOM + text_room(entry) + entry->data.size + entry->headers.size))
		return NULL;
	at = put_head(render, out->data + out->size, entry, out);
	at = put_provenance(render, at, entry, out);
	if (entry->topic.size != 0)
		at = PUT_MEMBER(at, "topic", entry->topic, out);
	if (entry->key.size != 0)
		at = PUT_MEMBER(at, "key", entry->key, out);
	if (entry->headers.size != 0) {
		at = PUT(at, ",\"headers\":");
		at = put(at, entry->headers.data, entry->headers.size);
	}
	at = PUT(at, ",\"data\":");
	return entry->data.size != 0 ? put(at, entry->data.data, entry->data.size) : PUT(at, "null");
}

void
render_entry(struct render *render, const struct recorded_entry *entry, struct buf *out)
{
	char *at = put_whole(render, entry, out);

	if (at == NULL)
		return;
	at = PUT(at, ",\"digest\":\"");
	at = put_hex(at, entry->digest.bytes, CHECK_SIZE);
	at = PUT(at, "\",\"link\":\"");
	at = put_hex(at, entry->link.bytes, CHECK_SIZE);
	at = PUT(at, "\"}");
	out->size = (size_t)(at - out->data);
}

void
render_piece(struct render *render, const struct recorded_entry *piece, size_t number, size_t count, struct buf *out)
{
	char *at = put_whole(render, piece, out);

	if (at == NULL)
		return;
	if (count > 1) {
		at = PUT(at, ",\"piece\":");
		at = put_u64(at, number);
		at = PUT(at, ",\"pieces\":");
		at = put_u64(at, count);
	}
	*at++ = '}';
	out->size = (size_t)(at - out->data);
}
