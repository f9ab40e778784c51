/* SPDX-License-Identifier: MIT */
/*
 * The engine's facade: what HTTP, the command line and an embedding program may ask of it. Nothing above this header
 * knows stores, scripts or threads below it.
 *
 * Every ask is a node that the asker owns and embeds; it gives it to the engine, and gets it back through `done` on a
 * thread of the engine's (post it to a mailbox of your own there; `done` must not block). All asked fields and the
 * arena must stay valid until then.
 */
#ifndef MOONLOG_CORE_ENGINE_H
#define MOONLOG_CORE_ENGINE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/fault.h"
#include "base/mailbox.h"
#include "core/breaker.h"
#include "core/parts.h"
#include "model/command_id.h"
#include "model/entry.h"
#include "script/script.h" /* routes and parameters: what HTTP matches and hands down */

struct engine;
struct ruleset;

struct engine_limits {
	unsigned workers;    /* 0 = 2 */
	unsigned readers;    /* 0 = 2 */
	size_t queue_length; /* commands waiting at one worker; 0 = 1024 */
	/* of one domain in that queue, so that none starves its neighbours; 0 = half, all of it for one alone */
	size_t domain_share;
	int64_t queue_wait_us;       /* a command that waited longer is answered 503; 0 = 2 s */
	unsigned attempts;           /* decisions after conflicts; 0 = 10 */
	size_t hot_states;           /* decoded states a machine keeps; 0 = 4096 */
	size_t warm_bytes;           /* canonical states kept behind them, a worker; 0 = 16 MiB */
	size_t group_appends;        /* appends packed into one commit; 0 = 256 */
	size_t projection_batch;     /* entries; 0 = 4000 */
	int64_t remember_us;         /* versions of foreign streams that reactors heard; 0 = 7 days */
	size_t remember_messages;    /* ids a projection that topics feed knows; 0 = 100,000; SIZE_MAX: none */
	size_t relay_entries;        /* of the log in one transaction of the bus; 0 = 2000 */
	size_t relay_bytes;          /* of their data; 0 = 1 MiB */
	uint32_t snapshot_events;    /* of a stream from one snapshot to the next; 0 = 100, UINT32_MAX: none */
	int64_t snapshot_check_us;   /* one snapshot is compared with a replay every so often; 0 = 1 s */
	uint32_t determinism_sample; /* entries for one stream folded twice; 0 = 1000, UINT32_MAX: none */
	size_t heap_bytes;           /* of one script machine; 0 = 64 MiB */
	int64_t keep_us; /* a replaced read model goes on for as long, for rollback; 0 = 10 min, < 0 = not at all */
	uint32_t keep_undecided; /* generations that decided nothing, the newest of a domain; 0 = 100 */
	size_t pool_bytes;       /* of all of them; 0 = no bound */
	struct script_limits script;
	const struct script_domain_limits *domain_limits; /* these replace `script`; they outlive the engine */
	size_t domain_limit_count;
	struct breaker_limits breaker;
	int64_t shadow_us;               /* history is asked for as long when rules change; 0 = 10 s */
	unsigned shadow_threads;         /* streams asked at once; 0 = 2 */
	bool shadow_warns;               /* what history says against rules is told, and they are taken */
	const char *const *warn_domains; /* the same for these alone; borrowed while the engine is open */
	size_t warn_domain_count;
	bool development;
};

int engine_open(const struct engine_parts *parts, const struct engine_limits *limits, struct engine **engine,
		struct fault *fault);
/* Reads a domain's folder (every .lua outside spec/), loads it, keeps its sources in the store, gives it a generation.
 * Before engine_start only. Fails: SCRIPT "bad_rules", CONFIG (folder, name clash, store lacks a capability). */
int engine_add_domain(struct engine *engine, const char *folder, struct fault *fault);
/* Starts workers, readers and followers. */
int engine_start(struct engine *engine, struct fault *fault);
/* The end is near: reloads that ask history or run specs end, having changed nothing, as do later ones. Any thread. */
void engine_hurry(struct engine *engine);
/* Does the same, takes no new asks, waits for those inside until `deadline_ns` of the monotonic clock. true when all
 * were answered. */
bool engine_drain(struct engine *engine, int64_t deadline_ns);
void engine_close(struct engine *engine);

/* ---- commands ---- */

enum outcome_kind {
	OUTCOME_ACCEPTED,
	OUTCOME_REFUSED,  /* a rule said no; may have recorded events all the same */
	OUTCOME_CONFLICT, /* not the expected version, or decided again too often */
	OUTCOME_REPEATED, /* the command id was remembered: the first answer again */
	OUTCOME_MISMATCH, /* the same key with another body */
	OUTCOME_MISSING,  /* no such stream, command or domain */
	OUTCOME_FAILED    /* *fault says */
};

struct outcome {
	enum outcome_kind kind;
	uint16_t status;    /* what the rules want for a success (200, 201) or a refusal (422 ...); 0 else */
	struct slice reply; /* JSON */
	struct slice code;  /* stable, snake_case; empty on success */
	struct slice message;
	struct slice details; /* JSON object or empty */
	struct slice field;   /* of bad input */
	uint64_t offset;      /* of bad input, when has_offset */
	bool has_offset;
	stream_version version; /* of the command's stream afterwards */
	log_position position;  /* last entry of the commit: what a reader waits for */
	uint32_t event_count;
	struct slice traceback; /* development only */
	struct fault fault;
};

struct engine_command {
	struct mail mail;
	/* asked */
	struct slice domain;
	struct slice aggregate;
	struct slice command;
	struct slice id; /* empty: the engine makes one (from the idempotency key when there is one) */
	struct slice body;
	const struct script_param *params;
	size_t param_count;
	const struct script_route *route; /* may be NULL */
	bool has_expected;                /* from If-Match */
	struct expected expected;
	struct slice idempotency_key; /* may be empty */
	struct provenance provenance;
	bool dry_run; /* decide and answer, record nothing: `moonlog try`; the reply lists the events */
	struct arena *arena;
	void (*done)(struct engine_command *command);
	/* answered */
	struct outcome outcome;
	struct slice made_id; /* the stream's id */
	/* the engine's own while it holds the command */
	int64_t given_ns;
	void *inside;
};

/* Gives the command to the worker that owns its stream. false (and outcome FAILED with BUSY "queue_full" or
 * "draining", or MISSING): it was not taken and `done` is not called. */
bool engine_execute(struct engine *engine, struct engine_command *command);

/* ---- reads: on the readers' threads, never on workers ---- */

enum read_kind {
	READ_STREAM, /* a page of a stream's events */
	READ_LOG,    /* a page of the log */
	READ_STATE,  /* a stream's state, now, at a version or at a time */
	READ_QUERY,  /* a domain's query */
	READ_TABLE,  /* rows of a read model's table: `query` names it, `from` is an offset, `params` as in table.h */
	READ_HISTORY /* a stream's events after a version, as a bare array of {id, type, version, timestamp, data} */
};

struct engine_read {
	struct mail mail;
	enum read_kind kind;
	/* asked */
	struct slice stream;        /* STREAM, STATE, HISTORY: whole name */
	uint64_t from;              /* STREAM: version >= 1; LOG and HISTORY: after this position or version */
	size_t limit;               /* entries of a page */
	size_t bytes;               /* STREAM, LOG: the page also ends once it has grown past this; 0 = 1 MiB */
	struct slice domain;        /* LOG filter (may be empty), QUERY, TABLE */
	struct slice stream_prefix; /* LOG filter */
	bool published_only;        /* LOG filter */
	struct slice query;
	const struct script_param *params;
	size_t param_count;
	const struct script_route *route;
	bool upcast;         /* STREAM, LOG: events as the rules of today see them, in pieces */
	bool ndjson;         /* STREAM, LOG: one entry a line instead of a JSON document */
	bool has_at_version; /* STATE */
	stream_version at_version;
	bool has_at_time;
	int64_t at_time_us;
	log_position at_least; /* QUERY, TABLE: wait until the domain's projections have come to this position ... */
	int64_t wait_us;       /* ... but no longer than this: FAILED TIMEOUT "not_yet" */
	struct slice caller;
	struct arena *arena;
	struct buf *out; /* JSON is appended here */
	void (*done)(struct engine_read *read);
	/* answered */
	enum outcome_kind outcome; /* ACCEPTED, MISSING, REFUSED (query), FAILED */
	struct fault fault;        /* also for REFUSED: code and text */
	stream_version version;    /* STREAM, STATE, HISTORY */
	uint64_t next;             /* STREAM: next version to ask, 0 = end; LOG: position seen */
	size_t entries;
	log_position as_of; /* QUERY, TABLE: position the rows stand at */
	int64_t given_ns;
	void *inside;
};

bool engine_read(struct engine *engine, struct engine_read *read);

/* Tells when the log has grown past a position: for tails and SSE. Any thread. */
struct engine_watch {
	struct waker waker; /* woken once after the head moved; engine_watch_arm again */
	struct engine_watch *next;
	bool armed;
};
void engine_watch_add(struct engine *engine, struct engine_watch *watch);
void engine_watch_arm(struct engine *engine, struct engine_watch *watch);
void engine_watch_remove(struct engine *engine, struct engine_watch *watch);
log_position engine_head(const struct engine *engine);

/* ---- routes ---- */

#define ROUTE_PARAM_MAX 8

struct route_match {
	const struct script_program *program;
	const struct script_route *route;
	struct slice names[ROUTE_PARAM_MAX];
	struct slice values[ROUTE_PARAM_MAX]; /* raw, still percent-encoded, borrowed from `path` */
	size_t count;
	bool wrong_method; /* the path exists with another method: 405, `allow` lists them */
	char allow[64];
	struct ruleset *held; /* they stay until engine_route_done; NULL: nothing was found */
};
/* `path` without query string. false when no route has it. Any thread. */
bool engine_route(const struct engine *engine, struct slice method, struct slice path, struct route_match *match);
/* Program and route are not looked at any more; `match` is empty then. Any thread, also twice. */
void engine_route_done(struct route_match *match);

/* ---- changing the rules while it runs ---- */

enum reload_what {
	RELOAD_TAKE,   /* what the domain's folder holds now */
	RELOAD_PLAN,   /* the same, but for changing anything */
	RELOAD_BACK,   /* the generation that was active before */
	RELOAD_REBUILD /* the rows of one projection, or of all, made anew beside the ones that are read */
};

enum reload_answer {
	RELOAD_DONE,      /* every worker decides by the new rules; for REBUILD: it has begun */
	RELOAD_UNCHANGED, /* the folder holds what is active */
	RELOAD_PLANNED,
	RELOAD_REFUSED, /* history says no: the report tells where; or *fault: the rules cannot be loaded */
	RELOAD_FAILED   /* *fault */
};

/* One at a time; others wait. Nothing is changed unless the answer is DONE. */
struct engine_reload {
	struct mail mail;
	/* asked */
	enum reload_what what;
	struct slice domain;
	struct slice projection;  /* REBUILD; empty: all of the domain */
	bool no_shadow, no_specs; /* recorded history is not asked; the folder's specs are not run */
	bool all;                 /* all of it, however long that takes */
	bool partial;             /* take the rules although only a part of it was asked */
	struct slice accept;      /* the plan whose differences are meant */
	struct arena *arena;
	struct buf *out; /* the report, a JSON object; also when refused; for REBUILD {"build"}: its number */
	void (*done)(struct engine_reload *reload);
	/* answered */
	enum reload_answer answer;
	struct fault fault;
	const char *stage; /* where it ended: "read", "load", "catalogue", "specs", "history", "prepare" ... */
	uint32_t generation;
};

/* Names of the domains, in the order they were added. false: no more. Any thread. */
bool engine_domain(const struct engine *engine, size_t number, struct slice *name);
/* false (and FAILED with BUSY "draining"): it was not taken and `done` is not called. */
bool engine_reload(struct engine *engine, struct engine_reload *reload);

/* ---- running it ---- */

struct projection_status {
	struct slice domain;
	struct slice name;
	log_position position;
	log_position head;
	/* Age of the oldest entry not yet projected, 0 when caught up; at least as long as its bus has been away. */
	int64_t behind_us;
	enum {
		PROJECTION_LIVE,
		PROJECTION_CATCHING_UP,
		PROJECTION_REBUILDING,
		PROJECTION_STOPPED,
		PROJECTION_AWAY /* its bus cannot be heard, `reason` says why */
	} state;
	int64_t away_us; /* since when its bus cannot be heard, whatever the state; 0: it can, or the log feeds it */
	log_position poison;
	struct slice reason;
	uint64_t rate;        /* entries a second while catching up */
	struct slice note;    /* what the last order for a part came to; empty: there was none */
	bool note_failed;     /* it was not done, `note` says why */
	int64_t seconds_left; /* until it has caught up at that rate; -1: not known, 0: it has */
	bool by_bus;        /* positions count messages, `poison` is an offset, `reason` says of which lane, or what it
			       * waits for when it is not stopped */
	struct slice build; /* JSON object: its rows that are being made, or were made last, beside these; or empty */
};

/* Copies into `arena`. */
int engine_projections(struct engine *engine, struct arena *arena, struct projection_status **statuses, size_t *count,
		       struct fault *fault);
/* Appends the members of a JSON object, all but `build`. */
void engine_projection_members(const struct projection_status *status, struct buf *out);
/* Appends a JSON array, an object a domain: the read models that are read, kept, being made, and were made last. */
void engine_builds(struct engine *engine, struct buf *out);
/* Orders to the rows that are read; they return when taken, the status tells the rest. REBUILD empties them at once:
 * RELOAD_REBUILD makes others beside. Fails: INPUT "no_such_projection". */
enum projection_order { PROJECTION_REBUILD, PROJECTION_RETRY, PROJECTION_SKIP, PROJECTION_REBUILD_PART };

/* Which rows to make anew: those of one stream, or of the stream that the row with this key comes from. */
struct projection_part {
	struct slice stream; /* whole name, or its id; empty: by key */
	struct slice key;    /* JSON object of the key's columns of one of the projection's tables */
};
int engine_projection_order(struct engine *engine, struct slice domain, struct slice name, enum projection_order order,
			    struct fault *fault);
/* PROJECTION_REBUILD_PART; the status shows a note when it is done. Fails: INPUT "no_such_projection", "not_by_stream",
 * "bad_part", "projection_stopped"; BUSY "part_pending". */
int engine_projection_rebuild_part(struct engine *engine, struct slice domain, struct slice name,
				   const struct projection_part *part, struct fault *fault);

/* Ready: started, not draining, store well, no projection stopped or rebuilding for readers, the relay not stopped;
 * what is made beside does not count, nor that a bus is away. Appends a JSON object with details. */
bool engine_ready(struct engine *engine, struct buf *out);
/* Appends a JSON object: version, head, store, queues, domains with generations, projections. */
void engine_status(struct engine *engine, struct buf *out);
/* Appends Prometheus text (OpenMetrics names moonlog_...). */
void engine_metrics(struct engine *engine, struct buf *out);
/* Appends the OpenAPI 3.1 document of all domains and the engine's own routes. */
void engine_openapi(struct engine *engine, struct buf *out);
/* Appends the AsyncAPI 3.0 document of the topics that all domains send to and hear. */
void engine_asyncapi(struct engine *engine, struct buf *out);
/* Online copy and check, on the calling thread; progress lines through `say`. */
int engine_backup(struct engine *engine, const char *path, void (*say)(void *self, const char *line), void *self,
		  struct fault *fault);

#endif
