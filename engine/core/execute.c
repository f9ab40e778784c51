/* SPDX-License-Identifier: MIT */
/*
 * A command's way through its worker: state from cache or store, the rule's decision, digests, the append, the
 * answer.
 *
 * Correct whatever the cache holds: every stream that was read goes into the append as "exactly the version read",
 * and the committer compares. A lost comparison loads and decides again, `attempts` times; what the client itself
 * expected is compared with the version read, and a failure of that is an answer at once.
 *
 * A remembered command is looked up only where no commit would do it: before any answer that records nothing. So the
 * usual command pays nothing for it, and a repeat is still answered with the first answer, whatever the state says
 * now [I5].
 */
#include "core/execute.h"

#include <stdio.h>

#include "base/log.h"
#include "core/answer.h"
#include "core/foreign.h"
#include "core/keeper.h"
#include "core/load.h"
#include "core/snapshot.h"
#include "core/submit.h"

const int64_t tally_bounds[TALLY_CLASSES - 1] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 100000, 500000, 2000000
};

static void
count_answer(struct worker *worker, const struct engine_command *asked)
{
	int64_t took_us = (clock_mono_ns(worker->parts->clock) - asked->given_ns) / 1000;
	struct tally *tally = &worker->tally;
	unsigned class = 0;

	while (class < TALLY_CLASSES - 1 && took_us > tally_bounds[class])
		class ++;
	atomic_fetch_add_explicit(&tally->latency[class], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&tally->latency_us, (uint64_t)took_us, memory_order_relaxed);
	atomic_fetch_add_explicit(&tally->outcomes[asked->outcome.kind], 1, memory_order_relaxed);
}

/* The answer goes out: after `done` the command's memory belongs to its asker again. */
void
execute_finish(struct worker *worker, struct command *command)
{
	struct engine_command *asked = command->asked;

	if (command->cached != NULL)
		cache_close(&worker->cache, command->cached);
	if (command->lane != NULL)
		lane_leave(&worker->lanes, command);
	if (command->seat != NULL)
		command->seat->users--;
	command_move(command, COMMAND_ANSWERED);
	count_answer(worker, asked);
	ruleset_release(command->rules);
	asked->done(asked);
	atomic_fetch_sub(worker->inside, 1);
}

void
execute_fail(struct worker *worker, struct command *command, const struct fault *fault)
{
	answer_fault(command, fault);
	execute_finish(worker, command);
}

static void
begin(struct worker *worker, struct command *command)
{
	if (command->begun)
		return;
	command->begun = true;
	atomic_fetch_sub(&worker->waiting, 1);
	atomic_fetch_sub(&worker->waiting_of[command->domain->number], 1);
}

void
execute_enter(struct worker *worker, struct command *command)
{
	struct fault fault;

	command_move(command, COMMAND_WAITING);
	if (lane_enter(&worker->lanes, command) == 0)
		return;
	begin(worker, command);
	command_move(command, COMMAND_DECIDING);
	fault_set(&fault, FAULT_MEMORY, "memory", "no memory for a command");
	execute_fail(worker, command, &fault);
}

/*
 * Before an answer that records nothing: was this command answered before? true when it was, and is answered now.
 */
static bool
answered_before(struct worker *worker, struct command *command)
{
	struct arena_mark mark = arena_mark(&worker->pages);
	struct remembered remembered = { 0 };
	struct fault fault;
	bool answered = true;

	if (!command->has_key || command->asked->dry_run)
		return false;
	if (store_find_command(worker->reader, &command->command_id, &command->fingerprint, &worker->pages, &remembered,
			       &fault) != 0)
		answer_fault(command, &fault);
	else if (!remembered.found)
		answered = false;
	else if (!remembered.same)
		answer_mismatch(command);
	else
		answer_repeated(command, remembered.reply, remembered.last);
	arena_reset(&worker->pages, mark);
	return answered;
}

/* The breaker hears of how it went. */
static void
tell_breaker(struct worker *worker, struct command *command, const struct fault *fault)
{
	struct breaker *breaker = &command->domain->breaker;

	if (fault != NULL && breaker_counts(fault)) {
		if (breaker_stopped(breaker, &worker->limits->breaker, clock_mono_ns(worker->parts->clock)))
			log_line(LOG_WARN, "a domain's commands are turned away for a while",
				 log_slice("domain", command->domain->name), log_text("code", fault->code),
				 log_int("stopped", (int64_t)atomic_load(&breaker->stopped)));
	} else if (command->probe && breaker_probed(breaker)) {
		log_line(LOG_INFO, "a domain's commands are served again", log_slice("domain", command->domain->name));
	}
	command->probe = false;
}

/* The adoption of newer rules is in this worker's mailbox, or about to be: the command goes on after it. */
static void
wait_for_adoption(struct worker *worker, struct command *command)
{
	command_move(command, COMMAND_WAITING);
	command->next = worker->stranded;
	worker->stranded = command;
}

/*
 * The command takes the current seat: it is decided wholly by those rules [I8], also when it was routed or decided
 * before by the ones that a reload has replaced. One that was routed by newer rules, which this worker has not adopted
 * yet, waits for them: the old ones may not know its name or its route. -1: answered, or it waits.
 */
static int
take_seat(struct worker *worker, struct command *command)
{
	struct seat *seat = worker->seats[command->domain->number];

	if (command->rules != seat->rules && domain_decides(command->domain, command->rules)) {
		wait_for_adoption(worker, command);
		return -1;
	}
	if (command->rules != seat->rules && !command_rebind(command, seat->rules)) {
		execute_finish(worker, command);
		return -1;
	}
	if (command->seat != NULL)
		command->seat->users--;
	command->seat = seat;
	seat->users++;
	return 0;
}

/*
 * Another worker has adopted new rules a moment before this one, and recorded what the old ones cannot read. The
 * command waits for the adoption, which is in this worker's mailbox or about to be.
 */
static bool
strand(struct worker *worker, struct command *command, const struct fault *fault)
{
	if (fault->class != FAULT_SCRIPT || domain_decides(command->domain, command->rules))
		return false;
	wait_for_adoption(worker, command);
	return true;
}

stream_version
execute_every(const struct worker *worker, const struct command *command)
{
	return snapshot_every(command_aggregate(command), worker->limits->snapshot_events);
}

/* Opens the stream's entry and loads its state where the cache has none. -1: answered. */
static int
open_state(struct worker *worker, struct command *command)
{
	script_state state = 0;
	stream_version version = 0, begun = 0;
	struct loading loading = { worker->reader, command->seat->machine, &worker->pages, command->aggregate, true,
				   &begun };
	struct fault fault;
	bool cold;

	if (command->cached == NULL)
		command->cached = cache_open(&worker->cache, (uint16_t)command->domain->number, command->seat,
					     command->aggregate, command->stream, command->hash);
	else
		cache_move(&worker->cache, command->cached, command->seat, command->aggregate);
	if (command->cached == NULL) {
		fault_set(&fault, FAULT_MEMORY, "memory", "no memory for a state");
		execute_fail(worker, command, &fault);
		return -1;
	}
	if (command->cached->state != 0 && !script_state_held(command->seat->machine, command->cached->state))
		cache_empty(&worker->cache, command->cached);
	if (command->cached->state != 0 && !command->cached->behind)
		return 0;
	state = command->cached->state;
	version = command->cached->version;
	cache_set(command->cached, 0, 0);
	command->cached->behind = false;
	/* An id made a moment ago has no stream; the comparison at the commit would tell. */
	if (state == 0 && command->asked->id.size == 0 && command->attempt == 0)
		return 0;
	cold = state == 0;
	if (load_stream(&loading, command->stream, 0, &state, &version, &fault) == 0) {
		if (cold && state != 0)
			atomic_fetch_add_explicit(&worker->tally.loads, 1, memory_order_relaxed);
		cache_set(command->cached, state, version);
		stream_version every = execute_every(worker, command);
		if (state != 0 && every != SNAPSHOT_NEVER && version / every != begun / every)
			keeper_offer(worker->keeper, command->seat, command->aggregate, command->stream, version,
				     state);
		return 0;
	}
	tell_breaker(worker, command, &fault);
	if (strand(worker, command, &fault))
		return -1;
	log_fault(LOG_ERROR, "a stream cannot be loaded", &fault);
	execute_fail(worker, command, &fault);
	return -1;
}

/* What the command and its client want of the stream. -1: answered. */
static int
check_expectations(struct worker *worker, struct command *command)
{
	const struct script_command *rule = command_rule(command);
	const struct engine_command *asked = command->asked;
	stream_version version = command->cached->version;
	bool there = version != 0;
	bool holds = !asked->has_expected || expected_holds(asked->expected, version);

	if ((rule->anywhere || rule->creates != there) && holds)
		return 0;
	if (!answered_before(worker, command)) {
		if (rule->creates && there)
			answer_conflict(command, "stream_exists", version);
		else if (!rule->creates && !rule->anywhere && !there)
			answer_missing(command);
		else
			answer_conflict(command, "version_conflict", version);
	}
	execute_finish(worker, command);
	return -1;
}

/* Nothing will be recorded: the state that the decision gave back stays, if it is still the one that was read. */
static void
put_back(struct worker *worker, struct command *command)
{
	const struct decided *decided = &command->decided;
	bool same = decided->stream_count != 0 && decided->streams[0].event_count == 0 && command->cached->version != 0;

	foreign_release(worker, command, false);
	if (decided->stream_count != 0)
		cache_set(command->cached, decided->streams[0].state, command->cached->version);
	if (!same)
		cache_empty(&worker->cache, command->cached);
}

static void
call_decide(struct worker *worker, struct command *command, int *result, struct fault *fault)
{
	struct engine_command *asked = command->asked;
	struct foreign load = { worker, command };
	struct decide_request request = {
		.aggregate = command->aggregate,
		.command = command->rule,
		.id = command->id,
		.version = command->cached->version,
		.state = command->cached->state,
		.body = asked->body,
		.params = asked->params,
		.param_count = asked->param_count,
		.route = command->route,
		.context = { .now_us = clock_wall_us(worker->parts->clock),
			     .caller = asked->provenance.actor,
			     .correlation_id = asked->provenance.correlation_id },
		.loader = { foreign_load, &load },
		.lift_expected = true,
	};

	if (command->has_key)
		memcpy(request.context.seed, command->command_id.bytes, sizeof(request.context.seed));
	else
		entropy_fill(worker->parts->entropy, request.context.seed, sizeof(request.context.seed));
	command->mark = arena_mark(asked->arena);
	command->wanted = NULL;
	command->wrongs = worker->wrongs;
	command->decided = (struct decided){ 0 };
	cache_set(command->cached, 0, command->cached->version);
	fault_clear(fault);
	*result = script_decide(command->seat->machine, &request, asked->arena, &command->decided, fault);
}

void
execute_stranded(struct worker *worker)
{
	struct command *command = worker->stranded;

	worker->stranded = NULL;
	while (command != NULL) {
		struct command *next = command->next;

		command->next = NULL;
		command_move(command, COMMAND_DECIDING);
		execute_decide(worker, command);
		command = next;
	}
}

/*
 * Newer rules decide since this command took its seat: other workers may have recorded by them on a stream that it
 * read. It is decided again by those, so that on no stream the old ones follow the new. true: it waits.
 */
static bool
is_outdated(struct worker *worker, struct command *command)
{
	if (domain_decides(command->domain, command->rules))
		return false;
	put_back(worker, command);
	arena_reset(command->asked->arena, command->mark);
	wait_for_adoption(worker, command);
	return true;
}

/* The rule failed, or the input was not as its schema wants: place and reason go into the answer. */
static void
fail_decision(struct worker *worker, struct command *command, const struct fault *fault)
{
	struct script_trouble trouble = { 0 };
	struct input_trouble input = { 0 };
	struct engine_command *asked = command->asked;
	struct outcome *outcome = &asked->outcome;

	put_back(worker, command);
	tell_breaker(worker, command, fault);
	if (strand(worker, command, fault))
		return;
	if (fault->class == FAULT_INPUT || fault->class == FAULT_SCRIPT)
		script_trouble(command->seat->machine, &trouble, &input);
	answer_fault(command, fault);
	if (fault->class == FAULT_INPUT) {
		outcome->field = arena_copy(asked->arena, input.field);
		outcome->offset = input.offset;
		outcome->has_offset = input.has_offset;
	} else {
		log_line(LOG_ERROR, "a command failed", log_slice("stream", command->stream),
			 log_slice("command", asked->command), log_text("code", fault->code),
			 log_text("text", fault->text), log_slice("file", trouble.file), log_int("line", trouble.line));
		if (worker->limits->development)
			outcome->traceback = arena_copy(asked->arena, trouble.traceback);
	}
	execute_finish(worker, command);
}

static void
park(struct worker *worker, struct command *command)
{
	put_back(worker, command);
	arena_reset(command->asked->arena, command->mark);
	command_move(command, COMMAND_WAITING);
	lane_park(&worker->lanes, command->wanted, command);
}

/* Answers at once what has nothing to record. true: answered. */
static bool
answer_unrecorded(struct worker *worker, struct command *command)
{
	struct decided *decided = &command->decided;
	stream_version version = command->cached->version;
	bool refused = decided->decision == DECISION_REFUSED;
	bool nothing = decided->entry_count == 0 && (refused || decided->reservation_count == 0);

	if (decided->has_expected && !expected_holds(decided->expected, version)) {
		put_back(worker, command);
		if (!answered_before(worker, command))
			answer_conflict(command, "version_conflict", version);
	} else if (command->asked->dry_run) {
		answer_dry_run(command);
		put_back(worker, command);
	} else if (nothing && (refused || !command->has_key)) {
		put_back(worker, command);
		if (!answered_before(worker, command))
			answer_decided(command, version, 0);
	} else {
		return false;
	}
	execute_finish(worker, command);
	return true;
}

void
execute_decide(struct worker *worker, struct command *command)
{
	struct fault fault;
	int result;

	if (take_seat(worker, command) != 0 || open_state(worker, command) != 0 ||
	    check_expectations(worker, command) != 0)
		return;
	call_decide(worker, command, &result, &fault);
	if (command->wanted != NULL) {
		park(worker, command);
		return;
	}
	if (is_outdated(worker, command))
		return;
	if (result != 0) {
		fail_decision(worker, command, &fault);
		return;
	}
	must(command->decided.stream_count != 0);
	tell_breaker(worker, command, NULL);
	if (answer_unrecorded(worker, command) || submit_command(worker, command, &fault) == 0)
		return;
	put_back(worker, command);
	execute_fail(worker, command, &fault);
}

void
execute_run(struct worker *worker, struct command *command)
{
	int64_t now_ns = clock_mono_ns(worker->parts->clock), waited_us = (now_ns - command->asked->given_ns) / 1000;
	bool late = !command->begun && waited_us > worker->limits->queue_wait_us;
	struct fault fault;

	begin(worker, command);
	command_move(command, COMMAND_DECIDING);
	if (late)
		fault_set(&fault, FAULT_BUSY, "queue_wait", "the command waited %lld ms for its turn",
			  (long long)(waited_us / 1000));
	if (late ||
	    breaker_admit(&command->domain->breaker, &worker->limits->breaker, now_ns, &command->probe, &fault) != 0)
		execute_fail(worker, command, &fault);
	else
		execute_decide(worker, command);
}
