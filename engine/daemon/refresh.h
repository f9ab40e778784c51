/* SPDX-License-Identifier: MIT */
/* Editors' files of a domain's folder, brought up to this binary's allow-list. */
#ifndef MOONLOG_DAEMON_REFRESH_H
#define MOONLOG_DAEMON_REFRESH_H

#include "base/fault.h"

/*
 * Writes what differs, each file whole; settings that an author changed stay as they are. Prints a line a file:
 * "wrote PATH" or "kept PATH". Fails: CONFIG.
 */
int refresh_editor(const char *folder, struct fault *fault);

#endif
