/* SPDX-License-Identifier: MIT */
/* What an engine is made of: daemon/ wires it, core never names a back room. */
#ifndef MOONLOG_CORE_PARTS_H
#define MOONLOG_CORE_PARTS_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/entropy.h"
#include "bus/publisher.h"
#include "bus/source.h"
#include "script/script.h"

struct store;
struct view;
struct table;
struct specs_runner;

/* A copy of an open read model into another slot, for another program's tables: see view_copy. */
struct engine_view_copy {
	struct view *from;
	struct slice domain;
	unsigned slot;
	const struct table *tables;
	size_t table_count;
	const _Atomic bool *stop; /* may be NULL */
};

#define VIEW_SLOTS_MAX 32

struct view_slots {
	int live;         /* the one that serves readers; -1: there is none yet */
	uint32_t present; /* bit a slot that holds something; `live` need not be among them */
};

/* How the engine opens what daemon/ wires: core never names a back room. */
struct engine_parts {
	struct store *store; /* owned by the caller; closed after engine_close */
	const struct script_ops *script;
	/*
	 * A domain's read models lie in slots 0..VIEW_SLOTS_MAX - 1, of which one serves readers. Opens what a slot
	 * holds, or an empty one; the engine closes it. NULL: no projections, no queries.
	 */
	int (*open_view)(void *self, struct slice domain, unsigned slot, const struct table *tables, size_t table_count,
			 struct view **view, struct fault *fault);
	/* Fails: as view_copy. Thread: any but that of the writer of copy->from. */
	int (*copy_view)(void *self, const struct engine_view_copy *copy, struct view **view, struct fault *fault);
	/* Which slots there are at start. NULL: none outlives the process. */
	int (*view_slots)(void *self, struct slice domain, struct view_slots *slots, struct fault *fault);
	/* Throws away what a closed slot holds. NULL: nothing to do. */
	int (*remove_view)(void *self, struct slice domain, unsigned slot, struct fault *fault);
	/* This slot serves readers, also after a restart; people who look at files find it. NULL: nothing to do. */
	int (*point_view)(void *self, struct slice domain, unsigned slot, struct fault *fault);
	/* Rows in memory that are thrown away: what a change of projections would give. NULL: not asked. */
	int (*scratch_view)(const struct table *tables, size_t table_count, struct view **view, struct fault *fault);
	void *self;
	const struct specs_runner *specs; /* core/specs.h; NULL: specs are not run. Outlives the engine */
	/* How messages leave; open NULL: they do not. */
	struct publisher_maker publisher;
	struct slice service; /* "/<service>/<store id>" is the source of what is sent; empty: "moonlog" */
	struct slice owner;   /* host and process, for the relay's lease and mark; empty: "engine" */
	/* How reactors hear: the log, and the messages of others. `foreign` without open: their topics are heard along
	 * the log; `along` without: nothing reacts, no timer fires. */
	struct source_maker along;
	struct source_maker foreign;
	const struct clock *clock;
	const struct entropy *entropy;
};

#endif
