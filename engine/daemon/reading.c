/* SPDX-License-Identifier: MIT */
/* Read-only, no lock: the daemon may run, stop or start meanwhile. */
#include "daemon/reading.h"

#include "store/sqlite/sqlite.h"

#define PAGE_MAX ((size_t)64 << 20)
#define RECORDS  100 /* a page */

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

int
reading_records(struct reading *reading, struct slice space, reading_each_record *each, void *self, struct fault *fault)
{
	char last[STORE_KEY_MAX];
	struct slice after = SLICE_NONE;
	size_t count = RECORDS;
	int result = 0;

	while (count == RECORDS) {
		struct record *records;

		arena_clear(&reading->arena);
		if (store_list_records(reading->reader, space, after, RECORDS, &reading->arena, &records, &count,
				       fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++)
			if ((result = each(self, &records[i], fault)) != 0)
				return result;
		if (count != 0) {
			memcpy(last, records[count - 1].key.data, records[count - 1].key.size);
			after = slice_from(last, records[count - 1].key.size);
		}
	}
	return 0;
}

int
reading_spaces(struct reading *reading, const char *prefix, reading_each_space *each, void *self, struct fault *fault)
{
	char space[STORE_SPACE_MAX + 1];
	struct slice after = SLICE_NONE;
	int result = 0;

	while (result == 0) {
		struct slice *spaces;
		size_t count;

		arena_clear(&reading->arena);
		if (store_list_spaces(reading->reader, slice_text(prefix), after, 1, &reading->arena, &spaces, &count,
				      fault) != 0)
			return -1;
		if (count == 0)
			break;
		memcpy(space, spaces[0].data, spaces[0].size);
		after = slice_from(space, spaces[0].size);
		result = each(self, after, fault);
	}
	return result;
}
