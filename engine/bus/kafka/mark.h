/* SPDX-License-Identifier: MIT */
/* The mark as a record of the control topic, and how the newest one is read back [I9]. */
#ifndef MOONLOG_BUS_KAFKA_MARK_H
#define MOONLOG_BUS_KAFKA_MARK_H

#include "base/buf.h"
#include "bus/kafka/client.h"

/* "<service>.relay-state", partition 0; key "<store id>/0". */
#define KAFKA_CONTROL_SUFFIX ".relay-state"

void kafka_mark_encode(const struct bus_mark *mark, struct buf *value);
/* Texts are copied into `arena`. Fails: CORRUPT "bad_mark", MEMORY. */
int kafka_mark_decode(struct slice value, struct arena *arena, struct bus_mark *mark, struct fault *fault);

struct kafka_mark_reader;

/* Nothing is asked yet. NULL: *fault says. */
struct kafka_mark_reader *kafka_mark_reader_open(const struct kafka_options *options, const char *topic,
						 const char *key, struct fault *fault);
/* The value of our mark that hangs; empty: none does. Lives as long as the reader. */
struct slice kafka_mark_open_value(const struct kafka_mark_reader *reader);
/*
 * DONE: every record before the end that `desk` saw at the first call was read, what was open among them decided.
 * `heard`: the broker answers, though what it has is not yet decided. AGAIN keeps what was read so far.
 */
enum bus_answer kafka_mark_read(struct kafka_mark_reader *reader, rd_kafka_t *desk, struct arena *arena,
				struct bus_mark *mark, bool *heard, struct fault *fault);
void kafka_mark_reader_close(struct kafka_mark_reader *reader);

#endif
