/* SPDX-License-Identifier: MIT */
/* The files of read models: slots, the link to the live one, files of an older moonlog. */
#include "daemon/slots.h"

#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"
#include "view/sqlite/view_sqlite.h"

static const struct column columns[] = { { .name = SLICE("Id"), .type = COLUMN_INTEGER } };
static const uint16_t key[] = { 0 }, numbers[] = { 0 };
static const struct table tables[] = { { SLICE("Items"), columns, 1, { key, 1, true }, NULL, 0, 0 } };

static char data[] = "/tmp/moonlog-slots-XXXXXX";
static struct fault fault;
static struct view_slots slots;
static char path[SLOTS_PATH_SIZE];

#define OK(call)                                                                                                       \
	do {                                                                                                           \
		if ((call) != 0)                                                                                       \
			CHECK_FAIL("%s: %s", #call, fault.text);                                                       \
	} while (0)

static void
clean(void)
{
	char command[200];

	snprintf(command, sizeof(command), "rm -rf %s/views", data);
	if (system(command) != 0)
		abort();
}

__attribute__((constructor)) static void
make_folder(void)
{
	if (mkdtemp(data) == NULL)
		abort();
}

__attribute__((destructor)) static void
drop_folder(void)
{
	clean();
	rmdir(data);
}

static const char *
at(const char *name)
{
	static char whole[300];

	snprintf(whole, sizeof(whole), "%s/views/%s", data, name);
	return whole;
}

static struct view *
open_at(const char *name)
{
	struct view *view;

	OK(view_sqlite_open(at(name), false, tables, 1, &view, &fault));
	OK(view_define(view, SLICE("items"), (uint8_t[32]){ 1 }, numbers, 1, &fault));
	return view;
}

static void
add(struct view *view, int64_t id)
{
	struct view_checkpoint checkpoint = { .projection = SLICE("items"), .position = 1, .hash = { 1 } };
	struct cell cell = { .kind = CELL_INTEGER, .integer = id };
	struct row row = { &cell };

	OK(view_begin(view, &fault));
	OK(view_rows(view)->insert(view_rows(view)->self, 0, &row, &fault));
	OK(view_commit(view, &checkpoint, &fault));
}

static uint64_t
rows_of(const char *name)
{
	struct row_query query = { .table = 0 };
	struct view_reader *reader;
	struct view *view;
	uint64_t count;

	OK(view_sqlite_open(at(name), true, tables, 1, &view, &fault));
	OK(view_reader_open(view, &reader, &fault));
	OK(view_reader_begin(reader, &fault));
	OK(view_reader_rows(reader)->count(view_reader_rows(reader)->self, &query, &count, &fault));
	view_reader_close(reader);
	view_close(view);
	return count;
}

static void
look(int live, uint32_t present)
{
	OK(slots_look(data, SLICE("shop"), &slots, path, &fault));
	CHECK_INT(slots.live, live);
	CHECK_INT(slots.present, present);
}

TEST(the_link_leads_to_the_live_slot)
{
	clean();
	look(-1, 0);
	struct view *first = open_at("shop.0.db"), *second = open_at("shop.7.db");
	add(first, 1);
	OK(slots_point(data, SLICE("shop"), 0, &fault));
	look(0, 1U | 1U << 7);
	/* The rows are in the WAL still: whoever opens the link must find the WAL of the slot. */
	CHECK_INT(rows_of("shop.db"), 1);
	CHECK(access(at("shop.0.db-wal"), F_OK) == 0 && access(at("shop.db-wal"), F_OK) != 0);
	OK(slots_point(data, SLICE("shop"), 7, &fault));
	CHECK_INT(rows_of("shop.db"), 0);
	look(7, 1U | 1U << 7);
	view_close(first);
	OK(slots_remove(data, SLICE("shop"), 0, &fault));
	OK(slots_remove(data, SLICE("shop"), 0, &fault));
	look(7, 1U << 7);
	view_close(second);
	/* A link whose file is gone: the slot is made anew. */
	OK(slots_remove(data, SLICE("shop"), 7, &fault));
	look(7, 0);
}

TEST(a_deleted_link_means_a_deleted_read_model)
{
	clean();
	view_close(open_at("shop.0.db"));
	view_close(open_at("shop.3.db"));
	view_close(open_at("shopping.1.db"));
	OK(slots_point(data, SLICE("shop"), 3, &fault));
	look(3, 1U | 1U << 3);
	CHECK_INT(unlink(at("shop.db")), 0);
	look(-1, 0);
	CHECK(access(at("shopping.1.db"), F_OK) == 0);
}

TEST(a_file_of_an_older_moonlog_becomes_slot_0)
{
	clean();
	struct view *view = open_at("shop.db"), *stale = open_at("shop.0.db");
	add(view, 1);
	add(view, 2);
	view_close(stale);
	/* Somebody looks at it meanwhile, so its WAL stays beside it. */
	struct view *beside;
	OK(view_sqlite_open(at("shop.db"), true, tables, 1, &beside, &fault));
	view_close(view);
	look(0, 1);
	CHECK_INT(rows_of("shop.db"), 2);
	CHECK_INT(rows_of("shop.0.db"), 2);
	CHECK(access(at("shop.db-wal"), F_OK) != 0);
	view_close(beside);
	look(0, 1);
}

TEST(what_is_not_ours_is_refused_and_named)
{
	clean();
	view_close(open_at("other.0.db"));
	CHECK_INT(symlink("other.0.db", at("shop.db")), 0);
	CHECK_INT(slots_look(data, SLICE("shop"), &slots, path, &fault), -1);
	CHECK_TEXT(fault.code, "bad_view_link");
	CHECK(strstr(fault.text, at("shop.db")) != NULL);
	CHECK_INT(unlink(at("shop.db")), 0);
	FILE *file = fopen(at("shop.db"), "w");
	for (int i = 0; i < 100; i++)
		fputs("a text of somebody's\n", file);
	fclose(file);
	CHECK_INT(slots_look(data, SLICE("shop"), &slots, path, &fault), -1);
	CHECK_TEXT(fault.code, "not_a_view");
	CHECK_TEXT(path, at("shop.db"));
	struct stat status;
	CHECK_INT(stat(at("shop.db"), &status), 0);
	CHECK_INT(status.st_size, 2100);
}

TEST_MAIN()
