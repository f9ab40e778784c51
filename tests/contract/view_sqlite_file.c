/* SPDX-License-Identifier: MIT */
/* What the SQLite room promises about its file: restarts, changed definitions, foreign, newer and damaged files. */
#include "view_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

TEST(sqlite_keeps_rows_and_checkpoint_over_a_restart)
{
	char path[100];
	struct view *view = defined(1);
	path_of(opened - 1, path);
	const struct row_port *rows = start(view);
	fill_moves(rows);
	finish(view, 3);
	view_close(view);
	CHECK_INT(view_sqlite_open(path, false, tables, TABLES, &view, &fault), 0);
	OK(view_define(view, SLICE("people"), hash_one, numbers, TABLES, &fault));
	struct view_checkpoint checkpoint;
	bool found;
	OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
	CHECK(found);
	CHECK_INT(checkpoint.position, 3);
	struct view *beside;
	OK(view_sqlite_open(path, true, tables, TABLES, &beside, &fault));
	OK(view_checkpoint(beside, SLICE("people"), &arena, &checkpoint, &found, &fault));
	CHECK_INT(checkpoint.position, 3);
	check_dump(beside, PEOPLE, "");
	view_close(beside);
	view_close(view);
}

/* Of before checkpoints had links: read beside as it is; the writer adds the column. */
TEST(sqlite_reads_files_without_links)
{
	char path[100], command[300];
	struct view *view = defined(1), *beside;
	struct view_checkpoint checkpoint;
	bool found;
	path_of(opened - 1, path);
	start(view);
	finish(view, 3);
	view_close(view);
	snprintf(command, sizeof(command),
		 "python3 -c \"import sqlite3; sqlite3.connect('%s')"
		 ".execute('ALTER TABLE moonlog_checkpoints DROP COLUMN link')\"",
		 path);
	CHECK_INT(system(command), 0);
	OK(view_sqlite_open(path, true, tables, TABLES, &beside, &fault));
	OK(view_checkpoint(beside, SLICE("people"), &arena, &checkpoint, &found, &fault));
	CHECK(found && checkpoint.position == 3 && !checkpoint.linked);
	view_close(beside);
	for (int i = 0; i < 2; i++) {
		OK(view_sqlite_open(path, false, tables, TABLES, &view, &fault));
		OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
		CHECK(found && checkpoint.position == 3);
		start(view);
		checkpoint.linked = true;
		OK(view_commit(view, &checkpoint, &fault));
		view_close(view);
	}
}

TEST(sqlite_makes_a_changed_table_anew)
{
	char path[100];
	struct table changed[TABLES] = { tables[PEOPLE], tables[MOVES] };
	changed[MOVES].column_count = M_COLUMNS - 1;
	struct view *view = defined(1);
	path_of(opened - 1, path);
	const struct row_port *rows = start(view);
	fill_moves(rows);
	OK(rows->insert(rows->self, PEOPLE, ROW(T("a"), T("1"), N, I(1), N, N), &fault));
	finish(view, 3);
	view_close(view);
	OK(view_sqlite_open(path, false, changed, TABLES, &view, &fault));
	OK(view_define(view, SLICE("people"), hash_one, numbers, TABLES, &fault));
	struct view_checkpoint checkpoint;
	bool found;
	OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
	CHECK(!found);
	check_dump(view, MOVES, "");
	check_dump(view, PEOPLE, "");
	view_close(view);
	/* A table that the program has no more goes; what is left stays. */
	OK(view_sqlite_open(path, false, changed, 1, &view, &fault));
	view_close(view);
	OK(view_sqlite_open(path, false, changed, TABLES, &view, &fault));
	OK(view_define(view, SLICE("people"), hash_one, numbers, TABLES, &fault));
	check_dump(view, MOVES, "");
	view_close(view);
}

TEST(sqlite_refuses_files_that_are_not_its_own)
{
	char path[100], command[300];
	struct view *view;
	path_of(opened++, path);
	CHECK_INT(view_sqlite_open(path, true, tables, TABLES, &view, &fault), -1);
	CHECK_TEXT(fault.code, "view_missing");
	snprintf(command, sizeof(command),
		 "mkdir -p %s/views && echo 'this is a text, and a long one, long enough' > %s", folder, path);
	CHECK_INT(system(command), 0);
	CHECK_INT(view_sqlite_open(path, false, tables, TABLES, &view, &fault), -1);
	CHECK_INT(fault.class, FAULT_CONFIG);
	CHECK_TEXT(fault.code, "not_a_view");
}

TEST(sqlite_refuses_names_it_cannot_use)
{
	char path[100];
	struct view *view;
	struct table bad[2] = { tables[PEOPLE], tables[MOVES] };
	path_of(opened++, path);
	bad[0].name = SLICE("moonlog_people");
	OK(view_sqlite_open(path, false, bad, 2, &view, &fault));
	CHECK_INT(view_define(view, SLICE("people"), hash_one, numbers, 2, &fault), -1);
	CHECK_TEXT(fault.code, "bad_table");
	view_close(view);
	bad[0].name = SLICE("MOVES");
	OK(view_sqlite_open(path, false, bad, 2, &view, &fault));
	CHECK_INT(view_define(view, SLICE("people"), hash_one, numbers, 2, &fault), -1);
	CHECK_TEXT(fault.code, "bad_table");
	view_close(view);
}

/* Writes over a closed file. */
static void
overwrite(const char *path, off_t offset, const void *bytes, size_t size)
{
	int file = open(path, O_WRONLY);
	CHECK(file >= 0);
	CHECK(pwrite(file, bytes, size, offset) == (ssize_t)size);
	close(file);
}

/* Offsets of SQLite's file header. */
enum { USER_VERSION = 60, APPLICATION_ID = 68, SCHEMA_PAGE = 100 };

TEST(sqlite_refuses_other_programs_newer_versions_and_damage)
{
	static const struct {
		off_t offset;
		const char *bytes;
		size_t size;
		enum fault_class class;
		const char *code;
	} cases[] = {
		{ APPLICATION_ID, "\0\0\0\1", 4, FAULT_CONFIG, "not_a_view" },
		{ USER_VERSION, "\0\0\0\11", 4, FAULT_CONFIG, "newer_view" },
		{ SCHEMA_PAGE, "\377\377\377\377\377\377\377\377", 8, FAULT_CORRUPT, "view_corrupt" },
	};
	for (size_t i = 0; i < countof(cases); i++) {
		char path[100];
		struct view *view = defined(1);
		path_of(opened - 1, path);
		view_close(view);
		overwrite(path, cases[i].offset, cases[i].bytes, cases[i].size);
		for (int read_only = 0; read_only < 2; read_only++) {
			CHECK_INT(view_sqlite_open(path, read_only, tables, TABLES, &view, &fault), -1);
			CHECK_INT(fault.class, cases[i].class);
			CHECK_TEXT(fault.code, cases[i].code);
			CHECK(strstr(fault.text, path) != NULL);
		}
	}
}

TEST(sqlite_reports_damage_and_never_wrong_rows)
{
	char path[100], garbage[4096];
	struct view *view = defined(1);
	struct buf out;
	path_of(opened - 1, path);
	const struct row_port *rows = start(view);
	for (int i = 0; i < 2000; i++)
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(i), T("some text to fill pages"), N, N), &fault));
	finish(view, 1);
	view_close(view);
	memset(garbage, 0x5a, sizeof(garbage));
	for (off_t page = 8; page < 20; page++)
		overwrite(path, page * 4096, garbage, sizeof(garbage));
	OK(view_sqlite_open(path, false, tables, TABLES, &view, &fault));
	rows = start(view);
	buf_init(&out, 1 << 24);
	CHECK_INT(view_dump(rows, MOVES, &out, &fault), -1);
	CHECK_INT(fault.class, FAULT_CORRUPT);
	CHECK(strstr(fault.text, "delete this file") != NULL);
	/* Such a batch cannot be committed, even by a handler that swallowed the fault. */
	struct view_checkpoint checkpoint = at(2);
	CHECK_INT(view_commit(view, &checkpoint, &fault), -1);
	CHECK_INT(fault.class, FAULT_CORRUPT);
	view_rollback(view);
	buf_fini(&out);
	view_close(view);
}

/* While it is open: whoever meets the damage says that the file is damaged, not that it is another program's. */
TEST(sqlite_names_damage_that_comes_while_it_is_open)
{
	char path[100], garbage[4096];
	struct view *view = defined(1);
	struct view_reader *reader;
	struct arena own;
	path_of(opened - 1, path);
	const struct row_port *rows = start(view);
	for (int i = 0; i < 20000; i++)
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(i), T("some text to fill pages"), N, N), &fault));
	finish(view, 1);
	view_idle(view);
	view_close(view);
	OK(view_sqlite_open(path, false, tables, TABLES, &view, &fault));
	OK(view_define(view, SLICE("people"), hash_one, numbers, TABLES, &fault));
	OK(view_reader_open(view, &reader, &fault));
	memset(garbage, 0x5a, sizeof(garbage));
	for (off_t page = 8; page < 60; page++)
		overwrite(path, page * 4096, garbage, sizeof(garbage));
	struct row_query query = { .table = MOVES, .limit = 1000 };
	struct row *items;
	size_t count;
	arena_init(&own, 1 << 26);
	OK(view_reader_begin(reader, &fault));
	rows = view_reader_rows(reader);
	CHECK_INT(rows->find(rows->self, &query, &own, &items, &count, &fault), -1);
	CHECK_TEXT(fault.code, "view_corrupt");
	CHECK_INT(rows->scan(rows->self, MOVES, NULL, 1000, &own, &items, &count, &fault), -1);
	CHECK_TEXT(fault.code, "view_corrupt");
	view_reader_end(reader);
	rows = start(view);
	CHECK_INT(rows->find(rows->self, &query, &own, &items, &count, &fault), -1);
	CHECK_TEXT(fault.code, "view_corrupt");
	view_rollback(view);
	overwrite(path, 0, garbage, 100);
	struct view_reader *late;
	CHECK_INT(view_reader_open(view, &late, &fault) == 0 ? view_reader_begin(late, &fault) : -1, -1);
	CHECK_TEXT(fault.code, "view_corrupt");
	CHECK_INT(fault.class, FAULT_CORRUPT);
	view_reader_close(reader);
	view_close(view);
	arena_fini(&own);
}

static int
insert_many(struct view *view, log_position position)
{
	const struct row_port *rows = start(view);
	for (int i = 0; i < 3000; i++)
		if (rows->insert(rows->self, MOVES, ROW(T("p"), I(i), T("some text to fill pages with"), N, N),
				 &fault) != 0)
			return -1;
	struct view_checkpoint checkpoint = at(position);
	return view_commit(view, &checkpoint, &fault);
}

TEST(sqlite_goes_on_after_a_write_that_failed)
{
	struct rlimit before, small;
	struct view *view = defined(1);
	struct view_checkpoint checkpoint;
	bool found;
	signal(SIGXFSZ, SIG_IGN);
	CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 64 * 1024;
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
	CHECK_INT(insert_many(view, 1), -1);
	CHECK_INT(fault.class, FAULT_AWAY);
	view_rollback(view);
	check_dump(view, MOVES, "");
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
	OK(insert_many(view, 2));
	OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
	CHECK_INT(checkpoint.position, 2);
	view_close(view);
}

TEST_MAIN()
