/* SPDX-License-Identifier: MIT */
/*
 * Backup: a copy made row by row from a reader's side while the store goes on. What can change (records) and where the
 * log ends are copied in one transaction; the log before that end cannot change and is copied in bites of short
 * transactions, so that the writer's log file stays small. The copy is verified as a store of its own, then takes its
 * name.
 *
 * Restore: the other way round, into a directory without a store; verified before it takes its place.
 * Fails: CONFIG "backup_exists", "store_exists", "no_such_file", "not_a_store"; CORRUPT "backup_damaged"; FULL, AWAY for
 * I/O.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/verify.h"
#include "store/sqlite/witness.h"

#define PATH_ROOM 4096
#define BITE      20000

/* A store that lies in a directory of its own until it is known to be good. */
struct part {
	char directory[PATH_ROOM];
	char file[PATH_ROOM + 16];
};

static int
make_part(struct part *part, const char *beside, struct fault *fault)
{
	if (snprintf(part->directory, PATH_ROOM, "%s.part", beside) >= PATH_ROOM)
		return fault_set(fault, FAULT_CONFIG, "bad_path", "the path is too long");
	snprintf(part->file, sizeof(part->file), "%s/moonlog.db", part->directory);
	if (mkdir(part->directory, 0700) != 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s", part->directory);
	return 0;
}

static void
remove_part(const struct part *part)
{
	static const char *const ends[] = { "", "-journal", "-wal", "-shm" };
	char path[PATH_ROOM + 32];

	for (size_t i = 0; i < countof(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", part->file, ends[i]);
		unlink(path);
	}
	rmdir(part->directory);
}

static int
sync_path(const char *path, int flags, struct fault *fault)
{
	int fd = open(path, flags | O_CLOEXEC), result = 0;

	if (fd < 0 || fsync(fd) != 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	if (fd >= 0)
		close(fd);
	return result;
}

static int
sync_parent(const char *path, struct fault *fault)
{
	char parent[PATH_ROOM];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash == NULL)
		snprintf(parent, sizeof(parent), ".");
	else if (slash == parent)
		parent[1] = '\0';
	else
		*slash = '\0';
	return sync_path(parent, O_RDONLY | O_DIRECTORY, fault);
}

/* The copy opened as a store and looked over whole; gives its end. */
static int
verify_part(const struct part *part, struct log_end *end, struct verify_report *report, struct fault *fault)
{
	struct sqlite_options options = { .path = part->directory, .read_only = true };
	struct store_reader *reader = NULL;
	struct store *store;
	int result;

	if (sqlite_open(&options, &store, fault) != 0)
		return -1;
	result = store_reader_open(store, &reader, fault);
	if (result == 0)
		result = sqlite_verify_copy(reader, report, fault);
	*end = sqlite_store_of(store)->end;
	store_reader_close(reader);
	store_close(store);
	if (result == 0 && report->findings != 0)
		return fault_set(fault, FAULT_CORRUPT, "backup_damaged", "the copy has %llu findings; it is not kept",
				 (unsigned long long)report->findings);
	return result;
}

/* Runs "INSERT ... SELECT ... WHERE number > ? AND number <= ?" in bites up to `last`. */
static int
copy_log(struct link *copy, const char *table, const char *number, uint64_t last, struct verify_report *report,
	 struct fault *fault)
{
	sqlite3_stmt *statement;
	char sql[200];
	int result = 0;

	snprintf(sql, sizeof(sql), "INSERT INTO main.%s SELECT * FROM live.%s WHERE %s > ? AND %s <= ?", table, table,
		 number, number);
	if (sqlite3_prepare_v2(copy->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return link_fault(copy, sql, fault);
	for (uint64_t from = 0; result == 0 && from < last; from += BITE) {
		uint64_t to = last - from < BITE ? last : from + BITE;

		link_bind_int(statement, 1, from);
		link_bind_int(statement, 2, to);
		result = link_step(copy, statement, fault) < 0 ? -1 : 0;
		if (report->progress != NULL && strcmp(table, "entries") == 0)
			report->progress(report->self, to, last);
	}
	sqlite3_finalize(statement);
	return result;
}

static int
last_of(struct link *copy, const char *sql, uint64_t *number, struct fault *fault)
{
	sqlite3_stmt *statement;
	int stepped;

	if (sqlite3_prepare_v2(copy->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return link_fault(copy, sql, fault);
	stepped = link_step(copy, statement, fault);
	*number = stepped > 0 ? link_int(statement, 0) : 0;
	sqlite3_finalize(statement);
	return stepped < 0 ? -1 : 0;
}

/* One moment of the store: everything that can change, and how far the rest goes. */
static int
copy_moment(struct link *copy, log_position *head, uint64_t *streams, uint64_t *bares, struct fault *fault)
{
	static const char moment[] = "INSERT INTO main.records SELECT * FROM live.records;"
				     "INSERT INTO main.types SELECT * FROM live.types;"
				     "INSERT INTO main.segments SELECT * FROM live.segments;"
				     "INSERT INTO main.stream_index SELECT * FROM live.stream_index WHERE segment <= "
				     "(SELECT max(number) FROM live.segments);"
				     "INSERT INTO main.stream_blocks SELECT * FROM live.stream_blocks WHERE number < "
				     "((SELECT max(number) FROM live.segments) + 1) " STREAM_BLOCK_SHIFT ";"
				     "INSERT INTO main.hash_index SELECT * FROM live.hash_index WHERE segment <= "
				     "(SELECT max(number) FROM live.segments);"
				     "REPLACE INTO main.settings SELECT * FROM live.settings";
	int result;

	if (link_exec(copy, "BEGIN", fault) != 0)
		return -1;
	result = last_of(copy, "SELECT max(position) FROM live.entries", head, fault);
	if (result == 0)
		result = last_of(copy, "SELECT max(id) FROM live.streams", streams, fault);
	if (result == 0)
		result = last_of(copy, "SELECT max(number) FROM live.bares", bares, fault);
	if (result == 0)
		result = link_exec(copy, moment, fault);
	if (result == 0)
		result = link_exec(copy, "COMMIT", fault);
	return result;
}

static int
fill_copy(struct link *copy, struct sqlite_store *store, struct verify_report *report, struct fault *fault)
{
	log_position head = 0;
	uint64_t streams = 0, bares = 0, seed;
	char plain[LINK_PATH_SIZE];
	sqlite3_stmt *attach;
	int result;

	if (sqlite_schema_make(copy, true, store->entropy, &seed, fault) != 0 ||
	    link_exec(copy, "PRAGMA journal_mode = DELETE", fault) != 0)
		return -1;
	if (sqlite3_prepare_v2(copy->db, "ATTACH ? AS live", -1, &attach, NULL) != SQLITE_OK)
		return link_fault(copy, "attach", fault);
	link_bind_text(attach, 1, slice_text(link_path(store->file, plain)));
	result = link_step(copy, attach, fault);
	sqlite3_finalize(attach);
	if (result < 0 || copy_moment(copy, &head, &streams, &bares, fault) != 0 ||
	    copy_log(copy, "streams", "id", streams, report, fault) != 0 ||
	    copy_log(copy, "bares", "number", bares, report, fault) != 0 ||
	    copy_log(copy, "entries", "position", head, report, fault) != 0 ||
	    link_exec(copy, "DETACH live", fault) != 0)
		return -1;
	return catalogue_make(copy, fault);
}

int
sqlite_backup(struct store_reader *base, const char *path, struct verify_report *report, struct fault *fault)
{
	struct sqlite_store *store = sqlite_reader_of(base)->store;
	struct link copy;
	struct log_end end;
	struct part part;
	struct stat found;
	int result;

	if (lstat(path, &found) == 0)
		return fault_set(fault, FAULT_CONFIG, "backup_exists", "%s exists", path);
	if (make_part(&part, path, fault) != 0)
		return -1;
	result = open(part.file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (result < 0) {
		fault_errno(fault, FAULT_AWAY, errno, "%s", part.file);
		goto out;
	}
	close(result);
	result = link_open(&copy, part.file, SQLITE_OPEN_READWRITE, fault);
	if (result != 0)
		goto out;
	result = fill_copy(&copy, store, report, fault);
	link_close(&copy);
	if (result == 0)
		result = sync_path(part.file, O_RDONLY, fault);
	if (result == 0)
		result = verify_part(&part, &end, report, fault);
	if (result == 0 && link(part.file, path) != 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	if (result == 0)
		result = sync_parent(path, fault);
out:
	remove_part(&part);
	return result < 0 ? -1 : 0;
}

static int
copy_file(const char *from, const char *to, struct fault *fault)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char *bytes = malloc(1 << 20);
	struct stat found;
	ssize_t size = 1;
	int result = 0;

	if (in >= 0 && fstat(in, &found) == 0 && S_ISDIR(found.st_mode))
		result = fault_set(fault, FAULT_CONFIG, "no_such_file", "%s is a folder, not a backup", from);
	else if (bytes == NULL)
		result = fault_set(fault, FAULT_MEMORY, "memory", "no memory to copy a backup");
	else if (in < 0)
		result = fault_errno(fault, FAULT_CONFIG, errno, "%s", from);
	else if (out < 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", to);
	while (result == 0 && size > 0) {
		size = read(in, bytes, 1 << 20);
		if (size < 0)
			result = fault_errno(fault, FAULT_AWAY, errno, "%s", from);
		for (ssize_t done = 0; result == 0 && done < size;) {
			ssize_t wrote = write(out, bytes + done, (size_t)(size - done));

			if (wrote < 0)
				result = fault_errno(fault, FAULT_AWAY, errno, "%s", to);
			done += wrote;
		}
	}
	if (result == 0 && fsync(out) != 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", to);
	free(bytes);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return result;
}

int
sqlite_restore(const char *backup, const char *directory, struct fault *fault)
{
	struct verify_report report = { 0 };
	char place[PATH_ROOM + 16], inside[PATH_ROOM];
	struct stat found;
	struct log_end end;
	struct part part;
	int result;

	if (snprintf(inside, sizeof(inside), "%s/restore", directory) >= PATH_ROOM)
		return fault_set(fault, FAULT_CONFIG, "bad_path", "the path is too long");
	/* A log file left by another store would be taken for this one's. */
	for (int wal = 0; wal < 2; wal++) {
		snprintf(place, sizeof(place), "%s/moonlog.db%s", directory, wal ? "-wal" : "");
		if (lstat(place, &found) == 0)
			return fault_set(fault, FAULT_CONFIG, "store_exists", "%s exists", place);
	}
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s", directory);
	if (make_part(&part, inside, fault) != 0)
		return -1;
	result = copy_file(backup, part.file, fault);
	if (result == 0)
		result = verify_part(&part, &end, &report, fault);
	snprintf(place, sizeof(place), "%s/moonlog.db", directory);
	if (result == 0 && link(part.file, place) != 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", place);
	if (result == 0)
		result = sqlite_witness_make(directory, end.head, &end.link, fault);
	if (result == 0)
		result = sync_path(directory, O_RDONLY | O_DIRECTORY, fault);
	remove_part(&part);
	if (result == 0)
		result = sync_parent(directory, fault);
	return result;
}
