/* SPDX-License-Identifier: MIT */
#include "core/timer.h"

#include <stdio.h>

#define DIGITS        20
#define SKEW_LEAST_US ((int64_t)1000000)

int
timer_clock_open(struct timer_clock *timers, struct store *store, const struct clock *clock, struct fault *fault)
{
	struct store_reader *reader;
	struct entries entries = { 0 };
	struct arena arena;
	log_position head = store_head(store), seen = 0;
	int result;

	*timers = (struct timer_clock){ clock, clock_wall_us(clock), clock_mono_ns(clock) };
	if (head == 0)
		return 0;
	if (store_reader_open(store, &reader, fault) != 0)
		return -1;
	arena_init(&arena, (size_t)16 << 20);
	result = store_read_log(reader, head - 1, NULL, (struct read_limit){ 1, 0 }, &arena, &entries, &seen, fault);
	if (result == 0 && entries.count != 0 && entries.items[0].recorded_at_us > timers->base_us)
		timers->base_us = entries.items[0].recorded_at_us;
	arena_fini(&arena);
	store_reader_close(reader);
	return result;
}

int64_t
timer_clock_now(const struct timer_clock *timers)
{
	return timers->base_us + (clock_mono_ns(timers->clock) - timers->base_ns) / 1000;
}

int64_t
timer_skew(const struct timer_clock *timers)
{
	int64_t skew_us = timers != NULL ? timer_clock_now(timers) - clock_wall_us(timers->clock) : 0;

	return skew_us > -SKEW_LEAST_US && skew_us < SKEW_LEAST_US ? 0 : skew_us;
}

struct slice
timer_space(struct slice domain, struct arena *arena)
{
	return arena_format(arena, "timer/%.*s", SLICE_ARG(domain));
}

struct slice
timer_due_space(struct slice domain, struct arena *arena)
{
	return arena_format(arena, "timer_due/%.*s", SLICE_ARG(domain));
}

int
timer_records(struct slice domain, const struct decided *decided, int64_t skew_us, struct arena *arena,
	      struct record_write *records, size_t *count, struct fault *fault)
{
	struct slice space = timer_space(domain, arena), due_space = timer_due_space(domain, arena);

	*count = 0;
	if (space.data == NULL || due_space.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for timers");
	for (size_t i = 0; i < decided->timer_count; i++) {
		const struct decided_timer *timer = &decided->timers[i];
		int64_t at_us = timer->due_us + skew_us;
		unsigned long long due = at_us > 0 ? (unsigned long long)at_us : 0;
		struct slice key = arena_format(arena, "%.*s#%.*s", SLICE_ARG(decided->streams[timer->stream].name),
						SLICE_ARG(timer->name));
		struct slice value, row;

		if (timer->cancel) {
			if (key.data == NULL)
				return fault_set(fault, FAULT_MEMORY, "memory", "no memory for timers");
			records[(*count)++] =
				(struct record_write){ .rule = RECORD_REMOVE, .space = space, .key = key };
			continue;
		}
		value = arena_format(arena, "%020llu %.*s", due, SLICE_ARG(timer->data));
		row = arena_format(arena, "%020llu/%.*s", due, SLICE_ARG(key));
		if (key.data == NULL || value.data == NULL || row.data == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for timers");
		records[(*count)++] =
			(struct record_write){ .rule = RECORD_PUT, .space = space, .key = key, .value = value };
		records[(*count)++] = (struct record_write){ .rule = RECORD_PUT, .space = due_space, .key = row };
	}
	return 0;
}

bool
timer_parse(const struct record *record, struct timer *timer)
{
	const char *mark = record->key.size != 0 ? memchr(record->key.data, '#', record->key.size) : NULL;
	uint64_t due;

	if (mark == NULL || record->value.size <= DIGITS || record->value.data[DIGITS] != ' ' ||
	    !slice_to_u64(slice_from(record->value.data, DIGITS), &due) || due > INT64_MAX)
		return false;
	*timer = (struct timer){ .key = record->key,
				 .stream = slice_from(record->key.data, (size_t)(mark - record->key.data)),
				 .data = slice_from(record->value.data + DIGITS + 1, record->value.size - DIGITS - 1),
				 .value = record->value,
				 .due_us = (int64_t)due };
	timer->name = slice_from(mark + 1, record->key.size - timer->stream.size - 1);
	return true;
}
