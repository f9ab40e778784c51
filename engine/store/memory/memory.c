/* SPDX-License-Identifier: MIT */
/*
 * The memory room: the contract's executable reading, kept as plain as it can be. One lock around everything; nothing
 * is ever freed before the store closes; command ids are remembered for ever.
 * Fails: MEMORY.
 */
#include "store/memory/memory.h"

#include <stdlib.h>

#include "store/memory/room.h"

static void
close_store(struct store *store)
{
	struct memory_store *memory = container_of(store, struct memory_store, base);

	for (size_t i = 0; i < memory->streams.room; i++)
		if (memory->streams.slots[i].item != NULL)
			free(((struct memory_stream *)memory->streams.slots[i].item)->positions);
	memory_table_fini(&memory->streams);
	memory_table_fini(&memory->records);
	memory_table_fini(&memory->commands);
	arena_fini(&memory->arena);
	pthread_mutex_destroy(&memory->lock);
	free(memory->log);
	free(memory);
}

static bool
idle(struct store *store)
{
	(void)store;
	return false;
}

static int
reader_open(struct store *store, struct store_reader **reader, struct fault *fault)
{
	*reader = malloc(sizeof(**reader));
	if (*reader == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a reader");
	(*reader)->store = store;
	return 0;
}

static void
reader_close(struct store_reader *reader)
{
	free(reader);
}

static const struct store_ops ops = {
	.close = close_store,
	.commit = memory_commit,
	.idle = idle,
	.reader_open = reader_open,
	.reader_close = reader_close,
	.read_stream = memory_read_stream,
	.read_log = memory_read_log,
	.position_at = memory_position_at,
	.list_streams = memory_list_streams,
	.list_types = memory_list_types,
	.list_generations = memory_list_generations,
	.read_record = memory_read_record,
	.list_records = memory_list_records,
	.list_spaces = memory_list_spaces,
	.find_command = memory_find_command,
};

int
memory_open(const struct clock *clock, struct store **store, struct fault *fault)
{
	struct memory_store *memory = calloc(1, sizeof(*memory));

	*store = NULL;
	if (memory == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a store");
	memory->base = (struct store){ .ops = &ops, .kind = "memory", .multi_stream = true, .stats = &memory->stats };
	memory->clock = clock != NULL ? clock : clock_real();
	pthread_mutex_init(&memory->lock, NULL);
	arena_init(&memory->arena, SIZE_MAX);
	*store = &memory->base;
	return 0;
}
