/* SPDX-License-Identifier: MIT */
/* What is told of projections and of the read models made for them, and orders to projections. Any thread. */
#ifndef MOONLOG_CORE_PROJECTIONS_H
#define MOONLOG_CORE_PROJECTIONS_H

#include "core/domain.h"

/* The domain called so; NULL: there is none. */
struct domain *projections_domain(struct engine *engine, struct slice name);
/* engine_projections. */
int projections_list(struct engine *engine, struct arena *arena, struct projection_status **statuses, size_t *count,
		     struct fault *fault);
/* engine_builds. */
void projections_builds(struct engine *engine, struct buf *out);
/* An order, or a part to be made anew when `part` is not NULL. Fails: as projector_order, projector_rebuild_part. */
int projections_order(struct domain *domain, struct slice projection, enum projection_order order,
		      const struct projection_part *part, struct fault *fault);

#endif
