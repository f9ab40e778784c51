/* SPDX-License-Identifier: MIT */
/* Every kind of read, routes, and what the engine says about itself. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/json.h"
#include "core/table.h"
#include "rig.h"

#include "support/check.h"

static struct rig rig;
static struct arena arena;
static struct buf out;

static void
set_up(void)
{
	struct ask ask;

	rig_open(&rig, RIG_MEMORY, NULL);
	arena_init(&arena, (size_t)64 << 20);
	buf_init(&out, (size_t)64 << 20);
	CHECK_INT(ask_once(&rig, &ask, "a", "Open", "{\"name\":\"a\"}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	for (int i = 1; i <= 9; i++) {
		char body[32];

		snprintf(body, sizeof(body), "{\"by\":%d}", i);
		CHECK_INT(ask_once(&rig, &ask, "a", "Add", body), OUTCOME_ACCEPTED);
		ask_fini(&ask);
	}
	CHECK_INT(ask_once(&rig, &ask, "b", "Open", "{\"name\":\"b\"}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(ask_once(&rig, &ask, "a", "Move", "{\"to\":\"b\",\"by\":5}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
}

static void
tear_down(void)
{
	buf_fini(&out);
	arena_fini(&arena);
	rig_close(&rig);
}

static enum outcome_kind
get(struct engine_read *read)
{
	buf_clear(&out);
	arena_clear(&arena);
	return read_once(&rig, read, &arena, &out);
}

static struct json_value
document(void)
{
	struct json_value value;
	struct fault fault;

	if (json_check(buf_slice(&out), &value, &fault) != 0)
		CHECK_FAIL("%s: %.*s", fault.text, SLICE_ARG(buf_slice(&out)));
	return value;
}

static struct slice
member(struct json_value object, const char *key)
{
	struct json_value item;

	if (!json_member(object, slice_text(key), &item))
		CHECK_FAIL("no member %s in %.*s", key, SLICE_ARG(object.raw));
	return item.raw;
}

static struct json_value
element(struct json_value array, size_t index)
{
	struct json_value item = array;
	struct json_iter iter;
	struct slice key;

	json_iter(&iter, array);
	for (size_t i = 0; i <= index; i++)
		CHECK(json_next(&iter, &key, &item));
	return item;
}

static struct json_value
part(struct json_value object, const char *key)
{
	struct json_value item;

	CHECK(json_member(object, slice_text(key), &item));
	return item;
}

TEST(a_stream_comes_in_pages)
{
	struct engine_read read = { .kind = READ_STREAM, .stream = SLICE("tally.counter/a"), .from = 1, .limit = 4 };
	struct json_value first, last;

	set_up();
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.entries, 4);
	CHECK_INT(read.version, 11);
	CHECK_INT(read.next, 5);
	CHECK_SLICE(member(document(), "next"), "5");
	first = element(part(document(), "events"), 0);
	CHECK_SLICE(member(first, "type"), "\"Opened\"");
	CHECK_SLICE(member(first, "version"), "1");
	CHECK_SLICE(member(first, "position"), "1");
	CHECK_SLICE(member(first, "schema_version"), "1");
	CHECK_SLICE(member(first, "generation"), "1");
	CHECK_SLICE(member(first, "data"), "{\"name\":\"a\"}");
	CHECK_INT(member(first, "digest").size, 34);
	CHECK(slice_equal(member(first, "id"), member(first, "correlation_id")));
	read = (struct engine_read){ .kind = READ_STREAM, .stream = SLICE("tally.counter/a"), .from = 9, .limit = 100 };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.entries, 3);
	CHECK_INT(read.next, 0);
	CHECK_SLICE(member(document(), "next"), "null");
	last = element(part(document(), "events"), 2);
	CHECK_SLICE(member(last, "commit_size"), "2");
	read = (struct engine_read){ .kind = READ_STREAM, .stream = SLICE("tally.counter/b"), .from = 2, .limit = 100 };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	/* Second of its commit: the id that binds the two is the first one's. */
	first = element(part(document(), "events"), 0);
	CHECK_SLICE(member(first, "commit_first"), "12");
	CHECK_SLICE(member(first, "position"), "13");
	CHECK(!slice_equal(member(first, "id"), member(first, "correlation_id")));
	read = (struct engine_read){ .kind = READ_STREAM, .stream = SLICE("tally.counter/none"), .from = 1 };
	CHECK_INT(get(&read), OUTCOME_MISSING);
	tear_down();
}

TEST(the_log_comes_in_order)
{
	struct engine_read read = { .kind = READ_LOG, .limit = 5 };
	size_t lines = 0;

	set_up();
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.entries, 5);
	CHECK_INT(read.next, 5);
	CHECK_SLICE(member(document(), "head"), "13");
	CHECK_SLICE(member(document(), "next"), "5");
	read = (struct engine_read){ .kind = READ_LOG, .from = 5, .limit = 1000, .ndjson = true };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.next, 13);
	for (size_t i = 0; i < out.size; i++)
		lines += out.data[i] == '\n';
	CHECK_INT(lines, 8);
	read = (struct engine_read){ .kind = READ_LOG, .limit = 100, .stream_prefix = SLICE("tally.counter/b") };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.entries, 2);
	CHECK_INT(read.next, 13);
	read = (struct engine_read){ .kind = READ_LOG, .limit = 100, .domain = SLICE("other") };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.entries, 0);
	CHECK_INT(read.next, 13);
	read = (struct engine_read){ .kind = READ_LOG, .limit = 100, .bytes = 1 };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.entries, 1);
	CHECK_INT(read.next, 1);
	read = (struct engine_read){ .kind = READ_LOG, .from = 13, .limit = 100 };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_SLICE(buf_slice(&out), "{\"entries\":[],\"next\":13,\"head\":13}");
	tear_down();
}

TEST(a_state_at_any_version_or_time)
{
	struct engine_read read = { .kind = READ_STATE, .stream = SLICE("tally.counter/a") };

	set_up();
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.version, 11);
	CHECK_SLICE(member(part(document(), "state"), "value"), "40");
	read = (struct engine_read){
		.kind = READ_STATE, .stream = SLICE("tally.counter/a"), .has_at_version = true, .at_version = 3
	};
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.version, 3);
	CHECK_SLICE(member(part(document(), "state"), "value"), "3");
	read.at_version = 12;
	CHECK_INT(get(&read), OUTCOME_MISSING);
	read = (struct engine_read){
		.kind = READ_STATE, .stream = SLICE("tally.counter/a"), .has_at_time = true, .at_time_us = 1000000
	};
	CHECK_INT(get(&read), OUTCOME_MISSING);
	read.at_time_us = clock_wall_us(clock_real()) + 1000000;
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.version, 11);
	read = (struct engine_read){ .kind = READ_STATE, .stream = SLICE("tally.nothing/a") };
	CHECK_INT(get(&read), OUTCOME_MISSING);
	read = (struct engine_read){ .kind = READ_STATE, .stream = SLICE("not a name") };
	CHECK_INT(get(&read), OUTCOME_FAILED);
	CHECK_INT(read.fault.class, FAULT_INPUT);
	tear_down();
}

TEST(a_history_starts_after_a_version)
{
	struct engine_read read = { .kind = READ_HISTORY, .stream = SLICE("tally.counter/a"), .from = 9 };

	set_up();
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_INT(read.entries, 2);
	CHECK_SLICE(member(element(document(), 0), "version"), "10");
	CHECK_SLICE(member(element(document(), 0), "data"), "{\"by\":9}");
	CHECK_INT(member(element(document(), 0), "timestamp").size, 29);
	read = (struct engine_read){ .kind = READ_HISTORY, .stream = SLICE("tally.counter/a"), .from = 11 };
	CHECK_INT(get(&read), OUTCOME_ACCEPTED);
	CHECK_SLICE(buf_slice(&out), "[]");
	read = (struct engine_read){ .kind = READ_HISTORY, .stream = SLICE("tally.counter/none") };
	CHECK_INT(get(&read), OUTCOME_MISSING);
	tear_down();
}

TEST(a_query_may_wait_for_its_projections)
{
	struct engine_read read = { .kind = READ_QUERY, .domain = SLICE("tally"), .query = SLICE("counters") };
	struct ask ask;

	set_up();
	for (int i = 0; i < 20; i++) {
		char value[16];

		CHECK_INT(ask_once(&rig, &ask, "b", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
		read.at_least = ask.command.outcome.position;
		read.wait_us = 10000000;
		ask_fini(&ask);
		CHECK_INT(get(&read), OUTCOME_ACCEPTED);
		CHECK(read.as_of >= read.at_least);
		snprintf(value, sizeof(value), "%d", 6 + i);
		CHECK_SLICE(member(element(document(), 1), "Value"), value);
	}
	read.at_least = 1000;
	read.wait_us = 20000;
	CHECK_INT(get(&read), OUTCOME_FAILED);
	CHECK_INT(read.fault.class, FAULT_TIMEOUT);
	CHECK_TEXT(read.fault.code, "not_yet");
	read = (struct engine_read){ .kind = READ_QUERY, .domain = SLICE("tally"), .query = SLICE("refuses") };
	CHECK_INT(get(&read), OUTCOME_REFUSED);
	CHECK_TEXT(read.fault.code, "not_today");
	CHECK_INT(read.fault.native, 404);
	read = (struct engine_read){ .kind = READ_QUERY, .domain = SLICE("tally"), .query = SLICE("none") };
	CHECK_INT(get(&read), OUTCOME_MISSING);
	read = (struct engine_read){ .kind = READ_QUERY,
				     .domain = SLICE("tally"),
				     .query = SLICE("counters"),
				     .params = &(struct script_param){ SLICE("limit"), SLICE("many") },
				     .param_count = 1 };
	CHECK_INT(get(&read), OUTCOME_FAILED);
	CHECK_INT(read.fault.class, FAULT_INPUT);
	tear_down();
}

TEST(routes_are_found)
{
	struct route_match match;

	set_up();
	CHECK(engine_route(rig.engine, SLICE("POST"), SLICE("/counters/x%20y/add"), &match));
	CHECK_INT(match.route->target, TARGET_COMMAND);
	CHECK_INT(match.count, 1);
	CHECK_SLICE(match.names[0], "id");
	CHECK_SLICE(match.values[0], "x%20y");
	engine_route_done(&match);
	CHECK(engine_route(rig.engine, SLICE("GET"), SLICE("/counters/all"), &match));
	CHECK_INT(match.route->target, TARGET_QUERY);
	engine_route_done(&match);
	CHECK(engine_route(rig.engine, SLICE("HEAD"), SLICE("/counters/other"), &match));
	CHECK_INT(match.route->target, TARGET_STATE);
	engine_route_done(&match);
	CHECK(!engine_route(rig.engine, SLICE("DELETE"), SLICE("/counters/other"), &match));
	CHECK(match.wrong_method);
	CHECK_TEXT(match.allow, "GET");
	CHECK(!engine_route(rig.engine, SLICE("GET"), SLICE("/counters/"), &match));
	CHECK(!engine_route(rig.engine, SLICE("GET"), SLICE("/counters/a/b/c"), &match));
	CHECK(!engine_route(rig.engine, SLICE("GET"), SLICE(""), &match));
	CHECK(!match.wrong_method);
	tear_down();
}

static void
woken(void *self)
{
	atomic_fetch_add((_Atomic int *)self, 1);
}

TEST(watchers_hear_once)
{
	_Atomic int heard = 0;
	struct engine_watch watch = { .waker = { woken, &heard } };
	struct ask ask;

	set_up();
	engine_watch_add(rig.engine, &watch);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(ask_once(&rig, &ask, "a", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
		ask_fini(&ask);
	}
	CHECK_INT(heard, 0);
	engine_watch_arm(rig.engine, &watch);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(ask_once(&rig, &ask, "a", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
		ask_fini(&ask);
	}
	engine_watch_remove(rig.engine, &watch);
	CHECK_INT(heard, 1);
	tear_down();
}

static int
find_reals(void *self, const struct row_query *query, struct arena *from, struct row **rows, size_t *count,
	   struct fault *fault)
{
	static struct cell cells[] = { { .kind = CELL_REAL, .real = 0.1 },
				       { .kind = CELL_REAL, .real = 2 },
				       { .kind = CELL_REAL, .real = 5e-324 } };
	static struct row items[] = { { &cells[0] }, { &cells[1] }, { &cells[2] } };

	(void)self, (void)query, (void)from, (void)fault;
	*rows = items;
	*count = countof(items);
	return 0;
}

TEST(a_tables_reals_are_written_as_in_answers)
{
	static const uint16_t key[] = { 0 };
	const struct column column = { .name = SLICE("Part"), .type = COLUMN_REAL };
	const struct table table = {
		.name = SLICE("Parts"), .columns = &column, .column_count = 1, .key = { .columns = key, .count = 1 }
	};
	const struct row_port port = { .tables = &table, .table_count = 1, .find = find_reals };
	struct engine_read read = { .query = SLICE("Parts"), .out = &out };

	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	CHECK_INT(table_page(&port, &read, &arena), 0);
	CHECK_SLICE(buf_slice(&out), "{\"rows\":[{\"Part\":0.1},{\"Part\":2.0},{\"Part\":5e-324}],\"next\":null}");
	buf_fini(&out);
	arena_fini(&arena);
}

TEST(it_says_how_it_stands)
{
	struct fault fault;

	set_up();
	buf_clear(&out);
	engine_status(rig.engine, &out);
	CHECK_SLICE(member(document(), "head"), "13");
	buf_clear(&out);
	engine_openapi(rig.engine, &out);
	CHECK_SLICE(member(document(), "openapi"), "\"3.1.0\"");
	member(part(document(), "paths"), "/counters/{id}/add");
	buf_clear(&out);
	engine_metrics(rig.engine, &out);
	buf_byte(&out, '\0');
	CHECK(strstr(out.data, "moonlog_commands_total{outcome=\"accepted\"} 12\n") != NULL);
	buf_clear(&out);
	engine_ready(rig.engine, &out);
	member(document(), "projections");
	CHECK_INT(engine_projection_order(rig.engine, SLICE("tally"), SLICE("none"), PROJECTION_RETRY, &fault), -1);
	CHECK_TEXT(fault.code, "no_such_projection");
	tear_down();
}

/* ---- what takes long ---- */

static struct store_ops slow;
static _Atomic bool in_backup, closed;

/* Goes on for a while after it would be safe to close. */
static int
slow_backup(struct store_reader *reader, const char *path, struct verify_report *report, struct fault *fault)
{
	struct mailbox quiet;

	(void)reader, (void)path, (void)report, (void)fault;
	mailbox_init(&quiet, 0, NULL);
	atomic_store(&in_backup, true);
	for (int i = 0; i < 300 && !atomic_load(&closed); i++)
		mailbox_wait(&quiet, 1000000);
	mailbox_fini(&quiet);
	atomic_store(&in_backup, false);
	return 0;
}

static void *
back_up(void *self)
{
	struct rig *of = self;

	CHECK_INT(engine_backup(of->engine, "/nowhere", NULL, NULL, NULL), 0);
	return NULL;
}

/* An order of the daemon's own socket runs on a thread of its own; the engine must not go from under it. */
TEST(closing_waits_for_a_backup_that_runs)
{
	const struct store_ops *real;
	struct rig slow_rig;
	pthread_t thread;

	rig_open(&slow_rig, RIG_SQLITE, NULL);
	real = slow_rig.store->ops;
	slow = *real;
	slow.backup = slow_backup;
	slow_rig.store->ops = &slow;
	CHECK_INT(pthread_create(&thread, NULL, back_up, &slow_rig), 0);
	while (!atomic_load(&in_backup))
		sched_yield();
	rig_close_engine(&slow_rig);
	CHECK(!atomic_load(&in_backup));
	atomic_store(&closed, true);
	pthread_join(thread, NULL);
	slow_rig.store->ops = real;
	rig_reopen(&slow_rig, NULL);
	rig_close(&slow_rig);
}

TEST_MAIN()
