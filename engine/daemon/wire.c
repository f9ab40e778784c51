/* SPDX-License-Identifier: MIT */
/*
 * SQLite below a data directory (DIR/moonlog.db, read models in DIR/views), or memory for everything. A read model that
 * cannot be read any more is thrown away and made anew from the log: it holds nothing of its own.
 */
#include "daemon/wire.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bus/local/local.h"
#include "core/relay.h"
#include "daemon/slots.h"
#include "daemon/trial.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "store/sqlite/sqlite.h"
#include "view/memory/view_memory.h"
#include "view/sqlite/view_sqlite.h"

/* Remembered in case it cannot be read. */
static int
remember(struct wire *wire, const char *path, struct fault *fault)
{
	free(wire->last_view);
	wire->last_view = strdup(path);
	return wire->last_view != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory to open %s", path);
}

static int
open_view(void *self, struct slice domain, unsigned slot, const struct table *tables, size_t table_count,
	  struct view **view, struct fault *fault)
{
	struct wire *wire = self;
	char path[SLOTS_PATH_SIZE];

	if (wire->data == NULL)
		return view_memory_open(tables, table_count, view, fault);
	if (slots_path(wire->data, domain, slot, path, fault) != 0 || remember(wire, path, fault) != 0)
		return -1;
	return view_sqlite_open(path, false, tables, table_count, view, fault);
}

static int
copy_view(void *self, const struct engine_view_copy *copy, struct view **view, struct fault *fault)
{
	struct wire *wire = self;
	char path[SLOTS_PATH_SIZE] = "";

	if (wire->data != NULL && slots_path(wire->data, copy->domain, copy->slot, path, fault) != 0)
		return -1;
	struct view_copy how = { path, copy->tables, copy->table_count, copy->stop };
	return view_copy(copy->from, &how, view, fault);
}

static int
view_slots(void *self, struct slice domain, struct view_slots *slots, struct fault *fault)
{
	struct wire *wire = self;
	char path[SLOTS_PATH_SIZE];
	struct fault ignored;

	*slots = (struct view_slots){ .live = -1 };
	if (wire->data == NULL || slots_look(wire->data, domain, slots, path, fault) == 0)
		return 0;
	remember(wire, path, &ignored);
	return -1;
}

static int
remove_view(void *self, struct slice domain, unsigned slot, struct fault *fault)
{
	struct wire *wire = self;

	return wire->data != NULL ? slots_remove(wire->data, domain, slot, fault) : 0;
}

static int
point_view(void *self, struct slice domain, unsigned slot, struct fault *fault)
{
	struct wire *wire = self;

	return wire->data != NULL ? slots_point(wire->data, domain, slot, fault) : 0;
}

int
wire_add_domain(struct wire *wire, const char *folder, struct fault *fault)
{
	if (engine_add_domain(wire->engine, folder, fault) == 0)
		return 0;
	if (strcmp(fault->code, "view_corrupt") != 0 || wire->last_view == NULL)
		return -1;
	log_fault(LOG_WARN, "a read model is made anew", fault);
	if (view_sqlite_remove(wire->last_view, fault) != 0)
		return -1;
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

/* What the engine publishes by. */
static int
open_bus(struct wire *wire, const struct wire_options *options, struct engine_parts *parts, struct fault *fault)
{
	struct slice store_id;
	char host[128] = "";

	if (!options->send)
		return 0;
	gethostname(host, sizeof(host) - 1);
	parts->service = slice_text(options->service != NULL ? options->service : "moonlog");
	parts->owner = arena_format(&wire->arena, "%s/%ld", host, (long)getpid());
	parts->publisher = local_publisher();
	parts->along = local_source(wire->store);
	if (relay_name_store(wire->store, parts->entropy, &wire->arena, &store_id, fault) != 0)
		return -1;
	return options->open_bus != NULL ? options->open_bus(options->bus_self, store_id, parts, fault) : 0;
}

int
wire_open(struct wire *wire, const struct wire_options *options, struct fault *fault)
{
	*wire = (struct wire){ 0 };
	arena_init(&wire->arena, (size_t)1 << 20);
	if (options->watchdog_signal != 0 && moon_watchdog_start(options->watchdog_signal, fault) != 0)
		return -1;
	wire->watched = options->watchdog_signal != 0;
	if (open_store(wire, options, fault) != 0)
		return -1;
	struct engine_parts parts = {
		.store = wire->store,
		.script = moon_ops(),
		.open_view = options->trial ? NULL : open_view,
		.copy_view = copy_view,
		.view_slots = view_slots,
		.remove_view = remove_view,
		.point_view = point_view,
		.scratch_view = view_memory_open,
		.self = wire,
		.specs = options->specs,
		.clock = clock_real(),
		.entropy = entropy_real(),
	};
	if (open_bus(wire, options, &parts, fault) != 0)
		return -1;
	return engine_open(&parts, &options->limits, &wire->engine, fault);
}

void
wire_close(struct wire *wire)
{
	if (wire->engine != NULL)
		engine_close(wire->engine);
	if (wire->watched)
		moon_watchdog_stop();
	store_close(wire->store);
	arena_fini(&wire->arena);
	free(wire->data);
	free(wire->last_view);
	*wire = (struct wire){ 0 };
}
