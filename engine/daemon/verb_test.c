/* SPDX-License-Identifier: MIT */
/* `test`: gives the test kit the folders' sources and rows in memory; what busted says is printed by the kit. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/domain.h"
#include "daemon/saves.h"
#include "daemon/verb.h"
#include "script/lua/kit.h"
#include "view/memory/view_memory.h"

#define SOURCES_MAX ((size_t)256 << 20)

/* A view in memory with one open batch: the kit writes into it and reads from it. */
static int
rows_open(void *self, const struct table *tables, size_t count, struct kit_rows *rows, struct fault *fault)
{
	struct view *view = NULL;
	uint16_t *numbers = calloc(count + 1, sizeof(*numbers));
	uint8_t hash[32] = { 0 };

	(void)self;
	if (numbers == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for rows");
	for (size_t i = 0; i < count; i++)
		numbers[i] = (uint16_t)i;
	int result = view_memory_open(tables, count, &view, fault);
	if (result == 0)
		result = view_define(view, SLICE("specs"), hash, numbers, count, fault);
	if (result == 0)
		result = view_begin(view, fault);
	free(numbers);
	if (result != 0) {
		view_close(view);
		return -1;
	}
	*rows = (struct kit_rows){ view_rows(view), view };
	return 0;
}

static void
rows_close(void *self, struct kit_rows *rows)
{
	struct view *view = rows->self;

	(void)self;
	view_rollback(view);
	view_close(view);
}

/* ---- INT and TERM: a spec that never ends is named ---- */

static volatile sig_atomic_t interrupted;

static void
tell_place(const char *place)
{
	fprintf(stderr, "moonlog test: stopped%s%s\n", place[0] != '\0' ? " at " : "", place);
	raise(interrupted); /* the handler went with the first */
	_exit(EXIT_FAILED);
}

static void
on_interrupt(int number)
{
	interrupted = number;
	moon_stop_specs(tell_place);
}

static void
heed_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Our own options as busted takes them, then the words of the rest as they came. */
static int
run(const struct call *call, const struct kit_folder *folders, size_t count, double least)
{
	struct kit_options options = { .folders = folders,
				       .folder_count = count,
				       .rows_open = rows_open,
				       .rows_close = rows_close,
				       .coverage =
					       call_has(call, OPTION_COVERAGE) || call_has(call, OPTION_COVERAGE_MIN),
				       .coverage_min = least };
	size_t rest = call->word_count - call->rest_at;
	const char **argv = calloc(rest + 5, sizeof(*argv));
	int argc = 0;

	if (argv == NULL)
		return 2;
	if (call_has(call, OPTION_OUTPUT)) {
		argv[argc++] = "--output";
		argv[argc++] = call->values[OPTION_OUTPUT];
	}
	if (call_has(call, OPTION_FILTER)) {
		argv[argc++] = "--filter";
		argv[argc++] = call->values[OPTION_FILTER];
	}
	for (size_t i = 0; i < rest; i++)
		argv[argc++] = call->words[call->rest_at + i];
	heed_interrupts();
	int result = moon_run_specs(argc, argv, &options);
	free(argv);
	return result;
}

static enum exit_code
test_once(const struct call *call, const char *const *paths, size_t count, double least)
{
	static const enum exit_code codes[] = { EXIT_DONE, EXIT_FAILED, EXIT_BAD_DATA, EXIT_UNREACHABLE };
	struct kit_folder *folders = calloc(count, sizeof(*folders));
	struct source_set *sources = calloc(count, sizeof(*sources));
	struct arena arena;
	struct fault fault;
	enum exit_code code = EXIT_STORE_FAILED;

	arena_init(&arena, SOURCES_MAX);
	for (size_t i = 0; folders != NULL && sources != NULL && i < count; i++) {
		if (domain_read_folder(paths[i], &arena, &sources[i], &fault) != 0) {
			code = exit_say(&fault);
			goto out;
		}
		folders[i] = (struct kit_folder){ paths[i], &sources[i] };
	}
	if (folders != NULL && sources != NULL)
		code = codes[(size_t)run(call, folders, count, least) % countof(codes)];
out:
	arena_fini(&arena);
	free(folders);
	free(sources);
	return code;
}

/* A run in a process of its own, which ends with this one: a spec that never ends holds up no save. */
static pid_t
start_run(const struct call *call, const char *const *paths, size_t count, double least)
{
	pid_t watcher = getpid(), run = fork();

	if (run != 0)
		return run;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != watcher)
		_exit(EXIT_DONE);
	test_once(call, paths, count, least);
	printf("-- waiting for a save; ^C ends\n");
	fflush(stdout);
	_exit(EXIT_DONE);
}

static void
end_run(pid_t run)
{
	int status;

	if (waitpid(run, &status, WNOHANG) == 0) {
		kill(run, SIGKILL);
		waitpid(run, &status, 0);
		printf("-- saved before the specs had ended: they begin anew\n");
	} else if (WIFSIGNALED(status)) {
		printf("-- the specs' process ended by signal %d\n", WTERMSIG(status));
	}
	fflush(stdout);
}

/* Until the process is interrupted. */
static enum exit_code
test_again(const struct call *call, const char *const *paths, size_t count, double least)
{
	struct saves *saves;
	struct fault fault;

	if (saves_open(paths, count, &saves, &fault) != 0)
		return exit_say(&fault);
	for (;;) {
		pid_t run = start_run(call, paths, count, least);
		if (run < 0) {
			saves_close(saves);
			fault_errno(&fault, FAULT_AWAY, errno, "specs cannot be run");
			return exit_say(&fault);
		}
		saves_wait(saves);
		end_run(run);
	}
}

static int
read_options(const struct call *call, double *least, struct fault *fault)
{
	const char *output = call->values[OPTION_OUTPUT], *text = call->values[OPTION_COVERAGE_MIN];
	char *end;

	*least = 0;
	if (output != NULL && strcmp(output, "plain") != 0 && strcmp(output, "junit") != 0)
		return fault_set(fault, FAULT_INPUT, "usage", "--output is plain or junit, not \"%s\"", output);
	if (text == NULL)
		return 0;
	*least = strtod(text, &end);
	if (end == text || *end != '\0' || !(*least >= 0 && *least <= 100))
		return fault_set(fault, FAULT_INPUT, "usage", "--coverage-min is a number from 0 to 100, not \"%s\"",
				 text);
	return 0;
}

enum exit_code
verb_test(struct call *call)
{
	static const char *const here[] = { "." };
	const char *const *paths = call->rest_at > 0 ? call->words : here;
	size_t count = call->rest_at > 0 ? call->rest_at : 1;
	struct fault fault;
	double least;

	if (read_options(call, &least, &fault) != 0)
		return exit_say(&fault);
	return call_has(call, OPTION_WATCH) ? test_again(call, paths, count, least)
					    : test_once(call, paths, count, least);
}
