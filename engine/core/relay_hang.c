/* SPDX-License-Identifier: MIT */
/*
 * Between R2 and R3: the mark was read back, and behind it lies one of ours that nobody will end, because the brokers
 * lost the end of its transaction. Its messages are those of the log from the mark on, so they are read again, given to
 * the publisher to be undone, and the mark is read once more [I9]. Where only messages hang, those are the first ones
 * behind the mark: they are looked for before the first batch.
 */
#include "core/relay_inside.h"

#define HANGS_MOST 3 /* in a row: more is no accident */

/* Where its transaction began, or before: what lies between is not routed. *well false: R3 says what is wrong. */
static int
begin_of(struct relay *relay, struct relay_place *place, bool *well, struct fault *fault)
{
	const struct bus_mark *mark = &relay->found;

	*well = true;
	*place = relay_first_place(relay);
	if (!mark->found || mark->incarnation < relay->incarnation)
		return 0;
	*well = slice_equal(mark->store, relay->store_id) && mark->incarnation == relay->incarnation &&
		mark->position <= store_head(relay->options.store);
	return *well ? relay_place_of_mark(relay, place, well, fault) : 0;
}

/* What lies behind the mark that hangs was not in its transaction. */
static size_t
count_of(const struct relay_batch *batch, log_position hanging)
{
	size_t count = batch->count;

	while (count > 0 && batch->positions[count - 1] > hanging)
		count--;
	return count;
}

/* One batch after another, up to the mark that hangs. */
static enum bus_answer
end_all(struct relay *relay, struct relay_place place, struct fault *fault)
{
	struct relay_batch *batch = relay->now;
	enum bus_hanging which = relay->rebuilding ? HANGING_SURE : HANGING_MARK;
	log_position hanging = relay->found.hanging;
	enum bus_answer answer = BUS_DONE;

	if (hanging <= place.position)
		return publisher_end_hanging(relay->publisher, which, NULL, 0, true, fault);
	while (answer == BUS_DONE && place.position < hanging) {
		if (relay_batch_read(relay, &place, batch, fault) != 0)
			return BUS_LOST;
		if (!batch->ready) {
			fault_set(fault, FAULT_CONFIG, "hung",
				  "the brokers lost the end of a transaction up to position %llu, and the log ends at "
				  "%llu: this is an older copy",
				  (unsigned long long)hanging, (unsigned long long)place.position);
			return BUS_UNDO;
		}
		place = batch->end;
		answer = publisher_end_hanging(relay->publisher, which, batch->messages, count_of(batch, hanging),
					       place.position >= hanging, fault);
	}
	return answer;
}

int64_t
relay_end_hanging(struct relay *relay)
{
	/* By an operator's word it counts: it does so with the next commits. */
	bool counts = relay->rebuilding && relay->order.from >= relay->found.hanging;
	enum bus_answer answer;
	struct relay_place place;
	struct fault fault;
	bool well;

	if (begin_of(relay, &place, &well, &fault) != 0)
		return relay_trouble(relay, &fault);
	if (!well || counts)
		return relay_go(relay, PHASE_CHECK);
	if (relay->hung == HANGS_MOST)
		return relay_halt(relay, "hung", "a transaction up to position %llu hangs, and cannot be ended",
				  (unsigned long long)relay->found.hanging);
	answer = end_all(relay, place, &fault);
	relay_batch_drop(relay->now);
	if (answer == BUS_AGAIN)
		return relay_trouble(relay, &fault);
	if (answer == BUS_LOST)
		return relay_lose(relay, &fault);
	if (answer == BUS_UNDO)
		return relay_halt(relay, fault.code, "%s", fault.text);
	relay->hung++;
	return relay_go(relay, PHASE_READ_BACK);
}

enum bus_answer
relay_end_parts(struct relay *relay, struct fault *fault)
{
	enum bus_answer answer = BUS_DONE;

	if (!relay->looked && relay->publisher->transactional && relay->now->count != 0) {
		answer = publisher_end_hanging(relay->publisher, HANGING_PARTS, relay->now->messages, relay->now->count,
					       true, fault);
		relay->looked = answer == BUS_DONE;
	}
	return answer;
}
