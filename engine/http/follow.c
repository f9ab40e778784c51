/* SPDX-License-Identifier: MIT */
/*
 * The log over HTTP: one page as JSON; the whole of it as lines; and both lines and server-sent events that go on with
 * the log as it grows.
 *
 * A long answer has two buffers: while one page is being written the next is being read. It never holds more than these
 * two, and asks for nothing while the client takes nothing: a client that stops reading is cut by the write deadline.
 * At the head a follower waits in a list, and one watch of the engine wakes them all.
 *
 * Fails: before the first byte with a problem document; after it by closing without the last chunk, so that the client
 * cannot take a broken answer for a whole one.
 */
#include "base/json.h"
#include "http/ask.h"
#include "http/conn.h"
#include "http/handlers.h"
#include "http/reply.h"

#define PAGE_ENTRIES  100
#define PAGE_MOST     1000
#define NO_LIMIT      UINT64_MAX
#define LONG_ENTRIES  4096
#define LONG_BYTES    ((size_t)512 * 1024)
#define KEEP_ALIVE_NS 15000000000LL

static void advance(struct http_request *request);

/* ---- one page ---- */

static void
answer_page(struct http_request *request)
{
	const struct engine_read *read = &request->ask.read;
	if (read->outcome != OUTCOME_ACCEPTED) {
		http_reply_fault(request, &read->fault);
	} else if (request->text.failed) {
		http_reply_error(request, 422, "answer_too_large", "the page is too large; ask for fewer entries");
	} else {
		struct http_answer answer = { .status = 200,
					      .content_type =
						      read->ndjson ? "application/x-ndjson" : "application/json",
					      .body = buf_slice(&request->text),
					      .no_store = true,
					      .position = read->next };
		http_reply(request, &answer);
	}
	http_conn_send(request);
}

/* ---- pieces of a long answer ---- */

/* "id", "event" and "data" of each line; the line's own members tell. */
static void
lines_to_events(struct slice lines, struct buf *out)
{
	while (lines.size > 0) {
		const char *end = memchr(lines.data, '\n', lines.size);
		size_t size = end != NULL ? (size_t)(end - lines.data) : lines.size;
		struct json_value whole = { JSON_OBJECT, slice_from(lines.data, size) }, member;
		if (json_member(whole, SLICE("position"), &member)) {
			buf_add(out, SLICE("id: "));
			buf_add(out, member.raw);
		}
		if (json_member(whole, SLICE("type"), &member) && member.raw.size > 2) {
			buf_add(out, SLICE("\nevent: "));
			buf_add(out, slice_from(member.raw.data + 1, member.raw.size - 2));
		}
		buf_add(out, SLICE("\ndata: "));
		buf_add(out, whole.raw);
		buf_add(out, SLICE("\n\n"));
		size_t step = end != NULL ? size + 1 : size;
		lines = slice_from(lines.data + step, lines.size - step);
	}
}

static void
after_piece(struct http_request *request)
{
	request->follow.sending = false;
	request->follow.spoke_ns = http_now(request->http);
	buf_clear(&request->lead);
	advance(request);
}

/* Writes `piece` after what stands in lead (the answer's head, once). */
static void
send_piece(struct http_request *request, struct slice piece)
{
	if (request->reader.minor >= 1) {
		buf_format(&request->lead, "%zx\r\n", piece.size);
		request->tail = SLICE("\r\n");
	}
	request->body_out = piece;
	request->sent = 0;
	request->follow.sending = true;
	request->written = after_piece;
	http_conn_send(request);
}

static void
send_end(struct http_request *request)
{
	if (request->reader.minor >= 1)
		buf_add(&request->lead, SLICE("0\r\n\r\n"));
	request->close = request->close || request->http->draining;
	request->body_out = request->tail = SLICE_NONE;
	request->sent = 0;
	request->written = NULL;
	http_conn_send(request);
}

static void
page_came(struct http_request *request)
{
	struct http_follow *follow = &request->follow;
	const struct engine_read *read = &request->ask.read;
	follow->asked = false;
	if (follow->asking) { /* not even taken: see ask_page */
		follow->refused = true;
		return;
	}
	if (read->outcome == OUTCOME_ACCEPTED && !follow->page.failed) {
		follow->ready = true;
		if (!follow->sending)
			advance(request);
		return;
	}
	if (request->status == 0) {
		http_reply_fault(request, &read->fault);
		http_conn_send(request);
	} else {
		http_conn_drop(request->conn);
	}
}

/* false when the engine did not take it. */
static bool
ask_page(struct http_request *request)
{
	struct engine_read *read = &request->ask.read;
	uint64_t half = request->http->options.limits.subscriber_bytes / 2;
	memset(read, 0, sizeof(*read));
	buf_clear(&request->follow.page);
	arena_clear(&request->arena);
	read->kind = READ_LOG;
	read->from = request->follow.from;
	read->limit = LONG_ENTRIES;
	read->bytes = half < LONG_BYTES ? (size_t)half : LONG_BYTES;
	read->domain = request->follow.domain;
	read->published_only = request->follow.published;
	read->ndjson = true;
	read->upcast = request->follow.upcast;
	read->out = &request->follow.page;
	request->follow.asked = request->follow.asking = true;
	request->follow.refused = false;
	http_ask_read(request, page_came);
	request->follow.asking = false;
	return !request->follow.refused;
}

/* The same; one who is not taken now tries again with the next tick. */
static void
ask_page_or_wait(struct http_request *request)
{
	if (!ask_page(request))
		http_request_list(request);
}

static void
wait_for_growth(struct http_request *request)
{
	struct http *http = request->http;
	if (!http->watching) {
		engine_watch_add(http->options.engine, &http->watch);
		http->watching = true;
	}
	engine_watch_arm(http->options.engine, &http->watch);
	if (engine_head(http->options.engine) > request->follow.from)
		ask_page_or_wait(request);
	else
		http_request_list(request);
}

static void
begin_answer(struct http_request *request)
{
	const char *type = request->follow.events ? "text/event-stream" : "application/x-ndjson";
	struct http_answer answer = { .status = 200, .content_type = type, .chunked = true, .no_store = true };
	http_reply(request, &answer);
}

static void
take_page(struct http_request *request)
{
	struct http_follow *follow = &request->follow;
	struct buf page = follow->page;
	follow->ready = false;
	follow->page = request->text;
	request->text = page;
	follow->ended = request->ask.read.entries == 0;
	follow->from = request->ask.read.next;
	if (!follow->events || follow->ended)
		return;
	struct buf *events = &follow->page;
	buf_clear(events);
	lines_to_events(buf_slice(&request->text), events);
	page = request->text;
	request->text = *events;
	*events = page;
}

/* The conn is BUSY: send what is there, ask for what is not, wait or end at the head. */
static void
advance(struct http_request *request)
{
	struct http_follow *follow = &request->follow;
	if (!follow->ready) {
		if (!follow->asked)
			ask_page_or_wait(request);
		return;
	}
	take_page(request);
	bool first = request->status == 0;
	if (first)
		begin_answer(request);
	if (request->head_only || (follow->ended && (!follow->live || request->http->draining))) {
		if (request->head_only) {
			request->written = NULL;
			http_conn_send(request);
		} else {
			send_end(request);
		}
		return;
	}
	if (!follow->ended) {
		(void)ask_page(request); /* when it is not taken, after_piece asks again */
		send_piece(request, buf_slice(&request->text));
	} else if (first) {
		/* The client is to know at once that it is connected. */
		buf_clear(&request->text);
		buf_text(&request->text, follow->events ? ": following\n\n" : "\n");
		send_piece(request, buf_slice(&request->text));
	} else {
		wait_for_growth(request);
	}
}

void
http_follow_grown(struct http *http)
{
	for (struct http_request *request = http->followers, *next; request != NULL; request = next) {
		next = request->follow.next_waiting;
		http_request_unlist(request);
		if (http->draining)
			send_end(request);
		else
			ask_page_or_wait(request);
	}
}

void
http_follow_keep_alive(struct http *http, int64_t now_ns)
{
	for (struct http_request *request = http->followers, *next; request != NULL; request = next) {
		next = request->follow.next_waiting;
		if (request->follow.refused) {
			http_request_unlist(request);
			ask_page_or_wait(request);
		} else if (now_ns - request->follow.spoke_ns >= KEEP_ALIVE_NS) {
			http_request_unlist(request);
			buf_clear(&request->text);
			buf_text(&request->text, request->follow.events ? ":\n\n" : "\n");
			send_piece(request, buf_slice(&request->text));
		}
	}
}

/* ---- the request ---- */

static int
take_after(struct http_request *request, struct fault *fault)
{
	size_t count;
	struct slice last = http_request_field(request, "last-event-id", &count);
	request->follow.from = 0;
	if (count > 1 || (count == 1 && !slice_to_u64(last, &request->follow.from)))
		return fault_set(fault, FAULT_INPUT, "bad_header", "Last-Event-ID must be one log position");
	return http_request_take_number(request, "after", &request->follow.from, fault);
}

/* A word alone means yes. */
static int
take_yes(struct http_request *request, const char *name, bool *yes, struct fault *fault)
{
	struct slice word;
	*yes = false;
	if (!http_request_take_param(request, name, &word))
		return 0;
	*yes = slice_equal(word, SLICE("true")) || word.size == 0;
	if (!*yes && !slice_equal(word, SLICE("false")))
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "%s is true or false", name);
	return 0;
}

static int
take_log_params(struct http_request *request, uint64_t *limit, struct fault *fault)
{
	struct slice word;
	struct http_follow *follow = &request->follow;
	if (http_request_parse_query(request, fault) != 0 || take_after(request, fault) != 0 ||
	    http_request_take_number(request, "limit", limit, fault) != 0)
		return -1;
	if (*limit != NO_LIMIT && (*limit < 1 || *limit > PAGE_MOST))
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "limit must be 1 to %d", PAGE_MOST);
	follow->domain = SLICE_NONE;
	if (http_request_take_param(request, "domain", &word)) {
		if (!stream_word_ok(word))
			return fault_set(fault, FAULT_INPUT, "bad_parameter", "domain is not a domain's name");
		/* Where neither the arena, which each page clears, nor anything else takes it away. */
		memcpy(follow->domain_text, word.data, word.size);
		follow->domain = slice_from(follow->domain_text, word.size);
	}
	if (take_yes(request, "follow", &follow->live, fault) != 0 ||
	    take_yes(request, "published", &follow->published, fault) != 0 ||
	    http_request_take_switch(request, "upcast", &follow->upcast, fault) != 0)
		return -1;
	return http_request_no_params(request, fault);
}

void
http_log(struct http_request *request)
{
	struct http_follow *follow = &request->follow;
	struct fault fault = { 0 };
	uint64_t limit = NO_LIMIT;
	if (take_log_params(request, &limit, &fault) != 0) {
		http_reply_fault(request, &fault);
		http_conn_send(request);
		return;
	}
	bool json = http_request_accepts(request, "application/json");
	bool lines = http_request_accepts(request, "application/x-ndjson");
	follow->events = !json && !lines && http_request_accepts(request, "text/event-stream");
	follow->live = follow->live || follow->events;
	if (!json && !lines && !follow->events) {
		http_reply_error(request, 406, "not_acceptable",
				 "the log comes as application/json, application/x-ndjson or text/event-stream");
		http_conn_send(request);
		return;
	}
	if (follow->upcast && follow->live) {
		/* A client that goes on after a position would lose the rest of an event's pieces. */
		http_reply_error(request, 400, "bad_parameter",
				 "upcast=1 is for pages and whole logs, not for following");
		http_conn_send(request);
		return;
	}
	if (follow->live && limit != NO_LIMIT) {
		http_reply_error(request, 400, "bad_parameter", "limit is of a page: who follows gets all that comes");
		http_conn_send(request);
		return;
	}
	request->status = 0;
	if (follow->live || (!json && limit == NO_LIMIT)) {
		if (!ask_page(request)) {
			http_reply_fault(request, &request->ask.read.fault);
			http_conn_send(request);
		}
		return;
	}
	struct engine_read *read = &request->ask.read;
	memset(read, 0, sizeof(*read));
	buf_clear(&request->text);
	read->kind = READ_LOG;
	read->from = follow->from;
	read->limit = limit != NO_LIMIT ? (size_t)limit : PAGE_ENTRIES;
	read->domain = follow->domain;
	read->published_only = follow->published;
	read->ndjson = !json;
	read->upcast = follow->upcast;
	read->out = &request->text;
	http_ask_read(request, answer_page);
}
