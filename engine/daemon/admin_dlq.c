/* SPDX-License-Identifier: MIT */
#include "daemon/admin_dlq.h"

#include "base/json.h"
#include "core/orders.h"
#include "daemon/admin.h"

struct dlq_body {
	struct buf reactor;
	struct buf letter; /* empty: all */
};

static int
read_body(struct slice text, struct dlq_body *body, struct fault *fault)
{
	struct json_value object, item;
	struct json_iter iter;
	struct slice key;

	if (json_check(text, &object, fault) != 0)
		return -1;
	json_iter(&iter, object);
	while (object.kind == JSON_OBJECT && json_next(&iter, &key, &item)) {
		bool reactor = slice_equal(key, SLICE("reactor"));

		if (item.kind != JSON_STRING || (!reactor && !slice_equal(key, SLICE("letter"))))
			return fault_set(fault, FAULT_INPUT, "bad_body",
					 "the body has \"reactor\", a text, and may have \"letter\"");
		json_decode(item, reactor ? &body->reactor : &body->letter);
	}
	if (body->reactor.size == 0)
		return fault_set(fault, FAULT_INPUT, "bad_body", "the body names a \"reactor\": domain.name");
	return 0;
}

static const char *const orders[] = { [CONSUMER_RETRY] = "retry", [CONSUMER_DROP] = "drop", [CONSUMER_SKIP] = "skip" };

int
admin_dlq(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	size_t prefix = strlen("/admin/dlq/");
	struct slice order = slice_from(call->path.data + prefix, call->path.size - prefix);
	struct orders_outcome outcome;
	struct dlq_body body;
	size_t wish = 0;
	int result = -1;

	while (wish < countof(orders) && !slice_equal(order, slice_text(orders[wish])))
		wish++;
	if (wish == countof(orders))
		return fault_set(fault, FAULT_INPUT, "no_such_order", "there is no order \"%.*s\"", SLICE_ARG(order));
	buf_init(&body.reactor, 1024);
	buf_init(&body.letter, 4096);
	if (read_body(call->body, &body, fault) != 0)
		goto out;
	if (wish == CONSUMER_SKIP && body.letter.size != 0) {
		fault_set(fault, FAULT_INPUT, "bad_body", "what is skipped is no dead letter: name the reactor alone");
		goto out;
	}
	if (engine_dead_letters(admin->engine, buf_slice(&body.reactor), (enum consumer_wish)wish,
				buf_slice(&body.letter), &outcome, fault) == 0) {
		buf_format(call->out, "{\"settled\":%llu,\"failed\":%llu}", (unsigned long long)outcome.settled,
			   (unsigned long long)outcome.failed);
		result = 0;
	}
out:
	buf_fini(&body.reactor);
	buf_fini(&body.letter);
	return result;
}
