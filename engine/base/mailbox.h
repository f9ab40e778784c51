/* SPDX-License-Identifier: MIT */
/*
 * The only hand-over between threads: a bounded first-in first-out queue of messages that many give and one takes.
 * A message is embedded in what it carries (container_of), so giving cannot fail for memory; whoever holds it owns it.
 *
 * The waker tells the taking thread that its box is no longer empty. It is a function so that a libevent loop, a
 * sleeping thread and a simulation's run queue can all stand behind one box.
 */
#ifndef MOONLOG_BASE_MAILBOX_H
#define MOONLOG_BASE_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mail {
	struct mail *next;
};

struct waker {
	void (*wake)(void *self); /* may be called from any thread, holding no lock of ours; must not block */
	void *self;
};

struct mailbox {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct mail *first;
	struct mail **last;
	_Atomic size_t count; /* changed under the lock, looked at without */
	size_t limit;
	_Atomic bool closed;
	bool sleeping; /* the taker waits in mailbox_wait */
	bool nudged;   /* the next wait returns at once */
	struct waker waker;
};

/* limit: messages held at most; 0 = no limit (replies whose number is bounded elsewhere). `waker` may be NULL. */
void mailbox_init(struct mailbox *box, size_t limit, const struct waker *waker);
void mailbox_fini(struct mailbox *box);
/* Gives the message away. false when full or closed: the caller still owns it. Any thread. */
bool mailbox_give(struct mailbox *box, struct mail *mail);
/* The same for `count` of them from `first` on, linked by `next`, in order and with one wake-up; all or none. */
bool mailbox_give_all(struct mailbox *box, struct mail *first, size_t count);
/* Takes all that is there, oldest first, linked by `next`; NULL when empty. Does not wait. The taker only. */
struct mail *mailbox_take(struct mailbox *box);
/*
 * The same, after waiting up to timeout_ns (< 0 = for ever) for a first message; NULL on time-out or when closed and
 * empty.
 */
struct mail *mailbox_wait(struct mailbox *box, int64_t timeout_ns);
/* Wakes a taker that waits, as if a message had come; one that does not wait yet finds its next wait over at once. */
void mailbox_nudge(struct mailbox *box);
/* No more gives; what is inside can still be taken. */
void mailbox_close(struct mailbox *box);
bool mailbox_is_closed(const struct mailbox *box);
/* Costs no lock. What was given before by somebody of whom the caller has heard is counted. */
size_t mailbox_count(const struct mailbox *box);

#endif
