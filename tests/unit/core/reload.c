/* SPDX-License-Identifier: MIT */
/* Reloads as others ask for them: what is taken, what is left alone, what each event names [I8]. */
#include "change.h"

#include "base/probe.h"
#include "support/check.h"

static struct change change;
static const struct variant one = { .by = "one" }, two = { .by = "two" };
static const struct variant set_one = { .by = "one", .setting = true }, set_two = { .by = "two", .setting = true };

static void
check_answer(struct changed got, enum reload_answer answer, const char *stage, const char *code)
{
	CHECK_TEXT(got.stage, stage);
	CHECK_TEXT(got.code, code);
	CHECK_INT(got.answer, answer);
}

static void
check_event(const char *stream, uint64_t version, const char *wanted)
{
	char text[64];

	change_event(&change, stream, version, text);
	CHECK_TEXT(text, wanted);
}

/* One command, who decided it and what it found: {"by":"one","value":1}. */
static void
check_add(const char *domain, const char *id, const char *by, int value)
{
	char wanted[64], reply[128];

	snprintf(wanted, sizeof(wanted), "{\"by\":\"%s\",\"value\":%d}", by, value);
	CHECK_INT(change_command(&change, domain, id, "Add", reply), OUTCOME_ACCEPTED);
	CHECK_TEXT(reply, wanted);
}

TEST(a_reload_decides_by_new_rules_and_rollback_by_the_old)
{
	change_open(&change, &one, 2);
	check_add("first", "a", "one", 1);
	change_write(&change, "first", &two);
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "two", 2);
	check_answer(change_ask(&change, RELOAD_BACK, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "one", 3);
	/* back and forth */
	check_answer(change_ask(&change, RELOAD_BACK, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "two", 4);
	/* generations 1 and 2 are those that the domains began with */
	check_event("first.counter/a", 1, "1:one");
	check_event("first.counter/a", 2, "3:two");
	check_event("first.counter/a", 3, "1:one");
	check_event("first.counter/a", 4, "3:two");
	change_close(&change);
}

/* Who mends a rule that tripped its domain need not wait for the pause. */
TEST(a_tripped_domain_is_asked_again_after_a_reload)
{
	static const struct variant stuck = { .by = "one", .fold = "while true do end" };
	char reply[128];
	int stopped = 0;

	change_open(&change, &stuck, 1);
	while (stopped < 100 && change_command(&change, "first", "a", "Add", reply) == OUTCOME_FAILED &&
	       strcmp(reply, "time_limit") == 0)
		stopped++;
	CHECK_TEXT(reply, "domain_tripped");
	change_write(&change, "first", &one);
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "one", 1);
	change_close(&change);
}

TEST(equal_folds_keep_the_states_and_other_folds_make_them_anew)
{
	static const struct variant doubles = { .by = "two", .fold = "state.value = state.value + 2 * data.amount" };

	change_open(&change, &set_one, 1);
	check_add("first", "a", "one", 1);
	check_add("first", "a", "one", 2);
	change_write(&change, "first", &set_two);
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "two", 3);
	change_write(&change, "first", &doubles);
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "two", 7);
	change_close(&change);
}

TEST(what_is_active_is_unchanged)
{
	struct changed changed;

	change_open(&change, &one, 2);
	changed = change_ask(&change, RELOAD_TAKE, "first");
	check_answer(changed, RELOAD_UNCHANGED, "read", "");
	CHECK_INT(changed.generation, 1);
	check_answer(change_ask(&change, RELOAD_BACK, "first"), RELOAD_FAILED, "read", "no_previous_generation");
	check_add("first", "a", "one", 1);
	check_event("first.counter/a", 1, "1:one");
	change_close(&change);
}

TEST(rules_that_cannot_be_loaded_change_nothing)
{
	change_open(&change, &one, 2);
	check_add("first", "a", "one", 1);
	change_spoil(&change, "first");
	CHECK_INT(change_ask(&change, RELOAD_TAKE, "first").answer, RELOAD_FAILED);
	check_add("first", "a", "one", 2);
	check_answer(change_ask(&change, RELOAD_TAKE, "third"), RELOAD_FAILED, "read", "no_such_domain");
	change_close(&change);
}

TEST(a_plan_changes_nothing)
{
	change_open(&change, &one, 2);
	change_write(&change, "first", &two);
	CHECK_INT(change_ask(&change, RELOAD_PLAN, "first").answer, RELOAD_PLANNED);
	check_add("first", "a", "one", 1);
	change_close(&change);
}

/* Of the two workers' machines the first cannot be made, then the second, then the commit; then all goes well. */
TEST(a_step_that_fails_leaves_the_old_rules_whole)
{
	static const char *const stages[] = { "prepare", "prepare", "commit" };

	/* A pass that one probe lets fail is not counted by the next. */
	CHECK_INT(probe_setup("reload.prepare:1:fail,reload.prepare:2:fail,reload.before_commit:1:fail"), 0);
	change_open(&change, &one, 2);
	check_add("first", "a", "one", 1);
	change_write(&change, "first", &two);
	for (size_t i = 0; i < countof(stages); i++) {
		struct changed changed = change_ask(&change, RELOAD_TAKE, "first");

		check_answer(changed, RELOAD_FAILED, stages[i], "probe");
		CHECK_INT(changed.generation, 1);
		check_add("first", "a", "one", (int)i + 2);
	}
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "two", 5);
	change_close(&change);
}

TEST(domains_change_one_by_one)
{
	change_open(&change, &one, 2);
	change_write(&change, "first", &two);
	change_write(&change, "second", &two);
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "two", 1);
	check_add("second", "a", "one", 1);
	check_answer(change_ask(&change, RELOAD_TAKE, "second"), RELOAD_DONE, "adopt", "");
	check_answer(change_ask(&change, RELOAD_BACK, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "one", 2);
	check_add("second", "a", "two", 2);
	change_close(&change);
}

TEST(a_restart_serves_what_was_active)
{
	change_open(&change, &one, 2);
	change_write(&change, "first", &two);
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	change_write(&change, "first", &one);
	change_close_engine(&change);
	change_reopen(&change, 2);
	check_add("first", "a", "two", 1);
	check_answer(change_ask(&change, RELOAD_BACK, "first"), RELOAD_DONE, "adopt", "");
	check_add("first", "a", "one", 2);
	change_close(&change);
}

/* What the newer rules recorded has no way through the older ones. */
TEST(rollback_is_refused_when_the_older_rules_cannot_read_what_was_recorded)
{
	static const struct variant extra = { .by = "two", .extra = true };

	change_open(&change, &one, 2);
	change_write(&change, "first", &extra);
	check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
	check_answer(change_ask(&change, RELOAD_BACK, "first"), RELOAD_DONE, "adopt", "");
	check_answer(change_ask(&change, RELOAD_BACK, "first"), RELOAD_DONE, "adopt", "");
	CHECK_INT(change_command(&change, "first", "a", "Move", NULL), OUTCOME_ACCEPTED);
	CHECK_INT(change_ask(&change, RELOAD_BACK, "first").answer, RELOAD_REFUSED);
	check_add("first", "other", "two", 1);
	change_close(&change);
}

/* ---- many at once ---- */

#define MANY 64

static struct ask asks[MANY];
static char ids[MANY][8];

/* Commands of many streams, two of which each writes, while rules change: each event is of the generation it says. */
TEST(commands_and_reloads_at_once_never_mix)
{
	struct mailbox answers;
	char text[64], stream[64];
	size_t taken, seen = 0;

	mailbox_init(&answers, 0, NULL);
	change_open(&change, &one, 3);
	for (int round = 0; round < 40; round++) {
		struct rig rig = { .engine = change.engine };

		change_write(&change, "first", round % 2 == 0 ? &two : &one);
		for (size_t i = 0; i < MANY; i++) {
			snprintf(ids[i], sizeof(ids[i]), "s%zu", i % 16);
			ask_init(&asks[i], &answers, ids[i], i % 5 == 0 ? "Move" : "Add", "{}");
			asks[i].command.domain = SLICE("first");
		}
		ask_give_all(&rig, asks, MANY, &answers, &taken);
		CHECK_INT(taken, MANY);
		check_answer(change_ask(&change, RELOAD_TAKE, "first"), RELOAD_DONE, "adopt", "");
		ask_collect(&answers, taken);
		for (size_t i = 0; i < MANY; i++) {
			CHECK(asks[i].command.outcome.kind == OUTCOME_ACCEPTED ||
			      asks[i].command.outcome.kind == OUTCOME_CONFLICT);
			ask_fini(&asks[i]);
		}
	}
	for (size_t i = 0; i < 17; i++) {
		snprintf(stream, sizeof(stream), i < 16 ? "first.counter/s%zu" : "first.counter/other", i);
		for (uint64_t version = 1;; version++, seen++) {
			change_event(&change, stream, version, text);
			if (text[0] == '\0')
				break;
			if (strcmp(text, "1:one") != 0)
				CHECK_TEXT(text, "3:two");
		}
	}
	CHECK(seen > 40 * MANY / 2);
	change_close(&change);
	mailbox_fini(&answers);
}

TEST_MAIN()
