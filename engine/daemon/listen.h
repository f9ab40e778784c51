/* SPDX-License-Identifier: MIT */
/* Which addresses may be listened on without a warning in words. */
#ifndef MOONLOG_DAEMON_LISTEN_H
#define MOONLOG_DAEMON_LISTEN_H

#include "daemon/config.h"

/* Fails: CONFIG "bad_address" for text that is no HOST:PORT, "off_loopback" for one beyond this machine unless allowed. */
int listen_check(const struct config *config, struct fault *fault);

#endif
