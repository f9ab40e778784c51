/* SPDX-License-Identifier: MIT */
/*
 * The store's id is part of every name by which Kafka knows the daemon, so this waits until the store is open. Fails:
 * CONFIG "bad_configuration" for a service's name that no topic could begin with.
 */
#include "daemon/brokers.h"

#define SERVICE_MAX 100

/* Topics take letters, digits, '.', '_' and '-'. */
static int
check_service(struct slice service, struct fault *fault)
{
	bool well = service.size != 0 && service.size <= SERVICE_MAX;

	for (size_t i = 0; i < service.size; i++) {
		char c = service.data[i];

		well = well && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
				c == '.' || c == '_' || c == '-');
	}
	if (well)
		return 0;
	return fault_set(fault, FAULT_CONFIG, "bad_configuration",
			 "kafka.service: \"%.*s\" is not 1 to %d letters, digits, '.', '_' and '-'", SLICE_ARG(service),
			 SERVICE_MAX);
}

static int
read_properties(struct brokers *brokers, struct fault *fault)
{
	const struct config_value *given = &brokers->config->values[CONFIG_KAFKA_PROPERTIES];
	struct slice *properties = arena_zero(&brokers->arena, given->item_count + 1, sizeof(*properties));

	if (properties == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for kafka.properties");
	for (size_t i = 0; i < given->item_count; i++)
		properties[i] = slice_text(given->items[i]);
	brokers->kafka.properties = properties;
	brokers->kafka.property_count = given->item_count;
	return 0;
}

static int
open_bus(void *self, struct slice store_id, struct engine_parts *parts, struct fault *fault)
{
	struct brokers *brokers = self;
	const struct config *config = brokers->config;
	bool idempotent = strcmp(config_text(config, CONFIG_KAFKA_MODE), "idempotent") == 0;

	brokers->kafka = (struct kafka_options){
		.brokers = slice_text(config_text(config, CONFIG_KAFKA_BROKERS)),
		.service = parts->service,
		.store_id = arena_copy(&brokers->arena, store_id),
		.mode = idempotent ? KAFKA_IDEMPOTENT : KAFKA_TRANSACTIONAL,
		.partitions = (int32_t)config_integer(config, CONFIG_KAFKA_PARTITIONS),
		.replication = (int16_t)config_integer(config, CONFIG_KAFKA_REPLICATION),
	};
	/* One process has the store, so its id tells the process too, and stays over a restart. */
	brokers->kafka.instance = brokers->kafka.store_id;
	if (brokers->kafka.store_id.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the store's id");
	if (check_service(parts->service, fault) != 0 || read_properties(brokers, fault) != 0)
		return -1;
	parts->publisher = (struct publisher_maker){ kafka_publisher_open, &brokers->kafka };
	parts->foreign = (struct source_maker){ kafka_source_open, &brokers->kafka };
	return 0;
}

void
brokers_setup(struct brokers *brokers, const struct config *config, struct wire_options *options)
{
	*brokers = (struct brokers){ .config = config };
	arena_init(&brokers->arena, (size_t)1 << 20);
	if (strcmp(config_text(config, CONFIG_BUS), "kafka") != 0)
		return;
	options->open_bus = open_bus;
	options->bus_self = brokers;
}

void
brokers_close(struct brokers *brokers)
{
	arena_fini(&brokers->arena);
}
