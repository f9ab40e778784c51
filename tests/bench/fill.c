/* SPDX-License-Identifier: MIT */
/*
 * A large bank in little time: accounts and deposits through the store's door, without syncs, each account's events far
 * apart in the log. What a daemon would have recorded but for the integration messages.
 *
 *   bench_fill DIRECTORY EVENTS STREAMS IDS_FILE    writes up to 100,000 of the accounts' ids, evenly spread
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/sqlite/sqlite.h"

#define GROUP  1000
#define SAMPLE 100000

struct place {
	struct append append;
	struct append_stream stream;
	struct new_entry entry;
	char name[80];
	char data[400];
};

static struct place places[GROUP];
static struct append *list[GROUP];
static struct arena answers;

static _Noreturn void
fail(const char *what, const char *text)
{
	fprintf(stderr, "bench_fill: %s: %s\n", what, text);
	exit(1);
}

static uint64_t
common_factor(uint64_t a, uint64_t b)
{
	return b == 0 ? a : common_factor(b, a % b);
}

/* Every account once a pass, in another order each time. */
static uint64_t
account_of(uint64_t number, uint64_t streams)
{
	static uint64_t step;

	if (number % streams == 0)
		for (step = (number / streams + 1) * 2654435761u; common_factor(step, streams) != 1;)
			step++;
	return number % streams * (step % streams) % streams;
}

static void
format_id(char *text, size_t size, uint64_t account)
{
	snprintf(text, size, "%08llx-7a2b-7c00-8d00-%012llx", (unsigned long long)(account * 2654435761u & 0xffffffff),
		 (unsigned long long)account);
}

static void
make(struct place *place, uint64_t number, uint64_t streams, uint64_t account)
{
	uint64_t version = number / streams + 1;
	long long balance = 10000 + 525 * ((long long)version - 1);
	char id[48];

	format_id(id, sizeof(id), account);
	snprintf(place->name, sizeof(place->name), "banking.account/%s", id);
	if (version == 1)
		snprintf(place->data, sizeof(place->data),
			 "{\"accountName\":\"Name\",\"accountNumber\":\"f%llu\",\"currency\":\"EUR\","
			 "\"initialBalance\":10000,\"ownerName\":\"Owner\",\"transaction\":{\"closingBalance\":10000,"
			 "\"date\":1795908662337533,\"description\":\"Initial deposit\",\"openingBalance\":0,"
			 "\"transactionId\":\"%08llx-7442-717d-988b-b80ee9afca9f\"}}",
			 (unsigned long long)account, (unsigned long long)number);
	else
		snprintf(place->data, sizeof(place->data),
			 "{\"amount\":525,\"currency\":\"EUR\",\"transaction\":{\"closingBalance\":%lld,"
			 "\"date\":1795908662338952,\"description\":\"paid in at the counter, "
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"openingBalance\":%lld,"
			 "\"transactionId\":\"%08llx-7442-717d-988b-b80ee9afca9f\"}}",
			 balance, balance - 525, (unsigned long long)number);
	place->stream = (struct append_stream){ slice_text(place->name), { EXPECTED_EXACTLY, version - 1 } };
	place->entry = (struct new_entry){ .kind = ENTRY_EVENT,
					   .schema_version = 2,
					   .type = version == 1 ? SLICE("AccountCreated") : SLICE("MoneyDeposited"),
					   .data = slice_text(place->data) };
	place->append = (struct append){ .streams = &place->stream,
					 .stream_count = 1,
					 .entries = &place->entry,
					 .entry_count = 1,
					 .arena = &answers };
	entry_digest(&place->entry, place->stream.name, 0, &place->append.provenance, &place->entry.digest);
}

static void
commit(struct store *store, size_t count)
{
	struct fault fault = { 0 };

	if (store_commit(store, list, count, &fault) != COMMIT_DONE)
		fail("commit", fault.text);
	for (size_t i = 0; i < count; i++)
		if (places[i].append.answer != APPEND_DONE)
			fail("append", places[i].name);
	store_idle(store);
	arena_clear(&answers);
}

static void
write_ids(const char *path, uint64_t streams)
{
	FILE *file = fopen(path, "w");
	uint64_t step = streams > SAMPLE ? streams / SAMPLE : 1;
	char id[48];

	if (file == NULL)
		fail("ids", path);
	for (uint64_t account = 0; account < streams; account += step) {
		format_id(id, sizeof(id), account);
		fprintf(file, "%s\n", id);
	}
	if (fclose(file) != 0)
		fail("ids", path);
}

int
main(int argc, char **argv)
{
	struct sqlite_options options = { .path = argc == 5 ? argv[1] : NULL, .create = true, .no_sync = true };
	struct store *store;
	struct fault fault = { 0 };

	if (argc != 5)
		return fprintf(stderr, "usage: bench_fill DIRECTORY EVENTS STREAMS IDS_FILE\n"), 2;
	uint64_t events = strtoull(argv[2], NULL, 10), streams = strtoull(argv[3], NULL, 10);
	if (events == 0 || streams == 0 || events < streams)
		fail("events", "at least one a stream");
	arena_init(&answers, SIZE_MAX);
	mkdir(argv[1], 0700);
	if (sqlite_open(&options, &store, &fault) != 0)
		fail("open", fault.text);
	for (uint64_t number = 0; number < events;) {
		size_t count = 0;

		/* A group holds no stream twice, for each append names the version before it. */
		while (count < GROUP && number < events && (count == 0 || number % streams != 0)) {
			make(&places[count], number, streams, account_of(number, streams));
			list[count] = &places[count].append;
			count++;
			number++;
		}
		commit(store, count);
	}
	while (store_idle(store))
		;
	store_close(store);
	arena_fini(&answers);
	write_ids(argv[4], streams);
	printf("rate=0 events=%llu streams=%llu\n", (unsigned long long)events, (unsigned long long)streams);
	return 0;
}
