/* SPDX-License-Identifier: MIT */
/* Rows of the table `segments`. Fails: a wrong row is marked damaged; whoever asked then reads the log instead. */
#include "store/sqlite/range.h"

#include <stdlib.h>

#include "store/sqlite/bytes.h"

void
range_put(uint8_t bytes[RANGE_SIZE], const struct segment_range *range)
{
	const uint64_t fields[] = { range->number,    range->first,      range->last,      range->first_bare,
				    range->last_bare, range->first_born, range->last_born, (uint64_t)range->last_time,
				    range->commands };

	for (size_t i = 0; i < countof(fields); i++)
		bytes_put_u64(bytes + 8 * i, fields[i]);
}

static void
range_get(const uint8_t bytes[RANGE_SIZE], struct segment_range *range)
{
	*range = (struct segment_range){ bytes_get_u64(bytes),      bytes_get_u64(bytes + 8),
					 bytes_get_u64(bytes + 16), bytes_get_u64(bytes + 24),
					 bytes_get_u64(bytes + 32), bytes_get_u64(bytes + 40),
					 bytes_get_u64(bytes + 48), (int64_t)bytes_get_u64(bytes + 56),
					 bytes_get_u64(bytes + 64) };
}

uint32_t
range_seal(struct slice range, struct slice names, struct slice streams, struct slice commands)
{
	return (uint32_t)slice_hash(range, slice_hash(names, slice_hash(streams, slice_hash(commands, 6))));
}

struct sealed *
range_load(sqlite3_stmt *statement)
{
	struct slice ranges = link_slice(statement, 1), names = link_slice(statement, 2),
		     streams = link_slice(statement, 3), commands = link_slice(statement, 4);
	struct sealed *sealed = calloc(1, sizeof(*sealed));

	if (sealed == NULL)
		return NULL;
	sealed->range.number = link_int(statement, 0);
	if (ranges.size == RANGE_SIZE &&
	    (int64_t)range_seal(ranges, names, streams, commands) == sqlite3_column_int64(statement, 5))
		range_get((const uint8_t *)ranges.data, &sealed->range);
	sealed->damaged =
		ranges.size != RANGE_SIZE || sealed->range.number != link_int(statement, 0) || sealed->range.first == 0;
	if (sealed->damaged)
		return sealed;
	sealed->forgotten = commands.size == 0;
	if (bloom_load(&sealed->names, names) != 0 || bloom_load(&sealed->streams, streams) != 0 ||
	    bloom_load(&sealed->commands, commands) != 0) {
		sealed_free(sealed);
		return NULL;
	}
	return sealed;
}
