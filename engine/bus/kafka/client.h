/* SPDX-License-Identifier: MIT */
/* A client of the brokers: how it is configured, its log lines, and the library's errors as answers and faults. */
#ifndef MOONLOG_BUS_KAFKA_CLIENT_H
#define MOONLOG_BUS_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "bus/kafka/kafka.h"

/* A call of the library takes no longer: a step of the relay can be told to stop meanwhile. */
#define KAFKA_SLICE_MS 500
/*
 * How long the end of a transaction is waited for at once. A call that is resumed after its time was over may leave
 * librdkafka 2.0.2 with one answer more than there were questions, if the broker's answer comes in that very moment;
 * every later call then gets the answer of the one before. So ends get long, and after one that was resumed nothing is
 * begun with that client (tests/kafka/errors_test.c shows the mix-up with a slice of 500 ms).
 */
#define KAFKA_END_MS 3000
/* Nothing but "again" for so long: a new client, for one of the library's requests may be parked for good. */
#define KAFKA_STALLED_NS (INT64_C(30) * 1000 * 1000 * 1000)

struct kafka_setting {
	const char *name;
	const char *value; /* NULL: left out */
};

/*
 * A configuration: what every client of ours has, `defaults` (may be NULL), then the author's properties, then
 * `settings`, which nobody changes. Lists end with a NULL name. Gives NULL with *fault filled: CONFIG, MEMORY.
 */
rd_kafka_conf_t *kafka_configure(const struct kafka_options *options, const struct kafka_setting *defaults,
				 const struct kafka_setting *settings, struct fault *fault);
/* Takes the configuration, whatever comes of it. */
rd_kafka_t *kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct fault *fault);

/* The class and the stable code of a code of the library's. Gives -1. */
int kafka_fault(rd_kafka_resp_err_t code, const char *doing, const char *text, struct fault *fault);
/* The class of a transactional call's error by its flags alone; takes the error. NULL: DONE. */
enum bus_answer kafka_answer(rd_kafka_t *client, rd_kafka_error_t *error, const char *doing, struct fault *fault);
/* A client that has had a fatal error is of no use: true, and *fault tells which. */
bool kafka_is_lost(rd_kafka_t *client, const char *doing, struct fault *fault);

/* "Again" since when; 0: not at all. */
struct kafka_patience {
	int64_t since_ns;
};
/* Passes the answer on, AGAIN as LOST once it has been the only one for too long. */
enum bus_answer kafka_patience(struct kafka_patience *patience, enum bus_answer answer, struct fault *fault);

#endif
