/* SPDX-License-Identifier: MIT */
#include "core/orders.h"

#include "core/dead.h"
#include "core/reacting.h"

#define DIGITS 20

/* ---- messages: their consumer does it ---- */

struct waiting {
	struct consumer_order order;
	struct mailbox home;
	struct mail back;
};

static void
done(struct consumer_order *order)
{
	struct waiting *waiting = container_of(order, struct waiting, order);

	must(mailbox_give(&waiting->home, &waiting->back));
}

static int
order_messages(struct engine *engine, struct slice whole, enum consumer_wish wish, struct slice letter,
	       struct orders_outcome *outcome, struct fault *fault)
{
	struct waiting waiting = { .order = { .wish = wish, .letter = letter, .done = done } };
	int result;

	mailbox_init(&waiting.home, 0, NULL);
	result = reacting_order(engine, whole, &waiting.order, fault);
	if (result == 0) {
		while (mailbox_wait(&waiting.home, -1) == NULL)
			;
		outcome->settled += waiting.order.settled;
		outcome->failed += waiting.order.failed;
		if (waiting.order.fault.class != FAULT_NONE) {
			*fault = waiting.order.fault;
			result = -1;
		}
	}
	mailbox_fini(&waiting.home);
	return result;
}

/* ---- timers ---- */

static bool
is_timer(struct slice key)
{
	return key.size != 0 && memchr(key.data, '#', key.size) != NULL;
}

/* The letter goes; when it is tried again its timer is there anew, due now. */
static int
order_timer(struct engine *engine, struct slice domain, const struct record *letter, enum consumer_wish wish,
	    struct arena *arena, struct slice space, struct fault *fault)
{
	struct record_write records[3] = {
		{ .rule = RECORD_REMOVE_EQUALS, .space = space, .key = letter->key, .before = letter->value },
		{ .rule = RECORD_ABSENT, .space = timer_space(domain, arena) },
		{ .rule = RECORD_PUT, .space = timer_due_space(domain, arena) },
	};
	struct append append = { .records = records, .record_count = wish == CONSUMER_DROP ? 1 : 3, .arena = arena };
	unsigned long long now = (unsigned long long)timer_clock_now(&engine->timers);
	struct dead_letter dead;

	if (dead_parse(letter->value, arena, &dead, fault) != 0)
		return -1;
	records[1].key = dead.id;
	records[1].value = arena_format(arena, "%0*llu %.*s", DIGITS, now, SLICE_ARG(dead.value));
	records[2].key = arena_format(arena, "%0*llu/%.*s", DIGITS, now, SLICE_ARG(dead.id));
	if (records[1].space.data == NULL || records[2].space.data == NULL || records[1].value.data == NULL ||
	    records[2].key.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a timer");
	if (committer_wait(&engine->committer, &append, fault) != 0)
		return -1;
	if (append.answer == APPEND_DONE)
		return 0;
	return fault_set(fault, FAULT_INPUT, append.conflict_record == 0 ? "no_such_letter" : "timer_is_set",
			 append.conflict_record == 0 ? "the dead letter %.*s is there no more"
						     : "the timer of %.*s was set again meanwhile: drop the letter",
			 SLICE_ARG(letter->key));
}

/* Those of `whole`, or the one that is named. Counts what it has settled. */
static int
order_timers(struct engine *engine, struct slice domain, struct slice whole, enum consumer_wish wish,
	     struct slice letter, struct orders_outcome *outcome, struct fault *fault)
{
	struct store_reader *reader;
	struct slice space, after = SLICE_NONE;
	struct arena arena;
	size_t count = 1;
	int result = -1;

	if (store_reader_open(engine->parts.store, &reader, fault) != 0)
		return -1;
	arena_init(&arena, (size_t)256 << 20);
	space = arena_format(&arena, "dead/%.*s", SLICE_ARG(whole));
	if (space.data == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for an order");
		count = 0;
	}
	while (count != 0) {
		struct record *records;

		result = store_list_records(reader, space, after, 1, &arena, &records, &count, fault);
		if (result != 0 || count == 0)
			break;
		after = records[0].key;
		if (!is_timer(after) || (letter.size != 0 && !slice_equal(after, letter)))
			continue;
		result = order_timer(engine, domain, &records[0], wish, &arena, space, fault);
		if (result != 0)
			break;
		outcome->settled++;
	}
	arena_fini(&arena);
	store_reader_close(reader);
	return result;
}

static struct domain *
domain_of(struct engine *engine, struct slice whole)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct slice name = engine->domains[i]->name;

		if (slice_starts_with(whole, name) && whole.size > name.size + 1 && whole.data[name.size] == '.')
			return engine->domains[i];
	}
	return NULL;
}

static int
order(struct engine *engine, struct slice whole, enum consumer_wish wish, struct slice letter,
      struct orders_outcome *outcome, struct fault *fault)
{
	struct domain *domain = domain_of(engine, whole);

	if (domain == NULL)
		return fault_set(fault, FAULT_INPUT, "no_such_reactor", "there is no reactor %.*s", SLICE_ARG(whole));
	if (wish != CONSUMER_SKIP && (letter.size == 0 || is_timer(letter))) {
		if (order_timers(engine, domain->name, whole, wish, letter, outcome, fault) != 0)
			return -1;
		reacting_wake(engine->reacting[domain->number]);
		if (letter.size != 0 && outcome->settled == 0)
			return fault_set(fault, FAULT_INPUT, "no_such_letter", "%.*s has no dead letter %.*s",
					 SLICE_ARG(whole), SLICE_ARG(letter));
		if (letter.size != 0)
			return 0;
	}
	if (order_messages(engine, whole, wish, letter, outcome, fault) == 0)
		return 0;
	/* An aggregate whose timers were ordered has no reactor. */
	return outcome->settled != 0 && strcmp(fault->code, "no_such_reactor") == 0 ? 0 : -1;
}

int
engine_dead_letters(struct engine *engine, struct slice whole, enum consumer_wish wish, struct slice letter,
		    struct orders_outcome *outcome, struct fault *fault)
{
	int result;

	*outcome = (struct orders_outcome){ 0 };
	if (!engine_enter(engine, fault))
		return -1;
	result = order(engine, whole, wish, letter, outcome, fault);
	engine_leave(engine);
	return result;
}
