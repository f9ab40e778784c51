/* SPDX-License-Identifier: MIT */
/*
 * SQLite below a data directory (DIR/moonlog.db, DIR/views/<domain>.db), or memory for everything. A read model that
 * cannot be read any more is thrown away and made anew from the log: it holds nothing of its own.
 */
#include "daemon/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/trial.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "store/sqlite/sqlite.h"
#include "view/memory/view_memory.h"
#include "view/sqlite/view_sqlite.h"

#define PATH_SIZE 4096

static void
throw_away(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char name[PATH_SIZE + 8];

	for (size_t i = 0; i < countof(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static int
open_view(void *self, struct slice domain, const struct table *tables, size_t table_count, struct view **view,
	  struct fault *fault)
{
	struct wire *wire = self;
	char path[PATH_SIZE];

	if (wire->data == NULL)
		return view_memory_open(tables, table_count, view, fault);
	int size = snprintf(path, sizeof(path), "%s/views/%.*s.db", wire->data, SLICE_ARG(domain));
	if (size < 0 || (size_t)size >= sizeof(path))
		return fault_errno(fault, FAULT_CONFIG, ENAMETOOLONG, "%s", wire->data);
	free(wire->last_view);
	wire->last_view = strdup(path);
	if (wire->last_view == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to open %s", path);
	return view_sqlite_open(path, false, tables, table_count, view, fault);
}

int
wire_add_domain(struct wire *wire, const char *folder, struct fault *fault)
{
	if (engine_add_domain(wire->engine, folder, fault) == 0)
		return 0;
	if (strcmp(fault->code, "view_corrupt") != 0 || wire->last_view == NULL)
		return -1;
	log_fault(LOG_WARN, "a read model is made anew", fault);
	throw_away(wire->last_view);
	return engine_add_domain(wire->engine, folder, fault);
}

static int
open_store(struct wire *wire, const struct wire_options *options, struct fault *fault)
{
	if (options->data == NULL)
		return memory_open(NULL, &wire->store, fault);
	if (options->trial)
		return trial_open(options->data, &wire->store, fault);
	struct sqlite_options sqlite = {
		.path = options->data,
		.create = !options->must_exist,
		.remember_ids = options->remember_ids,
		.remember_us = options->remember_us,
		.fatal = options->fatal,
		.fatal_self = options->self,
	};
	wire->data = strdup(options->data);
	if (wire->data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to open %s", options->data);
	return sqlite_open(&sqlite, &wire->store, fault);
}

int
wire_open(struct wire *wire, const struct wire_options *options, struct fault *fault)
{
	*wire = (struct wire){ 0 };
	if (open_store(wire, options, fault) != 0)
		return -1;
	struct engine_parts parts = {
		.store = wire->store,
		.script = moon_ops(),
		.open_view = options->trial ? NULL : open_view,
		.self = wire,
		.clock = clock_real(),
		.entropy = entropy_real(),
	};
	return engine_open(&parts, &options->limits, &wire->engine, fault);
}

void
wire_close(struct wire *wire)
{
	if (wire->engine != NULL)
		engine_close(wire->engine);
	store_close(wire->store);
	free(wire->data);
	free(wire->last_view);
	*wire = (struct wire){ 0 };
}
