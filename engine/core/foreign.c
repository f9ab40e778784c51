/* SPDX-License-Identifier: MIT */
#include "core/foreign.h"

#include "core/load.h"

int
foreign_load(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version,
	     struct fault *fault)
{
	struct foreign *foreign = self;
	struct worker *worker = foreign->worker;
	struct command *command = foreign->command;
	const struct script_program *program = command->rules->program;
	struct loading loading = { worker->reader, command->seat->machine, &worker->pages, aggregate, true, NULL };
	char name[STREAM_NAME_MAX + 1];
	struct slice stream;
	bool cold;

	*state = 0;
	*version = 0;
	if (load_name(program, aggregate, id, name, &stream, fault) != 0)
		return -1;
	if (slice_equal(stream, command->stream))
		return fault_set(fault, FAULT_SCRIPT, "own_stream",
				 "ctx:load of the command's own stream: use `state`");
	command->wanted = lane_flying(&worker->lanes, stream, command_hash(stream));
	if (command->wanted != NULL)
		return fault_set(fault, FAULT_BUSY, "stream_busy", "%.*s is being written", SLICE_ARG(stream));
	cold = !cache_take(&worker->cache, (uint16_t)command->domain->number, command->seat, aggregate, stream,
			   command_hash(stream), state, version);
	if (load_stream(&loading, stream, 0, state, version, fault) != 0)
		return -1;
	if (cold && *state != 0)
		atomic_fetch_add_explicit(&worker->tally.loads, 1, memory_order_relaxed);
	return 0;
}

/* As of the version that is in the store now. false: the state is to be released. */
static bool
keep(struct worker *worker, const struct command *command, const struct decided_stream *stream, bool recorded)
{
	const struct script_program *program = command->seat->rules->program;
	int aggregate = load_aggregate(program, stream->name);

	if (aggregate < 0 || stream->version + stream->event_count == 0 || command->wrongs != worker->wrongs)
		return false;
	if (stream->event_count != 0 &&
	    (!recorded || stream->meta_touched || program->aggregates[aggregate].meta_matters))
		return false;
	return cache_keep(&worker->cache, (uint16_t)command->domain->number, command->seat, (uint16_t)aggregate,
			  stream->name, command_hash(stream->name), stream->state,
			  stream->version + stream->event_count, true);
}

static void
tell_owner(struct worker *worker, struct slice stream)
{
	uint64_t hash = command_hash(stream);

	if (worker_of(worker, hash) == worker)
		cache_outdate(&worker->cache, stream, hash);
	else
		worker_forget(worker, stream, hash);
}

void
foreign_release(struct worker *worker, struct command *command, bool recorded)
{
	for (size_t i = 1; i < command->decided.stream_count; i++) {
		struct decided_stream *stream = &command->decided.streams[i];

		if (stream->state != 0 && !keep(worker, command, stream, recorded))
			script_state_release(command->seat->machine, stream->state);
		stream->state = 0;
		if (recorded && stream->written)
			tell_owner(worker, stream->name);
	}
}
