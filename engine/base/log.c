/* SPDX-License-Identifier: MIT */
/*
 * One line, one write(2), on the stack: no lock, no heap, and a target that takes nothing now loses the line instead of
 * holding us up. A line longer than LOG_LINE_MAX is cut; it stays well-formed because a field is added whole or not at
 * all.
 */
#include "base/log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

/* A pipe that polls as writable takes a line of this size without blocking. */
#define LOG_LINE_MAX 4096
static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line is written whole");
#define LOG_MESSAGE_MAX 200

static atomic_int log_fd = 2;
static atomic_int log_least = LOG_INFO;
static atomic_int log_shape = LOG_LOGFMT;

struct line {
	char text[LOG_LINE_MAX];
	size_t size;
	bool full; /* something did not fit */
};

static const char *const level_names[] = { "debug", "info", "warn", "error", "off" };

void
log_setup(int fd, enum log_level least, enum log_format format)
{
	atomic_store(&log_fd, fd);
	atomic_store(&log_least, (int)least);
	atomic_store(&log_shape, (int)format);
}

bool
log_wants(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_least, memory_order_relaxed);
}

int
log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < countof(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

static void
put(struct line *line, const char *bytes, size_t size)
{
	/* The end of the line keeps its place. */
	if (line->full || size > sizeof(line->text) - 2 - line->size) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->size, bytes, size);
	line->size += size;
}

static void
put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void
put_escaped(struct line *line, struct slice text)
{
	bool foreign = !json_utf8(text);

	put_text(line, "\"");
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		char escape[8];
		if (c == '"' || c == '\\')
			put(line, (const char[]){ '\\', (char)c }, 2);
		else if (c == '\n')
			put(line, "\\n", 2);
		else if (c < 0x20 || c == 0x7f)
			put(line, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", c));
		else if (foreign && c >= 0x80)
			put_text(line, "\\ufffd");
		else
			put(line, (const char *)&c, 1);
	}
	put_text(line, "\"");
}

static bool
is_plain(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
			return false;
	}
	return text.size != 0 && json_utf8(text);
}

static void
put_field(struct line *line, const struct log_field *field, bool json)
{
	char number[24];
	size_t before = line->size;

	put_text(line, json ? ",\"" : " ");
	put_text(line, field->key);
	put_text(line, json ? "\":" : "=");
	if (field->kind == LOG_KIND_INTEGER)
		put(line, number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)field->integer));
	else if (json || !is_plain(field->text))
		put_escaped(line, field->text);
	else
		put(line, field->text.data, field->text.size);
	/* Too long for what is left: without it rather than broken. */
	if (line->full)
		line->size = before;
	line->full = false;
}

static void
send_line(const struct line *line)
{
	struct pollfd target = { .fd = atomic_load_explicit(&log_fd, memory_order_relaxed), .events = POLLOUT };

	if (poll(&target, 1, 0) == 1 && (target.revents & POLLOUT) != 0 && write(target.fd, line->text, line->size) < 0)
		return; /* nobody is left to be told */
}

void
log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	bool json = atomic_load_explicit(&log_shape, memory_order_relaxed) == LOG_JSON;
	char now[CLOCK_TEXT_SIZE];
	struct slice text = slice_text(message);
	struct line line;

	line.size = 0;
	line.full = false;
	if (text.size > LOG_MESSAGE_MAX)
		text.size = LOG_MESSAGE_MAX;

	if (!log_wants(level) || level >= LOG_OFF)
		return;
	clock_format(clock_wall_us(clock_real()), now);
	put_text(&line, json ? "{\"ts\":\"" : "ts=");
	put_text(&line, now);
	put_text(&line, json ? "\",\"level\":\"" : " level=");
	put_text(&line, level_names[level]);
	put_text(&line, json ? "\",\"msg\":" : " msg=");
	if (json || !is_plain(text))
		put_escaped(&line, text);
	else
		put(&line, text.data, text.size);
	for (size_t i = 0; i < count; i++)
		put_field(&line, &fields[i], json);
	memcpy(line.text + line.size, json ? "}\n" : "\n", json ? 2 : 1);
	line.size += json ? 2 : 1;
	send_line(&line);
}

void
log_fault(enum log_level level, const char *message, const struct fault *fault)
{
	log_line(level, message, log_text("class", fault_class_name(fault->class)), log_text("code", fault->code),
		 log_text("reason", fault->text), log_int("native", fault->native),
		 log_text("at", fault->file != NULL ? fault->file : ""), log_int("line", fault->line));
}
