/* SPDX-License-Identifier: MIT */
/*
 * The relay: the follower that takes what the log says is to be sent to the bus, whole commits in order, by steps
 * R0 to R9 [I9] [I10]:
 *
 *   R0 lease       take or renew the lease in the store (a courtesy: safety is the fence's)
 *   R1 fence       a new publisher; whoever published this log before can send no more
 *   R2 read back   the newest mark: where the log's messages are known to be out to
 *   R3 check       store, incarnation, and the log's link at the mark: else stop, and say what to do
 *   R4 read        commits after the mark, whole ones; the next batch is read and encoded while one is committed
 *   R5 send        begin, messages in order, commit with the mark
 *   R6 settled     the mark moves; the store keeps a hint of it for status, retention and the outbox view
 *   R7 trouble     again, undo and back to the mark, or a new publisher from R0
 *   R8 unsendable  stops, and names the entry
 *   R9 stop        what is begun is ended, the lease given back
 *
 * relay_step is the whole machine, without a thread, for the simulation of tests/model; relay_start gives it one. Every
 * step has a probe of its name ("relay.before_fence", "relay.after_fence", ...).
 *
 *   space "relay"  store         -> this store's id, a UUID made once and copied with the store
 *                  incarnation   -> {"number","from"}: of its history, and where the newest one began to be published
 *                  bootstrapped  -> something may have been published: no mark in the bus is then a lost one
 *                  lease         -> {"owner","epoch","until"}
 *                  hint          -> {"position","marked","at"}: no later than the truth, which is the bus's
 *                  mark          -> {"position","link","incarnation","owner","epoch"} for a bus that is not transactional
 *
 * With bus/local (carries is false) nothing is sent and none but `store` is written.
 *
 * Threads: open, step or start, stop and close by one thread; what says "any thread" by any.
 */
#ifndef MOONLOG_CORE_RELAY_H
#define MOONLOG_CORE_RELAY_H

#include "base/buf.h"
#include "base/entropy.h"
#include "bus/publisher.h"
#include "store/store.h"

struct relay;

/* Writes records of the engine's own, durable when it returns; in the daemon the committer's queue. */
struct commit_port {
	int (*commit)(void *self, struct append *append, struct fault *fault);
	void *self;
};

#define RELAY_FIND UINT64_MAX

struct relay_options {
	struct store *store;
	bool shared; /* other processes may have the store open: a lease that is held is waited for */
	struct publisher_maker publisher;
	struct commit_port commit;
	const struct clock *clock;
	const struct entropy *entropy;
	struct slice service; /* of the daemon: "moonlog"; sources are "/<service>/<store id>" */
	struct slice owner;   /* of the lease: host and process; copied, as is `service` */
	size_t batch_entries; /* at most in one transaction, whole commits; 0 = 2000 */
	size_t batch_bytes;   /* 0 = 1 MiB */
	int64_t lease_us;     /* 0 = 10 s */
	int64_t hint_us;      /* the store's hint of the mark is no older; 0 = 1 s */
	/* Called on the relay's thread after the mark moved. May be NULL. */
	void (*progressed)(void *self, log_position position);
	void *self;
};

enum relay_state {
	RELAY_STARTING,
	RELAY_STANDBY, /* another holds the lease */
	RELAY_RUNNING,
	RELAY_WAITING, /* the bus or the store cannot be reached: it tries again */
	RELAY_PAUSED,
	RELAY_STOPPED /* an operator has to decide: `code` and `reason`, which says what to do */
};

/*
 * Codes of a stop: no_mark (the bus has lost it), mark_lost (it went back), store_behind, store_diverged (a restored
 * store), other_store, other_publisher (a copy of the store is published), unsendable (an entry the bus will not take),
 * bad_position (of a rebuild).
 */

struct relay_status {
	const char *bus; /* its kind */
	enum relay_state state;
	log_position position; /* confirmed by the bus, now or before the last start */
	log_position head;
	int64_t behind_us; /* age of the oldest entry not yet out; 0 when caught up */
	uint64_t sent;     /* messages since start */
	uint64_t transactions;
	uint64_t fences; /* publishers made */
	bool pending;    /* an order was given, and nothing has come of it yet */
	char code[sizeof(((struct fault *)NULL)->code)];
	char reason[sizeof(((struct fault *)NULL)->text)];
};

/* The store's id, which is made when there is none. Only while nobody else commits. */
int relay_name_store(struct store *store, const struct entropy *entropy, struct arena *arena, struct slice *id,
		     struct fault *fault);
/* Opens a publisher too, so that settings it refuses are told at start. Fails: as the maker does; MEMORY. */
int relay_open(const struct relay_options *options, struct relay **relay, struct fault *fault);
/* One step. Gives how long to wait for the next, in nanoseconds; 0: at once, INT64_MAX: until woken. */
int64_t relay_step(struct relay *relay);
int relay_start(struct relay *relay, struct fault *fault);
/* R9; waits no longer than the transaction in flight may take. Without a thread: the steps do it, until INT64_MAX. */
void relay_stop(struct relay *relay);
void relay_close(struct relay *relay);

/* The log has grown. Any thread, cheap. */
void relay_wake(struct relay *relay);
/* What is begun is ended first. Going on also begins again after a stop. Any thread. */
void relay_pause(struct relay *relay, bool paused);
/*
 * The mark is lost or not ours, and an operator says where to go on: after the newest message of this store that is
 * found in the topics (RELAY_FIND), or after `from`, which must end a commit. `incarnation`: a new history begins, and
 * whoever publishes the one before stops. Taken when this returns; the status tells what came of it. Any thread.
 */
void relay_rebuild(struct relay *relay, log_position from, bool incarnation);
void relay_status(struct relay *relay, struct relay_status *status);

/* ---- an engine's (sending.c) ---- */

struct engine;
/* NULL: nothing is sent. From engine_start to engine_close. */
struct relay *engine_relay(const struct engine *engine);
/* Appends its status as a JSON object; null when there is none. */
void engine_relay_status(struct engine *engine, struct buf *out);

#endif
