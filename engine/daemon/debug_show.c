/* SPDX-License-Identifier: MIT */
/* Text: a head, then sections with their name in front; "-" is how it was, "+" how it is. JSON: the same as members. */
#include "daemon/debug_show.h"

#include "base/clock.h"
#include "base/diff.h"

/* ---- text ---- */

struct text_show {
	struct buf *out;
	bool colour;
	const char *section; /* its name, until it was written once */
};

static void
begin_line(struct text_show *show)
{
	buf_format(show->out, "  %-9s", show->section);
	show->section = "";
}

static void
signed_line(struct text_show *show, char sign, struct slice path, struct slice value)
{
	begin_line(show);
	if (show->colour)
		buf_text(show->out, sign == '-' ? "\033[31m" : "\033[32m");
	buf_format(show->out, "%c %.*s%s", sign, SLICE_ARG(path), path.size != 0 ? ": " : "");
	buf_add(show->out, value);
	buf_text(show->out, show->colour ? "\033[0m\n" : "\n");
}

static void
show_difference(void *self, struct slice path, struct slice before, struct slice after)
{
	if (before.size != 0)
		signed_line(self, '-', path, before);
	if (after.size != 0)
		signed_line(self, '+', path, after);
}

static void
diff_texts(struct slice before, struct slice after, const struct diff_sink *sink)
{
	struct json_value a = { JSON_NULL, SLICE_NONE }, b = { JSON_NULL, SLICE_NONE };

	if (before.size != 0 && after.size != 0 && json_check(before, &a, NULL) == 0 &&
	    json_check(after, &b, NULL) == 0)
		diff_json(a, b, sink);
	else
		sink->each(sink->self, SLICE_NONE, before, after);
}

static void
plain_line(struct text_show *show, const char *what, struct slice value)
{
	begin_line(show);
	buf_text(show->out, what);
	buf_add(show->out, value);
	buf_byte(show->out, '\n');
}

static void
show_fault(struct text_show *show, const struct fault *fault)
{
	if (fault == NULL)
		return;
	begin_line(show);
	buf_format(show->out, "FAILED: %s\n", fault->text);
}

static void
show_head(const struct debug_event *event, struct text_show *show)
{
	const struct recorded_entry *entry = event->entry;
	char time[CLOCK_TEXT_SIZE], id[ID_TEXT_SIZE];

	clock_format(entry->recorded_at_us, time);
	id_format(&entry->id, id);
	if (show->colour)
		buf_text(show->out, "\033[1m");
	buf_format(show->out, "%.*s version %llu: %.*s", SLICE_ARG(entry->stream), (unsigned long long)entry->version,
		   SLICE_ARG(entry->type));
	buf_text(show->out, show->colour ? "\033[0m\n" : "\n");
	show->section = "";
	begin_line(show);
	buf_format(show->out, "position %llu, %s, generation %u, id %s\n", (unsigned long long)entry->position, time,
		   entry->generation, id);
	show->section = "raw";
	begin_line(show);
	buf_format(show->out, "v%u ", entry->schema_version);
	buf_add(show->out, entry->data);
	buf_byte(show->out, '\n');
}

static void
show_upcasts(const struct debug_event *event, struct text_show *show)
{
	show->section = "upcast";
	for (size_t i = 0; i < event->pieces.step_count; i++) {
		const struct script_step *step = &event->pieces.steps[i];
		if (step->count == 0) {
			begin_line(show);
			buf_format(show->out, "%.*s v%u -> dropped\n", SLICE_ARG(step->type), step->schema_version);
		}
		for (size_t j = 0; j < step->count; j++) {
			begin_line(show);
			buf_format(show->out, "%.*s v%u -> %.*s v%u ", SLICE_ARG(step->type), step->schema_version,
				   SLICE_ARG(step->results[j].type), step->results[j].schema_version);
			buf_add(show->out, step->results[j].data);
			buf_byte(show->out, '\n');
		}
	}
	show_fault(show, event->upcast_fault);
}

static void
show_rows(const struct debug_event *event, struct text_show *show, const struct diff_sink *sink)
{
	show->section = "rows";
	if (!event->rows_known)
		plain_line(show, "too many events come before to make them here", SLICE_NONE);
	for (size_t i = 0; i < event->row_count; i++) {
		const struct debug_row *row = &event->rows[i];
		begin_line(show);
		buf_format(show->out, "%.*s", SLICE_ARG(row->projection));
		if (row->failure.size != 0) {
			buf_format(show->out, " FAILED: %.*s\n", SLICE_ARG(row->failure));
			continue;
		}
		buf_format(show->out, ".%.*s %s\n", SLICE_ARG(row->table),
			   row->before.size == 0  ? "new"
			   : row->after.size == 0 ? "gone"
						  : "changed");
		diff_texts(row->before, row->after, sink);
	}
}

static void
show_messages(const struct debug_event *event, struct text_show *show)
{
	const struct recorded_entry *own = event->entry;

	show->section = "messages";
	if (own->topic.size != 0) {
		begin_line(show);
		buf_format(show->out, "the event itself to %.*s\n", SLICE_ARG(own->topic));
	}
	for (size_t i = 0; i < event->commit.count; i++) {
		const struct recorded_entry *other = &event->commit.items[i];
		if (other->position == own->position)
			continue;
		begin_line(show);
		if (other->kind == ENTRY_EVENT)
			buf_format(show->out, "same commit: %.*s version %llu ", SLICE_ARG(other->stream),
				   (unsigned long long)other->version);
		buf_format(show->out, "%.*s%s%.*s ", SLICE_ARG(other->type), other->topic.size != 0 ? " to " : "",
			   SLICE_ARG(other->topic));
		buf_add(show->out, other->data);
		buf_byte(show->out, '\n');
	}
}

void
debug_show_text(const struct debug_event *event, bool colour, struct buf *out)
{
	struct text_show show = { .out = out, .colour = colour };
	struct diff_sink sink = { show_difference, &show };

	show_head(event, &show);
	show_upcasts(event, &show);
	show.section = "state";
	if (event->fold_fault != NULL)
		show_fault(&show, event->fold_fault);
	else if (slice_equal(event->before, event->after))
		plain_line(&show, "as before", SLICE_NONE);
	else
		diff_texts(event->before, event->after, &sink);
	show_rows(event, &show, &sink);
	show_messages(event, &show);
	buf_byte(out, '\n');
}

/* ---- JSON ---- */

static void
put_text(struct buf *out, const char *name, struct slice text)
{
	json_key(out, name);
	json_quote(out, text);
}

static void
put_raw(struct buf *out, const char *name, struct slice json)
{
	json_key(out, name);
	if (json.size != 0)
		buf_add(out, json);
	else
		buf_text(out, "null");
}

static void
put_fault(struct buf *out, const char *name, const struct fault *fault)
{
	if (fault != NULL)
		put_text(out, name, slice_text(fault->text));
}

static void
put_piece(struct buf *out, const struct script_piece *piece)
{
	json_comma(out);
	buf_text(out, "{");
	put_text(out, "type", piece->type);
	buf_format(out, ",\"schema_version\":%u", piece->schema_version);
	put_raw(out, "data", piece->data);
	buf_byte(out, '}');
}

static void
put_pieces(struct buf *out, const char *name, const struct script_piece *items, size_t count)
{
	json_key(out, name);
	buf_byte(out, '[');
	for (size_t i = 0; i < count; i++)
		put_piece(out, &items[i]);
	buf_byte(out, ']');
}

static void
put_difference(void *self, struct slice path, struct slice before, struct slice after)
{
	struct buf *out = self;

	json_comma(out);
	buf_text(out, "{");
	put_text(out, "path", path);
	if (before.size != 0)
		put_raw(out, "before", before);
	if (after.size != 0)
		put_raw(out, "after", after);
	buf_byte(out, '}');
}

static void
put_steps(const struct debug_event *event, struct buf *out)
{
	json_key(out, "steps");
	buf_byte(out, '[');
	for (size_t i = 0; i < event->pieces.step_count; i++) {
		const struct script_step *step = &event->pieces.steps[i];
		json_comma(out);
		buf_text(out, "{");
		put_text(out, "type", step->type);
		buf_format(out, ",\"schema_version\":%u", step->schema_version);
		put_pieces(out, "results", step->results, step->count);
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

static void
put_rows(const struct debug_event *event, struct buf *out)
{
	json_key(out, "rows");
	if (!event->rows_known) {
		buf_text(out, "null");
		return;
	}
	buf_byte(out, '[');
	for (size_t i = 0; i < event->row_count; i++) {
		const struct debug_row *row = &event->rows[i];
		json_comma(out);
		buf_text(out, "{");
		put_text(out, "projection", row->projection);
		if (row->failure.size != 0) {
			put_text(out, "failure", row->failure);
		} else {
			put_text(out, "table", row->table);
			put_raw(out, "before", row->before);
			put_raw(out, "after", row->after);
		}
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

static void
put_messages(const struct debug_event *event, struct buf *out)
{
	json_key(out, "messages");
	buf_byte(out, '[');
	for (size_t i = 0; i < event->commit.count; i++) {
		const struct recorded_entry *other = &event->commit.items[i];
		if (other->position == event->entry->position)
			continue;
		json_comma(out);
		buf_format(out, "{\"position\":%llu", (unsigned long long)other->position);
		put_text(out, "stream", other->stream);
		put_text(out, "type", other->type);
		if (other->version != 0)
			buf_format(out, ",\"version\":%llu", (unsigned long long)other->version);
		if (other->topic.size != 0)
			put_text(out, "topic", other->topic);
		put_raw(out, "data", other->data);
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

void
debug_show_json(const struct debug_event *event, struct buf *out)
{
	const struct recorded_entry *entry = event->entry;
	const struct diff_sink sink = { put_difference, out };
	char time[CLOCK_TEXT_SIZE], id[ID_TEXT_SIZE];

	clock_format(entry->recorded_at_us, time);
	id_format(&entry->id, id);
	buf_text(out, "{");
	put_text(out, "stream", entry->stream);
	buf_format(out, ",\"version\":%llu,\"position\":%llu,\"time\":\"%s\",\"id\":\"%s\"",
		   (unsigned long long)entry->version, (unsigned long long)entry->position, time, id);
	put_text(out, "type", entry->type);
	buf_format(out, ",\"schema_version\":%u,\"generation\":%u", entry->schema_version, entry->generation);
	if (entry->topic.size != 0)
		put_text(out, "topic", entry->topic);
	put_raw(out, "data", entry->data);
	put_steps(event, out);
	put_pieces(out, "pieces", event->pieces.items, event->pieces.count);
	put_fault(out, "upcast_failure", event->upcast_fault);
	put_raw(out, "before", event->before);
	put_raw(out, "after", event->after);
	put_fault(out, "fold_failure", event->fold_fault);
	json_key(out, "difference");
	buf_byte(out, '[');
	if (event->fold_fault == NULL && !slice_equal(event->before, event->after))
		diff_texts(event->before, event->after, &sink);
	buf_byte(out, ']');
	put_rows(event, out);
	put_messages(event, out);
	buf_text(out, "}\n");
}
