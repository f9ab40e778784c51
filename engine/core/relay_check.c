/* SPDX-License-Identifier: MIT */
/*
 * R3: may this store go on where the mark stands? Compared are the store's id, its incarnation, whether the log reaches
 * the mark, and the link there, which covers everything before it; so a store that was restored is known although it
 * has grown past the mark since [I9].
 *
 *   mark found, all equal           -> go on behind it
 *   none, and never bootstrapped    -> first start: from the beginning
 *   an operator's order             -> where he says; it becomes the mark before anything is sent
 *   else                            -> stop, and say what to do
 *
 * Who took the publisher from us while our lease stood is no process of this store: it has a copy. The one that was
 * there first stops; a start makes itself the later one by an epoch above the mark's.
 */
#include "core/cloudevent.h"
#include "core/relay_inside.h"

#define REBUILD "`moonlog relay rebuild` looks for the newest message in the topics, `--from POSITION` goes on there"

/* The place of a position that must end a commit. *fits false: it does not, `first` and `last` are its commit. */
static int
place_at(struct relay *relay, log_position position, struct relay_place *place, log_position *first, log_position *last,
	 struct fault *fault)
{
	struct recorded_entry entry;

	*place = (struct relay_place){ .position = position };
	*first = *last = position;
	if (position == 0)
		return 0;
	if (relay_entry_at(relay, position, &entry, fault) != 0)
		return -1;
	*first = entry.commit_first;
	*last = entry.commit_first + entry.commit_size - 1;
	place->link = entry.link;
	return 0;
}

int
relay_place_of_mark(struct relay *relay, struct relay_place *place, bool *same, struct fault *fault)
{
	log_position first, last;

	if (place_at(relay, relay->found.position, place, &first, &last, fault) != 0)
		return -1;
	*same = check_equal(&relay->found.link, &place->link);
	return 0;
}

struct relay_place
relay_first_place(const struct relay *relay)
{
	return relay->incarnation > 1 ? relay->incarnation_from : (struct relay_place){ .position = 0 };
}

static int64_t
go_on_at(struct relay *relay, const struct relay_place *place)
{
	relay->mark = relay->at = *place;
	relay->claimed = false;
	return relay_go(relay, PHASE_CLAIM);
}

/* ---- an operator's order ---- */

static void
end_order(struct relay *relay)
{
	relay->rebuilding = false;
	pthread_mutex_lock(&relay->lock);
	relay->status.pending = false;
	pthread_mutex_unlock(&relay->lock);
}

/* Every topic that the log names. */
static int
list_topics(struct relay *relay, struct slice **topics, size_t *count, struct fault *fault)
{
	const struct log_filter published = { .published_only = true };
	const struct read_limit limit = { 1000, (size_t)1 << 20 };
	struct slice *list = arena_zero(&relay->names, 1000, sizeof(*list));
	log_position head = store_head(relay->options.store), seen = 0;

	*count = 0;
	*topics = list;
	if (list == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a list of topics");
	while (seen < head) {
		struct entries entries;

		arena_clear(&relay->scratch);
		if (store_read_log(relay->reader, seen, &published, limit, &relay->scratch, &entries, &seen, fault) !=
		    0)
			return -1;
		for (size_t i = 0; i < entries.count; i++) {
			size_t known = 0;

			while (known < *count && !slice_equal(list[known], entries.items[i].topic))
				known++;
			if (known < *count)
				continue;
			if (*count == 1000)
				return fault_set(fault, FAULT_LIMIT, "too_many_topics", "more than 1000 topics");
			list[*count] = arena_copy(&relay->names, entries.items[i].topic);
			if (list[(*count)++].data == NULL)
				return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a list of topics");
		}
	}
	return 0;
}

/* The end of the commit of the newest message that is out. */
static int64_t
find(struct relay *relay, struct relay_place *place, bool *found)
{
	log_position position, first, last;
	struct slice *topics;
	enum bus_answer answer;
	struct fault fault;
	size_t count;

	*found = false;
	if (list_topics(relay, &topics, &count, &fault) != 0)
		return relay_trouble(relay, &fault);
	answer = publisher_find(relay->publisher, topics, count, relay->source, &position, &fault);
	if (answer == BUS_LOST)
		return relay_lose(relay, &fault);
	if (answer == BUS_UNDO)
		return relay_halt(relay, "no_mark",
				  "%s: say where to go on with `moonlog relay rebuild --from POSITION`", fault.text);
	if (answer == BUS_AGAIN)
		return relay_trouble(relay, &fault);
	if (position > store_head(relay->options.store))
		return relay_halt(
			relay, "store_behind",
			"the topics hold a message of position %llu, the log ends at %llu: this is an older "
			"copy; begin a new history with `moonlog relay rebuild --from POSITION --new-incarnation`",
			(unsigned long long)position, (unsigned long long)store_head(relay->options.store));
	arena_clear(&relay->scratch);
	if (place_at(relay, position, place, &first, &last, &fault) != 0)
		return relay_trouble(relay, &fault);
	/* Without transactions the rest of its commit may be missing. */
	if (!relay->publisher->transactional)
		last = first != 0 ? first - 1 : 0;
	if (last != position && place_at(relay, last, place, &first, &last, &fault) != 0)
		return relay_trouble(relay, &fault);
	*found = true;
	return 0;
}

static int64_t
rebuild(struct relay *relay)
{
	struct relay_place place;
	log_position first, last, from = relay->order.from;
	uint64_t epoch = relay->found.found ? relay->found.epoch : 0;
	uint32_t known = relay->found.found ? relay->found.incarnation : 0, number = relay->incarnation;
	struct fault fault;
	bool kept, found;

	if (from == RELAY_FIND) {
		int64_t wait = find(relay, &place, &found);
		if (!found)
			return wait;
	} else if (from > store_head(relay->options.store)) {
		end_order(relay);
		return relay_halt(relay, "bad_position",
				  "position %llu is behind the log's end, %llu: give another one",
				  (unsigned long long)from, (unsigned long long)store_head(relay->options.store));
	} else if (place_at(relay, from, &place, &first, &last, &fault) != 0) {
		return relay_trouble(relay, &fault);
	} else if (last != from) {
		end_order(relay);
		return relay_halt(relay, "bad_position",
				  "position %llu lies inside the commit %llu..%llu: give %llu or %llu",
				  (unsigned long long)from, (unsigned long long)first, (unsigned long long)last,
				  (unsigned long long)first - 1, (unsigned long long)last);
	}
	if (relay->order.incarnation)
		number = (known > number ? known : number) + 1;
	else if (known > number)
		number = known;
	relay->mark = relay->at = place;
	if (relay_raise_lease(relay, epoch, &kept, &fault) != 0 ||
	    (number != relay->incarnation && relay_write_incarnation(relay, number, &place, &fault) != 0) ||
	    relay_write_hint(relay, &fault) != 0)
		return relay_trouble(relay, &fault);
	end_order(relay);
	return kept ? go_on_at(relay, &place) : relay_lose(relay, NULL);
}

/* ---- no order ---- */

static int64_t
check_found(struct relay *relay)
{
	const struct bus_mark *mark = &relay->found;
	log_position head = store_head(relay->options.store);
	struct relay_place place;
	struct fault fault;
	bool same;

	if (mark->position < relay->hinted_mark)
		return relay_halt(
			relay, "mark_lost",
			"the bus says that it has messages up to %llu, but had confirmed %llu before: " REBUILD,
			(unsigned long long)mark->position, (unsigned long long)relay->hinted_mark);
	if (mark->position > head)
		return relay_halt(
			relay, "store_behind",
			"messages up to position %llu are out, but the log ends at %llu: this is an older copy. "
			"Put the newer store back, or begin a new history with "
			"`moonlog relay rebuild --from POSITION --new-incarnation`",
			(unsigned long long)mark->position, (unsigned long long)head);
	if (relay_place_of_mark(relay, &place, &same, &fault) != 0)
		return relay_trouble(relay, &fault);
	if (!same)
		return relay_halt(
			relay, "store_diverged",
			"the log is not the one that was published up to position %llu: this store was restored "
			"from an older copy and has gone another way. Put the right store back, or begin a new "
			"history with `moonlog relay rebuild --from POSITION --new-incarnation`",
			(unsigned long long)mark->position);
	return go_on_at(relay, &place);
}

/* Somebody else's mark over ours. Gives 0 when there is none, else what relay_check gives. */
static bool
is_taken(struct relay *relay)
{
	const struct bus_mark *mark = &relay->found;

	return relay->fenced && mark->epoch >= relay->epoch && !slice_equal(mark->owner, relay->owner);
}

static int64_t
check_others(struct relay *relay, bool *well)
{
	const struct bus_mark *mark = &relay->found;
	struct fault fault;
	bool kept;

	*well = false;
	if (!slice_equal(mark->store, relay->store_id))
		return relay_halt(relay, "other_store",
				  "the mark in the bus is of store %.*s, this is %.*s: give each its own kafka.service",
				  SLICE_ARG(mark->store), SLICE_ARG(relay->store_id));
	if (mark->incarnation > relay->incarnation)
		return relay_halt(
			relay, "other_store",
			"a newer history of this store (incarnation %u, this is %u) is published by %.*s: this "
			"copy must not be; `moonlog relay rebuild --from POSITION --new-incarnation` makes it the "
			"one that is",
			mark->incarnation, relay->incarnation, SLICE_ARG(mark->owner));
	if (is_taken(relay))
		return relay_halt(
			relay, "other_publisher",
			"%.*s publishes a copy of this store, with a lease that was never given here: stop one "
			"of the two; `moonlog relay resume` makes this one take over",
			SLICE_ARG(mark->owner));
	if (relay_raise_lease(relay, mark->epoch, &kept, &fault) != 0)
		return relay_trouble(relay, &fault);
	if (!kept)
		return relay_lose(relay, NULL);
	*well = true;
	return 0;
}

int64_t
relay_check(struct relay *relay)
{
	struct relay_place first = relay_first_place(relay);
	bool well;

	if (relay->rebuilding)
		return rebuild(relay);
	if (!relay->found.found && !relay->bootstrapped)
		return go_on_at(relay, &first);
	if (!relay->found.found)
		return relay_halt(relay, "no_mark",
				  "the bus has no mark of this store, although it was published before: " REBUILD);
	int64_t wait = check_others(relay, &well);
	if (!well)
		return wait;
	/* A new history was declared, and nothing of it has been published yet. */
	if (relay->found.incarnation < relay->incarnation)
		return go_on_at(relay, &first);
	return check_found(relay);
}
