/* SPDX-License-Identifier: MIT */
/* The relay's verbs of the daemon's own socket. `self` is the struct admin. */
#ifndef MOONLOG_DAEMON_ADMIN_RELAY_H
#define MOONLOG_DAEMON_ADMIN_RELAY_H

#include "http/server.h"

/* GET /admin/relay. */
int admin_relay(void *self, struct http_admin_call *call, struct fault *fault);
/*
 * POST /admin/relay/{pause|resume|rebuild}; rebuild takes {"from","new_incarnation"}, both may be missing. Answers the
 * status as it is then: "pending" until something has come of the order. Fails: INPUT "no_relay", "no_such_order",
 * "bad_body".
 */
int admin_relay_order(void *self, struct http_admin_call *call, struct fault *fault);

#endif
