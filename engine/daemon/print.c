/* SPDX-License-Identifier: MIT */
/*
 * Text for people and JSON for programs. Everything goes through a buf and one fwrite; a closed standard output is
 * found at the end by main.
 */
#include "daemon/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/render.h"

void
print_entry_json(const struct recorded_entry *entry, struct buf *out)
{
	struct render render = { 0 };

	render_entry(&render, entry, out);
}

void
print_entry_line(const struct recorded_entry *entry, bool with_stream, struct buf *out)
{
	char time[CLOCK_TEXT_SIZE];
	uint64_t number = with_stream ? entry->position : entry->version;

	clock_format(entry->recorded_at_us, time);
	buf_format(out, "%8llu  %s  ", (unsigned long long)number, time);
	if (with_stream)
		buf_format(out, "%.*s %llu  ", SLICE_ARG(entry->stream), (unsigned long long)entry->version);
	buf_format(out, "%.*s  ", SLICE_ARG(entry->type));
	buf_add(out, entry->data);
	buf_byte(out, '\n');
}

static void
indent(struct buf *out, int depth)
{
	for (int i = 0; i < depth; i++)
		buf_text(out, "  ");
}

static bool
is_block(struct json_value value)
{
	return (value.kind == JSON_OBJECT || value.kind == JSON_ARRAY) && value.raw.size > 2;
}

static void
scalar(struct json_value value, struct buf *out)
{
	if (value.kind == JSON_STRING)
		json_decode(value, out);
	else
		buf_add(out, value.raw);
}

static void
block(struct json_value value, int depth, struct buf *out)
{
	struct json_iter iter;
	struct json_value item;
	struct slice key;

	json_iter(&iter, value);
	while (json_next(&iter, &key, &item)) {
		indent(out, depth);
		if (value.kind == JSON_OBJECT)
			buf_format(out, "%.*s:", SLICE_ARG(key));
		else
			buf_byte(out, '-');
		if (is_block(item)) {
			buf_byte(out, '\n');
			block(item, depth + 1, out);
		} else {
			buf_byte(out, ' ');
			scalar(item, out);
			buf_byte(out, '\n');
		}
	}
}

void
print_json_text(struct json_value value, struct buf *out)
{
	if (is_block(value)) {
		block(value, 0, out);
		return;
	}
	scalar(value, out);
	buf_byte(out, '\n');
}

void
print_out(struct buf *out)
{
	fwrite(out->data != NULL ? out->data : "", 1, out->size, stdout);
	buf_clear(out);
}

void
print_progress(const char *format, ...)
{
	struct winsize size;
	char line[512];
	va_list arguments;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	/* What went on in a second line could not be taken back. */
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && size.ws_col < sizeof(line))
		line[size.ws_col - 1] = '\0';
	fprintf(stderr, "\r\033[K%s", line);
	fflush(stderr);
}
