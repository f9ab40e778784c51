/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets and accepting from them. Beyond the limits a connection is accepted, told 503 and closed, so that a
 * client learns why. When descriptors run out accepting pauses for a moment instead of spinning.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "http/address.h"
#include "http/conn.h"
#include "http/server.h"

#define ACCEPTS_AT_ONCE 64
#define ACCEPT_PAUSE_NS 100000000LL

static void
turn_away(struct http *http, int fd)
{
	static const char answer[] =
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: 91\r\n"
		"Retry-After: 1\r\nConnection: close\r\n\r\n"
		"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
		"\"status\":503,\"code\":\"connection_limit\"}";
	http->counters.turned_away++;
	(void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void
take_over(struct http_listener *listener, int fd, const struct sockaddr *from)
{
	struct http *http = listener->http;
	struct http_address_count *address = NULL;
	int on = 1;
	http->counters.accepted++;
	if (listener->admin) {
		http_conn_open(http, fd, true, NULL);
		return;
	}
	if (http->conn_count < http->options.limits.connections)
		address = http_address_take(http, from);
	if (address == NULL) {
		turn_away(http, fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	http_conn_open(http, fd, false, address);
}

static void
on_acceptable(evutil_socket_t fd, short what, void *self)
{
	struct http_listener *listener = self;
	(void)what;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		int client = accept4(fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client >= 0) {
			take_over(listener, client, (struct sockaddr *)&from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_line(LOG_WARN, "accepting pauses", log_int("errno", errno));
			listener->http->accept_again_ns = http_now(listener->http) + ACCEPT_PAUSE_NS;
			event_del(&listener->accept);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static int
add_listener(struct http *http, int fd, const char *path, struct fault *fault)
{
	struct http_listener *listener = calloc(1, sizeof(*listener));
	char *kept = path != NULL ? strdup(path) : NULL;
	if (listener == NULL || (path != NULL && kept == NULL)) {
		free(listener);
		free(kept);
		close(fd);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a listener");
	}
	listener->http = http;
	listener->fd = fd;
	listener->admin = path != NULL;
	listener->path = kept;
	listener->next = http->listeners;
	http->listeners = listener;
	event_assign(&listener->accept, http->base, fd, EV_READ | EV_PERSIST, on_acceptable, listener);
	if (event_add(&listener->accept, NULL) != 0)
		return fault_set(fault, FAULT_CONFIG, "cannot_listen", "the event loop refused the listener");
	return 0;
}

/* "[::1]:80" and "host:80" into host and port. */
static int
split_address(const char *address, char host[256], char port[8], struct fault *fault)
{
	const char *colon = strrchr(address, ':');
	uint64_t number;
	if (colon == NULL || colon == address || !slice_to_u64(slice_text(colon + 1), &number) || number > 65535)
		return fault_set(fault, FAULT_CONFIG, "bad_address", "\"%s\" is not HOST:PORT", address);
	size_t size = (size_t)(colon - address);
	if (address[0] == '[' && address[size - 1] == ']') {
		address++;
		size -= 2;
	}
	if (size == 0 || size > 255)
		return fault_set(fault, FAULT_CONFIG, "bad_address",
				 "the host of a listening address is missing or too long");
	memcpy(host, address, size);
	host[size] = '\0';
	snprintf(port, 8, "%u", (unsigned)number);
	return 0;
}

static void
note_address(struct http *http, int fd)
{
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);
	char host[48], port[8];
	if (http->address[0] != '\0' || getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
		return;
	if (getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	snprintf(http->address, sizeof(http->address), strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

int
http_listen(struct http *http, const char *address, struct fault *fault)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found;
	char host[256], port[8];
	int on = 1;
	if (split_address(address, host, port, fault) != 0)
		return -1;
	int rc = getaddrinfo(host, port, &hints, &found);
	if (rc != 0)
		return fault_set(fault, FAULT_CONFIG, "bad_address", "\"%s\": %s", address, gai_strerror(rc));
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1024) != 0) {
		rc = errno;
		if (fd >= 0)
			close(fd);
		freeaddrinfo(found);
		return fault_set(fault, FAULT_CONFIG, "cannot_listen", "cannot listen on %s: %s", address,
				 strerror(rc));
	}
	freeaddrinfo(found);
	note_address(http, fd);
	return add_listener(http, fd, NULL, fault);
}

static bool
somebody_answers(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool answers = connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0;
	close(fd);
	return answers;
}

int
http_listen_admin(struct http *http, const char *path, const struct http_admin_verb *verbs, size_t count,
		  struct fault *fault)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct stat there;
	if (strlen(path) >= sizeof(name.sun_path))
		return fault_set(fault, FAULT_CONFIG, "cannot_listen", "the socket's path is longer than %zu bytes: %s",
				 sizeof(name.sun_path) - 1, path);
	memcpy(name.sun_path, path, strlen(path) + 1);
	if (lstat(path, &there) == 0) {
		if (!S_ISSOCK(there.st_mode))
			return fault_set(fault, FAULT_CONFIG, "cannot_listen", "%s exists and is not a socket", path);
		if (somebody_answers(&name))
			return fault_set(fault, FAULT_CONFIG, "cannot_listen", "another process listens on %s", path);
		unlink(path);
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Nobody can connect between bind and chmod: listen comes last. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 || chmod(path, 0600) != 0 ||
	    listen(fd, 64) != 0) {
		int number = errno;
		if (fd >= 0)
			close(fd);
		return fault_set(fault, FAULT_CONFIG, "cannot_listen", "cannot listen on %s: %s", path,
				 strerror(number));
	}
	http->verbs = verbs;
	http->verb_count = count;
	return add_listener(http, fd, path, fault);
}
