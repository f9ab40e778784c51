/* SPDX-License-Identifier: MIT */
/* The engine's own struct: what the files behind the facade share. */
#ifndef MOONLOG_CORE_INSIDE_H
#define MOONLOG_CORE_INSIDE_H

#include "core/committer.h"
#include "core/keeper.h"
#include "core/reader.h"
#include "core/relay.h"
#include "core/reload.h"
#include "core/saying.h"
#include "core/timer.h"
#include "core/watch.h"
#include "core/worker.h"

struct reacting;

struct engine {
	struct engine_parts parts;
	struct engine_limits limits; /* defaults filled in */
	struct script_options script;
	struct domain *domains[DOMAIN_MAX];
	size_t domain_count;
	struct worker *workers;
	struct reader *readers;
	struct committer committer;
	struct reloader reloader;
	struct keeper keeper;
	struct watch_list watches;
	struct saying saying;
	struct relay *relay; /* NULL: none */
	struct timer_clock timers;
	struct reacting *reacting[DOMAIN_MAX]; /* by domain; NULL: nothing of it reacts */
	_Atomic size_t inside;                 /* asks taken and not yet answered */
	_Atomic bool started;
	_Atomic bool draining;
	_Atomic bool ending; /* and what takes long is broken off */
	_Atomic unsigned next_reader;
	int64_t started_us;
};

/* ---- engine.c, for the others ---- */
/* Counts an ask in: the engine is not closed before it has left. Fails: BUSY "draining". Any thread. */
bool engine_enter(struct engine *engine, struct fault *fault);
static inline void
engine_leave(struct engine *engine)
{
	atomic_fetch_sub(&engine->inside, 1);
}

struct projector_options engine_projector_options(struct engine *engine);

/* ---- status.c, metrics.c, openapi.c, asyncapi.c: each appends one document ---- */
bool status_ready(struct engine *engine, struct buf *out);
void status_write(struct engine *engine, struct buf *out);
void metrics_write(struct engine *engine, struct buf *out);
void openapi_write(struct engine *engine, struct buf *out);
void asyncapi_write(struct engine *engine, struct buf *out);

#endif
