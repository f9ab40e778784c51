/* SPDX-License-Identifier: MIT */
/* The command line's side of the daemon's own socket: one request, one answer, blocking. */
#ifndef MOONLOG_DAEMON_CLIENT_H
#define MOONLOG_DAEMON_CLIENT_H

#include "base/buf.h"
#include "base/fault.h"

/* Does a daemon answer for this data directory? */
bool client_reaches(const char *directory);
/*
 * Appends the answer's JSON to `out`. `body` may be empty. Fails: AWAY "unreachable" when no daemon answers; for an answer
 * that is no success: INPUT, BUSY or AWAY with the problem's code and detail.
 */
int client_ask(const char *directory, const char *method, const char *path, struct slice body, struct buf *out,
	       struct fault *fault);

#endif
