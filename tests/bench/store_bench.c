/* SPDX-License-Identifier: MIT */
/*
 * The store's door against SQLite by itself (WAL, synchronous=FULL, one prepared insert into one table without a
 * secondary index), in turns within the same minute; medians of the rounds. Data of 300 bytes an event.
 *
 *   bench_store append DIRECTORY [ROUNDS [SECONDS [ROW]]]
 *                                                        ratios for single events, batches and groups; or one of them
 *   bench_store scan DIRECTORY EVENTS ROUNDS             the whole log against a raw scan of its table
 *   bench_store grow DIRECTORY EVENTS STREAMS            one store of that size: rate, bytes, start, memory, reads
 *                                                        (NO_SYNC=1 to fill it without syncs)
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/sqlite/sqlite.h"

#define DATA_SIZE 300

static char data[DATA_SIZE + 1];
static const char *directory;

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Of this process: says more than the clock on a machine that does other work too. */
static int64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void
fail(const char *what, const char *text)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, text);
	exit(1);
}

static void
remove_files(const char *name)
{
	static const char *const ends[] = { "/moonlog.db", "/moonlog.db-wal", "/moonlog.db-shm", "/moonlog.lock",
					    "/witness" };
	char path[600];

	for (size_t i = 0; i < countof(ends); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", directory, name, ends[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	rmdir(path);
}

/* How long each transaction took. */
struct times {
	int64_t *items;
	size_t count;
};

#define TIMES_ROOM ((size_t)1 << 22)

static int
compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

struct figure {
	double rate;
	double cpu_rate; /* events a second of processor */
	double p50_us;
	double p99_us;
	double max_us;
};

static struct figure
figure_of(struct times *times, uint64_t events, int64_t ns, int64_t cpu)
{
	struct figure figure = { (double)events * 1e9 / (double)ns, (double)events * 1e9 / (double)cpu, 0, 0, 0 };

	qsort(times->items, times->count, sizeof(int64_t), compare_times);
	figure.p50_us = (double)times->items[times->count / 2] / 1000;
	figure.p99_us = (double)times->items[times->count * 99 / 100] / 1000;
	figure.max_us = (double)times->items[times->count - 1] / 1000;
	return figure;
}

static struct figure
run_raw(int rows, double seconds, struct times *times)
{
	char path[600];
	sqlite3 *db;
	sqlite3_stmt *insert;
	uint64_t number = 0;
	int64_t begin, last, end, cpu;

	remove_files("raw");
	snprintf(path, sizeof(path), "%s/raw", directory);
	mkdir(path, 0700);
	strcat(path, "/moonlog.db");
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(
		    db,
		    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE e(position INTEGER PRIMARY KEY,"
		    " stream TEXT, version INT, type TEXT, data TEXT)",
		    NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "INSERT INTO e(stream, version, type, data) VALUES(?,?,?,?)", -1, &insert, NULL) !=
		    SQLITE_OK)
		fail("raw", sqlite3_errmsg(db));
	begin = last = now_ns();
	cpu = cpu_ns();
	end = begin + (int64_t)(seconds * 1e9);
	times->count = 0;
	while (last < end) {
		int64_t now;

		sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		for (int i = 0; i < rows; i++, number++) {
			char stream[40];

			snprintf(stream, sizeof(stream), "bank.account/%08llu",
				 (unsigned long long)(number * 2654435761u % 20000));
			sqlite3_bind_text(insert, 1, stream, -1, SQLITE_STATIC);
			sqlite3_bind_int64(insert, 2, (sqlite3_int64)(number / 20000 + 1));
			sqlite3_bind_text(insert, 3, "MoneyDeposited", -1, SQLITE_STATIC);
			sqlite3_bind_text(insert, 4, data, DATA_SIZE, SQLITE_STATIC);
			if (sqlite3_step(insert) != SQLITE_DONE)
				fail("raw", sqlite3_errmsg(db));
			sqlite3_reset(insert);
		}
		if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
			fail("raw", sqlite3_errmsg(db));
		now = now_ns();
		times->items[times->count++] = now - last;
		last = now;
	}
	sqlite3_finalize(insert);
	sqlite3_close(db);
	return figure_of(times, number, last - begin, cpu_ns() - cpu);
}

/* A group of `appends` appends of `entries` entries each, every one on a stream of its own choice. */
struct load {
	int appends;
	int entries;
	bool ids;
	uint64_t streams;
	uint64_t number;
	struct arena arena;
	struct append *made;
	struct append_stream *made_streams;
	struct new_entry *made_entries;
	struct command_id *made_ids;
	char (*names)[40];
	struct append **list;
};

static void
load_init(struct load *load)
{
	size_t appends = (size_t)load->appends, entries = appends * (size_t)load->entries;

	arena_init(&load->arena, SIZE_MAX);
	load->made = calloc(appends, sizeof(*load->made));
	load->made_streams = calloc(appends, sizeof(*load->made_streams));
	load->made_entries = calloc(entries, sizeof(*load->made_entries));
	load->made_ids = calloc(appends, sizeof(*load->made_ids));
	load->names = calloc(appends, sizeof(*load->names));
	load->list = calloc(appends, sizeof(*load->list));
}

static void
load_fini(struct load *load)
{
	arena_fini(&load->arena);
	free(load->made);
	free(load->made_streams);
	free(load->made_entries);
	free(load->made_ids);
	free(load->names);
	free(load->list);
}

static uint64_t
mix(uint64_t number)
{
	number = (number ^ number >> 31) * 0x9e3779b97f4a7c15u;
	return (number ^ number >> 29) * 0xbf58476d1ce4e5b9u;
}

static void
load_group(struct load *load, struct store *store)
{
	struct fault fault;

	arena_clear(&load->arena);
	for (int i = 0; i < load->appends; i++) {
		struct append *append = load->list[i] = &load->made[i];
		struct new_entry *entries = &load->made_entries[i * load->entries];
		uint64_t stream = mix(load->number + 1) >> 7;

		snprintf(load->names[i], sizeof(load->names[i]), "bank.account/%08llu",
			 (unsigned long long)(stream % load->streams));
		load->made_streams[i] = (struct append_stream){ slice_text(load->names[i]), { EXPECTED_ANY, 0 } };
		for (int k = 0; k < load->entries; k++) {
			entries[k] = (struct new_entry){ .kind = ENTRY_EVENT,
							 .schema_version = 1,
							 .type = SLICE("MoneyDeposited"),
							 .data = slice_from(data, DATA_SIZE) };
			entry_digest(&entries[k], load->made_streams[i].name, 0, &append->provenance,
				     &entries[k].digest);
		}
		*append = (struct append){ .streams = &load->made_streams[i],
					   .stream_count = 1,
					   .entries = entries,
					   .entry_count = (size_t)load->entries,
					   .arena = &load->arena };
		if (load->ids) {
			uint64_t halves[2] = { mix(load->number * 2 + 5), mix(load->number * 3 + 7) };

			memcpy(load->made_ids[i].bytes, halves, sizeof(halves));
			append->command_id = &load->made_ids[i];
		}
		load->number += (uint64_t)load->entries;
	}
	if (store_commit(store, load->list, (size_t)load->appends, &fault) != COMMIT_DONE)
		fail("commit", fault.text);
	for (int i = 0; i < load->appends; i++)
		if (load->made[i].answer != APPEND_DONE)
			fail("append", "not done");
}

static struct store *
open_store(const char *name)
{
	char path[600];
	struct sqlite_options options = { .path = path, .create = true, .no_sync = getenv("NO_SYNC") != NULL };
	struct store *store;
	struct fault fault;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (sqlite_open(&options, &store, &fault) != 0)
		fail("open", fault.text);
	return store;
}

static struct figure
run_store(int appends, int entries, bool ids, double seconds, struct times *times)
{
	struct load load = { .appends = appends, .entries = entries, .ids = ids, .streams = 20000 };
	int64_t begin, last, end, cpu;
	struct store *store;

	remove_files("store");
	store = open_store("store");
	load_init(&load);
	begin = last = now_ns();
	cpu = cpu_ns();
	end = begin + (int64_t)(seconds * 1e9);
	times->count = 0;
	while (last < end) {
		int64_t now;

		load_group(&load, store);
		store_idle(store);
		now = now_ns();
		times->items[times->count++] = now - last;
		last = now;
	}
	cpu = cpu_ns() - cpu;
	load_fini(&load);
	store_close(store);
	return figure_of(times, load.number, last - begin, cpu);
}

static int
compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double
median(double *items, int count)
{
	qsort(items, (size_t)count, sizeof(double), compare_doubles);
	return items[count / 2];
}

static void
bench_append(int rounds, double seconds, const char *only)
{
	static const struct {
		const char *name;
		int appends, entries, raw;
		bool ids;
	} rows[] = { { "1 writer, 1 event", 1, 1, 1, false },
		     { "1 writer, 1 event, ids", 1, 1, 1, true },
		     { "8 writers, 1 event, ids", 8, 1, 1, true },
		     { "1 writer, batch of 100", 1, 100, 100, false },
		     { "8 writers, batches of 100", 8, 100, 100, false },
		     { "100 appends of 1", 100, 1, 100, false },
		     { "100 appends of 1, ids", 100, 1, 100, true } };
	struct times times = { malloc(TIMES_ROOM * sizeof(int64_t)), 0 };

	printf("%-28s %10s %10s %6s   %s\n", "", "store/s", "raw/s", "ratio",
	       "store p50 p99 max us, raw p50 p99 max   ratio by processor time");
	for (size_t i = 0; i < countof(rows); i++) {
		double ratios[99], rates[99], raws[99];
		struct figure ours = { 0 }, raw = { 0 };

		if (only != NULL && strcmp(only, rows[i].name) != 0)
			continue;
		for (int k = 0; k < rounds; k++) {
			raw = run_raw(rows[i].raw, seconds, &times);
			ours = run_store(rows[i].appends, rows[i].entries, rows[i].ids, seconds, &times);
			ratios[k] = ours.rate / raw.rate;
			rates[k] = ours.rate;
			raws[k] = raw.rate;
		}
		printf("%-28s %10.0f %10.0f %6.2f   %.0f %.0f %.0f, %.0f %.0f %.0f   %.2f\n", rows[i].name,
		       median(rates, rounds), median(raws, rounds), median(ratios, rounds), ours.p50_us, ours.p99_us,
		       ours.max_us, raw.p50_us, raw.p99_us, raw.max_us, ours.cpu_rate / raw.cpu_rate);
		fflush(stdout);
	}
	free(times.items);
	remove_files("raw");
	remove_files("store");
}

static long
number_in(const char *file, const char *key)
{
	char line[200];
	long number = 0;
	FILE *in = fopen(file, "r");

	while (in != NULL && fgets(line, sizeof(line), in) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			sscanf(line + strlen(key), " %ld", &number);
	if (in != NULL)
		fclose(in);
	return number;
}

static long
file_size(const char *name)
{
	char path[600];
	struct stat found;

	snprintf(path, sizeof(path), "%s/grow/%s", directory, name);
	return stat(path, &found) == 0 ? (long)found.st_size : 0;
}

static void
read_all(struct store *store)
{
	struct store_reader *reader;
	struct entries page;
	struct arena arena;
	struct fault fault;
	log_position at = 0, seen;
	int64_t begin = now_ns(), cpu = cpu_ns();

	arena_init(&arena, SIZE_MAX);
	if (store_reader_open(store, &reader, &fault) != 0)
		fail("reader", fault.text);
	for (;;) {
		if (store_read_log(reader, at, NULL, (struct read_limit){ 1000, 0 }, &arena, &page, &seen, &fault) != 0)
			fail("log", fault.text);
		if (page.count == 0)
			break;
		at = seen;
		arena_clear(&arena);
	}
	printf("whole log: %.0f events/s, %.0f a second of processor\n", (double)at * 1e9 / (double)(now_ns() - begin),
	       (double)at * 1e9 / (double)(cpu_ns() - cpu));
	store_reader_close(reader);
	arena_fini(&arena);
}

static void
scan_raw(void)
{
	char path[600];
	sqlite3 *db = NULL;
	sqlite3_stmt *all = NULL;
	uint64_t rows = 0, bytes = 0;
	int64_t begin, cpu;

	snprintf(path, sizeof(path), "%s/grow/moonlog.db", directory);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db,
			       "SELECT position, stream, version, type, data FROM entries WHERE position > 0"
			       " ORDER BY position",
			       -1, &all, NULL) != SQLITE_OK)
		fail("scan", sqlite3_errmsg(db));
	begin = now_ns();
	cpu = cpu_ns();
	while (sqlite3_step(all) == SQLITE_ROW) {
		bytes += (uint64_t)sqlite3_column_int64(all, 0) + (uint64_t)sqlite3_column_text(all, 4)[7];
		rows++;
	}
	printf("raw scan of the same table: %.0f rows/s, %.0f a second of processor (%llu)\n",
	       (double)rows * 1e9 / (double)(now_ns() - begin), (double)rows * 1e9 / (double)(cpu_ns() - cpu),
	       (unsigned long long)bytes);
	sqlite3_finalize(all);
	sqlite3_close(db);
}

static void
read_streams(struct store *store, uint64_t streams)
{
	enum { READS = 2000 };
	static int64_t took[READS];
	struct store_reader *reader;
	struct entries entries;
	struct arena arena;
	struct fault fault;
	stream_version version;
	uint64_t events = 0;

	arena_init(&arena, SIZE_MAX);
	if (store_reader_open(store, &reader, &fault) != 0)
		fail("reader", fault.text);
	for (int i = 0; i < READS; i++) {
		char name[40];
		int64_t begin = now_ns();

		snprintf(name, sizeof(name), "bank.account/%08llu",
			 (unsigned long long)(mix((uint64_t)i + 77) % streams));
		if (store_read_stream(reader, slice_text(name), 1, (struct read_limit){ 1000, 0 }, &arena, &entries,
				      &version, &fault) != 0)
			fail("stream", fault.text);
		events += entries.count;
		took[i] = now_ns() - begin;
		arena_clear(&arena);
	}
	qsort(took, READS, sizeof(took[0]), compare_times);
	printf("a stream (%.1f events in the mean): p50 %.0f us, p99 %.0f us\n", (double)events / READS,
	       (double)took[READS / 2] / 1000, (double)took[READS * 99 / 100] / 1000);
	store_reader_close(reader);
	arena_fini(&arena);
}

/* Groups of 32 for so many seconds: events a second, on the clock and by processor time. */
static struct figure
run_groups(struct load *load, struct store *store, double seconds, struct times *times)
{
	int64_t begin = now_ns(), last = begin, end = begin + (int64_t)(seconds * 1e9), cpu = cpu_ns();
	uint64_t before = load->number;

	times->count = 0;
	while (last < end) {
		int64_t now;

		load_group(load, store);
		store_idle(store);
		now = now_ns();
		times->items[times->count++] = now - last;
		last = now;
	}
	return figure_of(times, load->number - before, last - begin, cpu_ns() - cpu);
}

/* What growing costs, as rates of the store over those of SQLite by itself, which always begins with an empty table. */
static void
compare_rates(struct load *load, struct store *store, struct times *times)
{
	enum { ROUNDS = 7 };
	double clock[ROUNDS], processor[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		struct figure raw = run_raw(32, 0.7, times), ours = run_groups(load, store, 0.7, times);

		clock[i] = ours.rate / raw.rate;
		processor[i] = ours.cpu_rate / raw.cpu_rate;
	}
	printf("%9llu events: %.3f of the rate of raw groups of 32, %.3f by processor time\n",
	       (unsigned long long)load->number, median(clock, ROUNDS), median(processor, ROUNDS));
	fflush(stdout);
}

static void
bench_grow(uint64_t events, uint64_t streams)
{
	struct load load = { .appends = 32, .entries = 1, .ids = true, .streams = streams };
	struct times times = { malloc(TIMES_ROOM * sizeof(int64_t)), 0 };
	struct store *store;
	int64_t begin, last;
	uint64_t report = 100000, last_number = 0;
	long written;

	remove_files("grow");
	store = open_store("grow");
	load_init(&load);
	written = number_in("/proc/self/io", "wchar:");
	begin = last = now_ns();
	while (load.number < events) {
		load_group(&load, store);
		store_idle(store);
		if (load.number >= report || load.number >= events) {
			int64_t now = now_ns();
			long wrote = number_in("/proc/self/io", "wchar:");

			printf("%9llu events: %.0f events/s, %.0f bytes written an event, %.1f on disk, wal %ld MB, "
			       "%ld MB of memory\n",
			       (unsigned long long)load.number,
			       (double)(load.number - last_number) * 1e9 / (double)(now - last),
			       (double)(wrote - written) / (double)(load.number - last_number),
			       (double)file_size("moonlog.db") / (double)load.number, file_size("moonlog.db-wal") >> 20,
			       number_in("/proc/self/status", "VmRSS:") / 1024);
			compare_rates(&load, store, &times);
			last = now_ns();
			last_number = load.number;
			written = number_in("/proc/self/io", "wchar:");
			report *= report < 1000000 ? 10 : 3;
		}
	}
	remove_files("raw");
	free(times.items);
	store_close(store);
	begin = now_ns();
	store = open_store("grow");
	printf("opened in %.0f ms, ", (double)(now_ns() - begin) / 1e6);
	load_group(&load, store);
	printf("first group of 32 after %.0f ms, %ld MB of private memory\n", (double)(now_ns() - begin) / 1e6,
	       number_in("/proc/self/status", "RssAnon:") / 1024);
	read_streams(store, streams);
	read_all(store);
	scan_raw();
	load_fini(&load);
	store_close(store);
	remove_files("grow");
}

/* The whole log and the raw scan in turns. */
static void
bench_scan(uint64_t events, int rounds)
{
	struct load load = { .appends = 100, .entries = 1, .ids = true, .streams = 20000 };
	struct store *store;

	remove_files("grow");
	store = open_store("grow");
	load_init(&load);
	while (load.number < events)
		load_group(&load, store);
	for (int i = 0; i < rounds; i++) {
		read_all(store);
		scan_raw();
	}
	load_fini(&load);
	store_close(store);
	remove_files("grow");
}

int
main(int argc, char **argv)
{
	memset(data, 'x', DATA_SIZE);
	data[0] = data[DATA_SIZE - 1] = '"';
	directory = argc > 2 ? argv[2] : "";
	if (argc >= 3 && argc <= 6 && strcmp(argv[1], "append") == 0)
		bench_append(argc > 3 ? atoi(argv[3]) : 5, argc > 4 ? strtod(argv[4], NULL) : 1.0,
			     argc > 5 ? argv[5] : NULL);
	else if (argc == 5 && strcmp(argv[1], "grow") == 0)
		bench_grow(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	else if (argc == 5 && strcmp(argv[1], "scan") == 0)
		bench_scan(strtoull(argv[3], NULL, 10), atoi(argv[4]));
	else
		return fprintf(stderr, "usage: bench_store append|grow|scan DIRECTORY ...\n"), 2;
	return 0;
}
