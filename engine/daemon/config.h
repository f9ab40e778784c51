/* SPDX-License-Identifier: MIT */
/*
 * The configuration: one table of keys drives the file, the environment, the flags, `moonlog config`, the help and the
 * page of keys in docs/INTERFACES.md. A later source replaces an earlier one: default, file, environment, flags.
 */
#ifndef MOONLOG_DAEMON_CONFIG_H
#define MOONLOG_DAEMON_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fault.h"
#include "script/options.h"

enum config_id {
	CONFIG_DATA,
	CONFIG_LISTEN,
	CONFIG_DOMAINS,
	CONFIG_LOG_LEVEL,
	CONFIG_LOG_FORMAT,
	CONFIG_WORKERS,
	CONFIG_READERS,
	CONFIG_DRAIN_SECONDS,
	CONFIG_ALLOW_PLAINTEXT,
	CONFIG_DEVELOPMENT,
	CONFIG_REMEMBER_IDS,
	CONFIG_REMEMBER_DAYS,
	CONFIG_QUEUE_LENGTH,
	CONFIG_DOMAIN_SHARE,
	CONFIG_QUEUE_WAIT_MS,
	CONFIG_ATTEMPTS,
	CONFIG_HOT_STATES,
	CONFIG_SNAPSHOT_EVENTS,
	CONFIG_SNAPSHOT_CHECK_MS,
	CONFIG_DETERMINISM_SAMPLE,
	CONFIG_WARM_BYTES,
	CONFIG_GROUP_APPENDS,
	CONFIG_PROJECTION_BATCH,
	CONFIG_REMEMBER_MESSAGES,
	CONFIG_HEAP_BYTES,
	CONFIG_POOL_BYTES,
	CONFIG_COMMAND_MS,
	CONFIG_APPLY_MS,
	CONFIG_PROJECTION_MS,
	CONFIG_QUERY_MS,
	CONFIG_LOAD_MS,
	CONFIG_BREAKER_STOPS,
	CONFIG_BREAKER_WINDOW_MS,
	CONFIG_BREAKER_PAUSE_MS,
	CONFIG_RELOAD_POLICY,
	CONFIG_RELOAD_WARN_DOMAINS,
	CONFIG_RELOAD_HISTORY_SECONDS,
	CONFIG_RELOAD_THREADS,
	CONFIG_RELOAD_KEEP_SECONDS,
	CONFIG_RELOAD_KEEP_UNDECIDED,
	CONFIG_RELOAD_SPECS,
	CONFIG_RELOAD_SPECS_SECONDS,
	CONFIG_BUS,
	CONFIG_RELAY_ENTRIES,
	CONFIG_RELAY_BYTES,
	CONFIG_KAFKA_BROKERS,
	CONFIG_KAFKA_MODE,
	CONFIG_KAFKA_SERVICE,
	CONFIG_KAFKA_PROPERTIES,
	CONFIG_KAFKA_PARTITIONS,
	CONFIG_KAFKA_REPLICATION,
	CONFIG_HTTP /* the first of HTTP's limits, in the order of http_limits_table */
};

#define CONFIG_KEYS_MAX (CONFIG_HTTP + 32)

enum config_kind {
	CONFIG_KIND_TEXT,
	CONFIG_KIND_PATH, /* in a file: relative to that file's folder */
	CONFIG_KIND_TEXTS,
	CONFIG_KIND_PATHS,
	CONFIG_KIND_INTEGER,
	CONFIG_KIND_BYTES, /* an integer, or text with KiB, MiB or GiB */
	CONFIG_KIND_BOOLEAN,
	CONFIG_KIND_CHOICE
};

struct config_key {
	const char *name; /* "log.level"; in the environment MOONLOG_LOG_LEVEL */
	enum config_kind kind;
	const char *fallback; /* as text; NULL: none */
	int64_t least;
	int64_t most;
	const char *choices; /* "debug|info|warn|error" */
	const char *flag;    /* "log-level"; NULL: only as --set name=value */
	const char *label;   /* what the help calls its value */
	const char *help;
};

size_t config_key_count(void);
const struct config_key *config_key(size_t id);

enum config_source { CONFIG_UNSET, CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

#define CONFIG_ITEMS_MAX 64

struct config_value {
	enum config_source source;
	int line;         /* in the file */
	int64_t integer;  /* INTEGER, BYTES, BOOLEAN (0, 1), CHOICE (its number) */
	const char *text; /* as it stands; lists use items */
	const char **items;
	size_t item_count;
};

/* domain_limits.NAME.command_ms and so on, from the file only: what replaces limits.command_ms for that domain. */
#define CONFIG_DOMAINS_MAX 64

struct config {
	struct arena arena;
	const char *file; /* NULL: none was read */
	struct script_domain_limits domain_limits[CONFIG_DOMAINS_MAX];
	size_t domain_limit_count;
	struct config_value values[CONFIG_KEYS_MAX];
};

struct config_setting {
	size_t id;
	const char *text;
};

struct config_sources {
	const char *file;                      /* NULL: the one MOONLOG_CONFIG names, else none */
	char *const *environment;              /* as environ */
	const struct config_setting *settings; /* from flags, in order; a list's items one by one */
	size_t setting_count;
};

/* Owns: its arena, until config_fini (also after a failure). Fails: CONFIG "bad_configuration" naming file and line, variable
 * or flag; "configuration_missing". */
int config_load(struct config *config, const struct config_sources *sources, struct fault *fault);
void config_fini(struct config *config);

/* The key of this name; -1 when unknown. */
int config_find(struct slice name);
/* "; did you mean ..." for an unknown one, or "". */
const char *config_suggest(struct slice name, char *text, size_t size);
/* "MOONLOG_LOG_LEVEL". */
void config_variable(size_t id, char *text, size_t size);
/* The next variable from environment[*at] on that begins with MOONLOG_ and means nothing; NULL at the end. */
const char *config_stray(char *const *environment, size_t *at);

/* Appends "file moonlog.lua:3", "environment MOONLOG_DATA", "flag --data" or "default". */
void config_origin(const struct config *config, size_t id, struct buf *out);
/* Appends the value as JSON; null when unset. */
void config_json(const struct config *config, size_t id, struct buf *out);

static inline int64_t
config_integer(const struct config *config, size_t id)
{
	return config->values[id].integer;
}
static inline const char *
config_text(const struct config *config, size_t id)
{
	return config->values[id].text;
}
static inline bool
config_given(const struct config *config, size_t id)
{
	return config->values[id].source > CONFIG_DEFAULT;
}

#endif
