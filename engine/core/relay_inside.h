/* SPDX-License-Identifier: MIT */
/* What the files of the relay share. All of it is the stepping thread's, but for what says "any thread". */
#ifndef MOONLOG_CORE_RELAY_INSIDE_H
#define MOONLOG_CORE_RELAY_INSIDE_H

#include <pthread.h>

#include "base/mailbox.h"
#include "core/relay.h"

#define RELAY_SPACE SLICE("relay")

enum relay_phase {
	PHASE_IDENTITY,
	PHASE_OPEN,
	PHASE_LEASE,     /* R0 */
	PHASE_FENCE,     /* R1 */
	PHASE_READ_BACK, /* R2 */
	PHASE_HANGS,     /* what the brokers left open behind the mark */
	PHASE_CHECK,     /* R3 */
	PHASE_CLAIM,     /* R3: our name in the mark, before anything is sent */
	PHASE_READ,      /* R4 */
	PHASE_TOPICS,    /* R5 */
	PHASE_BEGIN,
	PHASE_SEND,
	PHASE_COMMIT,
	PHASE_AHEAD, /* R4 of the next batch, while this one is committed */
	PHASE_SETTLE,
	PHASE_MARK, /* R6: the mark in the store, where the bus keeps none */
	PHASE_UNDO, /* R7 */
	PHASE_STOPPED,
	PHASE_ENDED, /* R9 */
	PHASE_COUNT
};

/* A place in the log: an entry that ends a commit, and the chain up to it. */
struct relay_place {
	log_position position;
	struct check link; /* zero at 0 */
};

struct relay_batch {
	struct arena arena;
	bool ready;
	struct relay_place after; /* where it begins */
	struct relay_place end;
	struct message *messages;
	size_t count;
	log_position *positions; /* of the messages' entries */
	int64_t oldest_us;       /* when its first entry was recorded */
	bool full;               /* more lay behind it */
};

/* From other threads, under relay->lock. */
struct relay_orders {
	bool paused;
	bool resume; /* also from a stop */
	bool rebuild;
	log_position from;
	bool incarnation;
};

struct relay_topic {
	struct slice name;
	struct relay_topic *next;
};

struct relay {
	struct relay_options options;
	struct arena names; /* for as long as the relay lives */
	struct arena scratch;
	struct store_reader *reader;
	struct publisher *publisher;
	bool carries; /* false: there is nothing to do, and no thread */
	enum relay_phase phase;

	/* identity */
	struct slice store_id;
	struct slice source; /* "/service/store id" */
	struct slice owner;
	uint32_t incarnation;
	struct relay_place incarnation_from;
	bool bootstrapped;

	/* lease */
	struct slice lease_value; /* as it stands in the store, when it is ours */
	uint64_t epoch;           /* 0: not ours */
	int64_t lease_until_us;
	char *lease_text; /* behind lease_value */

	/* mark */
	struct bus_mark found; /* by R2, until R3 */
	struct arena found_arena;
	unsigned hung;           /* transactions whose end was lost, since one was settled */
	bool looked;             /* for messages that hang, since the fence */
	bool claimed;            /* the mark in the bus has our name */
	bool fenced;             /* somebody took the publisher from us, and no operator has spoken since */
	struct relay_place mark; /* what the bus has */
	struct relay_place at;   /* nothing routed lies between it and the mark, or it is out */
	struct slice mark_value; /* of the store's mark, not transactional: what it is compared with */
	char *mark_text;

	/* batches */
	struct relay_batch batches[2];
	struct relay_batch *now, *next;
	size_t sent;                /* of now */
	struct relay_topic *topics; /* that the bus has */
	int64_t ended_ns;           /* when the end of the present one was begun */
	int64_t settled_ns;         /* when the last one was settled */

	/* hint */
	log_position hinted, hinted_mark;
	int64_t hint_ns;

	/* trouble */
	unsigned troubles; /* in a row */
	int64_t not_before_ns;
	bool rebuilding; /* R3 goes where the operator says */
	struct relay_orders order;
	int64_t quiet_ns;  /* since when only what is not routed came */
	int64_t oldest_us; /* lock: when the entry behind status.position was recorded; 0: not known */
	int64_t said_ns;   /* of the last line in the log about its state */
	char said_code[sizeof(((struct fault *)NULL)->code)];

	/* any thread */
	pthread_mutex_t lock;
	struct relay_status status; /* lock */
	struct relay_orders orders; /* lock */
	bool ordered;               /* lock */
	_Atomic bool hungry;        /* it waits for the log to grow */
	_Atomic bool stopping;
	struct mailbox bell;
	pthread_t thread;
	bool started;
};

/* ---- relay.c ---- */

/* Tries again later; longer each time. Gives the wait. */
int64_t relay_trouble(struct relay *relay, const struct fault *fault);
/* Stops until an operator speaks. */
int64_t relay_halt(struct relay *relay, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void relay_say(struct relay *relay, enum relay_state state, const struct fault *fault);
int64_t relay_go(struct relay *relay, enum relay_phase phase);
/* The publisher is of no use any more. */
int64_t relay_lose(struct relay *relay, const struct fault *fault);

/* ---- relay_records.c ---- */

/* A record's bytes, in the scratch arena; `found` false when there is none. */
int relay_read_record(struct relay *relay, const char *key, struct slice *value, bool *found, struct fault *fault);
/* *won false: it was not as expected. */
int relay_write_record(struct relay *relay, struct record_write record, bool *won, struct fault *fault);
int64_t relay_identify(struct relay *relay);
int relay_write_incarnation(struct relay *relay, uint32_t number, const struct relay_place *from, struct fault *fault);
int relay_write_bootstrapped(struct relay *relay, struct fault *fault);
int relay_write_hint(struct relay *relay, struct fault *fault);
/* Where a bus keeps no mark: the store's. */
int relay_read_mark(struct relay *relay, struct bus_mark *mark, struct fault *fault);
int relay_write_mark(struct relay *relay, const struct bus_mark *mark, bool *won, struct fault *fault);

/* ---- relay_lease.c ---- */

int64_t relay_take_lease(struct relay *relay);
/* Renews it when it is due. *kept false: another has it. */
int relay_keep_lease(struct relay *relay, bool *kept, struct fault *fault);
/* So that its epoch is above one that the bus knows. */
int relay_raise_lease(struct relay *relay, uint64_t above, bool *kept, struct fault *fault);
void relay_give_lease_back(struct relay *relay);

/* ---- relay_hang.c ---- */

int64_t relay_end_hanging(struct relay *relay);
/* Before the first batch after a fence: what of it hangs, though no mark does. */
enum bus_answer relay_end_parts(struct relay *relay, struct fault *fault);

/* ---- relay_check.c ---- */

int64_t relay_check(struct relay *relay);
/* Where a log is begun that has no mark of this history. */
struct relay_place relay_first_place(const struct relay *relay);
/* The place that the mark that was found names, which the log must reach. `same`: it has the mark's link. */
int relay_place_of_mark(struct relay *relay, struct relay_place *place, bool *same, struct fault *fault);

/* ---- relay_batch.c ---- */

/* Reads and encodes what comes after a place; not ready when there is nothing. */
int relay_batch_read(struct relay *relay, const struct relay_place *after, struct relay_batch *batch,
		     struct fault *fault);
void relay_batch_drop(struct relay_batch *batch);
int64_t relay_read(struct relay *relay);
/* The entry at a position, which must exist. */
int relay_entry_at(struct relay *relay, log_position position, struct recorded_entry *entry, struct fault *fault);

/* ---- relay_send.c ---- */

int64_t relay_claim(struct relay *relay);
int64_t relay_topics(struct relay *relay);
int64_t relay_begin(struct relay *relay);
int64_t relay_send(struct relay *relay);
int64_t relay_commit(struct relay *relay);
int64_t relay_settle(struct relay *relay);
int64_t relay_keep_mark(struct relay *relay);
int64_t relay_undo(struct relay *relay);

#endif
