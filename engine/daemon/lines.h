/* SPDX-License-Identifier: MIT */
/* A file, or standard input, line by line; memory for one line. */
#ifndef MOONLOG_DAEMON_LINES_H
#define MOONLOG_DAEMON_LINES_H

#include "base/fault.h"

struct lines {
	const char *name; /* for messages */
	int fd;
	char *data;
	size_t room;
	size_t from; /* of the next line in data */
	size_t to;   /* of what was read */
	size_t line_max;
	uint64_t number; /* of the line given last, from 1 */
	uint64_t bytes;  /* before the next line */
	uint64_t size;   /* of the file; 0 when it cannot be known */
	bool ended;
	bool cut; /* the last line given has no line end */
};

/* "-" is standard input. Owns: until lines_close, also after a failure. Fails: CONFIG with errno; INPUT "no_such_file". */
int lines_open(struct lines *lines, const char *path, size_t line_max, struct fault *fault);
void lines_close(struct lines *lines);
/* Can the file be read a second time? */
bool lines_rewind(struct lines *lines);
/* The next line without its end, valid until the next call; *found false at the end. Fails: LIMIT "line_too_long". */
int lines_next(struct lines *lines, struct slice *line, bool *found, struct fault *fault);

#endif
