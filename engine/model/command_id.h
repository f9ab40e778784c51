/* SPDX-License-Identifier: MIT */
/* Command ids [I5]: what makes the same command, sent again, be known again. */
#ifndef MOONLOG_MODEL_COMMAND_ID_H
#define MOONLOG_MODEL_COMMAND_ID_H

#include "base/digest.h"

struct command_id {
	uint8_t bytes[16];
};

struct fingerprint {
	uint8_t bytes[8];
};

/* Hash of (domain, command, stream, client's key): the same key at another route is another command. */
struct command_id command_id_make(struct slice domain, struct slice command, struct slice key);
/* Of the target and the body's bytes: the same id with another fingerprint is a client's mistake (422). */
struct fingerprint fingerprint_make(struct slice target, struct slice body);

#endif
