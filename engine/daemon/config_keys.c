/* SPDX-License-Identifier: MIT */
/* The one table of configuration keys. A limit's default is the engine's own; 0 there would mean the same. */
#include "daemon/config.h"

#define MIB ((int64_t)1 << 20)
#define GIB ((int64_t)1 << 30)

const struct config_key config_keys[CONFIG_COUNT] = {
	[CONFIG_DATA] = { "data", CONFIG_KIND_PATH, NULL, 0, 0, NULL, "data", "DIR", "data directory: the store and its read models" },
	[CONFIG_LISTEN] = { "listen", CONFIG_KIND_TEXTS, "127.0.0.1:8080", 0, 0, NULL, "listen", "HOST:PORT",
			    "address to serve; port 0 takes a free one; may be repeated" },
	[CONFIG_DOMAINS] = { "domains", CONFIG_KIND_PATHS, NULL, 0, 0, NULL, "domain", "FOLDER", "a domain's folder; may be repeated" },
	[CONFIG_LOG_LEVEL] = { "log.level", CONFIG_KIND_CHOICE, "info", 0, 0, "debug|info|warn|error|off", "log-level", "LEVEL",
			       "least level that is logged: debug, info, warn, error or off" },
	[CONFIG_LOG_FORMAT] = { "log.format", CONFIG_KIND_CHOICE, "logfmt", 0, 0, "logfmt|json", "log-format", "FORMAT",
				"logfmt or json" },
	[CONFIG_WORKERS] = { "workers", CONFIG_KIND_INTEGER, "2", 1, 64, NULL, "workers", "N", "threads that decide commands" },
	[CONFIG_READERS] = { "readers", CONFIG_KIND_INTEGER, "2", 1, 64, NULL, "readers", "N", "threads that answer reads" },
	[CONFIG_DRAIN_SECONDS] = { "drain_seconds", CONFIG_KIND_INTEGER, "10", 0, 3600, NULL, "drain-seconds", "N",
				   "how long a stopping daemon waits for what it has begun" },
	[CONFIG_ALLOW_PLAINTEXT] = { "allow_plaintext_off_loopback", CONFIG_KIND_BOOLEAN, "false", 0, 1, NULL,
				     "allow-plaintext-off-loopback", NULL,
				     "listen beyond this machine although nothing is encrypted or authenticated" },
	[CONFIG_DEVELOPMENT] = { "development", CONFIG_KIND_BOOLEAN, "false", 0, 1, NULL, "development", NULL,
				 "answer errors of rules with their traceback" },
	[CONFIG_REMEMBER_IDS] = { "limits.remember_ids", CONFIG_KIND_INTEGER, "10000000", 1000, 1000000000, NULL, NULL, "N",
				  "command ids remembered at most" },
	[CONFIG_REMEMBER_DAYS] = { "limits.remember_days", CONFIG_KIND_INTEGER, "7", 1, 3650, NULL, NULL, "N",
				   "days for which a command id is remembered" },
	[CONFIG_QUEUE_LENGTH] = { "limits.queue_length", CONFIG_KIND_INTEGER, "1024", 1, 1000000, NULL, NULL, "N",
				  "commands waiting at one worker; more are answered 503" },
	[CONFIG_DOMAIN_SHARE] = { "limits.domain_share", CONFIG_KIND_INTEGER, "512", 1, 1000000, NULL, NULL, "N",
				  "of one domain among them" },
	[CONFIG_QUEUE_WAIT_MS] = { "limits.queue_wait_ms", CONFIG_KIND_INTEGER, "2000", 1, 3600000, NULL, NULL, "MS",
				   "a command that waited longer is answered 503" },
	[CONFIG_ATTEMPTS] = { "limits.attempts", CONFIG_KIND_INTEGER, "10", 1, 1000, NULL, NULL, "N",
			      "decisions of one command after conflicts" },
	[CONFIG_HOT_STATES] = { "limits.hot_states", CONFIG_KIND_INTEGER, "4096", 1, 10000000, NULL, NULL, "N",
				"decoded states a worker keeps of one domain" },
	[CONFIG_WARM_BYTES] = { "limits.warm_bytes", CONFIG_KIND_BYTES, "16MiB", 0, 64 * GIB, NULL, NULL, "BYTES",
				"encoded states a worker keeps behind them" },
	[CONFIG_GROUP_APPENDS] = { "limits.group_appends", CONFIG_KIND_INTEGER, "256", 1, 10000, NULL, NULL, "N",
				   "appends packed into one commit" },
	[CONFIG_PROJECTION_BATCH] = { "limits.projection_batch", CONFIG_KIND_INTEGER, "1000", 1, 100000, NULL, NULL, "N",
				      "entries a projection takes in one transaction" },
	[CONFIG_HEAP_BYTES] = { "limits.heap_bytes", CONFIG_KIND_BYTES, "64MiB", MIB, 16 * GIB, NULL, NULL, "BYTES",
				"memory of one script machine" },
};
