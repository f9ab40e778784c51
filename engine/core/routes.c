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

bool
routes_match(struct domain *const *domains, size_t count, struct slice method, struct slice path,
	     struct route_match *match)
{
	uint32_t best = 0;
	bool found = false;

	memset(match, 0, sizeof(*match));
	for (size_t i = 0; i < count; i++) {
		const struct script_program *program = domains[i]->program;

		for (size_t j = 0; j < program->route_count; j++) {
			const struct script_route *route = &program->routes[j];
			struct route_match one = { .program = program, .route = route };
			uint32_t literal;

			if (!path_matches(route->path, path, &one, &literal))
				continue;
			allow(match, route->method);
			if (!method_matches(route->method, method) || (found && literal <= best))
				continue;
			memcpy(one.allow, match->allow, sizeof(one.allow));
			*match = one;
			best = literal;
			found = true;
		}
	}
	match->wrong_method = !found && match->allow[0] != '\0';
	return found;
}
