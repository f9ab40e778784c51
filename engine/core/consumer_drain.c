/* SPDX-License-Identifier: MIT */
/*
 * Dead letters on their way back: looked at in the order of their keys, which is the order of their places. One is in
 * flight at a time. The parked ones are gone through again until a round finds none that may go: what came behind them
 * meanwhile goes too.
 *
 * Whoever gave an order waits for its answer: letters that have to wait for more than some seconds end it, with what
 * they wait for; parked ones that wait give way to it and go on afterwards.
 */
#include <stdio.h>

#include "base/log.h"
#include "core/consumer_inside.h"

#define ORDER_PAUSE_US ((int64_t)2 * 1000 * 1000) /* after one that is longer an order is answered */

/* ---- orders ---- */

static void begin(struct consumer *consumer, struct consumer_order *order);

static void
end(struct consumer *consumer, const struct fault *fault)
{
	struct drain *drain = &consumer->drain;
	struct consumer_order *order = drain->order;

	drain->running = false;
	drain->order = NULL;
	parked_empty(&drain->stuck);
	if (order == NULL)
		return;
	if (fault != NULL)
		order->fault = *fault;
	order->done(order);
	if (drain->parked_later && consumer->parked.count != 0)
		begin(consumer, NULL);
	drain->parked_later = false;
}

static void
begin(struct consumer *consumer, struct consumer_order *order)
{
	struct drain *drain = &consumer->drain;

	drain->running = true;
	drain->order = order;
	drain->parked_only = order == NULL;
	drain->one_key = drain->one_letter = false;
	drain->pause_us = drain->again_ns = 0;
	drain->went = 0;
	buf_clear(&drain->after);
}

/* Which letters an order is about. */
static int
find_ordered(struct consumer *consumer, struct consumer_order *order, struct fault *fault)
{
	struct drain *drain = &consumer->drain;
	struct arena *pages = &consumer->bench.pages;
	struct dead_letter dead;
	struct slice value;
	bool found;

	if (order->letter.size == 0)
		return 0;
	arena_clear(pages);
	if (store_read_record(consumer->bench.reader, consumer->dead_space, order->letter, pages, &value, &found,
			      fault) != 0)
		return -1;
	if (!found)
		return fault_set(fault, FAULT_INPUT, "no_such_letter", "%s has no dead letter %.*s", consumer->whole,
				 SLICE_ARG(order->letter));
	if (dead_parse(value, pages, &dead, fault) != 0)
		return -1;
	drain->one_key = order->wish == CONSUMER_RETRY && parked_key_parse(dead.parked, &drain->key);
	drain->one_letter = !drain->one_key;
	return 0;
}

static bool
take_order(struct consumer *consumer)
{
	struct consumer_order *order;
	struct fault fault;

	if (consumer->waiting_orders == NULL)
		consumer->waiting_orders = mailbox_take(&consumer->orders);
	if (consumer->waiting_orders == NULL)
		return false;
	order = container_of(consumer->waiting_orders, struct consumer_order, mail);
	consumer->waiting_orders = order->mail.next;
	begin(consumer, order);
	if (order->wish == CONSUMER_RETRY)
		consumer_resume(consumer);
	if (order->wish == CONSUMER_SKIP) {
		order->settled = consumer_skip(consumer);
		end(consumer, NULL);
		return true;
	}
	if (find_ordered(consumer, order, &fault) != 0)
		end(consumer, &fault);
	return true;
}

void
consumer_drain_parked(struct consumer *consumer)
{
	if (consumer->drain.running)
		consumer->drain.once_more = true;
	else if (consumer->parked.count != 0)
		begin(consumer, NULL);
}

/* ---- the next letter ---- */

/* The message as it was. */
static int
revive(struct consumer *consumer, struct letter *letter, const struct dead_letter *dead, struct fault *fault)
{
	struct arena *arena = &letter->reaction.arena;
	struct entries entries = { 0 };
	log_position seen = 0;

	letter->message = (struct message){ .topic = dead->topic,
					    .key = dead->key,
					    .value = dead->value,
					    .tombstone = dead->tombstone,
					    .headers = dead->headers,
					    .header_count = dead->header_count,
					    .time_us = dead->time_us };
	letter->offset = dead->offset;
	letter->type = dead->type;
	letter->partition = dead->partition;
	letter->first_us = dead->first_us;
	letter->attempts = (unsigned)dead->attempts;
	letter->dead_parked = parked_key_parse(dead->parked, &letter->parked);
	if (!dead->from_log || dead->offset == 0)
		return 0;
	if (store_read_log(consumer->bench.reader, dead->offset - 1, NULL, (struct read_limit){ 1, 0 }, arena, &entries,
			   &seen, fault) != 0)
		return -1;
	if (entries.count != 1)
		return fault_set(fault, FAULT_CORRUPT, "bad_letter", "the log has no entry %llu",
				 (unsigned long long)dead->offset);
	letter->entry = &entries.items[0];
	return 0;
}

static bool
is_asked_for(const struct drain *drain, const struct letter *letter)
{
	if (letter->dead_parked && parked_count(&drain->stuck, &letter->parked) != 0)
		return false;
	if (drain->one_key)
		return letter->dead_parked && memcmp(&letter->parked, &drain->key, sizeof(drain->key)) == 0;
	if (drain->one_letter)
		return slice_equal(letter->dead_key, drain->order->letter);
	return letter->dead_parked || !drain->parked_only;
}

/* Timers that failed lie in the same space as the letters of a process: their keys name a stream and a timer. */
static bool
is_timer(struct slice key)
{
	return key.size != 0 && memchr(key.data, '#', key.size) != NULL;
}

int
consumer_read_letter(struct consumer *consumer, struct buf *after, struct letter *letter, struct fault *fault)
{
	struct arena *arena = &letter->reaction.arena;
	struct dead_letter dead;
	struct record *records;
	size_t count;

	do {
		if (store_list_records(consumer->bench.reader, consumer->dead_space, buf_slice(after), 1, arena,
				       &records, &count, fault) != 0)
			return -1;
		if (count == 0)
			return 0;
		buf_clear(after);
		buf_add(after, records[0].key);
	} while (is_timer(records[0].key));
	letter->dead_key = records[0].key;
	letter->dead_value = records[0].value;
	if (dead_parse(records[0].value, arena, &dead, fault) != 0 || revive(consumer, letter, &dead, fault) != 0) {
		log_fault(LOG_ERROR, "a dead letter is left where it is", fault);
		letter->dead_parked = false;
		letter->purpose = LETTER_PLACE; /* nothing is asked for it */
	}
	return 1;
}

/* Gives 1 when there is one, 0 at the end, -1 for a fault. */
static int
find_next(struct consumer *consumer, struct fault *fault)
{
	struct drain *drain = &consumer->drain;

	for (;;) {
		struct letter *letter = consumer_spare(consumer);
		int result;

		if (letter == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a dead letter");
		letter->purpose =
			drain->order != NULL && drain->order->wish == CONSUMER_DROP ? LETTER_DROP : LETTER_AGAIN;
		result = consumer_read_letter(consumer, &drain->after, letter, fault);
		if (result == 1 && letter->purpose != LETTER_PLACE && is_asked_for(drain, letter)) {
			letter->reaction.mark = arena_mark(&letter->reaction.arena);
			drain->letter = letter;
			return 1;
		}
		consumer_put_away(consumer, letter);
		if (result != 1)
			return result;
	}
}

/* ---- through the handler ---- */

static void
wait_a_while(struct consumer *consumer, const struct fault *fault)
{
	struct drain *drain = &consumer->drain;

	if (drain->pause_us == 0)
		log_line(LOG_WARN, "dead letters wait", log_text("consumer", consumer->whole),
			 log_text("code", fault->code), log_text("text", fault->text));
	drain->fault = *fault;
	drain->pause_us = consumer_pause(consumer, drain->pause_us);
	drain->again_ns = consumer_now_ns(consumer) + drain->pause_us * 1000;
}

/* One call of its handler. false: it waits. */
static bool
ask_again(struct consumer *consumer, struct letter *letter)
{
	enum reaction_answer answer = REACTION_FAILED;

	if (consumer_prepare(consumer, letter, &letter->fault) == 0)
		answer = consumer_ask(consumer, &consumer->bench, letter, &letter->fault);
	switch (answer) {
	case REACTION_NOTHING:
	case REACTION_DECIDED:
		return true;
	case REACTION_WAITS:
		consumer->waits = true;
		return false;
	case REACTION_FAILED:
		break;
	}
	if (reaction_passes(&letter->fault)) {
		wait_a_while(consumer, &letter->fault);
		return false;
	}
	letter->attempts++;
	letter->purpose = LETTER_REWRITE;
	reaction_clear(&letter->reaction);
	return true;
}

/* What was read is perhaps not so any more: the letters are looked at anew. */
static void
look_anew(struct consumer *consumer)
{
	struct drain *drain = &consumer->drain;

	buf_clear(&drain->after);
	consumer_put_away(consumer, drain->letter);
	drain->letter = NULL;
}

static void
go(struct consumer *consumer, struct letter *letter)
{
	struct fault fault;

	if (letter->purpose == LETTER_AGAIN && !ask_again(consumer, letter))
		return;
	if (letter->purpose != LETTER_AGAIN)
		reaction_clear(&letter->reaction);
	if (!consumer_give(consumer, letter, &fault)) {
		wait_a_while(consumer, &fault);
		look_anew(consumer);
	}
}

void
consumer_drained(struct consumer *consumer, struct letter *letter, bool done)
{
	struct drain *drain = &consumer->drain;

	if (!done) {
		if (letter->reaction.submission.result != COMMIT_DONE)
			wait_a_while(consumer, &letter->reaction.submission.fault);
		if (letter->purpose == LETTER_AGAIN ||
		    letter->reaction.submission.append.answer == APPEND_RECORD_CONFLICT)
			look_anew(consumer);
		return;
	}
	if (letter->purpose == LETTER_REWRITE) {
		if (drain->order != NULL)
			drain->order->failed++;
		if (letter->dead_parked)
			(void)parked_put(&drain->stuck, &letter->parked, 1);
	} else {
		drain->went++;
		if (drain->order != NULL)
			drain->order->settled++;
		if (letter->dead_parked && letter->ends_key)
			(void)parked_put(&consumer->parked, &letter->parked, 0);
	}
	drain->pause_us = drain->again_ns = 0;
	drain->letter = NULL;
	consumer_put_away(consumer, letter);
}

/* The round is over. true: another one begins. */
static bool
another_round(struct consumer *consumer)
{
	struct drain *drain = &consumer->drain;

	if (drain->once_more) {
		parked_empty(&drain->stuck);
		drain->once_more = false;
		drain->parked_only = drain->order == NULL;
	} else if (drain->went == 0 || drain->one_letter || consumer->parked.count <= drain->stuck.count) {
		return false;
	}
	drain->went = 0;
	buf_clear(&drain->after);
	return true;
}

static void
step(struct consumer *consumer)
{
	struct drain *drain = &consumer->drain;
	struct fault fault;

	if (drain->letter == NULL) {
		int result = find_next(consumer, &fault);

		if (result < 0)
			wait_a_while(consumer, &fault);
		else if (result == 0 && !another_round(consumer))
			end(consumer, NULL);
	}
	if (drain->letter != NULL)
		go(consumer, drain->letter);
}

static bool
has_order(const struct consumer *consumer)
{
	return consumer->waiting_orders != NULL || mailbox_count(&consumer->orders) != 0;
}

/* It waits: an order is answered, or parked ones give way to one. */
static void
give_way(struct consumer *consumer)
{
	struct drain *drain = &consumer->drain;
	bool ends = drain->order != NULL ? drain->pause_us > ORDER_PAUSE_US : has_order(consumer);

	if (!ends || drain->pause_us == 0 || (drain->letter != NULL && drain->letter->state == LETTER_FLYING))
		return;
	if (drain->letter != NULL)
		look_anew(consumer);
	drain->parked_later = drain->parked_later || drain->order == NULL;
	end(consumer, &drain->fault);
}

int64_t
consumer_drain(struct consumer *consumer)
{
	struct drain *drain = &consumer->drain;
	int64_t left_ns;

	if (drain->running)
		give_way(consumer);
	if (!drain->running && !take_order(consumer))
		return INT64_MAX;
	if (!drain->running || consumer->parked_unsure)
		return drain->running && consumer->flying != 0 ? INT64_MAX : 0;
	if (drain->letter != NULL && drain->letter->state == LETTER_FLYING)
		return INT64_MAX;
	left_ns = drain->again_ns != 0 ? drain->again_ns - consumer_now_ns(consumer) : 0;
	if (left_ns > 0)
		return left_ns;
	step(consumer);
	if (drain->running && drain->letter != NULL && drain->letter->state == LETTER_FLYING)
		return INT64_MAX;
	left_ns = drain->again_ns != 0 ? drain->again_ns - consumer_now_ns(consumer) : 0;
	return left_ns > 0 ? left_ns : consumer->waits ? INT64_MAX : 0;
}
