/* SPDX-License-Identifier: MIT */
/* What loading refuses, with file, line and reason. */
#include "support/check.h"
#include "unit/script/domain.h"

static struct domain d;

#define GOOD_ACCOUNT                                                                                                   \
	"return { name = 'account', initial = function() return {} end,\n"                                             \
	"  events = { Opened = { data = {}, apply = function(s) return s end } },\n"                                   \
	"  commands = { Open = { creates = true, handle = function() return {} end },\n"                               \
	"    Pay = { reply = { left = 'money' }, handle = function() return {} end } } }\n"

#define GOOD_REPORTS                                                                                                   \
	"return { name = 'reports', tables = { T = { key = { 'Id' }, columns = { Id = 'text' } } },\n"                 \
	"  on = { Opened = function() end } }\n"

/* Loading one file beside a good account fails with a text that contains all of `wanted` (|-separated). */
static void
refuses(const char *path, const char *text, const char *wanted)
{
	const struct domain_file files[] = { { strcmp(path, "account.lua") == 0 ? "zero.lua" : "account.lua",
					       strcmp(path, "account.lua") == 0 ? "return {}" : GOOD_ACCOUNT },
					     { path, text },
					     { NULL, NULL } };
	if (domain_load(&d, files) == 0)
		CHECK_FAIL("loaded, but \"%s\" was expected", wanted);
	if (strcmp(d.fault.code, "bad_rules") != 0 || d.fault.class != FAULT_SCRIPT)
		CHECK_FAIL("%s: %s", d.fault.code, d.fault.text);
	char copy[300], *at = copy;
	snprintf(copy, sizeof copy, "%s", wanted);
	for (char *part; (part = strsep(&at, "|")) != NULL;)
		if (strstr(d.fault.text, part) == NULL)
			CHECK_FAIL("\"%s\" lacks \"%s\"", d.fault.text, part);
	domain_close(&d);
}

static void
loads(const char *path, const char *text)
{
	const struct domain_file files[] = { { "account.lua", GOOD_ACCOUNT }, { path, text }, { NULL, NULL } };
	if (domain_load(&d, files) != 0)
		CHECK_FAIL("%s", d.fault.text);
	domain_close(&d);
}

TEST(files_run_in_the_sandbox)
{
	refuses("bad.lua", "return {\n  a = ,\n}", "bad.lua:2: unexpected symbol near|  a = ,\n|^");
	refuses("bad.lua", "\nfoo = 1\nreturn {}", "bad.lua:2: assignment to undeclared global 'foo'");
	refuses("bad.lua", "local t = nil\nreturn t.x", "bad.lua:2: attempt to index a nil value");
	refuses("bad.lua", "local a = 1", "bad.lua:1: the file returns nothing");
	refuses("bad.lua", "return io", "bad.lua:1: unknown global 'io'");
	refuses("bad.lua", "return require 'nowhere'", "bad.lua:1: module 'nowhere' not found");
	refuses("bad.lua", "return require 'bad'",
		"bad.lua:1: files require each other in a circle: bad.lua requires bad.lua");
	loads("other.lua", "return { x = 1, events = 'not an aggregate' }");
	loads("lib/deep.lua", "return function() end");
}

TEST(memory_is_bounded)
{
	const struct domain_file files[] = {
		{ "big.lua", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end" }, { NULL, NULL }
	};
	CHECK(domain_load(&d, files) != 0);
	CHECK_TEXT(d.fault.code, "memory_limit");
	domain_close(&d);
}

#define AGGREGATE(body) "return { name = 'account', initial = function() return {} end,\n" body "\n}"

TEST(aggregates)
{
	refuses("account.lua", AGGREGATE("events = {\n  Opened = { data = {}, aply = function() end } }"),
		"account.lua:3: events.Opened: unknown field 'aply'|Opened = {|^");
	refuses("account.lua", AGGREGATE("events = {\n  Opened = { data = {} } }"),
		"account.lua:3: events.Opened: 'apply' is missing");
	refuses("account.lua", AGGREGATE("events = {\n  Opened = { apply = 5 } }"),
		"account.lua:3: |'apply' is a number");
	refuses("account.lua", AGGREGATE("events = { ['bad name'] = { apply = function() end } }"), "cannot be a name");
	refuses("account.lua",
		AGGREGATE("events = {},\ncommands = {\n  Open = { data = { x = 'mony' }, handle = function() end } }"),
		"account.lua:4: |commands.Open.data|mony");
	refuses("account.lua", AGGREGATE("events = {}, commands = { Open = { data = {} } }"), "'handle' is missing");
	refuses("account.lua", AGGREGATE("events = {}, commands = { Open = { creates = 1, handle = function() end } }"),
		"'creates' is a number, not a boolean");
	refuses("account.lua",
		AGGREGATE("events = {}, commands = { Open = { creates = true, anywhere = true, handle = function() end "
			  "} }"),
		"choose one");
	refuses("account.lua", AGGREGATE("events = { A = { apply = function() end, publish = { topic = 'a b' } } }"),
		"topic");
	refuses("account.lua", AGGREGATE("events = { A = { apply = function() end, version = 0 } }"), "'version'");
	refuses("account.lua",
		AGGREGATE("events = { A = { apply = function() end, upcast = { [1] = function() end } } }"),
		"upcast[1] leads beyond 'version', which is 1: raise it to 2");
	refuses("account.lua", AGGREGATE("events = {},\nretired = { A = {} }"),
		"account.lua:3: retired.A: a retired event has upcast");
	refuses("account.lua",
		AGGREGATE("events = {},\nretired = { A = { upcast = { [1] = function() end }, apply = 1 } }"),
		"unknown field 'apply'");
	refuses("account.lua",
		AGGREGATE("events = { A = { apply = function() end } },\nretired = { A = { upcast = { [1] = function() "
			  "end } } }"),
		"retired.A: is among the events, too");
	refuses("account.lua", AGGREGATE("events = {}, state_version = 'x'"),
		"'state_version' is a string, not a number");
	refuses("account.lua", AGGREGATE("events = {}, comands = {}"), "unknown field 'comands'");
	refuses("account.lua", "return { name = 'account', events = {}, commands = {} }", "lacks 'initial'");
	refuses("account.lua", "return { name = 'Account', events = {}, initial = function() return {} end }",
		"lower-case");
	refuses("account.lua", "return { name = 'account', events = {}, initial = function() return 5 end }",
		"initial() gives a number");
	refuses("account.lua",
		"return { name = 'account', events = {},\n initial = function() return { f = print } end }",
		"account.lua:2: |cannot be a state: f");
	refuses("account.lua", "return { name = 'account', events = {},\n initial = function() error('not now') end }",
		"account.lua:2: not now");
	refuses("twice.lua", GOOD_ACCOUNT, "twice.lua:1: |aggregate 'account' is also in account.lua");
}

TEST(projections)
{
	refuses("r.lua", "return { name = 'r', tables = {}, on = { Nope = function() end } }",
		"r.lua:1: on: the domain has no event 'Nope'");
	refuses("r.lua", "return { name = 'r', tables = {}, on = { ['account.Nope'] = function() end } }",
		"no event 'account.Nope'");
	refuses("r.lua", "return { name = 'r', tables = {}, on = { ['shop.account.Opened'] = function() end } }",
		"another domain");
	refuses("r.lua",
		"return { name = 'r', tables = {}, on = { Opened = function() end, ['account.Opened'] = function() end "
		"} }",
		"account.Opened is handled twice");
	refuses("r.lua", "return { name = 'r', tables = {}, on = { Opened = 1 } }", "'Opened' is a number");
	refuses("r.lua", "return { name = 'r', on = {} }", "lacks 'tables'");
	refuses("r.lua", "return { name = 'r', on = {}, tables = { T = { columns = { A = 'text' } } } }",
		"tables.T: 'key' is missing");
	refuses("r.lua", "return { name = 'r', on = {}, tables = { T = { key = { 'B' }, columns = { A = 'text' } } } }",
		"no column 'B'");
	refuses("r.lua", "return { name = 'r', on = {}, tables = { T = { key = { 'A' }, columns = { A = 'txt' } } } }",
		"tables.T.columns.A: unknown column type 'txt'");
	refuses("r.lua",
		"return { name = 'r', on = {}, tables = { T = { key = { 'A' }, columns = { A = 'text?' } } } }",
		"'A' is optional");
	refuses("r.lua", "return { name = 'r', on = {}, tables = { T = { key = { 'A' }, columns = { A = 'json' } } } }",
		"json column");
	refuses("r.lua",
		"return { name = 'r', on = {}, tables = { T = { key = { 'A' }, columns = { A = 'text' }, indexes = { "
		"'A' } } } }",
		"an index is a list");
	refuses("r.lua",
		"return { name = 'r', on = {}, tables = { T = { key = { 'A' }, columns = { A = 'text', B = { type = "
		"'money', currency = 'C' } } } } }",
		"no text column 'C'");
	loads("r.lua", GOOD_REPORTS);
}

TEST(queries_and_settings)
{
	refuses("q.lua", "return { queries = { all = {} } }", "q.lua:1: queries.all: 'run' is missing");
	refuses("q.lua", "return { queries = { all = { run = function() end, parms = {} } } }",
		"unknown field 'parms'");
	refuses("q.lua",
		"return { queries = { all = { run = function() end, params = { n = { type = 'integer', minimum = 'x' } "
		"} } } }",
		"queries.all.params");
	refuses("q.lua", "return { settings = { f = print } }", "settings: f");
	refuses("q.lua", "return { settings = { 1, 2 } }", "settings have names");
	refuses("q.lua", "return { settings = { currency = 'euro' } }", "three letters");
	refuses("q.lua", "return { settings = {}, root = {} }", "unknown field 'root'");
}

TEST(routes)
{
#define ROUTE(text) "return { routes = {\n" text "\n} }"
	refuses("d.lua", ROUTE("{ 'POST', '/a', command = 'account.Close' }"),
		"d.lua:2: routes[1]: |no command 'Close'");
	refuses("d.lua", ROUTE("{ 'POST', '/a', command = 'accont.Open' }"), "no aggregate 'accont'");
	refuses("d.lua", ROUTE("{ 'POST', '/a', command = 'Open' }"), "\"aggregate.Command\"");
	refuses("d.lua", ROUTE("{ 'GET', '/a', query = 'none' }"), "no query 'none'");
	refuses("d.lua", ROUTE("{ 'GET', '/a', state = 'account' }"), "lacks {id}");
	refuses("d.lua", ROUTE("{ 'GET', '/a' }"), "one target");
	refuses("d.lua", ROUTE("{ 'GET', '/a', health = true, text = 'x' }"), "one target");
	refuses("d.lua", ROUTE("{ 'GET', '/a', command = 'account.Open' }"), "cannot be GET");
	refuses("d.lua", ROUTE("{ 'POST', '/a', health = true }"), "method GET");
	refuses("d.lua", ROUTE("{ 'FETCH', '/a', health = true }"), "GET POST PUT DELETE PATCH");
	refuses("d.lua", ROUTE("{ 'GET', 'a', health = true }"), "\"/path\"");
	refuses("d.lua", ROUTE("{ 'GET', '/a//b', health = true }"), "empty segment");
	refuses("d.lua", ROUTE("{ 'GET', '/a b', health = true }"), "not allowed");
	refuses("d.lua", ROUTE("{ 'GET', '/a/', health = true }"), "ends in a slash");
	refuses("d.lua", ROUTE("{ 'GET', '/\xc3\xa4', health = true }"), "the byte 0xc3 is not allowed");
	refuses("d.lua", ROUTE("{ 'GET', '/a/x{b}', health = true }"), "not allowed");
	refuses("d.lua", ROUTE("{ 'GET', '/a/{b', health = true }"), "whole segment");
	refuses("d.lua", ROUTE("{ 'GET', '/a/{b}', health = true }"), "nothing takes the parameter '{b}'");
	refuses("d.lua", ROUTE("{ 'GET', '/a', health = true }, { 'GET', '/a', text = 'x' }"), "is there twice");
	refuses("d.lua", ROUTE("{ 'GET', '/a/{id}', state = 'account' },\n{ 'GET', '/a/{id}', history = 'account' }"),
		"routes[2]|is there twice");
	refuses("d.lua", ROUTE("{ 'GET', '/a', health = true, status = 404 }"), "'status'");
	refuses("d.lua", ROUTE("{ 'GET', '/a', health = true, reply = function() end }"), "'reply' shapes");
	refuses("d.lua", ROUTE("{ 'POST', '/a', command = 'account.Pay', reply = function(r) return r end }"),
		"by 'returns'");
	refuses("d.lua", ROUTE("{ 'GET', '/a', heath = true }"), "unknown field 'heath'");
	refuses("d.lua", ROUTE("{ 'GET', '/a', health = true },\n'text'"), "routes[2]: is a string");
	loads("d.lua", ROUTE("{ 'POST', '/a', command = 'account.Open' }, { 'GET', '/a/{id}', state = 'account' },\n"
			     "{ 'GET', '/a/{id}/history', history = 'account' }, { 'GET', '/', text = 'x' }"));
}

#define REACTOR(rest) "return { name = 'r',\n" rest " }\n"
#define PROCESS(rest)                                                                                                  \
	"return { name = 'p', initial = function() return {} end,\n"                                                   \
	"  events = { Started = { data = {}, apply = function(s) return s end } },\n" rest " }\n"

TEST(reactors)
{
	loads("r.lua", REACTOR("react = { Opened = function() end }"));
	loads("r.lua", REACTOR("topics = { 't' }, react = { Opened = function() end, ['a.b.C.v1'] = function() end }"));
	refuses("r.lua", REACTOR("react = { Opned = function() end }"), "r.lua:2: react: |no event 'Opned'|Opened");
	refuses("r.lua", REACTOR("topics = { 't' }, react = { ['account.Opned'] = function() end }"),
		"r.lua:2: react: |no event 'account.Opned'");
	refuses("r.lua", REACTOR("topics = { 't' }, react = { ['bank.account.Opned'] = function() end }"),
		"no event 'bank.account.Opned'");
	refuses("r.lua", REACTOR("react = { Opened = 5 }"), "r.lua:2: react: 'Opened' is a number, not a function");
	refuses("r.lua",
		REACTOR("topics = { 't' }, react = { X = { data = { a = 'strng' }, handle = function() end } }"),
		"r.lua:2: react.X");
	refuses("r.lua", REACTOR("topics = { 't' }, react = { X = { data = {} } }"), "react.X: 'handle' is missing");
	refuses("r.lua", REACTOR("react = { Opened = { data = {}, handle = function() end } }"),
		"'data' is for messages");
	refuses("r.lua", REACTOR("topics = { 'a b' }, react = { X = function() end }"),
		"r.lua:2: topics: 'a b' is no topic");
	refuses("r.lua", REACTOR("topics = { 'a', 'a' }, react = { X = function() end }"), "'a' is there twice");
	refuses("r.lua", REACTOR("topics = {}, react = { X = function() end }"),
		"'topics' is a list of 1 to 100 texts");
	refuses("r.lua", REACTOR("topics = { 'a' }, react = {}"), "'react' has 1 to 1000 handlers");
	refuses("r.lua", REACTOR("react = { Opened = function() end }, on_failure = 'stop'"),
		"r.lua:2: 'on_failure' is \"park\", \"skip\" or \"halt\"");
	refuses("r.lua", REACTOR("react = { Opened = function() end }, versions = 1"), "'versions' is a number");
	refuses("r.lua", REACTOR("react = { Opened = function() end }, attempts = 0"), "'attempts' is a whole number");
	refuses("r.lua", REACTOR("react = { Opened = function() end }, timers = {}"), "unknown field 'timers'");
	refuses("r.lua", "return { name = 'account', react = { Opened = function() end } }",
		"'account' is also an aggregate");
}

TEST(processes)
{
	loads("p.lua", PROCESS("correlate = 'n', starts = { 'X' }, topics = { 't' }, react = { X = function() end }"));
	loads("p.lua",
	      PROCESS("correlate = { 'n', X = function() end }, starts = { 'X' }, topics = { 't' },\n"
		      "  react = { X = function() end, Y = function() end }, timers = { late = function() end }"));
	loads("p.lua",
	      PROCESS("correlate = 'meta.stream_id', starts = { 'Opened' }, react = { Opened = function() end }"));
	refuses("p.lua",
		PROCESS("correlate = 'meta.subject', starts = { 'Opened' }, react = { Opened = function() end }"),
		"p.lua:3: |the meta of the domain's own events has no 'subject'");
	refuses("p.lua",
		PROCESS("correlate = 'meta.stream_id', starts = { 'X' }, topics = { 't' }, react = { X = function() "
			"end }"),
		"p.lua:3: |the meta of messages has no 'stream_id'");
	refuses("p.lua", PROCESS("starts = { 'X' }, topics = { 't' }, react = { X = function() end }"),
		"p.lua:|'correlate' says which process hears");
	refuses("p.lua",
		PROCESS("correlate = { Y = 'n' }, starts = { 'X' }, topics = { 't' }, react = { X = function() end }"),
		"correlate: does not say which process 'X' is for");
	refuses("p.lua", PROCESS("correlate = 'n', topics = { 't' }, react = { X = function() end }"),
		"'starts' is missing");
	refuses("p.lua", PROCESS("correlate = 'n', starts = { 'Y' }, topics = { 't' }, react = { X = function() end }"),
		"starts: 'react' has no 'Y'");
	refuses("p.lua",
		PROCESS("correlate = 'n', starts = { 'X' }, topics = { 't' }, react = { X = function() end },\n"
			"  timers = { late = 'Open' }"),
		"p.lua:4: timers: 'late' is a string, not a function");
	refuses("p.lua",
		"return { name = 'p', events = { ProcessCompleted = { data = {}, apply = print } }, initial = print,\n"
		"  correlate = 'n', starts = { 'Opened' }, react = { Opened = function() end } }",
		"p.lua:1: |initial");
	refuses("p.lua",
		"return { name = 'p', initial = function() return {} end, correlate = 'n', starts = { 'Opened' },\n"
		"  events = { ProcessCompleted = { data = {}, apply = function(s) return s end } },\n"
		"  react = { Opened = function() end } }",
		"p.lua:2: event 'ProcessCompleted' is the engine's own");
	refuses("p.lua",
		PROCESS("correlate = 'n', starts = { 'X' }, topics = { 't' }, react = { X = function() end }, commands "
			"= {}"),
		"unknown field 'commands'");
}

TEST(timers_and_documents)
{
	const char *const aggregate = "return { name = 'a', initial = function() return {} end, events = { E = { data "
				      "= {}, apply = print } },\n"
				      "  commands = { Go = { handle = function() return {} end } },\n"
				      "  timers = { late = '%s' } }";
	char text[400];
	snprintf(text, sizeof text, aggregate, "Go");
	loads("a.lua", text);
	snprintf(text, sizeof text, aggregate, "Gone");
	refuses("a.lua", text, "a.lua:3: timers: timer 'late': aggregate a has no command 'Gone'");
	loads("d.lua", "return { name = 'd', document = { n = 'integer' }, initial = function() return { n = 0 } end, "
		       "commands = {} }");
	refuses("d.lua",
		"return { name = 'd', document = { n = 'integer' }, initial = function() return {} end,\n"
		"  commands = {} }",
		"d.lua:1: initial() gives no state as `document` says: n: is required");
	refuses("d.lua",
		"return { name = 'd', document = { n = 'integer' }, initial = function() return { n = 1 } end }",
		"d.lua:1: a document lacks 'commands'");
	refuses("d.lua",
		"return { name = 'd', document = { n = 'intger' }, initial = function() return { n = 1 } end,\n"
		"  commands = {} }",
		"d.lua:1: document");
	refuses("d.lua",
		"return { name = 'd', document = {}, events = {}, initial = function() return {} end, commands = {} }",
		"unknown field 'events'");
	loads("t.lua",
	      "return { name = 't', topics = { 'x' }, tables = { Ts = { key = { 'Id' }, columns = { Id = 'text' } } "
	      "}, on = { Whatever = function() end } }");
	refuses("t.lua",
		"return { name = 't', topics = { 'x' }, on = { W = function() end },\n"
		"  tables = { Ts = { key = { 'Id' }, columns = { Id = 'text' }, stream_column = 'Id' } } }",
		"t.lua:2: stream_column: a projection that topics feed");
}

TEST(sources_must_be_texts_of_a_domain)
{
	struct script_program *program;
	struct fault fault;
	struct domain_file none = { NULL, NULL };
	const struct source_file binary = { .path = SLICE("a.lua"), .bytes = SLICE("\033Lua\0") };
	const struct source_set set = { .domain = SLICE("bank"), .items = &binary, .count = 1 };
	const struct script_options options = { 0 };
	CHECK_INT(domain_load(&d, &none), 0); /* an empty folder is a domain without rules */
	CHECK_INT(script_load(d.program->ops, &set, &options, &program, &fault), -1);
	CHECK_INT(fault.class, FAULT_INPUT);
	const struct source_set named = { .domain = SLICE("Bank-1") };
	CHECK_INT(script_load(d.program->ops, &named, &options, &program, &fault), -1);
	CHECK_TEXT(fault.code, "bad_domain_name");
	domain_close(&d);
}

struct hashes {
	struct digest fold, rows;
};

static struct hashes
hashes_of(const struct domain_file *files)
{
	struct hashes hashes = { 0 };
	CHECK_INT(domain_load(&d, files), 0);
	if (d.program != NULL)
		hashes = (struct hashes){ d.program->aggregates[0].fold_hash, d.program->projections[0].hash };
	domain_close(&d);
	return hashes;
}

#define FOLDED(rate, fee, comment)                                                                                     \
	"local l = require 'lib'\nlocal rate = " rate "\nlocal fee = " fee "\n" comment                                \
	"local function more(n) return n * rate + l[1] end\n"                                                          \
	"return { name = 'account', initial = function() return { n = 0 } end,\n"                                      \
	"  events = { Opened = { data = { n = 'integer' },\n"                                                          \
	"    apply = function(s, d) s.n = more(d.n) return s end } },\n"                                               \
	"  commands = { Open = { creates = true, data = {},\n"                                                         \
	"    handle = function() return { { type = 'Opened', data = { n = fee } } } end } } }"
#define ROWS                                                                                                           \
	"return { name = 'reports', tables = { T = { key = { 'K' }, columns = { K = 'text', N = 'integer' } } },\n"    \
	"  on = { ['account.Opened'] = function(view, data, meta)\n"                                                   \
	"    view.T:put { K = meta.stream_id, N = data.n } end } }"

static bool
same(const struct digest *a, const struct digest *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

TEST(hashes_follow_what_matters)
{
	struct domain_file files[] = { { "account.lua", FOLDED("2", "3", "") },
				       { "lib.lua", "return { 1 }" },
				       { "other.lua", "return { 1 }" },
				       { "r.lua", ROWS },
				       { NULL, NULL } };
	const struct hashes first = hashes_of(files);
	struct hashes now;
	/* Another file, a comment, what only commands use: nothing that a fold or a row depends on. */
	files[2].text = "return { 2 }";
	files[0].text = FOLDED("2", "4", "-- a comment\n\n");
	now = hashes_of(files);
	CHECK(same(&first.fold, &now.fold));
	CHECK(same(&first.rows, &now.rows));
	/* A number behind a function behind apply; a module behind it. */
	files[0].text = FOLDED("5", "3", "");
	now = hashes_of(files);
	CHECK(!same(&first.fold, &now.fold));
	CHECK(same(&first.rows, &now.rows));
	files[0].text = FOLDED("2", "3", "");
	files[1].text = "return { 2 }";
	now = hashes_of(files);
	CHECK(!same(&first.fold, &now.fold));
	CHECK(same(&first.rows, &now.rows));
	files[1].text = "return { 1 }";
	now = hashes_of(files);
	CHECK(same(&first.fold, &now.fold));
	/* A library function caught as a local. */
	files[0].text = "local f = math.abs\n" FOLDED("f(-2)", "3", "local g = math.floor\nrate = g(rate)\n");
	now = hashes_of(files);
	CHECK(same(&first.fold, &now.fold));
	files[3].text = "local N = string.len\n" ROWS;
	now = hashes_of(files);
	CHECK(same(&first.rows, &now.rows));
}

static void
hash_of(const struct domain_file *files, struct digest *fold, struct digest *react)
{
	if (domain_load(&d, files) != 0)
		CHECK_FAIL("%s", d.fault.text);
	*fold = d.program->aggregates[0].fold_hash;
	if (d.program->reactor_count > 0)
		*react = d.program->reactors[0].hash;
	domain_close(&d);
}

TEST(hashes_of_documents_and_what_reacts)
{
	static const char document[] =
		"return { name = 'd', document = { n = 'integer' }, initial = function() return { n = %d } end,\n"
		"  version = 2, upcast = { [1] = function(s) s.n = %d return s end },\n"
		"  commands = { Go = { anywhere = true, handle = function() return { state = { n = %d } } end } } }";
	static const char process[] =
		"return { name = 'p', correlate = 'n', starts = { 'X' }, topics = { 't' },\n"
		"  initial = function() return { n = %d } end, events = {},\n"
		"  react = { X = function() return {}, %d end }, timers = { t = function() return {}, %d end } }";
	char text[500];
	const struct domain_file files[] = { { "a.lua", text }, { NULL, NULL } };
	struct digest first, now, heard, hears;
	snprintf(text, sizeof text, document, 1, 2, 3);
	hash_of(files, &first, &heard);
	snprintf(text, sizeof text, document, 1, 2, 4); /* what commands do is no part of the fold */
	hash_of(files, &now, &heard);
	CHECK(same(&first, &now));
	snprintf(text, sizeof text, document, 1, 5, 3);
	hash_of(files, &now, &heard);
	CHECK(!same(&first, &now));
	snprintf(text, sizeof text, process, 1, 2, 3);
	hash_of(files, &first, &heard);
	snprintf(text, sizeof text, process, 1, 4, 3);
	hash_of(files, &now, &hears);
	CHECK(same(&first, &now) && !same(&heard, &hears));
	snprintf(text, sizeof text, process, 1, 2, 4);
	hash_of(files, &now, &hears);
	CHECK(same(&first, &now) && !same(&heard, &hears));
	snprintf(text, sizeof text, process, 5, 2, 3);
	hash_of(files, &now, &hears);
	CHECK(!same(&first, &now) && same(&heard, &hears));
}

TEST(hashes_know_library_functions_by_name)
{
	static const char form[] =
		"local f = %s\nreturn { name = 'account', initial = function() return { n = 0 } end,\n"
		"  events = { Opened = { data = {}, apply = function(s) s.n = f(2.5) return s end } },\n"
		"  commands = {} }";
	char floor[400], ceil[400];
	struct domain_file files[] = { { "account.lua", floor }, { "r.lua", ROWS }, { NULL, NULL } };
	snprintf(floor, sizeof floor, form, "math.floor");
	snprintf(ceil, sizeof ceil, form, "math.ceil");
	const struct hashes first = hashes_of(files);
	const struct hashes again = hashes_of(files);
	files[0].text = ceil;
	const struct hashes other = hashes_of(files);
	CHECK(same(&first.fold, &again.fold));
	CHECK(!same(&first.fold, &other.fold));
}

TEST_MAIN()
