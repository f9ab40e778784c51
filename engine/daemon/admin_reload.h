/* SPDX-License-Identifier: MIT */
/*
 * The admin socket's verbs that change rules: /admin/reload, /admin/plan and /admin/rollback, each with a body
 * {"domain":NAME (all when it is missing), "all":bool, "partial":bool, "shadow":bool, "accept":PLAN}. The answer is a
 * list of one report a domain; 422 when one of them was not taken.
 */
#ifndef MOONLOG_DAEMON_ADMIN_RELOAD_H
#define MOONLOG_DAEMON_ADMIN_RELOAD_H

#include "daemon/admin.h"

int admin_reload(void *self, struct http_admin_call *call, struct fault *fault);
/* For SIGHUP: asks for every domain and returns; what comes of it is logged. Asks while one is under way count once. */
void admin_reload_all(struct engine *engine);

#endif
