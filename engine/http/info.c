/* SPDX-License-Identifier: MIT */
/* What the server tells about itself: alive, ready, figures, interface; and the domains' fixed texts. */
#include "base/json.h"
#include "http/conn.h"
#include "http/handlers.h"
#include "http/reply.h"

void
http_healthz(struct http_request *request)
{
	buf_clear(&request->text);
	buf_add(&request->text, SLICE("{\"status\":\"ok\"}"));
	http_reply_json(request, 200);
	http_conn_send(request);
}

void
http_readyz(struct http_request *request)
{
	struct http *http = request->http;
	buf_clear(&request->text);
	bool ready = engine_ready(http->options.engine, &request->text) && !http->draining;
	http_reply_json(request, ready ? 200 : 503);
	http_conn_send(request);
}

static void
counter(struct buf *out, const char *name, const char *kind, uint64_t value)
{
	buf_format(out, "# TYPE moonlog_http_%s %s\nmoonlog_http_%s%s %llu\n", name, kind, name,
		   strcmp(kind, "counter") == 0 ? "_total" : "", (unsigned long long)value);
}

static void
server_metrics(const struct http *http, struct buf *out)
{
	const struct http_counters *counters = &http->counters;
	counter(out, "connections", "gauge", http->conn_count);
	counter(out, "commands_in_flight", "gauge", http->commands_inside);
	counter(out, "reads_in_flight", "gauge", http->reads_inside);
	counter(out, "accepted", "counter", counters->accepted);
	counter(out, "turned_away", "counter", counters->turned_away);
	counter(out, "refused", "counter", counters->refused);
	counter(out, "timed_out", "counter", counters->timed_out);
	counter(out, "sent_bytes", "counter", counters->bytes_out);
	buf_text(out, "# TYPE moonlog_http_answers counter\n");
	for (unsigned class = 2; class <= 5; class ++)
		buf_format(out, "moonlog_http_answers_total{class=\"%uxx\"} %llu\n", class,
			   (unsigned long long)counters->answers[class]);
}

void
http_metrics(struct http_request *request)
{
	struct buf *out = &request->text;
	buf_clear(out);
	server_metrics(request->http, out);
	engine_metrics(request->http->options.engine, out);
	struct http_answer answer = { .status = 200,
				      .content_type = "text/plain; version=0.0.4; charset=utf-8",
				      .body = buf_slice(out) };
	http_reply(request, &answer);
	http_conn_send(request);
}

void
http_openapi(struct http_request *request)
{
	buf_clear(&request->text);
	engine_openapi(request->http->options.engine, &request->text);
	http_reply_json(request, 200);
	http_conn_send(request);
}

void
http_asyncapi(struct http_request *request)
{
	buf_clear(&request->text);
	engine_asyncapi(request->http->options.engine, &request->text);
	http_reply_json(request, 200);
	http_conn_send(request);
}

void
http_root(struct http_request *request)
{
	struct http_answer answer = {
		.status = 200,
		.content_type = "text/plain; charset=utf-8",
		.body = SLICE("moonlog " MOONLOG_VERSION "\n\n"
			      "POST /commands/{domain}/{aggregate}/{id}/{Command}\n"
			      "GET  /state/{domain}/{aggregate}/{id}?at=\n"
			      "GET  /streams/{domain}.{aggregate}/{id}?from=&limit=\n"
			      "GET  /queries/{domain}/{query}\n"
			      "GET  /views/{domain}/{Table}\n"
			      "GET  /log?after=&limit=&domain=\n"
			      "GET  /openapi.json /asyncapi.json /healthz /readyz /metrics\n"),
	};
	http_reply(request, &answer);
	http_conn_send(request);
}

void
http_health_route(struct http_request *request)
{
	struct http *http = request->http;
	struct buf *out = &request->text;
	char now[CLOCK_TEXT_SIZE];
	bool ready = engine_ready(http->options.engine, &request->lead) && !http->draining;
	clock_format(clock_wall_us(http->options.clock), now);
	buf_clear(out);
	buf_format(out, "{\"status\":\"%s\",\"service\":", ready ? "Healthy" : "Unhealthy");
	json_quote(out, request->match.program->domain);
	buf_format(out, ",\"timestamp\":\"%s\",\"environment\":", now);
	json_quote(out, http->options.environment.size > 0 ? http->options.environment : SLICE("production"));
	buf_byte(out, '}');
	http_reply_json(request, ready ? 200 : 503);
	http_conn_send(request);
}

void
http_text_route(struct http_request *request)
{
	const struct script_route *route = request->match.route;
	struct slice type = route->content_type.size > 0 ? route->content_type : SLICE("text/plain; charset=utf-8");
	struct slice copy = arena_copy(&request->arena, type);
	char *text = arena_text(&request->arena, copy);
	struct http_answer answer = { .status = route->status != 0 ? route->status : 200,
				      .content_type = text != NULL ? text : "text/plain; charset=utf-8",
				      .body = route->text };
	http_reply(request, &answer);
	http_conn_send(request);
}
