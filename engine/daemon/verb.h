/* SPDX-License-Identifier: MIT */
/* Verbs of the command line: what each takes, and one function that runs it and gives the exit code. */
#ifndef MOONLOG_DAEMON_VERB_H
#define MOONLOG_DAEMON_VERB_H

#include "daemon/config.h"
#include "daemon/exits.h"

enum option_id {
	OPTION_JSON,
	OPTION_AT,
	OPTION_FROM,
	OPTION_AFTER,
	OPTION_LIMIT,
	OPTION_LINES,
	OPTION_ONCE,
	OPTION_NO_WAIT,
	OPTION_CALLER,
	OPTION_WATCH,
	OPTION_OUTPUT,
	OPTION_FILTER,
	OPTION_COVERAGE,
	OPTION_COVERAGE_MIN,
	OPTION_STREAM,
	OPTION_DOMAIN,
	OPTION_KEY,
	OPTION_MAP,
	OPTION_TO,
	OPTION_BISECT,
	OPTION_ALL,
	OPTION_PARTIAL,
	OPTION_NO_SHADOW,
	OPTION_NO_SPECS,
	OPTION_ACCEPT,
	OPTION_HISTORY,
	OPTION_UPCAST,
	OPTION_NEW_INCARNATION,
	OPTION_COUNT
};

#define OPTION_BIT(id) (1U << (id))

struct option {
	const char *name;  /* without "--" */
	const char *label; /* of its value; NULL: a switch */
	const char *help;
};

extern const struct option verb_options[OPTION_COUNT];

enum verb_config {
	VERB_CONFIG_NONE,
	VERB_CONFIG_STORE, /* --config, --data */
	VERB_CONFIG_RULES, /* and --domain */
	VERB_CONFIG_ALL
};

struct call;

struct verb {
	const char *name;    /* "stream list" */
	const char *usage;   /* what stands behind the name */
	const char *summary; /* one line */
	const char *text;    /* more lines, for `help VERB` */
	unsigned options;    /* bits */
	enum verb_config config;
	size_t words_least;
	size_t words_most;
	bool rest; /* unknown options and all behind them are words */
	enum exit_code (*run)(struct call *call);
};

extern const struct verb verbs[];
extern const size_t verb_count;

/* A verb with what was given to it. Owns: nothing; all text is argv's. */
struct call {
	const struct verb *verb;
	const char **words;
	size_t word_count;
	size_t rest_at;                   /* number of words before the first unknown option */
	const char *values[OPTION_COUNT]; /* "" for a switch; NULL: not given */
	const char *config_file;
	struct config_setting *settings;
	size_t setting_count;
	char *const *environment;
};

static inline bool
call_has(const struct call *call, enum option_id option)
{
	return call->values[option] != NULL;
}
/* The number given with an option, or `otherwise`. Fails: INPUT "usage". */
int call_number(const struct call *call, enum option_id option, uint64_t otherwise, uint64_t *number,
		struct fault *fault);
/* Turns the words into settings of "domains", as `serve` takes them. */
void call_domains(struct call *call);
/* Owns: see config_load. */
int call_config(const struct call *call, struct config *config, struct fault *fault);
/* The data directory of a configuration. Fails: CONFIG "usage" when none is given. */
int call_data(const struct config *config, const char **directory, struct fault *fault);

enum exit_code verb_serve(struct call *call);
enum exit_code verb_dev(struct call *call);
enum exit_code verb_new(struct call *call);
enum exit_code verb_editor(struct call *call);
enum exit_code verb_test(struct call *call);
enum exit_code verb_record(struct call *call);
enum exit_code verb_check(struct call *call);
enum exit_code verb_try(struct call *call);
enum exit_code verb_stream_list(struct call *call);
enum exit_code verb_stream_show(struct call *call);
enum exit_code verb_stream_tail(struct call *call);
enum exit_code verb_state(struct call *call);
enum exit_code verb_projection_list(struct call *call);
enum exit_code verb_projection_builds(struct call *call);
enum exit_code verb_projection_rebuild(struct call *call);
enum exit_code verb_projection_retry(struct call *call);
enum exit_code verb_projection_skip(struct call *call);
enum exit_code verb_reload(struct call *call);
enum exit_code verb_plan(struct call *call);
enum exit_code verb_rollback(struct call *call);
enum exit_code verb_generation_list(struct call *call);
enum exit_code verb_generation_show(struct call *call);
enum exit_code verb_generation_diff(struct call *call);
enum exit_code verb_dlq_list(struct call *call);
enum exit_code verb_dlq_show(struct call *call);
enum exit_code verb_dlq_retry(struct call *call);
enum exit_code verb_dlq_drop(struct call *call);
enum exit_code verb_dlq_skip(struct call *call);
enum exit_code verb_timer_list(struct call *call);
enum exit_code verb_relay_status(struct call *call);
enum exit_code verb_relay_pause(struct call *call);
enum exit_code verb_relay_resume(struct call *call);
enum exit_code verb_relay_rebuild(struct call *call);
enum exit_code verb_status(struct call *call);
enum exit_code verb_backup(struct call *call);
enum exit_code verb_debug(struct call *call);
enum exit_code verb_export(struct call *call);
enum exit_code verb_import(struct call *call);
enum exit_code verb_restore(struct call *call);
enum exit_code verb_verify(struct call *call);
enum exit_code verb_config(struct call *call);
enum exit_code verb_version(struct call *call);
enum exit_code verb_help(struct call *call);

#endif
