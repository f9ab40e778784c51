/* SPDX-License-Identifier: MIT */
/*
 * Do the brokers answer? A client that is idle asks them all the same (it fetches, it beats for its group), so every
 * answer, whoever it is of, is counted by an interceptor of the library's on its own threads; there is no other way to
 * see that brokers are back while nothing is sent.
 *
 * Threads: opened with its client, by one; what it says is any thread's.
 */
#ifndef MOONLOG_BUS_KAFKA_HEARING_H
#define MOONLOG_BUS_KAFKA_HEARING_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "base/fault.h"
#include "base/mailbox.h"

struct kafka_hearing {
	_Atomic int64_t heard_ns; /* of the last answer, or since it waits for the first */
	_Atomic bool down;        /* all brokers were, and none has answered since */
	struct waker waker;       /* an answer came after a silence */
};

/* Before the client is made of `conf`; lives as long as the client. */
void kafka_hearing_init(struct kafka_hearing *hearing, rd_kafka_conf_t *conf, struct waker waker);
/* The library says that all brokers are down. */
void kafka_hearing_down(struct kafka_hearing *hearing);
/* false: AWAY "kafka_away". */
bool kafka_hears(const struct kafka_hearing *hearing, struct fault *fault);

#endif
