/* SPDX-License-Identifier: MIT */
/*
 *   closed --kills within the window--> open --pause over, one command let through--> probing
 *   probing --it goes well--> closed      probing --it is stopped--> open, twice as long
 *
 * Probing is open for one more pause: a probe that never came to a decision (its stream was missing, say) is simply
 * followed by another. A closed breaker costs a command one load.
 */
#include "core/breaker.h"

#define KILLS         5
#define WINDOW_US     10000000
#define PAUSE_US      2000000
#define DOUBLINGS_MAX 4
#define SECOND_NS     INT64_C(1000000000)

static int64_t
pause_ns(const struct breaker *breaker, const struct breaker_limits *limits)
{
	return (limits->pause_us != 0 ? limits->pause_us : PAUSE_US) * 1000 << breaker->doublings;
}

void
breaker_init(struct breaker *breaker)
{
	*breaker = (struct breaker){ 0 };
	must(pthread_mutex_init(&breaker->lock, NULL) == 0);
}

void
breaker_fini(struct breaker *breaker)
{
	pthread_mutex_destroy(&breaker->lock);
}

int
breaker_admit(struct breaker *breaker, const struct breaker_limits *limits, int64_t now_ns, bool *probe,
	      struct fault *fault)
{
	*probe = false;
	if (!breaker_is_open(breaker))
		return 0;
	pthread_mutex_lock(&breaker->lock);
	int64_t until_ns = atomic_load(&breaker->open_until_ns);
	bool admitted = now_ns >= until_ns;
	*probe = admitted && until_ns != 0;
	if (*probe)
		atomic_store(&breaker->open_until_ns, now_ns + pause_ns(breaker, limits));
	pthread_mutex_unlock(&breaker->lock);
	if (admitted)
		return 0;
	atomic_fetch_add(&breaker->turned_away, 1);
	fault_set(fault, FAULT_BUSY, "domain_tripped",
		  "commands of this domain had to be stopped too often; all are turned away for %lld ms",
		  (long long)((until_ns - now_ns) / 1000000));
	fault->native = (int)((until_ns - now_ns + SECOND_NS - 1) / SECOND_NS);
	return -1;
}

bool
breaker_counts(const struct fault *fault)
{
	return fault->class == FAULT_SCRIPT &&
	       (strcmp(fault->code, "time_limit") == 0 || strcmp(fault->code, "memory_limit") == 0);
}

bool
breaker_stopped(struct breaker *breaker, const struct breaker_limits *limits, int64_t now_ns)
{
	int64_t window_ns = (limits->window_us != 0 ? limits->window_us : WINDOW_US) * 1000;
	bool trips;

	atomic_fetch_add(&breaker->stopped, 1);
	pthread_mutex_lock(&breaker->lock);
	bool probing = atomic_load(&breaker->open_until_ns) != 0;
	if (breaker->kills == 0 || now_ns - breaker->since_ns > window_ns) {
		breaker->kills = 0;
		breaker->since_ns = now_ns;
	}
	breaker->kills++;
	trips = probing || breaker->kills >= (limits->kills != 0 ? limits->kills : KILLS);
	if (probing && breaker->doublings < DOUBLINGS_MAX)
		breaker->doublings++;
	if (trips) {
		atomic_fetch_add(&breaker->trips, 1);
		atomic_store(&breaker->open_until_ns, now_ns + pause_ns(breaker, limits));
	}
	pthread_mutex_unlock(&breaker->lock);
	return trips;
}

bool
breaker_probed(struct breaker *breaker)
{
	pthread_mutex_lock(&breaker->lock);
	breaker->kills = breaker->doublings = 0;
	bool closed = atomic_exchange(&breaker->open_until_ns, 0) != 0;
	pthread_mutex_unlock(&breaker->lock);
	return closed;
}

void
breaker_renewed(struct breaker *breaker)
{
	pthread_mutex_lock(&breaker->lock);
	breaker->kills = breaker->doublings = 0;
	if (atomic_load(&breaker->open_until_ns) != 0)
		atomic_store(&breaker->open_until_ns, 1);
	pthread_mutex_unlock(&breaker->lock);
}
