/* SPDX-License-Identifier: MIT */
/* Read-only, no lock: the daemon may run, stop or start meanwhile. */
#include "daemon/reading.h"

#include "store/sqlite/sqlite.h"

#define PAGE_MAX ((size_t)64 << 20)

int
reading_open_config(struct reading *reading, struct fault *fault)
{
	struct sqlite_options options = { .read_only = true };

	arena_init(&reading->arena, PAGE_MAX);
	if (call_data(&reading->config, &reading->directory, fault) != 0)
		return -1;
	options.path = reading->directory;
	if (sqlite_open(&options, &reading->store, fault) != 0)
		return -1;
	return store_reader_open(reading->store, &reading->reader, fault);
}

int
reading_open(const struct call *call, struct reading *reading, struct fault *fault)
{
	*reading = (struct reading){ 0 };
	if (call_config(call, &reading->config, fault) != 0)
		return -1;
	return reading_open_config(reading, fault);
}

void
reading_close(struct reading *reading)
{
	if (reading->reader != NULL)
		store_reader_close(reading->reader);
	store_close(reading->store);
	arena_fini(&reading->arena);
	config_fini(&reading->config);
}
