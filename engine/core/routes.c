/* SPDX-License-Identifier: MIT */
/*
 * Routes are few, so they are tried one after the other, segment by segment, without any memory. Of several that
 * match, the one whose first differing segment is literal wins: /accounts/new before /accounts/{id}.
 */
#include "core/routes.h"

#include <stdio.h>

/* Cuts the next segment off `rest`, which starts at a slash. false at the end. */
static bool
next_segment(struct slice *rest, struct slice *segment)
{
	const char *end;

	if (rest->size == 0 || rest->data[0] != '/')
		return false;
	end = memchr(rest->data + 1, '/', rest->size - 1);
	*segment = slice_from(rest->data + 1, end != NULL ? (size_t)(end - rest->data) - 1 : rest->size - 1);
	*rest = slice_from(segment->data + segment->size, rest->size - 1 - segment->size);
	return true;
}

static bool
is_param(struct slice segment)
{
	return segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
}

static bool
ends_with(struct slice text, struct slice end)
{
	return text.size >= end.size && memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

/* A look at what stands before the first hole and behind the last one: of a path's routes few pass it. */
static bool
may_match(struct slice pattern, struct slice path)
{
	const char *hole = memchr(pattern.data, '{', pattern.size), *end = memrchr(pattern.data, '}', pattern.size);

	if (hole == NULL || end == NULL)
		return slice_equal(pattern, path);
	return slice_starts_with(path, slice_from(pattern.data, (size_t)(hole - pattern.data))) &&
	       ends_with(path, slice_from(end + 1, (size_t)(pattern.data + pattern.size - end) - 1));
}

/* *literal: a bit a segment, first segment highest, set where it is literal. */
static bool
path_matches(struct slice pattern, struct slice path, struct route_match *match, uint32_t *literal)
{
	struct slice want, got;
	uint32_t bit = 1u << 31;

	match->count = 0;
	*literal = 0;
	while (next_segment(&pattern, &want)) {
		if (!next_segment(&path, &got))
			return false;
		if (!is_param(want)) {
			if (!slice_equal(want, got))
				return false;
			*literal |= bit;
		} else {
			if (got.size == 0 || match->count == ROUTE_PARAM_MAX)
				return false;
			match->names[match->count] = slice_from(want.data + 1, want.size - 2);
			match->values[match->count++] = got;
		}
		bit >>= 1;
	}
	return path.size == 0 && pattern.size == 0;
}

static void
allow(struct route_match *match, struct slice method)
{
	size_t used = strlen(match->allow);

	if (strstr(match->allow, method.data) != NULL || used + method.size + 3 > sizeof(match->allow))
		return;
	if (used != 0)
		used += (size_t)snprintf(match->allow + used, sizeof(match->allow) - used, ", ");
	snprintf(match->allow + used, sizeof(match->allow) - used, "%.*s", SLICE_ARG(method));
}

/* HEAD is answered as GET is. */
static bool
method_matches(struct slice wanted, struct slice method)
{
	return slice_equal(wanted, method) || (slice_equal(method, SLICE("HEAD")) && slice_equal(wanted, SLICE("GET")));
}

/* Queries and what else belongs to the read side change over later than commands do. */
static bool
is_asked(const struct script_route *route)
{
	return route->target == TARGET_QUERY;
}

/* The best so far, and how it compares. */
struct search {
	struct route_match *match;
	struct slice method, path;
	uint32_t best;
	bool found;
};

static void
try_route(struct search *search, struct ruleset *rules, const struct script_route *route)
{
	struct route_match *match = search->match, one;
	uint32_t literal;

	if (!may_match(route->path, search->path))
		return;
	one = (struct route_match){ .program = rules->program, .route = route, .held = rules };
	if (!path_matches(route->path, search->path, &one, &literal))
		return;
	allow(match, route->method);
	if (!method_matches(route->method, search->method) || (search->found && literal <= search->best))
		return;
	memcpy(one.allow, match->allow, sizeof(one.allow));
	ruleset_hold(rules);
	ruleset_release(match->held);
	*match = one;
	search->best = literal;
	search->found = true;
}

static void
try_domain(struct search *search, struct domain *domain)
{
	struct ruleset *decides = domain_hold_rules(domain), *asked;
	struct readside *readside;

	domain_hold_asked(domain, &asked, &readside);
	for (size_t i = 0; i < decides->program->route_count; i++)
		if (decides == asked || !is_asked(&decides->program->routes[i]))
			try_route(search, decides, &decides->program->routes[i]);
	for (size_t i = 0; decides != asked && i < asked->program->route_count; i++)
		if (is_asked(&asked->program->routes[i]))
			try_route(search, asked, &asked->program->routes[i]);
	readside_release(readside);
	ruleset_release(asked);
	ruleset_release(decides);
}

bool
routes_match(struct domain *const *domains, size_t count, struct slice method, struct slice path,
	     struct route_match *match)
{
	struct search search = { .match = match, .method = method, .path = path };

	memset(match, 0, sizeof(*match));
	for (size_t i = 0; i < count; i++)
		try_domain(&search, domains[i]);
	match->wrong_method = !search.found && match->allow[0] != '\0';
	return search.found;
}

const struct script_route *
routes_same(const struct script_program *program, const struct script_route *route)
{
	for (size_t i = 0; route != NULL && i < program->route_count; i++)
		if (slice_equal(program->routes[i].method, route->method) &&
		    slice_equal(program->routes[i].path, route->path))
			return &program->routes[i];
	return NULL;
}
