/* SPDX-License-Identifier: MIT */
/* One assignment a key; nothing is decided here. */
#include "daemon/setup.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/spawn_specs.h"

#define DAY_US          86400000000LL
#define WATCHDOG_SIGNAL (SIGRTMIN + 5) /* no library that we use takes it */

void
setup_log(const struct config *config)
{
	/* The choices of both keys are written in the order of their enumerations. */
	log_setup(STDERR_FILENO, (enum log_level)config_integer(config, CONFIG_LOG_LEVEL),
		  (enum log_format)config_integer(config, CONFIG_LOG_FORMAT));
}

static size_t
size_of(const struct config *config, size_t id)
{
	return (size_t)config_integer(config, id);
}

/* Who decides leaves room for who serves, commits and projects. */
static unsigned
workers_of(const struct config *config)
{
	long chosen = (long)config_integer(config, CONFIG_WORKERS), half = sysconf(_SC_NPROCESSORS_ONLN) / 2;
	long workers = chosen != 0 ? chosen : half > 64 ? 64 : half;

	return workers > 0 ? (unsigned)workers : 1;
}

/* Of the one engine that a process opens by its configuration. */
static struct spawn_specs specs;

void
setup_script(const struct config *config, struct script_options *options)
{
	*options = (struct script_options){
		.heap_bytes = size_of(config, CONFIG_HEAP_BYTES),
		.pool_bytes = size_of(config, CONFIG_POOL_BYTES),
		.limits = { .command_ms = (uint32_t)config_integer(config, CONFIG_COMMAND_MS),
			    .apply_ms = (uint32_t)config_integer(config, CONFIG_APPLY_MS),
			    .projection_ms = (uint32_t)config_integer(config, CONFIG_PROJECTION_MS),
			    .query_ms = (uint32_t)config_integer(config, CONFIG_QUERY_MS),
			    .load_ms = (uint32_t)config_integer(config, CONFIG_LOAD_MS) },
		.domain_limits = config->domain_limits,
		.domain_limit_count = config->domain_limit_count,
		.development = config_integer(config, CONFIG_DEVELOPMENT) != 0,
	};
}

void
setup_wire(const struct config *config, struct wire_options *options)
{
	int64_t keep_us = config_integer(config, CONFIG_RELOAD_KEEP_SECONDS) * 1000000;
	struct script_options script;

	setup_script(config, &script);
	spawn_specs_init(&specs, config_integer(config, CONFIG_RELOAD_SPECS_SECONDS) * 1000);
	*options = (struct wire_options){
		.specs = config_integer(config, CONFIG_RELOAD_SPECS) != 0 ? &specs.runner : NULL,
		.watchdog_signal = WATCHDOG_SIGNAL,
		.remember_ids = (uint64_t)config_integer(config, CONFIG_REMEMBER_IDS),
		.remember_us = config_integer(config, CONFIG_REMEMBER_DAYS) * DAY_US,
		.send = true,
		.service = config_text(config, CONFIG_KAFKA_SERVICE),
	};
	options->limits = (struct engine_limits){
		.workers = workers_of(config),
		.readers = (unsigned)config_integer(config, CONFIG_READERS),
		.queue_length = size_of(config, CONFIG_QUEUE_LENGTH),
		.domain_share = size_of(config, CONFIG_DOMAIN_SHARE),
		.queue_wait_us = config_integer(config, CONFIG_QUEUE_WAIT_MS) * 1000,
		.attempts = (unsigned)config_integer(config, CONFIG_ATTEMPTS),
		.hot_states = size_of(config, CONFIG_HOT_STATES),
		.snapshot_events = config_integer(config, CONFIG_SNAPSHOT_EVENTS) != 0
					   ? (uint32_t)config_integer(config, CONFIG_SNAPSHOT_EVENTS)
					   : UINT32_MAX,
		.snapshot_check_us = config_integer(config, CONFIG_SNAPSHOT_CHECK_MS) * 1000,
		.determinism_sample = config_integer(config, CONFIG_DETERMINISM_SAMPLE) != 0
					      ? (uint32_t)config_integer(config, CONFIG_DETERMINISM_SAMPLE)
					      : UINT32_MAX,
		.warm_bytes = size_of(config, CONFIG_WARM_BYTES),
		.group_appends = size_of(config, CONFIG_GROUP_APPENDS),
		.relay_entries = size_of(config, CONFIG_RELAY_ENTRIES),
		.relay_bytes = size_of(config, CONFIG_RELAY_BYTES),
		.projection_batch = size_of(config, CONFIG_PROJECTION_BATCH),
		.remember_us = config_integer(config, CONFIG_REMEMBER_DAYS) * DAY_US,
		.remember_messages = size_of(config, CONFIG_REMEMBER_MESSAGES) != 0
					     ? size_of(config, CONFIG_REMEMBER_MESSAGES)
					     : SIZE_MAX,
		.heap_bytes = script.heap_bytes,
		.pool_bytes = script.pool_bytes,
		.script = script.limits,
		.domain_limits = script.domain_limits,
		.domain_limit_count = script.domain_limit_count,
		.breaker = { .kills = (unsigned)config_integer(config, CONFIG_BREAKER_STOPS),
			     .window_us = config_integer(config, CONFIG_BREAKER_WINDOW_MS) * 1000,
			     .pause_us = config_integer(config, CONFIG_BREAKER_PAUSE_MS) * 1000 },
		.shadow_us = config_integer(config, CONFIG_RELOAD_HISTORY_SECONDS) * 1000000,
		.shadow_threads = (unsigned)config_integer(config, CONFIG_RELOAD_THREADS),
		.shadow_warns = strcmp(config_text(config, CONFIG_RELOAD_POLICY), "warn") == 0,
		.warn_domains = (const char *const *)config->values[CONFIG_RELOAD_WARN_DOMAINS].items,
		.warn_domain_count = config->values[CONFIG_RELOAD_WARN_DOMAINS].item_count,
		.keep_us = keep_us == 0 ? -1 : keep_us,
		.keep_undecided = (uint32_t)config_integer(config, CONFIG_RELOAD_KEEP_UNDECIDED),
		.development = script.development,
	};
}

void
setup_http(const struct config *config, struct http_limits *limits)
{
	struct fault fault;

	http_limits_defaults(limits);
	for (size_t i = 0; i < http_limits_count; i++) {
		/* The same table gave the range by which the value was checked. */
		must(http_limits_set(limits, slice_text(http_limits_table[i].name),
				     (uint64_t)config_integer(config, CONFIG_HTTP + i), &fault) == 0);
	}
}

static void
warn_of_unserved(const struct config_value *domains, const char *key, struct slice name)
{
	bool served = false;

	for (size_t i = 0; i < domains->item_count && !served; i++) {
		char *whole = realpath(domains->items[i], NULL);

		served = whole != NULL && slice_equal(slice_text(strrchr(whole, '/') + 1), name);
		free(whole);
	}
	if (!served)
		log_line(LOG_WARN, "the configuration names a domain that is not served", log_text("key", key),
			 log_slice("domain", name));
}

int
setup_domains(const struct config *config, struct wire *wire, struct fault *fault)
{
	const struct config_value *domains = &config->values[CONFIG_DOMAINS];

	if (domains->item_count == 0)
		return fault_set(fault, FAULT_CONFIG, "usage", "no domain is given: use --domain FOLDER");
	for (size_t i = 0; i < domains->item_count; i++) {
		if (wire_add_domain(wire, domains->items[i], fault) != 0)
			return -1;
	}
	for (size_t i = 0; i < config->domain_limit_count; i++)
		warn_of_unserved(domains, "domain_limits", config->domain_limits[i].domain);
	for (size_t i = 0; i < config->values[CONFIG_RELOAD_WARN_DOMAINS].item_count; i++)
		warn_of_unserved(domains, "reload.warn_domains",
				 slice_text(config->values[CONFIG_RELOAD_WARN_DOMAINS].items[i]));
	return 0;
}
