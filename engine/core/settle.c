/* SPDX-License-Identifier: MIT */
/*
 * What the committer's word means for a command: the provisional state becomes the cached one and the answer goes out;
 * or it is decided again; or what was made is thrown away and the answer says why.
 */
#include "core/settle.h"

#include <stdlib.h>

#include "core/answer.h"
#include "core/execute.h"
#include "core/foreign.h"
#include "core/keeper.h"
#include "core/snapshot.h"

/* The committed state is kept when a count of events, or a time, has passed since the last one. */
static void
offer_snapshot(struct worker *worker, struct command *command, stream_version version)
{
	const struct decided_stream *stream = &command->decided.streams[0];
	struct cached *cached = command->cached;
	stream_version every = execute_every(worker, command);
	int64_t now_us = command->submission.append.recorded_at_us;
	int64_t seconds = command_aggregate(command)->snapshot_seconds;
	bool due = every != SNAPSHOT_NEVER && version / every != stream->version / every;

	if (stream->event_count == 0 || cached->state == 0)
		return;
	if (cached->kept_us == 0)
		cached->kept_us = now_us;
	if (!due && (seconds == 0 || now_us - cached->kept_us < seconds * 1000000))
		return;
	cached->kept_us = now_us;
	keeper_offer(worker->keeper, command->seat, command->aggregate, command->stream, version, cached->state);
}

static void
settle_done(struct worker *worker, struct command *command)
{
	struct decided *decided = &command->decided;
	const struct append *append = &command->submission.append;
	stream_version version = decided->streams[0].version + decided->streams[0].event_count;

	cache_set(command->cached, decided->streams[0].state, version);
	if (version == 0 || (decided->streams[0].event_count != 0 &&
			     (decided->streams[0].meta_touched || command_aggregate(command)->meta_matters)))
		cache_empty(&worker->cache, command->cached);
	offer_snapshot(worker, command, version);
	foreign_release(worker, command, true);
	atomic_fetch_add_explicit(&worker->tally.events, append->entry_count, memory_order_relaxed);
	answer_decided(command, version, append->last);
	execute_finish(worker, command);
}

/* What the decision made is of no use: provisional states go, the stream will be loaded anew. */
static void
discard(struct worker *worker, struct command *command)
{
	foreign_release(worker, command, false);
	cache_set(command->cached, command->decided.streams[0].state, command->cached->version);
	cache_empty(&worker->cache, command->cached);
}

static void
decide_again(struct worker *worker, struct command *command)
{
	stream_version actual =
		command->submission.append.versions != NULL ? command->submission.append.versions[0] : 0;

	discard(worker, command);
	if (++command->attempt >= worker->limits->attempts) {
		answer_conflict(command, "version_conflict", actual);
		execute_finish(worker, command);
		return;
	}
	atomic_fetch_add_explicit(&worker->tally.again, 1, memory_order_relaxed);
	arena_reset(command->asked->arena, command->mark);
	command_move(command, COMMAND_DECIDING);
	execute_decide(worker, command);
}

static void
settle_answered(struct worker *worker, struct command *command)
{
	const struct append *append = &command->submission.append;

	switch (append->answer) {
	case APPEND_DONE:
		settle_done(worker, command);
		return;
	case APPEND_CONFLICT:
		decide_again(worker, command);
		return;
	case APPEND_RECORD_CONFLICT:
		discard(worker, command);
		answer_taken(command, &command->decided.reservations[append->conflict_record]);
		break;
	case APPEND_REPEATED:
		discard(worker, command);
		answer_repeated(command, append->repeated_reply, append->last);
		break;
	case APPEND_MISMATCH:
		discard(worker, command);
		answer_mismatch(command);
		break;
	case APPEND_NONE:
	case APPEND_FAILED:
		must(append->answer == APPEND_FAILED);
		discard(worker, command);
		answer_fault(command, &append->fault);
		break;
	}
	execute_finish(worker, command);
}

void
settle_command(struct worker *worker, struct command *command)
{
	for (size_t i = 0; i < command->decided.stream_count; i++)
		if (command->flights[i] != NULL)
			lane_land(&worker->lanes, command->flights[i]);
	if (command->submission.result == COMMIT_DONE) {
		settle_answered(worker, command);
		return;
	}
	discard(worker, command);
	execute_fail(worker, command, &command->submission.fault);
}
