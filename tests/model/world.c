/* SPDX-License-Identifier: MIT */
#include "model/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/probe.h"

static struct world *present; /* of the probes: one world is open at a time */

/* ---- chance and time ---- */

static uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

uint64_t
world_chance(struct world *world, uint64_t below)
{
	uint64_t a = world->chance[0], b = world->chance[1], sum = a + b;

	b ^= a;
	world->chance[0] = rotate(a, 24) ^ b ^ b << 16;
	world->chance[1] = rotate(b, 37);
	return (uint64_t)(((unsigned __int128)sum * below) >> 64);
}

static int64_t
wall_us(void *self)
{
	return ((struct world *)self)->now_us;
}

static int64_t
mono_ns(void *self)
{
	return ((struct world *)self)->now_us * 1000;
}

static bool
on_probe(const char *name)
{
	if (present != NULL && present->running != NULL)
		process_point(present->running, name);
	return false;
}

void
world_open(struct world *world, uint64_t seed, struct point_count *points)
{
	*world = (struct world){ .now_us = INT64_C(1767225600000000), .points = points };
	world->chance[0] = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	world->chance[1] = seed ^ UINT64_C(0xd1b54a32d192ed03);
	for (int i = 0; i < 8; i++)
		world_chance(world, 2);
	world->clock = (struct clock){ wall_us, mono_ns, world };
	entropy_seed(&world->entropy, seed);
	cluster_open(&world->cluster);
	present = world;
	probe_hook = on_probe;
	atomic_store(&probe_armed, true);
}

void
world_close(struct world *world)
{
	present = NULL;
	cluster_close(&world->cluster);
}

void
world_say(struct world *world, const char *format, ...)
{
	va_list args;

	if (!world->trace)
		return;
	va_start(args, format);
	printf("%10.3f ms  ", (double)(world->now_us - INT64_C(1767225600000000)) / 1e3);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

/* ---- processes ---- */

bool
process_point(struct process *process, const char *name)
{
	struct point_count *point = process->world->points;

	if (process->dead)
		return false;
	while (point->name != NULL && strcmp(point->name, name) != 0)
		point++;
	must(point < process->world->points + POINTS_MAX - 1);
	point->name = name;
	point->passed++;
	if (process->fuse == 0 || --process->fuse != 0)
		return true;
	point->died++;
	process->dead = true;
	world_say(process->world, "%s dies at %s", process->name, name);
	return false;
}

bool
process_reaches(struct process *process)
{
	struct world *world = process->world;

	return process_point(process, "request") && !world->away && !world_odds(world, world->lost_requests);
}

bool
process_hears(struct process *process)
{
	return process_point(process, "answer") && !world_odds(process->world, process->world->lost_answers);
}

int
process_commit(void *self, struct append *append, struct fault *fault)
{
	struct process *process = self;
	struct append *appends[1] = { append };

	if (!process_point(process, "store.before_commit") || process->store_away)
		return fault_set(fault, FAULT_AWAY, "store_away", "the store cannot be reached");
	if (store_commit(process->store, appends, 1, fault) != COMMIT_DONE)
		return -1;
	if (!process_point(process, "store.after_commit"))
		return fault_set(fault, FAULT_UNKNOWN, "dead", "the process is dead");
	if (append->answer != APPEND_FAILED)
		return 0;
	*fault = append->fault;
	return -1;
}
