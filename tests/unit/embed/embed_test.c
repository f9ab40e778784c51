/* SPDX-License-Identifier: MIT */
/* The C interface for other programs: answers, errors, threads, a data directory, and what it leaves alone. */
#include "moonlog/moonlog.h"

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"

#define BANK "domains/banking"

static struct moonlog *bank;
static struct moonlog_error error;
static struct moonlog_answer answer;

static void
open_bank(const char *data)
{
	struct moonlog_options options = MOONLOG_OPTIONS;

	options.data = data;
	CHECK_INT(moonlog_open(&options, &bank, &error), 0);
	CHECK_INT(moonlog_add_domain(bank, BANK, &error), 0);
	CHECK_INT(moonlog_start(bank, &error), 0);
}

static void
close_bank(void)
{
	moonlog_answer_free(&answer);
	moonlog_close(bank);
	bank = NULL;
}

static int
run(const char *stream, const char *name, const char *body, const char *key, uint64_t expected)
{
	struct moonlog_command command = MOONLOG_COMMAND;

	command.stream = stream;
	command.command = name;
	command.body = body;
	command.key = key;
	command.expected = expected;
	moonlog_answer_free(&answer);
	return moonlog_execute(bank, &command, &answer, &error);
}

static int
open_account(const char *id)
{
	char stream[64], body[200];

	snprintf(stream, sizeof(stream), "banking.account/%s", id);
	snprintf(body, sizeof(body),
		 "{\"accountNumber\":\"%s\",\"accountName\":\"n\",\"ownerName\":\"o\",\"initialBalance\":10}", id);
	return run(stream, "CreateAccount", body, NULL, MOONLOG_ANY_VERSION);
}

static int
deposit(const char *body, const char *key, uint64_t expected)
{
	return run("banking.account/a", "DepositMoney", body, key, expected);
}

TEST(every_outcome_has_its_answer)
{
	open_bank(NULL);
	CHECK_INT(open_account("a"), 0);
	CHECK_INT(answer.outcome, MOONLOG_ACCEPTED);
	CHECK_INT(answer.version, 1);
	CHECK(answer.position >= 1);

	CHECK_INT(deposit("{\"amount\":5}", "k1", 1), 0);
	CHECK_INT(answer.outcome, MOONLOG_ACCEPTED);
	CHECK_TEXT(answer.reply, "{\"balance\":15.00}");
	CHECK_TEXT(answer.code, "");
	CHECK_INT(deposit("{\"amount\":5}", "k1", 1), 0);
	CHECK_INT(answer.outcome, MOONLOG_REPEATED);
	CHECK_TEXT(answer.reply, "{\"balance\":15.00}");
	CHECK_INT(deposit("{\"amount\":6}", "k1", 1), 0);
	CHECK_INT(answer.outcome, MOONLOG_MISMATCH);
	CHECK_INT(deposit("{\"amount\":5}", NULL, 1), 0);
	CHECK_INT(answer.outcome, MOONLOG_CONFLICT);
	CHECK_INT(answer.version, 2);
	CHECK_INT(run("banking.account/a", "WithdrawMoney", "{\"amount\":500}", NULL, MOONLOG_ANY_VERSION), 0);
	CHECK_INT(answer.outcome, MOONLOG_REFUSED);
	CHECK_TEXT(answer.code, "insufficient_funds");
	CHECK_INT(answer.status, 422);
	CHECK_INT(run("banking.account/b", "DepositMoney", "{\"amount\":5}", NULL, MOONLOG_ANY_VERSION), 0);
	CHECK_INT(answer.outcome, MOONLOG_MISSING);
	close_bank();
}

TEST(wrong_calls_are_errors_with_a_code)
{
	struct moonlog_options options = MOONLOG_OPTIONS;
	struct moonlog *other;

	open_bank(NULL);
	CHECK_INT(open_account("a"), 0);
	CHECK_INT(deposit("{\"amount\" 5}", NULL, MOONLOG_ANY_VERSION), -1);
	CHECK_INT(error.kind, MOONLOG_INPUT);
	CHECK_TEXT(error.code, "bad_json");
	CHECK_INT(run("nonsense", "DepositMoney", NULL, NULL, MOONLOG_ANY_VERSION), -1);
	CHECK_TEXT(error.code, "bad_stream_name");
	CHECK_INT(run(NULL, "DepositMoney", NULL, NULL, MOONLOG_ANY_VERSION), -1);
	CHECK_TEXT(error.code, "bad_argument");
	CHECK_INT(moonlog_query(bank, "balances", NULL, 0, 0, &answer, &error), -1);
	CHECK_TEXT(error.code, "bad_argument");
	close_bank();

	options.data = "/dev/null/data";
	CHECK_INT(moonlog_open(&options, &other, &error), -1);
	CHECK(other == NULL);
	options.data = NULL;
	CHECK_INT(moonlog_open(&options, &other, &error), 0);
	CHECK_INT(moonlog_add_domain(other, "nowhere", &error), -1);
	CHECK_INT(error.kind, MOONLOG_CONFIG);
	moonlog_close(other);
	moonlog_close(NULL);
}

TEST(reads_see_what_was_written)
{
	struct moonlog_param params[] = { { "order", "-currentBalance" }, { "limit", "1" } };

	open_bank(NULL);
	CHECK_INT(open_account("a"), 0);
	CHECK_INT(open_account("b"), 0);
	CHECK_INT(deposit("{\"amount\":5.25}", NULL, MOONLOG_ANY_VERSION), 0);
	uint64_t position = answer.position;
	moonlog_answer_free(&answer);
	CHECK_INT(moonlog_query(bank, "banking.balances", params, 2, position, &answer, &error), 0);
	CHECK(answer.position >= position);
	CHECK(strstr(answer.reply, "\"currentBalance\":15.25") != NULL);
	CHECK(strstr(answer.reply, "\"accountId\":\"b\"") == NULL);
	moonlog_answer_free(&answer);
	params[1].value = "none";
	CHECK(moonlog_query(bank, "banking.balances", params, 2, 0, &answer, &error) != 0 ||
	      answer.outcome == MOONLOG_REFUSED);
	moonlog_answer_free(&answer);
	CHECK_INT(moonlog_query(bank, "banking.nothing", NULL, 0, 0, &answer, &error), 0);
	CHECK_INT(answer.outcome, MOONLOG_MISSING);
	moonlog_answer_free(&answer);
	CHECK_INT(moonlog_state(bank, "banking.account/a", 1, &answer, &error), 0);
	CHECK_INT(answer.version, 1);
	CHECK(strstr(answer.reply, "\"balance\":1000") != NULL);
	moonlog_answer_free(&answer);
	CHECK_INT(moonlog_state(bank, "banking.account/none", 0, &answer, &error), 0);
	CHECK_INT(answer.outcome, MOONLOG_MISSING);
	close_bank();
}

struct seen {
	uint64_t last;
	unsigned count;
	unsigned enough; /* ends then; 0: never */
	bool gap;
};

static int
see(void *self, uint64_t position, const char *json, size_t size)
{
	struct seen *seen = self;

	seen->gap = seen->gap || position != seen->last + 1 || size < 2 || json[0] != '{' || json[size - 1] != '}';
	seen->last = position;
	seen->count++;
	return seen->enough != 0 && seen->count == seen->enough;
}

TEST(the_log_is_followed_from_any_position)
{
	struct seen seen = { 0 };
	uint64_t after = 0;

	open_bank(NULL);
	CHECK_INT(moonlog_follow(bank, &after, 0, see, &seen, &error), 0);
	CHECK_INT(seen.count, 0);
	CHECK_INT(open_account("a"), 0);
	CHECK_INT(open_account("b"), 0);
	CHECK_INT(moonlog_follow(bank, &after, 10, see, &seen, &error), 0);
	CHECK_INT(seen.last, moonlog_head(bank));
	CHECK_INT(after, seen.last);
	CHECK(!seen.gap);

	seen = (struct seen){ .enough = 1 };
	after = 0;
	CHECK_INT(moonlog_follow(bank, &after, -1, see, &seen, &error), 0);
	CHECK_INT(after, 1);
	close_bank();
}

static void *
write_many(void *self)
{
	const char *id = self;
	struct moonlog_command command = MOONLOG_COMMAND;
	struct moonlog_answer mine;
	struct moonlog_error trouble;
	char stream[64];
	intptr_t accepted = 0;

	snprintf(stream, sizeof(stream), "banking.account/%s", id);
	command.stream = stream;
	command.command = "DepositMoney";
	command.body = "{\"amount\":1}";
	for (int i = 0; i < 200; i++) {
		if (moonlog_execute(bank, &command, &mine, &trouble) == 0) {
			accepted += mine.outcome == MOONLOG_ACCEPTED;
			moonlog_answer_free(&mine);
		}
	}
	return (void *)accepted;
}

static void *
follow_many(void *self)
{
	uint64_t after = 0;
	struct moonlog_error trouble;

	return moonlog_follow(bank, &after, -1, see, self, &trouble) == 0 ? self : NULL;
}

TEST(threads_write_while_one_follows)
{
	pthread_t writers[3], follower;
	/* Each deposit is an event and a message, each account too. */
	struct seen seen = { .enough = 2 * (2 + 3 * 200) };
	void *result;
	intptr_t accepted = 0;

	open_bank(NULL);
	CHECK_INT(open_account("a"), 0);
	CHECK_INT(open_account("b"), 0);
	CHECK_INT(pthread_create(&follower, NULL, follow_many, &seen), 0);
	for (int i = 0; i < 3; i++)
		CHECK_INT(pthread_create(&writers[i], NULL, write_many, i == 0 ? "a" : "b"), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(writers[i], &result);
		accepted += (intptr_t)result;
	}
	CHECK_INT(accepted, 600);
	pthread_join(follower, &result);
	CHECK(result == &seen && !seen.gap);
	CHECK_INT(seen.last, moonlog_head(bank));
	close_bank();
}

TEST(a_data_directory_outlives_the_process_that_made_it)
{
	char folder[] = "/tmp/moonlog-embed-XXXXXX", data[64], command[80];
	struct moonlog_options options = MOONLOG_OPTIONS;
	struct moonlog *second;

	CHECK(mkdtemp(folder) != NULL);
	snprintf(data, sizeof(data), "%s/data", folder);
	open_bank(data);
	CHECK_INT(open_account("a"), 0);
	options.data = data;
	CHECK_INT(moonlog_open(&options, &second, &error), -1);
	CHECK_TEXT(error.code, "store_locked");
	close_bank();
	open_bank(data);
	CHECK_INT(deposit("{\"amount\":5}", NULL, 1), 0);
	CHECK_INT(answer.outcome, MOONLOG_ACCEPTED);
	close_bank();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	CHECK_INT(system(command), 0);
}

TEST(an_older_callers_struct_is_enough)
{
	struct moonlog_options options = MOONLOG_OPTIONS;
	struct moonlog *opened;

	options.size = offsetof(struct moonlog_options, workers);
	options.workers = 1000000;
	CHECK_INT(moonlog_open(&options, &opened, &error), 0);
	moonlog_close(opened);
}

TEST(signals_and_locale_are_left_alone)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGSEGV, SIGALRM };
	struct sigaction before, after;
	sigset_t mask_before, mask_after;
	char locale[200];

	snprintf(locale, sizeof(locale), "%s", setlocale(LC_ALL, NULL));
	pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaction(numbers[i], NULL, &before);
		open_bank(NULL);
		CHECK_INT(open_account("a"), 0);
		close_bank();
		sigaction(numbers[i], NULL, &after);
		CHECK(before.sa_handler == after.sa_handler);
	}
	pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
	for (int number = 1; number < SIGRTMAX; number++)
		CHECK_INT(sigismember(&mask_before, number), sigismember(&mask_after, number));
	CHECK_TEXT(setlocale(LC_ALL, NULL), locale);
	CHECK_TEXT(moonlog_version(), MOONLOG_VERSION_TEXT);
}

/* What a locale's compiler makes of decimal_point "," and thousands_sep "."; glibc finds it by LOCPATH. */
static const unsigned char comma_numeric[] = { 0x14, 0x11, 0x03, 0x20, 6,   0, 0,    0,   0x20, 0,   0,    0, 0x22, 0,
					       0,    0,    0x24, 0,    0,   0, 0x28, 0,   0,    0,   0x2c, 0, 0,    0,
					       0x30, 0,    0,    0,    ',', 0, '.',  0,   3,    3,   0,    0, ',',  0,
					       0,    0,    '.',  0,    0,   0, 'U',  'T', 'F',  '-', '8',  0 };

static void
write_file(const char *folder, const char *name, const void *bytes, size_t size)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	CHECK(file != NULL && fwrite(bytes, 1, size, file) == size);
	fclose(file);
}

static const char *const reals =
	"local function say(s, d) s.n = d.n; s.third = 1 / 3; s.text = tostring(d.n); s.shown = ('%.2f'):format(d.n)\n"
	"  s.read = tonumber('0.5'); s.sum = '1.5' + 1; return s end\n"
	"return { name = 'a', initial = function() return {} end,\n"
	"  events = { Put = { data = { n = 'number' }, apply = say } },\n"
	"  commands = { Put = { anywhere = true, data = { n = 'number' }, handle = function(s, d)\n"
	"    return { { type = 'Put', data = { n = d.n } } }, { n = d.n } end } } }\n";

/* [I7] */
TEST(numbers_are_the_same_in_every_locale)
{
	char folder[] = "/tmp/moonlog-embed-XXXXXX", comma[80], rules[80], command[80];
	struct moonlog_options options = MOONLOG_OPTIONS;

	CHECK(mkdtemp(folder) != NULL);
	snprintf(comma, sizeof(comma), "%s/comma", folder);
	snprintf(rules, sizeof(rules), "%s/reals", folder);
	CHECK(mkdir(comma, 0700) == 0 && mkdir(rules, 0700) == 0);
	write_file(comma, "LC_NUMERIC", comma_numeric, sizeof(comma_numeric));
	write_file(rules, "a.lua", reals, strlen(reals));
	setenv("LOCPATH", folder, 1);
	CHECK(setlocale(LC_NUMERIC, "comma") != NULL);
	CHECK_TEXT(localeconv()->decimal_point, ",");

	CHECK_INT(moonlog_open(&options, &bank, &error), 0);
	CHECK_INT(moonlog_add_domain(bank, rules, &error), 0);
	CHECK_INT(moonlog_start(bank, &error), 0);
	CHECK_INT(run("reals.a/x", "Put", "{\"n\":123456789.12345678}", NULL, MOONLOG_ANY_VERSION), 0);
	CHECK_TEXT(answer.reply, "{\"n\":123456789.12345678}");
	moonlog_answer_free(&answer);
	CHECK_INT(moonlog_state(bank, "reals.a/x", 0, &answer, &error), 0);
	CHECK(strstr(answer.reply,
		     "\"state\":{\"n\":123456789.12345678,\"read\":0.5,\"shown\":\"123456789.12\",\"sum\":2.5,"
		     "\"text\":\"123456789.12346\",\"third\":0.3333333333333333}") != NULL);
	moonlog_answer_free(&answer);
	moonlog_close(bank);
	CHECK_TEXT(localeconv()->decimal_point, ",");
	CHECK(setlocale(LC_NUMERIC, "C") != NULL);
	unsetenv("LOCPATH");
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	CHECK_INT(system(command), 0);
}

TEST_MAIN()
