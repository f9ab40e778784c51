/* SPDX-License-Identifier: MIT */
/*
 * run [--schedules N] [--seed N] [--sabotage NAME] [--trace]
 *
 * Runs schedules of the seeds N, N + 1, ... With --seed alone it is that one seed, twice: both must come to the same,
 * bit for bit. The first seed that fails is printed, and makes the exit code 1. With --sabotage a failure is what is
 * wanted: the exit code is 0 when one was found, and 1 when the fault that was put in went unseen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "model/schedule.h"

struct run {
	uint64_t seed;
	unsigned long schedules;
	bool trace, sabotaged;
	struct sabotage sabotage;
	struct point_count points[POINTS_MAX];
};

static bool
parse_sabotage(const char *name, struct sabotage *sabotage)
{
	sabotage->swap = strcmp(name, "swap") == 0;
	sabotage->loose_mark = strcmp(name, "loose_mark") == 0;
	sabotage->no_fencing = strcmp(name, "no_fencing") == 0;
	sabotage->no_compare = strcmp(name, "no_compare_and_set") == 0;
	sabotage->no_inbox = strcmp(name, "no_inbox") == 0;
	sabotage->group_place = strcmp(name, "group_place") == 0;
	return sabotage->swap || sabotage->loose_mark || sabotage->no_fencing || sabotage->no_compare ||
	       sabotage->no_inbox || sabotage->group_place;
}

static bool
parse(int argc, char **argv, struct run *run)
{
	bool seeded = false, counted = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0) {
			run->trace = true;
		} else if (i + 1 < argc && strcmp(argv[i], "--schedules") == 0) {
			run->schedules = strtoul(argv[++i], NULL, 10);
			counted = true;
		} else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
			run->seed = strtoull(argv[++i], NULL, 10);
			seeded = true;
		} else if (i + 1 < argc && strcmp(argv[i], "--sabotage") == 0 &&
			   parse_sabotage(argv[i + 1], &run->sabotage)) {
			run->sabotaged = true;
			i++;
		} else {
			return false;
		}
	}
	if (seeded && !counted)
		run->schedules = 1;
	return run->schedules != 0;
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Every point of the protocol was passed, and something died at it. */
static bool
print_points(const struct run *run)
{
	bool all = true;

	for (const struct point_count *point = run->points; point->name != NULL; point++) {
		printf("  %-24s passed %9lu times, died there %6lu\n", point->name, point->passed, point->died);
		all = all && (point->died != 0 || strcmp(point->name, "relay.after_stop") == 0);
	}
	return all;
}

int
main(int argc, char **argv)
{
	static struct run run = { .seed = 1, .schedules = 1000 };
	unsigned long deaths = 0, entries = 0, messages = 0, stops = 0, taken = 0, kinds[SCHEDULE_KINDS] = { 0 };
	struct schedule_result result, again;
	double began;

	if (!parse(argc, argv, &run)) {
		fprintf(stderr, "usage: run [--schedules N] [--seed N] [--trace] [--sabotage "
				"swap|loose_mark|no_fencing|no_compare_and_set|no_inbox|group_place]\n");
		return 2;
	}
	log_setup(2, run.trace ? LOG_INFO : LOG_OFF, LOG_LOGFMT);
	began = seconds();
	for (unsigned long i = 0; i < run.schedules; i++) {
		schedule_run(run.seed + i, &run.sabotage, run.points, run.trace, &result);
		deaths += result.deaths;
		entries += result.entries;
		messages += result.messages;
		stops += result.stops;
		taken += result.taken;
		kinds[result.kind]++;
		if (result.failed) {
			printf("seed %llu: %s\n", (unsigned long long)run.seed + i, result.reason);
			return run.sabotaged ? 0 : 1;
		}
		if (i % 100 != 0)
			continue;
		schedule_run(run.seed + i, &run.sabotage, run.points, false, &again);
		if (again.digest != result.digest) {
			printf("seed %llu: another run of it came to something else\n",
			       (unsigned long long)run.seed + i);
			return 1;
		}
	}
	began = seconds() - began;
	printf("%lu schedules well (%lu alone, %lu copied, %lu shared, %lu restored, %lu idempotent) in %.1f s, %.0f a "
	       "second\n",
	       run.schedules, kinds[0], kinds[1], kinds[2], kinds[3], kinds[4], began, (double)run.schedules / began);
	printf("%lu deaths, %lu entries, %lu messages, %lu relays stopped for good; consumers took %lu messages\n",
	       deaths, entries, messages, stops, taken);
	if (run.schedules >= 1000 && !print_points(&run)) {
		printf("some point was never died at\n");
		return 1;
	}
	return run.sabotaged ? 1 : 0;
}
