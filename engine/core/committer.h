/* SPDX-License-Identifier: MIT */
/*
 * The committer: a role rather than a place. Appends of all workers wait in one queue; whoever finds the role free
 * takes it, packs what waits into one store_commit, hands the results to their workers, and gives the role up again.
 * A worker with nothing else to do takes it itself, which saves two hand-overs when few commands are about; otherwise
 * a thread that has no other work takes it, so that decisions go on during the sync.
 */
#ifndef MOONLOG_CORE_COMMITTER_H
#define MOONLOG_CORE_COMMITTER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "store/store.h"

/* An append on its way: where its answer goes, and how it went. Whoever gives it in owns it again once `back` came. */
struct submission {
	struct mail mail; /* the committer's */
	struct append append;
	struct mailbox *home; /* to which `back` is given */
	struct mail *back;
	/* answered */
	enum commit_result result;
	struct fault fault; /* when result is not COMMIT_DONE */
};

struct committer {
	struct store *store;
	const struct clock *clock;
	size_t group_limit;
	struct mailbox queue; /* of submission->mail; taken by whoever holds the role */
	_Atomic bool held;
	/* the role's: touched only while it is held */
	struct mail *pending;
	struct append **group;
	bool fatal;   /* a commit's outcome is unknown: nothing more is attempted */
	bool refused; /* the last group was not attempted, and the log was told */
	int64_t rested_ns;
	struct clock_watch watch;
	/* the thread's */
	struct mailbox bell;
	struct mail ring;
	_Atomic bool rung;
	_Atomic int64_t took_ns; /* what a commit takes, smoothed; stored by the role */
	_Atomic bool gathering;  /* it waits for `about` appends: no need to wake it for fewer */
	_Atomic size_t about;    /* appends that seem to be under way at any time: last group and what came meanwhile */
	_Atomic bool restless;   /* something was committed since housekeeping last found nothing to do */
	_Atomic bool failed;     /* as `fatal`, for whoever asks */
	pthread_t thread;
	bool running;
	/* After each group that was committed, on the thread that held the role, holding nothing. */
	void (*announce)(void *self);
	void *self;
	_Atomic uint64_t groups, appends, by_thread;
};

int committer_open(struct committer *committer, struct store *store, const struct clock *clock, size_t group_limit,
		   struct fault *fault);
int committer_start(struct committer *committer, struct fault *fault);
/* Every append must be settled before. */
void committer_stop(struct committer *committer);
void committer_close(struct committer *committer);

/* Gives an append in. Any thread; committer_ring or committer_try must follow. */
void committer_give(struct committer *committer, struct submission *submission);
/*
 * Takes the role if it is free and something waits, commits one group, gives the role up. Results for `home` come
 * back as a list in *mine, those of others go to their mailboxes. false: nothing was done.
 */
bool committer_try(struct committer *committer, struct mailbox *home, struct mail **mine);
/* Sees to it that the thread commits what waits, now or when it has gathered enough. Any thread. */
void committer_ring(struct committer *committer);
/*
 * Gives an append in and waits for its answer: for threads that have nothing else to do meanwhile. Fails: what the
 * commit failed with, or the append's own fault; every other answer is in `append`.
 */
int committer_wait(struct committer *committer, struct append *append, struct fault *fault);
/* Are so few commands about that whoever decided one had better commit it at once? Any thread. */
bool committer_is_lonely(struct committer *committer);

#endif
