/* SPDX-License-Identifier: MIT */
/*
 * A projection that a bus feeds, over both view rooms, with a bus in an array: through seeded schedules of closing,
 * failing commits, lanes that go and come and a bus that is away, each message is one row's doing once [I6].
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/projector.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "support/check.h"
#include "view/memory/view_memory.h"
#include "view/sqlite/view_sqlite.h"

#define OK(call)                                                                                                       \
	do {                                                                                                           \
		if ((call) != 0)                                                                                       \
			CHECK_FAIL("%s: %s", #call, fault.text);                                                       \
	} while (0)
#define LANES    3
#define MESSAGES 200            /* of a lane */
#define TOPIC    SLICE("heard") /* as the pages of ids are called */

/* A number that does not follow on the one before is at fault, so a loss or a repeat stops it. */
static const char rules[] = "return { name = 'sums', topics = { 'heard' }, tables = { Sum = { key = { 'Lane' },"
			    " columns = { Lane = 'integer', Last = 'integer' } } },"
			    "on = { Counted = function(view, d) local row = view.Sum:get(d.lane)"
			    " if d.bad then error('bad') end"
			    " if d.number ~= (row and row.Last or 0) + 1 then error('not the next: ' .. d.number) end"
			    " view.Sum:put { Lane = d.lane, Last = d.number } end } }";

static struct fault fault;
static struct arena arena;
static struct store *store;
static struct script_program *program;
static struct view *view;
static struct projector *projector;
static struct projector_options options;
static char folder[] = "/tmp/moonlog-topics-XXXXXX";
static unsigned opened;
static uint64_t seed;
static bool calm; /* nothing fails */
static bool bad;  /* the tenth message of lane 0 is at fault */
static bool gone; /* lane 0 has lost what lies before its end */
static unsigned opens;
static bool silent;  /* the bus does not answer */
static bool refuses; /* it fails each ask */
static bool twice;   /* each message comes twice, with an id of its own */
static bool late;    /* the first of lane 0 comes again as its last */

static unsigned
chance(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

/* ---- the bus ---- */

struct fake {
	struct source door;
	struct {
		bool ours, begun, paused, told_gone;
		uint64_t next;
	} lanes[LANES];
	char text[100], id[30];
	struct message_header headers[2];
};

static struct fake *
fake_of(struct source *source)
{
	return container_of(source, struct fake, door);
}

static void
fake_close(struct source *source)
{
	free(fake_of(source));
}

static void
give(struct fake *fake, int32_t lane, struct arena *memory, struct source_event *event)
{
	uint64_t offset = fake->lanes[lane].next++;
	unsigned number = late && lane == 0 && offset == MESSAGES - 1 ? 1 : (unsigned)(twice ? offset / 2 : offset) + 1;
	int size = snprintf(fake->text, sizeof(fake->text), "{\"lane\":%d,\"number\":%u%s}", lane, number,
			    bad && lane == 0 && offset == 9 ? ",\"bad\":true" : "");

	snprintf(fake->id, sizeof(fake->id), "%d-%u", lane, number);
	fake->headers[0] = (struct message_header){ SLICE("type"), SLICE("Counted") };
	fake->headers[1] = (struct message_header){ SLICE("id"), arena_copy(memory, slice_text(fake->id)) };
	event->what = SOURCE_MESSAGE;
	event->offset = offset;
	event->message = (struct message){ .topic = TOPIC,
					   .value = arena_copy(memory, slice_from(fake->text, (size_t)size)),
					   .headers = fake->headers,
					   .header_count = twice || late ? 2 : 1 };
}

static int
fake_next(struct source *source, struct arena *memory, struct source_event *event, struct fault *why)
{
	struct fake *fake = fake_of(source);
	int32_t first = (int32_t)chance(LANES);

	if (refuses || (!calm && chance(40) == 0))
		return fault_set(why, FAULT_AWAY, "away", "the bus is away");
	for (int32_t i = 0; i < LANES; i++) {
		int32_t n = (first + i) % LANES;

		event->lane = (struct source_lane){ TOPIC, n };
		if (!fake->lanes[n].ours || (!calm && chance(60) == 0)) {
			event->what = fake->lanes[n].ours ? SOURCE_REVOKED : SOURCE_ASSIGNED;
			fake->lanes[n].ours = !fake->lanes[n].ours;
			fake->lanes[n].begun = false;
			return 0;
		}
		if (gone && n == 0 && fake->lanes[n].begun && fake->lanes[n].next < MESSAGES &&
		    !fake->lanes[n].told_gone) {
			fake->lanes[n].told_gone = true;
			fake->lanes[n].begun = false;
			event->what = SOURCE_GONE;
			return fault_set(why, FAULT_CONFIG, "offset_gone", "it is not there") * 0;
		}
		if (fake->lanes[n].begun && !fake->lanes[n].paused && fake->lanes[n].next < MESSAGES) {
			give(fake, n, memory, event);
			return 0;
		}
	}
	event->what = SOURCE_NOTHING;
	return 0;
}

static int
fake_begin(struct source *source, const struct source_lane *lane, uint64_t offset, struct fault *why)
{
	struct fake *fake = fake_of(source);

	if (!fake->lanes[lane->partition].ours)
		return fault_set(why, FAULT_BUSY, "not_ours", "not ours");
	fake->lanes[lane->partition].begun = true;
	fake->lanes[lane->partition].told_gone = false;
	fake->lanes[lane->partition].next = offset != SOURCE_START         ? offset
					    : gone && lane->partition == 0 ? MESSAGES
									   : 0;
	return 0;
}

static int
fake_pause(struct source *source, const struct source_lane *lane, bool paused, struct fault *why)
{
	(void)why;
	fake_of(source)->lanes[lane->partition].paused = paused;
	return 0;
}

static void
fake_told(struct source *source, const struct source_lane *lane, uint64_t next)
{
	CHECK(next <= MESSAGES && lane->partition < LANES);
	(void)source;
}

static uint64_t
fake_behind(struct source *source)
{
	uint64_t sum = 0;

	for (int n = 0; n < LANES; n++) {
		if (!fake_of(source)->lanes[n].begun)
			return UINT64_MAX;
		sum += MESSAGES - fake_of(source)->lanes[n].next;
	}
	return sum;
}

static bool
fake_hears(struct source *source, struct fault *why)
{
	(void)source;
	if (silent)
		fault_set(why, FAULT_AWAY, "silent", "the bus does not answer");
	return !silent;
}

static const struct source_ops ops = {
	fake_close, fake_next, fake_begin, fake_pause, fake_told, fake_behind, fake_hears
};

static int
fake_open(void *self, const struct source_wanted *wanted, struct source **source, struct fault *why)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	(void)self, (void)why;
	CHECK(fake != NULL && wanted->alone && wanted->topic_count == 1);
	CHECK_SLICE(wanted->group, "bank.sums.2");
	fake->door = (struct source){ &ops, "fake" };
	*source = &fake->door;
	opens++;
	return 0;
}

/* ---- a view that cannot always be asked ---- */

static struct view_ops shaky;
static const struct view_ops *steady;

static int
shaky_checkpoint(struct view *of, struct slice name, struct arena *memory, struct view_checkpoint *found, bool *there,
		 struct fault *why)
{
	if (!calm && chance(3) == 0)
		return fault_set(why, FAULT_BUSY, "busy", "not now");
	return steady->checkpoint(of, name, memory, found, there, why);
}

/* ---- the rig ---- */

/* Whoever looks at it finds that a millisecond has passed. */
static int64_t
mono_ns(void *self)
{
	static int64_t now_ns;

	(void)self;
	return now_ns += 1000000;
}

static int64_t
wall_us(void *self)
{
	return mono_ns(self) / 1000;
}

static const struct clock fast = { wall_us, mono_ns, NULL };

static bool
probe(const char *name)
{
	return strcmp(name, "feed.before_commit") == 0 && !calm && chance(6) == 0;
}

static void
begin(bool sqlite)
{
	struct source_file item = { .path = SLICE("sums.lua"), .bytes = slice_text(rules) };
	const struct script_options script = { .limits = { 20000, 20000, 20000, 20000, 20000 } };
	const struct source_set set = { .domain = SLICE("bank"), .items = &item, .count = 1 };
	char path[100];

	log_setup(2, LOG_OFF, LOG_LOGFMT);
	arena_init(&arena, SIZE_MAX);
	digest_of(item.bytes, &item.hash);
	OK(script_load(moon_ops(), &set, &script, &program, &fault));
	OK(memory_open(NULL, &store, &fault));
	if (opened == 0)
		CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/%u.db", folder, opened++);
	if (sqlite)
		OK(view_sqlite_open(path, false, program->tables, program->table_count, &view, &fault));
	else
		OK(view_memory_open(program->tables, program->table_count, &view, &fault));
	steady = view->ops;
	shaky = *steady;
	shaky.checkpoint = shaky_checkpoint;
	view->ops = &shaky;
	options = (struct projector_options){ .store = store,
					      .view = view,
					      .program = program,
					      .batch_entries = 7,
					      .slot = 2,
					      .clock = &fast,
					      .foreign = { fake_open, NULL } };
	bad = gone = silent = refuses = twice = late = false;
	calm = true;
	OK(projector_open(&options, &projector, &fault));
}

static void
end(void)
{
	projector_close(projector);
	view_close(view);
	store_close(store);
	script_unload(program);
	arena_fini(&arena);
}

__attribute__((destructor)) static void
clean(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (opened != 0 && system(command) != 0)
		fprintf(stderr, "left behind: %s\n", folder);
}

static void
reopen(void)
{
	bool was_calm = calm;

	projector_close(projector);
	calm = true;
	OK(projector_open(&options, &projector, &fault));
	calm = was_calm;
}

static struct projection_status
status(void)
{
	struct projection_status *statuses;
	size_t count;

	OK(projector_status(projector, &arena, &statuses, &count, &fault));
	CHECK(count == 1 && statuses[0].by_bus);
	return statuses[0];
}

static void
run(void)
{
	while (projector_step(projector))
		;
}

/* Steps until the rows are whole, or it stops; bounded. */
static void
settle(void)
{
	int left = 10000;

	calm = true;
	do
		run();
	while (status().state != PROJECTION_STOPPED &&
	       !(status().state == PROJECTION_LIVE && projector_is_level(projector)) && left-- > 0);
	CHECK(left > 0);
}

static void
check_rows(const char *wanted)
{
	struct view_reader *reader;
	struct buf out;

	buf_init(&out, 1 << 20);
	OK(view_reader_open(view, &reader, &fault));
	OK(view_reader_begin(reader, &fault));
	OK(view_dump(view_reader_rows(reader), 0, &out, &fault));
	CHECK_SLICE(buf_slice(&out), wanted);
	view_reader_end(reader);
	view_reader_close(reader);
	buf_fini(&out);
}

#define ALL         "[0,200]\n[1,200]\n[2,200]\n"
#define ALL_BUT_ONE "[0,199]\n[1,200]\n[2,200]\n"

/* Faults at any probe, and now and then another process; then none. */
static void
stir(void)
{
	probe_hook = probe;
	atomic_store(&probe_armed, true);
	for (int step = 0; step < 300; step++) {
		projector_step(projector);
		CHECK(status().state != PROJECTION_STOPPED);
		if (chance(12) == 0)
			reopen();
	}
	settle();
	atomic_store(&probe_armed, false);
}

/* ---- tests ---- */

TEST(each_message_once_through_any_schedule)
{
	for (uint64_t number = 1; number <= 60; number++) {
		begin(number % 2 == 0);
		seed = number * 7919;
		calm = false;
		stir();
		check_rows(ALL);
		CHECK_INT(status().position, LANES * MESSAGES);
		CHECK_INT(status().state, PROJECTION_LIVE);
		end();
	}
}

TEST(a_message_at_fault_stops_it_there_until_somebody_decides)
{
	for (int room = 0; room < 2; room++) {
		begin(room == 1);
		bad = true;
		settle();
		CHECK_INT(status().state, PROJECTION_STOPPED);
		CHECK_INT(status().poison, 9);
		CHECK(slice_starts_with(status().reason, SLICE("heard/0/9: Counted: sums.lua:1: bad")));
		reopen();
		CHECK_INT(status().state, PROJECTION_STOPPED);
		OK(projector_order(projector, SLICE("sums"), PROJECTION_RETRY, &fault));
		settle();
		CHECK_INT(status().poison, 9);
		bad = false; /* mended from outside: the place is where it was */
		OK(projector_order(projector, SLICE("sums"), PROJECTION_RETRY, &fault));
		settle();
		check_rows(ALL);
		OK(projector_order(projector, SLICE("sums"), PROJECTION_REBUILD, &fault));
		bad = true;
		settle();
		OK(projector_order(projector, SLICE("sums"), PROJECTION_SKIP, &fault));
		settle(); /* the one after it does not follow on the one before it */
		CHECK_INT(status().poison, 10);
		end();
	}
}

TEST(a_place_that_is_gone_stops_it)
{
	for (int room = 0; room < 2; room++) {
		begin(room == 1);
		projector_step(projector);
		projector_step(projector);
		projector_step(projector);
		reopen();
		gone = true;
		settle();
		CHECK_INT(status().state, PROJECTION_STOPPED);
		CHECK(slice_starts_with(status().reason, SLICE("heard/0/")));
		OK(projector_order(projector, SLICE("sums"), PROJECTION_SKIP, &fault));
		settle();
		CHECK_INT(status().state, PROJECTION_LIVE);
		OK(projector_order(projector, SLICE("sums"), PROJECTION_REBUILD, &fault));
		settle();
		check_rows("[1,200]\n[2,200]\n");
		end();
	}
}

/* Not for a moment live: what it has is old, and nobody knows how much is missing. */
static void
check_away(const char *why)
{
	int64_t since_us;

	projector_step(projector);
	since_us = status().away_us;
	for (int step = 0; step < 20; step++) {
		projector_step(projector);
		CHECK_INT(status().state, PROJECTION_AWAY);
		CHECK_SLICE(status().reason, why);
		CHECK_INT(status().away_us, since_us);
		CHECK(status().behind_us > 0 && status().behind_us <= clock_wall_us(&fast) - since_us);
	}
	reopen();
	projector_step(projector);
	CHECK(status().state != PROJECTION_LIVE);
}

/* What another program sends again under the same id has its effect once, through any schedule too. */
TEST(a_repeat_of_another_sender_is_known_by_its_id)
{
	for (uint64_t number = 1; number <= 40; number++) {
		begin(number % 2 == 0);
		twice = true;
		options.remember = number % 4 < 2 ? 1 : 1000;
		seed = number * 104729;
		calm = false;
		reopen();
		stir();
		check_rows("[0,100]\n[1,100]\n[2,100]\n");
		CHECK_INT(status().position, LANES * MESSAGES);
		end();
	}
}

/* 64 ids at least are kept; one further back is not known. */
TEST(ids_are_known_as_far_back_as_the_bound_says)
{
	static const size_t bounds[] = { 0, 64, 512, 640 };

	for (int room = 0; room < 2; room++)
		for (size_t i = 0; i < countof(bounds); i++) {
			begin(room == 1);
			late = true;
			options.remember = bounds[i];
			reopen();
			settle();
			CHECK_INT(status().state, i < 3 ? PROJECTION_STOPPED : PROJECTION_LIVE);
			if (i < 3)
				CHECK_INT(status().poison, MESSAGES - 1);
			OK(projector_order(projector, SLICE("sums"), i < 3 ? PROJECTION_SKIP : PROJECTION_REBUILD,
					   &fault));
			settle();
			CHECK_INT(status().state, PROJECTION_LIVE);
			check_rows(ALL_BUT_ONE);
			end();
		}
}

TEST(a_bus_that_is_away_is_shown_with_cause_and_since_when)
{
	for (int room = 0; room < 2; room++) {
		begin(room == 1);
		settle();
		CHECK_INT(status().away_us, 0);
		silent = true;
		check_away("the bus does not answer");
		silent = false;
		settle();
		refuses = true;
		check_away("the bus is away");
		/* Asked for long in vain, it is asked by another source: one that is lost tells that for ever. */
		unsigned before = opens;
		for (int step = 0; step < 20000; step++)
			projector_step(projector);
		CHECK(opens > before && opens < before + 20);
		refuses = false;
		settle();
		CHECK_INT(status().state, PROJECTION_LIVE);
		CHECK_INT(status().away_us, 0);
		CHECK_INT(status().behind_us, 0);
		CHECK_SLICE(status().reason, "");
		end();
	}
}

TEST(rows_of_the_log_are_not_rows_of_a_bus)
{
	for (int room = 0; room < 2; room++) {
		begin(room == 1);
		settle();
		check_rows(ALL);
		options.foreign.open = NULL;
		reopen();
		check_rows("");
		options.foreign.open = fake_open;
		reopen();
		settle();
		check_rows(ALL);
		end();
	}
	CHECK(opens > 0);
}

TEST_MAIN()
