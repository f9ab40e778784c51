/* SPDX-License-Identifier: MIT */
/* Matching of a request's method and path with the routes of the domains. */
#ifndef MOONLOG_CORE_ROUTES_H
#define MOONLOG_CORE_ROUTES_H

#include "core/domain.h"

/* The longest run of literal segments wins; then the domain added first. See engine_route. */
bool routes_match(struct domain *const *domains, size_t count, struct slice method, struct slice path,
		  struct route_match *match);
/* The route of the same method and path in other rules; NULL when there is none, or none was given. */
const struct script_route *routes_same(const struct script_program *program, const struct script_route *route);

#endif
