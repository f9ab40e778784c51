/* SPDX-License-Identifier: MIT */
/* A short table of probes, filled once before threads start; counting is atomic. */
#include "base/probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROBE_MAX 16

struct probe {
	char name[64];
	unsigned long at;
	enum { PROBE_KILL, PROBE_FAIL, PROBE_PAUSE } act;
	unsigned long pause_ms;
	atomic_ulong passed;
};

atomic_bool probe_armed;
bool (*probe_hook)(const char *name);
static struct probe probes[PROBE_MAX];
static size_t probe_count;

static bool
parse_one(char *text)
{
	struct probe *probe = &probes[probe_count];
	char *count = strchr(text, ':'), *act = count != NULL ? strchr(count + 1, ':') : NULL, *end;

	if (act == NULL || probe_count == PROBE_MAX || (size_t)(count - text) >= sizeof(probe->name))
		return false;
	memcpy(probe->name, text, (size_t)(count - text));
	probe->at = strtoul(count + 1, &end, 10);
	if (end != act || probe->at == 0)
		return false;
	act++;
	if (strcmp(act, "kill") == 0)
		probe->act = PROBE_KILL;
	else if (strcmp(act, "fail") == 0)
		probe->act = PROBE_FAIL;
	else if (strncmp(act, "pause_ms=", 9) == 0)
		probe->act = PROBE_PAUSE;
	else
		return false;
	if (probe->act == PROBE_PAUSE) {
		probe->pause_ms = strtoul(act + 9, &end, 10);
		if (end == act + 9 || *end != '\0')
			return false;
	}
	probe_count++;
	return true;
}

int
probe_setup(const char *text)
{
	char copy[1024], *rest = copy, *one;

	if (strlen(text) >= sizeof(copy))
		return -1;
	strcpy(copy, text);
	while ((one = strsep(&rest, ",")) != NULL)
		if (!parse_one(one))
			return -1;
	atomic_store(&probe_armed, probe_count != 0);
	return 0;
}

bool
probe_hit(const char *name)
{
	if (probe_hook != NULL)
		return probe_hook(name);
	for (struct probe *probe = probes; probe < probes + probe_count; probe++) {
		if (strcmp(probe->name, name) != 0 || atomic_fetch_add(&probe->passed, 1) + 1 != probe->at)
			continue;
		if (probe->act == PROBE_KILL)
			kill(getpid(), SIGKILL);
		if (probe->act == PROBE_FAIL)
			return true;
		struct timespec pause = { (time_t)(probe->pause_ms / 1000), (long)(probe->pause_ms % 1000) * 1000000 };
		nanosleep(&pause, NULL);
	}
	return false;
}
