/* SPDX-License-Identifier: MIT */
/* Read models made beside the ones that are read: begun, compared, changed over, kept, given up. */
#include "change.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "support/check.h"
#include "view/memory/view_memory.h"

/* A bound for what is waited for. */
#define LOOKS_MAX 20000

/* The domain "shop": a counter, whose events two projections count. */
struct rules {
	int factor;            /* `sums` adds amounts times this ... */
	const char *sums_fail; /* ... and raises where this Lua expression over `data` holds; NULL: never */
	const char *marks_fail;
};

static const struct rules plain = { .factor = 1 }, doubled = { .factor = 2 };

static struct fixture {
	struct change change;
	unsigned copies, opened;
	bool corrupt_copy;         /* the next copy finds its source damaged */
	_Atomic bool damaged;      /* the view that was opened first is, for its writer */
	_Atomic bool damaged_read; /* for its readers */
	struct view_ops ops;       /* of the first view, with a begin of ours */
	const struct view_ops *real;
	int64_t keep_us;
} fix;

/* ---- views ---- */

static int
begin_first(struct view *view, struct fault *fault)
{
	if (atomic_load(&fix.damaged))
		return fault_set(fault, FAULT_CORRUPT, "view_corrupt", "planted damage");
	return fix.real->begin(view, fault);
}

static int
reader_begin_first(struct view_reader *reader, struct fault *fault)
{
	if (atomic_load(&fix.damaged_read))
		return fault_set(fault, FAULT_CORRUPT, "view_corrupt", "planted damage");
	return fix.real->reader_begin(reader, fault);
}

static int
open_view(void *self, struct slice domain, unsigned slot, const struct table *tables, size_t table_count,
	  struct view **view, struct fault *fault)
{
	(void)self;
	(void)domain;
	(void)slot;
	if (view_memory_open(tables, table_count, view, fault) != 0)
		return -1;
	if (fix.opened++ == 0) {
		fix.real = (*view)->ops;
		fix.ops = *fix.real;
		fix.ops.begin = begin_first;
		fix.ops.reader_begin = reader_begin_first;
		(*view)->ops = &fix.ops;
	}
	return 0;
}

static int
copy_view(void *self, const struct engine_view_copy *copy, struct view **view, struct fault *fault)
{
	struct view_copy how = { "", copy->tables, copy->table_count, copy->stop };

	(void)self;
	if (fix.corrupt_copy) {
		fix.corrupt_copy = false;
		return fault_set(fault, FAULT_CORRUPT, "view_corrupt", "planted damage");
	}
	fix.copies++;
	return view_copy(copy->from, &how, view, fault);
}

/* ---- the domain ---- */

static void
write_projection(FILE *file, const char *name, const char *table, int factor, const char *fail)
{
	fprintf(file, "return { name = '%s', tables = { %s = { key = { 'Id' }, columns = { Id = 'text', Sum = ", name,
		table);
	fprintf(file, "'integer' } } }, on = { ['counter.Added'] = function(view, data, meta)\n");
	fprintf(file, "if %s then error('not this one') end\n", fail != NULL ? fail : "false");
	fprintf(file,
		"local row = view.%s:get { Id = meta.stream_id }\n"
		"view.%s:put { Id = meta.stream_id, Sum = (row and row.Sum or 0) + %d * data.amount }\nend } }\n",
		table, table, factor);
	fclose(file);
}

static FILE *
create(const char *name)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/shop", fix.change.folder);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/shop/%s", fix.change.folder, name);
	file = fopen(path, "w");
	if (file == NULL)
		exit(1);
	return file;
}

static void
write_rules(const struct rules *rules)
{
	FILE *file = create("counter.lua");

	fprintf(file, "return { name = 'counter', initial = function() return { value = 0 } end,\n"
		      "events = { Added = { data = { amount = 'integer' }, apply = function(state, data) state.value = "
		      "state.value + data.amount; return state end } },\n"
		      "commands = { Add = { anywhere = true, data = { amount = 'integer' }, handle = function(_, data) "
		      "return { { type = 'Added', data = { amount = data.amount } } } end } } }\n");
	fclose(file);
	write_projection(create("sums.lua"), "sums", "Sums", rules->factor, rules->sums_fail);
	write_projection(create("marks.lua"), "marks", "Marks", 1, rules->marks_fail);
	file = create("domain.lua");
	fprintf(file,
		"return { queries = {\n"
		"sums = { params = {}, run = function(view) return { factor = %d, rows = view.Sums:find { order = { "
		"'Id' } } } end },\n"
		"marks = { params = {}, run = function(view) return view.Marks:find { order = { 'Id' } } end } } }\n",
		rules->factor);
	fclose(file);
}

static void
set_up(const struct rules *rules, int64_t keep_us)
{
	struct engine_parts parts = { .script = moon_ops(), .open_view = open_view, .copy_view = copy_view };
	struct engine_limits limits = { .workers = 1, .readers = 2, .keep_us = keep_us };
	struct fault fault;
	char path[256];

	memset(&fix, 0, sizeof(fix));
	snprintf(fix.change.folder, sizeof(fix.change.folder), "/tmp/moonlog-builds-XXXXXX");
	if (mkdtemp(fix.change.folder) == NULL || memory_open(NULL, &fix.change.store, &fault) != 0)
		exit(1);
	write_rules(rules);
	parts.store = fix.change.store;
	snprintf(path, sizeof(path), "%s/shop", fix.change.folder);
	if (engine_open(&parts, &limits, &fix.change.engine, &fault) != 0 ||
	    engine_add_domain(fix.change.engine, path, &fault) != 0 || engine_start(fix.change.engine, &fault) != 0) {
		fprintf(stderr, "%s: %s\n", fault.code, fault.text);
		exit(1);
	}
}

static void
add(const char *id, int amount)
{
	struct rig rig = { .engine = fix.change.engine };
	struct ask ask;
	char body[64];

	snprintf(body, sizeof(body), "{\"amount\":%d}", amount);
	ask_init(&ask, NULL, id, "Add", body);
	ask.command.domain = SLICE("shop");
	ask_run(&rig, &ask);
	CHECK_INT(ask.command.outcome.kind, OUTCOME_ACCEPTED);
	ask_fini(&ask);
}

/* What a query answers once the rows stand at the head. */
static void
query(const char *name, char text[512])
{
	struct rig rig = { .engine = fix.change.engine };
	struct engine_read read = { .kind = READ_QUERY,
				    .domain = SLICE("shop"),
				    .query = slice_text(name),
				    .at_least = engine_head(fix.change.engine),
				    .wait_us = 20000000 };
	struct arena arena;
	struct buf out;

	arena_init(&arena, (size_t)16 << 20);
	buf_init(&out, (size_t)1 << 20);
	CHECK_INT(read_once(&rig, &read, &arena, &out), OUTCOME_ACCEPTED);
	CHECK(read.as_of >= read.at_least);
	snprintf(text, 512, "%.*s", SLICE_ARG(buf_slice(&out)));
	buf_fini(&out);
	arena_fini(&arena);
}

static void
check_query(const char *name, const char *wanted)
{
	char text[512];

	query(name, text);
	CHECK_TEXT(text, wanted);
}

/* ---- what is told ---- */

static bool
told(const char *part)
{
	struct buf out;
	bool found;

	buf_init(&out, (size_t)1 << 20);
	engine_builds(fix.change.engine, &out);
	buf_byte(&out, '\0');
	found = strstr(out.data, part) != NULL;
	buf_fini(&out);
	return found;
}

static void
wait_told(const char *part)
{
	struct mailbox quiet;
	int looks = 0;

	mailbox_init(&quiet, 0, NULL);
	while (!told(part) && looks++ < LOOKS_MAX)
		mailbox_wait(&quiet, 1000000);
	mailbox_fini(&quiet);
	if (looks < LOOKS_MAX)
		return;
	struct buf out;
	buf_init(&out, (size_t)1 << 20);
	engine_builds(fix.change.engine, &out);
	CHECK_FAIL("never told %s: %.*s", part, SLICE_ARG(buf_slice(&out)));
	buf_fini(&out);
}

/* It goes once no reader looks at it. */
static void
wait_nothing_kept(void)
{
	struct mailbox quiet;
	int looks = 0;

	mailbox_init(&quiet, 0, NULL);
	while (told("\"kept\"") && looks++ < LOOKS_MAX)
		mailbox_wait(&quiet, 1000000);
	mailbox_fini(&quiet);
	CHECK(looks < LOOKS_MAX);
}

/* Has a build with this number ended so? */
static void
wait_ended(int number, const char *result)
{
	char part[64];

	snprintf(part, sizeof(part), "{\"build\":%d,\"result\":\"%s\"", number, result);
	wait_told(part);
}

static bool
is_ready(void)
{
	struct buf out;
	bool ready;

	buf_init(&out, (size_t)1 << 20);
	ready = engine_ready(fix.change.engine, &out);
	buf_fini(&out);
	return ready;
}

static bool
stands(const char *name, int state)
{
	struct projection_status *statuses;
	struct arena arena;
	struct fault fault;
	size_t count;
	bool found = false;

	arena_init(&arena, (size_t)1 << 20);
	CHECK_INT(engine_projections(fix.change.engine, &arena, &statuses, &count, &fault), 0);
	for (size_t i = 0; i < count; i++)
		found = found || (slice_equal(statuses[i].name, slice_text(name)) && (int)statuses[i].state == state);
	arena_fini(&arena);
	return found;
}

static void
wait_stands(const char *name, int state)
{
	struct mailbox quiet;
	int looks = 0;

	mailbox_init(&quiet, 0, NULL);
	while (!stands(name, state) && looks++ < LOOKS_MAX)
		mailbox_wait(&quiet, 1000000);
	mailbox_fini(&quiet);
	CHECK(looks < LOOKS_MAX);
}

static void
skip(const char *name)
{
	struct fault fault;

	CHECK_INT(engine_projection_order(fix.change.engine, SLICE("shop"), slice_text(name), PROJECTION_SKIP, &fault),
		  0);
	wait_stands(name, PROJECTION_LIVE);
}

static void
take(const struct rules *rules)
{
	write_rules(rules);
	CHECK_INT(change_ask(&fix.change, RELOAD_TAKE, "shop").answer, RELOAD_DONE);
}

static void
go_back(void)
{
	CHECK_INT(change_ask(&fix.change, RELOAD_BACK, "shop").answer, RELOAD_DONE);
}

/* All projections of the domain where `projection` is empty. Gives the answer. */
static enum reload_answer
rebuild(const char *projection)
{
	return change_rebuild(&fix.change, "shop", projection).answer;
}

/* ---- tests ---- */

TEST(only_changed_projections_start_from_nothing)
{
	set_up(&(struct rules){ .factor = 1, .marks_fail = "data.amount == 13" }, 0);
	add("a", 1);
	add("b", 13);
	wait_stands("marks", PROJECTION_STOPPED);
	skip("marks");
	add("a", 5);
	/* Were its rows not copied, the event would stop it again. */
	take(&(struct rules){ .factor = 2, .marks_fail = "data.amount == 13" });
	wait_ended(1, "live");
	CHECK_INT(fix.copies, 1);
	CHECK(stands("marks", PROJECTION_LIVE));
	check_query("sums", "{\"factor\":2,\"rows\":[{\"Id\":\"a\",\"Sum\":12},{\"Id\":\"b\",\"Sum\":26}]}");
	check_query("marks", "[{\"Id\":\"a\",\"Sum\":6}]");
	CHECK(told("\"projections\":[\"sums\"]"));
	CHECK(told("\"rows_differ\":2,\"tables\":[{\"table\":\"Sums\",\"compared\":true,\"rows_before\":2,\"rows_"
		   "after\":2,"
		   "\"gone\":0,\"new\":0,\"changed\":2,\"samples\":[{\"kind\":\"changed\",\"key\":{\"Id\":\"a\"},"
		   "\"before\":"
		   "{\"Id\":\"a\",\"Sum\":6},\"after\":{\"Id\":\"a\",\"Sum\":12}}"));
	CHECK(!told("\"Marks\""));
	change_close(&fix.change);
}

TEST(a_damaged_read_model_is_never_copied)
{
	set_up(&plain, 0);
	add("a", 1);
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":1}]}");
	fix.corrupt_copy = true;
	take(&doubled);
	wait_ended(1, "live");
	CHECK_INT(fix.copies, 0);
	CHECK(!fix.corrupt_copy);
	CHECK(told("\"projections\":[\"marks\",\"sums\"]") || told("\"projections\":[\"sums\",\"marks\"]"));
	check_query("sums", "{\"factor\":2,\"rows\":[{\"Id\":\"a\",\"Sum\":2}]}");
	check_query("marks", "[{\"Id\":\"a\",\"Sum\":1}]");
	change_close(&fix.change);
}

TEST(a_poison_event_gives_the_new_rows_up)
{
	static const struct rules fails = { .factor = 2, .sums_fail = "data.amount == 13" };

	set_up(&plain, 0);
	add("a", 1);
	add("a", 13);
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":14}]}");
	take(&fails);
	wait_ended(1, "given_up");
	CHECK(told("\"reason\":\"projection sums stopped at 2: "));
	CHECK(told("not this one"));
	CHECK(is_ready());
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":14}]}");
	/* mended rules take the place of those that failed */
	take(&doubled);
	wait_ended(2, "live");
	check_query("sums", "{\"factor\":2,\"rows\":[{\"Id\":\"a\",\"Sum\":28}]}");
	change_close(&fix.change);
}

TEST(rollback_finds_the_old_rows_up_to_date_and_so_does_its_rollback)
{
	set_up(&plain, 0);
	add("a", 1);
	take(&doubled);
	wait_ended(1, "live");
	CHECK(told("\"kept\":{\"generation\":1,"));
	for (int i = 0; i < 4; i++) {
		char wanted[128];
		int factor = i % 2 == 0 ? 1 : 2;

		add("a", 1);
		go_back();
		snprintf(wanted, sizeof(wanted), "{\"factor\":%d,\"rows\":[{\"Id\":\"a\",\"Sum\":%d}]}", factor,
			 factor * (i + 2));
		check_query("sums", wanted);
	}
	/* nothing was made for that */
	CHECK(told("\"ended\":[{\"build\":1,"));
	change_close(&fix.change);
}

TEST(nothing_is_kept_where_nothing_is_to_be_kept)
{
	set_up(&plain, -1);
	add("a", 1);
	take(&doubled);
	wait_ended(1, "live");
	wait_nothing_kept();
	go_back();
	wait_ended(2, "live");
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":1}]}");
	change_close(&fix.change);
}

TEST(a_rebuild_is_made_beside_and_leaves_what_is_kept)
{
	set_up(&plain, 0);
	add("a", 1);
	take(&doubled);
	wait_ended(1, "live");
	CHECK_INT(rebuild("sums"), RELOAD_DONE);
	wait_ended(2, "live");
	CHECK(told("{\"build\":2,\"result\":\"live\",\"generation\":2,\"projections\":[\"sums\"]"));
	CHECK(told("\"rows_differ\":0"));
	CHECK_INT(fix.copies, 2);
	add("a", 1);
	check_query("sums", "{\"factor\":2,\"rows\":[{\"Id\":\"a\",\"Sum\":4}]}");
	CHECK_INT(rebuild(""), RELOAD_DONE);
	wait_ended(3, "live");
	CHECK_INT(fix.copies, 2);
	check_query("marks", "[{\"Id\":\"a\",\"Sum\":2}]");
	go_back();
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":2}]}");
	CHECK_INT(rebuild("none"), RELOAD_FAILED);
	change_close(&fix.change);
}

/* A stopped one that is copied stays stopped and holds nothing up; one that is rebuilt meets its event again. */
TEST(stopped_projections_hold_nobody_up)
{
	set_up(&(struct rules){ .factor = 1, .marks_fail = "data.amount == 13" }, 0);
	add("a", 1);
	add("b", 13);
	add("a", 5);
	wait_stands("marks", PROJECTION_STOPPED);
	CHECK_INT(rebuild("marks"), RELOAD_DONE);
	wait_ended(1, "given_up");
	CHECK_INT(rebuild("sums"), RELOAD_DONE);
	wait_ended(2, "live");
	CHECK(stands("marks", PROJECTION_STOPPED));
	take(&(struct rules){ .factor = 2, .marks_fail = "data.amount == 13" });
	wait_ended(3, "live");
	CHECK(stands("marks", PROJECTION_STOPPED));
	/* An order that leads the read rows on leads the kept ones on too. */
	skip("marks");
	go_back();
	wait_stands("marks", PROJECTION_LIVE);
	check_query("marks", "[{\"Id\":\"a\",\"Sum\":6}]");
	/* Rules that can take the event make its rows whole. */
	take(&plain);
	wait_ended(4, "live");
	check_query("marks", "[{\"Id\":\"a\",\"Sum\":6},{\"Id\":\"b\",\"Sum\":13}]");
	change_close(&fix.change);
}

TEST(rows_found_damaged_are_made_anew_beside)
{
	set_up(&plain, 0);
	add("a", 1);
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":1}]}");
	atomic_store(&fix.damaged, true);
	add("a", 2);
	wait_ended(1, "live");
	CHECK(told("\"reason\":\"not compared: the rows before are damaged\""));
	CHECK_INT(fix.copies, 0);
	CHECK_INT(fix.opened, 2);
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":3}]}");
	CHECK(!told("\"kept\""));
	CHECK(is_ready());
	change_close(&fix.change);
}

/* The writer's memory may still hold what the file has lost. */
TEST(rows_that_a_query_finds_damaged_are_made_anew_beside)
{
	struct rig rig;
	struct engine_read read = { .kind = READ_QUERY, .domain = SLICE("shop"), .query = SLICE("sums") };
	struct arena arena;
	struct buf out;

	set_up(&plain, 0);
	add("a", 1);
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":1}]}");
	atomic_store(&fix.damaged_read, true);
	rig = (struct rig){ .engine = fix.change.engine };
	arena_init(&arena, (size_t)16 << 20);
	buf_init(&out, (size_t)1 << 20);
	CHECK_INT(read_once(&rig, &read, &arena, &out), OUTCOME_FAILED);
	CHECK_TEXT(read.fault.code, "view_corrupt");
	wait_ended(1, "live");
	CHECK_INT(fix.copies, 0);
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":1}]}");
	buf_fini(&out);
	arena_fini(&arena);
	change_close(&fix.change);
}

TEST(a_build_that_takes_anothers_place_does_what_was_ordered_of_it)
{
	set_up(&plain, 0);
	for (int i = 0; i < 20; i++)
		add("a", 1);
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":20}]}");
	CHECK_INT(rebuild("sums"), RELOAD_DONE);
	CHECK_INT(rebuild("marks"), RELOAD_DONE);
	wait_ended(2, "live");
	/* The first may have been ready before the second was ordered. */
	CHECK(told("{\"build\":1,\"result\":\"live\"") ||
	      told("{\"build\":2,\"result\":\"live\",\"generation\":1,\"projections\":[\"marks\",\"sums\"]") ||
	      told("{\"build\":2,\"result\":\"live\",\"generation\":1,\"projections\":[\"sums\",\"marks\"]"));
	check_query("sums", "{\"factor\":1,\"rows\":[{\"Id\":\"a\",\"Sum\":20}]}");
	change_close(&fix.change);
}

/* ---- under load ---- */

static _Atomic bool polling;
static _Atomic unsigned long answers;

/* Every answer is of one definition, whole: its rows add up to the factor that its rules name, and never goes back. */
static void *
poll(void *self)
{
	struct rig rig = { .engine = fix.change.engine };
	log_position before = 0;

	(void)self;
	while (atomic_load(&polling)) {
		struct engine_read read = { .kind = READ_QUERY, .domain = SLICE("shop"), .query = SLICE("sums") };
		struct arena arena;
		struct buf out;
		long long factor = 0, sum = 0;

		arena_init(&arena, (size_t)16 << 20);
		buf_init(&out, (size_t)1 << 20);
		CHECK_INT(read_once(&rig, &read, &arena, &out), OUTCOME_ACCEPTED);
		buf_byte(&out, '\0');
		CHECK_INT(sscanf(out.data, "{\"factor\":%lld,\"rows\":[{\"Id\":\"a\",\"Sum\":%lld", &factor, &sum), 2);
		CHECK(factor != 0 && sum % factor == 0 && (log_position)(sum / factor) >= before);
		before = factor != 0 ? (log_position)(sum / factor) : before;
		atomic_fetch_add(&answers, 1);
		buf_fini(&out);
		arena_fini(&arena);
	}
	return NULL;
}

TEST(readers_see_whole_rows_that_never_go_back)
{
	static const struct rules by[] = { { .factor = 1000003 }, { .factor = 2000003 } };
	pthread_t threads[2];
	int events = 1;

	set_up(&by[0], 0);
	add("a", 1);
	check_query("sums", "{\"factor\":1000003,\"rows\":[{\"Id\":\"a\",\"Sum\":1000003}]}");
	atomic_store(&polling, true);
	for (size_t i = 0; i < countof(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, poll, NULL), 0);
	for (int i = 1; i <= 12; i++) {
		unsigned long seen = atomic_load(&answers);

		if (i % 3 == 0)
			go_back();
		else if (i % 3 == 1)
			take(&by[1]);
		else
			CHECK_INT(rebuild("sums"), RELOAD_DONE);
		/* events and answers go on meanwhile */
		while (told("\"building\"") || atomic_load(&answers) < seen + 20) {
			add("a", 1);
			events++;
		}
	}
	atomic_store(&polling, false);
	for (size_t i = 0; i < countof(threads); i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
	char wanted[128];
	snprintf(wanted, sizeof(wanted), "{\"factor\":1000003,\"rows\":[{\"Id\":\"a\",\"Sum\":%lld}]}",
		 1000003LL * events);
	check_query("sums", wanted);
	change_close(&fix.change);
}

TEST_MAIN()
