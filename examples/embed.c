/* SPDX-License-Identifier: MIT */
/*
 * The engine inside a program of your own: opens a log in memory with the bank's rules, opens two accounts, moves money
 * between them, is refused once, asks a query that sees its own writes, and reads the log.
 *
 *     cc embed.c $(pkg-config --cflags --libs moonlog) -o embed
 *     ./embed domains/banking [DATA_DIRECTORY]
 */
#include <moonlog/moonlog.h>
#include <stdio.h>
#include <stdlib.h>

static void
die(const char *what, const struct moonlog_error *error)
{
	fprintf(stderr, "%s: %s (%s)\n", what, error->text, error->code);
	exit(1);
}

/* Runs a command, prints its answer, gives the position that it wrote. */
static uint64_t
run(struct moonlog *log, const char *stream, const char *name, const char *body)
{
	struct moonlog_command command = MOONLOG_COMMAND;
	struct moonlog_answer answer;
	struct moonlog_error error;
	uint64_t position;

	command.stream = stream;
	command.command = name;
	command.body = body;
	if (moonlog_execute(log, &command, &answer, &error) != 0)
		die(name, &error);
	if (answer.outcome == MOONLOG_ACCEPTED)
		printf("%s %s: %d %s\n", stream, name, answer.status, answer.reply);
	else
		printf("%s %s: %d %s: %s\n", stream, name, answer.status, answer.code, answer.message);
	position = answer.position;
	moonlog_answer_free(&answer);
	return position;
}

static int
print_entry(void *self, uint64_t position, const char *json, size_t size)
{
	unsigned *count = self;

	(*count)++;
	printf("%llu %.*s\n", (unsigned long long)position, (int)size, json);
	return 0;
}

int
main(int argc, char **argv)
{
	struct moonlog_options options = MOONLOG_OPTIONS;
	struct moonlog_answer answer;
	struct moonlog_error error;
	struct moonlog *log;
	uint64_t position, after = 0;
	unsigned count = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s DOMAIN_FOLDER [DATA_DIRECTORY]\n", argv[0]);
		return 2;
	}
	options.data = argc > 2 ? argv[2] : NULL;
	if (moonlog_open(&options, &log, &error) != 0 || moonlog_add_domain(log, argv[1], &error) != 0 ||
	    moonlog_start(log, &error) != 0)
		die(argv[1], &error);

	run(log, "banking.account/ada", "CreateAccount",
	    "{\"accountNumber\":\"A-1\",\"accountName\":\"Savings\",\"ownerName\":\"Ada\",\"initialBalance\":100.00}");
	run(log, "banking.account/bob", "CreateAccount",
	    "{\"accountNumber\":\"B-1\",\"accountName\":\"Wages\",\"ownerName\":\"Bob\",\"initialBalance\":0}");
	run(log, "banking.account/ada", "WithdrawMoney", "{\"amount\":5000.00}");
	position = run(log, "banking.account/ada", "DepositMoney", "{\"amount\":25.50}");

	if (moonlog_query(log, "banking.balances", NULL, 0, position, &answer, &error) != 0)
		die("balances", &error);
	printf("balances as of %llu: %s\n", (unsigned long long)answer.position, answer.reply);
	moonlog_answer_free(&answer);

	if (moonlog_state(log, "banking.account/ada", 0, &answer, &error) != 0)
		die("state", &error);
	printf("state at version %llu: %s\n", (unsigned long long)answer.version, answer.reply);
	moonlog_answer_free(&answer);

	if (moonlog_follow(log, &after, 0, print_entry, &count, &error) != 0)
		die("follow", &error);
	printf("%u entries, head %llu\n", count, (unsigned long long)moonlog_head(log));
	moonlog_close(log);
	return count == 0;
}
