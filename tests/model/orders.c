/* SPDX-License-Identifier: MIT */
/* The relay's stops, what each says, and the orders that end them: over the model, without chance. */
#include "base/log.h"
#include "core/relay.h"
#include "model/verdict.h"
#include "model/world.h"
#include "store/memory/memory.h"
#include "support/check.h"

#define STEPS_MAX 20000

static struct world world;
static struct point_count points[POINTS_MAX];
static struct arena arena;
static struct fault fault;
static uint64_t numbers;
static struct store *stores[4];
static size_t store_count;

struct rig {
	struct process process;
	struct relay *relay;
	bool shared;
	size_t batch;
};

static struct rig a, b;

static struct store *
new_store(void)
{
	struct store *store;

	CHECK(store_count < countof(stores));
	CHECK(memory_open(&world.clock, &store, &fault) == 0);
	stores[store_count++] = store;
	return store;
}

static void
rig_open(struct rig *rig, const char *name, struct store *store)
{
	*rig = (struct rig){ .process = { .world = &world, .name = name, .store = store, .transactional = true } };
	CHECK(relay_name_store(store, &world.entropy.entropy, &arena, &rig->process.store_id, &fault) == 0);
}

static void
start(struct rig *rig)
{
	struct relay_options options = { .store = rig->process.store,
					 .shared = rig->shared,
					 .publisher = model_publisher(&rig->process),
					 .commit = { process_commit, &rig->process },
					 .clock = &world.clock,
					 .entropy = &world.entropy.entropy,
					 .service = SLICE("moonlog"),
					 .owner = slice_text(rig->process.name),
					 .batch_entries = rig->batch };

	CHECK(relay_open(&options, &rig->relay, &fault) == 0);
	rig->process.dead = false;
}

static void
kill_it(struct rig *rig)
{
	rig->process.dead = true;
	relay_close(rig->relay);
	rig->relay = NULL;
}

static void
step(struct rig *rig)
{
	int64_t wait_ns = relay_step(rig->relay);

	world.now_us += wait_ns > 0 && wait_ns < 50000000 ? wait_ns / 1000 + 1 : 1000;
	cluster_tick(&world.cluster, world.now_us, SIZE_MAX);
}

static struct relay_status
status_of(struct rig *rig)
{
	struct relay_status status;

	relay_status(rig->relay, &status);
	return status;
}

/* Steps until it stands still in this state. */
static void
until(struct rig *rig, enum relay_state state)
{
	struct relay_status status = { .state = RELAY_STARTING };

	for (int steps = 0, quiet = 0; steps < STEPS_MAX && quiet < 50; steps++) {
		step(rig);
		status = status_of(rig);
		quiet = status.state == state && !status.pending &&
					(state != RELAY_RUNNING || status.position == status.head)
				? quiet + 1
				: 0;
		if (quiet == 50)
			return;
	}
	CHECK_FAIL("state %d, not %d: %s %s", (int)status.state, (int)state, status.code, status.reason);
}

static void
stopped_by(struct rig *rig, const char *code, const char *says)
{
	struct relay_status status;

	until(rig, RELAY_STOPPED);
	status = status_of(rig);
	CHECK_TEXT(status.code, code);
	if (strstr(status.reason, says) == NULL)
		CHECK_FAIL("\"%s\" does not say \"%s\"", status.reason, says);
}

/* A commit of so many entries, all to be sent. */
static void
grow_with(struct store *store, size_t count, struct slice headers)
{
	struct append_stream stream = { .name = SLICE("shop.order/o1") };
	struct new_entry *entries = arena_zero(&arena, count, sizeof(*entries));
	struct append append = { .streams = &stream,
				 .stream_count = 1,
				 .entries = entries,
				 .entry_count = count,
				 .arena = &arena },
		      *appends[1] = { &append };

	for (size_t i = 0; i < count; i++) {
		entries[i] =
			(struct new_entry){ .kind = ENTRY_EVENT,
					    .schema_version = 1,
					    .type = SLICE("T"),
					    .data = arena_format(&arena, "{\"n\":%llu}", (unsigned long long)++numbers),
					    .topic = SLICE("alpha"),
					    .headers = headers };
		entry_digest(&entries[i], stream.name, 0, &append.provenance, &entries[i].digest);
	}
	CHECK(store_commit(store, appends, 1, &fault) == COMMIT_DONE && append.answer == APPEND_DONE);
}

static void
grow(struct rig *rig, size_t count)
{
	grow_with(rig->process.store, count, SLICE_NONE);
}

/* All of this log is out, each message once, in order. */
static void
all_out(struct rig *rig)
{
	struct verdict verdict;

	verdict_of(&world.cluster, &rig->process.store, 1, &verdict);
	if (verdict.reason[0] != '\0' || !verdict.complete)
		CHECK_FAIL("%s, missing %llu", verdict.reason, (unsigned long long)verdict.missing);
}

static size_t
count_out(void)
{
	unsigned messages;

	verdict_digest(&world.cluster, &messages);
	return messages;
}

static struct cluster_partition *
control(void)
{
	return &cluster_topic(&world.cluster, SLICE("moonlog.relay-state"), 1)->partition[0];
}

/* After a test that failed too. */
static void
end(void)
{
	if (a.relay != NULL)
		kill_it(&a);
	if (b.relay != NULL)
		kill_it(&b);
	while (store_count != 0)
		store_close(stores[--store_count]);
	world_close(&world);
}

/* A process `a` that has sent what its log holds. */
static void
begin(void)
{
	end();
	arena_clear(&arena);
	world_open(&world, 7, points);
	b = (struct rig){ .relay = NULL };
	rig_open(&a, "a", new_store());
	grow(&a, 3);
	grow(&a, 2);
	start(&a);
	until(&a, RELAY_RUNNING);
	all_out(&a);
}

TEST(a_first_start_sends_everything)
{
	begin();
	CHECK_INT(count_out(), 5);
	CHECK_INT(status_of(&a).sent, 5);
	kill_it(&a);
	grow(&a, 1);
	start(&a);
	until(&a, RELAY_RUNNING);
	all_out(&a);
	CHECK_INT(status_of(&a).sent, 1);
	CHECK_INT(status_of(&a).fences, 1);
}

TEST(a_lost_mark_stops_it_and_is_found_again)
{
	begin();
	kill_it(&a);
	control()->count = control()->stable = 0;
	start(&a);
	stopped_by(&a, "no_mark", "moonlog relay rebuild");
	relay_rebuild(a.relay, RELAY_FIND, false);
	until(&a, RELAY_RUNNING);
	grow(&a, 2);
	until(&a, RELAY_RUNNING);
	CHECK_INT(count_out(), 7);
	all_out(&a);
}

TEST(a_mark_that_went_back_stops_it)
{
	size_t before;

	begin();
	before = control()->count;
	grow(&a, 1);
	until(&a, RELAY_RUNNING);
	world.now_us += 2000000;
	until(&a, RELAY_RUNNING);
	kill_it(&a);
	control()->count = control()->stable = before;
	start(&a);
	stopped_by(&a, "mark_lost", "had confirmed 6");
	relay_rebuild(a.relay, 6, false);
	until(&a, RELAY_RUNNING);
	CHECK_INT(count_out(), 6);
	all_out(&a);
}

/* `b` over a copy of a's store as it is now. */
static void
copy(void)
{
	struct store *store = new_store();

	verdict_copy(a.process.store, store);
	rig_open(&b, "b", store);
	CHECK(slice_equal(a.process.store_id, b.process.store_id));
}

TEST(an_older_copy_is_not_sent_also_when_it_has_grown)
{
	begin();
	copy();
	grow(&a, 3);
	until(&a, RELAY_RUNNING);
	kill_it(&a);
	start(&b);
	stopped_by(&b, "store_behind", "the log ends at 5");
	for (int i = 0; i < 1000; i++)
		grow(&b, 1);
	relay_pause(b.relay, false);
	stopped_by(&b, "store_diverged", "--new-incarnation");
	CHECK_INT(count_out(), 8);
	all_out(&a);
}

TEST(a_new_incarnation_is_the_one_that_goes_on)
{
	begin();
	copy();
	grow(&a, 3);
	until(&a, RELAY_RUNNING);
	kill_it(&a);
	grow(&b, 1);
	grow(&b, 4);
	start(&b);
	stopped_by(&b, "store_diverged", "up to position 8");
	relay_rebuild(b.relay, 5, true);
	until(&b, RELAY_RUNNING);
	CHECK_INT(count_out(), 8 + 5);
	start(&a);
	stopped_by(&a, "other_store", "incarnation 2");
	kill_it(&b);
	grow(&b, 1);
	start(&b);
	until(&b, RELAY_RUNNING);
	CHECK_INT(count_out(), 8 + 6);
}

TEST(of_two_copies_the_older_stops_and_resume_takes_over)
{
	begin();
	copy();
	start(&b);
	until(&b, RELAY_RUNNING);
	grow(&b, 2);
	until(&b, RELAY_RUNNING);
	/* Nothing has told it yet. */
	CHECK_INT(status_of(&a).state, RELAY_RUNNING);
	grow(&a, 1);
	stopped_by(&a, "other_publisher", "b/");
	until(&b, RELAY_RUNNING);
	CHECK_INT(count_out(), 7);
	all_out(&b);
	relay_pause(a.relay, false);
	stopped_by(&a, "store_behind", "up to position 7");
}

TEST(of_two_equal_copies_resume_takes_over)
{
	begin();
	copy();
	start(&b);
	until(&b, RELAY_RUNNING);
	grow(&a, 1);
	stopped_by(&a, "other_publisher", "b/");
	relay_pause(a.relay, false);
	until(&a, RELAY_RUNNING);
	all_out(&a);
	grow(&b, 1);
	stopped_by(&b, "other_publisher", "a/");
	all_out(&a);
}

TEST(a_rebuild_inside_a_commit_is_refused)
{
	begin();
	relay_rebuild(a.relay, 4, false);
	stopped_by(&a, "bad_position", "inside the commit 4..5: give 3 or 5");
	relay_rebuild(a.relay, 600, false);
	stopped_by(&a, "bad_position", "the log's end, 5");
	relay_pause(a.relay, false);
	until(&a, RELAY_RUNNING);
	CHECK_INT(count_out(), 5);
	relay_rebuild(a.relay, 3, false);
	until(&a, RELAY_RUNNING);
	CHECK_INT(count_out(), 7);
}

TEST(what_cannot_be_sent_is_named_and_can_be_passed)
{
	char headers[2000] = "{";

	begin();
	for (int i = 0; i < 80; i++)
		sprintf(headers + strlen(headers), "%s\"h%d\":\"\"", i != 0 ? "," : "", i);
	strcat(headers, "}");
	grow_with(a.process.store, 1, slice_text(headers));
	grow(&a, 1);
	stopped_by(&a, "unsendable", "position 6");
	relay_rebuild(a.relay, 6, false);
	until(&a, RELAY_RUNNING);
	CHECK_INT(count_out(), 6);
}

TEST(a_pause_holds_and_resume_goes_on)
{
	begin();
	relay_pause(a.relay, true);
	until(&a, RELAY_PAUSED);
	grow(&a, 2);
	world.now_us += 3000000;
	until(&a, RELAY_PAUSED);
	CHECK_INT(count_out(), 5);
	relay_pause(a.relay, false);
	until(&a, RELAY_RUNNING);
	all_out(&a);
}

TEST(while_the_broker_is_away_the_lag_is_told)
{
	struct relay_status status;

	begin();
	world.away = true;
	grow(&a, 2);
	for (int i = 0; i < 3000; i++)
		step(&a);
	status = status_of(&a);
	CHECK_INT(status.state, RELAY_WAITING);
	CHECK_INT(status.position, 5);
	CHECK_INT(status.head, 7);
	CHECK(status.behind_us > 1000000);
	world.away = false;
	until(&a, RELAY_RUNNING);
	CHECK_INT(status_of(&a).behind_us, 0);
	all_out(&a);
}

TEST(a_commit_is_never_parted)
{
	size_t transactions;

	begin();
	kill_it(&a);
	a.batch = 3;
	start(&a);
	until(&a, RELAY_RUNNING);
	transactions = status_of(&a).transactions;
	grow(&a, 20);
	until(&a, RELAY_RUNNING);
	CHECK_INT(status_of(&a).transactions, transactions + 1);
	all_out(&a);
}

TEST(a_lease_that_was_given_back_needs_no_waiting)
{
	int64_t began_us;

	begin();
	kill_it(&a);
	a.shared = true;
	start(&a);
	until(&a, RELAY_RUNNING);
	rig_open(&b, "b", a.process.store);
	b.shared = true;
	start(&b);
	until(&b, RELAY_STANDBY);
	until(&a, RELAY_RUNNING);
	relay_stop(a.relay);
	while (relay_step(a.relay) != INT64_MAX)
		;
	began_us = world.now_us;
	kill_it(&b);
	start(&b);
	until(&b, RELAY_RUNNING);
	CHECK(world.now_us - began_us < 1000000);
	grow(&b, 1);
	until(&b, RELAY_RUNNING);
	all_out(&b);
	kill_it(&a);
	start(&a);
	until(&a, RELAY_STANDBY);
	kill_it(&b);
	until(&a, RELAY_RUNNING);
	grow(&a, 1);
	until(&a, RELAY_RUNNING);
	all_out(&a);
}

__attribute__((constructor)) static void
open_arena(void)
{
	arena_init(&arena, (size_t)1 << 28);
	log_setup(2, LOG_OFF, LOG_LOGFMT);
}

__attribute__((destructor)) static void
close_all(void)
{
	end();
	arena_fini(&arena);
}

TEST_MAIN()
