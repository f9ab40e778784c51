/* SPDX-License-Identifier: MIT */
/*
 * A preload that makes a sync fail once, as Linux reports a failed write-back: EIO at one sync, success at the next,
 * the pages marked clean.  Nothing fails until the control file is there; its text is the number of syncs (of files
 * whose name ends in MOONLOG_FAULT_SUFFIX) that still succeed.  An optional second number is a pause in milliseconds
 * before the failure, so that other commands can queue up behind it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long left = -1, pause_ms;
static bool over;

static bool
of_interest(int fd)
{
	const char *suffix = getenv("MOONLOG_FAULT_SUFFIX");
	char link[64], path[1024];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof(path) - 1);
	if (size <= 0 || suffix == NULL)
		return false;
	path[size] = '\0';
	return (size_t)size >= strlen(suffix) && strcmp(path + size - strlen(suffix), suffix) == 0;
}

static bool
fails_now(int fd)
{
	const char *control = getenv("MOONLOG_FAULT_CONTROL");

	if (over || control == NULL || !of_interest(fd))
		return false;
	if (left < 0) {
		FILE *file = fopen(control, "r");
		if (file == NULL)
			return false;
		if (fscanf(file, "%ld %ld", &left, &pause_ms) < 1)
			left = 0;
		fclose(file);
	}
	if (left-- > 0)
		return false;
	over = true;
	struct timespec pause = { pause_ms / 1000, pause_ms % 1000 * 1000000 };
	nanosleep(&pause, NULL);
	return true;
}

#define SYNC(name, number)                                                                                             \
	int name(int fd)                                                                                               \
	{                                                                                                              \
		if (fails_now(fd)) {                                                                                   \
			errno = EIO;                                                                                   \
			return -1;                                                                                     \
		}                                                                                                      \
		return (int)syscall(number, fd);                                                                       \
	}
SYNC(fsync, SYS_fsync)
SYNC(fdatasync, SYS_fdatasync)
