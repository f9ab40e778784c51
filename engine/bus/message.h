/* SPDX-License-Identifier: MIT */
/* A message as a bus carries it, out or in: bytes, a key and named headers. What they mean is core/cloudevent.h's. */
#ifndef MOONLOG_BUS_MESSAGE_H
#define MOONLOG_BUS_MESSAGE_H

#include "base/digest.h"
#include "base/slice.h"
#include "model/entry.h"

struct message_header {
	struct slice name;
	struct slice value; /* bytes; a null value comes as empty */
};

/* Every slice is borrowed. Headers keep their order; a name may come more than once. */
struct message {
	struct slice topic;
	struct slice key; /* empty: none */
	struct slice value;
	bool tombstone; /* no value at all */
	const struct message_header *headers;
	size_t header_count;
	int64_t time_us; /* in: the broker's or the producer's; out: 0 = now */
};

/*
 * How far a log has been published, as the bus keeps it in the transaction of the messages themselves. The link tells a
 * log that has gone another way from the one that was published, whatever its length (issue 5, must show B).
 */
struct bus_mark {
	bool found;
	struct slice store;   /* id of the store */
	uint32_t incarnation; /* raised when an operator declares a new history */
	log_position position;
	struct check link; /* of the entry at `position`; zero at 0 */
	struct slice owner;
	uint64_t epoch; /* of the owner's lease */
	int64_t at_us;
	/* Only of one that is read back: behind it a mark of this log at `hanging` is open, and nobody will end it. */
	bool hangs;
	log_position hanging;
};

#endif
