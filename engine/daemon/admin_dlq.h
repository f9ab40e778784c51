/* SPDX-License-Identifier: MIT */
/* Orders to dead letters, on the daemon's own socket: POST /admin/dlq/{retry|drop} {"reactor","letter"}. */
#ifndef MOONLOG_DAEMON_ADMIN_DLQ_H
#define MOONLOG_DAEMON_ADMIN_DLQ_H

#include "http/server.h"

/* Answers {"settled","failed"} when it is done. Fails: INPUT "bad_body"; as engine_dead_letters. */
int admin_dlq(void *self, struct http_admin_call *call, struct fault *fault);

#endif
