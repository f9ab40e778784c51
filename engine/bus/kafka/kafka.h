/* SPDX-License-Identifier: MIT */
/* The Kafka room of the bus: what it is told, and the makers of its publisher and its sources. */
#ifndef MOONLOG_BUS_KAFKA_KAFKA_H
#define MOONLOG_BUS_KAFKA_KAFKA_H

#include "bus/publisher.h"
#include "bus/source.h"

enum kafka_mode {
	KAFKA_TRANSACTIONAL, /* messages and mark in one transaction; whoever published before is fenced */
	KAFKA_IDEMPOTENT     /* no transaction, no mark, no fence: lower latency, repeats after a crash */
};

/* All borrowed until the last publisher and source made of it is closed. */
struct kafka_options {
	struct slice brokers;  /* "host:port,host:port" */
	struct slice service;  /* prefix of transactional id, control topic and groups */
	struct slice store_id; /* whose log is published */
	struct slice instance; /* group.instance.id: the same after a restart, another in each process; empty: none */
	enum kafka_mode mode;
	const struct slice *properties; /* "name=value" of librdkafka's CONFIGURATION.md, but for those that are ours */
	size_t property_count;
	int32_t partitions;              /* of topics that are made here; 0: the broker's default */
	int16_t replication;             /* likewise */
	uint32_t transaction_timeout_ms; /* 0 = 10000 */
};

/*
 * For struct publisher_maker and struct source_maker: `options` is a const struct kafka_options. Nothing is asked of
 * the brokers yet. Fails: CONFIG "kafka_setting" (a property that does not exist, has a bad value, or is ours).
 */
int kafka_publisher_open(void *options, struct publisher **publisher, struct fault *fault);
int kafka_source_open(void *options, const struct source_wanted *wanted, struct source **source, struct fault *fault);

#endif
