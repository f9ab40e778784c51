/* SPDX-License-Identifier: MIT */
/*
 * A sync costs nearly the same for one append and for thirty. So the thread waits a moment for about as many appends as
 * were under way last time, but no longer than a commit takes; when that was one, there is no wait and no thread: the
 * worker that decided the command commits it.
 *
 * Promises: one store_commit at a time; every append given in comes back exactly once; an append that waits is
 * committed without anybody's help, because whoever gives the role up looks at the queue again afterwards.
 *
 * Fails: a group that was not attempted comes back with the store's fault. After an unknown outcome the group comes
 * back UNKNOWN, and everything behind it AWAY "not_attempted": the store takes no more, and the daemon ends [I5].
 */
#include "core/committer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/log.h"

#define GATHER_MOST_NS ((int64_t)1000 * 1000)
#define REST_AFTER_NS  ((int64_t)20 * 1000 * 1000)
#define REST_EVERY_NS  ((int64_t)100 * 1000 * 1000)

/* Recorded times follow the wall clock and never go back: who reads them later must be able to find out why. */
static void
look_at_clock(struct committer *committer)
{
	char expected[CLOCK_TEXT_SIZE], now[CLOCK_TEXT_SIZE];
	int64_t expected_us, now_us;

	if (!clock_jumped(&committer->watch, committer->clock, &expected_us, &now_us))
		return;
	clock_format(expected_us, expected);
	clock_format(now_us, now);
	log_line(LOG_WARN,
		 now_us > expected_us ? "the wall clock jumped ahead: recorded times go with it"
				      : "the wall clock went back: recorded times stand still until it has caught up",
		 log_text("expected", expected), log_text("now", now),
		 log_int("seconds", (now_us - expected_us) / 1000000));
}

int
committer_open(struct committer *committer, struct store *store, const struct clock *clock, size_t group_limit,
	       struct fault *fault)
{
	committer->store = store;
	committer->clock = clock;
	committer->group_limit = group_limit;
	committer->group = calloc(group_limit, sizeof(struct append *));
	if (committer->group == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a group of %zu appends", group_limit);
	look_at_clock(committer);
	mailbox_init(&committer->queue, 0, NULL);
	mailbox_init(&committer->bell, 0, NULL);
	return 0;
}

void
committer_close(struct committer *committer)
{
	if (committer->group == NULL)
		return;
	mailbox_fini(&committer->queue);
	mailbox_fini(&committer->bell);
	free(committer->group);
}

void
committer_give(struct committer *committer, struct submission *submission)
{
	must(mailbox_give(&committer->queue, &submission->mail));
}

bool
committer_is_lonely(struct committer *committer)
{
	return atomic_load_explicit(&committer->about, memory_order_relaxed) <= 1;
}

/* How many of those under way are worth waiting for; the last ones may be slow. */
static size_t
enough(struct committer *committer)
{
	size_t about = atomic_load_explicit(&committer->about, memory_order_relaxed);

	return about <= 4 ? about : about - about / 6;
}

void
committer_ring(struct committer *committer)
{
	if (atomic_load(&committer->gathering) && mailbox_count(&committer->queue) < enough(committer))
		return;
	/* A closed bell: the thread is ending, and its contract says that nothing waits any more. */
	if (!atomic_exchange(&committer->rung, true))
		mailbox_give(&committer->bell, &committer->ring);
}

static bool
take_role(struct committer *committer)
{
	bool free_now = false;

	return atomic_compare_exchange_strong(&committer->held, &free_now, true);
}

/* Up to a group's worth of what waits, oldest first. Gives the submissions linked by `mail.next`. */
static struct mail *
take_group(struct committer *committer, size_t *count)
{
	struct mail *first, *last = NULL;

	if (committer->pending == NULL)
		committer->pending = mailbox_take(&committer->queue);
	first = committer->pending;
	*count = 0;
	while (committer->pending != NULL && *count < committer->group_limit) {
		last = committer->pending;
		committer->group[(*count)++] = &container_of(last, struct submission, mail)->append;
		committer->pending = last->next;
	}
	if (last != NULL)
		last->next = NULL;
	return first;
}

/* Once when it begins and once when it is over, however many commands are turned away meanwhile. */
static void
tell(struct committer *committer, enum commit_result result, const struct fault *fault)
{
	bool refused = result == COMMIT_NOT_ATTEMPTED;

	if (result == COMMIT_UNKNOWN || refused == committer->refused)
		return;
	committer->refused = refused;
	if (refused)
		log_fault(LOG_ERROR, "the store takes no commits for now: commands are turned away", fault);
	else
		log_line(LOG_INFO, "the store takes commits again");
}

static enum commit_result
commit_group(struct committer *committer, size_t count, struct fault *fault)
{
	int64_t begin_ns = clock_mono_ns(committer->clock), took_ns;
	enum commit_result result;

	if (committer->fatal) {
		fault_set(fault, FAULT_AWAY, "not_attempted", "the store takes no more commits after a failed sync");
		return COMMIT_NOT_ATTEMPTED;
	}
	look_at_clock(committer);
	result = store_commit(committer->store, committer->group, count, fault);
	if (result == COMMIT_UNKNOWN) {
		fault->class = FAULT_UNKNOWN;
		snprintf(fault->code, sizeof(fault->code), "outcome_unknown");
		committer->fatal = true;
		atomic_store(&committer->failed, true);
	}
	tell(committer, result, fault);
	took_ns = atomic_load_explicit(&committer->took_ns, memory_order_relaxed);
	took_ns += (clock_mono_ns(committer->clock) - begin_ns - took_ns) / 4;
	atomic_store_explicit(&committer->took_ns, took_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&committer->groups, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&committer->appends, count, memory_order_relaxed);
	return result;
}

/* Takes what belongs to the first one's home out of *list; gives it, in order, as what goes back there. */
static struct mail *
take_home(struct mail **list, struct mailbox **home, size_t *count)
{
	struct mail *first = NULL, **last = &first, *rest = *list, **kept = list;

	*home = container_of(rest, struct submission, mail)->home;
	*count = 0;
	while (rest != NULL) {
		struct submission *submission = container_of(rest, struct submission, mail);

		rest = rest->next;
		if (submission->home == *home) {
			*last = submission->back;
			last = &submission->back->next;
			++*count;
		} else {
			*kept = &submission->mail;
			kept = &submission->mail.next;
		}
	}
	*last = *kept = NULL;
	return first;
}

/* Each home hears once of all that is its own. */
static void
hand_out(struct mail *list, enum commit_result result, const struct fault *fault, struct mailbox *home,
	 struct mail **mine)
{
	for (struct mail *mail = list; mail != NULL; mail = mail->next) {
		struct submission *submission = container_of(mail, struct submission, mail);

		submission->result = result;
		if (result != COMMIT_DONE)
			submission->fault = *fault;
	}
	while (list != NULL) {
		struct mailbox *to;
		size_t count;
		struct mail *first = take_home(&list, &to, &count);

		if (to == home)
			*mine = first;
		else
			must(mailbox_give_all(to, first, count));
	}
}

/* A bite of the store's housekeeping now and then, also under load that never rests. */
static void
rest(struct committer *committer, int64_t now_ns)
{
	committer->rested_ns = now_ns;
	if (committer->fatal || !store_idle(committer->store))
		atomic_store(&committer->restless, false);
}

bool
committer_try(struct committer *committer, struct mailbox *home, struct mail **mine)
{
	struct fault fault;
	enum commit_result result;
	struct mail *list;
	size_t count;
	bool more;

	if (!take_role(committer))
		return false;
	list = take_group(committer, &count);
	if (list != NULL) {
		fault_clear(&fault);
		result = commit_group(committer, count, &fault);
		atomic_store(&committer->about, count + mailbox_count(&committer->queue));
		hand_out(list, result, &fault, home, mine);
	}
	more = committer->pending != NULL;
	atomic_store(&committer->held, false);
	if (more || mailbox_count(&committer->queue) != 0)
		committer_ring(committer);
	if (list != NULL && !atomic_exchange_explicit(&committer->restless, true, memory_order_relaxed))
		committer_ring(committer);
	return list != NULL;
}

int
committer_wait(struct committer *committer, struct append *append, struct fault *fault)
{
	struct mail back = { 0 };
	struct mailbox home;
	struct submission submission = { .append = *append, .home = &home, .back = &back };

	mailbox_init(&home, 0, NULL);
	committer_give(committer, &submission);
	committer_ring(committer);
	while (mailbox_wait(&home, -1) == NULL)
		;
	mailbox_fini(&home);
	*append = submission.append;
	if (submission.result == COMMIT_DONE && append->answer != APPEND_FAILED)
		return 0;
	if (fault != NULL)
		*fault = submission.result == COMMIT_DONE ? append->fault : submission.fault;
	return -1;
}

static void
housekeeping(struct committer *committer, bool idle)
{
	int64_t now_ns = clock_mono_ns(committer->clock);

	if (!atomic_load(&committer->restless) || (!idle && now_ns - committer->rested_ns < REST_EVERY_NS))
		return;
	if (!take_role(committer))
		return;
	rest(committer, now_ns);
	atomic_store(&committer->held, false);
	/* Whoever came meanwhile found the role taken and went to sleep. */
	if (mailbox_count(&committer->queue) != 0)
		committer_ring(committer);
}

/* Waits until enough appends have come, or as long as a commit takes. */
static void
gather(struct committer *committer)
{
	int64_t took_ns = atomic_load_explicit(&committer->took_ns, memory_order_relaxed);
	int64_t now_ns = clock_mono_ns(committer->clock);
	int64_t end_ns = now_ns + (took_ns < GATHER_MOST_NS ? took_ns : GATHER_MOST_NS);

	if (committer_is_lonely(committer))
		return;
	atomic_store(&committer->gathering, true);
	while (now_ns < end_ns && mailbox_count(&committer->queue) < enough(committer) &&
	       !mailbox_is_closed(&committer->bell)) {
		if (mailbox_wait(&committer->bell, end_ns - now_ns) != NULL)
			atomic_store(&committer->rung, false);
		now_ns = clock_mono_ns(committer->clock);
	}
	atomic_store(&committer->gathering, false);
}

static void *
committer_main(void *self)
{
	struct committer *committer = self;

	prctl(PR_SET_TIMERSLACK, 1000UL);
	while (!mailbox_is_closed(&committer->bell)) {
		int64_t patience = atomic_load(&committer->restless) ? REST_AFTER_NS : -1;
		bool called = mailbox_wait(&committer->bell, patience) != NULL;
		struct mail *none = NULL;

		if (called) {
			atomic_store(&committer->rung, false);
			gather(committer);
		}
		while (committer_try(committer, NULL, &none)) {
			atomic_fetch_add_explicit(&committer->by_thread, 1, memory_order_relaxed);
			committer->announce(committer->self);
			housekeeping(committer, false);
			gather(committer);
		}
		housekeeping(committer, !called);
	}
	return NULL;
}

int
committer_start(struct committer *committer, struct fault *fault)
{
	int error = pthread_create(&committer->thread, NULL, committer_main, committer);

	if (error != 0)
		return fault_errno(fault, FAULT_AWAY, error, "the committer's thread cannot be started");
	pthread_setname_np(committer->thread, "committer");
	committer->running = true;
	return 0;
}

void
committer_stop(struct committer *committer)
{
	if (!committer->running)
		return;
	mailbox_close(&committer->bell);
	pthread_join(committer->thread, NULL);
	committer->running = false;
}
