/* SPDX-License-Identifier: MIT */
/* The projector over both view rooms, a log in an array and a script in C. */
#include "core/projector.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/probe.h"
#include "fake_parts.h"
#include "support/check.h"
#include "view/memory/view_memory.h"
#include "view/sqlite/view_sqlite.h"

#define OK(call)                                                                                                       \
	do {                                                                                                           \
		if ((call) != 0)                                                                                       \
			CHECK_FAIL("%s: %s", #call, fault.text);                                                       \
	} while (0)

static struct fault fault;
static struct arena arena;
static struct script_program *program;
static struct view *view;
static struct projector *projector;
static struct projector_options options;
static char folder[] = "/tmp/moonlog-projector-XXXXXX";
static unsigned file_number;

static struct view *
open_view(bool sqlite, unsigned number)
{
	struct view *made;
	char path[100];
	if (!sqlite) {
		OK(view_memory_open(program->tables, program->table_count, &made, &fault));
		return made;
	}
	if (file_number++ == 0)
		CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/%u.db", folder, number);
	OK(view_sqlite_open(path, false, program->tables, program->table_count, &made, &fault));
	return made;
}

__attribute__((destructor)) static void
clean(void)
{
	char command[100];
	arena_fini(&arena);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (file_number != 0 && system(command) != 0)
		fprintf(stderr, "left behind: %s\n", folder);
}

static void
reopen(void)
{
	projector_close(projector);
	projector = NULL;
	OK(projector_open(&options, &projector, &fault));
}

static void
begin(bool sqlite)
{
	log_setup(2, LOG_OFF, LOG_LOGFMT);
	arena_init(&arena, 1 << 24);
	fake_clear();
	program = fake_program();
	view = open_view(sqlite, file_number);
	options = (struct projector_options){ .store = fake_store(), .view = view, .program = program };
	OK(projector_open(&options, &projector, &fault));
}

static void
end(void)
{
	projector_close(projector);
	projector = NULL;
	view_close(view);
	arena_fini(&arena);
}

static void
run(void)
{
	while (projector_step(projector))
		;
}

static const struct projection_status *
status_of(const char *name)
{
	struct projection_status *statuses;
	size_t count;
	OK(projector_status(projector, &arena, &statuses, &count, &fault));
	for (size_t i = 0; i < count; i++)
		if (slice_equal(statuses[i].name, slice_text(name)))
			return &statuses[i];
	CHECK_FAIL("no projection %s", name);
}

static void
dump(struct view *from, uint16_t table, struct buf *out)
{
	struct view_reader *reader;
	buf_init(out, 1 << 24);
	OK(view_reader_open(from, &reader, &fault));
	OK(view_reader_begin(reader, &fault));
	OK(view_dump(view_reader_rows(reader), table, out, &fault));
	view_reader_end(reader);
	view_reader_close(reader);
}

/* What is in the view is what a fresh replay of the same log gives [I6]. */
static void
check_replay(void)
{
	struct view *fresh;
	struct projector *other;
	struct projector_options same = options;
	OK(view_memory_open(program->tables, program->table_count, &fresh, &fault));
	same.view = fresh;
	same.batch_entries = 3;
	OK(projector_open(&same, &other, &fault));
	while (projector_step(other))
		;
	projector_close(other);
	for (uint16_t table = 0; table < 2; table++) {
		struct buf got, wanted;
		dump(view, table, &got);
		dump(fresh, table, &wanted);
		bool equal = slice_equal(buf_slice(&got), buf_slice(&wanted));
		buf_fini(&got);
		buf_fini(&wanted);
		CHECK(equal);
	}
	view_close(fresh);
}

static size_t
rows_in(uint16_t table)
{
	struct buf text;
	size_t lines = 0;
	dump(view, table, &text);
	for (size_t i = 0; i < text.size; i++)
		lines += text.data[i] == '\n';
	buf_fini(&text);
	return lines;
}

#define BOTH_ROOMS for (int sqlite = 0; sqlite < 2; sqlite++)

TEST(follows_the_log)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		run();
		CHECK_INT(projector_position(projector), 0);
		for (int i = 0; i < 5000; i++)
			fake_append(i % 3 == 0 ? "bank.account/a" : "bank.account/b", "Moved", 1);
		CHECK(projector_step(projector));
		run();
		CHECK_INT(projector_position(projector), 5000);
		CHECK_INT(status_of("moves")->state, PROJECTION_LIVE);
		CHECK_INT(status_of("moves")->behind_us, 0);
		CHECK_INT(rows_in(1), 5000);
		CHECK_INT(rows_in(0), 2);
		check_replay();
		reopen();
		CHECK_INT(projector_position(projector), 5000);
		fake_append("bank.account/c", "Moved", 2);
		CHECK(status_of("sums")->behind_us == 0);
		run();
		CHECK_INT(rows_in(1), 5002);
		check_replay();
		end();
	}
}

TEST(passes_entries_of_other_domains)
{
	begin(true);
	fake_append("bank.account/a", "Moved", 1);
	fake_append("shop.order/1", "Moved", 500);
	run();
	CHECK_INT(projector_position(projector), 501);
	CHECK_INT(rows_in(1), 1);
	reopen();
	CHECK_INT(projector_position(projector), 501);
	end();
}

TEST(one_read_feeds_all)
{
	begin(false);
	fake_append("bank.account/a", "Moved", 10);
	fake_reads = 0;
	run();
	CHECK_INT(fake_reads, 1);
	CHECK_INT(rows_in(0), 1);
	CHECK_INT(rows_in(1), 10);
	end();
}

TEST(pages_end_where_commits_end)
{
	begin(true);
	projector_close(projector);
	options.batch_entries = 4;
	OK(projector_open(&options, &projector, &fault));
	fake_append("bank.account/a", "Moved", 3);
	fake_append("bank.account/a", "Moved", 2);
	CHECK(projector_step(projector));
	CHECK_INT(projector_position(projector), 3);
	/* One that no page can hold is taken in parts. */
	fake_append("bank.account/a", "Moved", 6);
	run();
	CHECK_INT(projector_position(projector), 11);
	check_replay();
	end();
}

TEST(a_poison_event_stops_one_projection_alone)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		fake_append("bank.account/a", "Moved", 10);
		fake_append("bank.account/b", "Bad", 1);
		fake_append("bank.account/a", "Moved", 10);
		run();
		const struct projection_status *moves = status_of("moves");
		CHECK_INT(moves->state, PROJECTION_STOPPED);
		CHECK_INT(moves->position, 10);
		CHECK_INT(moves->poison, 11);
		CHECK_SLICE(moves->reason, "Bad of bank.account/b: moves.lua:3: no");
		CHECK(moves->behind_us > 0);
		CHECK_INT(status_of("sums")->position, 21);
		CHECK_INT(status_of("sums")->state, PROJECTION_LIVE);
		CHECK_INT(projector_position(projector), 21);
		CHECK_INT(rows_in(1), 10);
		/* It stays stopped over a restart, and says the same. */
		reopen();
		run();
		CHECK_INT(status_of("moves")->state, PROJECTION_STOPPED);
		CHECK_INT(status_of("moves")->poison, 11);
		CHECK_SLICE(status_of("moves")->reason, "Bad of bank.account/b: moves.lua:3: no");
		CHECK(status_of("moves")->behind_us > 0);
		end();
	}
}

TEST(retry_and_skip)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		CHECK_INT(projector_order(projector, SLICE("moves"), PROJECTION_RETRY, &fault), -1);
		CHECK_TEXT(fault.code, "projection_not_stopped");
		CHECK_INT(projector_order(projector, SLICE("none"), PROJECTION_REBUILD, &fault), -1);
		CHECK_TEXT(fault.code, "no_such_projection");
		fake_append("bank.account/a", "Moved", 3);
		fake_append("bank.account/a", "Bad", 1);
		fake_append("bank.account/a", "Bad", 1);
		fake_append("bank.account/a", "Moved", 3);
		run();
		OK(projector_order(projector, SLICE("moves"), PROJECTION_RETRY, &fault));
		run();
		CHECK_INT(status_of("moves")->poison, 4);
		/* Ordered twice in a row, it steps over one event only. */
		OK(projector_order(projector, SLICE("moves"), PROJECTION_SKIP, &fault));
		CHECK_INT(projector_order(projector, SLICE("moves"), PROJECTION_SKIP, &fault), -1);
		CHECK_INT(status_of("moves")->state, PROJECTION_CATCHING_UP);
		run();
		CHECK_INT(status_of("moves")->poison, 5);
		CHECK_INT(status_of("moves")->position, 4);
		CHECK_INT(rows_in(1), 3);
		fake_bad = false;
		OK(projector_order(projector, SLICE("moves"), PROJECTION_RETRY, &fault));
		run();
		CHECK_INT(status_of("moves")->state, PROJECTION_LIVE);
		CHECK_INT(status_of("moves")->reason.size, 0);
		CHECK_INT(rows_in(1), 7);
		CHECK_INT(projector_position(projector), 8);
		end();
	}
}

TEST(a_duplicate_row_is_the_fault_of_its_event)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		fake_append("bank.account/a", "Moved", 3);
		fake_append("bank.account/a", "Twice", 1);
		fake_append("bank.account/a", "Moved", 1);
		run();
		CHECK_INT(status_of("moves")->poison, 4);
		CHECK(strstr(status_of("moves")->reason.data, "table Moves") != NULL);
		CHECK_INT(rows_in(1), 3);
		end();
	}
}

TEST(rebuild_equals_a_fresh_replay)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		fake_bad = false;
		for (int i = 0; i < 300; i++)
			fake_append(i % 2 ? "bank.account/a" : "bank.account/b", i % 50 == 0 ? "Bad" : "Moved", 1);
		run();
		/* Rows that nobody's events made. */
		OK(view_begin(view, &fault));
		const struct row_port *rows = view_rows(view);
		struct cell cells[] = { { .kind = CELL_INTEGER, .integer = 9999 },
					{ .kind = CELL_TEXT, .text = SLICE("?") } };
		struct view_checkpoint checkpoint = { .projection = SLICE("moves"), .position = 300, .hash = { 2 } };
		OK(rows->insert(rows->self, 1, &(struct row){ cells }, &fault));
		OK(view_commit(view, &checkpoint, &fault));
		CHECK_INT(rows_in(1), 301);
		OK(projector_order(projector, SLICE("moves"), PROJECTION_REBUILD, &fault));
		run();
		CHECK_INT(rows_in(1), 300);
		CHECK_INT(projector_position(projector), 300);
		CHECK_INT(status_of("moves")->state, PROJECTION_LIVE);
		check_replay();
		end();
	}
}

TEST(another_definition_is_rebuilt)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		fake_bad = false;
		fake_append("bank.account/a", "Moved", 20);
		run();
		projector_close(projector);
		((struct script_projection *)program->projections)[1].hash.bytes[0] = 3;
		OK(projector_open(&options, &projector, &fault));
		CHECK_INT(status_of("moves")->state, PROJECTION_REBUILDING);
		CHECK_INT(status_of("moves")->position, 0);
		CHECK_INT(status_of("sums")->position, 20);
		run();
		CHECK_INT(status_of("moves")->state, PROJECTION_LIVE);
		CHECK_INT(rows_in(1), 20);
		check_replay();
		end();
	}
}

TEST(rows_ahead_of_the_log_are_made_anew)
{
	begin(true);
	fake_append("bank.account/a", "Moved", 20);
	run();
	projector_close(projector);
	fake_clear();
	fake_append("bank.account/b", "Moved", 5);
	OK(projector_open(&options, &projector, &fault));
	run();
	CHECK_INT(rows_in(1), 5);
	check_replay();
	end();
}

/* The rows lie beside the store of another history, which is as long and longer. */
TEST(rows_of_another_history_are_made_anew)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		fake_append("bank.account/a", "Moved", 20);
		run();
		reopen();
		CHECK_INT(projector_position(projector), 20);
		projector_close(projector);
		fake_clear();
		fake_append("bank.account/b", "Moved", 25);
		OK(projector_open(&options, &projector, &fault));
		CHECK_INT(status_of("moves")->state, PROJECTION_REBUILDING);
		CHECK_INT(status_of("moves")->position, 0);
		run();
		CHECK_INT(rows_in(1), 25);
		check_replay();
		end();
	}
}

/* Also where the histories part among entries of others, which the rows do not show. */
TEST(histories_that_part_behind_the_last_row_are_told_apart)
{
	begin(true);
	fake_append("bank.account/a", "Moved", 1);
	fake_append("shop.order/1", "Moved", 500);
	run();
	projector_close(projector);
	fake_clear();
	fake_append("bank.account/a", "Moved", 1);
	fake_append("shop.order/1", "Moved", 300);
	fake_append("bank.account/b", "Moved", 5);
	fake_append("shop.order/1", "Moved", 300);
	OK(projector_open(&options, &projector, &fault));
	run();
	CHECK_INT(rows_in(1), 6);
	check_replay();
	end();
}

/* Written before checkpoints had links: believed, and linked from then on. */
TEST(rows_without_a_link_are_read_and_get_one)
{
	char command[400];

	begin(true);
	fake_append("bank.account/a", "Moved", 20);
	run();
	projector_close(projector);
	view_close(view);
	snprintf(command, sizeof(command),
		 "python3 -c \"import sqlite3; sqlite3.connect('%s/%u.db')"
		 ".execute('ALTER TABLE moonlog_checkpoints DROP COLUMN link')\"",
		 folder, file_number - 1);
	CHECK_INT(system(command), 0);
	view = open_view(true, file_number - 1);
	options.view = view;
	OK(projector_open(&options, &projector, &fault));
	CHECK_INT(projector_position(projector), 20);
	fake_append("bank.account/a", "Moved", 1);
	run();
	CHECK_INT(rows_in(1), 21);
	projector_close(projector);
	fake_clear();
	fake_append("bank.account/b", "Moved", 25);
	OK(projector_open(&options, &projector, &fault));
	CHECK_INT(status_of("moves")->position, 0);
	run();
	check_replay();
	end();
}

TEST(what_may_pass_is_tried_again)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		fake_append("bank.account/a", "Moved", 5);
		fake_append("bank.account/a", "Slow", 1);
		fake_away = 2;
		CHECK(!projector_step(projector));
		CHECK_SLICE(status_of("sums")->reason, "the log is away");
		CHECK_INT(status_of("sums")->state, PROJECTION_LIVE);
		projector_step(projector);
		fake_slow = 1;
		CHECK(!projector_step(projector));
		CHECK_INT(status_of("moves")->position, 0);
		CHECK_INT(status_of("sums")->position, 6);
		CHECK_INT(status_of("moves")->state, PROJECTION_LIVE);
		CHECK_SLICE(status_of("moves")->reason, "Slow of bank.account/a: moves.lua: took too long");
		run();
		CHECK_INT(projector_position(projector), 6);
		CHECK_INT(status_of("moves")->reason.size, 0);
		CHECK_INT(rows_in(1), 6);
		end();
	}
}

static char said[4000];

/* What is logged during steps of the projector. */
static void
listen_to(void (*steps)(void))
{
	char name[] = "/tmp/moonlog-waits-XXXXXX";
	int file = mkstemp(name);

	log_setup(file, LOG_INFO, LOG_LOGFMT);
	steps();
	log_setup(2, LOG_OFF, LOG_LOGFMT);
	ssize_t size = pread(file, said, sizeof(said) - 1, 0);
	said[size > 0 ? size : 0] = '\0';
	unlink(name);
	close(file);
}

static void
meet_a_slow_handler(void)
{
	fake_append("bank.account/a", "Slow", 1);
	fake_slow = 1;
	projector_step(projector);
}

static void
meet_and_be_held(void)
{
	fake_append("bank.account/a", "Moved", 1);
	fake_away = 1;
	projector_step(projector);
	projector_pause_at(projector, 1);
	projector_step(projector);
	projector_resume(projector);
}

/* One line says where: domain, projection, event; being held for a moment is no recovery. */
TEST(what_is_waited_out_is_told_with_its_place)
{
	begin(false);
	listen_to(meet_a_slow_handler);
	CHECK(strstr(said, "waits and tries again\" domain=bank projection=moves ") != NULL);
	CHECK(strstr(said, "reason=\"Slow of bank.account/a: moves.lua: took too long\"") != NULL);
	listen_to(run);
	CHECK(strstr(said, "projector goes on\" domain=bank") != NULL);
	listen_to(meet_and_be_held);
	CHECK(strstr(said, "waits and tries again\" domain=bank projection=all ") != NULL);
	CHECK(strstr(said, "goes on") == NULL);
	listen_to(run);
	CHECK(strstr(said, "goes on") != NULL);
	end();
}

TEST(a_killed_handler_gets_smaller_batches)
{
	begin(false);
	for (int i = 0; i < 1000; i++)
		fake_append("bank.account/a", i == 999 ? "Slow" : "Moved", 1);
	fake_slow = 2;
	projector_step(projector);
	projector_step(projector);
	projector_step(projector);
	CHECK_INT(fake_slow, 0);
	fake_largest = 0;
	projector_step(projector);
	CHECK(fake_largest > 0 && fake_largest < 300);
	run();
	CHECK_INT(rows_in(1), 1000);
	end();
}

TEST(a_commit_that_fails_is_tried_again_whole)
{
	BOTH_ROOMS
	{
		begin(sqlite);
		fake_append("bank.account/a", "Moved", 20);
		/* The first projection's commit, twice; a probe does not count what one before it failed. */
		CHECK_INT(probe_setup("projector.before_commit:1:fail,projector.before_commit:2:fail"), 0);
		CHECK(!projector_step(projector));
		CHECK_INT(status_of("sums")->position, 0);
		CHECK_INT(status_of("moves")->position, 20);
		CHECK_INT(projector_position(projector), 0);
		projector_step(projector);
		CHECK_INT(status_of("sums")->position, 0);
		run();
		CHECK_INT(projector_position(projector), 20);
		check_replay();
		end();
	}
}

/* ---- with its thread ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static log_position reached;

static void
progressed(void *self, log_position position)
{
	(void)self;
	pthread_mutex_lock(&lock);
	reached = position;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static void
wait_for(log_position position)
{
	pthread_mutex_lock(&lock);
	while (reached < position)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

static void
begin_thread(int64_t gather_us)
{
	begin(true);
	projector_close(projector);
	reached = 0;
	options.progressed = progressed;
	options.gather_us = gather_us;
	OK(projector_open(&options, &projector, &fault));
	OK(projector_start(projector, &fault));
}

TEST(the_thread_follows_commits)
{
	begin_thread(0);
	for (int i = 0; i < 2000; i++) {
		log_position position = fake_append("bank.account/a", "Moved", 1);
		projector_wake(projector);
		if (i % 100 == 0) {
			projector_hurry(projector);
			wait_for(position);
			CHECK(projector_position(projector) >= position);
		}
	}
	wait_for(2000);
	CHECK_INT(status_of("moves")->position, 2000);
	projector_stop(projector);
	check_replay();
	end();
}

TEST(who_hurries_does_not_wait_for_a_batch_to_form)
{
	/* Gathering takes an hour here: only hurrying ends it. */
	begin_thread(INT64_C(3600000000));
	log_position position = fake_append("bank.account/a", "Moved", 1);
	projector_wake(projector);
	projector_hurry(projector);
	wait_for(position);
	position = fake_append("bank.account/a", "Moved", 1);
	projector_hurry(projector);
	projector_wake(projector);
	wait_for(position);
	end();
}

TEST(orders_reach_the_thread)
{
	begin_thread(0);
	fake_append("bank.account/a", "Moved", 3);
	fake_append("bank.account/a", "Bad", 1);
	projector_wake(projector);
	wait_for(4);
	CHECK_INT(status_of("moves")->state, PROJECTION_STOPPED);
	OK(projector_order(projector, SLICE("moves"), PROJECTION_SKIP, &fault));
	log_position position = fake_append("bank.account/a", "Moved", 1);
	projector_wake(projector);
	wait_for(position);
	projector_stop(projector);
	run();
	CHECK_INT(status_of("moves")->state, PROJECTION_LIVE);
	CHECK_INT(rows_in(1), 4);
	end();
}

TEST(holds_at_a_position)
{
	BOTH_ROOMS
	{
		log_position at;
		begin(sqlite);
		fake_append("bank.account/a", "Moved", 10);
		projector_pause_at(projector, 6);
		CHECK(!projector_wait_paused(projector, 0, &at));
		run();
		CHECK(projector_wait_paused(projector, 0, &at));
		CHECK_INT(at, 6);
		CHECK_INT(projector_position(projector), 6);
		CHECK_INT(rows_in(1), 6);
		/* Orders wait; further on it goes when asked to. */
		OK(projector_order(projector, SLICE("moves"), PROJECTION_REBUILD, &fault));
		CHECK(!projector_step(projector));
		CHECK_INT(rows_in(1), 6);
		projector_pause_at(projector, 8);
		CHECK(!projector_wait_paused(projector, 0, &at));
		run();
		CHECK(projector_wait_paused(projector, 0, &at) && at == 8);
		/* Never back: it holds where it stands. */
		projector_pause_at(projector, 3);
		run();
		CHECK(projector_wait_paused(projector, 0, &at) && at == 8);
		CHECK_INT(rows_in(1), 8);
		projector_resume(projector);
		CHECK(!projector_wait_paused(projector, 0, &at));
		run();
		CHECK_INT(rows_in(1), 10);
		CHECK_INT(projector_position(projector), 10);
		check_replay();
		end();
	}
}

TEST(holds_where_the_foremost_stands)
{
	log_position at;
	begin(false);
	fake_append("bank.account/a", "Moved", 4);
	fake_append("bank.account/a", "Bad", 1);
	fake_append("bank.account/a", "Moved", 4);
	run();
	/* A stopped one does not count; tried again, it may go as far as the other. */
	projector_pause_at(projector, 2);
	run();
	CHECK(projector_wait_paused(projector, 0, &at) && at == 9);
	projector_resume(projector);
	fake_bad = false;
	OK(projector_order(projector, SLICE("moves"), PROJECTION_REBUILD, &fault));
	fake_away = 1;
	projector_step(projector);
	CHECK_INT(status_of("moves")->position, 0);
	fake_append("bank.account/a", "Moved", 4);
	projector_pause_at(projector, 2);
	run();
	CHECK(projector_wait_paused(projector, 0, &at) && at == 9);
	CHECK_INT(rows_in(1), 9);
	end();
}

static unsigned damages;

static void
count_damage(void *self, const struct fault *found)
{
	(void)self;
	damages += strcmp(found->code, "view_corrupt") == 0;
}

TEST(damage_of_the_view_is_told_once)
{
	char path[100], garbage[4096];
	begin(true);
	snprintf(path, sizeof(path), "%s/%u.db", folder, file_number - 1);
	fake_append("bank.account/a", "Moved", 3000);
	run();
	projector_close(projector);
	view_close(view);
	OK(view_sqlite_open(path, false, program->tables, program->table_count, &view, &fault));
	options.view = view;
	options.damaged = count_damage;
	damages = 0;
	OK(projector_open(&options, &projector, &fault));
	FILE *file = fopen(path, "r+");
	memset(garbage, 0x5a, sizeof(garbage));
	CHECK_INT(fseek(file, 0, SEEK_END), 0);
	long pages = ftell(file) / 4096;
	CHECK(pages > 10);
	fseek(file, 6 * 4096, SEEK_SET);
	for (long page = 6; page < pages; page++)
		CHECK_INT(fwrite(garbage, sizeof(garbage), 1, file), 1);
	fclose(file);
	fake_append("bank.account/a", "Moved", 2000);
	CHECK(!projector_step(projector));
	CHECK(!projector_step(projector));
	CHECK_INT(damages, 1);
	CHECK(strstr(status_of("moves")->reason.data, "delete this file") != NULL);
	CHECK_INT(status_of("moves")->position, 3000);
	end();
}

TEST(two_held_at_one_position_are_equal)
{
	struct projector_options beside = options;
	struct projector *second;
	struct buf dumps[2];
	log_position at[2];
	begin(true);
	struct view *green = open_view(true, file_number);
	beside = options;
	beside.view = green;
	OK(projector_open(&beside, &second, &fault));
	OK(projector_start(projector, &fault));
	OK(projector_start(second, &fault));
	for (int round = 0; round < 20; round++) {
		log_position head = 0;
		for (int i = 0; i < 50; i++) {
			head = fake_append("bank.account/a", "Moved", 1);
			projector_wake(projector);
			projector_wake(second);
		}
		projector_pause_at(projector, head - 20);
		CHECK(projector_wait_paused(projector, INT64_C(20000000000), &at[0]));
		projector_pause_at(second, at[0]);
		CHECK(projector_wait_paused(second, INT64_C(20000000000), &at[1]));
		projector_pause_at(projector, at[1]);
		CHECK(projector_wait_paused(projector, INT64_C(20000000000), &at[0]));
		CHECK_INT(at[0], at[1]);
		fake_append("bank.account/b", "Moved", 3);
		projector_wake(projector);
		projector_wake(second);
		for (int i = 0; i < 2; i++) {
			dump(i == 0 ? view : green, 1, &dumps[i]);
			CHECK(slice_equal(buf_slice(&dumps[0]), buf_slice(&dumps[i])));
		}
		size_t lines = 0;
		for (size_t i = 0; i < dumps[0].size; i++)
			lines += dumps[0].data[i] == '\n';
		CHECK_INT(lines, at[0]);
		buf_fini(&dumps[0]);
		buf_fini(&dumps[1]);
		projector_resume(projector);
		projector_resume(second);
	}
	projector_close(second);
	view_close(green);
	end();
}

TEST_MAIN()
