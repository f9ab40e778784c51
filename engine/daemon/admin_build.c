/* SPDX-License-Identifier: MIT */
#include "daemon/admin_build.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "daemon/admin.h"
#include "daemon/ask.h"

#define ARENA_MAX  ((size_t)16 << 20)
#define REPORT_MAX ((size_t)1 << 20)

int
admin_builds(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;

	(void)fault;
	engine_builds(admin->engine, call->out);
	return 0;
}

/* ---- asking and waiting ---- */

static int
read_body(struct slice body, struct engine_reload *reload, struct fault *fault)
{
	struct json_value object, item;
	struct json_iter iter;
	struct slice key;

	if (json_check(body, &object, fault) != 0)
		return -1;
	if (object.kind != JSON_OBJECT)
		return fault_set(fault, FAULT_INPUT, "bad_body", "the body is a JSON object");
	json_iter(&iter, object);
	while (json_next(&iter, &key, &item)) {
		bool domain = slice_equal(key, SLICE("domain"));
		struct slice text;

		if (!domain && !slice_equal(key, SLICE("projection")))
			return fault_set(fault, FAULT_INPUT, "bad_body", "the body has no member \"%.*s\"",
					 SLICE_ARG(key));
		if (item.kind != JSON_STRING)
			return fault_set(fault, FAULT_INPUT, "bad_body", "\"%.*s\" is text", SLICE_ARG(key));
		/* Names need no escapes, so one that has some is no name. */
		text = slice_from(item.raw.data + 1, item.raw.size - 2);
		*(domain ? &reload->domain : &reload->projection) = text;
	}
	if (reload->domain.size == 0)
		return fault_set(fault, FAULT_INPUT, "bad_body", "the body lacks \"domain\"");
	return 0;
}

int
admin_rebuild(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	struct engine_reload reload = { .what = RELOAD_REBUILD, .out = call->out };
	struct arena arena;
	int result = -1;

	arena_init(&arena, ARENA_MAX);
	reload.arena = &arena;
	if (read_body(call->body, &reload, fault) == 0) {
		ask_reload(admin->engine, &reload);
		result = reload.answer == RELOAD_DONE ? 0 : -1;
		if (result != 0)
			*fault = reload.fault;
	}
	arena_fini(&arena);
	return result;
}

/* ---- an order ---- */

struct rebuild_order {
	struct engine_reload reload;
	struct arena arena;
	struct buf report;
};

static void
rebuild_free(struct rebuild_order *order)
{
	buf_fini(&order->report);
	arena_fini(&order->arena);
	free(order);
}

static void
rebuild_done(struct engine_reload *reload)
{
	if (reload->answer != RELOAD_DONE)
		log_fault(LOG_ERROR, "no rebuild", &reload->fault);
	rebuild_free(container_of(reload, struct rebuild_order, reload));
}

/* Is it one that is read? */
static int
check_name(struct engine *engine, struct slice domain, struct slice projection, struct arena *arena,
	   struct fault *fault)
{
	struct projection_status *statuses;
	size_t count;

	if (engine_projections(engine, arena, &statuses, &count, fault) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (slice_equal(statuses[i].domain, domain) && slice_equal(statuses[i].name, projection))
			return 0;
	return fault_set(fault, FAULT_INPUT, "no_such_projection", "there is no projection %.*s.%.*s",
			 SLICE_ARG(domain), SLICE_ARG(projection));
}

int
admin_rebuild_order(struct engine *engine, struct slice domain, struct slice projection, struct fault *fault)
{
	struct rebuild_order *order = calloc(1, sizeof(*order));

	if (order == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for an order");
	arena_init(&order->arena, ARENA_MAX);
	buf_init(&order->report, REPORT_MAX);
	order->reload = (struct engine_reload){ .what = RELOAD_REBUILD,
						.domain = arena_copy(&order->arena, domain),
						.projection = arena_copy(&order->arena, projection),
						.arena = &order->arena,
						.out = &order->report,
						.done = rebuild_done };
	if (order->reload.domain.data == NULL || order->reload.projection.data == NULL)
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for an order");
	else if (check_name(engine, domain, projection, &order->arena, fault) == 0) {
		if (engine_reload(engine, &order->reload))
			return 0;
		*fault = order->reload.fault;
	}
	rebuild_free(order);
	return -1;
}
