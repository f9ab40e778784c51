/* SPDX-License-Identifier: MIT */
/* A log of another program: one JSON record a line, made an event each by a function that a person wrote in Lua. */
#ifndef MOONLOG_DAEMON_LEGACY_H
#define MOONLOG_DAEMON_LEGACY_H

#include "base/arena.h"
#include "model/entry.h"

struct legacy;

/* Fails: INPUT "no_such_file"; SCRIPT with file and line. */
int legacy_open(const char *path, struct legacy **legacy, struct fault *fault);
void legacy_close(struct legacy *legacy);
/* The event of a record, in `arena`; *skip when the function gave nil. Fails: INPUT, SCRIPT with the reason. */
int legacy_read(struct legacy *legacy, struct slice line, struct arena *arena, struct recorded_entry *entry, bool *skip,
		struct fault *fault);

#endif
