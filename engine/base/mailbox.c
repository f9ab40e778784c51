/* SPDX-License-Identifier: MIT */
/*
 * A linked list under a mutex. Giving costs one short lock; a wake-up is made only when the box was empty, and a signal
 * only when the taker sleeps. The signal is sent under the lock, so that a taker may end the box as soon as it has what
 * it waited for (a box on the stack of a blocking call); the waker is called without it [I11] and must outlive its
 * givers.
 */
#include "base/mailbox.h"

#include <errno.h>
#include <time.h>

#include "base/fault.h"

void
mailbox_init(struct mailbox *box, size_t limit, const struct waker *waker)
{
	pthread_condattr_t monotonic;

	*box = (struct mailbox){ .limit = limit };
	if (waker != NULL)
		box->waker = *waker;
	box->last = &box->first;
	must(pthread_mutex_init(&box->lock, NULL) == 0);
	must(pthread_condattr_init(&monotonic) == 0);
	must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&box->filled, &monotonic) == 0);
	pthread_condattr_destroy(&monotonic);
}

void
mailbox_fini(struct mailbox *box)
{
	pthread_cond_destroy(&box->filled);
	pthread_mutex_destroy(&box->lock);
}

/* Ends the caller's hold of the lock; from here on the box may be gone. */
static void
unlock_and_wake(struct mailbox *box, bool call)
{
	const struct waker waker = box->waker;

	if (box->sleeping)
		pthread_cond_signal(&box->filled);
	box->sleeping = false;
	pthread_mutex_unlock(&box->lock);
	if (call && waker.wake != NULL)
		waker.wake(waker.self);
}

bool
mailbox_give_all(struct mailbox *box, struct mail *first, size_t count)
{
	struct mail *last = first;

	for (size_t i = 1; i < count; i++)
		last = last->next;
	pthread_mutex_lock(&box->lock);
	if (box->closed || (box->limit != 0 && box->count + count > box->limit)) {
		pthread_mutex_unlock(&box->lock);
		return false;
	}
	bool was_empty = box->first == NULL;
	last->next = NULL;
	*box->last = first;
	box->last = &last->next;
	box->count += count;
	unlock_and_wake(box, was_empty);
	return true;
}

bool
mailbox_give(struct mailbox *box, struct mail *mail)
{
	return mailbox_give_all(box, mail, 1);
}

static struct mail *
take_locked(struct mailbox *box)
{
	struct mail *all = box->first;

	box->first = NULL;
	box->last = &box->first;
	box->count = 0;
	return all;
}

struct mail *
mailbox_take(struct mailbox *box)
{
	if (mailbox_count(box) == 0)
		return NULL;
	pthread_mutex_lock(&box->lock);
	struct mail *all = take_locked(box);
	pthread_mutex_unlock(&box->lock);
	return all;
}

static struct timespec
deadline_after(int64_t timeout_ns)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(timeout_ns / 1000000000);
	at.tv_nsec += (long)(timeout_ns % 1000000000);
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

struct mail *
mailbox_wait(struct mailbox *box, int64_t timeout_ns)
{
	struct timespec deadline = { 0, 0 };

	if (timeout_ns > 0)
		deadline = deadline_after(timeout_ns);
	pthread_mutex_lock(&box->lock);
	if (box->first == NULL && !box->closed && !box->nudged && timeout_ns != 0) {
		/* Whoever wakes us clears `sleeping`: that is also how a nudge is told from a spurious wake-up. */
		box->sleeping = true;
		int waited = 0;
		while (box->sleeping && waited != ETIMEDOUT)
			waited = timeout_ns < 0 ? pthread_cond_wait(&box->filled, &box->lock)
						: pthread_cond_timedwait(&box->filled, &box->lock, &deadline);
		box->sleeping = false;
	}
	box->nudged = false;
	struct mail *all = take_locked(box);
	pthread_mutex_unlock(&box->lock);
	return all;
}

void
mailbox_nudge(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	box->nudged = true;
	unlock_and_wake(box, true);
}

void
mailbox_close(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	box->closed = true;
	unlock_and_wake(box, true);
}

bool
mailbox_is_closed(const struct mailbox *box)
{
	return atomic_load(&box->closed);
}

size_t
mailbox_count(const struct mailbox *box)
{
	return atomic_load(&box->count);
}
