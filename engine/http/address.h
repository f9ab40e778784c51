/* SPDX-License-Identifier: MIT */
/* How many connections each client address holds. */
#ifndef MOONLOG_HTTP_ADDRESS_H
#define MOONLOG_HTTP_ADDRESS_H

#include "http/loop.h"

struct sockaddr;

/* Counts one more for the address; NULL when it has as many as allowed (or memory ran out). */
struct http_address_count *http_address_take(struct http *http, const struct sockaddr *from);
/* `count` may be NULL: a unix socket has no address. */
void http_address_release(struct http *http, struct http_address_count *count);
void http_address_fini(struct http *http);

#endif
