/* SPDX-License-Identifier: MIT */
/* What the suites of the view share: two tables, the rooms, short names for cells and rows. */
#ifndef MOONLOG_TESTS_CONTRACT_VIEW_RIG_H
#define MOONLOG_TESTS_CONTRACT_VIEW_RIG_H

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "support/check.h"
#include "view/memory/view_memory.h"
#include "view/sqlite/view_sqlite.h"
#include "view/view.h"

/* Each suite uses some of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

/* ---- tables ---- */

enum { PEOPLE, MOVES, TABLES };
enum { P_ID, P_NUMBER, P_NAME, P_AMOUNT, P_ACTIVE, P_SINCE, P_COLUMNS };
enum { M_PERSON, M_SEQ, M_NOTE, M_RATIO, M_DATA, M_COLUMNS };

static const struct column people_columns[] = {
	{ .name = SLICE("Id"), .type = COLUMN_TEXT },
	{ .name = SLICE("Number"), .type = COLUMN_TEXT },
	{ .name = SLICE("Name"), .type = COLUMN_TEXT, .length_max = 8, .optional = true },
	{ .name = SLICE("Amount"), .type = COLUMN_MONEY },
	{ .name = SLICE("Active"), .type = COLUMN_BOOLEAN, .optional = true },
	{ .name = SLICE("Since"), .type = COLUMN_TIME, .optional = true },
};
static const uint16_t people_key[] = { P_ID }, people_number[] = { P_NUMBER }, people_name[] = { P_NAME, P_ACTIVE };
static const struct column_set people_indexes[] = { { people_number, 1, true }, { people_name, 2, true } };

static const struct column moves_columns[] = {
	{ .name = SLICE("Person"), .type = COLUMN_TEXT },
	{ .name = SLICE("Seq"), .type = COLUMN_INTEGER },
	{ .name = SLICE("a \"note\", really"), .type = COLUMN_TEXT, .optional = true },
	{ .name = SLICE("Ratio"), .type = COLUMN_REAL, .optional = true },
	{ .name = SLICE("Data"), .type = COLUMN_JSON, .optional = true },
};
static const uint16_t moves_key[] = { M_PERSON, M_SEQ }, moves_seq[] = { M_SEQ };
static const struct column_set moves_indexes[] = { { moves_seq, 1, false } };

static const struct table tables[TABLES] = {
	{ SLICE("People"), people_columns, P_COLUMNS, { people_key, 1, true }, people_indexes, 2, 0 },
	{ SLICE("Moves"), moves_columns, M_COLUMNS, { moves_key, 2, true }, moves_indexes, 1, 0 },
};
static const uint16_t numbers[] = { PEOPLE, MOVES };

/* ---- rooms ---- */

static char folder[] = "/tmp/moonlog-view-XXXXXX";
static unsigned opened;

static void
path_of(unsigned number, char path[100])
{
	if (opened == 0 && mkdtemp(folder) == NULL)
		abort();
	snprintf(path, 100, "%s/views/%u.db", folder, number);
}

__attribute__((destructor)) static void
remove_folder(void)
{
	char command[200];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (opened != 0 && system(command) != 0)
		fprintf(stderr, "left behind: %s\n", folder);
}

static struct view *
open_sqlite(void)
{
	struct view *view;
	struct fault fault;
	char path[100];
	path_of(opened, path);
	opened++;
	if (view_sqlite_open(path, false, tables, TABLES, &view, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	return view;
}

static struct view *
open_memory(void)
{
	struct view *view;
	struct fault fault;
	CHECK_INT(view_memory_open(tables, TABLES, &view, &fault), 0);
	return view;
}

static struct view *(*const rooms[])(void) = { open_memory, open_sqlite };
#define ROOMS countof(rooms)

/* ---- helpers ---- */

static struct arena arena;
static struct fault fault;
static uint8_t hash_one[32] = { 1 };

static struct cell
text_cell(const char *text)
{
	return (struct cell){ .kind = CELL_TEXT, .text = slice_text(text) };
}

static struct cell
integer_cell(int64_t integer)
{
	return (struct cell){ .kind = CELL_INTEGER, .integer = integer };
}

static struct cell
real_cell(double real)
{
	return (struct cell){ .kind = CELL_REAL, .real = real };
}

#define T(text)    text_cell(text)
#define I(integer) integer_cell(integer)
#define R(real)    real_cell(real)
#define N          ((struct cell){ .kind = CELL_NULL })
#define U          ((struct cell){ .kind = CELL_UNSET })
#define ROW(...)   (&(struct row){ (struct cell[]){ __VA_ARGS__ } })
#define KEY(...)   ((struct cell[]){ __VA_ARGS__ })
#define OK(call)                                                                                                       \
	do {                                                                                                           \
		if ((call) != 0)                                                                                       \
			CHECK_FAIL("%s: %s", #call, fault.text);                                                       \
	} while (0)
#define REFUSED(call, wanted)                                                                                          \
	do {                                                                                                           \
		CHECK((call) == -1);                                                                                   \
		CHECK_INT(fault.class, FAULT_INPUT);                                                                   \
		CHECK_TEXT(fault.code, wanted);                                                                        \
	} while (0)

static struct view_checkpoint
at(log_position position)
{
	struct view_checkpoint checkpoint = { .projection = SLICE("people"), .position = position };
	memcpy(checkpoint.hash, hash_one, 32);
	return checkpoint;
}

static const struct row_port *
start(struct view *view)
{
	OK(view_begin(view, &fault));
	return view_rows(view);
}

static void
finish(struct view *view, log_position position)
{
	struct view_checkpoint checkpoint = at(position);
	OK(view_commit(view, &checkpoint, &fault));
}

static struct view *
defined(size_t room)
{
	struct view *view = rooms[room]();
	OK(view_define(view, SLICE("people"), hash_one, numbers, TABLES, &fault));
	return view;
}

static void
dump(const struct row_port *rows, uint16_t table, struct buf *out)
{
	buf_clear(out);
	OK(view_dump(rows, table, out, &fault));
}

static void
check_dump(struct view *view, uint16_t table, const char *wanted)
{
	struct view_reader *reader;
	struct buf out;
	buf_init(&out, 1 << 20);
	OK(view_reader_open(view, &reader, &fault));
	OK(view_reader_begin(reader, &fault));
	dump(view_reader_rows(reader), table, &out);
	view_reader_end(reader);
	view_reader_close(reader);
	buf_byte(&out, '\0');
	bool same = strcmp(out.data, wanted) == 0;
	if (!same)
		fprintf(stderr, "rows:\n%s", out.data);
	buf_fini(&out);
	CHECK(same);
}

static void
fill_moves(const struct row_port *rows)
{
	/* Bytewise, upper case comes before lower case and both before any letter beyond ASCII. */
	static const char *const names[] = { "b", "a", "B", "\xc3\xa4", "ab", "" };
	for (int i = 0; i < 6; i++)
		OK(rows->insert(rows->self, MOVES, ROW(T(names[i]), I(i), i % 2 == 0 ? N : T(names[i]), R(i / 2), N),
				&fault));
}

__attribute__((constructor)) static void
make_arena(void)
{
	arena_init(&arena, 1 << 28);
}

__attribute__((destructor)) static void
drop_arena(void)
{
	arena_fini(&arena);
}

#endif
