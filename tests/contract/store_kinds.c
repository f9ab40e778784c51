/* SPDX-License-Identifier: MIT */
/* The list of kinds of events that every store keeps: whole, exact, and cheap. Run against each room. */
#include "base/buf.h"
#include "contract/store_rooms.h"
#include "support/check.h"

static struct arena arena;
static struct store *store;
static struct store_reader *reader;
static struct fault fault;

static void
each_room(void (*run)(void))
{
	for (size_t i = 0; i < store_room_count; i++) {
		arena_init(&arena, SIZE_MAX);
		store = store_rooms[i].open(clock_real());
		CHECK_INT(store_reader_open(store, &reader, &fault), 0);
		run();
		store_reader_close(reader);
		store_rooms[i].close(store);
		arena_fini(&arena);
	}
}

/* `count` entries on one stream, in one append; the type as kind:type:version. */
static enum append_answer
put(const char *name, struct expected expected, enum entry_kind kind, const char *type, uint32_t version, size_t count)
{
	struct append_stream stream = { slice_text(name), expected };
	const struct provenance nobody = { 0 };
	struct new_entry entries[10];
	struct append append = { .streams = &stream,
				 .stream_count = 1,
				 .entries = entries,
				 .entry_count = count,
				 .generation = version + 1,
				 .arena = &arena },
		      *group[] = { &append };

	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct new_entry){ .kind = kind,
						 .schema_version = version,
						 .type = slice_text(type),
						 .topic = kind == ENTRY_MESSAGE ? SLICE("t") : SLICE_NONE,
						 .data = SLICE("{}") };
		entry_digest(&entries[i], stream.name, append.generation, &nobody, &entries[i].digest);
	}
	CHECK_INT(store_commit(store, group, 1, &fault), COMMIT_DONE);
	return append.answer;
}

static void
event(const char *stream, const char *type, uint32_t version)
{
	CHECK_INT(put(stream, (struct expected){ EXPECTED_ANY, 0 }, ENTRY_EVENT, type, version, 1), APPEND_DONE);
}

static int
compare(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* "aggregate type version newest;" each, in order of the text. */
static struct slice
kinds(struct slice domain)
{
	struct type_found *found;
	struct slice lines[16], text;
	size_t count;
	struct buf out;

	CHECK_INT(store_list_types(reader, domain, &arena, &found, &count, &fault), 0);
	CHECK(count <= countof(lines));
	for (size_t i = 0; i < count; i++)
		lines[i] = arena_format(&arena, "%.*s %.*s %u %llu;", SLICE_ARG(found[i].aggregate),
					SLICE_ARG(found[i].type), found[i].schema_version,
					(unsigned long long)found[i].newest);
	qsort(lines, count, sizeof(lines[0]), compare);
	buf_init(&out, 4096);
	for (size_t i = 0; i < count; i++)
		buf_add(&out, lines[i]);
	text = arena_copy(&arena, buf_slice(&out));
	buf_fini(&out);
	return text;
}

static void
every_kind(void)
{
	CHECK_SLICE(kinds(SLICE_NONE), "");
	event("shop.cart/1", "Opened", 1);
	event("shop.cart/1", "Opened", 2);
	event("shop.order/1", "Opened", 1);
	event("shopping.cart/1", "Opened", 1);
	CHECK_SLICE(kinds(SLICE("shop")), "shop.cart Opened 1 1;shop.cart Opened 2 2;shop.order Opened 1 3;");
	/* What did not happen is not known, and messages are no events. */
	CHECK_INT(put("shop.cart/1", (struct expected){ EXPECTED_EXACTLY, 9 }, ENTRY_EVENT, "Lost", 1, 1),
		  APPEND_CONFLICT);
	CHECK_INT(put("shop.cart/1", (struct expected){ EXPECTED_ANY, 0 }, ENTRY_MESSAGE, "Told", 1, 1), APPEND_DONE);
	event("shop.cart/1", "Closed", 1);
	CHECK_SLICE(kinds(SLICE("shopping")), "shopping.cart Opened 1 4;");
	CHECK_SLICE(kinds(SLICE_NONE), "shop.cart Closed 1 6;shop.cart Opened 1 1;shop.cart Opened 2 2;"
				       "shop.order Opened 1 3;shopping.cart Opened 1 4;");
	CHECK_SLICE(kinds(SLICE("sho")), "");
}

TEST(every_kind_of_event_is_known)
{
	each_room(every_kind);
}

static void
positions(void)
{
	struct type_found *found;
	size_t count;

	event("shop.cart/0", "Opened", 1);
	for (int i = 0; i < 450; i++)
		CHECK_INT(put("shop.cart/1", (struct expected){ EXPECTED_ANY, 0 }, ENTRY_EVENT, "Filled", 1, 10),
			  APPEND_DONE);
	CHECK_INT(store_list_types(reader, SLICE("shop"), &arena, &found, &count, &fault), 0);
	CHECK_INT(count, 2);
	for (size_t i = 0; i < count; i++)
		if (slice_equal(found[i].type, SLICE("Filled")))
			CHECK(store_head(store) - found[i].newest <= STORE_TYPES_LAG + 10);
		else
			CHECK_INT(found[i].newest, 1);
}

TEST(positions_of_kinds_follow_the_log)
{
	each_room(positions);
}

/* By the store's next reader, too. */
static void
generations_are(const char *wanted)
{
	struct store_reader *fresh;
	uint32_t *numbers;
	size_t count;
	struct buf out;

	CHECK_INT(store_reader_open(store, &fresh, &fault), 0);
	for (int i = 0; i < 2; i++) {
		buf_init(&out, 4096);
		CHECK_INT(store_list_generations(i == 0 ? reader : fresh, &arena, &numbers, &count, &fault), 0);
		for (size_t k = 0; k < count; k++)
			buf_format(&out, "%u ", numbers[k]);
		CHECK_SLICE(buf_slice(&out), wanted);
		buf_fini(&out);
	}
	store_reader_close(fresh);
}

static void
deciders(void)
{
	generations_are("");
	event("shop.cart/1", "Opened", 7);
	event("shop.cart/1", "Opened", 2);
	event("shop.cart/2", "Opened", 7);
	generations_are("3 8 ");
	CHECK_INT(put("shop.cart/1", (struct expected){ EXPECTED_EXACTLY, 9 }, ENTRY_EVENT, "Lost", 4, 1),
		  APPEND_CONFLICT);
	generations_are("3 8 ");
	CHECK_INT(put("shop.cart/1", (struct expected){ EXPECTED_ANY, 0 }, ENTRY_MESSAGE, "Told", 1, 1), APPEND_DONE);
	generations_are("2 3 8 ");
}

TEST(generations_that_decided_something_are_known)
{
	each_room(deciders);
}

TEST_MAIN()
