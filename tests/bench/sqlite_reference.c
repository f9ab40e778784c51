/* SPDX-License-Identifier: MIT */
/*
 * The reference that store figures are given against: SQLite by itself, WAL, synchronous=FULL, one prepared insert, one
 * table without a secondary index, 300 bytes of data a row.
 *
 *   sqlite_reference append DIRECTORY ROWS SECONDS    ROWS a transaction: rows a second, p50 and p99 of a transaction
 *   sqlite_reference scan   DIRECTORY ROWS            makes ROWS rows once, then reads them all in order: rows a second
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Of this process: says more than the clock on a machine that does other work too. */
static int64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void
must_do(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "sqlite_reference: %s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
}

static sqlite3 *
open_fresh(const char *directory, const char *name, int keep)
{
	char path[1024], journal[1100];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (int i = 0; i < 3 && !keep; i++) {
		snprintf(journal, sizeof(journal), "%s%s", path, (const char *[]){ "", "-wal", "-shm" }[i]);
		unlink(journal);
	}
	if (sqlite3_open(path, &db) != SQLITE_OK) {
		fprintf(stderr, "sqlite_reference: %s: %s\n", path, sqlite3_errmsg(db));
		exit(1);
	}
	must_do(db, "PRAGMA journal_mode=WAL");
	must_do(db, "PRAGMA synchronous=FULL");
	must_do(db, "CREATE TABLE IF NOT EXISTS e(position INTEGER PRIMARY KEY, stream TEXT, version INT, type TEXT, "
		    "data TEXT)");
	return db;
}

static void
insert_rows(sqlite3 *db, sqlite3_stmt *insert, long rows, uint64_t *number)
{
	static char data[301], stream[64];

	if (data[0] == '\0')
		memset(data, 'x', 300);
	must_do(db, "BEGIN IMMEDIATE");
	for (long i = 0; i < rows; i++, ++*number) {
		snprintf(stream, sizeof(stream), "banking.account/%08llu",
			 (unsigned long long)(*number * 2654435761u % 20000));
		sqlite3_bind_text(insert, 1, stream, -1, SQLITE_STATIC);
		sqlite3_bind_int64(insert, 2, (sqlite3_int64)(*number / 20000 + 1));
		sqlite3_bind_text(insert, 3, "MoneyDeposited", -1, SQLITE_STATIC);
		sqlite3_bind_text(insert, 4, data, 300, SQLITE_STATIC);
		if (sqlite3_step(insert) != SQLITE_DONE)
			exit(1);
		sqlite3_reset(insert);
	}
	must_do(db, "COMMIT");
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		exit(1);
	return statement;
}

static int
compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static void
append(const char *directory, long rows, double seconds)
{
	sqlite3 *db = open_fresh(directory, "reference.db", 0);
	sqlite3_stmt *insert = prepare(db, "INSERT INTO e(stream, version, type, data) VALUES(?,?,?,?)");
	size_t room = 1 << 20, count = 0;
	int64_t *took = malloc(room * sizeof(*took)), begin = now_ns(), end = begin + (int64_t)(seconds * 1e9),
		last = begin;
	uint64_t number = 0;

	while (last < end && count < room) {
		insert_rows(db, insert, rows, &number);
		int64_t now = now_ns();
		took[count++] = now - last;
		last = now;
	}
	qsort(took, count, sizeof(*took), compare);
	printf("rate=%.1f p50=%lld p99=%lld\n", (double)number / ((double)(last - begin) / 1e9),
	       (long long)took[count / 2] / 1000, (long long)took[count * 99 / 100] / 1000);
	sqlite3_finalize(insert);
	sqlite3_close(db);
	free(took);
}

static void
scan(const char *directory, long rows)
{
	sqlite3 *db = open_fresh(directory, "scan.db", 1);
	sqlite3_stmt *count = prepare(db, "SELECT max(position) FROM e");
	uint64_t number = 0, bytes = 0, seen = 0;

	sqlite3_step(count);
	number = (uint64_t)sqlite3_column_int64(count, 0);
	sqlite3_finalize(count);
	sqlite3_stmt *insert = prepare(db, "INSERT INTO e(stream, version, type, data) VALUES(?,?,?,?)");
	while (number < (uint64_t)rows)
		insert_rows(db, insert, 10000, &number);
	sqlite3_finalize(insert);
	must_do(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	sqlite3_stmt *all =
		prepare(db, "SELECT position, stream, version, type, data FROM e WHERE position > 0 ORDER BY position");
	int64_t begin = now_ns(), cpu = cpu_ns();
	while (sqlite3_step(all) == SQLITE_ROW) {
		bytes += (uint64_t)sqlite3_column_int64(all, 0) + (uint64_t)sqlite3_column_int64(all, 2);
		for (int i = 1; i < 5; i += 1 + (i == 1))
			bytes += (uint64_t)sqlite3_column_text(all, i)[0];
		seen++;
	}
	cpu = cpu_ns() - cpu;
	printf("rate=%.1f cpu_rate=%.1f rows=%llu check=%llu\n", (double)seen / ((double)(now_ns() - begin) / 1e9),
	       (double)seen / ((double)cpu / 1e9), (unsigned long long)seen, (unsigned long long)bytes);
	sqlite3_finalize(all);
	sqlite3_close(db);
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "append") == 0)
		append(argv[2], strtol(argv[3], NULL, 10), strtod(argv[4], NULL));
	else if (argc == 4 && strcmp(argv[1], "scan") == 0)
		scan(argv[2], strtol(argv[3], NULL, 10));
	else
		return fprintf(stderr, "usage: sqlite_reference append|scan DIRECTORY ROWS [SECONDS]\n"), 2;
	return 0;
}
