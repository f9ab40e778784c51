/* SPDX-License-Identifier: MIT */
/* What differs between two views: of one room, and of two rooms against each other. */
#include "view/diff.h"

#include "view_rig.h"

struct pair {
	struct view *views[2];
	struct view_reader *readers[2];
	struct view_diff diff;
};

static void
open_readers(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		OK(view_reader_open(pair->views[i], &pair->readers[i], &fault));
		OK(view_reader_begin(pair->readers[i], &fault));
	}
}

static void
close_pair(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		view_reader_close(pair->readers[i]);
		view_close(pair->views[i]);
	}
}

static void
compare(struct pair *pair, size_t samples)
{
	struct view_diff_options options = { .samples = samples };
	open_readers(pair);
	OK(view_diff(view_reader_rows(pair->readers[0]), view_reader_rows(pair->readers[1]), &options, &arena,
		     &pair->diff, &fault));
}

TEST(nothing_differs_between_equal_views)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct pair pair = { .views = { defined(room), defined(1 - room) } };
		for (int i = 0; i < 2; i++) {
			fill_moves(start(pair.views[i]));
			finish(pair.views[i], 1);
		}
		compare(&pair, 10);
		CHECK_INT(pair.diff.table_count, 2);
		CHECK_INT(pair.diff.differing, 0);
		CHECK_SLICE(pair.diff.tables[MOVES].name, "Moves");
		CHECK(pair.diff.tables[MOVES].compared);
		CHECK_INT(pair.diff.tables[MOVES].rows_before, 6);
		CHECK_INT(pair.diff.tables[MOVES].rows_after, 6);
		CHECK_INT(pair.diff.tables[MOVES].sample_count, 0);
		CHECK_INT(pair.diff.tables[PEOPLE].rows_before, 0);
		close_pair(&pair);
	}
}

TEST(rows_that_are_gone_new_or_changed_are_shown)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct pair pair = { .views = { defined(room), defined(room) } };
		const struct row_port *rows = start(pair.views[0]);
		OK(rows->insert(rows->self, PEOPLE, ROW(T("a"), T("1"), T("say \"A\""), I(-5), I(1), N), &fault));
		OK(rows->insert(rows->self, PEOPLE, ROW(T("b"), T("2"), N, I(2), N, N), &fault));
		OK(rows->insert(rows->self, PEOPLE, ROW(T("c"), T("3"), N, I(3), N, N), &fault));
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, R(0.1), T("{\"x\":[1]}")), &fault));
		finish(pair.views[0], 1);
		rows = start(pair.views[1]);
		OK(rows->insert(rows->self, PEOPLE, ROW(T("b"), T("2"), N, I(2), N, N), &fault));
		OK(rows->insert(rows->self, PEOPLE, ROW(T("c"), T("3"), N, I(3), I(0), I(9)), &fault));
		OK(rows->insert(rows->self, PEOPLE, ROW(T("d"), T("4"), N, I(4), N, N), &fault));
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), T(""), R(0.1), T("{\"x\":[1]}")), &fault));
		finish(pair.views[1], 1);
		compare(&pair, 2);
		struct view_diff_table *people = &pair.diff.tables[PEOPLE], *moves = &pair.diff.tables[MOVES];
		CHECK_INT(people->gone, 1);
		CHECK_INT(people->fresh, 1);
		CHECK_INT(people->changed, 1);
		CHECK_INT(pair.diff.differing, 4);
		CHECK_INT(people->sample_count, 2);
		CHECK_INT(people->samples[0].kind, DIFF_GONE);
		CHECK_SLICE(people->samples[0].key, "{\"Id\":\"a\"}");
		CHECK_SLICE(people->samples[0].before, "{\"Active\":true,\"Amount\":-5,\"Id\":\"a\",\"Name\":\"say "
						       "\\\"A\\\"\",\"Number\":\"1\",\"Since\":null}");
		CHECK_INT(people->samples[0].after.size, 0);
		CHECK_INT(people->samples[1].kind, DIFF_CHANGED);
		CHECK_SLICE(people->samples[1].key, "{\"Id\":\"c\"}");
		CHECK_SLICE(people->samples[1].after,
			    "{\"Active\":false,\"Amount\":3,\"Id\":\"c\",\"Name\":null,\"Number\":\"3\",\"Since\":9}");
		/* An empty text is not null. */
		CHECK_INT(moves->changed, 1);
		CHECK_SLICE(moves->samples[0].key, "{\"Person\":\"p\",\"Seq\":1}");
		CHECK_SLICE(moves->samples[0].before, "{\"Data\":{\"x\":[1]},\"Person\":\"p\",\"Ratio\":0.1,\"Seq\":1,"
						      "\"a \\\"note\\\", really\":null}");
		close_pair(&pair);
	}
}

TEST(tables_of_one_side_and_other_definitions_are_counted)
{
	struct table changed[TABLES] = { tables[MOVES],
					 { SLICE("Others"), people_columns, 2, { people_key, 1, true }, NULL, 0, 0 } };
	const struct row_port *rows;
	changed[0].column_count--;
	struct pair pair = { .views = { defined(1), NULL } };
	fill_moves(start(pair.views[0]));
	finish(pair.views[0], 1);
	OK(view_memory_open(changed, TABLES, &pair.views[1], &fault));
	OK(view_define(pair.views[1], SLICE("people"), hash_one, numbers, TABLES, &fault));
	rows = start(pair.views[1]);
	OK(rows->insert(rows->self, 0, ROW(T("p"), I(1), N, N), &fault));
	OK(rows->insert(rows->self, 1, ROW(T("p"), T("1")), &fault));
	OK(rows->insert(rows->self, 1, ROW(T("q"), T("2")), &fault));
	finish(pair.views[1], 1);
	compare(&pair, 10);
	CHECK_INT(pair.diff.table_count, 3);
	struct view_diff_table *people = &pair.diff.tables[0], *moves = &pair.diff.tables[1],
			       *others = &pair.diff.tables[2];
	CHECK(people->in_before && !people->in_after && !people->compared);
	CHECK(moves->in_before && moves->in_after && !moves->compared);
	CHECK_INT(moves->rows_before, 6);
	CHECK_INT(moves->rows_after, 1);
	CHECK(!others->in_before && others->in_after);
	CHECK_INT(others->rows_after, 2);
	CHECK_INT(pair.diff.differing, 9);
	close_pair(&pair);
}

TEST(only_the_tables_that_are_named_are_compared)
{
	struct slice names[] = { SLICE("Moves"), SLICE("Nothing") };
	struct view_diff_options options = { .names = names, .name_count = 2 };
	struct pair pair = { .views = { defined(0), defined(1) } };
	fill_moves(start(pair.views[0]));
	finish(pair.views[0], 1);
	open_readers(&pair);
	OK(view_diff(view_reader_rows(pair.readers[0]), view_reader_rows(pair.readers[1]), &options, &arena, &pair.diff,
		     &fault));
	CHECK_INT(pair.diff.table_count, 1);
	CHECK_SLICE(pair.diff.tables[0].name, "Moves");
	CHECK_INT(pair.diff.tables[0].gone, 6);
	CHECK_INT(pair.diff.tables[0].sample_count, 0);
	close_pair(&pair);
}

TEST(a_comparison_can_be_stopped)
{
	_Atomic bool stop = true;
	struct view_diff_options options = { .stop = &stop };
	struct pair pair = { .views = { defined(0), defined(1) } };
	open_readers(&pair);
	CHECK_INT(view_diff(view_reader_rows(pair.readers[0]), view_reader_rows(pair.readers[1]), &options, &arena,
			    &pair.diff, &fault),
		  -1);
	CHECK_TEXT(fault.code, "diff_stopped");
	close_pair(&pair);
}

/* ---- against what is known ---- */

#define KEYS 20000

static uint64_t dice = 4711;

static unsigned
roll(unsigned sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(dice >> 33) % sides;
}

/* One value a key and side; 0: no row. */
static unsigned char values[2][KEYS];

static void
fill_side(struct view *view, int side)
{
	const struct row_port *rows = start(view);
	for (int i = 0; i < KEYS; i++) {
		/* Not in key order, and several keys of one first column. */
		int k = (int)((unsigned)i * 7919U % KEYS);
		char person[20];
		snprintf(person, sizeof(person), "p%d", k % 3);
		if (values[side][k] != 0)
			OK(rows->insert(rows->self, MOVES, ROW(T(person), I(k), N, I(values[side][k]), N), &fault));
	}
	finish(view, 1);
}

TEST(counts_are_those_of_the_rows_over_many_pages)
{
	uint64_t gone = 0, fresh = 0, changed = 0;
	for (int i = 0; i < KEYS; i++) {
		values[0][i] = (unsigned char)roll(4);
		values[1][i] = roll(5) != 0 ? values[0][i] : (unsigned char)roll(4);
		gone += values[0][i] != 0 && values[1][i] == 0;
		fresh += values[0][i] == 0 && values[1][i] != 0;
		changed += values[0][i] != 0 && values[1][i] != 0 && values[0][i] != values[1][i];
	}
	for (size_t room = 0; room < ROOMS; room++) {
		struct pair pair = { .views = { defined(room), defined(1 - room) } };
		fill_side(pair.views[0], 0);
		fill_side(pair.views[1], 1);
		compare(&pair, 100);
		CHECK_INT(pair.diff.tables[MOVES].gone, gone);
		CHECK_INT(pair.diff.tables[MOVES].fresh, fresh);
		CHECK_INT(pair.diff.tables[MOVES].changed, changed);
		CHECK_INT(pair.diff.tables[MOVES].sample_count, 100);
		CHECK(gone > 500 && fresh > 500 && changed > 500);
		close_pair(&pair);
	}
}

TEST_MAIN()
