/* SPDX-License-Identifier: MIT */
/*
 * Connections on plain non-blocking sockets. One recv brings most requests whole, one sendmsg takes most answers whole:
 * libevent only tells when a socket is ready. (Measured against evhttp and against bufferevents: README.md.)
 *
 * pump() is the only place that moves a connection along; handlers that answer at once are called from inside it, and
 * asks that come back re-enter it from the loop, so nothing recurses. While a request is with the engine nothing is
 * read; if the client sends more, or leaves, reading is switched off until the answer is written.
 *
 * Fails by closing: a refused request is answered and its connection closed after a short while of discarding input, so
 * that the answer is not lost to a reset; a passed deadline is answered 408 where a request had begun.
 */
#include "http/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http/address.h"
#include "http/reply.h"

#define MS           1000000LL
#define READ_LEAST   ((size_t)4096)
#define READ_MOST    ((size_t)256 * 1024)
#define LINGER_MS    1000
#define LINGER_BYTES (1024 * 1024)

static void pump(struct http_conn *conn);

static void
conn_free(struct http_conn *conn)
{
	struct http *http = conn->http;
	*conn->link = conn->next;
	if (conn->next != NULL)
		conn->next->link = conn->link;
	http->conn_count--;
	http_address_release(http, conn->address);
	free(conn);
}

void
http_conn_drop(struct http_conn *conn)
{
	struct http_request *request = conn->request;
	if (conn->dead)
		return;
	conn->dead = true;
	event_del(&conn->read);
	event_del(&conn->write);
	close(conn->fd);
	conn->request = NULL;
	if (request != NULL) {
		request->conn = NULL;
		http_request_unlist(request);
		if (!request->inside)
			http_request_give_back(request);
	}
	if (!conn->pumping)
		conn_free(conn);
}

/* ---- reading ---- */

static void
set_state(struct http_conn *conn, enum http_conn_state state, int64_t deadline_ns)
{
	conn->state = state;
	conn->deadline_ns = deadline_ns;
}

static void
go_idle(struct http_conn *conn)
{
	const struct http_limits *limits = &conn->http->options.limits;
	if (conn->request != NULL) {
		http_request_give_back(conn->request);
		conn->request = NULL;
	}
	set_state(conn, CONN_IDLE, http_now(conn->http) + (int64_t)limits->idle_ms * MS);
	if (conn->http->draining)
		http_conn_drop(conn);
}

static void
begin_request(struct http_conn *conn)
{
	const struct http_limits *limits = &conn->http->options.limits;
	conn->begun_ns = http_now(conn->http);
	conn->request->begun_ns = conn->begun_ns;
	conn->continued = false;
	set_state(conn, CONN_READING, conn->begun_ns + (int64_t)limits->header_ms * MS);
}

/* Once the head is known the body's deadline replaces the head's; without a length it grows with what has come. */
static void
watch_body(struct http_conn *conn)
{
	const struct http_limits *limits = &conn->http->options.limits;
	const struct http_reader *reader = &conn->request->reader;
	if (!conn->continued) {
		conn->continued = true;
		conn->begun_ns = http_now(conn->http);
		if (reader->wants_continue) {
			static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
			if (send(conn->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(go_on) - 1) {
				http_conn_drop(conn);
				return;
			}
		}
	}
	uint64_t bytes = reader->chunked ? reader->body_size : reader->length;
	uint64_t pieces = bytes / 65536 + 1;
	conn->deadline_ns = conn->begun_ns + (int64_t)(limits->body_ms + pieces * limits->body_ms_each_64k) * MS;
}

/* Answers what is only half there, and closes. */
static void
refuse_now(struct http_conn *conn, uint16_t status, const char *code, const char *text)
{
	conn->request->close = true;
	set_state(conn, CONN_BUSY, 0);
	http_reply_error(conn->request, status, code, text);
	http_conn_send(conn->request);
}

static void
answer_request(struct http_conn *conn)
{
	struct http *http = conn->http;
	struct http_request *request = conn->request;
	set_state(conn, CONN_BUSY, 0);
	conn->served++;
	if (conn->served >= http->options.limits.requests_per_connection)
		request->close = true;
	http_request_open(request);
	if (conn->admin)
		http->dispatch_admin(request);
	else
		http->dispatch(request);
}

/* Gives false when more bytes are needed first. */
static bool
step_reading(struct http_conn *conn)
{
	struct http_request *request = conn->request;
	switch (http_reader_step(&request->reader, request->in.data, &request->in.size)) {
	case HTTP_READY:
		answer_request(conn);
		return true;
	case HTTP_REFUSED:
		conn->http->counters.refused++;
		refuse_now(conn, request->reader.status, request->reader.code, request->reader.text);
		return true;
	case HTTP_MORE:
		break;
	}
	if (http_reader_has_head(&request->reader))
		watch_body(conn);
	return false;
}

static void
discard(struct http_conn *conn)
{
	char bytes[16384];
	ssize_t got = recv(conn->fd, bytes, sizeof(bytes), 0);
	if (got > 0)
		conn->lingered += (uint32_t)got;
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) || conn->lingered > LINGER_BYTES)
		http_conn_drop(conn);
}

static void
receive(struct http_conn *conn)
{
	if (conn->request == NULL) {
		conn->request = http_request_take(conn->http, conn);
		if (conn->request == NULL) {
			http_conn_drop(conn);
			return;
		}
	}
	struct http_request *request = conn->request;
	size_t want = http_reader_missing(&request->reader, request->in.size);
	want = want < READ_LEAST ? READ_LEAST : want > READ_MOST ? READ_MOST : want;
	if (!http_request_reserve(request, want)) {
		refuse_now(conn, 503, "too_many_bodies", "too many large requests are being received");
		return;
	}
	size_t room = request->in.room - request->in.size;
	ssize_t got = recv(conn->fd, request->in.data + request->in.size, room, 0);
	if (got > 0) {
		request->in.size += (size_t)got;
		if (conn->state == CONN_IDLE)
			begin_request(conn);
		pump(conn);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		http_conn_drop(conn);
	} else if (conn->state == CONN_IDLE) {
		go_idle(conn);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *self)
{
	struct http_conn *conn = self;
	(void)fd;
	(void)what;
	http_stir(conn->http);
	if (conn->state == CONN_IDLE || conn->state == CONN_READING) {
		receive(conn);
	} else if (conn->state == CONN_LINGER) {
		discard(conn);
	} else {
		/* More, or the end, while an answer is due: look again when it is written. A long answer wants to know
		 * that nobody is there any more. */
		char byte;
		if (recv(conn->fd, &byte, 1, MSG_PEEK) == 0 && conn->request != NULL && conn->request->follow.waiting) {
			http_conn_drop(conn);
			return;
		}
		event_del(&conn->read);
		conn->read_paused = true;
	}
}

/* ---- writing ---- */

static size_t
fill_iovec(const struct http_request *request, struct iovec *iov)
{
	struct slice parts[3] = { buf_slice(&request->lead), request->body_out, request->tail };
	size_t skip = request->sent, count = 0;
	for (size_t i = 0; i < countof(parts); i++) {
		if (skip >= parts[i].size) {
			skip -= parts[i].size;
			continue;
		}
		iov[count].iov_base = (void *)(uintptr_t)(parts[i].data + skip);
		iov[count++].iov_len = parts[i].size - skip;
		skip = 0;
	}
	return count;
}

enum written { WRITTEN_ALL, WRITTEN_SOME, WRITTEN_BROKEN };

static enum written
write_some(struct http_conn *conn)
{
	struct http_request *request = conn->request;
	for (;;) {
		struct iovec iov[3];
		struct msghdr message = { .msg_iov = iov, .msg_iovlen = fill_iovec(request, iov) };
		if (message.msg_iovlen == 0)
			return WRITTEN_ALL;
		ssize_t put = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
		if (put < 0)
			return errno == EAGAIN ? WRITTEN_SOME : errno == EINTR ? WRITTEN_SOME : WRITTEN_BROKEN;
		request->sent += (size_t)put;
		conn->http->counters.bytes_out += (uint64_t)put;
		conn->deadline_ns = 0;
	}
}

static void
begin_linger(struct http_conn *conn)
{
	http_request_give_back(conn->request);
	conn->request = NULL;
	shutdown(conn->fd, SHUT_WR);
	set_state(conn, CONN_LINGER, http_now(conn->http) + LINGER_MS * MS);
	if (conn->read_paused) {
		conn->read_paused = false;
		event_add(&conn->read, NULL);
	}
}

/* The answer is out. */
static void
end_answer(struct http_conn *conn)
{
	struct http_request *request = conn->request;
	unsigned class = request->status / 100;
	conn->http->counters.answers[class < 6 ? class : 5]++;
	if (request->close) {
		begin_linger(conn);
		return;
	}
	http_request_next(request);
	if (conn->read_paused) {
		conn->read_paused = false;
		event_add(&conn->read, NULL);
	}
	if (request->in.size == 0)
		go_idle(conn);
	else
		begin_request(conn);
}

/* Gives false when the socket takes no more now. */
static bool
step_writing(struct http_conn *conn)
{
	struct http_request *request = conn->request;
	switch (write_some(conn)) {
	case WRITTEN_BROKEN:
		http_conn_drop(conn);
		return true;
	case WRITTEN_SOME:
		if (conn->deadline_ns == 0) {
			int64_t stall = http_now(conn->http) + (int64_t)conn->http->options.limits.write_stall_ms * MS;
			conn->deadline_ns = stall < conn->piece_end_ns ? stall : conn->piece_end_ns;
		}
		event_add(&conn->write, NULL);
		return false;
	case WRITTEN_ALL:
		break;
	}
	if (request->written != NULL) {
		set_state(conn, CONN_BUSY, 0);
		request->written(request);
	} else {
		end_answer(conn);
	}
	return true;
}

static void
on_writable(evutil_socket_t fd, short what, void *self)
{
	(void)fd;
	(void)what;
	struct http_conn *conn = self;
	if (conn->state == CONN_WRITING)
		pump(conn);
}

void
http_conn_send(struct http_request *request)
{
	struct http_conn *conn = request->conn;
	const struct http_limits *limits = &conn->http->options.limits;
	size_t size = request->lead.size + request->body_out.size + request->tail.size;
	must(conn->state == CONN_BUSY);
	set_state(conn, CONN_WRITING, 0);
	conn->piece_end_ns = INT64_MAX;
	if (size > 65536)
		conn->piece_end_ns = http_now(conn->http) +
				     (int64_t)(limits->write_stall_ms + size / 65536 * limits->body_ms_each_64k) * MS;
	if (!conn->pumping)
		pump(conn);
}

/* ---- moving along ---- */

static void
pump(struct http_conn *conn)
{
	bool going = true;
	conn->pumping = true;
	while (going && !conn->dead) {
		if (conn->state == CONN_READING)
			going = step_reading(conn);
		else if (conn->state == CONN_WRITING)
			going = step_writing(conn);
		else
			going = false;
	}
	conn->pumping = false;
	if (conn->dead)
		conn_free(conn);
}

void
http_conn_open(struct http *http, int fd, bool admin, struct http_address_count *address)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));
	if (conn == NULL) {
		close(fd);
		http_address_release(http, address);
		return;
	}
	conn->http = http;
	conn->fd = fd;
	conn->admin = admin;
	conn->address = address;
	conn->next = http->conns;
	if (conn->next != NULL)
		conn->next->link = &conn->next;
	conn->link = &http->conns;
	http->conns = conn;
	http->conn_count++;
	event_assign(&conn->read, http->base, fd, EV_READ | EV_PERSIST, on_readable, conn);
	event_assign(&conn->write, http->base, fd, EV_WRITE, on_writable, conn);
	if (event_add(&conn->read, NULL) != 0)
		http_conn_drop(conn);
	else
		go_idle(conn);
}

/* ---- deadlines ---- */

static bool
body_too_slow(const struct http_conn *conn, int64_t now_ns)
{
	const struct http_limits *limits = &conn->http->options.limits;
	const struct http_request *request = conn->request;
	int64_t spent_ns = now_ns - conn->begun_ns;
	if (conn->state != CONN_READING || !conn->continued || spent_ns < (int64_t)limits->body_rate_after_ms * MS)
		return false;
	uint64_t got = request->in.size - request->reader.head_size;
	return got < limits->body_rate * (uint64_t)(spent_ns / MS) / 1000;
}

static void
time_out(struct http_conn *conn)
{
	conn->http->counters.timed_out++;
	if (conn->state != CONN_READING) {
		http_conn_drop(conn);
		return;
	}
	refuse_now(conn, 408, "timeout", "the request did not come in time");
}

void
http_conn_sweep(struct http *http, int64_t now_ns)
{
	struct http_conn *next;
	bool cut = http->draining && now_ns >= http->drain_end_ns;
	for (struct http_conn *conn = http->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (cut || (http->draining && conn->state == CONN_IDLE))
			http_conn_drop(conn);
		else if ((conn->deadline_ns != 0 && now_ns >= conn->deadline_ns) || body_too_slow(conn, now_ns))
			time_out(conn);
	}
}
