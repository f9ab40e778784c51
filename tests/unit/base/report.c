/* SPDX-License-Identifier: MIT */
/* fault, log and probe: what reaches a person, and that reaching him never stops us. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "base/probe.h"
#include "support/check.h"

TEST(a_fault_carries_class_code_place_and_text)
{
	struct fault fault;

	CHECK_INT(fault_set(&fault, FAULT_INPUT, "bad_name", "%s: %d", "x", 5), -1);
	CHECK_INT(fault.class, FAULT_INPUT);
	CHECK_TEXT(fault.code, "bad_name");
	CHECK_TEXT(fault.text, "x: 5");
	CHECK(strstr(fault.file, "report.c") != NULL);
	CHECK(fault.line > 0);
	CHECK_INT(fault_prefix(&fault, "file %d", 3), -1);
	CHECK_TEXT(fault.text, "file 3: x: 5");
	fault_clear(&fault);
	CHECK_INT(fault.class, FAULT_NONE);
	CHECK_TEXT(fault.text, "");
}

TEST(a_fault_may_be_nobodys)
{
	CHECK_INT(fault_set(NULL, FAULT_BUG, NULL, "x"), -1);
	CHECK_INT(fault_prefix(NULL, "x"), -1);
	CHECK_INT(fault_errno(NULL, FAULT_AWAY, EIO, "x"), -1);
	fault_clear(NULL);
}

TEST(every_class_has_a_name_and_a_code_of_its_own)
{
	struct fault fault;

	for (int i = 0; i < FAULT_CLASSES; i++) {
		for (int j = 0; j < i; j++)
			CHECK(strcmp(fault_class_name((enum fault_class)i), fault_class_name((enum fault_class)j)) !=
			      0);
		fault_set(&fault, (enum fault_class)i, NULL, "x");
		CHECK_TEXT(fault.code, fault_class_name((enum fault_class)i));
	}
	CHECK_TEXT(fault_class_name(FAULT_CLASSES), "bug");
}

TEST(long_texts_are_cut_and_end)
{
	struct fault fault;
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fault_set(&fault, FAULT_INPUT, text, "%s", text);
	CHECK_INT(strlen(fault.text), sizeof(fault.text) - 1);
	CHECK_INT(strlen(fault.code), sizeof(fault.code) - 1);
	fault_prefix(&fault, "%s", text);
	CHECK_INT(strlen(fault.text), sizeof(fault.text) - 1);
	fault_errno(&fault, FAULT_AWAY, EIO, "%s", text);
	CHECK(strlen(fault.text) < sizeof(fault.text));
}

TEST(no_terminal_codes_pass_through_a_fault)
{
	struct fault fault;

	fault_set(&fault, FAULT_SCRIPT, NULL, "a\x1b[31m\rb\n\tc\x7f");
	CHECK_TEXT(fault.text, "a [31m b\n\tc ");
}

TEST(errno_decides_the_class_where_it_can)
{
	struct fault fault;

	fault_errno(&fault, FAULT_AWAY, ENOSPC, "write %s", "log");
	CHECK_INT(fault.class, FAULT_FULL);
	CHECK_INT(fault.native, ENOSPC);
	CHECK(strncmp(fault.text, "write log: ", 11) == 0);
	fault_errno(&fault, FAULT_AWAY, ENOMEM, "x");
	CHECK_INT(fault.class, FAULT_MEMORY);
	fault_errno(&fault, FAULT_AWAY, EIO, "x");
	CHECK_INT(fault.class, FAULT_AWAY);
}

TEST(a_broken_must_aborts)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		close(2);
		must(1 + 1 == 2);
		must(1 + 1 == 3);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static char logged[20000];

/* What the lines since the last call were, without their times. */
static const char *
read_log(int fd)
{
	ssize_t size = read(fd, logged, sizeof(logged) - 1);

	logged[size > 0 ? size : 0] = '\0';
	return logged;
}

TEST(log_lines_are_logfmt)
{
	int ends[2];

	CHECK_INT(pipe2(ends, O_NONBLOCK), 0);
	log_setup(ends[1], LOG_INFO, LOG_LOGFMT);
	log_line(LOG_DEBUG, "hidden", log_int("n", 1));
	CHECK_TEXT(read_log(ends[0]), "");
	log_line(LOG_WARN, "two words", log_text("plain", "a/b:c"), log_text("empty", ""),
		 log_text("quoted", "a=\"b\"\n\x01"), log_int("n", -5), log_slice("latin", SLICE("\xe9")),
		 log_slice("utf8", SLICE("\xc3\xa9")));
	const char *line = read_log(ends[0]);
	CHECK(strncmp(line, "ts=20", 5) == 0);
	CHECK_TEXT(line + 3 + 27,
		   " level=warn msg=\"two words\" plain=a/b:c empty=\"\" quoted=\"a=\\\"b\\\"\\n\\u0001\" n=-5 "
		   "latin=\"\\ufffd\" utf8=\xc3\xa9\n");
	log_setup(2, LOG_INFO, LOG_LOGFMT);
	close(ends[0]);
	close(ends[1]);
}

TEST(log_lines_are_json)
{
	struct json_value value, item;
	struct fault fault;
	int ends[2];

	CHECK_INT(pipe2(ends, O_NONBLOCK), 0);
	log_setup(ends[1], LOG_DEBUG, LOG_JSON);
	fault_set(&fault, FAULT_CORRUPT, "bad_digest", "page %d: \"x\"\n\xff", 3);
	log_fault(LOG_ERROR, "read \"failed\"", &fault);
	CHECK_INT(json_check(slice_text(read_log(ends[0])), &value, &fault), 0);
	CHECK(json_member(value, SLICE("level"), &item));
	CHECK_SLICE(item.raw, "\"error\"");
	CHECK(json_member(value, SLICE("msg"), &item));
	CHECK_SLICE(item.raw, "\"read \\\"failed\\\"\"");
	CHECK(json_member(value, SLICE("class"), &item));
	CHECK_SLICE(item.raw, "\"corrupt\"");
	CHECK(json_member(value, SLICE("reason"), &item));
	CHECK_SLICE(item.raw, "\"page 3: \\\"x\\\"\\n\\ufffd\"");
	log_setup(2, LOG_INFO, LOG_LOGFMT);
	close(ends[0]);
	close(ends[1]);
}

TEST(a_line_too_long_drops_fields_and_stays_whole)
{
	struct json_value value, item;
	static char large[6000];
	int ends[2];

	memset(large, 'x', sizeof(large) - 1);
	CHECK_INT(pipe2(ends, O_NONBLOCK), 0);
	for (int shape = LOG_LOGFMT; shape <= LOG_JSON; shape++) {
		log_setup(ends[1], LOG_INFO, (enum log_format)shape);
		log_line(LOG_INFO, large, log_text("one", large), log_text("two", "kept"),
			 log_text("three", large + 2500));
		const char *line = read_log(ends[0]);
		CHECK(strstr(line, "kept") != NULL);
		CHECK(strstr(line, "one") == NULL);
		CHECK(strstr(line, "three") != NULL);
		CHECK(line[strlen(line) - 1] == '\n');
		if (shape == LOG_JSON) {
			CHECK_INT(json_check(slice_text(line), &value, NULL), 0);
			CHECK(json_member(value, SLICE("three"), &item));
			CHECK_INT(item.raw.size, sizeof(large) - 1 - 2500 + 2);
		}
	}
	log_setup(2, LOG_INFO, LOG_LOGFMT);
	close(ends[0]);
	close(ends[1]);
}

TEST(a_full_or_closed_target_does_not_hold_us_up)
{
	int ends[2];

	/* A blocking pipe that nobody reads: more lines than it holds. */
	CHECK_INT(pipe(ends), 0);
	log_setup(ends[1], LOG_INFO, LOG_LOGFMT);
	for (int i = 0; i < 10000; i++)
		log_line(LOG_INFO, "line", log_int("number", i));
	signal(SIGPIPE, SIG_IGN);
	close(ends[0]);
	log_line(LOG_INFO, "line", log_int("number", 1));
	close(ends[1]);
	log_line(LOG_INFO, "line", log_int("number", 2));
	log_setup(2, LOG_INFO, LOG_LOGFMT);
}

TEST(levels_are_known_by_name)
{
	enum log_level level;

	CHECK(log_level_parse("debug", &level) == 0 && level == LOG_DEBUG);
	CHECK(log_level_parse("off", &level) == 0 && level == LOG_OFF);
	CHECK_INT(log_level_parse("loud", &level), -1);
	log_setup(2, LOG_OFF, LOG_LOGFMT);
	CHECK(!log_wants(LOG_ERROR));
	log_setup(2, LOG_INFO, LOG_LOGFMT);
	CHECK(log_wants(LOG_ERROR) && !log_wants(LOG_DEBUG));
}

/* Runs in a child, because probes are set once in a process. */
static int
in_child(const char *probes, int (*body)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (probe_setup(probes) != 0)
			_exit(99);
		_exit(body());
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int
third_pass_fails(void)
{
	for (int pass = 1; pass <= 5; pass++)
		if (PROBE("a") != (pass == 3))
			return pass;
	return PROBE("b") ? 9 : 0;
}

static int
two_passes(void)
{
	if (PROBE("a") || PROBE("a"))
		return 8;
	return 0;
}

static int
pause_takes_its_time(void)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	bool failed = PROBE("a");
	clock_gettime(CLOCK_MONOTONIC, &after);
	return failed || (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 5;
}

TEST(probes_act_at_their_pass)
{
	CHECK(!PROBE("a"));
	CHECK_INT(in_child("a:3:fail", third_pass_fails), 0);
	CHECK_INT(in_child("b:2:fail,a:3:fail", third_pass_fails), 0);
	CHECK_INT(in_child("a:2:kill", two_passes), 1000 + SIGKILL);
	CHECK_INT(in_child("a:3:kill", two_passes), 0);
	CHECK_INT(in_child("a:1:pause_ms=6", pause_takes_its_time), 0);
}

TEST(probes_that_cannot_be_understood_are_refused)
{
	static const char *const bad[] = {
		"",          "a",          "a:1", "a:x:kill", "a:0:kill", "a:1:die", "a:1:pause_ms=", "a:1:pause_ms=1x",
		"a:1:kill,", "a:1:killed", ":"
	};

	for (size_t i = 0; i < countof(bad); i++)
		CHECK_INT(in_child(bad[i], two_passes), 99);
}

TEST_MAIN()
