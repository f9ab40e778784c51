/* SPDX-License-Identifier: MIT */
/* Those who want to know when the log has grown: tails and subscriptions. */
#ifndef MOONLOG_CORE_WATCH_H
#define MOONLOG_CORE_WATCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/engine.h"

struct watch_list {
	pthread_mutex_t lock;
	pthread_cond_t quiet;
	struct engine_watch *first;
	_Atomic size_t armed;
	unsigned waking; /* threads that call wakers just now */
};

void watch_init(struct watch_list *list);
void watch_fini(struct watch_list *list);
void watch_add(struct watch_list *list, struct engine_watch *watch);
void watch_arm(struct watch_list *list, struct engine_watch *watch);
/* Returns when its waker is not being called and will not be called again. Not from a waker. */
void watch_remove(struct watch_list *list, struct engine_watch *watch);
/* The head has moved: wakes every armed one, once. Any thread. */
void watch_announce(struct watch_list *list);

#endif
