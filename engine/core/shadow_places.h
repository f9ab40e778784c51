/* SPDX-License-Identifier: MIT */
/* Where two states part, place by place: what a report shows of a difference, however large they are. */
#ifndef MOONLOG_CORE_SHADOW_PLACES_H
#define MOONLOG_CORE_SHADOW_PLACES_H

#include "base/arena.h"

#define SHADOW_PLACES_MAX 20 /* of one difference */

/*
 * A JSON list of {"path","before","after"}, the first ones in order of the keys; a member is missing where there is nothing
 * at the place, and is "before_bytes" or "after_bytes" where the value is too long to show. Both canonical. In `arena`;
 * empty where it cannot be made.
 */
struct slice shadow_places(struct slice before, struct slice after, struct arena *arena);

#endif
