/* SPDX-License-Identifier: MIT */
/*
 * From target to handler: the server's own paths first, then the domains' routes. A path that exists with other methods
 * is 405 with Allow; nothing of the kind is 404.
 */
#include "http/conn.h"
#include "http/handlers.h"
#include "http/reply.h"

static const struct own_route {
	struct slice path;
	bool prefix;
	bool post; /* else GET and HEAD */
	bool bare; /* answers without an engine */
	void (*run)(struct http_request *request);
} own_routes[] = {
	{ SLICE("/commands/"), true, true, false, http_command },
	{ SLICE("/streams/"), true, false, false, http_read_stream },
	{ SLICE("/state/"), true, false, false, http_read_state },
	{ SLICE("/queries/"), true, false, false, http_read_query },
	{ SLICE("/views/"), true, false, false, http_read_table },
	{ SLICE("/log"), false, false, false, http_log },
	{ SLICE("/healthz"), false, false, true, http_healthz },
	{ SLICE("/readyz"), false, false, false, http_readyz },
	{ SLICE("/metrics"), false, false, false, http_metrics },
	{ SLICE("/openapi.json"), false, false, false, http_openapi },
	{ SLICE("/asyncapi.json"), false, false, false, http_asyncapi },
};

static void
refuse(struct http_request *request, uint16_t status, const char *code, const char *detail)
{
	http_reply_error(request, status, code, detail);
	http_conn_send(request);
}

static void
refuse_method(struct http_request *request, const char *allow)
{
	struct http_problem problem = { .status = 405,
					.code = SLICE("method_not_allowed"),
					.detail = SLICE("this path does not take this method"),
					.allow = allow };
	http_reply_problem(request, &problem);
	http_conn_send(request);
}

static void
run_domain_route(struct http_request *request)
{
	switch (request->match.route->target) {
	case TARGET_COMMAND:
		http_command_route(request);
		break;
	case TARGET_QUERY:
	case TARGET_STATE:
	case TARGET_HISTORY:
		http_read_route(request);
		break;
	case TARGET_HEALTH:
		http_health_route(request);
		break;
	case TARGET_TEXT:
		http_text_route(request);
		break;
	}
}

static void
find_domain_route(struct http_request *request)
{
	struct route_match *match = &request->match;
	memset(match, 0, sizeof(*match));
	if (engine_route(request->http->options.engine, request->method_text, request->path, match) &&
	    !match->wrong_method)
		run_domain_route(request);
	else if (match->wrong_method)
		refuse_method(request, match->allow);
	else if (slice_equal(request->path, SLICE("/")) && request->method == HTTP_GET)
		http_root(request);
	else
		refuse(request, 404, "no_such_resource", "there is nothing at this path");
}

static const struct own_route *
find_own_route(struct slice path)
{
	for (size_t i = 0; i < countof(own_routes); i++) {
		const struct own_route *route = &own_routes[i];
		if (route->prefix ? slice_starts_with(path, route->path) : slice_equal(path, route->path))
			return route;
	}
	return NULL;
}

bool
http_owns_path(struct slice path)
{
	return find_own_route(path) != NULL;
}

void
http_route(struct http_request *request)
{
	const struct engine *engine = request->http->options.engine;
	const struct own_route *route = find_own_route(request->path);
	if (route == NULL && engine == NULL)
		refuse(request, 404, "no_such_resource", "there is nothing at this path");
	else if (route == NULL)
		find_domain_route(request);
	else if (request->method != (route->post ? HTTP_POST : HTTP_GET) || (route->post && request->head_only))
		refuse_method(request, route->post ? "POST" : "GET, HEAD");
	else if (engine == NULL && !route->bare)
		refuse(request, 503, "not_ready", "the engine is not open");
	else
		route->run(request);
}
