/* SPDX-License-Identifier: MIT */
/*
 * Dead letters: messages that their handler cannot take, kept with all that is needed to try them again.
 *
 *   space "dead/<domain>.<reactor>"   key <topic>/<partition>/<20 digits of offset>   -> JSON object
 *
 * Bytes that are no UTF-8, or would be much longer as JSON, stand in members whose name ends in _hex. A letter from the
 * log (topic empty in its key) names its entry by position: the log still has it.
 */
#ifndef MOONLOG_CORE_DEAD_H
#define MOONLOG_CORE_DEAD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fault.h"
#include "bus/message.h"

struct dead_letter {
	struct slice consumer; /* <domain>.<reactor> */
	struct slice topic;    /* of the message */
	int32_t partition;
	uint64_t offset;
	bool from_log; /* `offset` is a position of the log */
	struct slice type, id, source;
	struct slice key;
	struct slice value;
	bool tombstone;
	const struct message_header *headers;
	size_t header_count;
	int64_t time_us;
	struct slice parked; /* hash of the key that it is parked by; empty: it is not */
	uint64_t attempts;
	struct slice class, code, text;
	int64_t first_us, last_us;
};

void dead_write(const struct dead_letter *letter, struct buf *out);
/* Slices live in `arena`. Fails: CORRUPT "bad_letter"; MEMORY. */
int dead_parse(struct slice json, struct arena *arena, struct dead_letter *letter, struct fault *fault);
/* Headers of the message on the dead-letter topic: those it had (ce_* as dlq-ce_*) and dlq-*; canonical JSON. */
void dead_headers(const struct dead_letter *letter, struct buf *out);

#endif
