/* SPDX-License-Identifier: MIT */
/* A second view beside the live one: copies, taken at rest and under load, for the same tables and others. */
#include "view_rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char copy_path[100];

static struct view_copy
copy_for(const struct table *of, size_t count)
{
	path_of(opened, copy_path);
	opened++;
	return (struct view_copy){ .path = copy_path, .tables = of, .table_count = count };
}

static struct view *
copied(struct view *view, const struct table *of, size_t count)
{
	struct view_copy how = copy_for(of, count);
	struct view *copy;
	OK(view_copy(view, &how, &copy, &fault));
	return copy;
}

static bool
stands(struct view *view, const char *projection, log_position *position)
{
	struct view_checkpoint checkpoint;
	bool found;
	OK(view_checkpoint(view, slice_text(projection), &arena, &checkpoint, &found, &fault));
	*position = found ? checkpoint.position : 0;
	return found;
}

/* ---- at rest ---- */

TEST(a_copy_has_rows_and_checkpoints_and_goes_its_own_way)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		log_position position;
		bool found;
		const struct row_port *rows = start(view);
		OK(rows->insert(rows->self, PEOPLE, ROW(T("a"), T("1"), N, I(1), N, N), &fault));
		OK(rows->insert(rows->self, PEOPLE, ROW(T("b"), T("2"), N, I(2), N, N), &fault));
		finish(view, 7);
		struct view *copy = copied(view, tables, TABLES);
		OK(view_define(copy, SLICE("people"), hash_one, numbers, TABLES, &fault));
		CHECK(stands(copy, "people", &position) && position == 7);
		/* Each is written alone; unique indexes are there in both. */
		rows = start(copy);
		OK(rows->update(rows->self, PEOPLE, KEY(T("a")), ROW(U, U, U, I(10), U, U), &found, &fault));
		REFUSED(rows->insert(rows->self, PEOPLE, ROW(T("c"), T("2"), N, I(3), N, N), &fault), "duplicate_row");
		finish(copy, 9);
		rows = start(view);
		OK(rows->remove(rows->self, PEOPLE, KEY(T("b")), &found, &fault));
		finish(view, 8);
		check_dump(copy, PEOPLE, "[\"a\",\"1\",null,10,null,null]\n[\"b\",\"2\",null,2,null,null]\n");
		check_dump(view, PEOPLE, "[\"a\",\"1\",null,1,null,null]\n");
		CHECK(stands(copy, "people", &position) && position == 9);
		CHECK(stands(view, "people", &position) && position == 8);
		view_close(view);
		check_dump(copy, PEOPLE, "[\"a\",\"1\",null,10,null,null]\n[\"b\",\"2\",null,2,null,null]\n");
		view_close(copy);
	}
}

/* Places of lanes beside a checkpoint: they move with the batch, go with a copy, and are forgotten with the rows. */
TEST(marks_live_and_go_with_their_projection)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		struct view_checkpoint mark = at(3);
		log_position position;
		start(view);
		mark.projection = SLICE("people@orders/0");
		OK(view_mark(view, &mark, &fault));
		view_rollback(view);
		CHECK(!stands(view, "people@orders/0", &position));
		start(view);
		OK(view_mark(view, &mark, &fault));
		mark.projection = SLICE("people_too@orders/0");
		OK(view_mark(view, &mark, &fault));
		finish(view, 7);
		CHECK(stands(view, "people@orders/0", &position) && position == 3);
		struct view *copy = copied(view, tables, TABLES);
		OK(view_define(copy, SLICE("people"), hash_one, numbers, TABLES, &fault));
		CHECK(stands(copy, "people@orders/0", &position) && position == 3);
		OK(view_define(copy, SLICE("people"), (const uint8_t[32]){ 2 }, numbers, TABLES, &fault));
		CHECK(!stands(copy, "people@orders/0", &position) && !stands(copy, "people", &position));
		OK(view_reset(view, SLICE("people"), numbers, TABLES, &fault));
		CHECK(!stands(view, "people@orders/0", &position) && !stands(view, "people", &position));
		CHECK(stands(view, "people_too@orders/0", &position) && position == 3);
		view_close(copy);
		view_close(view);
	}
}

TEST(a_copy_sees_committed_batches_only)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		log_position position;
		const struct row_port *rows = start(view);
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		finish(view, 1);
		rows = start(view);
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(2), N, N, N), &fault));
		struct view *copy = copied(view, tables, TABLES);
		finish(view, 2);
		check_dump(copy, MOVES, "[\"p\",1,null,null,null]\n");
		CHECK(stands(copy, "people", &position) && position == 1);
		view_close(copy);
		view_close(view);
	}
}

/* Two projections of one table each. */
static struct view *
two_projections(size_t room)
{
	struct view *view = rooms[room]();
	struct view_checkpoint moves = at(5);
	moves.projection = SLICE("moves");
	OK(view_define(view, SLICE("people"), hash_one, &numbers[PEOPLE], 1, &fault));
	OK(view_define(view, SLICE("moves"), hash_one, &numbers[MOVES], 1, &fault));
	const struct row_port *rows = start(view);
	OK(rows->insert(rows->self, PEOPLE, ROW(T("a"), T("1"), N, I(1), N, N), &fault));
	finish(view, 4);
	rows = start(view);
	OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
	OK(view_commit(view, &moves, &fault));
	return view;
}

TEST(only_the_projection_whose_hash_changed_starts_anew)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = two_projections(room);
		struct view *copy = copied(view, tables, TABLES);
		log_position position;
		OK(view_define(copy, SLICE("people"), hash_one, &numbers[PEOPLE], 1, &fault));
		OK(view_define(copy, SLICE("moves"), (uint8_t[32]){ 2 }, &numbers[MOVES], 1, &fault));
		check_dump(copy, MOVES, "");
		check_dump(copy, PEOPLE, "[\"a\",\"1\",null,1,null,null]\n");
		CHECK(!stands(copy, "moves", &position));
		CHECK(stands(copy, "people", &position) && position == 4);
		check_dump(view, MOVES, "[\"p\",1,null,null,null]\n");
		view_close(copy);
		view_close(view);
	}
}

TEST(a_table_that_changed_or_changed_hands_starts_anew)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct table changed[TABLES] = { tables[MOVES], tables[PEOPLE] };
		uint16_t first[] = { 0 }, second[] = { 1 };
		log_position position;
		changed[0].column_count = M_COLUMNS - 1;
		struct view *view = two_projections(room);
		/* Other numbers, one column less, and the table People has another projection. */
		struct view *copy = copied(view, changed, TABLES);
		OK(view_define(copy, SLICE("moves"), hash_one, first, 1, &fault));
		OK(view_define(copy, SLICE("persons"), hash_one, second, 1, &fault));
		check_dump(copy, 0, "");
		check_dump(copy, 1, "");
		CHECK(!stands(copy, "moves", &position) && !stands(copy, "persons", &position));
		view_close(copy);
		view_close(view);
	}
}

TEST(what_the_program_has_no_more_goes)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = two_projections(room);
		struct view *copy = copied(view, &tables[PEOPLE], 1);
		log_position position;
		OK(view_define(copy, SLICE("people"), hash_one, &numbers[PEOPLE], 1, &fault));
		check_dump(copy, PEOPLE, "[\"a\",\"1\",null,1,null,null]\n");
		/* It comes back: from nothing. */
		struct view *again = copied(copy, tables, TABLES);
		OK(view_define(again, SLICE("people"), hash_one, &numbers[PEOPLE], 1, &fault));
		OK(view_define(again, SLICE("moves"), hash_one, &numbers[MOVES], 1, &fault));
		check_dump(again, MOVES, "");
		check_dump(again, PEOPLE, "[\"a\",\"1\",null,1,null,null]\n");
		CHECK(!stands(again, "moves", &position));
		view_close(again);
		view_close(copy);
		view_close(view);
	}
}

/* ---- under load ---- */

#define PEOPLE_COUNT 400
#define BATCHES      100

struct load {
	struct view *view;
	struct fault fault;
	_Atomic bool ended;
	_Atomic long long slowest_ns;
	bool failed;
};

static long long
now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Batch n makes every amount n, at checkpoint n. */
static void *
write_batches(void *self)
{
	struct load *load = self;
	for (log_position n = 1; n <= BATCHES && !load->failed; n++) {
		struct view_checkpoint checkpoint = at(n);
		long long began = now_ns();
		char id[20];
		bool found;
		load->failed = view_begin(load->view, &load->fault) != 0;
		const struct row_port *rows = view_rows(load->view);
		for (int i = 0; i < PEOPLE_COUNT && !load->failed; i++) {
			snprintf(id, sizeof(id), "person %d", i);
			load->failed = rows->update(rows->self, PEOPLE, KEY(T(id)), ROW(U, U, U, I((int64_t)n), U, U),
						    &found, &load->fault) != 0;
		}
		load->failed = load->failed || view_commit(load->view, &checkpoint, &load->fault) != 0;
		view_idle(load->view);
		long long took = now_ns() - began;
		if (took > load->slowest_ns)
			load->slowest_ns = took;
	}
	load->ended = true;
	return NULL;
}

static void
check_whole(struct view *copy)
{
	struct view_reader *reader;
	log_position position;
	uint64_t count, all;
	CHECK(stands(copy, "people", &position));
	struct filter filter = { P_AMOUNT, FILTER_EQ, I((int64_t)position) };
	struct row_query query = { .table = PEOPLE, .filters = &filter, .filter_count = 1 };
	OK(view_reader_open(copy, &reader, &fault));
	OK(view_reader_begin(reader, &fault));
	const struct row_port *rows = view_reader_rows(reader);
	OK(rows->count(rows->self, &query, &count, &fault));
	query.filter_count = 0;
	OK(rows->count(rows->self, &query, &all, &fault));
	view_reader_close(reader);
	CHECK_INT(count, PEOPLE_COUNT);
	CHECK_INT(all, PEOPLE_COUNT);
}

TEST(copies_under_load_are_each_one_whole_batch)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct load load = { .view = defined(room) };
		pthread_t thread;
		unsigned copies = 0;
		const struct row_port *rows = start(load.view);
		for (int i = 0; i < PEOPLE_COUNT; i++) {
			char id[20];
			snprintf(id, sizeof(id), "person %d", i);
			OK(rows->insert(rows->self, PEOPLE, ROW(T(id), T(id), N, I(0), N, N), &fault));
		}
		finish(load.view, 0);
		CHECK_INT(pthread_create(&thread, NULL, write_batches, &load), 0);
		while (!load.ended || copies == 0) {
			struct view *copy = copied(load.view, tables, TABLES);
			check_whole(copy);
			view_close(copy);
			copies++;
		}
		pthread_join(thread, NULL);
		CHECK(!load.failed);
		fprintf(stderr, "room %zu: %u copies, slowest batch %lld ms\n", room, copies,
			load.slowest_ns / 1000000);
		view_close(load.view);
	}
}

/* ---- what can go wrong ---- */

static bool
is_there(const char *end)
{
	char path[120];
	struct stat status;
	snprintf(path, sizeof(path), "%s%s", copy_path, end);
	return stat(path, &status) == 0;
}

static struct view *
large(size_t room)
{
	struct view *view = defined(room);
	const struct row_port *rows = start(view);
	for (int i = 0; i < 3000; i++)
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(i), T("some text to fill pages with"), N, N), &fault));
	finish(view, 1);
	return view;
}

TEST(a_copy_that_is_stopped_leaves_nothing)
{
	_Atomic bool stop = true;
	struct view *view = large(1), *copy;
	struct view_copy how = copy_for(tables, TABLES);
	how.stop = &stop;
	CHECK_INT(view_copy(view, &how, &copy, &fault), -1);
	CHECK_INT(fault.class, FAULT_TIMEOUT);
	CHECK_TEXT(fault.code, "copy_stopped");
	CHECK(!is_there("") && !is_there(".part"));
	view_close(view);
}

TEST(a_full_disk_leaves_the_live_view_as_it_was)
{
	struct rlimit before, small;
	struct view *view = large(1), *copy;
	struct view_copy how = copy_for(tables, TABLES);
	bool found;
	signal(SIGXFSZ, SIG_IGN);
	view_idle(view);
	CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 64 * 1024;
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
	int result = view_copy(view, &how, &copy, &fault);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
	CHECK_INT(result, -1);
	CHECK_INT(fault.class, FAULT_AWAY);
	CHECK(!is_there("") && !is_there(".part"));
	const struct row_port *rows = start(view);
	OK(rows->remove(rows->self, MOVES, KEY(T("p"), I(7)), &found, &fault));
	CHECK(found);
	finish(view, 2);
	OK(view_copy(view, &how, &copy, &fault));
	view_close(copy);
	view_close(view);
}

TEST(half_a_copy_is_thrown_away)
{
	struct view *view = defined(1), *copy;
	struct view_copy how = copy_for(tables, TABLES);
	char part[120];
	snprintf(part, sizeof(part), "%s.part", copy_path);
	int file = open(part, O_WRONLY | O_CREAT, 0600);
	CHECK(write(file, "half", 4) == 4);
	close(file);
	OK(view_copy(view, &how, &copy, &fault));
	view_close(copy);
	CHECK(is_there("") && !is_there(".part"));
	CHECK_INT(rename(copy_path, part), 0);
	OK(view_sqlite_open(copy_path, false, tables, TABLES, &copy, &fault));
	CHECK(!is_there(".part"));
	log_position position;
	CHECK(!stands(copy, "people", &position));
	view_close(copy);
	view_close(view);
}

TEST(a_copy_is_a_file_like_any_other)
{
	struct view *view = large(1), *copy = copied(view, tables, TABLES);
	char path[100];
	strcpy(path, copy_path);
	view_close(copy);
	struct view *beside;
	OK(view_sqlite_open(path, false, tables, TABLES, &copy, &fault));
	OK(view_define(copy, SLICE("people"), hash_one, numbers, TABLES, &fault));
	finish((start(copy), copy), 2);
	CHECK(is_there("-wal"));
	OK(view_sqlite_open(path, true, tables, TABLES, &beside, &fault));
	log_position position;
	CHECK(stands(beside, "people", &position) && position == 2);
	view_close(beside);
	view_close(copy);
	view_close(view);
}

TEST_MAIN()
