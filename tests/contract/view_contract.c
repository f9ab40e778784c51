/* SPDX-License-Identifier: MIT */
/* The contract of the view's door: every room alone, and all rooms against each other on the same random batches. */
#include "view_rig.h"

#include <pthread.h>

/* ---- the port ---- */

TEST(get_insert_put)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		struct row row;
		bool found;
		OK(rows->get(rows->self, PEOPLE, KEY(T("a")), &arena, &row, &found, &fault));
		CHECK(!found);
		OK(rows->insert(rows->self, PEOPLE, ROW(T("a"), T("1"), T(""), I(-5), I(1), U), &fault));
		OK(rows->get(rows->self, PEOPLE, KEY(T("a")), &arena, &row, &found, &fault));
		CHECK(found);
		CHECK_SLICE(row.cells[P_ID].text, "a");
		CHECK_INT(row.cells[P_NAME].kind, CELL_TEXT);
		CHECK_INT(row.cells[P_NAME].text.size, 0);
		CHECK_INT(row.cells[P_AMOUNT].integer, -5);
		CHECK_INT(row.cells[P_SINCE].kind, CELL_NULL);
		OK(rows->put(rows->self, PEOPLE, ROW(T("a"), T("2"), N, I(7), N, I(99)), &fault));
		OK(rows->put(rows->self, PEOPLE, ROW(T("b"), T("1"), T("Bo"), I(8), I(0), N), &fault));
		OK(rows->get(rows->self, PEOPLE, KEY(T("a")), &arena, &row, &found, &fault));
		CHECK_INT(row.cells[P_NAME].kind, CELL_NULL);
		CHECK_INT(row.cells[P_SINCE].integer, 99);
		finish(view, 1);
		check_dump(view, PEOPLE, "[\"a\",\"2\",null,7,null,99]\n[\"b\",\"1\",\"Bo\",8,0,null]\n");
		view_close(view);
	}
}

TEST(refusals_leave_the_batch_as_it_was)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		void *self = rows->self;
		bool found;
		OK(rows->insert(self, PEOPLE, ROW(T("a"), T("1"), T("A"), I(1), I(1), N), &fault));
		OK(rows->insert(self, PEOPLE, ROW(T("b"), T("2"), T("A"), I(1), N, N), &fault));
		REFUSED(rows->insert(self, PEOPLE, ROW(T("a"), T("9"), N, I(1), N, N), &fault), "duplicate_row");
		CHECK(strstr(fault.text, "table People") != NULL && strstr(fault.text, "this Id ") != NULL);
		REFUSED(rows->insert(self, PEOPLE, ROW(T("c"), T("2"), N, I(1), N, N), &fault), "duplicate_row");
		CHECK(strstr(fault.text, "this Number ") != NULL);
		REFUSED(rows->put(self, PEOPLE, ROW(T("b"), T("1"), N, I(1), N, N), &fault), "duplicate_row");
		REFUSED(rows->update(self, PEOPLE, KEY(T("b")), ROW(U, T("1"), U, U, U, U), &found, &fault),
			"duplicate_row");
		REFUSED(rows->update(self, PEOPLE, KEY(T("b")), ROW(U, U, U, U, I(1), U), &found, &fault),
			"duplicate_row");
		CHECK(strstr(fault.text, "this Name, Active ") != NULL);
		REFUSED(rows->insert(self, PEOPLE, ROW(T("c"), T("3"), N, T("5"), N, N), &fault), "bad_cell");
		REFUSED(rows->insert(self, PEOPLE, ROW(T("c"), T("3"), N, I(1), I(2), N), &fault), "bad_cell");
		REFUSED(rows->insert(self, PEOPLE, ROW(T("c"), T("3"), N, R(1), N, N), &fault), "bad_cell");
		REFUSED(rows->insert(self, PEOPLE, ROW(T("c"), T("3"), N, U, N, N), &fault), "missing_column");
		REFUSED(rows->insert(self, PEOPLE, ROW(N, T("3"), N, I(1), N, N), &fault), "missing_column");
		REFUSED(rows->insert(self, PEOPLE, ROW(T("c"), T("3"), T("123456789"), I(1), N, N), &fault),
			"too_long");
		OK(rows->insert(self, PEOPLE,
				ROW(T("c"), T("3"), T("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), I(1), N, N),
				&fault));
		REFUSED(rows->update(self, PEOPLE, KEY(T("b")), ROW(T("z"), U, U, U, U, U), &found, &fault),
			"key_changed");
		REFUSED(rows->update(self, PEOPLE, KEY(T("b")), ROW(U, U, U, N, U, U), &found, &fault),
			"missing_column");
		REFUSED(rows->update(self, PEOPLE, KEY(N), ROW(U, U, U, U, U, U), &found, &fault), "bad_key");
		REFUSED(rows->add(self, PEOPLE, KEY(T("b")), ROW(U, U, T("x"), U, U, U), &fault), "bad_cell");
		REFUSED(rows->add(self, PEOPLE, KEY(T("b")), ROW(U, U, U, I(INT64_MAX), U, U), &fault), "overflow");
		REFUSED(rows->add(self, PEOPLE, KEY(T("new")), ROW(U, U, U, I(1), U, U), &fault), "missing_column");
		finish(view, 1);
		check_dump(view, PEOPLE,
			   "[\"a\",\"1\",\"A\",1,1,null]\n[\"b\",\"2\",\"A\",1,null,null]\n"
			   "[\"c\",\"3\",\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\",1,null,null]\n");
		view_close(view);
	}
}

TEST(update_add_remove)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		void *self = rows->self;
		bool found;
		OK(rows->insert(self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		OK(rows->update(self, MOVES, KEY(T("p"), I(1)), ROW(U, U, T("x"), I(2), U), &found, &fault));
		CHECK(found);
		OK(rows->update(self, MOVES, KEY(T("p"), I(1)), ROW(T("p"), I(1), U, U, T("{}")), &found, &fault));
		OK(rows->update(self, MOVES, KEY(T("p"), I(2)), ROW(U, U, T("x"), U, U), &found, &fault));
		CHECK(!found);
		OK(rows->add(self, MOVES, KEY(T("p"), I(1)), ROW(U, U, U, R(0.5), U), &fault));
		OK(rows->add(self, MOVES, KEY(T("p"), I(3)), ROW(U, U, U, R(0.5), U), &fault));
		OK(rows->add(self, MOVES, KEY(T("p"), I(3)), ROW(U, U, U, I(1), U), &fault));
		finish(view, 1);
		check_dump(view, MOVES, "[\"p\",1,\"x\",2.5,\"{}\"]\n[\"p\",3,null,1.5,null]\n");

		rows = start(view);
		OK(rows->update(self, MOVES, KEY(T("p"), I(3)), ROW(U, U, T("gone"), U, U), &found, &fault));
		OK(rows->remove(self, MOVES, KEY(T("p"), I(3)), &found, &fault));
		CHECK(found);
		OK(rows->remove(self, MOVES, KEY(T("p"), I(3)), &found, &fault));
		CHECK(!found);
		OK(rows->update(self, MOVES, KEY(T("p"), I(1)), ROW(U, U, N, U, U), &found, &fault));
		finish(view, 2);
		check_dump(view, MOVES, "[\"p\",1,null,2.5,\"{}\"]\n");
		view_close(view);
	}
}

TEST(a_freed_unique_value_can_be_taken)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		void *self = rows->self;
		bool found;
		OK(rows->insert(self, PEOPLE, ROW(T("a"), T("1"), N, I(1), N, N), &fault));
		OK(rows->update(self, PEOPLE, KEY(T("a")), ROW(U, U, U, I(2), U, U), &found, &fault));
		OK(rows->update(self, PEOPLE, KEY(T("a")), ROW(U, T("2"), U, U, U, U), &found, &fault));
		OK(rows->insert(self, PEOPLE, ROW(T("b"), T("1"), N, I(1), N, N), &fault));
		OK(rows->remove(self, PEOPLE, KEY(T("a")), &found, &fault));
		OK(rows->insert(self, PEOPLE, ROW(T("c"), T("2"), N, I(3), N, N), &fault));
		OK(rows->update(self, PEOPLE, KEY(T("c")), ROW(U, T("4"), U, I(4), U, U), &found, &fault));
		finish(view, 1);
		check_dump(view, PEOPLE, "[\"b\",\"1\",null,1,null,null]\n[\"c\",\"4\",null,4,null,null]\n");
		view_close(view);
	}
}

/* The seqs of the rows found, as text. */
static const char *
found_seqs(const struct row_port *rows, const struct filter *filters, size_t filter_count, const struct order *orders,
	   size_t order_count, uint32_t limit, uint32_t offset)
{
	static char text[200];
	struct row_query query = { .table = MOVES,
				   .filters = filters,
				   .filter_count = filter_count,
				   .orders = orders,
				   .order_count = order_count,
				   .limit = limit,
				   .offset = offset };
	struct row *items;
	size_t count;
	uint64_t all;
	text[0] = '\0';
	OK(rows->find(rows->self, &query, &arena, &items, &count, &fault));
	OK(rows->count(rows->self, &query, &all, &fault));
	CHECK(offset != 0 || limit < 100 || all == count);
	for (size_t i = 0; i < count; i++)
		sprintf(text + strlen(text), "%lld", (long long)items[i].cells[M_SEQ].integer);
	return text;
}

#define FILTERED(...)                                                                                                  \
	found_seqs(rows, (struct filter[]){ __VA_ARGS__ },                                                             \
		   sizeof((struct filter[]){ __VA_ARGS__ }) / sizeof(struct filter), NULL, 0, 100, 0)

static void
check_finding(const struct row_port *rows)
{
	CHECK_TEXT(found_seqs(rows, NULL, 0, NULL, 0, 100, 0), "521403");
	CHECK_TEXT(found_seqs(rows, NULL, 0, NULL, 0, 2, 1), "21");
	CHECK_TEXT(found_seqs(rows, NULL, 0, NULL, 0, 100, 9), "");
	CHECK_TEXT(found_seqs(rows, NULL, 0, (struct order[]){ { M_RATIO, true } }, 1, 100, 0), "542310");
	/* Nulls are smallest; the key breaks ties. */
	CHECK_TEXT(found_seqs(rows, NULL, 0, (struct order[]){ { M_NOTE, false } }, 1, 100, 0), "240513");
	CHECK_TEXT(found_seqs(rows, NULL, 0, (struct order[]){ { M_NOTE, true }, { M_SEQ, true } }, 2, 100, 0),
		   "315420");
	CHECK_TEXT(FILTERED({ M_PERSON, FILTER_EQ, T("B") }), "2");
	CHECK_TEXT(FILTERED({ M_PERSON, FILTER_GT, T("a") }), "403");
	CHECK_TEXT(FILTERED({ M_PERSON, FILTER_LE, T("a") }), "521");
	CHECK_TEXT(FILTERED({ M_PERSON, FILTER_PREFIX, T("a") }), "14");
	CHECK_TEXT(FILTERED({ M_PERSON, FILTER_PREFIX, T("") }), "521403");
	CHECK_TEXT(FILTERED({ M_PERSON, FILTER_PREFIX, T("\xff") }), "");
	CHECK_TEXT(FILTERED({ M_NOTE, FILTER_IS_NULL, N }), "240");
	CHECK_TEXT(FILTERED({ M_NOTE, FILTER_EQ, N }), "240");
	CHECK_TEXT(FILTERED({ M_NOTE, FILTER_NE, N }), "513");
	CHECK_TEXT(FILTERED({ M_NOTE, FILTER_NE, T("a") }), "52403");
	CHECK_TEXT(FILTERED({ M_NOTE, FILTER_LT, T("b") }), "51");
	CHECK_TEXT(FILTERED({ M_NOTE, FILTER_LT, N }), "");
	CHECK_TEXT(FILTERED({ M_SEQ, FILTER_GE, R(3.5) }), "54");
	CHECK_TEXT(FILTERED({ M_RATIO, FILTER_EQ, I(1) }), "23");
	CHECK_TEXT(FILTERED({ M_SEQ, FILTER_GE, I(2) }, { M_SEQ, FILTER_LT, I(4) }, { M_NOTE, FILTER_NOT_NULL, N }),
		   "3");
	struct row_query query = { .table = MOVES, .limit = 0 };
	struct row *items;
	size_t count;
	REFUSED(rows->find(rows->self, &query, &arena, &items, &count, &fault), "bad_limit");
	query.limit = ROW_LIMIT_MAX + 1;
	REFUSED(rows->find(rows->self, &query, &arena, &items, &count, &fault), "bad_limit");
	struct filter wrong = { M_SEQ, FILTER_EQ, T("1") };
	query = (struct row_query){ .table = MOVES, .filters = &wrong, .filter_count = 1, .limit = 1 };
	REFUSED(rows->find(rows->self, &query, &arena, &items, &count, &fault), "bad_filter");
}

TEST(find_inside_the_batch_and_after_it)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		bool found;
		fill_moves(rows);
		/* A change that is held back must be seen by filters. */
		OK(rows->update(rows->self, MOVES, KEY(T("b"), I(0)), ROW(U, U, T("later"), U, U), &found, &fault));
		CHECK_TEXT(FILTERED({ M_NOTE, FILTER_EQ, T("later") }), "0");
		OK(rows->update(rows->self, MOVES, KEY(T("b"), I(0)), ROW(U, U, N, U, U), &found, &fault));
		check_finding(rows);
		finish(view, 1);
		struct view_reader *reader;
		OK(view_reader_open(view, &reader, &fault));
		OK(view_reader_begin(reader, &fault));
		check_finding(view_reader_rows(reader));
		view_reader_end(reader);
		view_reader_close(reader);
		view_close(view);
	}
}

TEST(remove_where)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		struct filter late = { M_SEQ, FILTER_GE, I(4) };
		uint64_t removed;
		bool found;
		fill_moves(rows);
		OK(rows->update(rows->self, MOVES, KEY(T("ab"), I(4)), ROW(U, U, T("x"), U, U), &found, &fault));
		OK(rows->remove_where(rows->self, MOVES, &late, 1, &removed, &fault));
		CHECK_INT(removed, 2);
		OK(rows->update(rows->self, MOVES, KEY(T("ab"), I(4)), ROW(U, U, T("x"), U, U), &found, &fault));
		CHECK(!found);
		CHECK_TEXT(found_seqs(rows, NULL, 0, NULL, 0, 100, 0), "2103");
		OK(rows->remove_where(rows->self, MOVES, NULL, 0, &removed, &fault));
		CHECK_INT(removed, 4);
		finish(view, 1);
		check_dump(view, MOVES, "");
		view_close(view);
	}
}

/* ---- batches ---- */

TEST(savepoint_and_undo)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		bool found;
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		OK(rows->update(rows->self, MOVES, KEY(T("p"), I(1)), ROW(U, U, T("kept"), U, U), &found, &fault));
		OK(view_savepoint(view, &fault));
		OK(rows->update(rows->self, MOVES, KEY(T("p"), I(1)), ROW(U, U, T("lost"), U, U), &found, &fault));
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(2), N, N, N), &fault));
		OK(view_undo(view, &fault));
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(3), N, N, N), &fault));
		OK(view_savepoint(view, &fault));
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(4), N, N, N), &fault));
		OK(view_undo(view, &fault));
		OK(view_undo(view, &fault));
		finish(view, 1);
		check_dump(view, MOVES, "[\"p\",1,\"kept\",null,null]\n[\"p\",3,null,null,null]\n");
		view_close(view);
	}
}

TEST(rollback_forgets_rows_and_checkpoint)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		struct view_checkpoint checkpoint;
		bool found;
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		view_rollback(view);
		view_rollback(view);
		OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
		CHECK(!found);
		rows = start(view);
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		finish(view, 12);
		rows = start(view);
		OK(rows->update(rows->self, MOVES, KEY(T("p"), I(1)), ROW(U, U, T("lost"), U, U), &found, &fault));
		view_rollback(view);
		OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
		CHECK(found);
		CHECK_INT(checkpoint.position, 12);
		CHECK(!checkpoint.stopped && checkpoint.reason.size == 0);
		rows = start(view);
		OK(rows->update(rows->self, MOVES, KEY(T("p"), I(1)), ROW(U, U, U, I(3), U), &found, &fault));
		finish(view, 13);
		check_dump(view, MOVES, "[\"p\",1,null,3,null]\n");
		view_close(view);
	}
}

TEST(checkpoints_are_kept_whole)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		struct view_checkpoint wanted = at(7), got;
		bool found;
		wanted.stopped = true;
		wanted.poison = 8;
		wanted.reason = SLICE("reports.lua:3: no");
		wanted.linked = true;
		for (size_t i = 0; i < CHECK_SIZE; i++)
			wanted.link.bytes[i] = (uint8_t)(i * 17);
		start(view);
		OK(view_commit(view, &wanted, &fault));
		OK(view_checkpoint(view, SLICE("people"), &arena, &got, &found, &fault));
		CHECK(found && got.stopped);
		CHECK_SLICE(got.projection, "people");
		CHECK_INT(got.position, 7);
		CHECK_INT(got.poison, 8);
		CHECK_SLICE(got.reason, "reports.lua:3: no");
		CHECK(memcmp(got.hash, hash_one, 32) == 0);
		CHECK(got.linked && check_equal(&got.link, &wanted.link));
		wanted.linked = false;
		start(view);
		OK(view_commit(view, &wanted, &fault));
		OK(view_checkpoint(view, SLICE("people"), &arena, &got, &found, &fault));
		CHECK(found && !got.linked);
		OK(view_checkpoint(view, SLICE("other"), &arena, &got, &found, &fault));
		CHECK(!found);
		view_close(view);
	}
}

TEST(another_hash_starts_from_nothing)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		struct view_checkpoint checkpoint;
		bool found;
		const struct row_port *rows = start(view);
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		finish(view, 5);
		OK(view_define(view, SLICE("people"), hash_one, numbers, TABLES, &fault));
		check_dump(view, MOVES, "[\"p\",1,null,null,null]\n");
		OK(view_define(view, SLICE("people"), (uint8_t[32]){ 2 }, numbers, TABLES, &fault));
		check_dump(view, MOVES, "");
		OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
		CHECK(!found);
		view_close(view);
	}
}

TEST(reset_empties_one_projection)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = rooms[room]();
		struct view_checkpoint moves = at(5), checkpoint;
		bool found;
		moves.projection = SLICE("moves");
		OK(view_define(view, SLICE("people"), hash_one, &numbers[PEOPLE], 1, &fault));
		OK(view_define(view, SLICE("moves"), hash_one, &numbers[MOVES], 1, &fault));
		const struct row_port *rows = start(view);
		OK(rows->insert(rows->self, PEOPLE, ROW(T("a"), T("1"), N, I(1), N, N), &fault));
		finish(view, 4);
		rows = start(view);
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		OK(view_commit(view, &moves, &fault));
		OK(view_reset(view, SLICE("moves"), &numbers[MOVES], 1, &fault));
		check_dump(view, MOVES, "");
		check_dump(view, PEOPLE, "[\"a\",\"1\",null,1,null,null]\n");
		OK(view_checkpoint(view, SLICE("moves"), &arena, &checkpoint, &found, &fault));
		CHECK(!found);
		OK(view_checkpoint(view, SLICE("people"), &arena, &checkpoint, &found, &fault));
		CHECK(found);
		view_close(view);
	}
}

TEST(readers_see_whole_batches)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		struct view_reader *reader;
		struct row row;
		bool found;
		const struct row_port *rows = start(view);
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(1), N, N, N), &fault));
		finish(view, 1);
		OK(view_reader_open(view, &reader, &fault));
		const struct row_port *seen = view_reader_rows(reader);
		CHECK(!seen->writable);
		OK(view_reader_begin(reader, &fault));
		rows = start(view);
		OK(rows->update(rows->self, MOVES, KEY(T("p"), I(1)), ROW(U, U, T("new"), U, U), &found, &fault));
		OK(rows->insert(rows->self, MOVES, ROW(T("p"), I(2), N, N, N), &fault));
		OK(seen->get(seen->self, MOVES, KEY(T("p"), I(2)), &arena, &row, &found, &fault));
		CHECK(!found);
		finish(view, 2);
		OK(seen->get(seen->self, MOVES, KEY(T("p"), I(1)), &arena, &row, &found, &fault));
		CHECK(found);
		CHECK_INT(row.cells[M_NOTE].kind, CELL_NULL);
		view_reader_end(reader);
		OK(view_reader_begin(reader, &fault));
		OK(seen->get(seen->self, MOVES, KEY(T("p"), I(1)), &arena, &row, &found, &fault));
		CHECK_SLICE(row.cells[M_NOTE].text, "new");
		view_reader_end(reader);
		view_reader_close(reader);
		view_idle(view);
		view_close(view);
	}
}

/* Two rows whose sum never changes in a whole batch. */
static void *
look_at_sums(void *self)
{
	struct view_reader *reader = self;
	const struct row_port *rows = view_reader_rows(reader);
	struct arena own;
	struct fault trouble;
	long broken = 0;
	arena_init(&own, 1 << 20);
	for (int i = 0; i < 2000; i++) {
		struct row_query query = { .table = PEOPLE, .limit = 10 };
		struct row *items;
		size_t count = 0;
		arena_clear(&own);
		if (view_reader_begin(reader, &trouble) != 0 ||
		    rows->find(rows->self, &query, &own, &items, &count, &trouble) != 0 || count != 2 ||
		    items[0].cells[P_AMOUNT].integer + items[1].cells[P_AMOUNT].integer != 100)
			broken++;
		view_reader_end(reader);
	}
	arena_fini(&own);
	return (void *)broken;
}

TEST(readers_beside_the_writer)
{
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		struct view_reader *reader;
		pthread_t thread;
		void *broken;
		bool found;
		const struct row_port *rows = start(view);
		OK(rows->insert(rows->self, PEOPLE, ROW(T("a"), T("1"), N, I(100), N, N), &fault));
		OK(rows->insert(rows->self, PEOPLE, ROW(T("b"), T("2"), N, I(0), N, N), &fault));
		finish(view, 1);
		OK(view_reader_open(view, &reader, &fault));
		CHECK_INT(pthread_create(&thread, NULL, look_at_sums, reader), 0);
		for (int i = 0; i < 1000; i++) {
			rows = start(view);
			OK(rows->update(rows->self, PEOPLE, KEY(T("a")), ROW(U, U, U, I(i), U, U), &found, &fault));
			OK(view_savepoint(view, &fault));
			OK(rows->update(rows->self, PEOPLE, KEY(T("b")), ROW(U, U, U, I(100 - i), U, U), &found,
					&fault));
			finish(view, 2 + (log_position)i);
			view_idle(view);
		}
		pthread_join(thread, &broken);
		CHECK(broken == NULL);
		view_reader_close(reader);
		view_close(view);
	}
}

/* ---- all rooms alike ---- */

static uint64_t dice;

static unsigned
roll(unsigned sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(dice >> 33) % sides;
}

/* One random call, the same for all ports from the same dice. Gives a number that sums up what came back. */
static uint64_t
random_call(const struct row_port *rows)
{
	static const char *const words[] = { "a", "b", "c", "d", "e", "f", "g", "h", "", "zz", "\xc3\xa9", "A" };
	void *self = rows->self;
	const char *id = words[roll(12)], *number = words[roll(12)];
	struct cell name = roll(3) == 0 ? N : T(words[roll(12)]), active = roll(3) == 0 ? N : I(roll(2));
	struct cell amount = I((int64_t)roll(50) - 25);
	struct row row;
	struct filter filter = { P_AMOUNT, roll(2) ? FILTER_GT : FILTER_EQ, I((int64_t)roll(50) - 25) };
	bool found = false;
	uint64_t removed = 0;
	int result;
	unsigned what = roll(100);
	memset(&fault, 0, sizeof(fault));
	if (what < 25)
		result = rows->insert(self, PEOPLE, ROW(T(id), T(number), name, amount, active, N), &fault);
	else if (what < 35)
		result = rows->put(self, PEOPLE, ROW(T(id), T(number), name, amount, active, U), &fault);
	else if (what < 60)
		result = rows->update(self, PEOPLE, KEY(T(id)), ROW(U, U, U, amount, U, I(roll(9))), &found, &fault);
	else if (what < 70)
		result = rows->update(self, PEOPLE, KEY(T(id)), ROW(U, T(number), roll(2) ? name : U, U, active, U),
				      &found, &fault);
	else if (what < 80)
		result = rows->add(self, PEOPLE, KEY(T(id)), ROW(U, U, U, amount, U, I(1)), &fault);
	else if (what < 88)
		result = rows->remove(self, PEOPLE, KEY(T(id)), &found, &fault);
	else if (what < 90)
		result = rows->remove_where(self, PEOPLE, &filter, 1, &removed, &fault);
	else {
		result = rows->get(self, PEOPLE, KEY(T(id)), &arena, &row, &found, &fault);
		removed = found ? (uint64_t)row.cells[P_AMOUNT].integer + row.cells[P_NAME].text.size * 1000 : 0;
	}
	return removed * 100 + found * 10U + (uint64_t)(result + 1) + slice_hash(slice_text(fault.code), 0);
}

TEST(same_calls_give_same_rows_in_all_rooms)
{
	struct view *views[ROOMS];
	struct buf dumps[ROOMS];
	for (size_t room = 0; room < ROOMS; room++) {
		views[room] = defined(room);
		buf_init(&dumps[room], 1 << 20);
	}
	for (uint64_t batch = 1; batch <= 400; batch++) {
		uint64_t seed = batch * 7919, sums[ROOMS] = { 0 };
		for (size_t room = 0; room < ROOMS; room++) {
			dice = seed;
			const struct row_port *rows = start(views[room]);
			bool saved = false;
			for (unsigned i = roll(60); i > 0; i--) {
				unsigned what = roll(20);
				if (what == 0) {
					OK(view_savepoint(views[room], &fault));
					saved = true;
				} else if (what == 1 && saved) {
					OK(view_undo(views[room], &fault));
				}
				sums[room] = sums[room] * 31 + random_call(rows);
			}
			if (roll(6) == 0)
				view_rollback(views[room]);
			else
				finish(views[room], batch);
			arena_clear(&arena);
			start(views[room]);
			dump(rows, PEOPLE, &dumps[room]);
			view_rollback(views[room]);
			CHECK(sums[room] == sums[0]);
			CHECK(slice_equal(buf_slice(&dumps[room]), buf_slice(&dumps[0])));
		}
	}
	CHECK(dumps[0].size != 0);
	for (size_t room = 0; room < ROOMS; room++) {
		view_close(views[room]);
		buf_fini(&dumps[room]);
	}
}

TEST(a_dump_of_many_pages)
{
	struct buf dumps[ROOMS];
	for (size_t room = 0; room < ROOMS; room++) {
		struct view *view = defined(room);
		const struct row_port *rows = start(view);
		buf_init(&dumps[room], 1 << 24);
		/* More rows of one first key column than a page holds, between others. */
		for (int i = 0; i < 5000; i++)
			OK(rows->insert(rows->self, MOVES,
					ROW(T(i < 700    ? "a"
					      : i < 3400 ? "b"
							 : "c"),
					    I(i), N, N, N),
					&fault));
		dump(rows, MOVES, &dumps[room]);
		size_t lines = 0;
		for (size_t i = 0; i < dumps[room].size; i++)
			lines += dumps[room].data[i] == '\n';
		CHECK_INT(lines, 5000);
		finish(view, 1);
		view_close(view);
		CHECK(slice_equal(buf_slice(&dumps[room]), buf_slice(&dumps[0])));
	}
	for (size_t room = 0; room < ROOMS; room++)
		buf_fini(&dumps[room]);
}

TEST_MAIN()
