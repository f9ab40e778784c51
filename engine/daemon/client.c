/* SPDX-License-Identifier: MIT */
/*
 * Speaks just enough HTTP/1.1 for our own daemon: one request with Connection: close, an answer with Content-
 * Length, read to the end of the connection.
 */
#include "daemon/client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define READ_BYTES 65536

static int
reach(const char *directory, struct fault *fault)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int size = snprintf(address.sun_path, sizeof(address.sun_path), "%s/moonlog.sock", directory);

	if (size < 0 || (size_t)size >= sizeof(address.sun_path))
		return fault_set(fault, FAULT_AWAY, "unreachable", "%s/moonlog.sock: too long for a socket's name",
				 directory);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault_errno(fault, FAULT_AWAY, errno, "no socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int number = errno;
		close(fd);
		return fault_set(fault, FAULT_AWAY, "unreachable", "no daemon answers at %s: %s", address.sun_path,
				 strerror(number));
	}
	return fd;
}

bool
client_reaches(const char *directory)
{
	struct fault fault;
	int fd = reach(directory, &fault);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int
send_all(int fd, struct slice bytes, struct fault *fault)
{
	while (bytes.size > 0) {
		ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return fault_errno(fault, FAULT_AWAY, errno, "the daemon took no request");
		bytes.data += sent;
		bytes.size -= (size_t)sent;
	}
	return 0;
}

static int
receive_all(int fd, struct buf *answer, struct fault *fault)
{
	for (;;) {
		if (!buf_reserve(answer, READ_BYTES))
			return fault_set(fault, FAULT_LIMIT, "limit", "the daemon's answer is too long");
		ssize_t got = recv(fd, answer->data + answer->size, READ_BYTES, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fault_errno(fault, FAULT_AWAY, errno, "the daemon gave no answer");
		if (got == 0)
			return 0;
		answer->size += (size_t)got;
	}
}

static void
copy_member(struct json_value object, const char *key, char *text, size_t size)
{
	struct json_value member;
	struct buf decoded;

	if (object.kind != JSON_OBJECT || !json_member(object, slice_text(key), &member) || member.kind != JSON_STRING)
		return;
	buf_init(&decoded, member.raw.size + 1);
	json_decode(member, &decoded);
	snprintf(text, size, "%.*s", SLICE_ARG(buf_slice(&decoded)));
	buf_fini(&decoded);
}

/* A problem document as a fault. */
static int
problem(unsigned status, struct slice body, struct fault *fault)
{
	char code[40] = "refused_by_daemon", detail[480] = "no reason given";
	struct json_value object;
	struct fault ignored;

	if (json_check(body, &object, &ignored) == 0) {
		copy_member(object, "code", code, sizeof(code));
		copy_member(object, "detail", detail, sizeof(detail));
	}
	enum fault_class class = status == 503 ? FAULT_BUSY : status >= 500 ? FAULT_AWAY : FAULT_INPUT;
	return fault_set(fault, class, code, "the daemon answered %u: %s", status, detail);
}

static int
take_answer(struct slice answer, struct buf *out, struct fault *fault)
{
	const char *end = answer.size != 0 ? memmem(answer.data, answer.size, "\r\n\r\n", 4) : NULL;
	unsigned status = 0;
	char line[32];

	if (answer.size == 0)
		return fault_set(fault, FAULT_AWAY, "no_answer", "the daemon ended before it answered");
	snprintf(line, sizeof(line), "%.*s", answer.size < 31 ? (int)answer.size : 31,
		 answer.data != NULL ? answer.data : "");
	if (end == NULL || sscanf(line, "HTTP/1.1 %3u", &status) != 1)
		return fault_set(fault, FAULT_AWAY, "unreachable", "what answers at the socket is no moonlog daemon");
	struct slice body = slice_from(end + 4, (size_t)(answer.data + answer.size - end - 4));
	/* 422: the verb ran, and its answer says why nothing was done. */
	if ((status < 200 || status > 299) && status != 422)
		return problem(status, body, fault);
	buf_add(out, body);
	return 0;
}

int
client_ask(const char *directory, const char *method, const char *path, struct slice body, struct buf *out,
	   struct fault *fault)
{
	struct buf request, answer;
	int result = -1, fd = reach(directory, fault);

	if (fd < 0)
		return -1;
	buf_init(&request, ANSWER_MAX);
	buf_init(&answer, ANSWER_MAX);
	buf_format(&request, "%s %s HTTP/1.1\r\nHost: moonlog\r\nConnection: close\r\n", method, path);
	if (body.size != 0)
		buf_text(&request, "Content-Type: application/json\r\n");
	if (strcmp(method, "GET") != 0)
		buf_format(&request, "Content-Length: %zu\r\n", body.size);
	buf_text(&request, "\r\n");
	buf_add(&request, body);
	if (request.failed)
		fault_set(fault, FAULT_LIMIT, "limit", "the request is too long");
	else if (send_all(fd, buf_slice(&request), fault) == 0 && receive_all(fd, &answer, fault) == 0)
		result = take_answer(buf_slice(&answer), out, fault);
	close(fd);
	buf_fini(&request);
	buf_fini(&answer);
	return result;
}
