/* SPDX-License-Identifier: MIT */
/* The same table of verbs answers on both sides, so that a verb of the command line reads one form of answer. */
#include "daemon/door.h"

#include "daemon/client.h"
#include "daemon/setup.h"

#define CLOSE_NS 10000000000LL

int
door_open(struct door *door, const struct config *config, enum door_kind kind, struct fault *fault)
{
	struct wire_options options;

	*door = (struct door){ .directory = config_text(config, CONFIG_DATA) };
	if (door->directory == NULL && kind == DOOR_ORDERS)
		return fault_set(fault, FAULT_CONFIG, "usage", "no data directory is given: use --data DIR");
	door->remote = door->directory != NULL && client_reaches(door->directory);
	if (door->remote)
		return 0;
	setup_wire(config, &options);
	options.data = door->directory;
	options.must_exist = true;
	options.send = false;
	options.trial = kind == DOOR_TRIAL;
	options.limits.workers = options.limits.readers = 1;
	options.limits.development = true;
	if (wire_open(&door->wire, &options, fault) != 0 || setup_domains(config, &door->wire, fault) != 0)
		return -1;
	door->admin.engine = door->wire.engine;
	admin_open(&door->admin);
	return engine_start(door->wire.engine, fault);
}

int
door_ask(struct door *door, const char *method, const char *path, struct slice body, struct buf *out,
	 struct fault *fault)
{
	if (door->remote)
		return client_ask(door->directory, method, path, body, out, fault);
	return admin_call(&door->admin, method, path, body, out, fault);
}

void
door_close(struct door *door)
{
	if (door->wire.engine != NULL)
		engine_drain(door->wire.engine, clock_mono_ns(clock_real()) + CLOSE_NS);
	wire_close(&door->wire);
}
