/* SPDX-License-Identifier: MIT */
/*
 * What the watchdog costs a call: the protected door with and without a limit, by turns in one process, and the same
 * under the count hook that stands in for it.
 *
 *   bench_watchdog
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "script/lua/lua_room.h"
#include "script/lua/vm.h"

#define CALLS  200000
#define ROUNDS 15

static int
nothing_body(lua_State *L)
{
	(void)L;
	return 0;
}

static double
nanoseconds(struct vm *vm, uint32_t limit_ms)
{
	struct fault fault;
	int clock = clock_thread_self();
	int64_t before = clock_thread_ns(clock);

	for (int i = 0; i < CALLS; i++)
		if (vm_protect_within(vm, nothing_body, NULL, limit_ms, &fault) != 0)
			exit(1);
	return (double)(clock_thread_ns(clock) - before) / CALLS;
}

int
main(void)
{
	struct vm *watched, *hooked;
	struct fault fault;
	double free_ns = 1e9, watched_ns = 1e9, hooked_ns = 1e9;

	if (vm_new(NULL, NULL, NULL, &hooked, &fault) != 0)
		return 1;
	nanoseconds(hooked, 60000); /* before there is a watchdog: it keeps its hook */
	if (moon_watchdog_start(SIGRTMIN + 5, &fault) != 0 || vm_new(NULL, NULL, NULL, &watched, &fault) != 0)
		return 1;
	for (int round = 0; round < ROUNDS; round++) {
		double none = nanoseconds(watched, 0), some = nanoseconds(watched, 60000),
		       hook = nanoseconds(hooked, 60000);

		free_ns = none < free_ns ? none : free_ns;
		watched_ns = some < watched_ns ? some : watched_ns;
		hooked_ns = hook < hooked_ns ? hook : hooked_ns;
	}
	printf("a call without limit  %6.1f ns\n", free_ns);
	printf("watched               %6.1f ns, %.1f more, %.2f times\n", watched_ns, watched_ns - free_ns,
	       watched_ns / free_ns);
	printf("by the count hook     %6.1f ns, %.1f more\n", hooked_ns, hooked_ns - free_ns);
	vm_free(watched);
	vm_free(hooked);
	moon_watchdog_stop();
	return watched_ns - free_ns > 100;
}
