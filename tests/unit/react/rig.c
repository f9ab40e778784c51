/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/local/local.h"
#include "store/memory/memory.h"

static int64_t
wall(void *self)
{
	return ((struct rig *)self)->wall_us;
}

static int64_t
mono(void *self)
{
	return ((struct rig *)self)->mono_ns;
}

static void
give(void *self, struct submission *submission)
{
	struct rig *rig = self;

	if (rig->given_count == countof(rig->given))
		abort();
	rig->given[rig->given_count++] = submission;
}

static void
die(const char *what, const struct fault *fault)
{
	fprintf(stderr, "%s: %s: %s\n", what, fault->code, fault->text);
	exit(1);
}

static void
open_consumer(struct rig *rig)
{
	struct consumer_options options = { .store = rig->store,
					    .domain = rig->domain,
					    .name = SLICE("adder"),
					    .give = give,
					    .self = rig,
					    .script = &rig->script,
					    .clock = &rig->clock,
					    .entropy = &rig->chance.entropy,
					    .window = rig->window };
	struct fault fault;

	if (rig->local)
		options.own = local_source(rig->store);
	else
		options.foreign = source_double(rig->broker);
	if (consumer_open(&options, &rig->consumer, &fault) != 0)
		die("consumer_open", &fault);
}

void
rig_open(struct rig *rig, const char *words)
{
	struct fault fault;

	rig->clock = (struct clock){ wall, mono, rig };
	rig->wall_us = (int64_t)1700000000 * 1000000;
	rig->mono_ns = 1;
	entropy_seed(&rig->chance, 1);
	arena_init(&rig->arena, (size_t)1 << 28);
	if (memory_open(&rig->clock, &rig->store, &fault) != 0)
		die("memory_open", &fault);
	rig->domain = rules_double_domain(words);
	open_consumer(rig);
}

struct rig *
rig_fresh(struct source_broker *broker, uint32_t lanes, const char *words)
{
	static struct rig rig;

	memset(broker, 0, sizeof(*broker));
	broker->lane_count = lanes;
	rig = (struct rig){ .broker = broker };
	rules_double_busy = 0;
	rig_open(&rig, words);
	return &rig;
}

void
rig_commit(struct rig *rig, size_t most)
{
	size_t count = rig->given_count;
	struct append *appends[256];
	struct fault fault;

	rig->given_count = 0;
	if (most > count)
		most = count;
	for (size_t i = 0; i < most; i++)
		appends[i] = &rig->given[i]->append;
	if (most != 0 && store_commit(rig->store, appends, most, &fault) != COMMIT_DONE)
		die("store_commit", &fault);
	for (size_t i = 0; i < count; i++) {
		struct submission *submission = rig->given[i];

		submission->result = i < most ? COMMIT_DONE : COMMIT_NOT_ATTEMPTED;
		if (i >= most)
			fault_set(&submission->fault, FAULT_BUSY, "not_attempted", "nobody committed it");
		mailbox_give(submission->home, submission->back);
	}
}

void
rig_restart(struct rig *rig)
{
	rig_commit(rig, 0);
	consumer_close(rig->consumer);
	open_consumer(rig);
}

void
rig_close(struct rig *rig)
{
	rig_commit(rig, 0);
	consumer_close(rig->consumer);
	domain_close(rig->domain);
	store_close(rig->store);
	arena_fini(&rig->arena);
}

int64_t
rig_run(struct rig *rig)
{
	for (unsigned i = 0; i < 100000; i++) {
		int64_t wait_ns = consumer_step(rig->consumer);

		if (rig->given_count != 0)
			rig_commit(rig, SIZE_MAX);
		else if (wait_ns != 0)
			return wait_ns;
	}
	fprintf(stderr, "the consumer never rests\n");
	abort();
}

void
rig_settle(struct rig *rig)
{
	for (unsigned i = 0; i < 100; i++) {
		int64_t wait_ns = rig_run(rig);

		if (wait_ns > (int64_t)1800 * 1000 * 1000 * 1000) /* what is done once an hour is not waited for */
			return;
		rig->mono_ns += wait_ns;
		rig->wall_us += wait_ns / 1000;
	}
}

struct consumer_status
rig_status(struct rig *rig)
{
	struct consumer_status status;
	struct fault fault;

	if (consumer_status(rig->consumer, &rig->arena, &status, &fault) != 0)
		die("consumer_status", &fault);
	return status;
}

static struct store_reader *
reader_of(struct rig *rig)
{
	struct store_reader *reader;
	struct fault fault;

	if (store_reader_open(rig->store, &reader, &fault) != 0)
		die("store_reader_open", &fault);
	return reader;
}

long long
rig_sum(struct rig *rig, const char *id, size_t *count)
{
	struct store_reader *reader = reader_of(rig);
	struct entries entries = { 0 };
	stream_version version;
	struct fault fault;
	char stream[64];
	long long sum = 0;

	snprintf(stream, sizeof(stream), "tally.counter/%s", id);
	if (store_read_stream(reader, slice_text(stream), 1, (struct read_limit){ 100000, 0 }, &rig->arena, &entries,
			      &version, &fault) != 0)
		die("store_read_stream", &fault);
	for (size_t i = 0; i < entries.count; i++) {
		long long by = 0, said = 0;

		if (sscanf(entries.items[i].data.data, "{\"by\":%lld,\"sum\":%lld}", &by, &said) != 2)
			abort();
		sum += by;
		if (said != sum) {
			fprintf(stderr, "%s/%zu was decided on %lld, not %lld\n", stream, i + 1, said - by, sum - by);
			exit(1);
		}
	}
	if (count != NULL)
		*count = entries.count;
	store_reader_close(reader);
	return sum;
}

const char *
rig_record(struct rig *rig, const char *space, const char *key)
{
	struct store_reader *reader = reader_of(rig);
	struct slice value = SLICE_NONE;
	struct fault fault;
	bool found;

	if (store_read_record(reader, slice_text(space), slice_text(key), &rig->arena, &value, &found, &fault) != 0)
		die("store_read_record", &fault);
	store_reader_close(reader);
	return found ? arena_text(&rig->arena, value) : "";
}

long long
rig_place(struct rig *rig, const char *lane)
{
	long long place = -1;

	(void)sscanf(rig_record(rig, "consumer/tally.adder", lane), "%lld ", &place);
	return place;
}

size_t
rig_records(struct rig *rig, const char *space)
{
	struct store_reader *reader = reader_of(rig);
	struct record *records;
	struct fault fault;
	size_t count;

	if (store_list_records(reader, slice_text(space), SLICE_NONE, 100000, &rig->arena, &records, &count, &fault) !=
	    0)
		die("store_list_records", &fault);
	store_reader_close(reader);
	return count;
}
