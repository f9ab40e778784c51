/* SPDX-License-Identifier: MIT */
/*
 * Statuses are those of the rows that are read. What is being made beside them is told with them and by itself; it can
 * make nobody's rows bad, so it never counts for readiness.
 */
#include "core/projections.h"

#include "base/json.h"
#include "core/inside.h"

#define BUILD_MAX ((size_t)64 << 10) /* what is told of one projection's build */

struct domain *
projections_domain(struct engine *engine, struct slice name)
{
	for (size_t i = 0; i < engine->domain_count; i++)
		if (slice_equal(engine->domains[i]->name, name))
			return engine->domains[i];
	return NULL;
}

/* ---- what is being made ---- */

/* The slowest of its projections says how long it takes. */
static void
look_at_progress(struct engine *engine, struct domain *domain, struct arena *arena, struct told_progress *progress)
{
	struct projection_status *statuses;
	struct readside *made;
	struct fault fault;
	int64_t since_ns;
	size_t count;

	*progress = (struct told_progress){ .known = false };
	made = domain_hold_aside(domain, &domain->building, &since_ns);
	if (made != NULL && made->projector != NULL &&
	    projector_status(made->projector, arena, &statuses, &count, &fault) == 0 && count != 0) {
		*progress = (struct told_progress){ .known = true,
						    .position = readside_position(made, engine->parts.store),
						    .head = store_head(engine->parts.store) };
		for (size_t i = 0; i < count; i++) {
			if (i == 0 || statuses[i].position < progress->position)
				progress->position = statuses[i].position;
			if (i == 0 || statuses[i].seconds_left > progress->seconds_left) {
				progress->seconds_left = statuses[i].seconds_left;
				progress->rate = statuses[i].rate;
			}
		}
	}
	readside_release(made);
}

/* ---- statuses ---- */

static int
add_builds(struct engine *engine, struct domain *domain, struct arena *arena, struct projection_status *statuses,
	   size_t count, struct fault *fault)
{
	struct told_progress progress;
	struct buf out;
	int result = 0;

	look_at_progress(engine, domain, arena, &progress);
	buf_init(&out, BUILD_MAX);
	for (size_t i = 0; i < count && result == 0; i++) {
		buf_clear(&out);
		told_write_projection(&domain->told, statuses[i].name, &progress, &out);
		statuses[i].build = SLICE_NONE;
		if (out.size == 0 || out.failed)
			continue;
		statuses[i].build = arena_copy(arena, buf_slice(&out));
		if (statuses[i].build.data == NULL)
			result = fault_set(fault, FAULT_MEMORY, "memory", "no memory for statuses");
	}
	buf_fini(&out);
	return result;
}

/* Adds a domain's statuses behind the first *count. */
static int
add_statuses(struct engine *engine, struct domain *domain, struct arena *arena, struct projection_status **statuses,
	     size_t *count, struct fault *fault)
{
	struct projection_status *some = NULL, *all;
	struct readside *readside;
	struct ruleset *rules;
	size_t some_count = 0;
	int result = 0;

	domain_hold_asked(domain, &rules, &readside);
	if (readside != NULL && readside->projector != NULL)
		result = projector_status(readside->projector, arena, &some, &some_count, fault);
	readside_release(readside);
	ruleset_release(rules);
	if (result != 0 || some_count == 0)
		return result;
	if (add_builds(engine, domain, arena, some, some_count, fault) != 0)
		return -1;
	all = arena_zero(arena, *count + some_count, sizeof(*all));
	if (all == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for statuses");
	if (*count != 0)
		memcpy(all, *statuses, *count * sizeof(*all));
	memcpy(all + *count, some, some_count * sizeof(*all));
	*statuses = all;
	*count += some_count;
	return 0;
}

int
projections_list(struct engine *engine, struct arena *arena, struct projection_status **statuses, size_t *count,
		 struct fault *fault)
{
	*count = 0;
	*statuses = NULL;
	for (size_t i = 0; i < engine->domain_count; i++)
		if (add_statuses(engine, engine->domains[i], arena, statuses, count, fault) != 0)
			return -1;
	return 0;
}

/* ---- builds ---- */

static void
write_readside(struct engine *engine, const struct readside *readside, const struct ruleset *rules, struct buf *out)
{
	buf_format(out, "{\"generation\":%u,\"position\":%llu", rules->generation,
		   (unsigned long long)readside_position(readside, engine->parts.store));
}

static void
write_live(struct engine *engine, struct domain *domain, struct buf *out)
{
	struct readside *readside;
	struct ruleset *rules;

	domain_hold_asked(domain, &rules, &readside);
	if (readside != NULL) {
		json_key(out, "live");
		write_readside(engine, readside, rules, out);
		buf_byte(out, '}');
	}
	readside_release(readside);
	ruleset_release(rules);
}

static void
write_kept(struct engine *engine, struct domain *domain, struct buf *out)
{
	char until[CLOCK_TEXT_SIZE];
	int64_t since_ns, age_us;
	struct readside *kept = domain_hold_aside(domain, &domain->kept, &since_ns);

	if (kept != NULL) {
		age_us = (clock_mono_ns(engine->parts.clock) - since_ns) / 1000;
		clock_format(clock_wall_us(engine->parts.clock) + engine->limits.keep_us - age_us, until);
		json_key(out, "kept");
		write_readside(engine, kept, kept->rules, out);
		json_key(out, "until");
		json_quote(out, slice_text(until));
		buf_byte(out, '}');
	}
	readside_release(kept);
}

void
projections_builds(struct engine *engine, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct domain *domain = engine->domains[i];
		struct told_progress progress;
		struct arena arena;

		arena_init(&arena, (size_t)4 << 20);
		json_comma(out);
		buf_text(out, "{\"domain\":");
		json_quote(out, domain->name);
		write_live(engine, domain, out);
		write_kept(engine, domain, out);
		look_at_progress(engine, domain, &arena, &progress);
		told_write(&domain->told, &progress, out);
		buf_byte(out, '}');
		arena_fini(&arena);
	}
	buf_byte(out, ']');
}

/* ---- orders ---- */

/* Kept rows of the same definition meet the same event: what leads the ones past it leads the others. */
static void
order_kept(struct domain *domain, const struct readside *live, struct slice name, enum projection_order order)
{
	int64_t since_ns;
	struct readside *kept = domain_hold_aside(domain, &domain->kept, &since_ns);
	int number = script_find_projection(live->rules->program, name);
	struct fault fault;

	if (kept != NULL && kept->projector != NULL && number >= 0 &&
	    !readside_differs(kept, live->rules, (size_t)number))
		(void)projector_order(kept->projector, name, order, &fault);
	readside_release(kept);
}

int
projections_order(struct domain *domain, struct slice projection, enum projection_order order,
		  const struct projection_part *part, struct fault *fault)
{
	struct readside *readside;
	struct ruleset *rules;
	int result;

	domain_hold_asked(domain, &rules, &readside);
	if (readside == NULL || readside->projector == NULL)
		result = fault_set(fault, FAULT_INPUT, "no_such_projection", "there is no projection %.*s.%.*s",
				   SLICE_ARG(domain->name), SLICE_ARG(projection));
	else if (part != NULL)
		result = projector_rebuild_part(readside->projector, projection, part, fault);
	else
		result = projector_order(readside->projector, projection, order, fault);
	if (result == 0 && (order == PROJECTION_RETRY || order == PROJECTION_SKIP))
		order_kept(domain, readside, projection, order);
	readside_release(readside);
	ruleset_release(rules);
	return result;
}
