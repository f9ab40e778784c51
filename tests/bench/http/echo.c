/* SPDX-License-Identifier: MIT */
/*
 * The reference for HTTP figures: a bare evhttp server on one thread that answers every request with its own body.
 * Usage: bench_echo [PORT]   (0 takes a free one; the address is printed)
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void
answer(struct evhttp_request *request, void *self)
{
	(void)self;
	struct evbuffer *out = evbuffer_new();
	evbuffer_add_buffer(out, evhttp_request_get_input_buffer(request));
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
	evhttp_send_reply(request, 200, "OK", out);
	evbuffer_free(out);
}

int
main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	int port = argc > 1 ? atoi(argv[1]) : 0;
	struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", (ev_uint16_t)port);
	struct sockaddr_in name;
	socklen_t size = sizeof(name);
	if (bound == NULL || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&name, &size) != 0) {
		fprintf(stderr, "cannot listen on 127.0.0.1:%d\n", port);
		return 1;
	}
	evhttp_set_gencb(http, answer, NULL);
	printf("127.0.0.1:%d\n", ntohs(name.sin_port));
	fflush(stdout);
	event_base_dispatch(base);
	return 0;
}
