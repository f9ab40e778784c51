/* SPDX-License-Identifier: MIT */
/* The command line: verbs of one and two words, options anywhere, and what is said of wrong ones. */
#include "daemon/args.h"

#include "support/check.h"

static struct args args;
static struct fault fault;
static char *arguments[16];

static int
parse(const char *line)
{
	static char text[256];
	int count = 1;

	args_fini(&args);
	snprintf(text, sizeof(text), "%s", line);
	arguments[0] = "moonlog";
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		arguments[count++] = word;
	arguments[count] = NULL;
	return args_parse(count, arguments, NULL, &args, &fault);
}

static const char *
complaint(const char *line)
{
	CHECK_INT(parse(line), -1);
	CHECK_TEXT(fault.code, "usage");
	return fault.text;
}

TEST(verbs_of_two_words)
{
	CHECK_INT(parse("stream show banking.account/1 --limit 3 --json"), 0);
	CHECK_TEXT(args.call.verb->name, "stream show");
	CHECK_INT(args.call.word_count, 1);
	CHECK_TEXT(args.call.words[0], "banking.account/1");
	CHECK_TEXT(args.call.values[OPTION_LIMIT], "3");
	CHECK(call_has(&args.call, OPTION_JSON));
	CHECK(!call_has(&args.call, OPTION_FROM));
}

TEST(options_with_equals_and_the_end_of_options)
{
	CHECK_INT(parse("stream list --limit=3 -- --odd"), 0);
	CHECK_TEXT(args.call.values[OPTION_LIMIT], "3");
	CHECK_TEXT(args.call.words[0], "--odd");
}

TEST(settings_come_from_flags_and_set)
{
	CHECK_INT(parse("serve --data d a --workers 3 b --development --set limits.attempts=4"), 0);
	CHECK_INT(args.call.setting_count, 4);
	CHECK_INT(args.call.settings[0].id, CONFIG_DATA);
	CHECK_INT(args.call.settings[2].id, CONFIG_DEVELOPMENT);
	CHECK_TEXT(args.call.settings[2].text, "true");
	CHECK_INT(args.call.settings[3].id, CONFIG_ATTEMPTS);
	CHECK_TEXT(args.call.settings[3].text, "4");
	CHECK_INT(args.call.word_count, 2);
	call_domains(&args.call);
	CHECK_INT(args.call.setting_count, 6);
	CHECK_TEXT(args.call.settings[5].text, "b");
}

TEST(a_verb_takes_only_its_own)
{
	CHECK_TEXT(complaint("stream list --workers 3"), "stream list has no option --workers");
	CHECK_TEXT(complaint("version --data x"), "version has no option --data");
	CHECK_TEXT(complaint("version x"), "version does not take \"x\"; usage: moonlog version ");
	CHECK_TEXT(complaint("serve --set limits.attempt=4"),
		   "--set: unknown key \"limits.attempt\"; did you mean \"limits.attempts\"?");
}

TEST(wrong_lines_say_what_is_meant)
{
	CHECK_TEXT(complaint("serv"), "unknown command \"serv\"; did you mean \"serve\"?");
	CHECK_TEXT(complaint("stream lst"), "unknown command \"stream lst\"; did you mean \"stream list\"?");
	CHECK_TEXT(complaint("serve --lisen x"), "serve has no option --lisen; did you mean \"listen\"?");
	CHECK_TEXT(complaint("serve --data"), "--data wants a value");
	CHECK_TEXT(complaint("stream list --json=1"), "--json takes no value");
	CHECK_TEXT(complaint("stream show"), "usage: moonlog stream show STREAM");
	CHECK_TEXT(complaint("stream list -x"), "stream list has no option -x");
	CHECK_TEXT(complaint(""), "no command is given");
}

TEST(help_is_asked_for_anywhere)
{
	CHECK_INT(parse("stream show --help"), 0);
	CHECK_TEXT(args.call.verb->name, "help");
	CHECK_TEXT(args.call.words[0], "stream show");
	CHECK_INT(parse("-h"), 0);
	CHECK_TEXT(args.call.verb->name, "help");
	CHECK_INT(args.call.word_count, 0);
}

TEST(specs_take_the_options_of_busted)
{
	CHECK_INT(parse("test domains/a domains/b --filter overdraft --shuffle -v"), 0);
	CHECK_TEXT(args.call.values[OPTION_FILTER], "overdraft");
	CHECK_INT(args.call.word_count, 4);
	CHECK_INT(args.call.rest_at, 2);
	CHECK_TEXT(args.call.words[2], "--shuffle");
	CHECK_INT(parse("test domains/a"), 0);
	CHECK_INT(args.call.rest_at, 1);
}

TEST(numbers_of_options)
{
	uint64_t number;

	CHECK_INT(parse("stream list --limit x"), 0);
	CHECK_INT(call_number(&args.call, OPTION_LIMIT, 1, &number, &fault), -1);
	CHECK_TEXT(fault.text, "--limit wants a number, got \"x\"");
}

TEST_MAIN()
