/* SPDX-License-Identifier: MIT */
/* One buffer that grows to the longest line so far and is filled by large reads. */
#include "daemon/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_LEAST ((size_t)256 << 10)

int
lines_open(struct lines *lines, const char *path, size_t line_max, struct fault *fault)
{
	struct stat status;

	*lines = (struct lines){ .name = path, .fd = STDIN_FILENO, .line_max = line_max };
	if (strcmp(path, "-") == 0) {
		lines->name = "standard input";
		return 0;
	}
	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (lines->fd < 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be opened", path);
	if (fstat(lines->fd, &status) != 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be read", path);
	if (S_ISDIR(status.st_mode))
		return fault_set(fault, FAULT_INPUT, "no_such_file", "%s is a folder: a file of lines is wanted", path);
	if (S_ISREG(status.st_mode))
		lines->size = (uint64_t)status.st_size;
	return 0;
}

void
lines_close(struct lines *lines)
{
	if (lines->fd > STDIN_FILENO)
		close(lines->fd);
	free(lines->data);
	*lines = (struct lines){ .fd = -1 };
}

bool
lines_rewind(struct lines *lines)
{
	if (lines->size == 0 || lseek(lines->fd, 0, SEEK_SET) != 0)
		return false;
	lines->from = lines->to = 0;
	lines->number = lines->bytes = 0;
	lines->ended = lines->cut = false;
	return true;
}

static int
make_room(struct lines *lines, struct fault *fault)
{
	size_t room = lines->room != 0 ? lines->room * 2 : 2 * READ_LEAST;
	char *data;

	if (lines->from != 0) {
		memmove(lines->data, lines->data + lines->from, lines->to - lines->from);
		lines->to -= lines->from;
		lines->from = 0;
	}
	if (lines->room - lines->to >= READ_LEAST)
		return 0;
	if (lines->to > lines->line_max)
		return fault_set(fault, FAULT_LIMIT, "line_too_long", "line %llu has more than %zu bytes",
				 (unsigned long long)lines->number + 1, lines->line_max);
	data = realloc(lines->data, room);
	if (data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a line");
	lines->data = data;
	lines->room = room;
	return 0;
}

static int
fill(struct lines *lines, struct fault *fault)
{
	ssize_t got;

	if (make_room(lines, fault) != 0)
		return -1;
	do {
		got = read(lines->fd, lines->data + lines->to, lines->room - lines->to);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be read", lines->name);
	lines->to += (size_t)got;
	lines->ended = got == 0;
	return 0;
}

int
lines_next(struct lines *lines, struct slice *line, bool *found, struct fault *fault)
{
	size_t looked = 0;

	for (;;) {
		size_t have = lines->to - lines->from;
		const char *start = have != 0 ? lines->data + lines->from : NULL;
		const char *end = have > looked ? memchr(start + looked, '\n', have - looked) : NULL;

		lines->cut = end == NULL;
		*found = end != NULL || (lines->ended && have != 0);
		if (*found) {
			*line = slice_from(start, end != NULL ? (size_t)(end - start) : have);
			lines->from += line->size + (end != NULL);
			lines->bytes += line->size + (end != NULL);
			lines->number++;
			return 0;
		}
		if (lines->ended)
			return 0;
		looked = have;
		if (fill(lines, fault) != 0)
			return -1;
	}
}
