/* SPDX-License-Identifier: MIT */
/*
 * Kafka as far as exactly-once rests on it, in memory and without chance of its own: partitions with records and
 * transaction markers, the transaction coordinator (producer ids and epochs; open, prepared, complete), the last stable
 * offset, de-duplication by sequence numbers, fencing, transactions that time out. What was answered is durable.
 *
 * Every call is one request and its answer. Whether it comes through, and whether its answer does, is the caller's
 * chance (the room in publisher.c); here an answer is always given.
 *
 * Written after the protocol (KIP-98, KIP-360) and what a real broker was seen to do: a transaction is decided when it
 * is prepared, its markers reach the partitions later and one by one; a new producer that finds a transaction open has
 * it aborted and is told to come again; one that is fenced learns it at its next request and not before.
 */
#ifndef MOONLOG_TESTS_MODEL_CLUSTER_H
#define MOONLOG_TESTS_MODEL_CLUSTER_H

#include "base/arena.h"
#include "bus/message.h"

#define CLUSTER_PARTITIONS  3
#define CLUSTER_TOPICS_MAX  12
#define CLUSTER_LANES_MAX   (CLUSTER_TOPICS_MAX * CLUSTER_PARTITIONS)
#define CLUSTER_MEMBERS_MAX 8

enum cluster_error {
	CLUSTER_OK,
	CLUSTER_CONCURRENT, /* a transaction of this id is being completed: again later */
	CLUSTER_FENCED,     /* the epoch is an old one */
	CLUSTER_BAD_STATE,  /* nothing is open that could be ended so */
	CLUSTER_GAP         /* sequence numbers were skipped */
};

enum record_state { RECORD_OPEN, RECORD_COMMITTED, RECORD_ABORTED };

struct cluster_record {
	bool control; /* a marker: takes an offset, is given to nobody */
	enum record_state state;
	uint64_t producer;
	uint16_t epoch;
	uint64_t txn; /* number of its transaction; 0: none */
	struct message message;
};

struct cluster_partition {
	struct cluster_record *records;
	size_t count, room;
	size_t stable; /* nothing before it is open */
	/* of the newest producer that wrote: what the leader knows */
	struct {
		uint64_t producer;
		uint16_t epoch;
		uint64_t next; /* sequence number */
	} known[8];
	size_t known_count;
};

struct cluster_topic {
	struct slice name;
	size_t partitions;
	struct cluster_partition partition[CLUSTER_PARTITIONS];
};

enum txn_state { TXN_EMPTY, TXN_ONGOING, TXN_PREPARED_COMMIT, TXN_PREPARED_ABORT };

struct cluster_txn {
	struct slice id;
	uint64_t producer;
	uint16_t epoch;
	enum txn_state state;
	bool last_committed;
	uint64_t number; /* of the present transaction, over all ids */
	int64_t began_us;
	struct cluster_partition *partitions[CLUSTER_LANES_MAX]; /* without a marker yet */
	size_t partition_count;
};

/*
 * A consumer group, as its coordinator has it: every change of its members, and sometimes chance, shares the partitions
 * out anew. A member that is silent for too long is one no more; nobody tells it, and nobody keeps it from reading.
 */
struct cluster_group {
	struct cluster_member {
		uint64_t id; /* 0: free */
		int64_t seen_us;
	} members[CLUSTER_MEMBERS_MAX];
	uint64_t ids, generation, turn;
	uint64_t offsets[CLUSTER_LANES_MAX]; /* what was committed, for tools alone */
};

struct cluster {
	struct arena arena;
	struct cluster_group group;
	struct cluster_topic topics[CLUSTER_TOPICS_MAX];
	size_t topic_count;
	struct cluster_txn txns[8];
	size_t txn_count;
	uint64_t producers, numbers;
	int64_t timeout_us;
	bool no_fencing; /* sabotage: an old epoch is as good as any */
};

void cluster_open(struct cluster *cluster);
void cluster_close(struct cluster *cluster);

struct cluster_topic *cluster_topic(struct cluster *cluster, struct slice name, size_t partitions);
/* Where a key goes. */
struct cluster_partition *cluster_place(struct cluster_topic *topic, struct slice key);

/* InitProducerId. */
enum cluster_error cluster_init(struct cluster *cluster, struct slice id, int64_t now_us, uint64_t *producer,
				uint16_t *epoch);
/* AddPartitionsToTxn. */
enum cluster_error cluster_add(struct cluster *cluster, struct slice id, uint16_t epoch, struct cluster_partition *to,
			       int64_t now_us);
/* Produce of one record, which is copied. `producer` 0: neither idempotent nor transactional. */
enum cluster_error cluster_produce(struct cluster *cluster, struct cluster_partition *to, uint64_t producer,
				   uint16_t epoch, uint64_t sequence, bool transactional,
				   const struct message *message);
/* EndTxn. The same again gives the same. */
enum cluster_error cluster_end(struct cluster *cluster, struct slice id, uint16_t epoch, bool commit);

/* Time passes: transactions that are too old are aborted; `markers`: at most so many reach their partitions. Gives how
 * many did. */
size_t cluster_tick(struct cluster *cluster, int64_t now_us, size_t markers);

/* A new member, which is to be heard of now and then. */
uint64_t cluster_join(struct cluster *cluster, int64_t now_us);
/* false: it is no member any more. */
bool cluster_beat(struct cluster *cluster, uint64_t member, int64_t now_us);
void cluster_leave(struct cluster *cluster, uint64_t member);
/* The lanes are shared out in another way. */
void cluster_rebalance(struct cluster *cluster);
bool cluster_owns(const struct cluster *cluster, uint64_t member, size_t lane);

/* The first offset that is not decided. */
size_t cluster_stable(struct cluster_partition *partition);

#endif
