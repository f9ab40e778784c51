/* SPDX-License-Identifier: MIT */
/*
 * A step: what the committer answered, the rules as they are now, what the sources have, decisions, dead letters on
 * their way back, places of idle lanes. Everything that has to wait says until when; the step gives the shortest.
 *
 *   letter:  NEW -> FLYING -> DONE       NEW -> DONE (nothing to record)       FLYING -> NEW (lost, or failed)
 *
 * Each append writes the lane's place by comparison with what the append before it writes. So appends of one lane take
 * effect in order or not at all, whoever else believes to have the lane; when one loses, those behind it lose too, and
 * nothing of the lane is decided until all are back and the place was read again [I6].
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/consumer_inside.h"

#define WINDOW         256
#define RETRY_FIRST_US ((int64_t)100 * 1000)
#define RETRY_LAST_US  ((int64_t)30 * 1000 * 1000)
#define ORDERS_MAX     64
#define REMEMBER_US    ((int64_t)7 * 86400 * 1000 * 1000)
#define RULES_AGAIN_NS ((int64_t)100 * 1000 * 1000)

static void
hash_what_it_hears(const struct script_reactor *rule, struct digest *digest)
{
	struct digest_state state;

	digest_init(&state);
	digest_add_u64(&state, rule->event_count != 0);
	for (size_t i = 0; i < rule->topic_count; i++)
		digest_add_slice(&state, rule->topics[i]);
	digest_end(&state, digest);
}

/* The reactor as the seat's rules have it. */
static void
find_rule(struct consumer *consumer)
{
	const struct ruleset *rules = consumer->bench.seat->rules;
	const struct script_program *program = rules->program;
	struct digest hears;

	if (consumer->rules == rules)
		return;
	consumer->rules = rules;
	consumer->rule = NULL;
	for (size_t i = 0; i < program->reactor_count; i++)
		if (slice_equal(program->reactors[i].name, slice_text(consumer->name))) {
			consumer->rule = &program->reactors[i];
			consumer->number = (uint16_t)i;
		}
	if (consumer->rule == NULL) {
		consumer->stale = true;
		return;
	}
	hash_what_it_hears(consumer->rule, &hears);
	if (consumer->sources[0].source == NULL && consumer->sources[1].source == NULL)
		consumer->hears = hears;
	else if (memcmp(&hears, &consumer->hears, sizeof(hears)) != 0)
		consumer->stale = true;
}

static int
open_sources(struct consumer *consumer, struct fault *fault)
{
	const struct consumer_options *options = &consumer->options;
	const struct script_reactor *rule = consumer->rule;
	struct source_wanted wanted = { .group = slice_text(consumer->whole), .waker = options->waker };
	bool foreign = options->foreign.open != NULL && rule->topic_count != 0;

	if (foreign) {
		wanted.topics = rule->topics;
		wanted.topic_count = rule->topic_count;
		if (options->foreign.open(options->foreign.self, &wanted, &consumer->sources[0].source, fault) != 0)
			return -1;
		wanted.topics = NULL;
		wanted.topic_count = 0;
	} else {
		wanted.topics = rule->topics;
		wanted.topic_count = rule->topic_count;
	}
	if (rule->event_count != 0)
		wanted.own_events = options->domain->name;
	if (options->own.open == NULL || (wanted.own_events.size == 0 && wanted.topic_count == 0))
		return 0;
	return options->own.open(options->own.self, &wanted, &consumer->sources[1].source, fault);
}

int
consumer_name_spaces(struct consumer *consumer, struct fault *fault)
{
	const struct consumer_options *options = &consumer->options;

	arena_init(&consumer->names, 4096);
	snprintf(consumer->name, sizeof(consumer->name), "%.*s", SLICE_ARG(options->name));
	snprintf(consumer->whole, sizeof(consumer->whole), "%.*s.%s", SLICE_ARG(options->domain->name), consumer->name);
	consumer->fingerprint = fingerprint_make(slice_text(consumer->whole), SLICE_NONE);
	consumer->place_space = arena_format(&consumer->names, "consumer/%s", consumer->whole);
	consumer->dead_space = arena_format(&consumer->names, "dead/%s", consumer->whole);
	consumer->heard_space = arena_format(&consumer->names, "heard/%s", consumer->whole);
	consumer->parked_space = arena_format(&consumer->names, "parked/%s", consumer->whole);
	if (consumer->place_space.data == NULL || consumer->dead_space.data == NULL ||
	    consumer->parked_space.data == NULL || consumer->heard_space.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a consumer");
	return 0;
}

static int
open_inside(struct consumer *consumer, struct fault *fault)
{
	const struct consumer_options *options = &consumer->options;
	struct bench_options bench = { .store = options->store,
				       .domain = options->domain,
				       .script = options->script,
				       .clock = options->clock,
				       .timers = options->timers,
				       .hot_states = options->hot_states,
				       .warm_bytes = options->warm_bytes,
				       .wrote = options->wrote,
				       .self = options->self };

	if (consumer_name_spaces(consumer, fault) != 0 || bench_open(&bench, &consumer->bench, fault) != 0)
		return -1;
	find_rule(consumer);
	if (consumer->rule == NULL)
		return fault_set(fault, FAULT_INPUT, "no_such_reactor", "the rules have no reactor %s",
				 consumer->whole);
	if (consumer_count_dead(consumer, fault) != 0 || consumer_read_parked(consumer, fault) != 0 ||
	    consumer_sweep_open(consumer, fault) != 0)
		return -1;
	return open_sources(consumer, fault);
}

int
consumer_open(const struct consumer_options *options, struct consumer **consumer, struct fault *fault)
{
	struct consumer *made = calloc(1, sizeof(*made));
	uint32_t chance;

	*consumer = NULL;
	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a consumer");
	made->options = *options;
	entropy_fill(options->entropy, &chance, sizeof(chance));
	snprintf(made->mark, sizeof(made->mark), "%08x", (unsigned)chance);
	if (made->options.window == 0)
		made->options.window = WINDOW;
	if (made->options.retry_first_us == 0)
		made->options.retry_first_us = RETRY_FIRST_US;
	if (made->options.retry_last_us == 0)
		made->options.retry_last_us = RETRY_LAST_US;
	if (made->options.remember_us == 0)
		made->options.remember_us = REMEMBER_US;
	mailbox_init(&made->home, 0, &options->waker);
	mailbox_init(&made->orders, ORDERS_MAX, &options->waker);
	buf_init(&made->drain.after, STORE_KEY_MAX);
	buf_init(&made->sweep.after, STORE_KEY_MAX);
	must(pthread_mutex_init(&made->lock, NULL) == 0);
	if (open_inside(made, fault) == 0) {
		consumer_drain_parked(made); /* its rules may be other ones than those that failed */
		*consumer = made;
		return 0;
	}
	consumer_close(made);
	return -1;
}

static void
settle_all(struct consumer *consumer, struct mail *list)
{
	while (list != NULL) {
		struct letter *letter = container_of(list, struct letter, mail);

		list = list->next;
		if (letter == consumer->sweep.letter)
			consumer_swept(consumer);
		else
			consumer_settle(consumer, letter);
	}
}

/* Why it is not running, when it is not. `heard` has room for what a source says. */
static enum consumer_state
state_of(const struct consumer *consumer, const struct fault **fault, struct fault *heard)
{
	enum consumer_state state = CONSUMER_RUNNING;

	*fault = NULL;
	for (const struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = lane->next) {
		if (lane->halted) {
			*fault = &lane->fault;
			return CONSUMER_HALTED;
		}
		if (consumer_held(lane) != NULL && state != CONSUMER_RETRYING) {
			state = CONSUMER_HELD;
			*fault = &lane->fault;
		} else if (consumer_held(lane) == NULL && (lane->pause_us != 0 || lane->again_ns != 0)) {
			state = CONSUMER_RETRYING;
			*fault = &lane->fault;
		}
	}
	for (size_t i = 0; i < countof(consumer->sources); i++) {
		const struct consumer_source *source = &consumer->sources[i];

		if (source->source == NULL || (source->pause_us == 0 && source_hears(source->source, heard)))
			continue;
		*fault = source->pause_us != 0 ? &source->fault : heard;
		return CONSUMER_AWAY;
	}
	return state;
}

/* How many lanes are held; the one that is longest is told when nothing else is wrong. */
static void
look_at_held(const struct consumer *consumer, struct consumer_status *told)
{
	int64_t since_us = INT64_MAX;

	for (const struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = lane->next) {
		const struct letter *letter = consumer_held(lane);

		if (letter == NULL)
			continue;
		told->held++;
		if (letter->first_us >= since_us || told->state != CONSUMER_HELD)
			continue;
		told->since_us = since_us = letter->first_us;
		memcpy(told->reason, lane->fault.text, sizeof(told->reason));
	}
}

static void
tell(struct consumer *consumer)
{
	struct consumer_status told = { .taken = consumer->taken,
					.repeated = consumer->repeated,
					.refused = consumer->refused,
					.dead = consumer->dead,
					.parked = consumer->parked.count,
					.behind = consumer->queued };
	const struct fault *fault;
	struct fault heard;

	told.state = state_of(consumer, &fault, &heard);
	told.since_us = told.state == consumer->told.state && consumer->told.since_us != 0
				? consumer->told.since_us
				: clock_wall_us(consumer->options.clock);
	if (fault != NULL)
		memcpy(told.reason, fault->text, sizeof(told.reason));
	look_at_held(consumer, &told);
	for (size_t i = 0; i < countof(consumer->sources); i++) {
		struct source *source = consumer->sources[i].source;
		uint64_t behind = source != NULL ? source_behind(source) : 0;

		told.behind = behind == UINT64_MAX || told.behind == UINT64_MAX ? UINT64_MAX : told.behind + behind;
	}
	pthread_mutex_lock(&consumer->lock);
	consumer->told = told;
	pthread_mutex_unlock(&consumer->lock);
}

/* New rules decide from the next message on; what stood still for the old ones tries again. */
static bool
adopt(struct consumer *consumer)
{
	struct fault fault;

	if (bench_adopt(&consumer->bench, &fault) != 0) {
		log_fault(LOG_WARN, "a consumer cannot take new rules yet", &fault);
		return false;
	}
	if (consumer->rules == consumer->bench.seat->rules)
		return true;
	find_rule(consumer);
	if (!consumer->stale) {
		consumer_resume(consumer);
		consumer_drain_parked(consumer);
	}
	return true;
}

static int64_t
sooner(int64_t one_ns, int64_t other_ns)
{
	return one_ns < other_ns ? one_ns : other_ns;
}

/* false: the store cannot be asked now. While anything is in flight it is not. */
static bool
knows_parked(struct consumer *consumer)
{
	struct fault fault;

	if (!consumer->parked_unsure || consumer->flying != 0 || consumer_read_parked(consumer, &fault) == 0)
		return true;
	log_fault(LOG_WARN, "a consumer waits for the store", &fault);
	return false;
}

int64_t
consumer_step(struct consumer *consumer)
{
	int64_t wait_ns;

	settle_all(consumer, mailbox_take(&consumer->home));
	if (!adopt(consumer))
		return RULES_AGAIN_NS;
	if (consumer->stale)
		return INT64_MAX;
	consumer->waits = false;
	if (!knows_parked(consumer))
		return RULES_AGAIN_NS;
	consumer_tend(consumer);
	wait_ns = consumer_drain(consumer);
	wait_ns = sooner(wait_ns, consumer_pull(consumer));
	if (!knows_parked(consumer)) /* lanes may have come that others had */
		return RULES_AGAIN_NS;
	wait_ns = sooner(wait_ns, consumer_decide(consumer));
	wait_ns = sooner(wait_ns, consumer_patience(consumer));
	wait_ns = sooner(wait_ns, consumer_sweep(consumer));
	if ((consumer->waits || consumer->parked_unsure) && consumer->flying == 0)
		wait_ns = 0;
	tell(consumer);
	return wait_ns;
}

void
consumer_refuse_orders(struct consumer *consumer)
{
	struct drain *drain = &consumer->drain;
	struct mail *list;

	if (mailbox_is_closed(&consumer->orders))
		return;
	mailbox_close(&consumer->orders);
	list = consumer->waiting_orders;
	for (struct mail **last = &list;; last = &(*last)->next)
		if (*last == NULL) {
			*last = mailbox_take(&consumer->orders);
			break;
		}
	consumer->waiting_orders = NULL;
	if (drain->order != NULL) {
		drain->order->mail.next = list;
		list = &drain->order->mail;
		drain->order = NULL;
		drain->running = false;
		if (drain->letter != NULL && drain->letter->state != LETTER_FLYING) {
			consumer_put_away(consumer, drain->letter);
			drain->letter = NULL;
		}
	}
	while (list != NULL) {
		struct consumer_order *order = container_of(list, struct consumer_order, mail);

		list = list->next;
		fault_set(&order->fault, FAULT_BUSY, "consumer_closed", "the consumer is closing: ask again");
		order->done(order);
	}
}

void
consumer_close(struct consumer *consumer)
{
	if (consumer == NULL)
		return;
	while (consumer->flying != 0)
		settle_all(consumer, mailbox_wait(&consumer->home, -1));
	consumer_refuse_orders(consumer);
	if (consumer->drain.letter != NULL)
		consumer_put_away(consumer, consumer->drain.letter);
	parked_empty(&consumer->drain.stuck);
	parked_empty(&consumer->parked);
	consumer_drop_lanes(consumer);
	for (size_t i = 0; i < countof(consumer->sources); i++)
		source_close(consumer->sources[i].source);
	bench_close(&consumer->bench);
	mailbox_fini(&consumer->home);
	mailbox_fini(&consumer->orders);
	buf_fini(&consumer->drain.after);
	buf_fini(&consumer->sweep.after);
	pthread_mutex_destroy(&consumer->lock);
	arena_fini(&consumer->names);
	free(consumer);
}

bool
consumer_is_stale(const struct consumer *consumer)
{
	return consumer->stale;
}

struct slice
consumer_name(const struct consumer *consumer)
{
	return slice_text(consumer->name);
}

bool
consumer_give_order(struct consumer *consumer, struct consumer_order *order)
{
	order->settled = order->failed = 0;
	fault_clear(&order->fault);
	return mailbox_give(&consumer->orders, &order->mail);
}

int
consumer_status(struct consumer *consumer, struct arena *arena, struct consumer_status *status, struct fault *fault)
{
	pthread_mutex_lock(&consumer->lock);
	*status = consumer->told;
	pthread_mutex_unlock(&consumer->lock);
	status->domain = arena_copy(arena, consumer->options.domain->name);
	status->name = arena_copy(arena, slice_text(consumer->name));
	if (status->domain.data == NULL || status->name.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a status");
	return 0;
}
