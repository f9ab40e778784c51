/* SPDX-License-Identifier: MIT */
/* `check` beside a store: can the rules read what is recorded, and do they give the same twice? */
#ifndef MOONLOG_DAEMON_CHECK_STORE_H
#define MOONLOG_DAEMON_CHECK_STORE_H

#include "daemon/verb.h"
#include "script/lua/check.h"

/* Is a store named, or its history asked for? */
bool check_store_wanted(const struct call *call, const struct config *config);
/*
 * Adds what is found in the store that the call names: kinds of events without a path, samples that fail, and with
 * --history all that determinism_check finds. Says how far it is on standard error. Fails: as reading_open and reads.
 */
int check_store(const struct call *call, const struct script_program *program, const struct script_options *options,
		struct findings *findings, struct fault *fault);

#endif
