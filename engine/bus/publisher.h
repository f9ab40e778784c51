/* SPDX-License-Identifier: MIT */
/*
 * The publisher's door: messages leave through it in order, whole commits at a time, together with the mark that says
 * how far they reach [I9]. The steps R1 to R9 that use it are core/relay.h.
 *
 * Three classes of error, as the bus that is hardest has them: the same call again (AGAIN), the transaction is to be
 * undone and everything since the mark sent again (UNDO), the publisher is of no use any more and a new one must fence,
 * and read the mark back, before it sends anything (LOST).
 *
 * Threads: a publisher belongs to one thread.
 */
#ifndef MOONLOG_BUS_PUBLISHER_H
#define MOONLOG_BUS_PUBLISHER_H

#include "base/arena.h"
#include "base/fault.h"
#include "bus/message.h"

struct publisher;

enum bus_answer {
	BUS_DONE,
	BUS_AGAIN, /* *fault says why: the same call later; for publisher_settle: not yet known */
	BUS_UNDO,  /* publisher_undo, then again from the last mark */
	BUS_LOST   /* only publisher_close; *fault code "fenced" when another may have taken over */
};

struct topic_wanted {
	struct slice name;
	/* answered */
	int32_t partitions; /* as it stands */
};

/* Which transaction's end the brokers lost. */
enum bus_hanging {
	HANGING_MARK,  /* one whose mark hangs: all of it must, or nobody can tell what was decided */
	HANGING_SURE,  /* likewise, and a person has said that it does not count: what was ended is passed over */
	HANGING_PARTS, /* perhaps one that was undone, for the mark does not tell of it: mostly there is none */
};

struct publisher_ops {
	void (*close)(struct publisher *publisher);
	enum bus_answer (*fence)(struct publisher *publisher, struct fault *fault);
	enum bus_answer (*read_mark)(struct publisher *publisher, struct arena *arena, struct bus_mark *mark,
				     struct fault *fault);
	enum bus_answer (*topics)(struct publisher *publisher, struct topic_wanted *topics, size_t count,
				  struct fault *fault);
	enum bus_answer (*begin)(struct publisher *publisher, struct fault *fault);
	enum bus_answer (*send)(struct publisher *publisher, const struct message *message, struct fault *fault);
	enum bus_answer (*commit)(struct publisher *publisher, const struct bus_mark *mark, struct fault *fault);
	enum bus_answer (*settle)(struct publisher *publisher, int64_t wait_ns, struct fault *fault);
	enum bus_answer (*undo)(struct publisher *publisher, struct fault *fault);
	/* Optional; NULL: its marks never hang. */
	enum bus_answer (*end_hanging)(struct publisher *publisher, enum bus_hanging which,
				       const struct message *messages, size_t count, bool last, struct fault *fault);
	/* Optional; NULL: it cannot look. */
	enum bus_answer (*find)(struct publisher *publisher, const struct slice *topics, size_t count,
				struct slice source, log_position *position, struct fault *fault);
};

struct publisher {
	const struct publisher_ops *ops;
	const char *kind; /* "local", "kafka" */
	/* Messages and mark become visible together or not at all. false: the mark is the caller's to keep, and what
	 * was sent and not yet marked is sent again after a crash, with the same ids. */
	bool transactional;
	/* false: the bus reads the log itself (bus/local); nothing is to be sent, only commits moved along. */
	bool carries;
};

/* Opens one. `self` is what the daemon wired. Fails: CONFIG (settings the bus refuses), MEMORY. */
struct publisher_maker {
	int (*open)(void *self, struct publisher **publisher, struct fault *fault);
	void *self;
};

/* Undoes what is open as far as that goes without waiting. `publisher` may be NULL. */
void publisher_close(struct publisher *publisher);
/* Once, before all else: whoever published this log before can send no more, and what it had open is decided [R1]. */
enum bus_answer publisher_fence(struct publisher *publisher, struct fault *fault);
/*
 * After the fence, never before: the newest mark of this log, with everything before it [R2]. When mark->hangs, what
 * lies behind it is to be ended first (publisher_end_hanging), or counts from the next commit on.
 */
enum bus_answer publisher_read_mark(struct publisher *publisher, struct arena *arena, struct bus_mark *mark,
				    struct fault *fault);
/* Makes those that are missing, and tells how many partitions each has. Before the first message of a topic. */
enum bus_answer publisher_topics(struct publisher *publisher, struct topic_wanted *topics, size_t count,
				 struct fault *fault);
enum bus_answer publisher_begin(struct publisher *publisher, struct fault *fault);
/* Copies the message. AGAIN: its queue is full. */
enum bus_answer publisher_send(struct publisher *publisher, const struct message *message, struct fault *fault);
/* Starts to end what is begun, with the mark as the last record; returns at once. DONE: publisher_settle tells. */
enum bus_answer publisher_commit(struct publisher *publisher, const struct bus_mark *mark, struct fault *fault);
/* Waits for it. AGAIN: not decided yet; DONE: visible, with its mark. */
enum bus_answer publisher_settle(struct publisher *publisher, int64_t wait_ns, struct fault *fault);
/* What was begun is to have no effect. */
enum bus_answer publisher_undo(struct publisher *publisher, struct fault *fault);
/*
 * A transaction that the brokers decided without ending it in its partitions (KIP-664 calls it hanging): the messages
 * behind the mark, up to the one that hangs, are given once more, in several calls when they are many, and undone, so
 * that each partition gets an end. DONE after the `last`: nobody has seen a message of it, and nobody will; where it
 * was the mark, that is to be read again. UNDO: a part was ended and may have been seen, so that a person must decide;
 * LOST: as ever, begin again. Outside a transaction.
 */
enum bus_answer publisher_end_hanging(struct publisher *publisher, enum bus_hanging which,
				      const struct message *messages, size_t count, bool last, struct fault *fault);
/*
 * Where the mark was, when it is lost: the highest position that the committed messages of `source` in these topics
 * carry (ce_sequence); 0: there is none. After the fence, outside a transaction; takes as long as reading them does.
 * UNDO: this bus cannot tell.
 */
enum bus_answer publisher_find(struct publisher *publisher, const struct slice *topics, size_t count,
			       struct slice source, log_position *position, struct fault *fault);

#endif
