/* SPDX-License-Identifier: MIT */
/* Kafka as the bus of a daemon: from configuration to the makers that the engine opens. */
#ifndef MOONLOG_DAEMON_BROKERS_H
#define MOONLOG_DAEMON_BROKERS_H

#include "bus/kafka/kafka.h"
#include "daemon/config.h"
#include "daemon/wire.h"

struct brokers {
	const struct config *config;
	struct arena arena;
	struct kafka_options kafka;
};

/* Sets options->open_bus where the configuration says kafka. Owns: names, until brokers_close after wire_close. */
void brokers_setup(struct brokers *brokers, const struct config *config, struct wire_options *options);
void brokers_close(struct brokers *brokers);

#endif
