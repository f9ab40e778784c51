/* SPDX-License-Identifier: MIT */
/*
 * A consumer: one reactor or process manager with its lanes. Each message becomes one append: what its handler decided
 * (events of any streams of the domain, messages, timers), the lane's place moved by compare-and-set, and the message's
 * id as command id, which is the inbox. So an effect happens exactly once whatever is repeated, and a consumer that has
 * lost its lane can record nothing more [I6].
 *
 *   space "consumer/<domain>.<name>"   key <topic>/<partition>         -> the next offset, ' ', who wrote it
 *   space "dead/<domain>.<name>"       key <topic>/<partition>/<20 digits of offset> -> a dead letter (JSON)
 *   space "parked/<domain>.<name>"     key of the message, hashed      -> how many dead letters wait in its order
 *   space "heard/<domain>.<name>"      foreign stream, hashed          -> its last version, ' ', hour, where the reactor asks for
 *
 * Appends of following messages are given in without waiting for those before them; the compare-and-set chains them, so
 * that one that loses takes all behind it with it, and they are decided again. A place says who wrote it: where another
 * owner has taken the one that lost, those behind it must lose too: they were decided on what that one would have left.
 *
 * consumer_step is the whole machine without a thread, for the simulation of tests/model.
 *
 * Thread: one; what says "any thread" by any.
 */
#ifndef MOONLOG_CORE_CONSUMER_H
#define MOONLOG_CORE_CONSUMER_H

#include "bus/source.h"
#include "core/committer.h"
#include "core/domain.h"
#include "core/seat.h"
#include "core/timer.h"

struct consumer;

struct consumer_options {
	struct store *store;
	struct domain *domain; /* whose active rules decide */
	struct slice name;     /* of the reactor; copied */
	/* What its reactor hears of other services, and of its own log; each may be absent (open NULL). */
	struct source_maker foreign;
	struct source_maker own;
	/* Gives an append in; its answer comes back as submission->back in submission->home. */
	void (*give)(void *self, struct submission *submission);
	/* A stream was written that a worker may keep the state of. May be NULL. */
	void (*wrote)(void *self, struct slice stream);
	void *self;
	const struct script_options *script;
	const struct clock *clock;
	const struct entropy *entropy;
	const struct timer_clock *timers;      /* what due times are of; NULL: the wall clock */
	struct waker waker;                    /* there is something to do: consumer_step */
	size_t hot_states, warm_bytes;         /* as the engine's limits; 0 = 1024, 8 MiB */
	unsigned window;                       /* appends given in and not yet answered; 0 = 256 */
	int64_t retry_first_us, retry_last_us; /* 0 = 100 ms, 30 s */
	int64_t remember_us;                   /* versions of foreign streams, since the last was heard; 0 = 7 days */
};

enum consumer_state {
	CONSUMER_STARTING,
	CONSUMER_RUNNING,
	CONSUMER_RETRYING,
	CONSUMER_HALTED,
	CONSUMER_AWAY,
	CONSUMER_HELD,    /* lanes wait for versions that are missing, for nothing else */
	CONSUMER_UNOPENED /* never of a consumer: of a reactor that has none, because it could not be opened */
};

struct consumer_status {
	struct slice domain;
	struct slice name;
	enum consumer_state state;
	uint64_t taken; /* messages whose effect is recorded, since start */
	uint64_t repeated;
	uint64_t refused;
	uint64_t dead;    /* dead letters that lie there */
	uint64_t parked;  /* keys */
	uint64_t behind;  /* messages; UINT64_MAX: not known */
	uint64_t held;    /* lanes that wait for a version */
	int64_t since_us; /* in this state */
	char reason[sizeof(((struct fault *)NULL)->text)];
};

/* What a person wants done about dead letters. */
enum consumer_wish {
	CONSUMER_RETRY, /* through the handler again, in order; halted lanes go on too */
	CONSUMER_DROP,
	/* What is held because versions are missing is taken without them; the message that halts a lane becomes a
	 * dead letter; a lane whose place is gone goes on at the oldest that is there. Counts lanes as settled. */
	CONSUMER_SKIP
};

/* Given to the consumer until `done`, which is called on its thread. */
struct consumer_order {
	struct mail mail;
	enum consumer_wish wish;
	struct slice letter; /* key of a dead letter; RETRY: with all of its key when that is parked. Empty: all */
	void (*done)(struct consumer_order *order);
	/* answered */
	uint64_t settled; /* letters that are there no more */
	uint64_t failed;  /* that failed again */
	struct fault fault;
};

int consumer_open(const struct consumer_options *options, struct consumer **consumer, struct fault *fault);
/* One step: settled appends, then at most a window of messages. Gives how long to wait unless woken, as relay_step. */
int64_t consumer_step(struct consumer *consumer);
/* Every append that was given in is answered when this returns. */
void consumer_close(struct consumer *consumer);
/*
 * Its domain's rules have the reactor no more, it hears something else now, or its source has failed for long: to be
 * closed, and opened again.
 */
bool consumer_is_stale(const struct consumer *consumer);
/* The reactor's, without the domain. Any thread. */
struct slice consumer_name(const struct consumer *consumer);
/* Any thread. false: it takes none, because it is closing or too many wait. */
bool consumer_give_order(struct consumer *consumer, struct consumer_order *order);
/* It ends soon: whoever waits for an order, or gives one, is sent away. */
void consumer_refuse_orders(struct consumer *consumer);
/* Copies slices into `arena`. Any thread. */
int consumer_status(struct consumer *consumer, struct arena *arena, struct consumer_status *status,
		    struct fault *fault);

#endif
