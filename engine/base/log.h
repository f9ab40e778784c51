/* SPDX-License-Identifier: MIT */
/*
 * The engine's log lines: logfmt or JSON, one write(2) a line, to a file descriptor. A target that is closed or full
 * never stops the engine. Log once, at the top: lower floors fill a fault instead.
 * Thread: any.
 */
#ifndef MOONLOG_BASE_LOG_H
#define MOONLOG_BASE_LOG_H

#include "base/fault.h"
#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
	const char *key;
	enum { LOG_KIND_TEXT, LOG_KIND_INTEGER } kind;
	struct slice text;
	int64_t integer;
};

void log_setup(int fd, enum log_level least, enum log_format format);
bool log_wants(enum log_level level);
int log_level_parse(const char *text, enum log_level *level);

static inline struct log_field
log_text(const char *key, const char *text)
{
	return (struct log_field){ key, LOG_KIND_TEXT, slice_text(text), 0 };
}
static inline struct log_field
log_slice(const char *key, struct slice text)
{
	return (struct log_field){ key, LOG_KIND_TEXT, text, 0 };
}
static inline struct log_field
log_int(const char *key, int64_t integer)
{
	return (struct log_field){ key, LOG_KIND_INTEGER, SLICE_NONE, integer };
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);
/* log_line(LOG_INFO, "listening", log_text("address", a), log_int("port", p)); at least one field. */
#define log_line(level, message, ...)                                                                                  \
	log_write((level), (message), (struct log_field[]){ __VA_ARGS__ },                                             \
		  sizeof((struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
/* With the fault's class, code, text, native code, file and line as fields. */
void log_fault(enum log_level level, const char *message, const struct fault *fault);

#endif
