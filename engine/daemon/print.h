/* SPDX-License-Identifier: MIT */
/* What the command line prints: entries as lines or JSON, JSON documents as indented text, lines of progress. */
#ifndef MOONLOG_DAEMON_PRINT_H
#define MOONLOG_DAEMON_PRINT_H

#include "base/buf.h"
#include "base/json.h"
#include "model/entry.h"

/* One entry as the JSON object that HTTP gives. */
void print_entry_json(const struct recorded_entry *entry, struct buf *out);
/* One entry as a line: number (a version, or a position with the stream behind it), time, type, data. */
void print_entry_line(const struct recorded_entry *entry, bool with_stream, struct buf *out);
/* A JSON value that json_check has passed as "key: value" lines, nested by two spaces. */
void print_json_text(struct json_value value, struct buf *out);

/* To standard output; empties the buffer. */
void print_out(struct buf *out);
/* A line that replaces the last one, on standard error when that is a terminal; an empty text ends it. */
void print_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
