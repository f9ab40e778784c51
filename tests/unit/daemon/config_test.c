/* SPDX-License-Identifier: MIT */
/* The configuration: every source, every kind of wrong value, and the line that is named for it. */
#include "daemon/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "script/lua/config_lines.h"
#include "support/check.h"

static char path[64];
static struct config config;
static struct fault fault;

static void
write_file(const char *text)
{
	strcpy(path, "/tmp/moonlog-config-XXXXXX");
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int
load(const char *text, char *const *environment, const struct config_setting *settings, size_t count)
{
	struct config_sources sources = { .file = text != NULL ? path : NULL,
					  .environment = environment,
					  .settings = settings,
					  .setting_count = count };

	config_fini(&config);
	if (text != NULL)
		write_file(text);
	int result = config_load(&config, &sources, &fault);
	if (text != NULL)
		unlink(path);
	return result;
}

/* The fault's text behind "PATH". */
static const char *
complaint(const char *text)
{
	CHECK_INT(load(text, NULL, NULL, 0), -1);
	CHECK(strncmp(fault.text, path, strlen(path)) == 0);
	return fault.text + strlen(path);
}

TEST(defaults_stand_without_any_source)
{
	CHECK_INT(load(NULL, NULL, NULL, 0), 0);
	CHECK_INT(config_integer(&config, CONFIG_WORKERS), 0);
	CHECK_INT(config_integer(&config, CONFIG_HEAP_BYTES), 64 << 20);
	CHECK(config_text(&config, CONFIG_DATA) == NULL);
	CHECK_TEXT(config.values[CONFIG_LISTEN].items[0], "127.0.0.1:8080");
}

TEST(a_later_source_wins)
{
	char *environment[] = { "MOONLOG_WORKERS=5", "MOONLOG_LISTEN=127.0.0.1:1,127.0.0.1:2", "HOME=/", NULL };
	struct config_setting flags[] = { { CONFIG_READERS, "7" }, { CONFIG_LISTEN, "[::1]:3" } };

	CHECK_INT(load("return { workers = 3, readers = 4, drain_seconds = 20, listen = { 'a:1', 'b:2', 'c:3' } }",
		       environment, flags, 2),
		  0);
	CHECK_INT(config_integer(&config, CONFIG_WORKERS), 5);
	CHECK_INT(config_integer(&config, CONFIG_READERS), 7);
	CHECK_INT(config_integer(&config, CONFIG_DRAIN_SECONDS), 20);
	CHECK_INT(config.values[CONFIG_LISTEN].item_count, 1);
	CHECK_TEXT(config.values[CONFIG_LISTEN].items[0], "[::1]:3");
	CHECK_INT(config.values[CONFIG_DRAIN_SECONDS].source, CONFIG_FILE);
	CHECK_INT(config.values[CONFIG_DRAIN_SECONDS].line, 1);
}

TEST(paths_of_a_file_are_relative_to_it)
{
	CHECK_INT(load("return { data = 'd', domains = { '/x/a', 'b' } }", NULL, NULL, 0), 0);
	CHECK_TEXT(config_text(&config, CONFIG_DATA), "/tmp/d");
	CHECK_TEXT(config.values[CONFIG_DOMAINS].items[0], "/x/a");
	CHECK_TEXT(config.values[CONFIG_DOMAINS].items[1], "/tmp/b");
}

TEST(wrong_values_are_named_with_their_line)
{
	CHECK_TEXT(complaint("return {\n\n lisen = 'x',\n}"), ":3: lisen: unknown key; did you mean \"listen\"?");
	CHECK_TEXT(complaint("return {\n log = {\n  levle = 'x' } }"),
		   ":3: log.levle: unknown key; did you mean \"log.level\"?");
	CHECK_TEXT(complaint("return {\n workers = 'x' }"), ":2: workers: expected an integer, got text");
	CHECK_TEXT(complaint("return {\n workers = 65 }"), ":2: workers: expected an integer from 0 to 64, got 65");
	CHECK_TEXT(complaint("return {\n workers = 1.5 }"),
		   ":2: workers: expected an integer, got a number with decimals");
	CHECK_TEXT(complaint("return {\n workers = { 1 } }"), ":2: workers: expected an integer, got a list");
	CHECK_TEXT(complaint("return {\n log = 'debug' }"), ":2: log: is a section: log = { ... }");
	CHECK_TEXT(complaint("return {\n log = { level = 'loud' } }"),
		   ":2: log.level: expected one of debug|info|warn|error|off, got \"loud\"");
	CHECK_TEXT(complaint("return {\n development = 1 }"),
		   ":2: development: expected true or false, got an integer");
	CHECK_TEXT(complaint("return {\n data = function() end }"),
		   ":2: data: a value is text, a number, true or false, or a list of these");
	CHECK_TEXT(complaint("return {\n http = { body = '9MiB' } }"),
		   ":2: http.body: expected an integer from 0 to 8388608, got 9437184");
	CHECK_TEXT(complaint("return {\n workers = { } }"), ":2: workers: expected an integer, got an empty table");
	CHECK_TEXT(complaint("return {\n listen = { } }"),
		   ":2: listen: expected text or a list of texts, got an empty table");
	CHECK_TEXT(complaint("return {\n limit = { } }"), ":2: limit: unknown key");
	CHECK_TEXT(complaint("return {\n domain_limits = { bank = { command_ms = { } } } }"),
		   ":2: domain_limits.bank.command_ms: expected an integer from 10 to 3600000");
	CHECK_INT(load("return { log = { }, http = { }, domain_limits = { bank = { } } }", NULL, NULL, 0), 0);
	CHECK_TEXT(complaint("return { 5 }"), ": the table: keys are names; a list holds nothing but its items");
}

TEST(limits_of_single_domains)
{
	CHECK_INT(load("return { limits = { command_ms = 100 }, domain_limits = {\n banking = { command_ms = 50, "
		       "load_ms = 900 },\n posts = { query_ms = 70 } } }",
		       NULL, NULL, 0),
		  0);
	CHECK_INT(config_integer(&config, CONFIG_COMMAND_MS), 100);
	CHECK_INT(config.domain_limit_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct script_domain_limits *of = &config.domain_limits[i];
		bool bank = slice_equal(of->domain, SLICE("banking"));
		CHECK_INT(of->limits.command_ms, bank ? 50 : 0);
		CHECK_INT(of->limits.load_ms, bank ? 900 : 0);
		CHECK_INT(of->limits.query_ms, bank ? 0 : 70);
	}
	CHECK_TEXT(complaint("return {\n domain_limits = {\n banking = {\n comand_ms = 5 } } }"),
		   ":4: domain_limits.banking.comand_ms: unknown key; did you mean \"command_ms\"?");
	CHECK_TEXT(complaint("return {\n domain_limits = { banking = {\n command_ms = 5 } } }"),
		   ":3: domain_limits.banking.command_ms: expected an integer from 10 to 3600000");
	CHECK_TEXT(complaint("return {\n domain_limits = { command_ms = 5 } }"),
		   ":2: domain_limits.command_ms: is a section: domain_limits = { DOMAIN = { ... } }");
}

TEST(the_first_wrong_line_is_told)
{
	CHECK_TEXT(complaint("return {\n workers = 2,\n readers = 0,\n zzz = 1,\n attempts = 3 }"),
		   ":3: readers: expected an integer from 1 to 64, got 0");
}

TEST(files_that_are_no_configuration)
{
	CHECK_TEXT(complaint("return {\n data = = 'x' }"), ":2: unexpected symbol near '='");
	CHECK_TEXT(complaint("data = 'x'"), ": the file must return a table: return { data = \"...\", ... }");
	CHECK_TEXT(complaint("return os.getenv('HOME')"), ":1: attempt to index a nil value (global 'os')");
	CHECK_TEXT(complaint("while true do end"), ":1: the configuration runs too long");
	CHECK_TEXT(complaint("local t = 'x' while true do t = t .. t end"), ": not enough memory");
	CHECK_TEXT(complaint("\033Lua"), ": attempt to load a binary chunk (mode is 't')");
	struct config_sources sources = { .file = "/nowhere/moonlog.lua" };
	config_fini(&config);
	CHECK_INT(config_load(&config, &sources, &fault), -1);
	CHECK_TEXT(fault.code, "configuration_missing");
}

TEST(wrong_variables_and_flags_are_named)
{
	char *environment[] = { "MOONLOG_LIMITS_ATTEMPTS=many", NULL };
	struct config_setting flag = { CONFIG_WORKERS, "x" }, set = { CONFIG_ATTEMPTS, "0" };

	CHECK_INT(load(NULL, environment, NULL, 0), -1);
	CHECK_TEXT(fault.text, "MOONLOG_LIMITS_ATTEMPTS: expected an integer, got \"many\"");
	CHECK_TEXT(fault.code, "bad_configuration");
	CHECK_INT(load(NULL, NULL, &flag, 1), -1);
	CHECK_TEXT(fault.text, "--workers: expected an integer, got \"x\"");
	CHECK_TEXT(fault.code, "usage");
	CHECK_INT(load(NULL, NULL, &set, 1), -1);
	CHECK_TEXT(fault.text, "--set limits.attempts: expected an integer from 1 to 1000, got 0");
}

TEST(stray_variables_are_found)
{
	char *environment[] = { "HOME=/", "MOONLOG_DATA=x", "MOONLOG_DATEI=y", "MOONLOG_CONFIG=z", NULL };
	size_t at = 0;

	CHECK_TEXT(config_stray(environment, &at), "MOONLOG_DATEI=y");
	CHECK(config_stray(environment, &at) == NULL);
}

TEST(sizes_have_units)
{
	struct config_setting set = { CONFIG_HEAP_BYTES, "2GiB" };

	CHECK_INT(load(NULL, NULL, &set, 1), 0);
	CHECK_INT(config_integer(&config, CONFIG_HEAP_BYTES), 2LL << 30);
	set.text = "2GB";
	CHECK_INT(load(NULL, NULL, &set, 1), -1);
	set.text = "99999999999999999GiB";
	CHECK_INT(load(NULL, NULL, &set, 1), -1);
}

TEST(every_key_has_its_default_in_range_and_its_help)
{
	CHECK_INT(load(NULL, NULL, NULL, 0), 0);
	for (size_t i = 0; i < config_key_count(); i++) {
		CHECK(config_key(i)->help != NULL);
		CHECK_INT(config_find(slice_text(config_key(i)->name)), i);
	}
}

TEST(lines_are_found_through_comments_and_strings)
{
	struct slice text = SLICE("-- data = 1\nlocal x = [[\ndata = 2 {\n]]\nreturn {\n  --[==[\n data = 3\n]==]\n"
				  "  [\"data\"] = 'a{', http =\n { body = 1,\n  connections = 2 },\n}\n");

	CHECK_INT(config_line_of(text, SLICE("data")), 9);
	CHECK_INT(config_line_of(text, SLICE("http.body")), 10);
	CHECK_INT(config_line_of(text, SLICE("http.connections")), 11);
	CHECK_INT(config_line_of(text, SLICE("body")), 0);
	CHECK_INT(config_line_of(text, SLICE("x")), 0);
}

TEST_MAIN()
