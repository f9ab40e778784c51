/* SPDX-License-Identifier: MIT */
#include "model/cluster.h"

#include <stdlib.h>

#include "base/fault.h"

#define SESSION_US 1000000

void
cluster_open(struct cluster *cluster)
{
	*cluster = (struct cluster){ .timeout_us = 10000000 };
	arena_init(&cluster->arena, (size_t)1 << 30);
}

void
cluster_close(struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->topic_count; i++)
		for (size_t p = 0; p < CLUSTER_PARTITIONS; p++)
			free(cluster->topics[i].partition[p].records);
	arena_fini(&cluster->arena);
}

struct cluster_topic *
cluster_topic(struct cluster *cluster, struct slice name, size_t partitions)
{
	struct cluster_topic *topic;

	for (size_t i = 0; i < cluster->topic_count; i++)
		if (slice_equal(cluster->topics[i].name, name))
			return &cluster->topics[i];
	must(cluster->topic_count < CLUSTER_TOPICS_MAX && partitions <= CLUSTER_PARTITIONS);
	topic = &cluster->topics[cluster->topic_count++];
	topic->name = arena_copy(&cluster->arena, name);
	topic->partitions = partitions;
	return topic;
}

struct cluster_partition *
cluster_place(struct cluster_topic *topic, struct slice key)
{
	return &topic->partition[slice_hash(key, 7) % topic->partitions];
}

/* ---- records ---- */

static struct message
copy(struct arena *arena, const struct message *from)
{
	struct message_header *headers = arena_alloc(arena, (from->header_count + 1) * sizeof(*headers));
	struct message to = *from;

	must(headers != NULL);
	for (size_t i = 0; i < from->header_count; i++)
		headers[i] = (struct message_header){ arena_copy(arena, from->headers[i].name),
						      arena_copy(arena, from->headers[i].value) };
	to.topic = arena_copy(arena, from->topic);
	to.key = arena_copy(arena, from->key);
	to.value = arena_copy(arena, from->value);
	to.headers = headers;
	return to;
}

static void
add_record(struct cluster_partition *to, struct cluster_record record)
{
	if (to->count == to->room) {
		to->room = to->room * 2 + 16;
		to->records = realloc(to->records, to->room * sizeof(*to->records));
		must(to->records != NULL);
	}
	to->records[to->count++] = record;
}

/* What the leader of a partition knows of a producer. */
static size_t
known_of(struct cluster_partition *to, uint64_t producer)
{
	size_t i = 0;

	while (i < to->known_count && to->known[i].producer != producer)
		i++;
	if (i == to->known_count) {
		must(i < sizeof(to->known) / sizeof(to->known[0]));
		to->known[to->known_count++].producer = producer;
	}
	return i;
}

enum cluster_error
cluster_produce(struct cluster *cluster, struct cluster_partition *to, uint64_t producer, uint16_t epoch,
		uint64_t sequence, bool transactional, const struct message *message)
{
	struct cluster_record record = { .state = transactional ? RECORD_OPEN : RECORD_COMMITTED,
					 .producer = producer,
					 .epoch = epoch };
	if (producer != 0) {
		size_t known = known_of(to, producer);

		if (epoch < to->known[known].epoch && !cluster->no_fencing)
			return CLUSTER_FENCED;
		if (epoch > to->known[known].epoch) {
			to->known[known].epoch = epoch;
			to->known[known].next = 0;
		}
		if (sequence < to->known[known].next)
			return CLUSTER_OK; /* it was here before, only the answer was lost */
		if (sequence > to->known[known].next)
			return CLUSTER_GAP;
		to->known[known].next++;
	}
	record.message = copy(&cluster->arena, message);
	for (size_t i = 0; transactional && i < cluster->txn_count; i++)
		if (cluster->txns[i].producer == producer)
			record.txn = cluster->txns[i].number;
	add_record(to, record);
	return CLUSTER_OK;
}

size_t
cluster_stable(struct cluster_partition *partition)
{
	while (partition->stable < partition->count && (partition->records[partition->stable].control ||
							partition->records[partition->stable].state != RECORD_OPEN))
		partition->stable++;
	return partition->stable;
}

/* ---- the coordinator ---- */

static struct cluster_txn *
txn_of(struct cluster *cluster, struct slice id)
{
	for (size_t i = 0; i < cluster->txn_count; i++)
		if (slice_equal(cluster->txns[i].id, id))
			return &cluster->txns[i];
	must(cluster->txn_count < sizeof(cluster->txns) / sizeof(cluster->txns[0]));
	struct cluster_txn *txn = &cluster->txns[cluster->txn_count++];
	*txn = (struct cluster_txn){ .id = arena_copy(&cluster->arena, id), .producer = ++cluster->producers };
	return txn;
}

static bool
is_prepared(const struct cluster_txn *txn)
{
	return txn->state == TXN_PREPARED_COMMIT || txn->state == TXN_PREPARED_ABORT;
}

static void
prepare(struct cluster_txn *txn, bool commit)
{
	txn->state = commit ? TXN_PREPARED_COMMIT : TXN_PREPARED_ABORT;
	txn->last_committed = commit;
	if (txn->partition_count == 0)
		txn->state = TXN_EMPTY;
}

enum cluster_error
cluster_init(struct cluster *cluster, struct slice id, int64_t now_us, uint64_t *producer, uint16_t *epoch)
{
	struct cluster_txn *txn = txn_of(cluster, id);

	(void)now_us;
	if (txn->state == TXN_ONGOING) {
		txn->epoch++;
		prepare(txn, false);
		return CLUSTER_CONCURRENT;
	}
	if (is_prepared(txn))
		return CLUSTER_CONCURRENT;
	txn->epoch++;
	txn->last_committed = false;
	*producer = txn->producer;
	*epoch = txn->epoch;
	return CLUSTER_OK;
}

enum cluster_error
cluster_add(struct cluster *cluster, struct slice id, uint16_t epoch, struct cluster_partition *to, int64_t now_us)
{
	struct cluster_txn *txn = txn_of(cluster, id);

	if (epoch != txn->epoch && !cluster->no_fencing)
		return CLUSTER_FENCED;
	if (is_prepared(txn))
		return CLUSTER_CONCURRENT;
	if (txn->state == TXN_EMPTY) {
		txn->state = TXN_ONGOING;
		txn->began_us = now_us;
		txn->number = ++cluster->numbers;
	}
	for (size_t i = 0; i < txn->partition_count; i++)
		if (txn->partitions[i] == to)
			return CLUSTER_OK;
	must(txn->partition_count < sizeof(txn->partitions) / sizeof(txn->partitions[0]));
	txn->partitions[txn->partition_count++] = to;
	return CLUSTER_OK;
}

enum cluster_error
cluster_end(struct cluster *cluster, struct slice id, uint16_t epoch, bool commit)
{
	struct cluster_txn *txn = txn_of(cluster, id);

	if (epoch != txn->epoch && !cluster->no_fencing)
		return CLUSTER_FENCED;
	if (txn->state == TXN_ONGOING) {
		prepare(txn, commit);
		return CLUSTER_OK;
	}
	return txn->last_committed == commit ? CLUSTER_OK : CLUSTER_BAD_STATE;
}

/* One marker reaches its partition: what lies open there of this producer is decided. */
static void
mark(struct cluster_txn *txn)
{
	struct cluster_partition *at = txn->partitions[0];
	size_t known = known_of(at, txn->producer);

	for (size_t i = cluster_stable(at); i < at->count; i++)
		if (!at->records[i].control && at->records[i].state == RECORD_OPEN &&
		    at->records[i].producer == txn->producer)
			at->records[i].state = txn->state == TXN_PREPARED_COMMIT ? RECORD_COMMITTED : RECORD_ABORTED;
	if (at->known[known].epoch < txn->epoch) {
		at->known[known].epoch = txn->epoch;
		at->known[known].next = 0;
	}
	add_record(at, (struct cluster_record){ .control = true, .producer = txn->producer, .epoch = txn->epoch });
	txn->partitions[0] = txn->partitions[--txn->partition_count];
	if (txn->partition_count == 0)
		txn->state = TXN_EMPTY;
}

size_t
cluster_tick(struct cluster *cluster, int64_t now_us, size_t markers)
{
	size_t done = 0;

	for (size_t i = 0; i < cluster->txn_count; i++) {
		struct cluster_txn *txn = &cluster->txns[i];

		if (txn->state == TXN_ONGOING && now_us - txn->began_us > cluster->timeout_us) {
			txn->epoch++;
			prepare(txn, false);
		}
		while (is_prepared(txn) && done < markers) {
			mark(txn);
			done++;
		}
	}
	return done;
}

/* ---- the group ---- */

uint64_t
cluster_join(struct cluster *cluster, int64_t now_us)
{
	struct cluster_group *group = &cluster->group;

	for (size_t i = 0; i < CLUSTER_MEMBERS_MAX; i++) {
		if (group->members[i].id != 0)
			continue;
		group->members[i] = (struct cluster_member){ ++group->ids, now_us };
		group->generation++;
		return group->ids;
	}
	return 0;
}

static void
expel(struct cluster_group *group, struct cluster_member *member)
{
	member->id = 0;
	group->generation++;
}

bool
cluster_beat(struct cluster *cluster, uint64_t member, int64_t now_us)
{
	struct cluster_group *group = &cluster->group;
	bool there = false;

	for (size_t i = 0; i < CLUSTER_MEMBERS_MAX; i++) {
		if (group->members[i].id == 0)
			continue;
		if (now_us - group->members[i].seen_us > SESSION_US)
			expel(group, &group->members[i]);
		if (group->members[i].id != member)
			continue;
		group->members[i].seen_us = now_us;
		there = true;
	}
	return there;
}

void
cluster_leave(struct cluster *cluster, uint64_t member)
{
	for (size_t i = 0; member != 0 && i < CLUSTER_MEMBERS_MAX; i++)
		if (cluster->group.members[i].id == member)
			expel(&cluster->group, &cluster->group.members[i]);
}

void
cluster_rebalance(struct cluster *cluster)
{
	cluster->group.turn++;
	cluster->group.generation++;
}

bool
cluster_owns(const struct cluster *cluster, uint64_t member, size_t lane)
{
	const struct cluster_group *group = &cluster->group;
	uint64_t ids[CLUSTER_MEMBERS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < CLUSTER_MEMBERS_MAX; i++)
		if (group->members[i].id != 0)
			ids[count++] = group->members[i].id;
	return count != 0 && ids[(lane + group->turn) % count] == member;
}
