/* SPDX-License-Identifier: MIT */
/* What a complete request can turn into. Each handler answers (http_conn_send) or leaves the request inside
 * the engine. */
#ifndef MOONLOG_HTTP_HANDLERS_H
#define MOONLOG_HTTP_HANDLERS_H

#include "http/loop.h"

/* route.c: finds the handler of a public request. */
void http_route(struct http_request *request);

/* command.c. Both have request->params empty but for what becomes data. */
void http_command(struct http_request *request); /* /commands/... */
void http_command_route(struct http_request *request);

/* read.c */
void http_read_stream(struct http_request *request);
void http_read_state(struct http_request *request);
void http_read_query(struct http_request *request);
void http_read_table(struct http_request *request);
void http_read_route(struct http_request *request); /* a domain's state, history or query route */

/* follow.c: /log in its four forms, and those who wait for it to grow. */
void http_log(struct http_request *request);
void http_follow_grown(struct http *http);
void http_follow_keep_alive(struct http *http, int64_t now_ns);

/* info.c */
void http_healthz(struct http_request *request);
void http_readyz(struct http_request *request);
void http_metrics(struct http_request *request);
void http_openapi(struct http_request *request);
void http_asyncapi(struct http_request *request);
void http_root(struct http_request *request);
void http_health_route(struct http_request *request);
void http_text_route(struct http_request *request);

/* admin.c */
void http_admin(struct http_request *request);

#endif
