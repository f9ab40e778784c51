/* SPDX-License-Identifier: MIT */
/*
 * A list under a mutex. Wakers are copied out and called without the lock; whoever removes a watch waits until no call
 * is under way, so that the watch may be freed afterwards. With nobody armed an announcement is one load.
 */
#include "core/watch.h"

#define AT_ONCE 32

void
watch_init(struct watch_list *list)
{
	must(pthread_mutex_init(&list->lock, NULL) == 0);
	must(pthread_cond_init(&list->quiet, NULL) == 0);
}

void
watch_fini(struct watch_list *list)
{
	must(list->first == NULL);
	pthread_cond_destroy(&list->quiet);
	pthread_mutex_destroy(&list->lock);
}

void
watch_add(struct watch_list *list, struct engine_watch *watch)
{
	pthread_mutex_lock(&list->lock);
	watch->armed = false;
	watch->next = list->first;
	list->first = watch;
	pthread_mutex_unlock(&list->lock);
}

void
watch_arm(struct watch_list *list, struct engine_watch *watch)
{
	pthread_mutex_lock(&list->lock);
	if (!watch->armed)
		atomic_fetch_add(&list->armed, 1);
	watch->armed = true;
	pthread_mutex_unlock(&list->lock);
}

void
watch_remove(struct watch_list *list, struct engine_watch *watch)
{
	struct engine_watch **place = &list->first;

	pthread_mutex_lock(&list->lock);
	while (*place != NULL && *place != watch)
		place = &(*place)->next;
	if (*place == watch) {
		*place = watch->next;
		if (watch->armed)
			atomic_fetch_sub(&list->armed, 1);
		watch->armed = false;
	}
	while (list->waking != 0)
		pthread_cond_wait(&list->quiet, &list->lock);
	pthread_mutex_unlock(&list->lock);
}

/* Up to AT_ONCE wakers of armed watches, which are armed no longer. */
static size_t
disarm_some(struct watch_list *list, struct waker *wakers)
{
	size_t count = 0;

	for (struct engine_watch *watch = list->first; watch != NULL && count < AT_ONCE; watch = watch->next) {
		if (!watch->armed)
			continue;
		watch->armed = false;
		atomic_fetch_sub(&list->armed, 1);
		wakers[count++] = watch->waker;
	}
	return count;
}

void
watch_announce(struct watch_list *list)
{
	struct waker wakers[AT_ONCE];
	size_t count;

	/* The head was stored before; a read-modify-write is not moved before that store, as a load might be. So who
	 * arms first and looks at the head then misses nothing. */
	if (atomic_fetch_add(&list->armed, 0) == 0)
		return;
	do {
		pthread_mutex_lock(&list->lock);
		count = disarm_some(list, wakers);
		list->waking++;
		pthread_mutex_unlock(&list->lock);
		for (size_t i = 0; i < count; i++)
			wakers[i].wake(wakers[i].self);
		pthread_mutex_lock(&list->lock);
		if (--list->waking == 0)
			pthread_cond_broadcast(&list->quiet);
		pthread_mutex_unlock(&list->lock);
	} while (count == AT_ONCE);
}
