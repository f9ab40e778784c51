/* SPDX-License-Identifier: MIT */
/*
 * The clock is read all the time while watching. A leap of it means that another thread had our processor meanwhile:
 * then nothing is watched for a while.
 */
#include "base/spin.h"

#include <unistd.h>

#define LEAP_NS  ((int64_t)100 * 1000)
#define PAUSE_NS ((int64_t)50 * 1000 * 1000)
#define SLACK_NS ((int64_t)15 * 1000)

/* Of the whole process: one processor is always left to those who work. */
static _Atomic long watching;

void
spin_init(struct spin *spin, const struct clock *clock, int64_t longest_ns)
{
	*spin = (struct spin){ .clock = clock, .longest_ns = longest_ns, .room = sysconf(_SC_NPROCESSORS_ONLN) - 1 };
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

static bool
watch(struct spin *spin, const struct mailbox *box)
{
	int64_t now_ns = spin->since_ns, before_ns = now_ns;
	int64_t end_ns = now_ns + spin->usual_ns + spin->usual_ns / 2 + SLACK_NS;

	while (mailbox_count(box) == 0) {
		breathe();
		now_ns = clock_mono_ns(spin->clock);
		if (now_ns - before_ns > LEAP_NS)
			spin->again_ns = now_ns + PAUSE_NS;
		if (now_ns - before_ns > LEAP_NS || now_ns > end_ns)
			return false;
		before_ns = now_ns;
	}
	return true;
}

bool
spin_watch(struct spin *spin, const struct mailbox *box)
{
	bool came = false;

	spin->since_ns = clock_mono_ns(spin->clock);
	if (spin->usual_ns > spin->longest_ns || spin->since_ns < spin->again_ns)
		return false;
	if (atomic_fetch_add(&watching, 1) < spin->room)
		came = watch(spin, box);
	atomic_fetch_sub(&watching, 1);
	return came;
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
