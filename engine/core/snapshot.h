/* SPDX-License-Identifier: MIT */
/*
 * Snapshots: states of streams kept as records beside the log, so that a long stream need not be folded from its
 * beginning. Space "snapshot/<domain>.<aggregate>", key = the stream's id. A snapshot is a hint: it is used only where
 * it was made by the same fold, under the same state_version, and its check holds.
 */
#ifndef MOONLOG_CORE_SNAPSHOT_H
#define MOONLOG_CORE_SNAPSHOT_H

#include "script/script.h"
#include "store/store.h"

#define SNAPSHOT_NEVER UINT32_MAX

struct snapshot {
	stream_version version;
	uint32_t state_version;
	struct digest fold;
	struct slice state; /* canonical JSON */
	bool sound;         /* it can be read and its check holds */
	struct slice value; /* the record as it is */
};

/* "snapshot/banking.account", in `text`. */
#define SNAPSHOT_SPACE_SIZE (sizeof("snapshot/") + 2 * STREAM_WORD_MAX + 2)
struct slice snapshot_space(const struct script_program *program, uint16_t aggregate, char text[SNAPSHOT_SPACE_SIZE]);
/* What stands after the slash of a whole name. */
struct slice snapshot_key(struct slice stream);

/* The record's value for a state that stands at `version`. */
void snapshot_write(const struct script_aggregate *aggregate, struct slice stream, stream_version version,
		    struct slice state, struct buf *out);
void snapshot_parse(struct slice stream, struct slice value, struct snapshot *snapshot);
/* *found false: there is none. Everything lies in `arena`. */
int snapshot_read(struct store_reader *reader, const struct script_program *program, uint16_t aggregate,
		  struct slice stream, struct arena *arena, struct snapshot *snapshot, bool *found,
		  struct fault *fault);
/* May these rules go on from it? */
bool snapshot_fits(const struct snapshot *snapshot, const struct script_aggregate *aggregate);

/* Is it time for one? `every` and `seconds` of the aggregate, else `otherwise`, the engine's count of events. */
static inline uint32_t
snapshot_every(const struct script_aggregate *aggregate, uint32_t otherwise)
{
	return aggregate->snapshot_every != 0 ? aggregate->snapshot_every : otherwise;
}

#endif
