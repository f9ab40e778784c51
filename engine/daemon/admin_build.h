/* SPDX-License-Identifier: MIT */
/* Read models made beside the ones that are read, as admin verbs: GET /admin/builds, POST /admin/rebuild. */
#ifndef MOONLOG_DAEMON_ADMIN_BUILD_H
#define MOONLOG_DAEMON_ADMIN_BUILD_H

#include "core/engine.h"
#include "http/server.h"

/* Answers an object a domain. `self` is a struct admin. */
int admin_builds(void *self, struct http_admin_call *call, struct fault *fault);
/* Answers {"build"}, its number, when it has begun. Fails: INPUT "bad_body", "no_such_domain", "no_such_projection". */
int admin_rebuild(void *self, struct http_admin_call *call, struct fault *fault);
/* The same without waiting for anything; what fails later is logged. */
int admin_rebuild_order(struct engine *engine, struct slice domain, struct slice projection, struct fault *fault);

#endif
