/* SPDX-License-Identifier: MIT */
#include "core/told.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"

static const char *const stages[] = { [TOLD_NOTHING] = "nothing",
				      [TOLD_WAITING] = "waiting",
				      [TOLD_COPYING] = "copying",
				      [TOLD_FILLING] = "filling",
				      [TOLD_COMPARING] = "comparing" };
static const char *const results[] = {
	[TOLD_LIVE] = "live", [TOLD_GIVEN_UP] = "given_up", [TOLD_REPLACED] = "replaced"
};

void
told_init(struct told *told)
{
	*told = (struct told){ .stage = TOLD_NOTHING };
	must(pthread_mutex_init(&told->lock, NULL) == 0);
	buf_init(&told->now.names, TOLD_NAMES_MAX);
	buf_init(&told->last.names, TOLD_NAMES_MAX);
	for (size_t i = 0; i < TOLD_ENDED; i++)
		buf_init(&told->ended[i], TOLD_REPORT_MAX + TOLD_NAMES_MAX);
}

void
told_fini(struct told *told)
{
	buf_fini(&told->now.names);
	buf_fini(&told->last.names);
	for (size_t i = 0; i < TOLD_ENDED; i++)
		buf_fini(&told->ended[i]);
	pthread_mutex_destroy(&told->lock);
}

static void
copy_build(struct told_build *to, const struct told_build *from)
{
	struct buf names = to->names;

	buf_clear(&names);
	buf_add(&names, buf_slice(&from->names));
	*to = *from;
	to->names = names;
}

void
told_begin(struct told *told, const struct told_build *build)
{
	pthread_mutex_lock(&told->lock);
	copy_build(&told->now, build);
	told->stage = TOLD_WAITING;
	pthread_mutex_unlock(&told->lock);
}

void
told_stage(struct told *told, enum told_stage stage)
{
	pthread_mutex_lock(&told->lock);
	told->stage = stage;
	pthread_mutex_unlock(&told->lock);
}

bool
told_has_name(const struct buf *names, struct slice name)
{
	const char *at = names->data, *end = at + names->size;

	for (; at != NULL && at < end; at += strlen(at) + 1)
		if (slice_equal(slice_text(at), name))
			return true;
	return false;
}

/* ---- writing; under the lock ---- */

static void
write_time(struct buf *out, const char *key, int64_t time_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(time_us, text);
	json_key(out, key);
	json_quote(out, slice_text(text));
}

static void
write_build(struct buf *out, const struct told_build *build)
{
	const char *at = build->names.data, *end = at + build->names.size;

	json_put_u64(out, "generation", build->generation);
	json_key(out, "projections");
	buf_byte(out, '[');
	for (; at != NULL && at < end; at += strlen(at) + 1) {
		json_comma(out);
		json_quote(out, slice_text(at));
	}
	buf_byte(out, ']');
	write_time(out, "began", build->began_us);
}

static void
write_end(const struct told_end *end, struct buf *out)
{
	write_time(out, "ended", end->ended_us);
	if (end->compared) {
		json_put_u64(out, "position", end->position);
		json_put_u64(out, "rows_differ", end->rows_differ);
	}
	if (end->compared && end->tables.size != 0 && out->size + end->tables.size < TOLD_REPORT_MAX) {
		json_key(out, "tables");
		buf_add(out, end->tables);
	}
	if (end->reason != NULL) {
		json_key(out, "reason");
		json_quote(out, slice_text(end->reason));
	}
}

void
told_ended(struct told *told, const struct told_end *end)
{
	struct buf *report = &told->ended[told->count % TOLD_ENDED];

	pthread_mutex_lock(&told->lock);
	buf_clear(report);
	buf_format(report, "{\"build\":%llu,\"result\":\"%s\"", (unsigned long long)told->now.number,
		   results[end->result]);
	write_build(report, &told->now);
	write_end(end, report);
	buf_byte(report, '}');
	told->count++;
	copy_build(&told->last, &told->now);
	told->result = end->result;
	told->compared = end->compared;
	told->rows_differ = end->rows_differ;
	snprintf(told->reason, sizeof(told->reason), "%s", end->reason != NULL ? end->reason : "");
	told->stage = TOLD_NOTHING;
	pthread_mutex_unlock(&told->lock);
}

static void
write_progress(const struct told_progress *progress, struct buf *out)
{
	if (!progress->known)
		return;
	json_put_u64(out, "position", progress->position);
	json_put_u64(out, "head", progress->head);
	json_put_u64(out, "rate", progress->rate);
	if (progress->seconds_left >= 0)
		json_put_u64(out, "seconds_left", (uint64_t)progress->seconds_left);
}

void
told_write(struct told *told, const struct told_progress *progress, struct buf *out)
{
	pthread_mutex_lock(&told->lock);
	if (told->stage != TOLD_NOTHING) {
		json_key(out, "building");
		buf_format(out, "{\"build\":%llu,\"state\":\"%s\"", (unsigned long long)told->now.number,
			   stages[told->stage]);
		write_build(out, &told->now);
		write_progress(progress, out);
		buf_byte(out, '}');
	}
	json_key(out, "ended");
	buf_byte(out, '[');
	for (uint64_t i = 0; i < TOLD_ENDED && i < told->count; i++) {
		const struct buf *report = &told->ended[(told->count - 1 - i) % TOLD_ENDED];

		json_comma(out);
		if (report->failed)
			buf_text(out, "{}");
		else
			buf_add(out, buf_slice(report));
	}
	buf_byte(out, ']');
	pthread_mutex_unlock(&told->lock);
}

void
told_write_projection(struct told *told, struct slice name, const struct told_progress *progress, struct buf *out)
{
	pthread_mutex_lock(&told->lock);
	if (told->stage != TOLD_NOTHING && told_has_name(&told->now.names, name)) {
		buf_format(out, "{\"build\":%llu,\"state\":\"%s\"", (unsigned long long)told->now.number,
			   stages[told->stage]);
		json_put_u64(out, "generation", told->now.generation);
		write_progress(progress, out);
		buf_byte(out, '}');
	} else if (told->count != 0 && told_has_name(&told->last.names, name)) {
		buf_format(out, "{\"build\":%llu,\"state\":\"%s\"", (unsigned long long)told->last.number,
			   results[told->result]);
		json_put_u64(out, "generation", told->last.generation);
		if (told->compared)
			json_put_u64(out, "rows_differ", told->rows_differ);
		if (told->reason[0] != '\0') {
			json_key(out, "reason");
			json_quote(out, slice_text(told->reason));
		}
		buf_byte(out, '}');
	}
	pthread_mutex_unlock(&told->lock);
}
