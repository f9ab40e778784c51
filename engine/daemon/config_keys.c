/* SPDX-License-Identifier: MIT */
/*
 * The one table of configuration keys: our own, and behind them one for each limit of HTTP's table, made from it on
 * first use so that a limit is written down once. Used by one thread, before any other is started.
 */
#include "daemon/config.h"

#include <stdio.h>

#include "http/limits.h"

#define MIB ((int64_t)1 << 20)
#define GIB ((int64_t)1 << 30)

static const struct config_key own_keys[CONFIG_HTTP] = {
	[CONFIG_DATA] = { "data", CONFIG_KIND_PATH, NULL, 0, 0, NULL, "data", "DIR",
			  "data directory: the store and its read models" },
	[CONFIG_LISTEN] = { "listen", CONFIG_KIND_TEXTS, "127.0.0.1:8080", 0, 0, NULL, "listen", "HOST:PORT",
			    "address to serve; port 0 takes a free one; may be repeated" },
	[CONFIG_DOMAINS] = { "domains", CONFIG_KIND_PATHS, NULL, 0, 0, NULL, "domain", "FOLDER",
			     "a domain's folder; may be repeated" },
	[CONFIG_LOG_LEVEL] = { "log.level", CONFIG_KIND_CHOICE, "info", 0, 0, "debug|info|warn|error|off", "log-level",
			       "LEVEL", "least level that is logged: debug, info, warn, error or off" },
	[CONFIG_LOG_FORMAT] = { "log.format", CONFIG_KIND_CHOICE, "logfmt", 0, 0, "logfmt|json", "log-format", "FORMAT",
				"logfmt or json" },
	[CONFIG_WORKERS] = { "workers", CONFIG_KIND_INTEGER, "0", 0, 64, NULL, "workers", "N",
			     "threads that decide commands; 0: half as many as processors, at least one" },
	[CONFIG_READERS] = { "readers", CONFIG_KIND_INTEGER, "2", 1, 64, NULL, "readers", "N",
			     "threads that answer reads" },
	[CONFIG_DRAIN_SECONDS] = { "drain_seconds", CONFIG_KIND_INTEGER, "10", 0, 3600, NULL, "drain-seconds", "N",
				   "how long a stopping daemon waits for what it has begun" },
	[CONFIG_ALLOW_PLAINTEXT] = { "allow_plaintext_off_loopback", CONFIG_KIND_BOOLEAN, "false", 0, 1, NULL,
				     "allow-plaintext-off-loopback", NULL,
				     "listen beyond this machine although nothing is encrypted or authenticated" },
	[CONFIG_DEVELOPMENT] = { "development", CONFIG_KIND_BOOLEAN, "false", 0, 1, NULL, "development", NULL,
				 "answer errors of rules with their traceback" },
	[CONFIG_REMEMBER_IDS] = { "limits.remember_ids", CONFIG_KIND_INTEGER, "10000000", 1000, 1000000000, NULL, NULL,
				  "N", "command ids remembered at most" },
	[CONFIG_REMEMBER_DAYS] = { "limits.remember_days", CONFIG_KIND_INTEGER, "7", 1, 3650, NULL, NULL, "N",
				   "days for which a command id is remembered" },
	[CONFIG_QUEUE_LENGTH] = { "limits.queue_length", CONFIG_KIND_INTEGER, "1024", 1, 1000000, NULL, NULL, "N",
				  "commands waiting at one worker; more are answered 503" },
	[CONFIG_DOMAIN_SHARE] = { "limits.domain_share", CONFIG_KIND_INTEGER, "0", 0, 1000000, NULL, NULL, "N",
				  "of one domain among them; 0: half of them, all for a domain alone" },
	[CONFIG_QUEUE_WAIT_MS] = { "limits.queue_wait_ms", CONFIG_KIND_INTEGER, "2000", 1, 3600000, NULL, NULL, "MS",
				   "a command that waited longer is answered 503" },
	[CONFIG_ATTEMPTS] = { "limits.attempts", CONFIG_KIND_INTEGER, "10", 1, 1000, NULL, NULL, "N",
			      "decisions of one command after conflicts" },
	[CONFIG_HOT_STATES] = { "limits.hot_states", CONFIG_KIND_INTEGER, "4096", 1, 10000000, NULL, NULL, "N",
				"decoded states a worker keeps of one domain" },
	[CONFIG_SNAPSHOT_EVENTS] = { "limits.snapshot_events", CONFIG_KIND_INTEGER, "100", 0, 1000000, NULL, NULL, "N",
				     "events of a stream from one snapshot to the next; 0: none" },
	[CONFIG_SNAPSHOT_CHECK_MS] = { "limits.snapshot_check_ms", CONFIG_KIND_INTEGER, "1000", 1, 3600000, NULL, NULL,
				       "MS", "one snapshot is compared with a replay every so often" },
	[CONFIG_DETERMINISM_SAMPLE] = { "limits.determinism_sample", CONFIG_KIND_INTEGER, "1000", 0, 1000000000, NULL,
					NULL, "N",
					"of so many entries one is picked, its stream folded twice; 0: none" },
	[CONFIG_WARM_BYTES] = { "limits.warm_bytes", CONFIG_KIND_BYTES, "16MiB", 0, 64 * GIB, NULL, NULL, "BYTES",
				"encoded states a worker keeps behind them" },
	[CONFIG_GROUP_APPENDS] = { "limits.group_appends", CONFIG_KIND_INTEGER, "256", 1, 10000, NULL, NULL, "N",
				   "appends packed into one commit" },
	[CONFIG_PROJECTION_BATCH] = { "limits.projection_batch", CONFIG_KIND_INTEGER, "4000", 1, 100000, NULL, NULL,
				      "N", "entries a projection takes in one transaction" },
	[CONFIG_REMEMBER_MESSAGES] = { "limits.remember_messages", CONFIG_KIND_INTEGER, "100000", 0, 100000000, NULL,
				       NULL, "N", "ids of messages a projection fed by topics knows again; 0: none" },
	[CONFIG_HEAP_BYTES] = { "limits.heap_bytes", CONFIG_KIND_BYTES, "64MiB", MIB, 16 * GIB, NULL, NULL, "BYTES",
				"memory of one script machine" },
	[CONFIG_POOL_BYTES] = { "limits.pool_bytes", CONFIG_KIND_BYTES, "1GiB", 16 * MIB, 1024 * GIB, NULL, NULL,
				"BYTES", "memory of all script machines together" },
	[CONFIG_COMMAND_MS] = { "limits.command_ms", CONFIG_KIND_INTEGER, "250", 10, 3600000, NULL, NULL, "MS",
				"time of one decision; over it 503 time_limit" },
	[CONFIG_APPLY_MS] = { "limits.apply_ms", CONFIG_KIND_INTEGER, "1000", 10, 3600000, NULL, NULL, "MS",
			      "time of folding one batch of events" },
	[CONFIG_PROJECTION_MS] = { "limits.projection_ms", CONFIG_KIND_INTEGER, "2000", 10, 3600000, NULL, NULL, "MS",
				   "time of one batch of a projection" },
	[CONFIG_QUERY_MS] = { "limits.query_ms", CONFIG_KIND_INTEGER, "1000", 10, 3600000, NULL, NULL, "MS",
			      "time of one query or shown state" },
	[CONFIG_LOAD_MS] = { "limits.load_ms", CONFIG_KIND_INTEGER, "500", 10, 3600000, NULL, NULL, "MS",
			     "time of running and checking a domain's files" },
	[CONFIG_BREAKER_STOPS] = { "limits.breaker_stops", CONFIG_KIND_INTEGER, "5", 1, 1000000, NULL, NULL, "N",
				   "stopped commands that trip their domain: 503 domain_tripped" },
	[CONFIG_BREAKER_WINDOW_MS] = { "limits.breaker_window_ms", CONFIG_KIND_INTEGER, "10000", 1, 3600000, NULL, NULL,
				       "MS", "within this time" },
	[CONFIG_BREAKER_PAUSE_MS] = { "limits.breaker_pause_ms", CONFIG_KIND_INTEGER, "2000", 1, 3600000, NULL, NULL,
				      "MS", "how long a tripped domain's commands are turned away at first" },
	[CONFIG_RELOAD_POLICY] = { "reload.policy", CONFIG_KIND_CHOICE, "block", 0, 0, "block|warn", NULL, "POLICY",
				   "rules that history speaks against: block refuses them, warn takes and tells" },
	[CONFIG_RELOAD_WARN_DOMAINS] = { "reload.warn_domains", CONFIG_KIND_TEXTS, NULL, 0, 0, NULL, NULL, "NAME",
					 "domains whose policy is warn in any case" },
	[CONFIG_RELOAD_HISTORY_SECONDS] = { "reload.history_seconds", CONFIG_KIND_INTEGER, "10", 1, 86400, NULL, NULL,
					    "N", "for as long history is asked unless all of it is wanted" },
	[CONFIG_RELOAD_THREADS] = { "reload.threads", CONFIG_KIND_INTEGER, "2", 1, 64, NULL, NULL, "N",
				    "streams that are asked at once" },
	[CONFIG_RELOAD_KEEP_SECONDS] = { "reload.keep_seconds", CONFIG_KIND_INTEGER, "600", 0, 864000, NULL, NULL, "N",
					 "for as long a replaced read model goes on, for rollback" },
	[CONFIG_RELOAD_KEEP_UNDECIDED] = { "reload.keep_undecided", CONFIG_KIND_INTEGER, "100", 1, 1000000, NULL, NULL,
					   "N", "generations of a domain that decided nothing stay, the newest ones" },
	[CONFIG_RELOAD_SPECS] = { "reload.specs", CONFIG_KIND_BOOLEAN, "true", 0, 1, NULL, NULL, NULL,
				  "run a folder's spec/ before its rules are taken; one that fails refuses them" },
	[CONFIG_RELOAD_SPECS_SECONDS] = { "reload.specs_seconds", CONFIG_KIND_INTEGER, "60", 1, 86400, NULL, NULL, "N",
					  "for as long they may run" },
	[CONFIG_BUS] = { "bus", CONFIG_KIND_CHOICE, "local", 0, 0, "local|kafka", "bus", "BUS",
			 "how messages travel: local, along the log between the domains of this daemon, or kafka" },
	[CONFIG_RELAY_ENTRIES] = { "relay.batch_entries", CONFIG_KIND_INTEGER, "2000", 1, 100000, NULL, NULL, "N",
				   "entries of the log in one transaction of the bus; a commit is never parted" },
	[CONFIG_RELAY_BYTES] = { "relay.batch_bytes", CONFIG_KIND_BYTES, "1MiB", 1024, 256 * MIB, NULL, NULL, "BYTES",
				 "of their data" },
	[CONFIG_KAFKA_BROKERS] = { "kafka.brokers", CONFIG_KIND_TEXT, "127.0.0.1:9092", 0, 0, NULL, "kafka-brokers",
				   "LIST", "HOST:PORT of some brokers, with commas between them" },
	[CONFIG_KAFKA_MODE] = { "kafka.mode", CONFIG_KIND_CHOICE, "transactional", 0, 0, "transactional|idempotent",
				NULL, "MODE",
				"transactional: each message once; idempotent: sooner, repeated by a crash" },
	[CONFIG_KAFKA_SERVICE] = { "kafka.service", CONFIG_KIND_TEXT, "moonlog", 0, 0, NULL, "kafka-service", "NAME",
				   "begins the names of the control topic, of groups and of ce_source" },
	[CONFIG_KAFKA_PROPERTIES] = { "kafka.properties", CONFIG_KIND_TEXTS, NULL, 0, 0, NULL, NULL, "NAME=VALUE",
				      "properties of librdkafka, such as security.protocol=ssl" },
	[CONFIG_KAFKA_PARTITIONS] = { "kafka.partitions", CONFIG_KIND_INTEGER, "0", 0, 10000, NULL, NULL, "N",
				      "of topics that are made; 0: the broker's default" },
	[CONFIG_KAFKA_REPLICATION] = { "kafka.replication", CONFIG_KIND_INTEGER, "0", 0, 100, NULL, NULL, "N",
				       "replicas of topics that are made; 0: the broker's default" },
};

static struct config_key http_keys[CONFIG_KEYS_MAX - CONFIG_HTTP];
static char http_names[countof(http_keys)][48];
static char http_fallbacks[countof(http_keys)][24];

static void
make_http_key(size_t number)
{
	const struct http_limit *limit = &http_limits_table[number];
	size_t size = strlen(limit->name);
	bool bytes =
		strncmp(limit->meaning, "bytes", 5) == 0 || (size > 6 && strcmp(limit->name + size - 6, "_bytes") == 0);

	snprintf(http_names[number], sizeof(http_names[number]), "http.%s", limit->name);
	snprintf(http_fallbacks[number], sizeof(http_fallbacks[number]), "%llu", (unsigned long long)limit->fallback);
	http_keys[number] = (struct config_key){
		.name = http_names[number],
		.kind = bytes ? CONFIG_KIND_BYTES : CONFIG_KIND_INTEGER,
		.fallback = http_fallbacks[number],
		.least = (int64_t)limit->least,
		.most = (int64_t)limit->most,
		.label = bytes ? "BYTES" : "N",
		.help = limit->meaning,
	};
}

size_t
config_key_count(void)
{
	must(http_limits_count <= countof(http_keys));
	return CONFIG_HTTP + http_limits_count;
}

const struct config_key *
config_key(size_t id)
{
	if (id < CONFIG_HTTP)
		return &own_keys[id];
	must(id < config_key_count());
	if (http_keys[id - CONFIG_HTTP].name == NULL)
		make_http_key(id - CONFIG_HTTP);
	return &http_keys[id - CONFIG_HTTP];
}
