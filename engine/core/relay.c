/* SPDX-License-Identifier: MIT */
/*
 * The machine. One step is one call of the bus or the store, and the phase tells which is next:
 *
 *   identity -> open -> lease -> fence -> read back -> check -> claim +   (read back -> hangs -> read back)
 *                ^        ^                              |            |
 *                |        +-- lost -------- halt: stopped             v
 *                |                                      begin <- topics <- read <----------+
 *                +---- resume, rebuild                    |                  ^             |
 *                                                         v                  |             |
 *                                                       send -> commit -> ahead -> settle -+-> (mark in the store)
 *                                                         |        |                 |
 *                                                         +--------+---- undo <------+
 *
 * What can be tried again is tried by the same phase after a pause that doubles up to a second; what the bus undoes
 * begins again at the mark; a publisher that is lost is closed, and everything from the lease on is done again [I9].
 * Commands know nothing of all this [I10].
 */
#include "core/relay_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/probe.h"

#define PAUSE_FIRST_NS ((int64_t)20 * 1000 * 1000)
#define PAUSE_LAST_NS  ((int64_t)1000 * 1000 * 1000)
#define SAY_AGAIN_NS   ((int64_t)10 * 1000 * 1000 * 1000)
#define SCRATCH_MAX    ((size_t)256 << 20)
#define BATCH_MAX      ((size_t)4 << 30)

/* ---- telling ---- */

static void
tell(const struct relay *relay, enum relay_state state, const struct fault *fault)
{
	static const char *const texts[] = {
		[RELAY_STARTING] = "the relay starts", [RELAY_STANDBY] = "another process sends the messages",
		[RELAY_RUNNING] = "the relay goes on", [RELAY_WAITING] = "messages wait",
		[RELAY_PAUSED] = "the relay pauses",   [RELAY_STOPPED] = "the relay has stopped",
	};
	enum log_level level = state == RELAY_STOPPED ? LOG_ERROR : state == RELAY_WAITING ? LOG_WARN : LOG_INFO;

	if (fault != NULL)
		log_line(level, texts[state], log_text("code", fault->code), log_text("reason", fault->text),
			 log_int("position", (int64_t)relay->at.position));
	else
		log_line(level, texts[state], log_int("position", (int64_t)relay->at.position));
}

void
relay_say(struct relay *relay, enum relay_state state, const struct fault *fault)
{
	struct relay_status *status = &relay->status;
	int64_t now_ns = clock_mono_ns(relay->options.clock);
	bool changed = status->state != state;

	/* An outage shows itself by many codes in turn. */
	if (!changed && fault != NULL && strcmp(relay->said_code, fault->code) != 0)
		changed = state != RELAY_WAITING || now_ns - relay->said_ns >= SAY_AGAIN_NS;
	pthread_mutex_lock(&relay->lock);
	status->state = state;
	snprintf(status->code, sizeof(status->code), "%s", fault != NULL ? fault->code : "");
	snprintf(status->reason, sizeof(status->reason), "%s", fault != NULL ? fault->text : "");
	pthread_mutex_unlock(&relay->lock);
	if (!changed)
		return;
	relay->said_ns = now_ns;
	snprintf(relay->said_code, sizeof(relay->said_code), "%s", fault != NULL ? fault->code : "");
	tell(relay, state, fault);
}

/* When the oldest entry that is not out was recorded, where no batch tells. */
static void
look_back(struct relay *relay)
{
	log_position position = relay->status.position + 1;
	struct recorded_entry entry;
	int64_t oldest_us = 0;
	struct fault fault;

	if (store_head(relay->options.store) >= position && relay_entry_at(relay, position, &entry, &fault) == 0)
		oldest_us = entry.recorded_at_us;
	pthread_mutex_lock(&relay->lock);
	relay->oldest_us = oldest_us;
	pthread_mutex_unlock(&relay->lock);
}

/* ---- what becomes of a step ---- */

int64_t
relay_go(struct relay *relay, enum relay_phase phase)
{
	relay->phase = phase;
	return 0;
}

static void
pause_a_while(struct relay *relay)
{
	unsigned doublings = relay->troubles < 6 ? relay->troubles : 6;
	int64_t most_ns = PAUSE_FIRST_NS << doublings;
	uint32_t chance;

	if (most_ns > PAUSE_LAST_NS)
		most_ns = PAUSE_LAST_NS;
	entropy_fill(relay->options.entropy, &chance, sizeof(chance));
	relay->troubles++;
	relay->not_before_ns = clock_mono_ns(relay->options.clock) + most_ns / 2 + most_ns / 2 * (chance % 1000) / 1000;
}

int64_t
relay_trouble(struct relay *relay, const struct fault *fault)
{
	look_back(relay);
	relay_say(relay, RELAY_WAITING, fault);
	pause_a_while(relay);
	return 0;
}

static void
let_go(struct relay *relay)
{
	publisher_close(relay->publisher);
	relay->publisher = NULL;
	relay_batch_drop(relay->now);
	relay_batch_drop(relay->next);
	relay->claimed = relay->looked = false;
	relay->at = relay->mark;
}

int64_t
relay_lose(struct relay *relay, const struct fault *fault)
{
	struct fault lost;

	if (fault == NULL) {
		fault_set(&lost, FAULT_BUSY, "lease_lost", "another process has taken the lease");
		relay->epoch = 0;
		fault = &lost;
	}
	relay->fenced = relay->fenced || relay->claimed;
	let_go(relay);
	look_back(relay);
	relay_say(relay, RELAY_WAITING, fault);
	pause_a_while(relay);
	return relay_go(relay, PHASE_OPEN);
}

int64_t
relay_halt(struct relay *relay, const char *code, const char *format, ...)
{
	struct fault fault;
	va_list args;
	char text[sizeof(fault.text)];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fault_set(&fault, FAULT_CONFIG, code, "%s", text);
	let_go(relay);
	look_back(relay);
	relay_say(relay, RELAY_STOPPED, &fault);
	return relay_go(relay, PHASE_STOPPED);
}

/* ---- steps that are short ---- */

static int64_t
open_publisher(struct relay *relay)
{
	struct fault fault;

	if (relay->publisher == NULL) {
		if (relay->options.publisher.open(relay->options.publisher.self, &relay->publisher, &fault) != 0)
			return relay_trouble(relay, &fault);
		relay->settled_ns = 0;
		relay->topics = NULL;
	}
	if (!relay->publisher->carries)
		return relay_go(relay, PHASE_READ);
	(void)PROBE("relay.before_lease");
	return relay_go(relay, PHASE_LEASE);
}

static int64_t
fence(struct relay *relay)
{
	enum bus_answer answer;
	struct fault fault;

	(void)PROBE("relay.before_fence");
	answer = publisher_fence(relay->publisher, &fault);
	if (answer == BUS_LOST)
		return relay_lose(relay, &fault);
	if (answer != BUS_DONE)
		return relay_trouble(relay, &fault);
	(void)PROBE("relay.after_fence");
	pthread_mutex_lock(&relay->lock);
	relay->status.fences++;
	pthread_mutex_unlock(&relay->lock);
	return relay_go(relay, PHASE_READ_BACK);
}

static int64_t
read_back(struct relay *relay)
{
	struct bus_mark kept = { .found = false };
	enum bus_answer answer;
	struct fault fault;

	arena_clear(&relay->found_arena);
	(void)PROBE("relay.before_read_back");
	if (!relay->publisher->transactional && relay_read_mark(relay, &kept, &fault) != 0)
		return relay_trouble(relay, &fault);
	answer = publisher_read_mark(relay->publisher, &relay->found_arena, &relay->found, &fault);
	if (answer == BUS_LOST)
		return relay_lose(relay, &fault);
	if (answer != BUS_DONE)
		return relay_trouble(relay, &fault);
	if (!relay->publisher->transactional)
		relay->found = kept;
	(void)PROBE("relay.after_read_back");
	return relay_go(relay, relay->found.hangs ? PHASE_HANGS : PHASE_CHECK);
}

/* Read while the bus is busy; what goes wrong here goes wrong again when it is this batch's turn. */
static int64_t
read_ahead(struct relay *relay)
{
	struct fault fault;

	if (relay_batch_read(relay, &relay->now->end, relay->next, &fault) != 0)
		relay_batch_drop(relay->next);
	return relay_go(relay, PHASE_SETTLE);
}

/* R9. */
static int64_t
finish(struct relay *relay)
{
	bool carried = relay->publisher != NULL && relay->publisher->carries;
	struct fault fault;

	if (relay->phase == PHASE_ENDED)
		return INT64_MAX;
	(void)PROBE("relay.before_stop");
	if (relay->claimed && relay->at.position != relay->hinted)
		relay_write_hint(relay, &fault);
	let_go(relay);
	if (carried)
		relay_give_lease_back(relay);
	(void)PROBE("relay.after_stop");
	relay->phase = PHASE_ENDED;
	return INT64_MAX;
}

/* ---- orders ---- */

static void
take_orders(struct relay *relay)
{
	struct relay_orders *orders = &relay->orders;
	bool again = false;

	pthread_mutex_lock(&relay->lock);
	if (relay->ordered) {
		bool resume = orders->resume && (relay->phase == PHASE_STOPPED);

		again = resume || orders->rebuild;
		relay->order.paused = orders->paused;
		if (orders->rebuild) {
			relay->rebuilding = relay->status.pending = true;
			relay->order.from = orders->from;
			relay->order.incarnation = orders->incarnation;
		}
		orders->resume = orders->rebuild = relay->ordered = false;
	}
	pthread_mutex_unlock(&relay->lock);
	if (!again)
		return;
	let_go(relay);
	relay->fenced = false;
	relay->not_before_ns = 0;
	relay->troubles = relay->hung = 0;
	relay->phase = PHASE_IDENTITY;
}

static void
order(struct relay *relay)
{
	relay->ordered = true;
	pthread_mutex_unlock(&relay->lock);
	mailbox_nudge(&relay->bell);
}

void
relay_pause(struct relay *relay, bool paused)
{
	pthread_mutex_lock(&relay->lock);
	relay->orders.paused = paused;
	relay->orders.resume = !paused;
	order(relay);
}

void
relay_rebuild(struct relay *relay, log_position from, bool incarnation)
{
	pthread_mutex_lock(&relay->lock);
	relay->orders.rebuild = true;
	relay->orders.from = from;
	relay->orders.incarnation = incarnation;
	order(relay);
}

void
relay_wake(struct relay *relay)
{
	if (atomic_load(&relay->hungry) && atomic_exchange(&relay->hungry, false))
		mailbox_nudge(&relay->bell);
}

void
relay_status(struct relay *relay, struct relay_status *status)
{
	int64_t oldest_us;

	pthread_mutex_lock(&relay->lock);
	*status = relay->status;
	oldest_us = relay->oldest_us;
	status->pending = relay->ordered || status->pending;
	pthread_mutex_unlock(&relay->lock);
	status->head = store_head(relay->options.store);
	if (!relay->carries) {
		status->state = RELAY_RUNNING;
		status->position = status->head;
	}
	status->behind_us = 0;
	if (oldest_us != 0 && status->head > status->position)
		status->behind_us = clock_wall_us(relay->options.clock) - oldest_us;
	if (status->behind_us < 0)
		status->behind_us = 0;
}

/* ---- the step ---- */

/* What is begun at the bus is ended before anything else. */
static bool
in_transaction(const struct relay *relay)
{
	return relay->phase >= PHASE_SEND && relay->phase <= PHASE_MARK;
}

int64_t
relay_step(struct relay *relay)
{
	static int64_t (*const steps[PHASE_COUNT])(struct relay * relay) = {
		[PHASE_IDENTITY] = relay_identify, [PHASE_OPEN] = open_publisher,
		[PHASE_LEASE] = relay_take_lease,  [PHASE_FENCE] = fence,
		[PHASE_READ_BACK] = read_back,     [PHASE_HANGS] = relay_end_hanging,
		[PHASE_CHECK] = relay_check,       [PHASE_CLAIM] = relay_claim,
		[PHASE_READ] = relay_read,         [PHASE_TOPICS] = relay_topics,
		[PHASE_BEGIN] = relay_begin,       [PHASE_SEND] = relay_send,
		[PHASE_COMMIT] = relay_commit,     [PHASE_AHEAD] = read_ahead,
		[PHASE_SETTLE] = relay_settle,     [PHASE_MARK] = relay_keep_mark,
		[PHASE_UNDO] = relay_undo,
	};
	int64_t now_ns = clock_mono_ns(relay->options.clock);

	atomic_store(&relay->hungry, false);
	arena_clear(&relay->scratch);
	if (atomic_load(&relay->stopping) && !in_transaction(relay))
		return finish(relay);
	if (!in_transaction(relay))
		take_orders(relay);
	if (relay->phase == PHASE_STOPPED || relay->phase == PHASE_ENDED)
		return INT64_MAX;
	if (now_ns < relay->not_before_ns)
		return relay->not_before_ns - now_ns;
	return steps[relay->phase](relay);
}

/* ---- opening ---- */

static int
make_names(struct relay *relay, struct fault *fault)
{
	struct relay_options *options = &relay->options;
	uint32_t chance;

	entropy_fill(options->entropy, &chance, sizeof(chance));
	relay->owner = arena_format(&relay->names, "%.*s/%08x", SLICE_ARG(options->owner), chance);
	options->service = arena_copy(&relay->names, options->service);
	options->owner = arena_copy(&relay->names, options->owner);
	if (relay->owner.data == NULL || options->service.data == NULL || options->owner.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a relay");
	return 0;
}

int
relay_open(const struct relay_options *options, struct relay **relay, struct fault *fault)
{
	struct relay *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a relay");
	made->options = *options;
	made->options.batch_entries = options->batch_entries != 0 ? options->batch_entries : 2000;
	made->options.batch_bytes = options->batch_bytes != 0 ? options->batch_bytes : (size_t)1 << 20;
	made->options.lease_us = options->lease_us != 0 ? options->lease_us : 10000000;
	made->options.hint_us = options->hint_us != 0 ? options->hint_us : 1000000;
	arena_init(&made->names, SCRATCH_MAX);
	arena_init(&made->scratch, SCRATCH_MAX);
	arena_init(&made->found_arena, SCRATCH_MAX);
	arena_init(&made->batches[0].arena, BATCH_MAX);
	arena_init(&made->batches[1].arena, BATCH_MAX);
	made->now = &made->batches[0];
	made->next = &made->batches[1];
	pthread_mutex_init(&made->lock, NULL);
	mailbox_init(&made->bell, 0, NULL);
	if (make_names(made, fault) != 0 || store_reader_open(options->store, &made->reader, fault) != 0 ||
	    options->publisher.open(options->publisher.self, &made->publisher, fault) != 0) {
		relay_close(made);
		return -1;
	}
	made->carries = made->publisher->carries;
	made->status.bus = made->publisher->kind;
	*relay = made;
	return 0;
}

void
relay_close(struct relay *relay)
{
	if (relay == NULL)
		return;
	relay_stop(relay);
	publisher_close(relay->publisher);
	store_reader_close(relay->reader);
	mailbox_fini(&relay->bell);
	pthread_mutex_destroy(&relay->lock);
	arena_fini(&relay->batches[0].arena);
	arena_fini(&relay->batches[1].arena);
	arena_fini(&relay->found_arena);
	arena_fini(&relay->scratch);
	arena_fini(&relay->names);
	free(relay);
}
