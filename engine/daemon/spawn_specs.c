/* SPDX-License-Identifier: MIT */
/*
 * The child's two outputs come through one pipe. It leads a process group, which is killed as a whole, so that nothing
 * which a spec has started outlives it. What the child says is read by its exit code, its counted last line, and the
 * first line that begins with FAILED or ERROR.
 */
#include "daemon/spawn_specs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/exits.h"

#define SAID_MAX  ((size_t)4 << 20)
#define LOOK_MS   100
#define CLOSED_MS 5
#define NICENESS  10

extern char **environ;

/* ---- the process ---- */

static int
attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	return posix_spawnattr_init(attr) != 0 || posix_spawnattr_setsigmask(attr, &none) != 0 ||
			       posix_spawnattr_setsigdefault(attr, &all) != 0 || posix_spawnattr_setpgroup(attr, 0) != 0
		       ? -1
		       : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
								POSIX_SPAWN_SETPGROUP);
}

/* *out: where what it says can be read. */
static int
spawn(const char *folder, pid_t *pid, int *out, struct fault *fault)
{
	char self[] = "/proc/self/exe", name[] = "moonlog", verb[] = "test";
	char *argv[] = { name, verb, (char *)(uintptr_t)folder, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return fault_errno(fault, FAULT_AWAY, errno, "specs cannot be run");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
	error = attributes(&attr) != 0 ? EINVAL : posix_spawn(pid, self, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	close(ends[1]);
	*out = ends[0];
	if (error == 0)
		return 0;
	close(ends[0]);
	return fault_errno(fault, FAULT_AWAY, error, "specs cannot be run");
}

static bool
has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* What is there to read. Gives whether there was something; *closed: there will be nothing more. */
static bool
read_some(int out, struct buf *said, bool *closed)
{
	struct pollfd poll_fd = { .fd = *closed ? -1 : out, .events = POLLIN };
	char chunk[4096];
	ssize_t size;

	if (poll(&poll_fd, 1, *closed ? CLOSED_MS : LOOK_MS) <= 0)
		return false;
	size = read(out, chunk, sizeof(chunk));
	*closed = size == 0 || (size < 0 && errno != EINTR);
	if (size > 0 && said->size + (size_t)size < SAID_MAX)
		buf_add(said, slice_from(chunk, (size_t)size));
	return size > 0;
}

/* Until it has ended, whoever else still holds its output. -1: it was told to stop, or its time is over. */
static int
listen_to(pid_t pid, int out, int64_t limit_ms, const struct specs_run *run, struct buf *said, struct fault *fault)
{
	int64_t until_ns = clock_mono_ns(clock_real()) + limit_ms * 1000000;
	bool closed = false;

	for (;;) {
		bool ended = has_ended(pid);

		if (atomic_load(run->pressing) != 0)
			return fault_set(fault, FAULT_BUSY, "broken_off", "something goes first");
		if (clock_mono_ns(clock_real()) > until_ns)
			return fault_set(fault, FAULT_TIMEOUT, "specs_too_long",
					 "the specs run longer than reload.specs_seconds, %lld",
					 (long long)(limit_ms / 1000));
		if (!read_some(out, said, &closed) && ended)
			return 0;
	}
}

/* ---- what it said ---- */

static struct slice
next_line(struct slice *rest)
{
	const char *end = memchr(rest->data, '\n', rest->size);
	struct slice line = slice_from(rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size);

	*rest = slice_from(rest->data + line.size + (end != NULL), rest->size - line.size - (end != NULL));
	return line;
}

static bool
begins(struct slice line, const char *with)
{
	return line.size >= strlen(with) && memcmp(line.data, with, strlen(with)) == 0;
}

static void
read_lines(struct slice said, struct specs_run *run)
{
	unsigned long long passed, failed;
	bool told = false;

	while (said.size != 0) {
		struct slice line = next_line(&said);
		char text[64];

		if (!told && (begins(line, "FAILED ") || begins(line, "ERROR "))) {
			struct slice reason = next_line(&said);

			while (reason.size != 0 && reason.data[0] == ' ')
				reason = slice_from(reason.data + 1, reason.size - 1);
			snprintf(run->text, sizeof(run->text), "%.*s: %.*s", (int)line.size, line.data,
				 (int)reason.size, reason.data);
			told = true;
		}
		snprintf(text, sizeof(text), "%.*s", (int)(line.size < 60 ? line.size : 60), line.data);
		if (sscanf(text, "%llu passed, %llu failed", &passed, &failed) == 2) {
			run->passed = passed;
			run->failed = failed;
		}
	}
}

/* The last line, for what went wrong before any spec ran. */
static void
take_last_line(struct slice said, struct specs_run *run)
{
	struct slice last = SLICE_NONE;

	while (said.size != 0) {
		struct slice line = next_line(&said);

		last = line.size != 0 ? line : last;
	}
	snprintf(run->text, sizeof(run->text), "%.*s", (int)last.size, last.data != NULL ? last.data : "");
}

static void
judge(int status, struct slice said, struct specs_run *run)
{
	bool ended = WIFEXITED(status);

	read_lines(said, run);
	if (ended && WEXITSTATUS(status) == EXIT_DONE) {
		run->result = SPECS_PASSED;
	} else if (ended && WEXITSTATUS(status) == EXIT_UNREACHABLE) {
		run->result = SPECS_NOT_RUN;
		take_last_line(said, run);
	} else {
		run->result = SPECS_FAILED;
		run->failed = run->failed != 0 ? run->failed : 1;
		if (run->text[0] == '\0')
			take_last_line(said, run);
		if (!ended)
			snprintf(run->text, sizeof(run->text), "the specs' process ended by signal %d",
				 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	}
}

static bool
has_specs(const char *folder)
{
	char path[4096];
	struct dirent *entry = NULL;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/spec", folder) >= (int)sizeof(path))
		return false;
	dir = opendir(path);
	if (dir == NULL)
		return false;
	while ((entry = readdir(dir)) != NULL && entry->d_name[0] == '.')
		;
	closedir(dir);
	return entry != NULL;
}

static int
run_specs(void *self, struct specs_run *run, struct fault *fault)
{
	const struct spawn_specs *spawn_specs = self;
	int out = -1, status, result;
	struct buf said;
	pid_t pid;

	run->result = SPECS_NONE;
	if (!has_specs(run->folder))
		return 0;
	if (spawn(run->folder, &pid, &out, fault) != 0)
		return -1;
	setpriority(PRIO_PROCESS, (id_t)pid, getpriority(PRIO_PROCESS, 0) + NICENESS);
	buf_init(&said, SAID_MAX);
	result = listen_to(pid, out, spawn_specs->limit_ms, run, &said, fault);
	kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(out);
	if (result == 0)
		judge(status, buf_slice(&said), run);
	buf_fini(&said);
	return result;
}

void
spawn_specs_init(struct spawn_specs *spawn, int64_t limit_ms)
{
	*spawn = (struct spawn_specs){ .runner = { .run = run_specs, .self = spawn }, .limit_ms = limit_ms };
}
