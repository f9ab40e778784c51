/* SPDX-License-Identifier: MIT */
/*
 * R4: the log in order, every entry of it, so that positions without a gap and the chain from the last place are seen
 * and not believed; what carries a topic becomes a message. A batch ends where a commit ends: one that the limits cut
 * is left for the next batch, or read to its end when it is the first.
 * Fails: as reads do; CORRUPT "log_gap", "log_chain"; LIMIT "too_many_headers" naming the entry.
 */
#include "base/probe.h"
#include "core/cloudevent.h"
#include "core/relay_inside.h"

/* So much of the log that is not routed is passed before the mark is moved without a message. */
#define QUIET_ENTRIES 50000
#define QUIET_NS      ((int64_t)60 * 1000 * 1000 * 1000)

int
relay_entry_at(struct relay *relay, log_position position, struct recorded_entry *entry, struct fault *fault)
{
	const struct read_limit one = { 1, 0 };
	struct entries entries;
	log_position seen;

	if (store_read_log(relay->reader, position - 1, NULL, one, &relay->scratch, &entries, &seen, fault) != 0)
		return -1;
	if (entries.count != 1 || entries.items[0].position != position)
		return fault_set(fault, FAULT_CORRUPT, "log_gap", "position %llu is missing",
				 (unsigned long long)position);
	*entry = entries.items[0];
	return 0;
}

static log_position
commit_end(const struct recorded_entry *entry)
{
	return entry->commit_first + entry->commit_size - 1;
}

static int
check_chain(const struct relay_place *after, const struct entries *entries, struct fault *fault)
{
	const struct recorded_entry *first = &entries->items[0];
	struct check link;

	for (size_t i = 0; i < entries->count; i++)
		if (entries->items[i].position != after->position + 1 + i)
			return fault_set(fault, FAULT_CORRUPT, "log_gap", "position %llu is missing",
					 (unsigned long long)(after->position + 1 + i));
	entry_link(&after->link, &first->digest, first->position, first->version, first->commit_first,
		   first->commit_size, first->recorded_at_us, &link);
	if (!check_equal(&link, &first->link))
		return fault_set(fault, FAULT_CORRUPT, "log_chain", "position %llu does not follow from the one before",
				 (unsigned long long)first->position);
	return 0;
}

/* The rest of a commit whose first entries are all that was read. */
static int
read_rest(struct relay *relay, struct relay_batch *batch, struct entries *entries, struct fault *fault)
{
	log_position end = commit_end(&entries->items[0]), seen = entries->items[entries->count - 1].position;
	struct recorded_entry *all = arena_alloc(&batch->arena, entries->items[0].commit_size * sizeof(*all));
	size_t count = entries->count;

	if (all == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a commit of %u entries",
				 entries->items[0].commit_size);
	memcpy(all, entries->items, count * sizeof(*all));
	while (seen < end) {
		struct read_limit limit = { (size_t)(end - seen), 0 };
		struct entries rest;

		if (store_read_log(relay->reader, seen, NULL, limit, &batch->arena, &rest, &seen, fault) != 0)
			return -1;
		if (rest.count == 0 || rest.count > end + 1 - all[0].commit_first - count)
			return fault_set(fault, FAULT_CORRUPT, "log_gap", "position %llu is missing",
					 (unsigned long long)seen + 1);
		memcpy(all + count, rest.items, rest.count * sizeof(*all));
		count += rest.count;
	}
	*entries = (struct entries){ all, count };
	return 0;
}

/* Only whole commits stay. */
static int
trim(struct relay *relay, struct relay_batch *batch, struct entries *entries, struct fault *fault)
{
	const struct recorded_entry *last = &entries->items[entries->count - 1];

	if (last->position == commit_end(last))
		return 0;
	batch->full = true;
	if (last->commit_first <= batch->after.position + 1)
		return read_rest(relay, batch, entries, fault);
	entries->count = (size_t)(last->commit_first - batch->after.position - 1);
	return 0;
}

static int
encode(struct relay *relay, struct relay_batch *batch, const struct entries *entries, struct fault *fault)
{
	batch->messages = arena_alloc(&batch->arena, entries->count * sizeof(*batch->messages));
	batch->positions = arena_alloc(&batch->arena, entries->count * sizeof(*batch->positions));
	if (batch->messages == NULL || batch->positions == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for %zu messages", entries->count);
	if (cloudevent_correlate(entries->items, entries->count, &batch->arena, fault) != 0)
		return -1;
	for (size_t i = 0; i < entries->count; i++) {
		const struct recorded_entry *entry = &entries->items[i];

		if (entry->topic.size == 0)
			continue;
		if (cloudevent_encode(entry, relay->source, &batch->arena, &batch->messages[batch->count], fault) != 0)
			return -1;
		batch->positions[batch->count++] = entry->position;
	}
	return 0;
}

int
relay_batch_read(struct relay *relay, const struct relay_place *after, struct relay_batch *batch, struct fault *fault)
{
	const struct read_limit limit = { relay->options.batch_entries, relay->options.batch_bytes };
	struct entries entries;
	log_position seen;

	relay_batch_drop(batch);
	(void)PROBE("relay.before_read");
	if (store_head(relay->options.store) <= after->position)
		return 0;
	batch->after = *after;
	if (store_read_log(relay->reader, after->position, NULL, limit, &batch->arena, &entries, &seen, fault) != 0)
		return -1;
	if (entries.count == 0)
		return 0;
	batch->full = entries.count == limit.entries || seen < store_head(relay->options.store);
	if (trim(relay, batch, &entries, fault) != 0 || check_chain(after, &entries, fault) != 0 ||
	    encode(relay, batch, &entries, fault) != 0)
		return -1;
	const struct recorded_entry *last = &entries.items[entries.count - 1];
	batch->end = (struct relay_place){ last->position, last->link };
	batch->oldest_us = entries.items[0].recorded_at_us;
	batch->ready = true;
	(void)PROBE("relay.after_read");
	return 0;
}

void
relay_batch_drop(struct relay_batch *batch)
{
	arena_clear(&batch->arena);
	batch->ready = batch->full = false;
	batch->count = 0;
	batch->messages = NULL;
	batch->positions = NULL;
}

/* ---- the step ---- */

/* The log has nothing more: waits until it grows, the hint wants to be written or the lease renewed. */
static int64_t
wait_for_more(struct relay *relay)
{
	const struct relay_options *options = &relay->options;
	int64_t now_ns = clock_mono_ns(options->clock), wait_ns = INT64_MAX;

	if (relay->at.position != relay->hinted || relay->mark.position != relay->hinted_mark)
		wait_ns = relay->hint_ns + options->hint_us * 1000 - now_ns;
	if (options->shared && options->lease_us * 500 < wait_ns)
		wait_ns = options->lease_us * 500;
	if (relay->at.position != relay->mark.position && relay->quiet_ns + QUIET_NS - now_ns < wait_ns)
		wait_ns = relay->quiet_ns + QUIET_NS - now_ns;
	atomic_store(&relay->hungry, true);
	if (store_head(options->store) <= relay->at.position)
		return wait_ns > 0 ? wait_ns : 1;
	atomic_store(&relay->hungry, false);
	return 0;
}

/* Hint and lease. *kept false: another has it. */
static int
upkeep(struct relay *relay, bool *kept, struct fault *fault)
{
	int64_t now_ns = clock_mono_ns(relay->options.clock);
	bool moved = relay->at.position != relay->hinted || relay->mark.position != relay->hinted_mark;

	if (relay_keep_lease(relay, kept, fault) != 0 || !*kept)
		return *kept ? -1 : 0;
	if (!moved || now_ns - relay->hint_ns < relay->options.hint_us * 1000)
		return 0;
	(void)PROBE("relay.before_hint");
	if (relay_write_hint(relay, fault) != 0)
		return -1;
	(void)PROBE("relay.after_hint");
	return 0;
}

/* Nothing of it is routed: only our place moves, and the mark now and then. */
static int64_t
pass(struct relay *relay)
{
	int64_t now_ns = clock_mono_ns(relay->options.clock);

	relay->at = relay->now->end;
	relay_batch_drop(relay->now);
	pthread_mutex_lock(&relay->lock);
	relay->status.position = relay->at.position;
	relay->oldest_us = 0;
	pthread_mutex_unlock(&relay->lock);
	if (relay->options.progressed != NULL)
		relay->options.progressed(relay->options.self, relay->at.position);
	if (relay->at.position - relay->mark.position >= QUIET_ENTRIES || now_ns - relay->quiet_ns >= QUIET_NS)
		return relay_go(relay, PHASE_CLAIM);
	return 0;
}

int64_t
relay_read(struct relay *relay)
{
	struct relay_batch *batch = relay->now;
	struct fault fault;
	bool kept = true;

	if (!relay->publisher->carries)
		return INT64_MAX;
	if (upkeep(relay, &kept, &fault) != 0)
		return relay_trouble(relay, &fault);
	if (!kept)
		return relay_lose(relay, NULL);
	if (relay->order.paused) {
		relay_say(relay, RELAY_PAUSED, NULL);
		return relay->options.shared ? relay->options.lease_us * 500 : INT64_MAX;
	}
	relay_say(relay, RELAY_RUNNING, NULL);
	if ((!batch->ready || batch->after.position != relay->at.position) &&
	    relay_batch_read(relay, &relay->at, batch, &fault) != 0)
		return fault.class == FAULT_LIMIT ? relay_halt(relay, "unsendable", "%s", fault.text)
						  : relay_trouble(relay, &fault);
	if (!batch->ready)
		return wait_for_more(relay);
	pthread_mutex_lock(&relay->lock);
	relay->oldest_us = batch->oldest_us;
	pthread_mutex_unlock(&relay->lock);
	return batch->count != 0 ? relay_go(relay, PHASE_TOPICS) : pass(relay);
}
