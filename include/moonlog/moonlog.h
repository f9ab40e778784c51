/* SPDX-License-Identifier: MIT */
/*
 * moonlog inside your own program: the same engine, store and rules as the daemon's, without HTTP.
 *
 *     struct moonlog *log;
 *     struct moonlog_error error;
 *     struct moonlog_options options = MOONLOG_OPTIONS;
 *     options.data = "./data";                          (NULL: everything in memory)
 *     if (moonlog_open(&options, &log, &error) != 0 ||
 *         moonlog_add_domain(log, "domains/banking", &error) != 0 || moonlog_start(log, &error) != 0)
 *             fprintf(stderr, "%s\n", error.text);
 *
 * The library installs no signal handler that you did not ask for (watchdog_signal), never ends the process for an
 * error of its surroundings, leaves the locale alone and writes nothing to standard output. Every function gives 0, or
 * -1 with *error filled.
 *
 * Threads: open, add_domain, start and close by one thread. Between start and close every other function may be called
 * from any thread; calls block until they are answered.
 */
#ifndef MOONLOG_MOONLOG_H
#define MOONLOG_MOONLOG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOONLOG_VERSION_TEXT "0.1.0"

struct moonlog;

/* Of the library that is linked. */
const char *moonlog_version(void);

/* What went wrong. The numbers never change. */
enum moonlog_error_kind {
	MOONLOG_OK = 0,
	MOONLOG_INPUT = 1,   /* arguments or bytes of the caller's are wrong */
	MOONLOG_LIMIT = 2,   /* a bound was passed */
	MOONLOG_SCRIPT = 3,  /* a rule failed */
	MOONLOG_BUSY = 4,    /* nothing was done; try again */
	MOONLOG_AWAY = 5,    /* a device cannot be reached; nothing was done */
	MOONLOG_UNKNOWN = 6, /* perhaps done, perhaps not: ask again with the same key */
	MOONLOG_TIMEOUT = 7,
	MOONLOG_FULL = 8,    /* no space; nothing was done, reads go on */
	MOONLOG_CORRUPT = 9, /* stored bytes are not what was written */
	MOONLOG_CONFIG = 10, /* files, versions, locks: a person must act */
	MOONLOG_MEMORY = 11,
	MOONLOG_BUG = 12
};

struct moonlog_error {
	enum moonlog_error_kind kind;
	char code[40];  /* stable: "store_locked", "bad_rules", "bad_json" */
	char text[600]; /* one line for a person */
};

struct moonlog_options {
	size_t size;       /* of this struct: set by MOONLOG_OPTIONS */
	const char *data;  /* the data directory, made when absent; NULL: in memory, gone with moonlog_close */
	unsigned workers;  /* threads that decide; 0 = 2 */
	unsigned readers;  /* threads that read; 0 = 2 */
	size_t heap_bytes; /* of one script machine; 0 = 64 MiB */
	int log_fd;        /* where log lines go; -1: nowhere */
	/* Called once, on a thread of the library's, when the store can take no more commits (a sync failed): close and
	 * open again. May be NULL. */
	void (*fatal)(void *self, const struct moonlog_error *error);
	void *self;
	/*
	 * A real-time signal (SIGRTMIN + n, without a handler) that stops rules which run too long: moonlog_open
	 * installs a handler for it and blocks it in the calling thread; moonlog_close gives it back. 0: no handler is
	 * installed, and rules run under a count hook instead: the same limits, but pure Lua code takes half as long
	 * again to twice as long.
	 */
	int watchdog_signal;
};

#define MOONLOG_OPTIONS                                                                                                \
	{                                                                                                              \
		.size = sizeof(struct moonlog_options), .log_fd = -1                                                   \
	}

int moonlog_open(const struct moonlog_options *options, struct moonlog **log, struct moonlog_error *error);
/* A folder of rules; before moonlog_start. */
int moonlog_add_domain(struct moonlog *log, const char *folder, struct moonlog_error *error);
int moonlog_start(struct moonlog *log, struct moonlog_error *error);
/* Waits up to ten seconds for what is inside, then closes. `log` may be NULL. */
void moonlog_close(struct moonlog *log);

/* ---- commands ---- */

enum moonlog_outcome {
	MOONLOG_ACCEPTED = 0,
	MOONLOG_REFUSED = 1,  /* a rule said no: `code` and `message` */
	MOONLOG_CONFLICT = 2, /* the stream was not at the expected version */
	MOONLOG_REPEATED = 3, /* the key was seen before: the first answer again */
	MOONLOG_MISMATCH = 4, /* the key was seen before with another body */
	MOONLOG_MISSING = 5   /* there is no such stream, command or domain */
};

#define MOONLOG_ANY_VERSION UINT64_MAX

struct moonlog_command {
	size_t size;         /* of this struct: set by MOONLOG_COMMAND */
	const char *stream;  /* "banking.account/4711" */
	const char *command; /* "DepositMoney" */
	const char *body;    /* JSON object; NULL: none */
	const char *key;     /* idempotency key; NULL: none */
	uint64_t expected;   /* version that the stream must have, 0 = must not be there; or MOONLOG_ANY_VERSION */
	const char *caller;  /* what ctx.caller is; NULL: none */
};

#define MOONLOG_COMMAND                                                                                                \
	{                                                                                                              \
		.size = sizeof(struct moonlog_command), .expected = MOONLOG_ANY_VERSION                                \
	}

/* An answer of the engine's. Texts live until moonlog_answer_free and are never NULL. */
struct moonlog_answer {
	enum moonlog_outcome outcome;
	int status;        /* as HTTP would answer: 200, 201, 409, 422 ... */
	const char *reply; /* JSON; "" when there is none */
	const char *code;  /* of a refusal; else "" */
	const char *message;
	uint64_t version;  /* of the stream afterwards */
	uint64_t position; /* of the last entry written; 0 when none was */
	void *inside;
};

/* Refusals, conflicts and the like are answers, not errors: 0 is given and answer->outcome tells. */
int moonlog_execute(struct moonlog *log, const struct moonlog_command *command, struct moonlog_answer *answer,
		    struct moonlog_error *error);

/* ---- reads ---- */

/* A state now (at = 0) or at a version; reply is its JSON. Outcome MISSING when there is no such stream. */
int moonlog_state(struct moonlog *log, const char *stream, uint64_t at, struct moonlog_answer *answer,
		  struct moonlog_error *error);

struct moonlog_param {
	const char *name;
	const char *value;
};

/*
 * A domain's query, "banking.balances", over the read models. at_least: wait (up to two seconds) until they have come to
 * this position of the log, so that you read your own writes; 0: as they are. position: what the answer stands at.
 */
int moonlog_query(struct moonlog *log, const char *query, const struct moonlog_param *params, size_t count,
		  uint64_t at_least, struct moonlog_answer *answer, struct moonlog_error *error);

void moonlog_answer_free(struct moonlog_answer *answer);

/* The last position of the log. */
uint64_t moonlog_head(struct moonlog *log);

/*
 * Hands every entry after a position to `each`, in order, as one JSON object (not NUL-ended), and then waits for
 * more, up to wait_ms without any (0: ends at the end of the log; -1: for ever). Ends too when `each` gives
 * anything but 0. *after has then moved past the last entry that was handed out.
 */
int moonlog_follow(struct moonlog *log, uint64_t *after, int64_t wait_ms,
		   int (*each)(void *self, uint64_t position, const char *json, size_t size), void *self,
		   struct moonlog_error *error);

#ifdef __cplusplus
}
#endif

#endif
