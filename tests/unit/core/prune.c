/* SPDX-License-Identifier: MIT */
/* Generations that decided nothing go after a while; those that decided anything stay, with their sources [I8]. */
#include "change.h"

#include "base/probe.h"
#include "core/past.h"
#include "core/prune.h"
#include "support/check.h"

#define KEEP    10
#define RELOADS 150
#define EVERY   32 /* reloads from one pruning to the next */

static struct change change;
static struct arena arena;
static struct fault fault;

static size_t
list(const char *domain, struct generation_info **infos)
{
	struct store_reader *reader;
	size_t count, kept = 0;

	CHECK_INT(store_reader_open(change.store, &reader, &fault), 0);
	CHECK_INT(generation_list(reader, 0, 1000, &arena, infos, &count, &fault), 0);
	for (size_t i = 0; i < count; i++)
		if (slice_equal((*infos)[i].domain, slice_text(domain)))
			(*infos)[kept++] = (*infos)[i];
	store_reader_close(reader);
	return kept;
}

static bool
is_there(const char *domain, uint32_t number)
{
	struct generation_info *infos;
	size_t count = list(domain, &infos);

	for (size_t i = 0; i < count; i++)
		if (infos[i].number == number)
			return true;
	return false;
}

static size_t
records_in(const char *space)
{
	struct store_reader *reader;
	struct record *records;
	size_t count;

	CHECK_INT(store_reader_open(change.store, &reader, &fault), 0);
	CHECK_INT(store_list_records(reader, slice_text(space), SLICE_NONE, 10000, &arena, &records, &count, &fault),
		  0);
	store_reader_close(reader);
	return count;
}

/* Every generation has all its sources. */
static void
check_whole(const char *domain)
{
	struct generation_info *infos;
	size_t count = list(domain, &infos);
	struct source_set sources;
	struct store_reader *reader;

	CHECK_INT(store_reader_open(change.store, &reader, &fault), 0);
	for (size_t i = 0; i < count; i++)
		if (generation_read(reader, infos[i].number, &arena, &sources, &fault) != 0)
			CHECK_FAIL("generation %u: %s", infos[i].number, fault.text);
	store_reader_close(reader);
}

/* Rules that were never there before; gives their number. */
static uint32_t
reload(int number)
{
	char by[32];
	struct variant variant = { .by = by };
	struct changed changed;

	snprintf(by, sizeof(by), "number%d", number);
	change_write(&change, "first", &variant);
	changed = change_ask(&change, RELOAD_TAKE, "first");
	CHECK_INT(changed.answer, RELOAD_DONE);
	return changed.generation;
}

static void
set_up(void)
{
	const struct variant first = { .by = "first" };

	arena_init(&arena, SIZE_MAX);
	change_open(&change, &first, 2);
	change_close_engine(&change);
	change.keep = KEEP;
	change_reopen(&change, 2);
}

static void
tear_down(void)
{
	change_close(&change);
	arena_fini(&arena);
}

TEST(what_decided_stays_and_the_rest_is_bounded)
{
	uint32_t decided[RELOADS / 30 + 1], last = 0, before = 0;
	struct generation_info *infos;
	size_t count, sources;

	set_up();
	for (int i = 0; i < RELOADS; i++) {
		before = last;
		last = reload(i);
		if (i % 30 != 0)
			continue;
		decided[i / 30] = last;
		CHECK_INT(change_command(&change, "first", "a", "Add", NULL), OUTCOME_ACCEPTED);
	}
	count = list("first", &infos);
	if (count > KEEP + EVERY + 4 + RELOADS / 30)
		CHECK_FAIL("%zu generations", count);
	for (int i = 0; i < RELOADS / 30; i++)
		CHECK(is_there("first", decided[i]));
	CHECK(is_there("first", last) && is_there("first", before));
	CHECK_INT(list("second", &infos), 1);
	check_whole("first");
	check_whole("second");
	/* Two files each. */
	sources = records_in("source");
	if (sources > 2 * (count + 1))
		CHECK_FAIL("%zu sources of %zu generations", sources, count);
	CHECK(records_in("activation") <= count + 1);
	CHECK(records_in("generation_of") == count + 1);
	/* Back to rules that decided nothing, and there again under a new number. */
	CHECK_INT(change_ask(&change, RELOAD_BACK, "first").generation, before);
	CHECK(reload(1) > last);
	tear_down();
}

TEST(a_pruning_that_fails_leaves_everything_and_the_reload_stands)
{
	struct generation_info *infos;
	size_t count;

	set_up();
	for (int i = 0; i < 2 * EVERY; i++)
		reload(i);
	count = list("first", &infos);
	CHECK_INT(probe_setup("prune.before_commit:1:fail"), 0);
	for (int i = 2 * EVERY; i < 3 * EVERY; i++)
		reload(i);
	CHECK_INT(list("first", &infos), count + EVERY);
	check_whole("first");
	probe_setup("");
	for (int i = 3 * EVERY; i < 4 * EVERY; i++)
		reload(i);
	count = list("first", &infos);
	if (count > KEEP + EVERY + 4)
		CHECK_FAIL("%zu generations", count);
	check_whole("first");
	tear_down();
}

TEST(a_process_that_ends_early_prunes_too)
{
	struct generation_info *infos;
	size_t count;

	set_up();
	for (int i = 0; i < 60; i++) {
		reload(i);
		change_close_engine(&change);
		change_reopen(&change, 1);
	}
	count = list("first", &infos);
	if (count > KEEP + 4)
		CHECK_FAIL("%zu generations", count);
	tear_down();
}

static int
take(void *self, struct append *append, struct fault *why)
{
	struct append *group[] = { append };
	struct store *store = self;

	return store_commit(store, group, 1, why) == COMMIT_DONE ? 0 : -1;
}

/* Rules that a command still has may yet decide. */
TEST(rules_that_somebody_holds_stay)
{
	uint32_t numbers[20];
	struct pruning pruning = { .domain = SLICE("first"), .keep = 1, .commit = take };

	set_up();
	for (int i = 0; i < 20; i++)
		numbers[i] = reload(i);
	change_close_engine(&change);
	CHECK_INT(store_reader_open(change.store, &pruning.reader, &fault), 0);
	pruning.self = change.store;
	pruning.living = &numbers[5];
	pruning.living_count = 1;
	CHECK_INT(prune_generations(&pruning, &fault), 0);
	CHECK(is_there("first", numbers[5]) && !is_there("first", numbers[4]) && !is_there("first", numbers[6]));
	CHECK(is_there("first", numbers[19]) && is_there("first", numbers[18]));
	pruning.living_count = 0;
	CHECK_INT(prune_generations(&pruning, &fault), 0);
	CHECK(!is_there("first", numbers[5]));
	store_reader_close(pruning.reader);
	change_reopen(&change, 1);
	tear_down();
}

TEST(past_rules_are_let_go_when_nobody_else_holds_them)
{
	struct past past = { 0 };
	struct ruleset rules[3] = { { .generation = 7 }, { .generation = 8 }, { .generation = 9 } };
	const uint32_t *living;
	size_t count;

	arena_init(&arena, SIZE_MAX);
	for (size_t i = 0; i < countof(rules); i++) {
		rules[i].users = 2;
		past_add(&past, &rules[i]);
	}
	living = past_living(&past, &arena, &count);
	CHECK(living != NULL && count == 3 && living[0] == 7 && living[2] == 9);
	past.lost = true;
	CHECK(past_living(&past, &arena, &count) == NULL);
	past_free(&past);
	CHECK_INT(rules[0].users, 1);
	arena_fini(&arena);
}

TEST_MAIN()
