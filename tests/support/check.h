/* SPDX-License-Identifier: MIT */
/*
 * The tests' harness. A suite is one program: TEST(name) { ... CHECK(...); } ... and TEST_MAIN() at the end.
 * Run with a word as argument, it runs only tests whose name contains the word.
 * A failed check ends its test, is printed with its place, and makes the program exit 1. It jumps, and nothing of its
 * test is closed: what a thread may touch later must not lie in the test's own frame.
 */
#ifndef MOONLOG_TESTS_SUPPORT_CHECK_H
#define MOONLOG_TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_test {
	const char *name;
	void (*run)(void);
	struct check_test *next;
};

static struct check_test *check_first, **check_last = &check_first;
static jmp_buf check_escape;

#define TEST(title)                                                                                                    \
	static void test_##title(void);                                                                                \
	static struct check_test test_of_##title = { #title, test_##title, NULL };                                     \
	__attribute__((constructor)) static void test_add_##title(void)                                                \
	{                                                                                                              \
		*check_last = &test_of_##title;                                                                        \
		check_last = &test_of_##title.next;                                                                    \
	}                                                                                                              \
	static void test_##title(void)

#define CHECK_FAIL(...)                                                                                                \
	do {                                                                                                           \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                        \
		fprintf(stderr, __VA_ARGS__);                                                                          \
		fputc('\n', stderr);                                                                                   \
		longjmp(check_escape, 1);                                                                              \
	} while (0)

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			CHECK_FAIL("not so: %s", #condition);                                                          \
	} while (0)

#define CHECK_INT(got, wanted)                                                                                         \
	do {                                                                                                           \
		long long check_got = (long long)(got), check_wanted = (long long)(wanted);                            \
		if (check_got != check_wanted)                                                                         \
			CHECK_FAIL("%s is %lld, not %lld", #got, check_got, check_wanted);                             \
	} while (0)

/* For a struct slice against text. */
#define CHECK_SLICE(got, wanted)                                                                                       \
	do {                                                                                                           \
		struct slice check_got = (got);                                                                        \
		const char *check_wanted = (wanted);                                                                   \
		if (check_got.size != strlen(check_wanted) ||                                                          \
		    (check_got.size != 0 && memcmp(check_got.data, check_wanted, check_got.size) != 0))                \
			CHECK_FAIL("%s is \"%.*s\", not \"%s\"", #got, (int)check_got.size,                            \
				   check_got.data != NULL ? check_got.data : "", check_wanted);                        \
	} while (0)

#define CHECK_TEXT(got, wanted)                                                                                        \
	do {                                                                                                           \
		const char *check_got = (got), *check_wanted = (wanted);                                               \
		if (strcmp(check_got, check_wanted) != 0)                                                              \
			CHECK_FAIL("%s is \"%s\", not \"%s\"", #got, check_got, check_wanted);                         \
	} while (0)

#define TEST_MAIN()                                                                                                    \
	int main(int argc, char **argv)                                                                                \
	{                                                                                                              \
		static int failed, passed; /* static: longjmp leaves them alone */                                     \
		static struct check_test *t;                                                                           \
		for (t = check_first; t != NULL; t = t->next) {                                                        \
			if (argc > 1 && strstr(t->name, argv[1]) == NULL)                                              \
				continue;                                                                              \
			if (setjmp(check_escape) == 0) {                                                               \
				t->run();                                                                              \
				passed++;                                                                              \
			} else {                                                                                       \
				fprintf(stderr, "FAILED %s\n", t->name);                                               \
				failed++;                                                                              \
			}                                                                                              \
		}                                                                                                      \
		printf("%d passed, %d failed\n", passed, failed);                                                      \
		return failed != 0 || passed == 0;                                                                     \
	}

#endif
