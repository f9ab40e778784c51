/* SPDX-License-Identifier: MIT */
/*
 * Each thread goes through the log, a chunk at a time, and takes the streams that are its own by hash. The caller's
 * thread does the projections meanwhile, then waits. Findings lie with their thread until it is done.
 * Fails: a fault of the store stops all threads; the first one is given.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/determinism_fold.h"

#define CHUNK_ENTRIES 8192
#define CHUNK_BYTES   ((size_t)8 << 20)
#define TICK_NS       ((int64_t)250 * 1000 * 1000)
#define MACHINE_TRIES 8

/* ---- machines and texts ---- */

int
determinism_open_two(const struct script_program *program, const struct script_options *options,
		     struct script_machine *machines[2], struct fault *fault)
{
	struct script_machine *tried[MACHINE_TRIES] = { NULL };
	size_t count = 0;
	int result;

	machines[0] = machines[1] = NULL;
	result = script_open(program, options, &machines[0], fault);
	/* Those with the same seed stay open meanwhile, so that the next one cannot have their address. */
	while (result == 0 && machines[1] == NULL && count < MACHINE_TRIES) {
		result = script_open(program, options, &tried[count], fault);
		if (result == 0 && script_order(tried[count]) != script_order(machines[0]))
			machines[1] = tried[count];
		else
			count++;
	}
	if (result == 0 && machines[1] == NULL)
		result = fault_set(fault, FAULT_BUG, "same_seed", "%d machines with the same hash seed in a row",
				   MACHINE_TRIES);
	for (size_t i = 0; i < count; i++)
		script_close(tried[i]);
	if (result != 0) {
		script_close(machines[0]);
		machines[0] = NULL;
	}
	return result;
}

void
determinism_say(char *text, size_t size, const char *what, struct slice first, struct slice second)
{
	size_t at = 0, from;

	while (at < first.size && at < second.size && first.data[at] == second.data[at])
		at++;
	from = at > 30 ? at - 30 : 0;
	first = slice_from(first.data + from, first.size - from < 120 ? first.size - from : 120);
	second = slice_from(second.data + from, second.size - from < 120 ? second.size - from : 120);
	snprintf(text, size, "%s: %s%.*s  and then  %s%.*s", what, from > 0 ? "..." : "", SLICE_ARG(first),
		 from > 0 ? "..." : "", SLICE_ARG(second));
}

/* ---- threads ---- */

static int
open_folder(struct folder *folder, struct fault *fault)
{
	const struct determinism *check = folder->all->check;

	if (store_reader_open(check->store, &folder->reader, fault) != 0)
		return -1;
	return determinism_open_two(check->program, check->options, folder->machines, fault);
}

static int
check_log(struct folder *folder, struct fault *fault)
{
	struct all *all = folder->all;
	const struct log_filter filter = { .domain = all->check->program->domain };
	log_position at = 0;

	while (at < all->head && !atomic_load(&all->stop)) {
		struct entries entries;

		arena_clear(&folder->chunk);
		if (store_read_log(folder->reader, at, &filter, (struct read_limit){ CHUNK_ENTRIES, CHUNK_BYTES },
				   &folder->chunk, &entries, &at, fault) != 0 ||
		    determinism_chunk(folder, &entries, fault) != 0)
			return -1;
		atomic_store(&all->seen[folder->number], at);
	}
	return 0;
}

static void *
folder_main(void *self)
{
	struct folder *folder = self;
	struct fault fault;

	pthread_setname_np(pthread_self(), "folding twice");
	fault_clear(&folder->fault);
	if (check_log(folder, &fault) != 0) {
		folder->fault = fault;
		atomic_store(&folder->all->stop, true);
	}
	must(mailbox_give(&folder->all->ended, &folder->ended));
	return NULL;
}

static struct folder *
new_folder(struct all *all, unsigned number)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (folder == NULL)
		return NULL;
	folder->all = all;
	folder->number = number;
	arena_init(&folder->chunk, SIZE_MAX);
	arena_init(&folder->pieces, SIZE_MAX);
	arena_init(&folder->kept, SIZE_MAX);
	buf_init(&folder->bytes[0], SIZE_MAX);
	buf_init(&folder->bytes[1], SIZE_MAX);
	return folder;
}

static void
free_folder(struct folder *folder)
{
	if (folder == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		script_close(folder->machines[i]);
		buf_fini(&folder->bytes[i]);
	}
	if (folder->reader != NULL)
		store_reader_close(folder->reader);
	for (size_t i = 0; i < folder->known_room; i++) {
		free((void *)(uintptr_t)folder->known[i].name.data);
		free(folder->known[i].bytes);
	}
	free(folder->known);
	arena_fini(&folder->chunk);
	arena_fini(&folder->pieces);
	arena_fini(&folder->kept);
	free(folder);
}

static void
tick(void *self)
{
	struct all *all = self;
	const struct determinism *check = all->check;
	log_position least = all->head;

	for (unsigned i = 0; i < all->threads; i++)
		if (atomic_load(&all->seen[i]) < least)
			least = atomic_load(&all->seen[i]);
	if (check->progress != NULL)
		check->progress(check->self, least, all->head);
}

/* Tells findings and frees the threads' parts; gives the first fault. */
static int
collect(struct all *all, struct folder **folders, int result, struct fault *fault)
{
	struct determinism *check = all->check;

	for (unsigned i = 0; i < all->threads; i++) {
		struct folder *folder = folders[i];

		if (folder == NULL)
			continue;
		for (size_t k = 0; k < folder->finding_count && check->found != NULL; k++)
			check->found(check->self, &folder->findings[k]);
		check->findings += folder->finding_total;
		check->streams += folder->known_count;
		if (result == 0 && folder->fault.class != FAULT_NONE) {
			*fault = folder->fault;
			result = -1;
		}
		free_folder(folder);
	}
	check->events = atomic_load(&all->events);
	return result;
}

static int
start(struct all *all, unsigned number, struct folder **folder, struct fault *fault)
{
	*folder = new_folder(all, number);
	if (*folder == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a thread");
	if (open_folder(*folder, fault) != 0)
		return -1;
	if (pthread_create(&(*folder)->thread, NULL, folder_main, *folder) != 0)
		return fault_set(fault, FAULT_AWAY, "no_thread", "a thread cannot be started");
	(*folder)->running = true;
	return 0;
}

int
determinism_check(struct determinism *check, struct fault *fault)
{
	struct all all = { .check = check, .head = store_head(check->store), .threads = check->threads };
	struct folder *folders[DETERMINISM_THREADS] = { NULL };
	unsigned running = 0;
	int result = 0;

	check->streams = check->events = check->projected = check->findings = 0;
	all.threads = all.threads == 0 ? 2 : all.threads < DETERMINISM_THREADS ? all.threads : DETERMINISM_THREADS;
	mailbox_init(&all.ended, 0, NULL);
	for (unsigned i = 0; i < all.threads && result == 0; i++) {
		result = start(&all, i, &folders[i], fault);
		running += result == 0;
	}
	if (result == 0)
		result = determinism_rows(check, tick, &all, fault);
	if (result != 0)
		atomic_store(&all.stop, true);
	for (unsigned ended = 0; ended < running; tick(&all))
		for (struct mail *mail = mailbox_wait(&all.ended, TICK_NS); mail != NULL; mail = mail->next)
			ended++;
	for (unsigned i = 0; i < all.threads; i++)
		if (folders[i] != NULL && folders[i]->running)
			pthread_join(folders[i]->thread, NULL);
	result = collect(&all, folders, result, fault);
	mailbox_fini(&all.ended);
	return result;
}

/* ---- some streams ---- */

/* The next events of each stream that has more, behind each other in the folder's chunk. */
static int
read_chunk(struct folder *folder, const struct slice *streams, size_t count, stream_version *next, stream_version last,
	   struct entries *chunk, struct fault *fault)
{
	const struct read_limit limit = { CHUNK_ENTRIES / count + 1, CHUNK_BYTES / count + 1 };

	*chunk = (struct entries){ arena_zero(&folder->chunk, limit.entries * count, sizeof(*chunk->items)), 0 };
	if (chunk->items == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a chunk of streams");
	for (size_t i = 0; i < count; i++) {
		struct entries page = { 0 };
		stream_version end;

		if (next[i] > last)
			continue;
		if (store_read_stream(folder->reader, streams[i], next[i], limit, &folder->chunk, &page, &end, fault) !=
		    0)
			return -1;
		for (size_t k = 0; k < page.count && page.items[k].version <= last; k++)
			chunk->items[chunk->count++] = page.items[k];
		next[i] = page.count != 0 ? page.items[page.count - 1].version + 1 : last + 1;
	}
	return 0;
}

static int
check_streams(struct folder *folder, const struct slice *streams, size_t count, stream_version last,
	      struct fault *fault)
{
	stream_version *next = arena_zero(&folder->kept, count, sizeof(*next));
	struct entries chunk;

	if (next == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for streams");
	for (size_t i = 0; i < count; i++)
		next[i] = 1;
	do {
		arena_clear(&folder->chunk);
		if (read_chunk(folder, streams, count, next, last, &chunk, fault) != 0 ||
		    determinism_chunk(folder, &chunk, fault) != 0)
			return -1;
	} while (chunk.count != 0);
	return 0;
}

int
determinism_streams(struct determinism *check, const struct slice *streams, size_t count, uint64_t events,
		    struct fault *fault)
{
	struct all all = { .check = check, .threads = 1 };
	struct folder *folder = new_folder(&all, 0);
	int result = -1;

	check->streams = check->events = check->projected = check->findings = 0;
	if (folder == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to fold twice");
	fault_clear(&folder->fault);
	if (open_folder(folder, fault) == 0)
		result = check_streams(folder, streams, count, events, fault);
	return collect(&all, &folder, result, fault);
}
