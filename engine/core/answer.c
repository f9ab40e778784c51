/* SPDX-License-Identifier: MIT */
/*
 * The envelope is what makes a repeat whole: status, version, decision and the texts of the first answer.
 *
 *   byte 0x01 (form) · byte 0 accepted, 1 refused · status · version · events · lengths of reply, code, message,
 *   details (each number a varint, seven bits a byte, lowest first) · the bytes of the four
 *
 * A form that is not known is a fault of class CORRUPT: stored bytes are not what was written.
 */
#include "core/answer.h"

#include "base/json.h"

#define ENVELOPE_FORM 1
#define ENVELOPE_ROOM 64 /* more than the numbers can take */

void
answer_decided(struct command *command, stream_version version, log_position position)
{
	struct outcome *outcome = &command->asked->outcome;
	const struct decided *decided = &command->decided;

	outcome->kind = decided->decision == DECISION_ACCEPTED ? OUTCOME_ACCEPTED : OUTCOME_REFUSED;
	outcome->status = decided->status;
	outcome->reply = decided->reply;
	outcome->code = decided->code;
	outcome->message = decided->message;
	outcome->details = decided->details;
	outcome->version = version;
	outcome->position = position;
	outcome->event_count = decided->stream_count != 0 ? decided->streams[0].event_count : 0;
}

void
answer_conflict(struct command *command, const char *code, stream_version version)
{
	struct outcome *outcome = &command->asked->outcome;

	outcome->kind = OUTCOME_CONFLICT;
	outcome->code = slice_text(code);
	outcome->version = version;
	outcome->message = arena_format(command->asked->arena, "%.*s stands at version %llu",
					SLICE_ARG(command->stream), (unsigned long long)version);
}

void
answer_missing(struct command *command)
{
	struct outcome *outcome = &command->asked->outcome;

	outcome->kind = OUTCOME_MISSING;
	outcome->code = SLICE("no_such_stream");
	outcome->message = arena_format(command->asked->arena, "there is no stream %.*s", SLICE_ARG(command->stream));
}

void
answer_mismatch(struct command *command)
{
	struct outcome *outcome = &command->asked->outcome;

	outcome->kind = OUTCOME_MISMATCH;
	outcome->code = SLICE("idempotency_key_reused");
	outcome->message = SLICE("this Idempotency-Key was used for another request");
}

void
answer_fault(struct command *command, const struct fault *fault)
{
	struct outcome *outcome = &command->asked->outcome;

	outcome->kind = OUTCOME_FAILED;
	outcome->fault = *fault;
	outcome->code = slice_text(outcome->fault.code);
	outcome->message = slice_text(outcome->fault.text);
}

void
answer_taken(struct command *command, const struct reservation *reservation)
{
	struct outcome *outcome = &command->asked->outcome;

	outcome->kind = OUTCOME_REFUSED;
	outcome->status = 409;
	outcome->version = command->decided.streams[0].version;
	if (reservation->release) {
		outcome->code = SLICE("not_reserved");
		outcome->message = arena_format(command->asked->arena, "%.*s \"%.*s\" is not held by this stream",
						SLICE_ARG(reservation->name), SLICE_ARG(reservation->key));
		return;
	}
	outcome->code = reservation->code.size != 0 ? reservation->code : SLICE("already_taken");
	outcome->message = reservation->message.size != 0
				   ? reservation->message
				   : arena_format(command->asked->arena, "%.*s \"%.*s\" is taken",
						  SLICE_ARG(reservation->name), SLICE_ARG(reservation->key));
}

static char *
put_number(char *at, uint64_t number)
{
	while (number >= 0x80) {
		*at++ = (char)(0x80 | (number & 0x7f));
		number >>= 7;
	}
	*at++ = (char)number;
	return at;
}

struct slice
answer_envelope(const struct command *command, struct arena *arena)
{
	const struct decided *decided = &command->decided;
	const struct slice texts[] = { decided->reply, decided->code, decided->message, decided->details };
	size_t size = ENVELOPE_ROOM;
	char *data, *at;

	for (size_t i = 0; i < countof(texts); i++)
		size += texts[i].size;
	data = at = arena_alloc(arena, size);
	if (data == NULL)
		return SLICE_NONE;
	*at++ = ENVELOPE_FORM;
	*at++ = decided->decision == DECISION_REFUSED;
	at = put_number(at, decided->status);
	at = put_number(at, decided->streams[0].version + decided->streams[0].event_count);
	at = put_number(at, decided->streams[0].event_count);
	for (size_t i = 0; i < countof(texts); i++)
		at = put_number(at, texts[i].size);
	for (size_t i = 0; i < countof(texts); i++) {
		if (texts[i].size != 0)
			memcpy(at, texts[i].data, texts[i].size);
		at += texts[i].size;
	}
	return slice_from(data, (size_t)(at - data));
}

static bool
get_number(struct slice *rest, uint64_t *number)
{
	unsigned shift = 0;

	*number = 0;
	while (rest->size != 0 && shift < 64) {
		unsigned char byte = (unsigned char)*rest->data;

		rest->data++;
		rest->size--;
		*number |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return true;
		shift += 7;
	}
	return false;
}

static bool
read_envelope(struct slice rest, struct outcome *outcome)
{
	struct slice *texts[] = { &outcome->reply, &outcome->code, &outcome->message, &outcome->details };
	uint64_t status, events, sizes[countof(texts)];

	if (rest.size < 2 || rest.data[0] != ENVELOPE_FORM)
		return false;
	rest = slice_from(rest.data + 2, rest.size - 2);
	if (!get_number(&rest, &status) || !get_number(&rest, &outcome->version) || !get_number(&rest, &events))
		return false;
	for (size_t i = 0; i < countof(texts); i++)
		if (!get_number(&rest, &sizes[i]))
			return false;
	for (size_t i = 0; i < countof(texts); i++) {
		if (sizes[i] > rest.size)
			return false;
		*texts[i] = slice_from(rest.data, (size_t)sizes[i]);
		rest = slice_from(rest.data + sizes[i], rest.size - (size_t)sizes[i]);
	}
	outcome->status = (uint16_t)status;
	outcome->event_count = (uint32_t)events;
	return true;
}

int
answer_repeated(struct command *command, struct slice envelope, log_position last)
{
	struct outcome *outcome = &command->asked->outcome;
	struct slice kept = arena_copy(command->asked->arena, envelope);
	struct fault fault;

	if (kept.data == NULL) {
		fault_set(&fault, FAULT_MEMORY, "memory", "no memory for an answer");
		answer_fault(command, &fault);
		return -1;
	}
	if (!read_envelope(kept, outcome)) {
		fault_set(&fault, FAULT_CORRUPT, "bad_answer", "the remembered answer of a command cannot be read");
		answer_fault(command, &fault);
		return -1;
	}
	outcome->kind = outcome->code.size == 0 ? OUTCOME_REPEATED : OUTCOME_REFUSED;
	outcome->position = last;
	return 0;
}

static void
add_entries(struct buf *out, const struct decided *decided)
{
	for (size_t i = 0; i < decided->entry_count; i++) {
		const struct new_entry *entry = &decided->entries[i];

		buf_text(out, i == 0 ? "{\"stream\":" : ",{\"stream\":");
		json_quote(out, decided->streams[entry->stream].name);
		buf_text(out, ",\"kind\":");
		buf_text(out, entry->kind == ENTRY_EVENT ? "\"event\"" : "\"message\"");
		buf_text(out, ",\"type\":");
		json_quote(out, entry->type);
		buf_text(out, ",\"schema_version\":");
		buf_u64(out, entry->schema_version);
		if (entry->topic.size != 0) {
			buf_text(out, ",\"topic\":");
			json_quote(out, entry->topic);
		}
		buf_text(out, ",\"data\":");
		buf_add(out, entry->data);
		buf_byte(out, '}');
	}
}

void
answer_dry_run(struct command *command)
{
	struct outcome *outcome = &command->asked->outcome;
	const struct decided *decided = &command->decided;
	struct fault fault;
	struct buf out;

	buf_init(&out, (size_t)16 << 20);
	buf_text(&out, "{\"stream\":");
	json_quote(&out, command->stream);
	buf_text(&out, ",\"version\":");
	buf_u64(&out, decided->streams[0].version);
	buf_text(&out, ",\"events\":[");
	add_entries(&out, decided);
	buf_text(&out, "],\"reply\":");
	buf_add(&out, decided->reply.size != 0 ? decided->reply : SLICE("null"));
	buf_byte(&out, '}');
	answer_decided(command, decided->streams[0].version, 0);
	outcome->reply = out.failed ? SLICE_NONE : arena_copy(command->asked->arena, buf_slice(&out));
	if (outcome->reply.data == NULL) {
		fault_set(&fault, FAULT_MEMORY, "memory", "no memory for an answer");
		answer_fault(command, &fault);
	}
	buf_fini(&out);
}
