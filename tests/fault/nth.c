/* SPDX-License-Identifier: MIT */
/*
 * Every n-th call fails, for n = 1, 2, ... until a whole run passes without meeting it: allocations, SQLite's calls,
 * the system's. Each run is a process of its own over a fresh copy of a store. Whatever happened in it, afterwards the
 * store opens, verifies without a finding [I1] [I2] [I4], and remembers every command that was acknowledged [I3] [I5].
 *
 * A process may end by a broken `must` only where memory was refused: a durable commit that cannot be known is
 * answered by a restart. How: the linker puts wrap_* in the place of the calls, in our objects alone (CMakeLists.txt).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/memory/memory.h"
#include "support/check.h"
#include "unit/sqlite/kit.h"

enum family { FAMILY_MEMORY, FAMILY_SQL, FAMILY_SYSTEM, FAMILIES };
enum { COMMANDS = 64 };

/* Seen by the run and by whoever judges it. */
struct shared {
	long calls;
	bool hit;
	bool acknowledged[COMMANDS];
};

static struct shared *shared;
static enum family family;
static long fail_at; /* 0: nothing fails */
static int sql_code;

static bool
fails(enum family of)
{
	if (fail_at == 0 || of != family || ++shared->calls != fail_at)
		return false;
	shared->hit = true;
	return true;
}

/* The names that the linker wants. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *place, size_t size, int protection, int flags, int fd, off_t at);
int __real_sqlite3_step(sqlite3_stmt *statement);
int __real_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int size, sqlite3_stmt **statement, const char **tail);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int size, unsigned flags, sqlite3_stmt **statement,
			      const char **tail);
int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *self,
			char **message);
int __real_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __real_sqlite3_extended_errcode(sqlite3 *db);
int __real_open(const char *path, int flags, ...);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t at);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t at);
int __real_fsync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_mkdir(const char *path, mode_t mode);
int __real_flock(int fd, int how);
int __real_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __real_sqlite3_system_errno(sqlite3 *db);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *place, size_t size, int protection, int flags, int fd, off_t at);
int __wrap_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int size, sqlite3_stmt **statement, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int size, unsigned flags, sqlite3_stmt **statement,
			      const char **tail);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *self,
			char **message);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_extended_errcode(sqlite3 *db);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t at);
int __wrap_fsync(int fd);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_flock(int fd, int how);
int __wrap_rename(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __wrap_sqlite3_system_errno(sqlite3 *db);

void *
__wrap_malloc(size_t size)
{
	return fails(FAMILY_MEMORY) ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails(FAMILY_MEMORY) ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return fails(FAMILY_MEMORY) ? NULL : __real_realloc(old, size);
}

void *
__wrap_mmap(void *place, size_t size, int protection, int flags, int fd, off_t at)
{
	return fails(FAMILY_MEMORY) ? MAP_FAILED : __real_mmap(place, size, protection, flags, fd, at);
}

/* The codes take turns, so that each way a room can look at one is gone. */
static int
sql_fails(void)
{
	static const int codes[] = { SQLITE_IOERR_READ, SQLITE_FULL,        SQLITE_NOMEM,  SQLITE_CORRUPT, SQLITE_BUSY,
				     SQLITE_TOOBIG,     SQLITE_IOERR_WRITE, SQLITE_LOCKED, SQLITE_READONLY };

	if (!fails(FAMILY_SQL))
		return SQLITE_OK;
	return sql_code = codes[fail_at % (long)countof(codes)];
}

int
__wrap_sqlite3_step(sqlite3_stmt *statement)
{
	int code = sql_fails();

	return code != SQLITE_OK ? code : __real_sqlite3_step(statement);
}

int
__wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int size, sqlite3_stmt **statement, const char **tail)
{
	int code = sql_fails();

	*statement = NULL;
	return code != SQLITE_OK ? code : __real_sqlite3_prepare_v2(db, sql, size, statement, tail);
}

int
__wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int size, unsigned flags, sqlite3_stmt **statement,
			  const char **tail)
{
	int code = sql_fails();

	*statement = NULL;
	return code != SQLITE_OK ? code : __real_sqlite3_prepare_v3(db, sql, size, flags, statement, tail);
}

int
__wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *self, char **message)
{
	int code = sql_fails();

	return code != SQLITE_OK ? code : __real_sqlite3_exec(db, sql, row, self, message);
}

int
__wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
	int code = __real_sqlite3_open_v2(path, db, flags, vfs), failed = sql_fails();

	return failed != SQLITE_OK ? failed : code;
}

int
__wrap_sqlite3_extended_errcode(sqlite3 *db)
{
	int code = sql_code;

	sql_code = SQLITE_OK;
	return code != SQLITE_OK ? code : __real_sqlite3_extended_errcode(db);
}

/* A write that failed for want of space; asked for after the code. */
int
__wrap_sqlite3_system_errno(sqlite3 *db)
{
	return shared->hit && family == FAMILY_SQL && fail_at % 9 == 6 ? ENOSPC : __real_sqlite3_system_errno(db);
}

static int
system_fails(void)
{
	static const int numbers[] = { EIO, ENOSPC, EACCES, EMFILE };

	if (!fails(FAMILY_SYSTEM))
		return 0;
	errno = numbers[fail_at % (long)countof(numbers)];
	return -1;
}

int
__wrap_open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode = 0;

	if ((flags & O_CREAT) != 0) {
		va_start(rest, flags);
		mode = va_arg(rest, mode_t);
		va_end(rest);
	}
	return system_fails() != 0 ? -1 : __real_open(path, flags, mode);
}

ssize_t
__wrap_pread(int fd, void *bytes, size_t size, off_t at)
{
	return system_fails() != 0 ? -1 : __real_pread(fd, bytes, size, at);
}

ssize_t
__wrap_pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	return system_fails() != 0 ? -1 : __real_pwrite(fd, bytes, size, at);
}

int
__wrap_fsync(int fd)
{
	return system_fails() != 0 ? -1 : __real_fsync(fd);
}

int
__wrap_ftruncate(int fd, off_t size)
{
	return system_fails() != 0 ? -1 : __real_ftruncate(fd, size);
}

int
__wrap_mkdir(const char *path, mode_t mode)
{
	return system_fails() != 0 ? -1 : __real_mkdir(path, mode);
}

int
__wrap_flock(int fd, int how)
{
	return system_fails() != 0 ? -1 : __real_flock(fd, how);
}

int
__wrap_rename(const char *from, const char *to)
{
	return system_fails() != 0 ? -1 : __real_rename(from, to);
}

int
__wrap_link(const char *from, const char *to)
{
	return system_fails() != 0 ? -1 : __real_link(from, to);
}

ssize_t
__wrap_read(int fd, void *bytes, size_t size)
{
	return system_fails() != 0 ? -1 : __real_read(fd, bytes, size);
}

ssize_t
__wrap_write(int fd, const void *bytes, size_t size)
{
	return system_fails() != 0 ? -1 : __real_write(fd, bytes, size);
}

/* What a run does with the store in kit->directory; what fails in it is its business. */
typedef void (*scenario)(struct kit *kit);

static struct kit origin; /* a store that was closed */
static struct kit torn;   /* one whose process died: its write-ahead log is still there */
static struct kit wrong;  /* one whose index is damaged */

static const char *const files[] = { "moonlog.db", "moonlog.db-wal", "witness" };

static void
copy_store(const struct kit *from, const struct kit *to)
{
	char source[128], target[128];

	for (size_t i = 0; i < countof(files); i++) {
		kit_path(from, files[i], source);
		kit_path(to, files[i], target);
		if (access(source, F_OK) == 0)
			kit_copy(source, target);
	}
}

/* A command that recorded no entry, and an entry that is no event: both are indexed in ways of their own. */
static void
put_odd_ones(struct kit *kit, int from, int to)
{
	for (int i = from; i < to; i++) {
		struct record_write record = { RECORD_PUT, SLICE("odd"), SLICE("key"), SLICE("1"), SLICE_NONE };
		struct append_stream stream = { SLICE_NONE, { EXPECTED_ANY, 0 } };
		struct new_entry entry = { .kind = ENTRY_MESSAGE,
					   .schema_version = 1,
					   .type = SLICE("Told"),
					   .data = SLICE("{}"),
					   .topic = SLICE("topic") };
		struct command_id id = { { 'o', (uint8_t)i } };
		struct append bare = { .command_id = &id, .records = &record, .record_count = 1, .arena = &kit->arena };
		struct append message = {
			.streams = &stream, .stream_count = 1, .entries = &entry, .entry_count = 1, .arena = &kit->arena
		};
		struct append *appends[] = { &bare, &message };

		stream.name = arena_format(&kit->arena, "shop.note/%d", i % 3);
		entry_digest(&entry, stream.name, 0, &message.provenance, &entry.digest);
		if (store_commit(kit->store, appends, 2, &kit->fault) != COMMIT_DONE || bare.answer != APPEND_DONE ||
		    message.answer != APPEND_DONE)
			CHECK_FAIL("odd ones: %s", kit->fault.text);
	}
}

static void
prepare_store(struct kit *kit, int count)
{
	kit_begin(kit);
	kit->options.segment_entries = 16;
	if (kit_open(kit) != 0)
		CHECK_FAIL("open: %s", kit->fault.text);
	put_odd_ones(kit, 0, 6);
	kit_fill(kit, count, 5);
	put_odd_ones(kit, 6, 12);
	kit_record(kit, "a", "1");
	kit_record(kit, "b", "2");
	while (store_idle(kit->store))
		;
}

static void
prepare(void)
{
	sqlite3 *db = NULL;
	char path[128];

	if (shared != NULL)
		return;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	prepare_store(&origin, 60);
	kit_close(&origin);
	kit_begin(&torn);
	prepare_store(&wrong, 60);
	for (int i = 0; i < 20; i++) {
		struct append append;

		CHECK_INT(kit_put(&wrong, "shop.cart/1", "{}", NULL, &append), COMMIT_DONE);
	}
	put_odd_ones(&wrong, 12, 16);
	copy_store(&wrong, &torn);
	kit_close(&wrong);
	kit_path(&wrong, "moonlog.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, "UPDATE stream_blocks SET block = zeroblob(40); UPDATE hash_index SET block = x'00'",
			       NULL, NULL, NULL),
		  SQLITE_OK);
	sqlite3_close(db);
}

static void
clean_up(struct kit *kit)
{
	kit->store = NULL;
	kit->reader = NULL;
	kit_end(kit);
}

static void
put_acknowledged(struct kit *kit, int from, int to)
{
	for (int i = from; i < to; i++) {
		char name[32], command[16];
		struct append append;

		snprintf(name, sizeof(name), "shop.cart/%d", i % 7);
		snprintf(command, sizeof(command), "k%d", i);
		if (kit_put(kit, name, "{\"n\":1}", command, &append) == COMMIT_DONE && append.answer == APPEND_DONE)
			shared->acknowledged[i] = true;
		store_idle(kit->store);
		arena_clear(&kit->arena);
	}
}

static void
opens_a_new_store(struct kit *kit)
{
	if (kit_open(kit) != 0)
		return;
	put_acknowledged(kit, 0, 3);
	kit_close(kit);
}

static void
commits_and_seals(struct kit *kit)
{
	kit->options.remember_ids = 30;
	if (kit_open(kit) != 0)
		return;
	/* Few enough for the window of remembered commands. */
	put_acknowledged(kit, 0, 28);
	for (int i = 0; i < 40; i++)
		store_idle(kit->store);
	kit_close(kit);
}

static void
commits_groups(struct kit *kit)
{
	struct append_stream streams[2] = { { SLICE("shop.cart/1"), { EXPECTED_EXISTS, 0 } },
					    { SLICE("shop.cart/new"), { EXPECTED_NO_STREAM, 0 } } };
	struct new_entry entries[2] = {
		{ .kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = SLICE("{}") },
		{ .kind = ENTRY_MESSAGE,
		  .stream = 1,
		  .schema_version = 2,
		  .type = SLICE("Told"),
		  .data = SLICE("{}"),
		  .topic = SLICE("t"),
		  .key = SLICE("k"),
		  .headers = SLICE("{}") },
	};
	struct record_write records[3] = {
		{ RECORD_EQUALS, SLICE("space"), SLICE("a"), SLICE("9"), SLICE("1") },
		{ RECORD_ABSENT, SLICE("space"), SLICE("c"), SLICE("3"), SLICE_NONE },
		{ RECORD_REMOVE_EQUALS, SLICE("space"), SLICE("b"), SLICE_NONE, SLICE("2") },
	};
	struct command_id ids[3] = { { "g0" }, { "g1" }, { "c3" } };
	struct append all[3], *appends[3];

	if (kit_open(kit) != 0)
		return;
	for (size_t i = 0; i < countof(all); i++) {
		all[i] = (struct append){ .streams = streams,
					  .stream_count = 2,
					  .entries = entries,
					  .entry_count = 2,
					  .command_id = &ids[i],
					  .provenance = { .actor = SLICE("me"), .correlation_id = SLICE("c") },
					  .generation = 3,
					  .arena = &kit->arena };
		appends[i] = &all[i];
	}
	for (size_t i = 0; i < countof(entries); i++)
		entry_digest(&entries[i], streams[i].name, 3, &all[0].provenance, &entries[i].digest);
	all[0].records = records;
	all[0].record_count = 3;
	all[1].stream_count = all[1].entry_count = 0; /* records and a command id alone */
	all[1].records = records + 1;
	all[1].record_count = 1;
	all[2].stream_count = 1;
	all[2].entry_count = 1;
	store_commit(kit->store, appends, 3, &kit->fault);
	store_idle(kit->store);
	kit_close(kit);
}

static void
reads_everything(struct kit *kit)
{
	const struct log_filter filter = { .domain = SLICE("shop"), .stream_prefix = SLICE("shop.cart/1") };
	const struct fingerprint none = { { 0 } };
	long after = fail_at;
	struct remembered remembered;
	struct record *records;
	struct entries entries;
	struct slice *names, value;
	log_position seen = 0;
	size_t count;
	bool found;

	fail_at = 0;
	if (kit_open(kit) != 0)
		return;
	fail_at = after;
	for (int i = 0; i < 6; i++) {
		char name[32], command[16];
		struct command_id id = { { 0 } };

		snprintf(name, sizeof(name), "shop.cart/%d", i);
		kit_count(kit, name);
		memcpy(id.bytes, command, (size_t)snprintf(command, sizeof(command), "c%d", i * 11));
		store_find_command(kit->reader, &id, i % 2 ? &none : NULL, &kit->arena, &remembered, &kit->fault);
	}
	store_read_log(kit->reader, 0, NULL, (struct read_limit){ 100, 0 }, &kit->arena, &entries, &seen, &kit->fault);
	store_read_log(kit->reader, 5, &filter, (struct read_limit){ 3, 50 }, &kit->arena, &entries, &seen,
		       &kit->fault);
	store_position_at(kit->reader, INT64_MAX, &seen, &kit->fault);
	store_list_streams(kit->reader, SLICE("shop."), SLICE_NONE, 10, &kit->arena, &names, &count, &kit->fault);
	store_read_record(kit->reader, SLICE("space"), SLICE("a"), &kit->arena, &value, &found, &kit->fault);
	store_read_record(kit->reader, SLICE("space"), SLICE("z"), &kit->arena, &value, &found, &kit->fault);
	store_list_records(kit->reader, SLICE("space"), SLICE_NONE, 10, &kit->arena, &records, &count, &kit->fault);
	kit_close(kit);
}

static void
reads_and_mends(struct kit *kit)
{
	const struct command_id id = { "c3" };
	struct remembered remembered;

	if (kit_open(kit) != 0)
		return;
	for (int i = 0; i < 5; i++) {
		char name[32];

		snprintf(name, sizeof(name), "shop.cart/%d", i);
		kit_count(kit, name);
	}
	kit_count(kit, "shop.note/1");
	store_find_command(kit->reader, &id, NULL, &kit->arena, &remembered, &kit->fault);
	put_acknowledged(kit, 0, 4);
	for (int i = 0; i < 60; i++)
		store_idle(kit->store);
	kit_close(kit);
}

static void
verifies(struct kit *kit)
{
	if (kit_open(kit) != 0)
		return;
	kit_verify(kit, NULL);
	kit_close(kit);
}

static void
backs_up_and_restores(struct kit *kit)
{
	struct verify_report report = { 0 };
	char backup[128], target[128], inner[160];

	if (kit_open(kit) != 0)
		return;
	kit_path(kit, "backup", backup);
	kit_path(kit, "restored", target);
	store_backup(kit->reader, backup, &report, &kit->fault);
	kit_close(kit);
	sqlite_restore(backup, target, &kit->fault);
	for (size_t i = 0; i < countof(files); i++) {
		snprintf(inner, sizeof(inner), "%s/%s", target, files[i]);
		unlink(inner);
	}
	snprintf(inner, sizeof(inner), "%s/moonlog.lock", target);
	unlink(inner);
	rmdir(target);
}

static void
insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stdout, "the memory room: %s\n", what);
	exit(1);
}

/* The room of the specs: what was answered by "done" is there, and nothing else. */
static void
uses_the_memory_room(struct kit *kit)
{
	log_position wanted = 0, seen;
	struct entries entries;
	struct record *records;
	struct slice *names;
	size_t count;

	if (memory_open(NULL, &kit->store, &kit->fault) != 0)
		return;
	for (int i = 0; i < 90; i++) {
		char name[32], command[16];
		struct append append;

		snprintf(name, sizeof(name), "shop.cart/%d", i % 45);
		snprintf(command, sizeof(command), "m%d", i);
		kit_put(kit, name, "{\"n\":1}", command, &append);
		wanted += append.answer == APPEND_DONE;
		if (append.answer == APPEND_DONE)
			insist(append.first == wanted && append.versions[0] != 0, "positions have a gap");
		else
			insist(append.answer == APPEND_FAILED && append.fault.class == FAULT_MEMORY, "a wrong answer");
	}
	if (store_reader_open(kit->store, &kit->reader, &kit->fault) == 0) {
		struct record_write record = { RECORD_PUT, SLICE("space"), SLICE("key"), SLICE("1"), SLICE_NONE };
		struct append append = { .records = &record, .record_count = 1, .arena = &kit->arena },
			      *appends[] = { &append };

		store_commit(kit->store, appends, 1, &kit->fault);
		kit_count(kit, "shop.cart/7");
		store_list_streams(kit->reader, SLICE_NONE, SLICE_NONE, 100, &kit->arena, &names, &count, &kit->fault);
		store_list_records(kit->reader, SLICE("space"), SLICE_NONE, 100, &kit->arena, &records, &count,
				   &kit->fault);
		fail_at = 0;
		insist(store_read_log(kit->reader, 0, NULL, (struct read_limit){ 1000, 0 }, &kit->arena, &entries,
				      &seen, &kit->fault) == 0 &&
			       entries.count == wanted && seen == wanted,
		       "the log is not what was answered");
	}
	kit_close(kit);
}

/* In a process of its own, so that a leak, a crash and an abort are all seen. */
static int
run(scenario body, struct kit *kit, enum family of, long at)
{
	pid_t child;
	int status;

	memset(shared, 0, sizeof(*shared));
	fflush(NULL);
	child = fork();
	if (child == 0) {
		/* What a broken `must` says would drown the one line that matters. */
		if (of == FAMILY_MEMORY)
			freopen("/dev/null", "w", stderr);
		family = of;
		fail_at = at;
		body(kit);
		fail_at = 0;
		arena_fini(&kit->arena);
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) * 1000;
}

static void
judge(struct kit *kit, enum family of, long at)
{
	unsigned kinds = 0;
	char command[16];

	kit->options.remember_ids = 0;
	kit->options.create = true;
	if (kit_open(kit) != 0)
		CHECK_FAIL("family %d, call %ld: does not open afterwards: %s", (int)of, at, kit->fault.text);
	long findings = kit_verify(kit, &kinds);
	/* A wrong index is mended, not lost: reads do not believe it. */
	if (findings != 0 && kinds != 1u << VERIFY_INDEX)
		CHECK_FAIL("family %d, call %ld: %ld findings", (int)of, at, findings);
	for (int i = 0; i < COMMANDS; i++) {
		snprintf(command, sizeof(command), "k%d", i);
		if (shared->acknowledged[i] && !kit_remembers(kit, command))
			CHECK_FAIL("family %d, call %ld: command %d was acknowledged and is gone", (int)of, at, i);
	}
	kit_close(kit);
}

/*
 * How many calls are tried one by one before steps grow: leak checks make a process dear. NTH_DENSE overrides it.
 */
static long
dense(void)
{
	const char *wanted = getenv("NTH_DENSE");
#ifdef __SANITIZE_ADDRESS__
	long given = 5;
#else
	long given = 25;
#endif
	return wanted != NULL ? atol(wanted) : given;
}

static void
every_call_fails_once(scenario body, const struct kit *from)
{
	long step = dense();
	int runs = 0;

	prepare();
	for (enum family of = 0; of < FAMILIES; of++) {
		for (long at = 1;; at += 1 + at / step) {
			struct kit kit;

			kit_begin(&kit);
			kit.options.segment_entries = 16;
			if (from != NULL)
				copy_store(from, &kit);
			int ended = run(body, &kit, of, at);
			if (ended != 0 && !(ended == SIGABRT && of == FAMILY_MEMORY))
				CHECK_FAIL("family %d, call %ld: ended by %d", (int)of, at, ended);
			judge(&kit, of, at);
			bool hit = shared->hit;
			clean_up(&kit);
			runs++;
			if (!hit)
				break;
		}
	}
	CHECK(runs > FAMILIES);
	printf("%d runs\n", runs);
}

TEST(a_new_store)
{
	every_call_fails_once(opens_a_new_store, NULL);
}

TEST(committing_and_sealing)
{
	prepare();
	every_call_fails_once(commits_and_seals, &origin);
}

TEST(a_group_with_records_and_repeats)
{
	prepare();
	every_call_fails_once(commits_groups, &origin);
}

TEST(reading)
{
	prepare();
	every_call_fails_once(reads_everything, &origin);
}

TEST(opening_after_a_crash)
{
	prepare();
	every_call_fails_once(commits_groups, &torn);
}

TEST(mending_a_wrong_index)
{
	prepare();
	every_call_fails_once(reads_and_mends, &wrong);
}

TEST(verifying)
{
	prepare();
	every_call_fails_once(verifies, &origin);
}

TEST(verifying_and_reading_a_wrong_index)
{
	prepare();
	every_call_fails_once(verifies, &wrong);
	every_call_fails_once(reads_everything, &wrong);
}

TEST(the_memory_room)
{
	every_call_fails_once(uses_the_memory_room, NULL);
}

TEST(backing_up)
{
	prepare();
	every_call_fails_once(backs_up_and_restores, &origin);
}

TEST_MAIN()
