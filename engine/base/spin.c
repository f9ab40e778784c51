/* SPDX-License-Identifier: MIT */
/*
 * The clock is read all the time while watching. A leap of it means that another thread had our processor meanwhile:
 * then nothing is watched for a tenth of a second.
 */
#include "base/spin.h"

#include <unistd.h>

#define LEAP_NS  ((int64_t)30 * 1000)
#define PAUSE_NS ((int64_t)100 * 1000 * 1000)

void
spin_init(struct spin *spin, const struct clock *clock, int64_t longest_ns)
{
	*spin = (struct spin){ .clock = clock, .longest_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? longest_ns : 0 };
}

static inline void
breathe(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

bool
spin_watch(struct spin *spin, const struct mailbox *box)
{
	if (spin->longest_ns == 0)
		return false;
	int64_t now_ns = clock_mono_ns(spin->clock), usual_ns = spin->usual_ns;
	spin->since_ns = now_ns;
	if (usual_ns > spin->longest_ns || now_ns < spin->again_ns)
		return false;
	int64_t end_ns = now_ns + usual_ns + usual_ns / 2 + LEAP_NS / 2;
	while (now_ns < end_ns) {
		if (mailbox_count(box) != 0)
			return true;
		breathe();
		int64_t before_ns = now_ns;
		now_ns = clock_mono_ns(spin->clock);
		if (now_ns - before_ns > LEAP_NS) {
			spin->again_ns = now_ns + PAUSE_NS;
			break;
		}
	}
	return false;
}

void
spin_end(struct spin *spin)
{
	if (spin->since_ns == 0)
		return;
	int64_t took_ns = clock_mono_ns(spin->clock) - spin->since_ns;
	/* One long silence counts no more than a wait just too long: the next burst is watched again soon. */
	if (took_ns > 2 * spin->longest_ns)
		took_ns = 2 * spin->longest_ns;
	spin->usual_ns += (took_ns - spin->usual_ns) / 8;
	spin->since_ns = 0;
}
