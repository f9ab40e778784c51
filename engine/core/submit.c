/* SPDX-License-Identifier: MIT */
/*
 * What a decision wants becomes an append: every stream that was read as "exactly the version read", the events
 * with their digests (workers hash, the committer links), the unique keys as records, the first answer as what a repeat
 * gets.
 */
#include "core/submit.h"

#include "core/answer.h"
#include "core/timer.h"

/* The keys that the decision reserves or releases, then its timers, as records beside its events. */
static bool
make_records(const struct worker *worker, struct command *command)
{
	const struct decided *decided = &command->decided;
	struct arena *arena = command->asked->arena;
	struct record_write *records;
	size_t timers = 0;

	if (decided->reservation_count + decided->timer_count == 0)
		return true;
	records =
		arena_zero(arena, decided->reservation_count + TIMER_RECORDS * decided->timer_count, sizeof(*records));
	if (records == NULL)
		return false;
	for (size_t i = 0; i < decided->reservation_count; i++) {
		const struct reservation *reservation = &decided->reservations[i];

		records[i].rule = reservation->release ? RECORD_REMOVE_EQUALS : RECORD_ABSENT;
		records[i].space = arena_format(arena, "unique/%.*s.%.*s", SLICE_ARG(command->domain->name),
						SLICE_ARG(reservation->name));
		records[i].key = reservation->key;
		*(reservation->release ? &records[i].before : &records[i].value) = command->stream;
		if (records[i].space.data == NULL)
			return false;
	}
	if (decided->timer_count != 0 && timer_records(command->domain->name, decided, timer_skew(worker->timers),
						       arena, records + decided->reservation_count, &timers, NULL) != 0)
		return false;
	command->submission.append.records = records;
	command->submission.append.record_count = decided->reservation_count + timers;
	return true;
}

static bool
make_append(const struct worker *worker, struct command *command)
{
	struct engine_command *asked = command->asked;
	struct decided *decided = &command->decided;
	struct append_stream *streams = arena_zero(asked->arena, decided->stream_count, sizeof(*streams));

	command->submission.append = (struct append){ .streams = streams,
						      .stream_count = decided->stream_count,
						      .entries = decided->entries,
						      .entry_count = decided->entry_count,
						      .provenance = asked->provenance,
						      .generation = command->rules->generation,
						      .arena = asked->arena };
	if (streams == NULL || !make_records(worker, command))
		return false;
	for (size_t i = 0; i < decided->stream_count; i++) {
		streams[i].name = decided->streams[i].name;
		streams[i].expected = (struct expected){ EXPECTED_EXACTLY, decided->streams[i].version };
	}
	for (size_t i = 0; i < decided->entry_count; i++) {
		struct new_entry *entry = &decided->entries[i];

		entry_digest(entry, streams[entry->stream].name, command->submission.append.generation,
			     &asked->provenance, &entry->digest);
	}
	if (command->has_key) {
		command->submission.append.command_id = &command->command_id;
		command->submission.append.fingerprint = command->fingerprint;
		command->submission.append.reply = answer_envelope(command, asked->arena);
		if (command->submission.append.reply.data == NULL)
			return false;
	}
	command->flights = arena_zero(asked->arena, decided->stream_count, sizeof(struct lane *));
	return command->flights != NULL;
}

int
submit_command(struct worker *worker, struct command *command, struct fault *fault)
{
	struct decided *decided = &command->decided;

	if (!make_append(worker, command))
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for an append");
	for (size_t i = 0; i < decided->stream_count; i++)
		if (decided->streams[i].written)
			command->flights[i] = lane_fly(&worker->lanes, decided->streams[i].name,
						       i == 0 ? command->hash : command_hash(decided->streams[i].name));
	command_move(command, COMMAND_COMMITTING);
	worker->unsent++;
	command->post.kind = POST_SETTLED;
	command->submission.home = command->home;
	command->submission.back = &command->post.mail;
	committer_give(worker->committer, &command->submission);
	return 0;
}
