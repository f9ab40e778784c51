/* SPDX-License-Identifier: MIT */
/*
 * Power-loss images: from a record of recorder.c, builds what a power cut at a random moment may leave on the disk,
 * opens it as the daemon would, and checks that nothing acknowledged before that moment is missing and that the
 * store verifies clean.
 *
 *   images RECORD DATA_PREFIX SCRATCH COUNT SEED
 *   images RECORD DATA_PREFIX SCRATCH drop BASE
 *
 * The second form writes one image to SCRATCH: what was in the folder BASE before the record began, and of the record's
 * writes only those that were synced by its end.
 *
 * A write is durable when a sync of its file began after it and returned before the cut.  Every other write is there
 * wholly, partly (torn at 512 bytes), with one sector in twenty of it garbage, or not at all, by chance and
 * independently of the others.  The same seed builds the same images.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/entropy.h"
#include "crash/record.h"
#include "store/sqlite/sqlite.h"

#define FILES  256
#define SECTOR 512

struct bytes {
	char *data;
	uint64_t size;
	uint64_t room;
};

struct file {
	char name[512]; /* below the data directory */
	bool exists;
	struct bytes durable;
	const struct op **pending; /* not yet durable, in order */
	size_t pending_count, pending_room;
	uint64_t sync_number; /* of the sync that runs */
	size_t sync_covers;   /* pending ops before its beginning */
};

static struct file files[FILES];
static struct entropy_seeded chance;

static uint64_t
pick(uint64_t below)
{
	uint64_t number;

	entropy_fill(&chance.entropy, &number, sizeof(number));
	return number % below;
}

static void
resize(struct bytes *bytes, uint64_t size)
{
	if (size > bytes->room) {
		bytes->room = size * 2 + 4096;
		bytes->data = realloc(bytes->data, bytes->room);
		if (bytes->data == NULL)
			abort();
	}
	if (size > bytes->size)
		memset(bytes->data + bytes->size, 0, size - bytes->size);
	bytes->size = size;
}

static const char *
op_data(const struct op *op)
{
	return (const char *)(op + 1);
}

static void
apply_whole(struct bytes *bytes, const struct op *op)
{
	if (op->kind == OP_TRUNCATE) {
		resize(bytes, op->offset);
		return;
	}
	if (op->offset + op->size > bytes->size)
		resize(bytes, op->offset + op->size);
	memcpy(bytes->data + op->offset, op_data(op), op->size);
}

static void
apply_torn(struct bytes *bytes, const struct op *op)
{
	for (uint64_t at = 0; at < op->size;) {
		uint64_t sector_end = (op->offset + at) / SECTOR * SECTOR + SECTOR - op->offset;
		uint64_t end = sector_end < op->size ? sector_end : op->size;

		if (pick(2) == 0) {
			if (op->offset + end > bytes->size)
				resize(bytes, op->offset + end);
			if (pick(20) == 0)
				entropy_fill(&chance.entropy, bytes->data + op->offset + at, end - at);
			else
				memcpy(bytes->data + op->offset + at, op_data(op) + at, end - at);
		}
		at = end;
	}
}

static void
apply_by_chance(struct bytes *bytes, const struct op *op)
{
	uint64_t fate = pick(4);

	if (fate < 2 && op->kind == OP_WRITE && op->size > SECTOR)
		apply_torn(bytes, op);
	else if (fate == 2 || fate == 1)
		apply_whole(bytes, op);
}

static void
settle(struct file *file, size_t count)
{
	for (size_t i = 0; i < count; i++)
		apply_whole(&file->durable, file->pending[i]);
	memmove(file->pending, file->pending + count, (file->pending_count - count) * sizeof(*file->pending));
	file->pending_count -= count;
}

static void
pend(struct file *file, const struct op *op)
{
	if (file->pending_count == file->pending_room) {
		file->pending_room = file->pending_room * 2 + 64;
		file->pending = realloc(file->pending, file->pending_room * sizeof(*file->pending));
		if (file->pending == NULL)
			abort();
	}
	file->exists = true;
	file->pending[file->pending_count++] = op;
}

static void
advance(const struct op *op, const char *prefix, uint64_t *acknowledged)
{
	struct file *file = &files[op->file];

	switch ((enum op_kind)op->kind) {
	case OP_NAME:
		snprintf(file->name, sizeof(file->name), "%.*s", (int)(op->size - strlen(prefix)),
			 op_data(op) + strlen(prefix));
		break;
	case OP_WRITE:
	case OP_TRUNCATE:
		pend(file, op);
		break;
	case OP_SYNC_BEGIN:
		file->sync_number = op->offset;
		file->sync_covers = file->pending_count;
		break;
	case OP_SYNC_END:
		if (file->sync_number == op->offset)
			settle(file, file->sync_covers);
		break;
	case OP_UNLINK:
		file->exists = false;
		file->durable.size = 0;
		file->pending_count = 0;
		break;
	case OP_RENAME: {
		struct file *target = &files[op->offset];
		settle(file, file->pending_count);
		resize(&target->durable, 0);
		resize(&target->durable, file->durable.size);
		memcpy(target->durable.data, file->durable.data, file->durable.size);
		target->exists = true;
		target->pending_count = 0;
		file->exists = false;
		break;
	}
	case OP_ACK:
		if (op->offset > *acknowledged)
			*acknowledged = op->offset;
		break;
	}
}

static void
write_file(const char *path, const struct bytes *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || (bytes->size != 0 && write(fd, bytes->data, bytes->size) != (ssize_t)bytes->size)) {
		fprintf(stderr, "images: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	close(fd);
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info;
	(void)kind;
	(void)place;
	return remove(path);
}

static void
empty_folder(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (mkdir(path, 0700) != 0) {
		fprintf(stderr, "images: %s: %s\n", path, strerror(errno));
		exit(2);
	}
}

static void
build(const char *scratch)
{
	static struct bytes image;
	char path[2048];

	empty_folder(scratch);
	for (struct file *file = files; file < files + FILES; file++) {
		if (!file->exists || strchr(file->name, '/') != NULL)
			continue; /* read models are rebuilt */
		resize(&image, 0);
		resize(&image, file->durable.size);
		if (file->durable.size != 0)
			memcpy(image.data, file->durable.data, file->durable.size);
		for (size_t i = 0; i < file->pending_count; i++)
			apply_by_chance(&image, file->pending[i]);
		snprintf(path, sizeof(path), "%s/%.511s", scratch, file->name);
		write_file(path, &image);
	}
}

static void
finding(void *self, const struct verify_finding *found)
{
	(void)self;
	fprintf(stderr, "  verify: positions %llu..%llu %.*s: %s\n", (unsigned long long)found->first,
		(unsigned long long)found->last, SLICE_ARG(found->stream), found->text);
}

/* 0: as promised; 1: not. */
static int
check(const char *scratch, uint64_t acknowledged)
{
	struct sqlite_options options = { .path = scratch };
	struct verify_report report = { .found = finding };
	struct store_reader *reader = NULL;
	struct store *store = NULL;
	struct fault fault;
	int wrong = 1;

	if (sqlite_open(&options, &store, &fault) != 0) {
		/* Before the first acknowledgement there need not be a whole store. */
		if (acknowledged == 0)
			return 0;
		fprintf(stderr, "  does not open: %s\n", fault.text);
		return 1;
	}
	if (store_head(store) < acknowledged)
		fprintf(stderr, "  acknowledged up to %llu, found up to %llu\n", (unsigned long long)acknowledged,
			(unsigned long long)store_head(store));
	else if (store_reader_open(store, &reader, &fault) != 0 || store_verify(reader, &report, &fault) != 0)
		fprintf(stderr, "  verify: %s\n", fault.text);
	else
		wrong = report.findings != 0;
	store_reader_close(reader);
	store_close(store);
	return wrong;
}

static void
read_base(struct file *file, const char *base)
{
	char path[2048];
	struct stat info;

	snprintf(path, sizeof(path), "%s/%.511s", base, file->name);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
		close(fd); /* a folder that was opened to be synced */
		return;
	}
	resize(&file->durable, (uint64_t)info.st_size);
	if (read(fd, file->durable.data, file->durable.size) != (ssize_t)file->durable.size) {
		fprintf(stderr, "images: %s: cannot be read whole\n", path);
		exit(2);
	}
	file->exists = true;
	close(fd);
}

static void
write_durable(const char *scratch)
{
	char path[2048];

	for (struct file *file = files; file < files + FILES; file++) {
		snprintf(path, sizeof(path), "%s/%.511s", scratch, file->name);
		if (file->exists)
			write_file(path, &file->durable);
		else if (file->name[0] != '\0')
			unlink(path);
	}
}

static int
compare_points(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t *
choose_points(uint64_t ops, size_t count)
{
	uint64_t *points = calloc(count, sizeof(*points));

	if (points == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		points[i] = 1 + pick(ops);
	qsort(points, count, sizeof(*points), compare_points);
	return points;
}

static const char *
map_record(const char *path, size_t *size)
{
	struct stat info;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &info) != 0 || info.st_size == 0) {
		fprintf(stderr, "images: %s: no record\n", path);
		exit(2);
	}
	*size = (size_t)info.st_size;
	const char *record = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (record == MAP_FAILED)
		exit(2);
	close(fd);
	return record;
}

static const struct op *
next_op(const char *record, size_t size, size_t *at)
{
	const struct op *op = (const struct op *)(const void *)(record + *at);

	if (*at + sizeof(*op) > size)
		return NULL;
	*at += sizeof(*op);
	if (op->kind == OP_WRITE || op->kind == OP_NAME)
		*at += op->size + record_padding(op->size);
	return *at <= size ? op : NULL;
}

static int
drop(const char *record_path, const char *prefix, const char *scratch, const char *base)
{
	uint64_t acknowledged = 0;
	size_t size, at = 0;
	const char *record = map_record(record_path, &size);

	for (const struct op *op; (op = next_op(record, size, &at)) != NULL;) {
		advance(op, prefix, &acknowledged);
		if (op->kind == OP_NAME)
			read_base(&files[op->file], base);
	}
	write_durable(scratch);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: images RECORD DATA_PREFIX SCRATCH COUNT SEED | drop BASE\n");
		return 2;
	}
	if (strcmp(argv[4], "drop") == 0)
		return drop(argv[1], argv[2], argv[3], argv[5]);
	size_t size, at = 0, count = strtoull(argv[4], NULL, 10), next = 0;
	const char *record = map_record(argv[1], &size);
	uint64_t ops = 0, done = 0, acknowledged = 0, wrong = 0, acknowledgements = 0;

	while (next_op(record, size, &at) != NULL)
		ops++;
	entropy_seed(&chance, strtoull(argv[5], NULL, 10));
	uint64_t *points = choose_points(ops, count);
	at = 0;
	for (const struct op *op; next < count && (op = next_op(record, size, &at)) != NULL;) {
		advance(op, argv[2], &acknowledged);
		acknowledgements += op->kind == OP_ACK;
		for (done++; next < count && points[next] == done; next++) {
			build(argv[3]);
			if (check(argv[3], acknowledged) != 0) {
				fprintf(stderr, "image %zu: cut after operation %llu of %llu: broken\n", next,
					(unsigned long long)done, (unsigned long long)ops);
				wrong++;
			}
		}
	}
	free(points);
	printf("power loss: %zu images, %llu broken (%llu operations, %llu acknowledgements, seed %s)\n", count,
	       (unsigned long long)wrong, (unsigned long long)ops, (unsigned long long)acknowledgements, argv[5]);
	return wrong != 0 || acknowledgements == 0;
}
