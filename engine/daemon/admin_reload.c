/* SPDX-License-Identifier: MIT */
#include "daemon/admin_reload.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "daemon/ask.h"

#define ARENA_MAX  ((size_t)256 << 20)
#define REPORT_MAX ((size_t)16 << 20)

static const char *const answers[] = { [RELOAD_DONE] = "done",
				       [RELOAD_UNCHANGED] = "unchanged",
				       [RELOAD_PLANNED] = "planned",
				       [RELOAD_REFUSED] = "refused",
				       [RELOAD_FAILED] = "failed" };

static bool
is_refusal(const struct engine_reload *reload)
{
	return reload->answer == RELOAD_REFUSED || reload->answer == RELOAD_FAILED;
}

/* ---- the body ---- */

static int
flag_member(struct json_value object, const char *key, bool *flag, struct fault *fault)
{
	struct json_value member;

	if (!json_member(object, slice_text(key), &member))
		return 0;
	if (member.kind != JSON_TRUE && member.kind != JSON_FALSE)
		return fault_set(fault, FAULT_INPUT, "bad_body", "\"%s\" is true or false", key);
	*flag = member.kind == JSON_TRUE;
	return 0;
}

static int
text_member(struct json_value object, const char *key, struct arena *arena, struct slice *text, struct fault *fault)
{
	struct json_value member;
	struct buf decoded;

	if (!json_member(object, slice_text(key), &member))
		return 0;
	if (member.kind != JSON_STRING)
		return fault_set(fault, FAULT_INPUT, "bad_body", "\"%s\" is text", key);
	buf_init(&decoded, member.raw.size + 1);
	json_decode(member, &decoded);
	*text = arena_copy(arena, buf_slice(&decoded));
	buf_fini(&decoded);
	return text->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for \"%s\"", key);
}

static int
check_members(struct json_value object, struct fault *fault)
{
	static const char *const known[] = { "domain", "all", "partial", "shadow", "specs", "accept" };
	struct json_iter iter;
	struct json_value item;
	struct slice key;

	json_iter(&iter, object);
	while (json_next(&iter, &key, &item)) {
		size_t i = 0;

		while (i < countof(known) && !slice_equal(key, slice_text(known[i])))
			i++;
		if (i == countof(known))
			return fault_set(fault, FAULT_INPUT, "bad_body", "the body has no member \"%.*s\"",
					 SLICE_ARG(key));
	}
	return 0;
}

static int
read_body(struct slice body, struct engine_reload *reload, struct fault *fault)
{
	struct json_value object;
	bool shadow = true, specs = true;

	if (body.size == 0)
		return 0;
	if (json_check(body, &object, fault) != 0)
		return -1;
	if (object.kind != JSON_OBJECT)
		return fault_set(fault, FAULT_INPUT, "bad_body", "the body is a JSON object");
	if (check_members(object, fault) != 0 ||
	    text_member(object, "domain", reload->arena, &reload->domain, fault) != 0 ||
	    text_member(object, "accept", reload->arena, &reload->accept, fault) != 0 ||
	    flag_member(object, "all", &reload->all, fault) != 0 ||
	    flag_member(object, "partial", &reload->partial, fault) != 0 ||
	    flag_member(object, "shadow", &shadow, fault) != 0 || flag_member(object, "specs", &specs, fault) != 0)
		return -1;
	reload->no_shadow = !shadow;
	reload->no_specs = !specs;
	return 0;
}

/* ---- the answer ---- */

static void
write_report(const struct engine_reload *reload, struct slice domain, struct buf *out)
{
	json_comma(out);
	buf_format(out, "{\"answer\":\"%s\"", answers[reload->answer]);
	json_key(out, "domain");
	json_quote(out, domain);
	buf_format(out, ",\"stage\":\"%s\",\"generation\":%u", reload->stage, reload->generation);
	if (is_refusal(reload)) {
		json_key(out, "code");
		json_quote(out, slice_text(reload->fault.code));
		json_key(out, "detail");
		json_quote(out, slice_text(reload->fault.text));
	}
	if (reload->out->size != 0) {
		json_key(out, "report");
		buf_add(out, buf_slice(reload->out));
	}
	buf_byte(out, '}');
}

static void
ask_one(const struct admin *admin, const struct engine_reload *asked, struct slice domain, struct http_admin_call *call)
{
	struct engine_reload reload = *asked;
	struct buf report;

	buf_init(&report, REPORT_MAX);
	reload.domain = domain;
	reload.out = &report;
	ask_reload(admin->engine, &reload);
	write_report(&reload, domain, call->out);
	if (is_refusal(&reload))
		call->status = 422;
	buf_fini(&report);
}

int
admin_reload(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	struct arena arena;
	struct engine_reload reload = {
		.arena = &arena,
		.what = slice_equal(call->path, SLICE("/admin/plan"))       ? RELOAD_PLAN
			: slice_equal(call->path, SLICE("/admin/rollback")) ? RELOAD_BACK
									    : RELOAD_TAKE,
	};
	struct slice name;

	arena_init(&arena, ARENA_MAX);
	if (read_body(call->body, &reload, fault) != 0) {
		arena_fini(&arena);
		return -1;
	}
	if (reload.what == RELOAD_BACK && reload.domain.size == 0) {
		arena_fini(&arena);
		return fault_set(fault, FAULT_INPUT, "bad_body", "which domain goes back? {\"domain\":\"...\"}");
	}
	buf_byte(call->out, '[');
	if (reload.domain.size != 0)
		ask_one(admin, &reload, reload.domain, call);
	for (size_t i = 0; reload.domain.size == 0 && engine_domain(admin->engine, i, &name); i++)
		ask_one(admin, &reload, name, call);
	buf_byte(call->out, ']');
	arena_fini(&arena);
	return 0;
}

/* ---- SIGHUP ---- */

struct hangup {
	struct engine_reload reload;
	struct arena arena;
	struct buf report;
};

static _Atomic size_t hangups;

static void
hangup_done(struct engine_reload *reload)
{
	struct hangup *hangup = container_of(reload, struct hangup, reload);

	if (is_refusal(reload))
		log_line(LOG_ERROR, "the rules stay as they are", log_slice("domain", reload->domain),
			 log_text("stage", reload->stage), log_text("code", reload->fault.code),
			 log_text("text", reload->fault.text));
	else if (reload->answer == RELOAD_UNCHANGED)
		log_line(LOG_INFO, "the folder holds what is active", log_slice("domain", reload->domain));
	buf_fini(&hangup->report);
	arena_fini(&hangup->arena);
	free(hangup);
	atomic_fetch_sub(&hangups, 1);
}

void
admin_reload_all(struct engine *engine)
{
	struct slice name;
	size_t count = 0;

	while (engine_domain(engine, count, &name))
		count++;
	/* More than one a domain: one of each has not begun yet, and will see what this signal is about. */
	if (atomic_load(&hangups) > count)
		return;
	for (size_t i = 0; engine_domain(engine, i, &name); i++) {
		struct hangup *hangup = calloc(1, sizeof(*hangup));

		if (hangup == NULL)
			return;
		arena_init(&hangup->arena, ARENA_MAX);
		buf_init(&hangup->report, REPORT_MAX);
		hangup->reload = (struct engine_reload){ .what = RELOAD_TAKE,
							 .domain = name,
							 .arena = &hangup->arena,
							 .out = &hangup->report,
							 .done = hangup_done };
		atomic_fetch_add(&hangups, 1);
		if (!engine_reload(engine, &hangup->reload))
			hangup_done(&hangup->reload);
	}
}
