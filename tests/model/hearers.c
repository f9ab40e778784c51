/* SPDX-License-Identifier: MIT */
#include "model/hearers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "bus/local/local.h"
#include "store/memory/memory.h"
#include "unit/react/rules_double.h"

#define REST_ROUNDS  6000
#define RETRY_MOST   200000 /* us */
#define WINDOW       24
#define PRODUCER     "foreign"
#define REPEATS_BACK 12

static uint64_t
chance(struct hearers *h, uint64_t below)
{
	return world_chance(h->world, below);
}

/* ---- processes ---- */

static void
give(void *self, struct submission *submission)
{
	struct hearer *side = self;

	must(side->given_count < countof(side->given));
	side->given[side->given_count++] = submission;
}

static void
start(struct hearers *h, struct hearer *side)
{
	struct consumer_options options = { .store = h->store,
					    .domain = h->domain,
					    .name = SLICE("adder"),
					    .foreign = model_source(&side->process),
					    .own = local_source(h->store),
					    .give = give,
					    .self = side,
					    .script = &h->script,
					    .clock = &h->world->clock,
					    .entropy = &h->world->entropy.entropy,
					    .window = (unsigned)(1 + chance(h, WINDOW)),
					    .retry_last_us = RETRY_MOST };
	struct fault fault;

	side->process.dead = false;
	side->process.fuse = 0;
	must(consumer_open(&options, &side->consumer, &fault) == 0);
	world_say(h->world, "%s starts", side->process.name);
}

/* Answers the first `count` of what was given in. */
static void
answer(struct hearer *side, size_t count, enum commit_result result, const struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		struct submission *submission = side->given[i];

		submission->result = result;
		if (fault != NULL)
			submission->fault = *fault;
		mailbox_give(submission->home, submission->back);
	}
	side->given_count -= count;
	memmove(side->given, side->given + count, side->given_count * sizeof(side->given[0]));
}

static bool
look(struct hearers *h)
{
	effects_of(&h->world->cluster, h->store, &h->wanted, &h->effects);
	return h->effects.reason[0] == '\0';
}

/* What it had in memory is gone, also what it had given in. */
static bool
bury(struct hearers *h, struct hearer *side)
{
	struct fault fault;

	fault_set(&fault, FAULT_AWAY, "dead", "the process is dead");
	side->process.dead = true;
	answer(side, side->given_count, COMMIT_NOT_ATTEMPTED, &fault);
	consumer_close(side->consumer);
	side->consumer = NULL;
	h->deaths++;
	return look(h);
}

/* ---- the store ---- */

static void
write_boldly(struct append *append)
{
	struct record_write *bold = arena_alloc(append->arena, (append->record_count + 1) * sizeof(*bold));

	must(bold != NULL);
	for (size_t i = 0; i < append->record_count; i++) {
		bold[i] = append->records[i];
		if (slice_starts_with(bold[i].space, SLICE("consumer/")))
			bold[i].rule = RECORD_PUT;
	}
	append->records = bold;
}

static void
tell(const struct hearer *side, struct append *const *appends, size_t count)
{
	static const char *const answers[] = { "none",     "done",     "conflict", "conflict of records",
					       "repeated", "mismatch", "failed" };

	for (size_t i = 0; side->process.world->trace && i < count; i++) {
		const struct append *append = appends[i];

		world_say(side->process.world, "%s commits %zu entries: %s", side->process.name, append->entry_count,
			  answers[append->answer]);
		for (size_t e = 0; e < append->entry_count; e++)
			world_say(side->process.world, "  %.*s %llu: %.*s",
				  SLICE_ARG(append->streams[append->entries[e].stream].name),
				  (unsigned long long)append->streams[append->entries[e].stream].expected.version,
				  SLICE_ARG(append->entries[e].data));
		for (size_t r = 0; r < append->record_count; r++)
			world_say(side->process.world, "  %.*s %.*s: \"%.*s\" to \"%.*s\"",
				  SLICE_ARG(append->records[r].space), SLICE_ARG(append->records[r].key),
				  SLICE_ARG(append->records[r].before),
				  (int)(append->records[r].value.size < 20 ? append->records[r].value.size : 20),
				  append->records[r].value.size != 0 ? append->records[r].value.data : "");
	}
}

/* The committer's part: the oldest of what was given in become one group. */
static void
commit(struct hearers *h, struct hearer *side)
{
	struct append *appends[countof(side->given)];
	size_t count = side->given_count != 0 ? 1 + chance(h, side->given_count) : 0;
	struct fault fault;

	if (count == 0)
		return;
	h->world->running = &side->process;
	if (!process_point(&side->process, "consumer.store_before"))
		goto out;
	if (side->process.store_away) {
		fault_set(&fault, FAULT_AWAY, "store_away", "the store cannot be reached");
		answer(side, count, COMMIT_NOT_ATTEMPTED, &fault);
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		appends[i] = &side->given[i]->append;
		if (h->world->sabotage.no_compare)
			write_boldly(appends[i]);
	}
	must(store_commit(h->store, appends, count, &fault) == COMMIT_DONE);
	tell(side, appends, count);
	if (!process_point(&side->process, "consumer.store_after"))
		goto out;
	if (world_odds(h->world, 10)) { /* then its store takes no more, and it is started anew */
		fault_set(&fault, FAULT_UNKNOWN, "unknown", "whether it is written is not known");
		answer(side, count, COMMIT_UNKNOWN, &fault);
		side->process.store_away = true;
		side->process.fuse = 1 + chance(h, 20);
	} else {
		answer(side, count, COMMIT_DONE, NULL);
	}
out:
	h->world->running = NULL;
}

static int64_t
step(struct hearers *h, struct hearer *side)
{
	int64_t wait_ns;

	h->world->running = &side->process;
	wait_ns = consumer_step(side->consumer);
	h->world->running = NULL;
	if (!consumer_is_stale(side->consumer))
		return wait_ns;
	world_say(h->world, "%s begins anew", side->process.name);
	(void)bury(h, side);
	start(h, side);
	return 0;
}

/* ---- the other producer ---- */

static void
write_foreign(struct hearers *h, struct cluster_partition *to, uint64_t producer, uint16_t epoch, uint64_t sequence)
{
	static const char *const types[] = { "Add", "Add", "Add", "Two", "Busy", "a.b.Bad.v1", "Other" };
	uint64_t place = (uint64_t)(to - cluster_topic(&h->world->cluster, SLICE("gamma"), 1)->partition);
	uint64_t number = ++h->foreign[place];
	char id[24], data[48], key[8], type[16];
	struct message_header headers[] = { { SLICE("ce_specversion"), SLICE("1.0") },
					    { SLICE("ce_source"), SLICE("/foreign") },
					    { SLICE("ce_type"), SLICE_NONE },
					    { SLICE("ce_id"), SLICE_NONE } };
	struct message message = { .topic = SLICE("gamma"), .headers = headers, .header_count = 4 };

	if (h->repeats && number > REPEATS_BACK && chance(h, 4) == 0)
		number -= 1 + chance(h, REPEATS_BACK);
	number = number * CLUSTER_PARTITIONS + place;
	/* All that is said of a number is the same each time. */
	uint64_t hash = slice_hash(slice_from((const char *)&number, sizeof(number)), 11);
	snprintf(id, sizeof(id), "f%llu", (unsigned long long)number);
	snprintf(key, sizeof(key), "k%llu", (unsigned long long)(hash % 4));
	snprintf(type, sizeof(type), "%s", types[hash / 8 % countof(types)]);
	snprintf(data, sizeof(data), "{\"id\":\"%s\",\"by\":%llu}", key, (unsigned long long)(1 + hash / 64 % 5));
	headers[2].value = slice_text(type);
	headers[3].value = slice_text(id);
	message.key = slice_text(key);
	message.value = slice_text(data);
	if (!h->halts && chance(h, 25) == 0) { /* no CloudEvent */
		message.header_count = 3;
		message.key = SLICE_NONE;
	}
	must(cluster_produce(&h->world->cluster, to, producer, epoch, sequence, producer != 0, &message) == CLUSTER_OK);
}

/* Some messages of one key's partition, alone or in a transaction that ends this way or that, or not yet. */
static void
foreign(struct hearers *h)
{
	struct cluster *cluster = &h->world->cluster;
	struct cluster_topic *topic = cluster_topic(cluster, SLICE("gamma"), CLUSTER_PARTITIONS);
	struct cluster_partition *to = &topic->partition[chance(h, CLUSTER_PARTITIONS)];
	uint64_t count = 1 + chance(h, 4), producer = 0;
	uint16_t epoch = 0;

	if (h->world->away)
		return;
	if (chance(h, 3) == 0) {
		if (cluster_init(cluster, SLICE(PRODUCER), h->world->now_us, &producer, &epoch) != CLUSTER_OK)
			return;
		must(cluster_add(cluster, SLICE(PRODUCER), epoch, to, h->world->now_us) == CLUSTER_OK);
	}
	for (uint64_t i = 0; i < count; i++)
		write_foreign(h, to, producer, epoch, i);
	if (producer != 0 && chance(h, 4) != 0)
		must(cluster_end(cluster, SLICE(PRODUCER), epoch, chance(h, 2) == 0) == CLUSTER_OK);
}

/* ---- what happens ---- */

static void
change_rules(struct hearers *h, bool fixed)
{
	char words[80];

	h->fixed = fixed;
	snprintf(words, sizeof(words), "many%s%s%s%s",
		 h->halts            ? " halt"
		 : h->wanted.ordered ? " park"
				     : " skip",
		 h->wanted.own ? " own" : "", h->repeats && !h->world->sabotage.no_inbox ? "" : " noinbox",
		 fixed ? " fixed" : "");
	world_say(h->world, "rules: %s", words);
	if (h->domain == NULL)
		h->domain = rules_double_domain(words);
	else
		rules_double_change(h->domain, words);
}

static void
order_done(struct consumer_order *order)
{
	container_of(order, struct hearer, order)->ordered = false;
}

static void
order(struct hearers *h, struct hearer *side)
{
	if (side->ordered)
		return;
	side->order = (struct consumer_order){ .wish = CONSUMER_RETRY, .done = order_done };
	side->ordered = true;
	must(consumer_give_order(side->consumer, &side->order));
	world_say(h->world, "%s is asked to go through its dead letters", side->process.name);
}

static void
trouble(struct hearers *h, struct hearer *side)
{
	struct cluster_group *group = &h->world->cluster.group;

	switch (chance(h, 8)) {
	case 0:
		side->process.store_away = chance(h, 3) == 0;
		break;
	case 1:
		rules_double_busy = (unsigned)chance(h, 6);
		break;
	case 2:
		for (size_t i = 0; i < CLUSTER_LANES_MAX; i++)
			group->offsets[i] = chance(h, 20);
		world_say(h->world, "the group's offsets are what they were once");
		break;
	case 3:
		change_rules(h, !h->fixed);
		break;
	case 4:
		if (side->consumer != NULL)
			order(h, side);
		break;
	default:
		cluster_rebalance(&h->world->cluster);
		world_say(h->world, "the lanes are shared out anew");
	}
}

static bool
meddle(struct hearers *h, struct hearer *side)
{
	if (h->side_count < HEARERS_MAX && chance(h, 12) == 0) {
		h->side_count++;
		start(h, &h->sides[1]);
	} else if (side->consumer == NULL) {
		start(h, side);
	} else if (chance(h, 5) == 0) {
		world_say(h->world, "%s is killed", side->process.name);
		return bury(h, side);
	} else if (side->process.fuse == 0) {
		side->process.fuse = 1 + chance(h, chance(h, 2) != 0 ? 16 : 120);
	}
	return true;
}

bool
hearers_act(struct hearers *h)
{
	struct hearer *side = &h->sides[chance(h, h->side_count)];
	uint64_t what = chance(h, 100);

	if (what < 54) {
		if (side->consumer != NULL)
			step(h, side);
	} else if (what < 78) {
		commit(h, side);
	} else if (what < 88) {
		foreign(h);
	} else if (what < 94) {
		trouble(h, side);
	} else if (!meddle(h, side)) {
		return false;
	}
	if (side->consumer == NULL || !side->process.dead)
		return true;
	side->process.store_away = false;
	return bury(h, side);
}

/* ---- the end ---- */

static void
revive(struct hearers *h, struct hearer *side)
{
	side->process.store_away = false;
	if (side->consumer != NULL)
		(void)bury(h, side);
	start(h, side);
}

static void
heal(struct hearers *h)
{
	rules_double_busy = 0;
	change_rules(h, true);
	for (size_t i = 0; i < h->side_count; i++) {
		struct hearer *side = &h->sides[i];

		side->process.fuse = 0;
		if (side->process.store_away || side->consumer == NULL)
			revive(h, side);
	}
}

bool
hearers_rest(struct hearers *h)
{
	heal(h);
	for (int rounds = 0; rounds < REST_ROUNDS; rounds++) {
		bool quiet = true;

		for (size_t i = 0; i < h->side_count; i++) {
			quiet = step(h, &h->sides[i]) != 0 && h->sides[i].given_count == 0 && quiet;
			while (h->sides[i].given_count != 0 && !h->sides[i].process.dead)
				commit(h, &h->sides[i]);
			if (h->sides[i].process.store_away)
				revive(h, &h->sides[i]);
		}
		h->world->now_us += 5000;
		cluster_tick(&h->world->cluster, h->world->now_us, SIZE_MAX);
		if (!quiet || rounds % 16 != 0)
			continue;
		if (!look(h))
			return false;
		if (h->effects.complete)
			return true;
		if (rounds % 64 == 0)
			order(h, &h->sides[0]);
	}
	snprintf(h->effects.reason, sizeof(h->effects.reason), "consumers do not come to rest: %s", h->effects.missing);
	return false;
}

void
hearers_open(struct hearers *h, struct world *world, bool repeats)
{
	static const char *const names[HEARERS_MAX] = { "c", "d" };
	uint64_t failure;
	struct fault fault;

	*h = (struct hearers){ .world = world, .side_count = 1 };
	failure = chance(h, 4);
	h->repeats = repeats || chance(h, 2) == 0 || world->sabotage.no_inbox;
	h->halts = failure == 0;
	h->wanted = (struct effects_wanted){ .ordered = failure != 1, .own = chance(h, 3) == 0 };
	rules_double_busy = 0;
	must(memory_open(&world->clock, &h->store, &fault) == 0);
	change_rules(h, false);
	for (size_t i = 0; i < HEARERS_MAX; i++)
		h->sides[i].process = (struct process){ .world = world, .name = names[i], .store = h->store };
	start(h, &h->sides[0]);
}

void
hearers_close(struct hearers *h)
{
	for (size_t i = 0; i < HEARERS_MAX; i++)
		if (h->sides[i].consumer != NULL)
			(void)bury(h, &h->sides[i]);
	if (h->domain != NULL)
		domain_close(h->domain);
	store_close(h->store);
}
