/* SPDX-License-Identifier: MIT */
#include "daemon/admin_relay.h"

#include "base/json.h"
#include "core/relay.h"
#include "daemon/admin.h"

int
admin_relay(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;

	(void)fault;
	engine_relay_status(admin->engine, call->out);
	return 0;
}

static int
read_body(struct slice body, uint64_t *from, bool *incarnation, struct fault *fault)
{
	struct json_value object, item;
	struct json_iter iter;
	struct slice key;

	*from = RELAY_FIND;
	*incarnation = false;
	if (body.size == 0)
		return 0;
	if (json_check(body, &object, fault) != 0)
		return -1;
	if (object.kind != JSON_OBJECT)
		return fault_set(fault, FAULT_INPUT, "bad_body", "the body is a JSON object");
	json_iter(&iter, object);
	while (json_next(&iter, &key, &item)) {
		if (slice_equal(key, SLICE("from")) && json_to_u64(item, from) && *from != RELAY_FIND)
			continue;
		if (!slice_equal(key, SLICE("new_incarnation")) || item.kind < JSON_FALSE || item.kind > JSON_TRUE)
			return fault_set(fault, FAULT_INPUT, "bad_body",
					 "the body has \"from\", a position, and \"new_incarnation\", true or false");
		*incarnation = item.kind == JSON_TRUE;
	}
	return 0;
}

int
admin_relay_order(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	struct relay *relay = engine_relay(admin->engine);
	size_t prefix = strlen("/admin/relay/");
	struct slice order = slice_from(call->path.data + prefix, call->path.size - prefix);
	bool incarnation;
	uint64_t from;

	if (relay == NULL)
		return fault_set(fault, FAULT_INPUT, "no_relay", "there is no relay: nothing is sent");
	if (slice_equal(order, SLICE("pause")))
		relay_pause(relay, true);
	else if (slice_equal(order, SLICE("resume")))
		relay_pause(relay, false);
	else if (!slice_equal(order, SLICE("rebuild")))
		return fault_set(fault, FAULT_INPUT, "no_such_order", "there is no order \"%.*s\"", SLICE_ARG(order));
	else if (read_body(call->body, &from, &incarnation, fault) != 0)
		return -1;
	else
		relay_rebuild(relay, from, incarnation);
	engine_relay_status(admin->engine, call->out);
	return 0;
}
