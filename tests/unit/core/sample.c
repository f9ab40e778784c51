/* SPDX-License-Identifier: MIT */
/* A running engine folds a sample of streams twice: planted leaks are counted and logged, clean rules are not [I7]. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "change.h"
#include "core/inside.h"

#include "support/check.h"

static struct change change;
static const struct variant clean = { .by = "0" };
/* The text of a stream's state says how many events this machine has folded so far. */
static const struct variant leaky = { .by = "0",
				      .fold = "BY = tostring(tonumber(BY) + 1); state.value = tonumber(BY)" };

static void
set_up(const struct variant *variant, uint32_t sample)
{
	change_open(&change, variant, 1);
	change_close_engine(&change);
	change.sample = sample;
	change_reopen(&change, 1);
}

static void
fill(int streams, int events)
{
	char id[16];

	for (int k = 0; k < events; k++)
		for (int i = 0; i < streams; i++) {
			snprintf(id, sizeof(id), "%d", i);
			CHECK_INT(change_command(&change, "first", id, "Add", NULL), OUTCOME_ACCEPTED);
		}
}

static void
wait_for(_Atomic uint64_t *count, uint64_t wanted)
{
	struct mailbox quiet;

	mailbox_init(&quiet, 0, NULL);
	for (int i = 0; i < 20000 && atomic_load(count) < wanted; i++)
		mailbox_wait(&quiet, 1000000);
	mailbox_fini(&quiet);
	CHECK(atomic_load(count) >= wanted);
}

static bool
metric_is(const char *line)
{
	struct buf out;
	bool there;

	buf_init(&out, (size_t)1 << 20);
	engine_metrics(change.engine, &out);
	buf_byte(&out, '\0');
	there = strstr(out.data, line) != NULL;
	buf_fini(&out);
	return there;
}

TEST(streams_that_are_written_are_folded_twice)
{
	struct sampler *sampler;

	set_up(&clean, 10);
	sampler = &change.engine->keeper.sampler;
	fill(5, 4);
	wait_for(&sampler->sampled, 5);
	CHECK(metric_is("\nmoonlog_nondeterminism_total 0\n"));
	change_close(&change);
}

TEST(a_leak_is_counted_and_logged_with_stream_and_event)
{
	struct sampler *sampler;
	char log[] = "/tmp/moonlog-sample-XXXXXX", text[20000] = "";
	int file = mkstemp(log);
	FILE *lines;

	log_setup(file, LOG_INFO, LOG_LOGFMT);
	set_up(&leaky, 10);
	sampler = &change.engine->keeper.sampler;
	fill(5, 4);
	wait_for(&sampler->differing, 1);
	CHECK(!metric_is("\nmoonlog_nondeterminism_total 0\n"));
	change_close(&change);
	log_setup(2, LOG_INFO, LOG_LOGFMT);
	lines = fopen(log, "r");
	CHECK(fread(text, 1, sizeof(text) - 1, lines) > 0);
	fclose(lines);
	unlink(log);
	CHECK(strstr(text, "rules gave two different results for the same events") != NULL);
	CHECK(strstr(text, "stream=first.counter/") != NULL);
	CHECK(strstr(text, "type=Added") != NULL);
}

TEST(none_is_picked_where_none_is_asked_for)
{
	set_up(&leaky, UINT32_MAX);
	fill(5, 4);
	CHECK(!sampler_is_due(&change.engine->keeper.sampler));
	change_close(&change);
}

TEST_MAIN()
