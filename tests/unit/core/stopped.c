/* SPDX-License-Identifier: MIT */
/* Commands that have to be stopped: the breaker, turns between streams, states that their machine dropped. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "core/breaker.h"
#include "core/saying.h"
#include "support/check.h"

#define MANY 40

static struct ask asks[MANY];
static struct mailbox answers;

__attribute__((constructor)) static void
set_up(void)
{
	mailbox_init(&answers, 0, NULL);
}

static const struct engine_limits limits = {
	.workers = 1,
	.script = { .command_ms = 30 },
	.breaker = { .kills = 3, .window_us = 600000000, .pause_us = 300000 },
};

static size_t
count_code(const char *code)
{
	size_t found = 0;

	for (size_t i = 0; i < MANY; i++)
		found += slice_equal(asks[i].command.outcome.code, slice_text(code));
	return found;
}

static bool
status_says(struct rig *rig, const char *part)
{
	struct buf out;
	bool said;

	buf_init(&out, 1 << 20);
	engine_status(rig->engine, &out);
	engine_metrics(rig->engine, &out);
	buf_byte(&out, '\0');
	said = strstr(out.data, part) != NULL;
	buf_fini(&out);
	return said;
}

TEST(too_many_trip_their_domain_until_one_goes_well)
{
	struct rig rig;
	struct ask ask;
	size_t taken;
	bool accepted = false;

	rig_open(&rig, RIG_MEMORY, &limits);
	for (size_t i = 0; i < MANY; i++)
		ask_init(&asks[i], &answers, i % 2 == 0 ? "a" : "b", "Spin", "{}");
	ask_give_all(&rig, asks, MANY, &answers, &taken);
	CHECK_INT(taken, MANY);
	ask_collect(&answers, MANY);
	CHECK_INT(count_code("time_limit") + count_code("domain_tripped"), MANY);
	CHECK(count_code("time_limit") >= 3 && count_code("domain_tripped") >= 20);
	for (size_t i = 0; i < MANY; i++)
		if (slice_equal(asks[i].command.outcome.code, SLICE("domain_tripped"))) {
			CHECK_INT(asks[i].command.outcome.fault.class, FAULT_BUSY);
			CHECK(asks[i].command.outcome.fault.native >= 1); /* seconds to wait */
		}
	CHECK(status_says(&rig, "\"tripped\":true"));
	CHECK(status_says(&rig, "moonlog_domain_tripped{domain=\"tally\"} 1"));
	for (size_t i = 0; i < MANY; i++)
		ask_fini(&asks[i]);
	/* Each try is a probe once the pause is over; bounded by the pause's longest. */
	for (int64_t end = clock_mono_ns(clock_real()) + 30000000000; !accepted && clock_mono_ns(clock_real()) < end;) {
		accepted = ask_once(&rig, &ask, "c", "Put", "{\"by\":1}") == OUTCOME_ACCEPTED;
		ask_fini(&ask);
	}
	CHECK(accepted);
	CHECK(status_says(&rig, "\"tripped\":false"));
	rig_close(&rig);
}

TEST(states_of_a_machine_made_anew_are_loaded_again)
{
	struct rig rig;
	struct ask ask;

	rig_open(&rig, RIG_MEMORY, &limits);
	CHECK_INT(ask_once(&rig, &ask, "a", "Put", "{\"by\":3}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(ask_once(&rig, &ask, "b", "Put", "{\"by\":40}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(ask_once(&rig, &ask, "b", "Spin", "{}"), OUTCOME_FAILED);
	CHECK_TEXT(ask.command.outcome.fault.code, "time_limit");
	ask_fini(&ask);
	CHECK_INT(ask_once(&rig, &ask, "a", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
	CHECK_SLICE(ask.command.outcome.reply, "{\"value\":4}");
	ask_fini(&ask);
	CHECK_INT(ask_once(&rig, &ask, "b", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
	CHECK_SLICE(ask.command.outcome.reply, "{\"value\":41}");
	ask_fini(&ask);
	rig_close(&rig);
}

TEST(a_breaker_by_the_clock)
{
	const struct breaker_limits few = { .kills = 2, .window_us = 1000, .pause_us = 500 };
	struct breaker breaker;
	struct fault fault;
	bool probe;

	breaker_init(&breaker);
	CHECK(!breaker_stopped(&breaker, &few, 1000000));
	CHECK(!breaker_stopped(&breaker, &few, 3000000)); /* the first one's window is over */
	CHECK_INT(breaker_admit(&breaker, &few, 3000001, &probe, &fault), 0);
	CHECK(!probe);
	CHECK(breaker_stopped(&breaker, &few, 3000002));
	CHECK_INT(breaker_admit(&breaker, &few, 3000003, &probe, &fault), -1);
	CHECK_TEXT(fault.code, "domain_tripped");
	CHECK_INT(breaker_admit(&breaker, &few, 3600000, &probe, &fault), 0);
	CHECK(probe);
	CHECK_INT(breaker_admit(&breaker, &few, 3600001, &probe, &fault), -1); /* one at a time */
	CHECK(breaker_stopped(&breaker, &few, 3600002));
	CHECK_INT(breaker_admit(&breaker, &few, 4500000, &probe, &fault), -1); /* twice as long now */
	CHECK_INT(breaker_admit(&breaker, &few, 4700000, &probe, &fault), 0);
	CHECK(probe);
	CHECK(breaker_probed(&breaker));
	CHECK(!breaker_probed(&breaker));
	CHECK(!breaker_is_open(&breaker));
	CHECK_INT(breaker_admit(&breaker, &few, 4700001, &probe, &fault), 0);
	CHECK(!probe);
	CHECK_INT(atomic_load(&breaker.trips), 2);
	CHECK(!breaker_stopped(&breaker, &few, 9000000));
	CHECK(breaker_stopped(&breaker, &few, 9000001));
	breaker_renewed(&breaker); /* other rules */
	CHECK_INT(breaker_admit(&breaker, &few, 9000002, &probe, &fault), 0);
	CHECK(probe);
	CHECK_INT(breaker_admit(&breaker, &few, 9000003, &probe, &fault), -1);
	CHECK(breaker_stopped(&breaker, &few, 9000004));
	breaker_fini(&breaker);
}

TEST(what_rules_say_is_so_many_lines_a_second)
{
	static struct saying saying;
	const int64_t second_ns = 1000000000;
	struct slice one = SLICE("one"), two = SLICE("two");

	for (int i = 0; i < SAYING_LINES; i++)
		CHECK_INT(saying_admit(&saying, one, 5 * second_ns + i), SAYING_TAKEN);
	CHECK_INT(saying_admit(&saying, one, 6 * second_ns - 1), SAYING_FIRST_LEFT_OUT);
	CHECK_INT(saying_admit(&saying, one, 6 * second_ns - 1), SAYING_LEFT_OUT);
	CHECK_INT(saying_admit(&saying, two, 6 * second_ns - 1), SAYING_TAKEN);
	CHECK_INT(saying_admit(&saying, one, 6 * second_ns), SAYING_TAKEN);
}

TEST(a_long_text_is_cut_where_the_line_has_no_room)
{
	static char text[9000];

	CHECK_SLICE(saying_cut(SLICE("short \xc3\xa9")), "short \xc3\xa9");
	memset(text, 'x', sizeof(text));
	CHECK_INT(saying_cut(slice_from(text, sizeof(text))).size, SAYING_BYTES);
	memset(text, '"', sizeof(text));
	CHECK_INT(saying_cut(slice_from(text, sizeof(text))).size, SAYING_BYTES / 2);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "\xe2\x82\xac"[i % 3];
	CHECK_INT(saying_cut(slice_from(text, sizeof(text))).size, SAYING_BYTES / 3 * 3);
}

/* A rule that talks without end takes no disk with it. */
TEST(rules_that_talk_without_end_are_cut_short)
{
	struct rig rig;
	struct ask ask;
	char name[] = "/tmp/moonlog-saying-XXXXXX", line[400];
	int file = mkstemp(name), lines = 0, told = 0;

	log_setup(file, LOG_INFO, LOG_LOGFMT);
	rig_open(&rig, RIG_MEMORY, NULL);
	CHECK_INT(ask_once(&rig, &ask, "a", "Talk", "{\"lines\":20000}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	rig_close(&rig);
	log_setup(2, LOG_INFO, LOG_LOGFMT);
	FILE *log = fopen(name, "r");
	while (fgets(line, sizeof(line), log) != NULL) {
		lines += strstr(line, "msg=script domain=tally text=\"line\\u0009") != NULL;
		told += strstr(line, "rules say too much") != NULL;
	}
	fclose(log);
	unlink(name);
	CHECK(lines >= SAYING_LINES && lines < 20000);
	CHECK(told >= 1);
}

TEST_MAIN()
