/* SPDX-License-Identifier: MIT */
/* The thread that ends what a publisher has begun, so that the next batch is read and encoded meanwhile. */
#ifndef MOONLOG_BUS_KAFKA_ENDING_H
#define MOONLOG_BUS_KAFKA_ENDING_H

#include "base/mailbox.h"
#include "bus/kafka/client.h"

/* What the library says of records that it could not deliver; belongs to the thread that calls the library. */
struct kafka_reports {
	uint64_t failed;
	struct fault first; /* of them, with topic and key */
};

struct kafka_ending {
	rd_kafka_t *producer;
	bool transactional;
	struct kafka_reports *reports;
	struct mailbox work, done;
	pthread_t thread;
	/* Below: of whoever holds the mail. */
	struct mail mail;
	enum bus_answer answer;
	struct fault fault;
	bool resumed; /* a commit was not over in its time, see KAFKA_END_MS */
	/* Of the publisher's thread. */
	bool begun; /* and its end not known */
};

int kafka_ending_init(struct kafka_ending *ending, rd_kafka_t *producer, bool transactional,
		      struct kafka_reports *reports, struct fault *fault);
/* Waits for the slice that the thread is in. */
void kafka_ending_fini(struct kafka_ending *ending);
/* Starts to end it. Until kafka_ending_wait gives another answer than AGAIN, the producer is the thread's. */
void kafka_ending_start(struct kafka_ending *ending);
enum bus_answer kafka_ending_wait(struct kafka_ending *ending, int64_t wait_ns, struct fault *fault);

#endif
