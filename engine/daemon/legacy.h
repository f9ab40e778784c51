/* SPDX-License-Identifier: MIT */
/* A log of another program: one JSON record a line, made an event each by a function that a person wrote in Lua. */
#ifndef MOONLOG_DAEMON_LEGACY_H
#define MOONLOG_DAEMON_LEGACY_H

#include "base/arena.h"
#include "model/entry.h"
#include "script/options.h"

#define LEGACY_KEYS 8

struct legacy;

/* What a record is: an event and the unique keys that its stream takes with it; or nothing. */
struct legacy_event {
	struct recorded_entry entry;
	struct legacy_key {
		struct slice set; /* "banking.accountNumber" */
		struct slice key;
	} keys[LEGACY_KEYS];
	size_t key_count;
	bool skip; /* the function gave nil */
};

/* The file is run within load_ms, each call within command_ms. Fails: INPUT "no_such_file"; SCRIPT with file and line. */
int legacy_open(const char *path, const struct script_limits *limits, struct legacy **legacy, struct fault *fault);
void legacy_close(struct legacy *legacy);
/* The event of a record, in `arena`. Fails: INPUT, SCRIPT with the reason. */
int legacy_read(struct legacy *legacy, struct slice line, struct arena *arena, struct legacy_event *event,
		struct fault *fault);

#endif
