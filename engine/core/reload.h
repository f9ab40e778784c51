/* SPDX-License-Identifier: MIT */
/*
 * The reloader: one thread that changes the rules of domains while everything else goes on, and makes read models
 * beside the ones that are read.
 *
 *   read      every file of the folder, once; the same hash as the active rules: unchanged
 *   load      compile, run, check in a scratch state
 *   catalogue every type and version that was recorded has a way
 *   specs     the folder's own, in a process beside (specs.h)
 *   history   recorded events through the old and the new rules (plan.h, shadow.h)
 *   prepare   a machine for each worker, made here; any failure: all go, nothing has changed
 *   commit    sources and the active generation, durable in one commit
 *   adopt     the workers take their new seats between two commands; the answer comes when all have
 *   queries   at once where the projections are the same, else when their new rows have caught up (build.h)
 *
 * Before the commit a failure anywhere leaves the old rules as they were; after it a restart serves the new ones whole.
 * A rollback waits for nobody's history or specs: what asks or runs them is broken off, having changed nothing.
 */
#ifndef MOONLOG_CORE_RELOAD_H
#define MOONLOG_CORE_RELOAD_H

#include "core/domain.h"

struct reloader {
	struct engine *engine;
	struct store_reader *reader;
	pthread_t thread;
	bool running;
	struct mailbox box;        /* of asks */
	_Atomic bool hurried;      /* something waits in it, or it is closed: what takes long is broken off */
	_Atomic unsigned pressing; /* rollbacks that wait, and the engine's end: so are history and specs */
};

int reloader_open(struct reloader *reloader, struct engine *engine, struct fault *fault);
int reloader_start(struct reloader *reloader, struct fault *fault);
/* Every ask must be answered before. */
void reloader_stop(struct reloader *reloader);
void reloader_close(struct reloader *reloader);

/* Any thread. */
void reloader_give(struct reloader *reloader, struct engine_reload *reload);

#endif
