/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing. One process writes a store, shown by a lock on a file of its own: closing any descriptor of the
 * database file would drop the locks SQLite holds on it, so nothing here opens that file besides SQLite, but for making
 * it
 * (empty, mode 0600) before SQLite first sees it.
 * Fails: CONFIG for a store that is locked, missing, of another program or too new, or that lost its tail; AWAY for
 * I/O.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/sqlite/seal.h"
#include "store/sqlite/verify.h"
#include "store/sqlite/witness.h"

#define DEFAULT_IDS    10000000
#define DEFAULT_WINDOW (7 * 24 * 3600 * INT64_C(1000000))
#define WRITER_HEADS   32768
#define PATH_ROOM      4096

static void
close_store(struct store *base)
{
	struct sqlite_store *store = sqlite_store_of(base);

	if (store->link.db != NULL && !store->read_only && !store->failed) {
		sqlite3_wal_checkpoint_v2(store->link.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		sqlite_witness_write(store);
	}
	seal_free(store->sealer);
	finder_fini(&store->finder);
	types_fini(&store->types);
	catalogue_fini(&store->catalogue);
	group_fini(&store->group);
	link_close(&store->link);
	index_fini(&store->index);
	if (store->witness_fd >= 0)
		close(store->witness_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store->directory);
	free(store->file);
	free(store->log_file);
	free(store);
}

static const struct store_ops ops = {
	.close = close_store,
	.commit = sqlite_commit,
	.idle = sqlite_idle,
	.reader_open = sqlite_reader_open,
	.reader_close = sqlite_reader_close,
	.read_stream = sqlite_read_stream,
	.read_log = sqlite_read_log,
	.position_at = sqlite_position_at,
	.list_streams = sqlite_list_streams,
	.list_types = sqlite_list_types,
	.list_generations = sqlite_list_generations,
	.read_record = sqlite_read_record,
	.list_records = sqlite_list_records,
	.list_spaces = sqlite_list_spaces,
	.hold = sqlite_hold,
	.let_go = sqlite_let_go,
	.find_command = sqlite_find_command,
	.verify = sqlite_verify,
	.backup = sqlite_backup,
};

static int
sync_directory(const char *path, struct fault *fault)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

	if (fd < 0 || fsync(fd) != 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	if (fd >= 0)
		close(fd);
	return result;
}

static int
make_directory(const char *path, struct fault *fault)
{
	char copy[PATH_ROOM];

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST ? 0 : fault_errno(fault, FAULT_CONFIG, errno, "%s", path);
	snprintf(copy, sizeof(copy), "%s", path);
	return sync_directory(dirname(copy), fault);
}

static int
lock_directory(struct sqlite_store *store, struct fault *fault)
{
	char path[PATH_ROOM], holder[32] = "";

	snprintf(path, sizeof(path), "%s/moonlog.lock", store->directory);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s", path);
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (pread(store->lock_fd, holder, sizeof(holder) - 1, 0) <= 0)
			snprintf(holder, sizeof(holder), "unknown");
		holder[strcspn(holder, "\n")] = '\0';
		return fault_set(fault, FAULT_CONFIG, "store_locked", "%s is in use by process %s", store->directory,
				 holder);
	}
	snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	if (ftruncate(store->lock_fd, 0) != 0 || pwrite(store->lock_fd, holder, strlen(holder), 0) < 0)
		return fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	return 0;
}

static int
make_file(struct sqlite_store *store, bool create, struct fault *fault)
{
	struct stat found;
	int fd;

	if (stat(store->file, &found) == 0) {
		if (!S_ISREG(found.st_mode))
			return fault_set(fault, FAULT_CONFIG, "not_a_store", "%s is not a file", store->file);
		if (found.st_size != 0 || create)
			return 0;
	} else if (errno != ENOENT && errno != ENOTDIR) {
		return fault_errno(fault, FAULT_CONFIG, errno, "%s", store->file);
	}
	if (!create)
		return fault_set(fault, FAULT_CONFIG, "store_missing", "there is no store in %s", store->directory);
	fd = open(store->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fault_errno(fault, errno == ENOTDIR ? FAULT_CONFIG : FAULT_AWAY, errno, "%s", store->file);
	close(fd);
	return sync_directory(store->directory, fault);
}

static int
compare_witness(struct sqlite_store *store, bool accept, struct fault *fault)
{
	struct witness witness;
	char text[200];
	int lost;

	if (sqlite_witness_read(store->directory, &witness, fault) != 0)
		return -1;
	lost = sqlite_witness_compare(&store->link, &witness, text, fault);
	if (lost < 0)
		return -1;
	if (lost > 0 && !accept)
		return fault_set(fault, FAULT_CONFIG, "lost_tail",
				 "%s: the end of the log is lost: %s; put a newer copy back, or remove the file "
				 "witness to go on without it",
				 store->directory, text);
	if (witness.written)
		log_line(LOG_WARN, "the witness of the log's end was damaged and is written anew",
			 log_text("data", store->directory));
	store->witnessed = lost > 0 || witness.written ? WITNESSED_NOTHING : witness.position;
	return 0;
}

static int
open_writer(struct sqlite_store *store, const struct sqlite_options *options, struct fault *fault)
{
	char path[PATH_ROOM];
	uint64_t seed;

	if ((options->create && make_directory(store->directory, fault) != 0) ||
	    make_file(store, options->create, fault) != 0 || lock_directory(store, fault) != 0 ||
	    link_open(&store->link, store->file, SQLITE_OPEN_READWRITE, fault) != 0)
		return -1;
	if (sqlite_schema_make(&store->link, store->no_sync, store->entropy, &seed, fault) != 0)
		return fault_prefix(fault, "%s", store->file);
	store->index.seed = seed;
	if (finder_init(&store->finder, &store->index, &store->link, WRITER_HEADS, fault) != 0 ||
	    compare_witness(store, options->accept_lost_tail, fault) != 0 || sqlite_start(store, fault) != 0)
		return -1;
	sqlite_wal_watch(store);
	snprintf(path, sizeof(path), "%s/witness", store->directory);
	store->witness_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (store->witness_fd < 0)
		return fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	/* An older one is as good as any until something is committed. */
	if (store->witnessed == 0 || store->witnessed == WITNESSED_NOTHING)
		sqlite_witness_write(store);
	return 0;
}

static int
open_reading(struct sqlite_store *store, struct fault *fault)
{
	uint64_t seed;
	bool empty;

	if (make_file(store, false, fault) != 0 ||
	    link_open(&store->link, store->file, SQLITE_OPEN_READONLY, fault) != 0)
		return -1;
	if (sqlite_schema_check(&store->link, &empty, &seed, fault) != 0)
		return fault_prefix(fault, "%s", store->file);
	if (empty)
		return fault_set(fault, FAULT_CONFIG, "store_missing", "there is no store in %s", store->directory);
	if (sqlite_schema_look(&store->link, fault) != 0)
		return -1;
	store->index.seed = seed;
	if (finder_init(&store->finder, &store->index, &store->link, 2, fault) != 0 || sqlite_start(store, fault) != 0)
		return -1;
	finder_fini(&store->finder);
	link_close(&store->link);
	return 0;
}

static struct sqlite_store *
new_store(const struct sqlite_options *options)
{
	struct sqlite_store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->base = (struct store){ .ops = &ops, .kind = "sqlite", .multi_stream = true, .stats = &store->stats };
	store->lock_fd = store->witness_fd = -1;
	store->clock = options->clock != NULL ? options->clock : clock_real();
	store->entropy = options->entropy != NULL ? options->entropy : entropy_real();
	store->read_only = options->read_only;
	store->no_sync = options->no_sync;
	store->remember_ids = options->remember_ids != 0 ? options->remember_ids : DEFAULT_IDS;
	store->remember_us = options->remember_us != 0 ? options->remember_us : DEFAULT_WINDOW;
	store->fatal = options->fatal;
	store->fatal_self = options->fatal_self;
	index_init(&store->index, 0);
	if (options->segment_entries != 0 && options->segment_entries < SEGMENT_SIZE)
		store->index.segment_entries = options->segment_entries;
	group_init(&store->group);
	store->directory = strdup(options->path);
	if (asprintf(&store->file, "%s/moonlog.db", options->path) < 0)
		store->file = NULL;
	if (asprintf(&store->log_file, "%s/moonlog.db-wal", options->path) < 0)
		store->log_file = NULL;
	if (store->directory == NULL || store->file == NULL || store->log_file == NULL) {
		close_store(&store->base);
		return NULL;
	}
	return store;
}

void
sqlite_alone(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int
sqlite_open(const struct sqlite_options *options, struct store **opened, struct fault *fault)
{
	struct sqlite_store *store;

	*opened = NULL;
	if (strlen(options->path) > PATH_ROOM - 64)
		return fault_set(fault, FAULT_CONFIG, "bad_path", "the store's path is too long");
	store = new_store(options);
	if (store == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a store");
	if ((store->read_only ? open_reading(store, fault) : open_writer(store, options, fault)) != 0) {
		store->failed = true; /* nothing is written on the way out */
		close_store(&store->base);
		return -1;
	}
	*opened = &store->base;
	return 0;
}
