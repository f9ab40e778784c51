/* SPDX-License-Identifier: MIT */
/*
 * The running server under attack, over real sockets: every framing attack alone and with a second request behind it,
 * whole and in two pieces; every limit and every deadline; draining. The server runs in this process without an engine,
 * so that /healthz is the one thing it serves: a 200 where none is due is a smuggled request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "http/attacks.h"
#include "http/server.h"
#include "support/check.h"

#define SECOND "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

struct server {
	struct http *http;
	pthread_t thread;
	int port;
};

static void *
serve(void *self)
{
	http_run(self);
	return NULL;
}

static struct http_limits
quick_limits(void)
{
	struct http_limits limits;
	http_limits_defaults(&limits);
	limits.header_ms = 400;
	limits.body_ms = 400;
	limits.body_ms_each_64k = 0;
	limits.idle_ms = 500;
	limits.write_stall_ms = 400;
	return limits;
}

static void
server_open(struct server *server, const struct http_limits *limits)
{
	struct fault fault = { 0 };
	struct http_options options = { .clock = clock_real(), .entropy = entropy_real(), .limits = *limits };
	if (http_open(&options, &server->http, &fault) != 0 || http_listen(server->http, "127.0.0.1:0", &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	server->port = atoi(strrchr(http_address(server->http), ':') + 1);
}

static void
server_start(struct server *server, const struct http_limits *limits)
{
	server_open(server, limits);
	CHECK_INT(pthread_create(&server->thread, NULL, serve, server->http), 0);
}

static void
server_stop(struct server *server)
{
	http_stop(server->http, 200);
	pthread_join(server->thread, NULL);
	http_close(server->http);
}

static int64_t
now_ms(void)
{
	return clock_mono_ns(clock_real()) / 1000000;
}

static int
client_from(const struct server *server, const char *source)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)server->port) };
	struct sockaddr_in own = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
	if (source != NULL) {
		inet_pton(AF_INET, source, &own.sin_addr);
		CHECK_INT(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	}
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
		CHECK_FAIL("connect: %s", strerror(errno));
	return fd;
}

static int
client(const struct server *server)
{
	return client_from(server, NULL);
}

static void
say(int fd, struct slice bytes)
{
	while (bytes.size > 0) {
		ssize_t put = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
		if (put <= 0)
			return; /* the server may already have closed */
		bytes = slice_from(bytes.data + put, bytes.size - (size_t)put);
	}
}

struct heard {
	char text[16384];
	size_t size;
	bool closed;
	int64_t took_ms;
};

/* Until the server closes, `enough` is heard (NULL: nothing is), or the time is over. */
static void
hear(int fd, struct heard *heard, const char *enough, int timeout_ms)
{
	int64_t begin = now_ms();
	memset(heard, 0, sizeof(*heard));
	while (heard->size < sizeof(heard->text) - 1) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		int left = (int)(begin + timeout_ms - now_ms());
		if (left <= 0 || poll(&poller, 1, left) <= 0)
			break;
		ssize_t got = recv(fd, heard->text + heard->size, sizeof(heard->text) - 1 - heard->size, 0);
		if (got <= 0) {
			heard->closed = true;
			break;
		}
		heard->size += (size_t)got;
		if (enough != NULL && strstr(heard->text, enough) != NULL)
			break;
	}
	heard->took_ms = now_ms() - begin;
}

static int
count_of(const char *text, const char *word)
{
	int count = 0;
	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		count++;
	return count;
}

static int
status_of(const struct heard *heard)
{
	int status = 0;
	return sscanf(heard->text, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

static int
ask(const struct server *server, struct slice bytes, struct heard *heard)
{
	int fd = client(server);
	say(fd, bytes);
	hear(fd, heard, NULL, 3000);
	close(fd);
	return status_of(heard);
}

/* ---- framing ---- */

static void
check_refused(const struct heard *heard, const struct attack *attack, const char *how)
{
	if (status_of(heard) != attack->status || count_of(heard->text, "HTTP/1.1 ") != 1 || !heard->closed ||
	    strstr(heard->text, "application/problem+json") == NULL || strstr(heard->text, "Connection: close") == NULL)
		CHECK_FAIL("\"%s\" %s: closed %d, heard: %s", attack->name, how, heard->closed, heard->text);
}

TEST(every_attack_is_answered_once_and_closed)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	for (size_t i = 0; i < countof(attacks); i++) {
		ask(&server, attacks[i].bytes, &heard);
		check_refused(&heard, &attacks[i], "alone");
	}
	CHECK_INT(ask(&server, SLICE("GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n"), &heard), 200);
	server_stop(&server);
}

TEST(no_second_request_is_served_behind_an_attack)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	static char both[8192];
	server_start(&server, &limits);
	for (size_t i = 0; i < countof(attacks); i++) {
		struct slice first = attacks[i].bytes;
		memcpy(both, first.data, first.size);
		memcpy(both + first.size, SECOND, sizeof(SECOND) - 1);
		ask(&server, slice_from(both, first.size + sizeof(SECOND) - 1), &heard);
		check_refused(&heard, &attacks[i], "with a second request");
		CHECK_INT(count_of(heard.text, "200 OK"), 0);
	}
	server_stop(&server);
}

TEST(a_second_request_that_comes_later_is_not_served_either)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	for (size_t i = 0; i < countof(attacks); i++) {
		int fd = client(&server);
		say(fd, attacks[i].bytes);
		hear(fd, &heard, "}", 3000);
		say(fd, SLICE(SECOND));
		CHECK_INT(status_of(&heard), attacks[i].status);
		hear(fd, &heard, NULL, 3000);
		CHECK_INT(count_of(heard.text, "HTTP/1.1 "), 0);
		CHECK(heard.closed);
		close(fd);
	}
	server_stop(&server);
}

TEST(harmless_requests_get_one_answer_each)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	for (size_t i = 0; i < countof(harmless); i++) {
		int fd = client(&server);
		say(fd, harmless[i].bytes);
		hear(fd, &heard, NULL, 200);
		if (count_of(heard.text, "HTTP/1.1 404") != harmless[i].requests)
			CHECK_FAIL("\"%s\": heard %s", harmless[i].name, heard.text);
		close(fd);
	}
	server_stop(&server);
}

TEST(pipelined_requests_are_answered_in_order_one_at_a_time)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	int fd = client(&server);
	for (int i = 0; i < 50; i++)
		say(fd, SLICE(SECOND));
	say(fd, SLICE("GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" SECOND));
	hear(fd, &heard, NULL, 3000);
	CHECK_INT(count_of(heard.text, "200 OK"), 50);
	CHECK_INT(count_of(heard.text, "404 Not Found"), 1);
	CHECK(heard.closed);
	close(fd);
	server_stop(&server);
}

TEST(head_is_answered_without_a_body)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	CHECK_INT(ask(&server, SLICE("HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), &heard), 200);
	CHECK(strstr(heard.text, "Content-Length: 15\r\n") != NULL);
	CHECK(strcmp(heard.text + heard.size - 4, "\r\n\r\n") == 0);
	CHECK_INT(ask(&server, SLICE("DELETE /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), &heard), 405);
	CHECK(strstr(heard.text, "Allow: GET, HEAD\r\n") != NULL);
	server_stop(&server);
}

TEST(expect_continue_is_answered_before_the_body)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	int fd = client(&server);
	say(fd, SLICE(POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
	hear(fd, &heard, "\r\n\r\n", 3000);
	CHECK_TEXT(heard.text, "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, SLICE("abc"));
	hear(fd, &heard, "}", 3000);
	CHECK_INT(status_of(&heard), 404);
	close(fd);
	CHECK_INT(ask(&server, SLICE(POST "Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n"), &heard), 413);
	CHECK_INT(count_of(heard.text, "100 Continue"), 0);
	server_stop(&server);
}

/* ---- limits ---- */

static int
ask_filled(const struct server *server, const char *before, size_t fill, const char *after)
{
	static char text[4 * 1024 * 1024];
	static struct heard heard;
	size_t size = strlen(before);
	memcpy(text, before, size);
	memset(text + size, 'a', fill);
	memcpy(text + size + fill, after, strlen(after));
	ask(server, slice_from(text, size + fill + strlen(after)), &heard);
	CHECK(heard.closed);
	return status_of(&heard);
}

TEST(sizes_are_limited)
{
	struct server server;
	struct http_limits limits = quick_limits();
	limits.body_ms = 5000;
	server_start(&server, &limits);
	CHECK_INT(ask_filled(&server, "GET /", 65536, " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
	CHECK_INT(ask_filled(&server, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 65536, "\r\n\r\n"), 431);
	CHECK_INT(ask_filled(&server, POST "Connection: close\r\nContent-Length: 1048576\r\n\r\n", 1048576, ""), 404);
	CHECK_INT(ask_filled(&server, POST "Content-Length: 1048577\r\n\r\n", 1048577, ""), 413);
	CHECK_INT(ask_filled(&server, CHUNKED "100001\r\n", 1048577, "\r\n0\r\n\r\n"), 413);
	server_stop(&server);
}

TEST(large_bodies_are_limited_in_all)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	static char part[700 * 1024];
	int fds[8], served = 0, refused = 0;
	limits.bodies_held = 2 * 1024 * 1024;
	limits.body_ms = 60000;
	limits.body_rate = 0;
	server_start(&server, &limits);
	memset(part, 'a', sizeof(part));
	for (int i = 0; i < 8; i++) {
		fds[i] = client(&server);
		say(fds[i], SLICE(POST "Connection: close\r\nContent-Length: 1048576\r\n\r\n"));
		say(fds[i], slice_from(part, sizeof(part)));
		hear(fds[i], &heard, "too_many_bodies", 300);
		refused += status_of(&heard) == 503;
		if (heard.size > 0) {
			close(fds[i]);
			fds[i] = -1;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (fds[i] < 0)
			continue;
		say(fds[i], slice_from(part, 1048576 - sizeof(part)));
		hear(fds[i], &heard, NULL, 3000);
		served += status_of(&heard) == 404;
		refused += status_of(&heard) == 503;
		close(fds[i]);
	}
	CHECK(served >= 1 && refused >= 1 && served + refused == 8);
	CHECK_INT(ask_filled(&server, POST "Connection: close\r\nContent-Length: 1000000\r\n\r\n", 1000000, ""), 404);
	server_stop(&server);
}

TEST(two_thousand_headers_are_refused)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	static char text[65536];
	size_t size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 2000; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "X%d: y\r\n", i);
	size += (size_t)snprintf(text + size, sizeof(text) - size, "\r\n");
	server_start(&server, &limits);
	CHECK_INT(ask(&server, slice_from(text, size), &heard), 431);
	server_stop(&server);
}

TEST(a_connection_serves_so_many_requests)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	limits.requests_per_connection = 3;
	server_start(&server, &limits);
	int fd = client(&server);
	for (int i = 0; i < 5; i++)
		say(fd, SLICE(SECOND));
	hear(fd, &heard, NULL, 3000);
	CHECK_INT(count_of(heard.text, "200 OK"), 3);
	CHECK_INT(count_of(heard.text, "Connection: close"), 1);
	CHECK(heard.closed);
	close(fd);
	server_stop(&server);
}

TEST(connections_are_limited_for_each_address_and_in_all)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	int fds[16];
	limits.connections_per_address = 4;
	limits.connections = 7;
	limits.idle_ms = 60000;
	server_start(&server, &limits);
	for (int i = 0; i < 4; i++)
		fds[i] = client_from(&server, "127.0.0.2");
	int fd = client_from(&server, "127.0.0.2");
	hear(fd, &heard, NULL, 3000);
	CHECK_INT(status_of(&heard), 503);
	CHECK(strstr(heard.text, "Retry-After: 1") != NULL && strstr(heard.text, "connection_limit\"}") != NULL);
	close(fd);
	for (int i = 4; i < 7; i++)
		fds[i] = client_from(&server, "127.0.0.3");
	fd = client_from(&server, "127.0.0.4");
	hear(fd, &heard, NULL, 3000);
	CHECK_INT(status_of(&heard), 503);
	close(fd);
	for (int i = 0; i < 7; i++) {
		say(fds[i], SLICE(SECOND));
		hear(fds[i], &heard, "}", 3000);
		CHECK_INT(status_of(&heard), 200);
		close(fds[i]);
	}
	for (int tries = 0; tries < 100; tries++) { /* the places come free again */
		fd = client_from(&server, "127.0.0.2");
		say(fd, SLICE(SECOND));
		hear(fd, &heard, "}", 3000);
		close(fd);
		if (status_of(&heard) == 200)
			break;
	}
	CHECK_INT(status_of(&heard), 200);
	server_stop(&server);
}

/* ---- deadlines ---- */

/* One byte each 20 ms, however long the server lets us. */
static void
drip(int fd, struct slice bytes, struct heard *heard)
{
	int64_t begin = now_ms();
	memset(heard, 0, sizeof(*heard));
	for (size_t i = 0; i < bytes.size; i++) {
		say(fd, slice_from(bytes.data + i, 1));
		hear(fd, heard, "}", 20);
		if (heard->closed || heard->size > 0)
			break;
	}
	heard->took_ms = now_ms() - begin;
}

static void
check_cut(const struct heard *heard, int64_t least_ms, int64_t most_ms)
{
	if (heard->took_ms < least_ms || heard->took_ms > most_ms)
		CHECK_FAIL("cut after %lld ms, not %lld to %lld", (long long)heard->took_ms, (long long)least_ms,
			   (long long)most_ms);
}

TEST(a_head_has_an_absolute_deadline)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	int fd = client(&server);
	drip(fd,
	     SLICE("GET /healthz HTTP/1.1\r\nHost: a\r\nX: "
		   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	     &heard);
	CHECK_INT(status_of(&heard), 408);
	check_cut(&heard, 350, 1200);
	close(fd);
	server_stop(&server);
}

TEST(a_body_has_an_absolute_deadline)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	int fd = client(&server);
	say(fd, SLICE(POST "Content-Length: 1000\r\n\r\n"));
	drip(fd, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	     &heard);
	CHECK_INT(status_of(&heard), 408);
	check_cut(&heard, 350, 1200);
	close(fd);
	fd = client(&server);
	say(fd, SLICE(CHUNKED));
	drip(fd,
	     SLICE("1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r"
		   "\n1\r\na\r\n"
		   "1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n1\r\na\r\n"),
	     &heard);
	CHECK_INT(status_of(&heard), 408);
	check_cut(&heard, 350, 1200);
	close(fd);
	server_stop(&server);
}

TEST(a_body_must_come_with_a_rate)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	limits.body_ms = 60000;
	limits.body_rate_after_ms = 300;
	server_start(&server, &limits);
	int fd = client(&server);
	say(fd, SLICE(POST "Content-Length: 1000\r\n\r\n"));
	drip(fd, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	     &heard);
	CHECK_INT(status_of(&heard), 408);
	check_cut(&heard, 250, 1200);
	close(fd);
	server_stop(&server);
}

TEST(an_idle_connection_is_closed_without_a_word)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	server_start(&server, &limits);
	int fd = client(&server);
	hear(fd, &heard, NULL, 3000);
	CHECK(heard.closed);
	CHECK_INT(heard.size, 0);
	check_cut(&heard, 450, 1300);
	close(fd);
	fd = client(&server);
	say(fd, SLICE(SECOND));
	hear(fd, &heard, NULL, 3000);
	CHECK_INT(status_of(&heard), 200);
	CHECK(heard.closed);
	check_cut(&heard, 450, 1300);
	close(fd);
	server_stop(&server);
}

/* Seen from the server's side: its only place comes free. The client's kernel may not hear of it for minutes, because a
 * reset lies outside a receive window that is full. */
TEST(a_client_that_does_not_read_is_cut)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static char many[sizeof(SECOND) * 1000];
	static struct heard heard;
	size_t size = 0;
	int small = 4096, status = 0;
	struct timeval patience = { 0, 200000 };
	limits.requests_per_connection = 1000000000;
	limits.connections = 1;
	server_start(&server, &limits);
	int fd = client(&server);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	for (int i = 0; i < 1000; i++, size += sizeof(SECOND) - 1)
		memcpy(many + size, SECOND, sizeof(SECOND) - 1);
	for (int64_t begin = now_ms(); status != 200 && now_ms() - begin < 60000;) {
		while (send(fd, many, size, MSG_NOSIGNAL) > 0)
			; /* until both directions are full */
		status = ask(&server, SLICE("GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n"), &heard);
		CHECK(status == 200 || status == 503 || status == 0);
	}
	CHECK_INT(status, 200);
	close(fd);
	server_stop(&server);
}

TEST(others_are_served_while_many_drip)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	int fds[200];
	limits.header_ms = 60000;
	server_start(&server, &limits);
	for (int i = 0; i < 200; i++) {
		fds[i] = client(&server);
		say(fds[i], SLICE("GET /heal"));
	}
	for (int i = 0; i < 20; i++) {
		CHECK_INT(ask(&server, SLICE("GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n"), &heard), 200);
		CHECK(heard.took_ms < 1000);
		for (int j = 0; j < 200; j++)
			say(fds[j], SLICE("x"));
	}
	for (int i = 0; i < 200; i++)
		close(fds[i]);
	server_stop(&server);
}

/* ---- the server's life ---- */

TEST(draining_answers_what_has_begun_and_takes_nothing_new)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	limits.header_ms = limits.idle_ms = 60000;
	server_start(&server, &limits);
	int idle = client(&server), begun = client(&server);
	say(begun, SLICE("GET /healthz HT"));
	hear(begun, &heard, NULL, 100);
	http_stop(server.http, 5000);
	hear(idle, &heard, NULL, 3000);
	CHECK(heard.closed && heard.size == 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)server.port) };
	inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
	CHECK_INT(connect(fd, (struct sockaddr *)&name, sizeof(name)), -1);
	close(fd);
	say(begun, SLICE("TP/1.1\r\nHost: a\r\n\r\n"));
	hear(begun, &heard, NULL, 3000);
	CHECK_INT(status_of(&heard), 200);
	CHECK(strstr(heard.text, "Connection: close") != NULL);
	close(begun);
	close(idle);
	pthread_join(server.thread, NULL);
	http_close(server.http);
}

TEST(draining_cuts_what_takes_too_long)
{
	struct server server;
	struct http_limits limits = quick_limits();
	static struct heard heard;
	limits.header_ms = 60000;
	server_start(&server, &limits);
	int fd = client(&server);
	say(fd, SLICE("GET /healthz HT"));
	hear(fd, &heard, NULL, 100);
	int64_t begin = now_ms();
	http_stop(server.http, 300);
	pthread_join(server.thread, NULL);
	CHECK(now_ms() - begin < 2000);
	http_close(server.http);
	close(fd);
}

static int
echo_verb(void *self, struct http_admin_call *call, struct fault *fault)
{
	(void)self;
	if (call->body.size == 0)
		return fault_set(fault, FAULT_INPUT, "no_body", "a body is wanted");
	buf_format(call->out, "{\"path\":\"%.*s\",\"body\":\"%.*s\"}", SLICE_ARG(call->path), SLICE_ARG(call->body));
	return 0;
}

static int
admin_client(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_INT(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

TEST(orders_come_by_a_socket_of_their_own)
{
	static const struct http_admin_verb verbs[] = { { "POST", "/admin/echo", 0, echo_verb, NULL },
							{ "POST", "/admin/slow/", 1, echo_verb, NULL } };
	struct server server;
	struct http_limits limits = quick_limits();
	struct fault fault = { 0 };
	struct stat there;
	static struct heard heard;
	char path[64];
	snprintf(path, sizeof(path), "/tmp/moonlog-test-%d.sock", (int)getpid());
	server_open(&server, &limits);
	CHECK_INT(http_listen_admin(server.http, path, verbs, countof(verbs), &fault), 0);
	CHECK_INT(stat(path, &there), 0);
	CHECK_INT(there.st_mode & 0777, 0600);
	CHECK_INT(pthread_create(&server.thread, NULL, serve, server.http), 0);
	int fd = admin_client(path);
	say(fd, SLICE("POST /admin/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"));
	hear(fd, &heard, "}", 3000);
	CHECK(strstr(heard.text, "{\"path\":\"/admin/echo\",\"body\":\"hi\"}") != NULL);
	say(fd, SLICE("POST /admin/slow/one HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nhey"));
	hear(fd, &heard, "}", 3000);
	CHECK(strstr(heard.text, "{\"path\":\"/admin/slow/one\",\"body\":\"hey\"}") != NULL);
	say(fd, SLICE("POST /admin/slow/one HTTP/1.1\r\nHost: x\r\n\r\n"));
	hear(fd, &heard, "}", 3000);
	CHECK_INT(status_of(&heard), 400);
	say(fd, SLICE("GET /admin/echo HTTP/1.1\r\nHost: x\r\n\r\n"));
	hear(fd, &heard, "}", 3000);
	CHECK_INT(status_of(&heard), 405);
	say(fd, SLICE("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
	hear(fd, &heard, "}", 3000);
	CHECK_INT(status_of(&heard), 404);
	close(fd);
	CHECK_INT(ask(&server, SLICE("POST /admin/echo HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"), &heard),
		  404);
	server_stop(&server);
	CHECK_INT(stat(path, &there), -1);
}

TEST(addresses_that_cannot_be_listened_on_are_named)
{
	struct server server;
	struct http_limits limits = quick_limits();
	struct fault fault = { 0 };
	char taken[64];
	server_open(&server, &limits);
	CHECK_INT(http_listen(server.http, "nonsense", &fault), -1);
	CHECK_TEXT(fault.code, "bad_address");
	CHECK_INT(http_listen(server.http, "127.0.0.1:70000", &fault), -1);
	snprintf(taken, sizeof(taken), "%s", http_address(server.http));
	CHECK_INT(http_listen(server.http, taken, &fault), -1);
	CHECK_TEXT(fault.code, "cannot_listen");
	CHECK(strstr(fault.text, taken) != NULL);
	http_close(server.http);
}

TEST_MAIN()
