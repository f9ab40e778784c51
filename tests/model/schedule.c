/* SPDX-License-Identifier: MIT */
#include "model/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/relay.h"
#include "model/hearers.h"
#include "model/verdict.h"
#include "store/memory/memory.h"

#define REST_ROUNDS 4000

struct side {
	struct process process;
	struct relay *relay;
	bool stopping;
	bool paused;
};

struct schedule {
	struct world world;
	enum schedule_kind kind;
	struct arena arena;
	struct store *stores[2]; /* the second only where there is a copy */
	struct side sides[2];
	size_t side_count;
	uint64_t entries;
	struct hearers hearers;
	struct schedule_result *result;
	jmp_buf escape;
};

static _Noreturn void
fail(struct schedule *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->result->reason, sizeof(s->result->reason), format, args);
	va_end(args);
	s->result->failed = true;
	longjmp(s->escape, 1);
}

static uint64_t
chance(struct schedule *s, uint64_t below)
{
	return world_chance(&s->world, below);
}

/* ---- stores ---- */

static void
commit(struct store *store, struct append *append)
{
	struct append *appends[1] = { append };
	struct fault fault;

	must(store_commit(store, appends, 1, &fault) == COMMIT_DONE && append->answer == APPEND_DONE);
}

/* One to four entries of one or two streams, some of them to be sent. */
static void
grow(struct schedule *s, struct store *store)
{
	static const struct slice topics[] = { { "alpha", 5 }, { "beta", 4 } };
	static const char *const types[] = { "Add", "Add", "Add", "Add", "Add", "Two", "Two", "Other", "Busy", "Bad" };
	struct append_stream streams[2];
	struct new_entry entries[4];
	size_t count = 1 + chance(s, 4), first = chance(s, 5);
	struct append append = {
		.streams = streams, .stream_count = 2, .entries = entries, .entry_count = count, .arena = &s->arena
	};

	for (size_t i = 0; i < 2; i++)
		streams[i] =
			(struct append_stream){ .name = arena_format(&s->arena, "shop.order/o%zu", (first + i) % 5) };
	for (size_t i = 0; i < count; i++) {
		bool event = chance(s, 3) != 0, sent = !event || chance(s, 2) != 0;

		entries[i] = (struct new_entry){ .kind = event ? ENTRY_EVENT : ENTRY_MESSAGE,
						 .stream = (uint32_t)chance(s, 2),
						 .schema_version = 1,
						 .type = slice_text(types[chance(s, countof(types))]),
						 .data = arena_format(&s->arena, "{\"id\":\"c%llu\",\"by\":%llu}",
								      (unsigned long long)(s->entries % 5),
								      (unsigned long long)(s->entries % 4 + 1)),
						 .topic = sent ? topics[chance(s, 2)] : SLICE_NONE };
		s->entries++;
		if (sent && chance(s, 4) == 0)
			entries[i].key = SLICE("own key");
		entry_digest(&entries[i], streams[entries[i].stream].name, 0, &append.provenance, &entries[i].digest);
	}
	commit(store, &append);
	world_say(&s->world, "log grows to %llu", (unsigned long long)append.last);
}

/* ---- processes ---- */

static void
start(struct schedule *s, struct side *side)
{
	struct relay_options options = { .store = side->process.store,
					 .shared = s->kind == SCHEDULE_SHARED,
					 .publisher = model_publisher(&side->process),
					 .commit = { process_commit, &side->process },
					 .clock = &s->world.clock,
					 .entropy = &s->world.entropy.entropy,
					 .service = SLICE("moonlog"),
					 .owner = slice_text(side->process.name),
					 .batch_entries = 2 + chance(s, 10),
					 .hint_us = 50000 };
	struct fault fault;

	side->process.dead = false;
	side->process.fuse = 0;
	side->stopping = side->paused = false;
	must(relay_open(&options, &side->relay, &fault) == 0);
	world_say(&s->world, "%s starts", side->process.name);
}

static void
check_so_far(struct schedule *s)
{
	struct verdict verdict;

	if (s->kind == SCHEDULE_IDEMPOTENT)
		return;
	verdict_of(&s->world.cluster, s->stores, s->stores[1] != NULL ? 2 : 1, &verdict);
	if (verdict.reason[0] != '\0')
		fail(s, "%s", verdict.reason);
}

/* What it had in memory is gone; so are requests that were under way. */
static void
bury(struct schedule *s, struct side *side)
{
	side->process.dead = true;
	relay_close(side->relay);
	side->relay = NULL;
	s->result->deaths++;
	check_so_far(s);
}

static int64_t
step(struct schedule *s, struct side *side)
{
	int64_t wait_ns;

	s->world.running = &side->process;
	wait_ns = relay_step(side->relay);
	s->world.running = NULL;
	if (side->process.dead) {
		bury(s, side);
		return 0;
	}
	if (side->stopping && wait_ns == INT64_MAX) {
		relay_close(side->relay);
		side->relay = NULL;
		world_say(&s->world, "%s has stopped", side->process.name);
	}
	return wait_ns;
}

static void
name_stores(struct schedule *s, size_t side)
{
	struct process *process = &s->sides[side].process;
	struct fault fault;

	*process = (struct process){ .world = &s->world,
				     .name = side == 0 ? "a" : "b",
				     .store = s->stores[s->kind == SCHEDULE_COPY ? side : 0],
				     .transactional = s->kind != SCHEDULE_IDEMPOTENT };
	must(relay_name_store(process->store, &s->world.entropy.entropy, &s->arena, &process->store_id, &fault) == 0);
}

/* First a copy is made; then it is put in the store's place. */
static void
restore(struct schedule *s)
{
	struct side *side = &s->sides[0];
	struct fault fault;

	if (s->stores[1] == NULL) {
		must(memory_open(&s->world.clock, &s->stores[1], &fault) == 0);
		verdict_copy(s->stores[0], s->stores[1]);
		world_say(&s->world, "the store is saved at %llu", (unsigned long long)store_head(s->stores[0]));
		return;
	}
	if (side->process.store == s->stores[1])
		return;
	if (side->relay != NULL)
		bury(s, side);
	side->process.store = s->stores[1];
	world_say(&s->world, "the store of %llu comes back", (unsigned long long)store_head(s->stores[1]));
	if (chance(s, 2) != 0)
		grow(s, s->stores[1]);
	start(s, side);
}

/* The other one of the schedule's two. */
static void
second(struct schedule *s)
{
	struct fault fault;

	if (s->kind == SCHEDULE_RESTORED)
		restore(s);
	if (s->side_count == 2 || (s->kind != SCHEDULE_COPY && s->kind != SCHEDULE_SHARED))
		return;
	if (s->kind == SCHEDULE_COPY) {
		must(memory_open(&s->world.clock, &s->stores[1], &fault) == 0);
		verdict_copy(s->stores[0], s->stores[1]);
		world_say(&s->world, "the store is copied at %llu", (unsigned long long)store_head(s->stores[0]));
	}
	s->side_count = 2;
	name_stores(s, 1);
	start(s, &s->sides[1]);
}

/* ---- what happens ---- */

static void
time_passes(struct schedule *s, int64_t us)
{
	s->world.now_us += us;
	cluster_tick(&s->world.cluster, s->world.now_us, 0);
}

static void
trouble(struct schedule *s)
{
	struct world *world = &s->world;

	switch (chance(s, 6)) {
	case 0:
		world->away = !world->away;
		world_say(world, world->away ? "the broker goes" : "the broker comes");
		break;
	case 1:
		world->lost_requests = (unsigned)chance(s, 2) * (unsigned)chance(s, 300);
		break;
	case 2:
		world->lost_answers = (unsigned)chance(s, 2) * (unsigned)chance(s, 300);
		break;
	case 3:
		world->refusals = (unsigned)chance(s, 2) * (unsigned)chance(s, 200);
		break;
	case 4:
		time_passes(s, (int64_t)(1000000 + chance(s, 12000000)));
		break;
	default:
		s->sides[chance(s, s->side_count)].process.store_away = chance(s, 3) == 0;
	}
}

static void
meddle(struct schedule *s, struct side *side)
{
	if (side->relay == NULL) {
		start(s, side);
		return;
	}
	switch (chance(s, 8)) {
	case 0:
		relay_stop(side->relay);
		side->stopping = true;
		break;
	case 1:
		side->paused = !side->paused;
		relay_pause(side->relay, side->paused);
		break;
	case 2:
		world_say(&s->world, "%s is killed", side->process.name);
		bury(s, side);
		break;
	default:
		if (side->process.fuse == 0)
			side->process.fuse = 1 + chance(s, chance(s, 2) != 0 ? 12 : 80);
	}
}

static void
act(struct schedule *s)
{
	struct side *side = &s->sides[chance(s, s->side_count)];
	uint64_t what = chance(s, 100);

	if (chance(s, 5) < 2) {
		if (!hearers_act(&s->hearers))
			fail(s, "%s", s->hearers.effects.reason);
		return;
	}
	if (what < 62) {
		if (side->relay != NULL)
			step(s, side);
	} else if (what < 74) {
		grow(s, side->process.store);
	} else if (what < 84) {
		time_passes(s, (int64_t)chance(s, 30000));
	} else if (what < 90) {
		cluster_tick(&s->world.cluster, s->world.now_us, 1 + chance(s, 3));
	} else if (what < 94) {
		trouble(s);
	} else if (what < 99) {
		meddle(s, side);
	} else {
		second(s);
	}
}

/* ---- healing ---- */

static void
heal(struct schedule *s)
{
	struct world *world = &s->world;

	world->away = false;
	world->lost_requests = world->lost_answers = world->refusals = 0;
	for (size_t i = 0; i < s->side_count; i++) {
		struct side *side = &s->sides[i];

		side->process.fuse = 0;
		side->process.store_away = false;
		for (int rounds = 0; side->relay != NULL && side->stopping && rounds < REST_ROUNDS; rounds++) {
			step(s, side);
			time_passes(s, 20000);
			cluster_tick(&world->cluster, world->now_us, SIZE_MAX);
		}
		if (side->relay == NULL)
			start(s, side);
		if (side->paused)
			relay_pause(side->relay, side->paused = false);
	}
}

static bool
rests(struct side *side, bool *runs)
{
	struct relay_status status;

	relay_status(side->relay, &status);
	*runs = status.state == RELAY_RUNNING;
	return status.state == RELAY_STOPPED || status.state == RELAY_STANDBY ||
	       (status.state == RELAY_RUNNING && status.position == status.head);
}

/* Until every relay has done what it can. Gives the one that runs. */
static struct side *
come_to_rest(struct schedule *s)
{
	struct side *runner = NULL;

	for (int rounds = 0, quiet = 0; rounds < REST_ROUNDS; rounds++) {
		bool all = true;

		runner = NULL;
		for (size_t i = 0; i < s->side_count; i++) {
			bool runs;

			step(s, &s->sides[i]);
			all = rests(&s->sides[i], &runs) && all;
			if (runs)
				runner = &s->sides[i];
		}
		quiet = all && (runner != NULL || s->kind == SCHEDULE_RESTORED) ? quiet + 1 : 0;
		if (quiet == 8)
			return runner;
		time_passes(s, 5000);
		cluster_tick(&s->world.cluster, s->world.now_us, SIZE_MAX);
	}
	struct relay_status status;
	relay_status(s->sides[0].relay, &status);
	fail(s, "does not come to rest: %s %s, position %llu of %llu", status.code, status.reason,
	     (unsigned long long)status.position, (unsigned long long)status.head);
}

/* Two that were copies of each other both have something to say, so that neither stays what it was without asking. */
static struct side *
last_words(struct schedule *s)
{
	struct side *runner = come_to_rest(s);

	bool words = s->kind == SCHEDULE_COPY || s->kind == SCHEDULE_RESTORED;

	for (size_t i = 0; i < s->side_count && words; i++) {
		grow(s, s->sides[i].process.store);
		grow(s, s->sides[i].process.store);
		runner = come_to_rest(s);
	}
	return runner;
}

/* A restored store may stand still only because its log is not what was published. */
static void
check_stop(struct schedule *s)
{
	struct relay_status status;
	struct verdict verdict;

	relay_status(s->sides[0].relay, &status);
	if (strcmp(status.code, "store_behind") != 0 && strcmp(status.code, "store_diverged") != 0)
		fail(s, "stopped by %s: %s", status.code, status.reason);
	verdict_of(&s->world.cluster, s->stores, 1, &verdict);
	if (verdict.reason[0] != '\0')
		fail(s, "%s", verdict.reason);
}

static void
judge(struct schedule *s, struct side *runner)
{
	struct verdict verdict;

	if (s->kind == SCHEDULE_IDEMPOTENT)
		verdict_of_repeats(&s->world.cluster, s->stores[0], &verdict);
	else
		verdict_of(&s->world.cluster, s->stores, s->stores[1] != NULL ? 2 : 1, &verdict);
	if (verdict.reason[0] != '\0')
		fail(s, "%s", verdict.reason);
	if (s->kind == SCHEDULE_IDEMPOTENT)
		return;
	if (runner == NULL) {
		check_stop(s);
		return;
	}
	verdict_of(&s->world.cluster, &runner->process.store, 1, &verdict);
	if (verdict.reason[0] != '\0')
		fail(s, "what is out is not the log of the one that runs: %s", verdict.reason);
	if (!verdict.complete)
		fail(s, "after all is healed position %llu is not out", (unsigned long long)verdict.missing);
}

static void
run(struct schedule *s)
{
	size_t actions = 120 + chance(s, 600);
	struct fault fault;

	s->kind = (enum schedule_kind)((uint8_t[]){ 0, 0, 0, 0, 0, 1, 1, 2, 3, 4 }[chance(s, 10)]);
	s->result->kind = s->kind;
	must(memory_open(&s->world.clock, &s->stores[0], &fault) == 0);
	s->side_count = 1;
	name_stores(s, 0);
	start(s, &s->sides[0]);
	hearers_open(&s->hearers, &s->world, s->kind == SCHEDULE_IDEMPOTENT);
	for (size_t i = 0; i < actions; i++)
		act(s);
	heal(s);
	judge(s, last_words(s));
	if (!hearers_rest(&s->hearers))
		fail(s, "%s", s->hearers.effects.reason);
}

static void
finish(struct schedule *s)
{
	for (size_t i = 0; i < s->side_count; i++) {
		struct relay_status status;

		if (s->sides[i].relay == NULL)
			continue;
		relay_status(s->sides[i].relay, &status);
		s->result->stops += status.state == RELAY_STOPPED;
		s->sides[i].process.dead = true;
		relay_close(s->sides[i].relay);
	}
	s->result->entries = (unsigned)store_head(s->stores[0]);
	s->result->digest = verdict_digest(&s->world.cluster, &s->result->messages) ^ (uint64_t)s->world.now_us ^
			    s->world.chance[0];
	s->result->digest ^= s->hearers.effects.digest;
	s->result->taken = s->hearers.effects.taken;
	s->result->deaths += s->hearers.deaths;
	hearers_close(&s->hearers);
	store_close(s->stores[0]);
	store_close(s->stores[1]);
	arena_fini(&s->arena);
	world_close(&s->world);
}

void
schedule_run(uint64_t seed, const struct sabotage *sabotage, struct point_count *points, bool trace,
	     struct schedule_result *result)
{
	static struct schedule s; /* static: longjmp leaves it alone */

	s = (struct schedule){ .result = result };
	*result = (struct schedule_result){ .failed = false };
	world_open(&s.world, seed, points);
	s.world.trace = trace;
	s.world.sabotage = *sabotage;
	s.world.cluster.no_fencing = sabotage->no_fencing;
	arena_init(&s.arena, (size_t)1 << 28);
	if (setjmp(s.escape) == 0)
		run(&s);
	finish(&s);
}
