/* SPDX-License-Identifier: MIT */
/*
 * A preload that writes down, in one total order, what a daemon does to the files of its data directory and what it
 * acknowledges, so that images.c can build what a power cut at any moment may leave behind.
 *
 * MOONLOG_RECORD_DIR: only files below it count.  MOONLOG_RECORD_LOG: where the record goes (outside that directory).
 * A write is noted before it is done, a sync when it begins and when it has returned, an acknowledgement before its
 * bytes leave: each on the pessimistic side.  The shared-memory file (-shm) is no part of what a power cut leaves.
 *
 * Record: struct op, then `size` bytes (data of a write, path of a name), padded to RECORD_ALIGN.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crash/record.h"

#define FD_MAX 4096

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static uint32_t file_of[FD_MAX]; /* file number + 1; 0 = not ours */
static char names[256][512];
static uint32_t name_count;
static int log_fd = -1;
static const char *directory;

static void
note(uint32_t kind, uint32_t file, uint64_t offset, const void *bytes, uint64_t size)
{
	struct op op = { .kind = kind, .file = file, .offset = offset, .size = size };
	static const char padding[RECORD_ALIGN];
	struct iovec parts[3] = { { &op, sizeof(op) },
				  { (void *)(uintptr_t)bytes, size },
				  { (void *)(uintptr_t)padding, record_padding(size) } };

	if (syscall(SYS_writev, log_fd, parts, bytes != NULL ? 3 : 1) < 0)
		abort();
}

static uint32_t
file_number(const char *path)
{
	for (uint32_t i = 0; i < name_count; i++)
		if (strcmp(names[i], path) == 0)
			return i + 1;
	if (name_count == 256 || strlen(path) >= sizeof(names[0]))
		abort();
	strcpy(names[name_count], path);
	note(OP_NAME, name_count, 0, path, strlen(path));
	return ++name_count;
}

static bool
counts(const char *path)
{
	size_t size = path != NULL ? strlen(path) : 0;

	if (directory == NULL || size == 0 || strncmp(path, directory, strlen(directory)) != 0)
		return false;
	return size < 4 || strcmp(path + size - 4, "-shm") != 0;
}

__attribute__((constructor)) static void
recorder_start(void)
{
	const char *path = getenv("MOONLOG_RECORD_LOG");

	directory = getenv("MOONLOG_RECORD_DIR");
	if (path == NULL || directory == NULL)
		return;
	log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log_fd < 0)
		abort();
	unsetenv("LD_PRELOAD");
}

static void
opened(int fd, const char *path, int flags)
{
	if (fd < 0 || fd >= FD_MAX || log_fd < 0 || !counts(path))
		return;
	pthread_mutex_lock(&order);
	file_of[fd] = file_number(path);
	if ((flags & O_TRUNC) != 0)
		note(OP_TRUNCATE, file_of[fd] - 1, 0, NULL, 0);
	pthread_mutex_unlock(&order);
}

static int
do_open(int at, const char *path, int flags, va_list more)
{
	mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
	int fd = (int)syscall(SYS_openat, at, path, flags, mode);

	opened(fd, path, flags);
	return fd;
}

#define OPEN(name)                                                                                                     \
	int name(const char *path, int flags, ...);                                                                    \
	int name(const char *path, int flags, ...)                                                                     \
	{                                                                                                              \
		va_list more;                                                                                          \
		va_start(more, flags);                                                                                 \
		int fd = do_open(AT_FDCWD, path, flags, more);                                                         \
		va_end(more);                                                                                          \
		return fd;                                                                                             \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
	int name(int at, const char *path, int flags, ...);                                                            \
	int name(int at, const char *path, int flags, ...)                                                             \
	{                                                                                                              \
		va_list more;                                                                                          \
		va_start(more, flags);                                                                                 \
		int fd = do_open(at, path, flags, more);                                                               \
		va_end(more);                                                                                          \
		return fd;                                                                                             \
	}
OPENAT(openat)
OPENAT(openat64)

int
close(int fd)
{
	if (fd >= 0 && fd < FD_MAX)
		file_of[fd] = 0;
	return (int)syscall(SYS_close, fd);
}

static bool
ours(int fd)
{
	return log_fd >= 0 && fd >= 0 && fd < FD_MAX && file_of[fd] != 0;
}

#define PWRITE(name)                                                                                                   \
	ssize_t name(int fd, const void *bytes, size_t size, off_t offset);                                            \
	ssize_t name(int fd, const void *bytes, size_t size, off_t offset)                                             \
	{                                                                                                              \
		if (!ours(fd))                                                                                         \
			return syscall(SYS_pwrite64, fd, bytes, size, offset);                                         \
		pthread_mutex_lock(&order);                                                                            \
		note(OP_WRITE, file_of[fd] - 1, (uint64_t)offset, bytes, size);                                        \
		ssize_t done = syscall(SYS_pwrite64, fd, bytes, size, offset);                                         \
		pthread_mutex_unlock(&order);                                                                          \
		return done;                                                                                           \
	}
PWRITE(pwrite)
PWRITE(pwrite64)

#define TRUNCATE(name)                                                                                                 \
	int name(int fd, off_t size);                                                                                  \
	int name(int fd, off_t size)                                                                                   \
	{                                                                                                              \
		if (!ours(fd))                                                                                         \
			return (int)syscall(SYS_ftruncate, fd, size);                                                  \
		pthread_mutex_lock(&order);                                                                            \
		note(OP_TRUNCATE, file_of[fd] - 1, (uint64_t)size, NULL, 0);                                           \
		int done = (int)syscall(SYS_ftruncate, fd, size);                                                      \
		pthread_mutex_unlock(&order);                                                                          \
		return done;                                                                                           \
	}
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(name, number)                                                                                             \
	int name(int fd)                                                                                               \
	{                                                                                                              \
		if (!ours(fd))                                                                                         \
			return (int)syscall(number, fd);                                                               \
		static uint64_t numbers;                                                                               \
		pthread_mutex_lock(&order);                                                                            \
		uint64_t mine = ++numbers;                                                                             \
		note(OP_SYNC_BEGIN, file_of[fd] - 1, mine, NULL, 0);                                                   \
		pthread_mutex_unlock(&order);                                                                          \
		int done = (int)syscall(number, fd);                                                                   \
		pthread_mutex_lock(&order);                                                                            \
		if (done == 0)                                                                                         \
			note(OP_SYNC_END, file_of[fd] - 1, mine, NULL, 0);                                             \
		pthread_mutex_unlock(&order);                                                                          \
		return done;                                                                                           \
	}
SYNC(fsync, SYS_fsync)
SYNC(fdatasync, SYS_fdatasync)

int
unlink(const char *path)
{
	if (log_fd >= 0 && counts(path)) {
		pthread_mutex_lock(&order);
		note(OP_UNLINK, file_number(path) - 1, 0, NULL, 0);
		pthread_mutex_unlock(&order);
	}
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int
rename(const char *from, const char *to)
{
	if (log_fd >= 0 && counts(from) && counts(to)) {
		pthread_mutex_lock(&order);
		uint32_t source = file_number(from) - 1;
		note(OP_RENAME, source, file_number(to) - 1, NULL, 0);
		pthread_mutex_unlock(&order);
	}
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* Every "Moonlog-Position: n" of a 2xx reply that leaves through a socket is an acknowledgement. */
static void
acknowledged(const void *bytes, size_t size)
{
	static const char name[] = "\r\nMoonlog-Position: ";
	const char *at = bytes, *end = at + size;

	if (log_fd < 0 || size < 12 || memcmp(at, "HTTP/1.1 2", 10) != 0)
		return;
	while ((at = memmem(at, (size_t)(end - at), name, sizeof(name) - 1)) != NULL) {
		uint64_t position = 0;
		for (at += sizeof(name) - 1; at < end && *at >= '0' && *at <= '9'; at++)
			position = position * 10 + (uint64_t)(*at - '0');
		pthread_mutex_lock(&order);
		note(OP_ACK, 0, position, NULL, 0);
		pthread_mutex_unlock(&order);
	}
}

ssize_t
write(int fd, const void *bytes, size_t size)
{
	if (ours(fd)) {
		off_t offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
		return pwrite(fd, bytes, size, offset) >= 0
			       ? (syscall(SYS_lseek, fd, (off_t)size, SEEK_CUR), (ssize_t)size)
			       : -1;
	}
	acknowledged(bytes, size);
	return syscall(SYS_write, fd, bytes, size);
}

ssize_t
send(int fd, const void *bytes, size_t size, int flags)
{
	acknowledged(bytes, size);
	return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	if (ours(fd))
		abort();
	if (count > 0)
		acknowledged(parts[0].iov_base, parts[0].iov_len);
	return syscall(SYS_writev, fd, parts, count);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (message->msg_iovlen > 0)
		acknowledged(message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
	return syscall(SYS_sendmsg, fd, message, flags);
}
