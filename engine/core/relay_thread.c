/* SPDX-License-Identifier: MIT */
/* A thread for the machine: it sleeps as long as a step says, or until the log grows or an order comes. */
#include "core/relay_inside.h"

#define STOP_NS ((int64_t)5 * 1000 * 1000 * 1000) /* for what is in flight; a successor's fence decides the rest */

static void *
relay_main(void *self)
{
	struct relay *relay = self;
	int64_t stop_ns = 0;

	for (;;) {
		int64_t wait_ns = relay_step(relay), now_ns = clock_mono_ns(relay->options.clock);

		if (relay->phase == PHASE_ENDED)
			return NULL;
		if (atomic_load(&relay->stopping) && stop_ns == 0)
			stop_ns = now_ns + STOP_NS;
		if (stop_ns != 0 && now_ns > stop_ns)
			return NULL;
		if (wait_ns > 0)
			mailbox_wait(&relay->bell, wait_ns == INT64_MAX ? -1 : wait_ns);
	}
}

int
relay_start(struct relay *relay, struct fault *fault)
{
	/* The store gets its name all the same, so that copies made before it is published are known as such. */
	if (!relay->carries) {
		relay_identify(relay);
		return 0;
	}
	int error = pthread_create(&relay->thread, NULL, relay_main, relay);

	if (error != 0)
		return fault_errno(fault, FAULT_AWAY, error, "the relay's thread cannot be started");
	pthread_setname_np(relay->thread, "relay");
	relay->started = true;
	return 0;
}

void
relay_stop(struct relay *relay)
{
	atomic_store(&relay->stopping, true);
	if (!relay->started)
		return;
	mailbox_nudge(&relay->bell);
	pthread_join(relay->thread, NULL);
	relay->started = false;
}
