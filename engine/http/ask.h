/* SPDX-License-Identifier: MIT */
/* Handing a request's ask to the engine and hearing of its answer; what headers add to an ask. */
#ifndef MOONLOG_HTTP_ASK_H
#define MOONLOG_HTTP_ASK_H

#include "http/loop.h"

/* ask.read is filled but for arena and done. On refusal the request is answered at once. `answered` runs on
 * the loop. */
void http_ask_read(struct http_request *request, void (*answered)(struct http_request *request));
/* The same for ask.command; on refusal `answered` is called at once. */
void http_ask_command(struct http_request *request, void (*answered)(struct http_request *request));

/* correlation, causation, traceparent (a malformed one is ignored, as W3C asks). Fails: INPUT "bad_header". */
int http_ask_provenance(struct http_request *request, struct provenance *provenance, struct fault *fault);
/* If-Match: "v" or *, If-None-Match: *. Fails: INPUT "bad_precondition". *never: a weak tag, which matches nothing. */
int http_ask_expected(struct http_request *request, struct expected *expected, bool *has, bool *never,
		      struct fault *fault);
/* 1 to 255 visible characters; empty when absent. Fails: INPUT "bad_idempotency_key". */
int http_ask_key(struct http_request *request, struct slice *key, struct fault *fault);

#endif
