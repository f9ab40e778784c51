/* SPDX-License-Identifier: MIT */
#include "core/plan.h"

#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "core/changes.h"
#include "core/shadow.h"
#include "core/shadow_rows.h"

/* Names the two sets of rules: what a person accepts is this change and no other. */
static void
plan_id(const struct ruleset *before, const struct ruleset *after, char id[PLAN_ID_SIZE])
{
	struct digest_state state;
	struct digest digest;

	digest_init(&state);
	digest_add_slice(&state, SLICE("moonlog.plan"));
	digest_add(&state, before->sources.hash.bytes, DIGEST_SIZE);
	digest_add(&state, after->sources.hash.bytes, DIGEST_SIZE);
	digest_end(&state, &digest);
	for (size_t i = 0; i < (PLAN_ID_SIZE - 1) / 2; i++)
		snprintf(id + 2 * i, 3, "%02x", digest.bytes[i]);
}

/* ---- the report ---- */

static void
json_member_of(struct buf *out, const char *key, struct slice json)
{
	json_key(out, key);
	if (json.size != 0)
		buf_add(out, json);
	else
		buf_text(out, "null");
}

static void
write_difference(const struct shadow_difference *difference, struct buf *out)
{
	json_comma(out);
	buf_byte(out, '{');
	json_put_text(out, "stream", difference->stream);
	json_put_u64(out, "version", difference->version);
	json_put_text(out, "type", difference->type);
	json_put_u64(out, "position", difference->position);
	json_key(out, "declared");
	buf_text(out, difference->declared ? "true" : "false");
	if (difference->raised.size != 0) {
		json_put_text(out, "raised", difference->raised);
	} else {
		json_member_of(out, "before", difference->before);
		json_member_of(out, "after", difference->after);
		json_member_of(out, "difference", difference->places);
	}
	buf_byte(out, '}');
}

static void
write_shadow(const struct shadow_result *result, struct buf *out)
{
	json_key(out, "history");
	buf_byte(out, '{');
	json_put_u64(out, "streams", result->streams);
	json_put_u64(out, "asked", result->asked);
	json_put_u64(out, "events", result->events);
	json_put_u64(out, "left_out", result->left_out);
	json_put_u64(out, "stopped", result->stopped);
	if (result->stopped != 0)
		json_put_text(out, "stopped_at", result->stopped_at);
	json_put_u64(out, "differing", result->differing);
	json_put_u64(out, "took_ms", (uint64_t)(result->took_us / 1000));
	json_key(out, "differences");
	buf_byte(out, '[');
	for (size_t i = 0; i < result->shown_count; i++)
		write_difference(&result->shown[i], out);
	buf_text(out, "]}");
}

static void
write_rows(const struct shadow_rows_result *rows, struct buf *out)
{
	json_key(out, "rows");
	buf_byte(out, '{');
	json_put_u64(out, "streams", rows->streams);
	json_put_u64(out, "asked", rows->asked);
	json_put_u64(out, "entries", rows->entries);
	json_key(out, "whole");
	buf_text(out, rows->whole ? "true" : "false");
	json_put_u64(out, "rows_differ", rows->rows_differ);
	json_put_u64(out, "took_ms", (uint64_t)(rows->took_us / 1000));
	if (rows->fault.class != FAULT_NONE)
		json_put_text(out, "unasked", slice_text(rows->fault.text));
	json_key(out, "projections");
	if (rows->projections.size != 0 && !rows->projections.failed)
		buf_add(out, buf_slice(&rows->projections));
	else
		buf_text(out, "[]");
	buf_byte(out, '}');
}

static void
write_changes(const struct ruleset *before, const struct ruleset *after, struct engine_reload *asked)
{
	struct change_side sides[] = { { &before->sources, before->program }, { &after->sources, after->program } };
	struct change *changes;
	struct fault ignored;
	size_t count;

	if (changes_find(&sides[0], &sides[1], asked->arena, &changes, &count, &ignored) != 0)
		return;
	json_key(asked->out, "changes");
	changes_write_json(changes, count, asked->out);
}

/* ---- the verdict ---- */

static bool
refuse(struct engine_reload *asked, const char *code, const char *text)
{
	fault_set(&asked->fault, FAULT_INPUT, code, "%s", text);
	asked->answer = RELOAD_REFUSED;
	asked->stage = "history";
	return false;
}

static bool
refuse_difference(struct engine_reload *asked, const struct shadow_result *result)
{
	const struct shadow_difference *first = &result->shown[0];
	char text[400];

	snprintf(text, sizeof(text),
		 "%llu of %llu streams would %s; the newest: %.*s version %llu (%.*s, position %llu)%s%.*s",
		 (unsigned long long)result->differing, (unsigned long long)result->streams,
		 first->raised.size != 0 ? "fail" : "have another state", SLICE_ARG(first->stream),
		 (unsigned long long)first->version, SLICE_ARG(first->type), (unsigned long long)first->position,
		 first->raised.size != 0 ? ": " : "", SLICE_ARG(first->raised));
	return refuse(asked, "history_differs", text);
}

static bool
refuse_undeclared(struct engine_reload *asked, const struct shadow_result *result)
{
	refuse_difference(asked, result);
	fault_prefix(&asked->fault, "raise state_version where a difference is meant");
	return false;
}

static bool
refuse_part(struct engine_reload *asked, const struct shadow_result *result)
{
	uint64_t left = result->streams - result->asked;
	char text[500], stopped[320] = "";

	if (result->stopped != 0)
		snprintf(stopped, sizeof(stopped), ", rules were stopped by a limit on %llu, as on %.*s",
			 (unsigned long long)result->stopped, SLICE_ARG(result->stopped_at));
	snprintf(text, sizeof(text), "%llu of %llu streams could be asked%s: %s--partial takes the rules so",
		 (unsigned long long)result->asked, (unsigned long long)result->streams, stopped,
		 left > result->stopped ? "--all asks all of them, " : "");
	return refuse(asked, "history_unasked", text);
}

static bool
refuse_projection(struct engine_reload *asked, const struct shadow_rows_result *rows, const char *id)
{
	char text[500];

	snprintf(text, sizeof(text), "%s; its rows could not be made: --accept %s takes the rules all the same",
		 rows->failed, id);
	return refuse(asked, "projection_fails", text);
}

/* What the policy "block" makes of it; false: asked->fault says why the rules may not be taken. */
static bool
stands(const struct shadow_result *result, const struct shadow_rows_result *rows, const char *id,
       struct engine_reload *asked)
{
	bool accepted = slice_equal(asked->accept, slice_text(id));

	if (result->undeclared != 0)
		return refuse_undeclared(asked, result);
	if (result->differing != 0 && !accepted) {
		refuse_difference(asked, result);
		fault_prefix(&asked->fault, "a declared difference wants --accept %s", id);
		return false;
	}
	if (rows->failing != 0 && rows->from_1 && !accepted)
		return refuse_projection(asked, rows, id);
	if (result->asked != result->streams && !asked->partial)
		return refuse_part(asked, result);
	return true;
}

/* Under "warn" what would refuse the rules is told at the top of the report, and in the log when they are taken. */
static bool
decide(const struct plan_policy *policy, const struct shadow_result *result, const struct shadow_rows_result *rows,
       const char *id, struct engine_reload *asked)
{
	if (asked->accept.size != 0 && !slice_equal(asked->accept, slice_text(id)))
		return refuse(asked, "other_plan", "the accepted plan is of another change: plan again");
	if (stands(result, rows, id, asked))
		return true;
	if (!policy->warn)
		return false;
	json_put_text(asked->out, "warned", slice_text(asked->fault.text));
	if (asked->what == RELOAD_TAKE)
		log_line(LOG_WARN, "the rules are taken although history speaks against them",
			 log_slice("domain", asked->domain), log_text("code", asked->fault.code),
			 log_text("text", asked->fault.text));
	fault_clear(&asked->fault);
	return true;
}

/* Folds and rows are asked at once, in one box of time. That rows cannot be asked is told, and stops nothing. */
static int
ask_history(const struct shadow_options *options, struct arena *arena, struct shadow_result *result,
	    struct shadow_rows_result *rows, struct fault *fault)
{
	struct shadow_rows *under_way;
	int failed;

	shadow_rows_start(options, &under_way);
	failed = shadow_run(options, arena, result, fault);
	shadow_rows_end(under_way, rows);
	if (failed == 0 && strcmp(rows->fault.code, "broken_off") == 0) {
		*fault = rows->fault;
		failed = -1;
	}
	return failed;
}

static bool
judge(const struct plan_policy *policy, const struct shadow_options *options, const char *id,
      struct engine_reload *asked)
{
	struct shadow_rows_result rows = { 0 };
	struct shadow_result result = { 0 };
	bool taken = false;

	if (ask_history(options, asked->arena, &result, &rows, &asked->fault) != 0) {
		asked->answer = RELOAD_FAILED;
		asked->stage = "history";
	} else {
		write_shadow(&result, asked->out);
		write_rows(&rows, asked->out);
		taken = decide(policy, &result, &rows, id, asked);
	}
	buf_fini(&rows.projections);
	return taken;
}

bool
plan_judge(const struct engine_parts *parts, const struct script_options *script, const struct plan_policy *policy,
	   struct ruleset *before, struct ruleset *after, struct engine_reload *asked)
{
	struct shadow_options options = { .store = parts->store,
					  .clock = parts->clock,
					  .script = script,
					  .before = before,
					  .after = after,
					  .threads = policy->threads,
					  .box_us = asked->all ? 0 : policy->box_us,
					  .pressing = policy->pressing,
					  .scratch = parts->scratch_view };
	char id[PLAN_ID_SIZE];
	bool taken = true;

	plan_id(before, after, id);
	buf_byte(asked->out, '{');
	json_put_text(asked->out, "plan", slice_text(id));
	write_changes(before, after, asked);
	if (policy->told.size != 0) {
		buf_byte(asked->out, ',');
		buf_add(asked->out, policy->told);
	}
	if (asked->no_shadow) {
		json_put_text(asked->out, "history", SLICE("not asked"));
		json_put_text(asked->out, "rows", SLICE("not asked"));
	} else {
		taken = judge(policy, &options, id, asked);
	}
	json_put_text(asked->out, "judged", SLICE("folds, upcasters and projections; not what a command would decide"));
	buf_byte(asked->out, '}');
	return taken;
}
