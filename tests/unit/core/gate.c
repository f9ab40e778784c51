/* SPDX-License-Identifier: MIT */
#include "gate.h"

#include <pthread.h>

static struct gate *the_gate;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;

static enum commit_result
commit(struct store *store, struct append **appends, size_t count, struct fault *fault)
{
	struct gate *gate = the_gate;

	pthread_mutex_lock(&lock);
	atomic_fetch_add(&gate->arrived, 1);
	if (count > atomic_load(&gate->largest))
		atomic_store(&gate->largest, count);
	pthread_cond_broadcast(&moved);
	while (atomic_load(&gate->closed))
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
	switch ((enum gate_way)atomic_load(&gate->way)) {
	case GATE_UNKNOWN:
		fault_set(fault, FAULT_UNKNOWN, "sync_failed", "the sync failed");
		return COMMIT_UNKNOWN;
	case GATE_FULL:
		fault_set(fault, FAULT_FULL, "disk_full", "no space is left");
		return COMMIT_NOT_ATTEMPTED;
	case GATE_THROUGH:
		break;
	}
	return gate->behind->commit(store, appends, count, fault);
}

void
gate_put(struct gate *gate, struct store *store)
{
	*gate = (struct gate){ .ops = *store->ops, .behind = store->ops };
	gate->ops.commit = commit;
	the_gate = gate;
	store->ops = &gate->ops;
}

static void
set(struct gate *gate, bool closed)
{
	pthread_mutex_lock(&lock);
	atomic_store(&gate->closed, closed);
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

void
gate_close(struct gate *gate)
{
	set(gate, true);
}

void
gate_open(struct gate *gate)
{
	set(gate, false);
}

void
gate_wait_for(struct gate *gate, size_t arrived)
{
	pthread_mutex_lock(&lock);
	while (atomic_load(&gate->arrived) < arrived)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}
