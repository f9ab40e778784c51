/* SPDX-License-Identifier: MIT */
/*
 * The files of a domain's read models: one a slot, DIR/views/<domain>.<slot>.db, and DIR/views/<domain>.db, a link to
 * the one that serves readers, so that a person with sqlite3 always looks at that one.
 *
 * Thread: one at a time for a domain.
 */
#ifndef MOONLOG_DAEMON_SLOTS_H
#define MOONLOG_DAEMON_SLOTS_H

#include "core/engine.h"

#define SLOTS_PATH_SIZE 4096

/* Fails: CONFIG, the path is too long. */
int slots_path(const char *data, struct slice domain, unsigned slot, char path[SLOTS_PATH_SIZE], struct fault *fault);
/*
 * What is there, at start. A real file named views/<domain>.db (of an older moonlog) becomes slot 0; when nothing has
 * that name, somebody deleted the read model, and the slots' files go too; what a broken-off copy has left goes in any
 * case. Fails: as view_sqlite_rename; CONFIG. When it fails, `path` names the file at fault.
 */
int slots_look(const char *data, struct slice domain, struct view_slots *slots, char path[SLOTS_PATH_SIZE],
	       struct fault *fault);
/* Whoever opens views/<domain>.db from now on gets this slot's file; a whole link is there at every moment. */
int slots_point(const char *data, struct slice domain, unsigned slot, struct fault *fault);
/* Nothing to remove is no failure. */
int slots_remove(const char *data, struct slice domain, unsigned slot, struct fault *fault);

#endif
