/* SPDX-License-Identifier: MIT */
/* What `moonlog check` finds: everything at once, each at its place, and nothing that follows from another finding. */
#include "base/arena.h"
#include "script/lua/check.h"
#include "support/check.h"

struct text_file {
	const char *path;
	const char *text;
};

static struct arena arena;
static struct findings findings;
static char all[20000];

/* Checks the files; one line a finding into `all`: "severity code file:line text". Gives whether it loaded. */
static bool
check(const struct text_file *files)
{
	static const char *const severities[] = { "error", "warning", "note" };
	const struct script_options options = { .development = true };
	struct source_file items[10];
	struct script_program *program;
	struct fault fault;
	size_t count = 0, used = 0;
	arena_fini(&arena);
	arena_init(&arena, 64 << 20);
	findings = (struct findings){ .arena = &arena };
	for (; files[count].path != NULL; count++) {
		items[count] = (struct source_file){ .path = slice_text(files[count].path),
						     .bytes = slice_text(files[count].text) };
		digest_of(items[count].bytes, &items[count].hash);
	}
	const struct source_set set = { .domain = SLICE("bank"), .items = items, .count = count };
	if (moon_check(&set, &options, &findings, &program, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	all[0] = '\0';
	for (size_t i = 0; i < findings.count; i++) {
		const struct finding *finding = &findings.items[i];
		used += (size_t)snprintf(all + used, sizeof all - used, "%s %s %.*s:%d %.*s\n",
					 severities[finding->severity], finding->code, SLICE_ARG(finding->file),
					 finding->line, SLICE_ARG(finding->text));
	}
	if (program == NULL)
		return false;
	script_unload(program);
	return true;
}

static void
says(const char *wanted)
{
	if (strstr(all, wanted) == NULL)
		CHECK_FAIL("\"%s\" is not in:\n%s", wanted, all);
}

static void
silent(const char *unwanted)
{
	if (strstr(all, unwanted) != NULL)
		CHECK_FAIL("\"%s\" is in:\n%s", unwanted, all);
}

/* Findings of a file beside a good account. */
static bool
check_beside(const char *path, const char *text)
{
	const struct text_file files[] = {
		{ "account.lua",
		  "return { name = 'account', initial = function() return {} end,\n"
		  "  events = { Opened = { data = { n = 'integer' }, apply = function(s) return s end } },\n"
		  "  commands = { Open = { creates = true, handle = function() return {} end } } }\n" },
		{ path, text },
		{ NULL, NULL }
	};
	return check(files);
}

/* Findings of a module that another file requires. */
static bool
check_module(const char *text)
{
	const struct text_file files[] = {
		{ "lib.lua", text },
		{ "user.lua", "local lib = require 'lib'\nreturn { settings = { there = lib ~= nil } }" },
		{ NULL, NULL }
	};
	return check(files);
}

#define AGGREGATE(events, commands)                                                                                    \
	"return { name = 'thing', initial = function() return {} end,\nevents = { " events                             \
	" },\ncommands = { " commands " } }\n"

/* A word that stands earlier in the file too, and reasons that quote nothing, or what is no word of the file. */
TEST(a_schema_is_blamed_where_it_stands)
{
	static const struct {
		const char *schema;
		const char *wanted;
	} cases[] = {
		{ "{ type = 'string', max_length = -1 }", "max_length must be an integer from 0" },
		{ "{ type = 'string', pattern = '[' }", "pattern: malformed pattern" },
		{ "{ type = 'string', default = 5 }", "default: a string expected, not a number" },
		{ "{ type = 'strng' }", "unknown type 'strng'; did you mean \"string\"?" },
		{ "{ type = 'string', max_lenght = 3 }",
		  "unknown word 'max_lenght' in a schema; did you mean \"max_length\"?" },
		{ "{ type = 'string', enum = {} }", "enum has no choices" },
		{ "{ typ = 'string' }", "unknown word 'typ' in a schema" },
		{ "5", "a schema is a word" },
	};
	for (size_t i = 0; i < countof(cases); i++) {
		char text[1000], wanted[200];
		snprintf(text, sizeof text,
			 AGGREGATE("Made = { version = 2, upcast = { [1] = function(data) return data end },\n"
				   "data = { what = 'string', from = { type = 'string', default = 'x', max_length = 9 "
				   "} },\n"
				   "apply = function(s) return s end }",
				   "Make = { creates = true,\ndata = { what = 'string',\n  from = %s },\n"
				   "handle = function() end }"),
			 cases[i].schema);
		const struct text_file files[] = { { "a.lua", text }, { NULL, NULL } };
		CHECK(!check(files));
		snprintf(wanted, sizeof wanted, "a.lua:7 commands.Make.data.from: %s", cases[i].wanted);
		says(wanted);
	}
}

TEST(finds_everything_in_one_run)
{
	const struct text_file files[] = {
		{ "a.lua", AGGREGATE("Made = { aply = function(s) return s end },\n"
				     "Moved = { data = { to = 'strng' }, apply = function(s) return s end }",
				     "Make = { creates = true, handel = function() end },\nMove = 5") },
		{ "b.lua", "return { name = 'rows', tables = { T = { key = { 'Id' }, columns = { Id = 'txt' } },\n"
			   "  U = { key = { 'No' }, columns = { Id = 'text' } } },\n"
			   "  on = { Mad = function() end, Moved = 7 } }\n" },
		{ "c.lua",
		  "return { queries = { q = { rum = function() end } },\nroutes = {\n"
		  "  { 'POST', '/a', command = 'thing.Mak' },\n  { 'GET', '/b', query = 'p' },\n"
		  "  { 'GET', '/c/{id}', state = 'thin' },\n  { 'PUT', '/d/{x}', command = 'thing.Make' } } }\n" },
		{ NULL, NULL }
	};
	CHECK(!check(files));
	says("error unknown_field a.lua:2 events.Made: unknown field 'aply'; did you mean \"apply\"?");
	says("a.lua:3 events.Moved.data.to: unknown type 'strng'");
	says("error unknown_field a.lua:4 commands.Make: unknown field 'handel'; did you mean \"handle\"?");
	says("a.lua:5 commands.Move: is a number, not a table");
	says("b.lua:1 tables.T.columns.Id: unknown column type 'txt'");
	says("b.lua:2 tables.U: key: the table has no column 'No'");
	says("error no_such_event b.lua:3 on: the domain has no event 'Mad'; did you mean \"Made\"?");
	says("b.lua:3 on: 'Moved' is a number, not a function");
	says("error unknown_field c.lua:1 queries.q: unknown field 'rum'; did you mean \"run\"?");
	says("error no_such_command c.lua:3 routes[1]: aggregate 'thing' has no command 'Mak'; did you mean \"Make\"?");
	says("error no_such_query c.lua:4 routes[2]: the domain has no query 'p'");
	says("error no_such_aggregate c.lua:5 routes[3]: state: the domain has no aggregate 'thin'");
	says("error unknown_parameter c.lua:6 routes[4]: path \"/d/{x}\": nothing takes the parameter '{x}'");
	silent("missing"); /* 'apply' is there, misspelt */
	CHECK_INT(findings.errors, 13);
	CHECK_INT(findings.count, 13);
}

TEST(tells_no_consequences_of_a_broken_file)
{
	const struct text_file files[] = { { "a.lua", "return {\n" },
					   { "b.lua", "return { routes = { { 'POST', '/x', command = 'a.C' } } }" },
					   { "c.lua", "local a = require 'a'\nreturn a" },
					   { NULL, NULL } };
	CHECK(!check(files));
	says("error load_error a.lua:2 ");
	CHECK_INT(findings.count, 1);
	CHECK(findings.items[0].excerpt.size > 0 || findings.items[0].line == 2);
}

TEST(tells_which_file_a_limit_stopped)
{
	CHECK(!check_beside("lib.lua", "local n = 0\nwhile true do n = n + 1 end\n"));
	says("error time_limit lib.lua:2 the call was stopped at its limit of 500 ms");
	CHECK_INT(findings.count, 1);
	CHECK(!check_beside("lib.lua", "local s = ('a'):rep(100000)\nwhile true do s = s .. s end\n"));
	says("error memory_limit lib.lua:2 the script made a single value that is too large (limit 16384 KiB)");
	CHECK_INT(findings.count, 1);
}

TEST(finds_names_that_are_nothing)
{
	CHECK(!check_module("local M = {}\nfunction M.f(data)\n  cuont = 1\n  return dta, os.time(), json\nend\n"
			    "return M\n"));
	says("error global_write lib.lua:3 assignment to undeclared global 'cuont'");
	says("error unknown_global lib.lua:4 unknown global 'dta'; did you mean \"data\"?");
	says("error unknown_global lib.lua:4 unknown global 'os'");
	CHECK_INT(findings.count, 3);
	CHECK_SLICE(findings.items[1].excerpt, "    4 |   return dta, os.time(), json\n      |          ^");
}

TEST(follows_scopes_as_lua_does)
{
	check_module("local M, x <const> = {}, 1\nlocal function rec(n) return n == 0 and x or rec(n - 1) end\n"
		     "function M:method(a, ...) local t <close> = nil; self.b = a; return select('#', ...) end\n"
		     "M.f = function() for i = 1, 2 do local j = i end for k, v in pairs(M) do M[k] = v end end\n"
		     "repeat local done = true until done\nwhile false do break end\ngoto out ::out::\n"
		     "local s = [==[ undefined ]] ]==] .. ('%s'):format(0x1p-2) .. 'a\\'b' -- undefined\n"
		     "--[[ undefined\n]] M.g = { undefined = 1, ['x'] = s, rec; f = type 'a', [1] = type { y = 2 } }\n"
		     "if x then local y = 1; M.y = y elseif s then M.z = 1 else M.w = -x ~ 3 // 2 end\n"
		     "do local _ENV = { a = 1 } M.a = _ENV.a end\nreturn M\n");
	if (findings.count != 0)
		CHECK_FAIL("%s", all);
	CHECK(!check_module("do local a = 1 end\nlocal f = function() local b = b return b end\nreturn "
			    "function() return a, f end\n"));
	says("lib.lua:2 unknown global 'b'");
	says("lib.lua:3 unknown global 'a'");
	CHECK_INT(findings.count, 2);
}

TEST(finds_unused_modules)
{
	const struct text_file files[] = {
		{ "a.lua", "return {}" },
		{ "b.lua", "local a = require 'a'\nlocal c = require 'a'\nreturn { settings = { c = c } }" },
		{ NULL, NULL }
	};
	CHECK(check(files));
	says("warning unused_require b.lua:1 the module in 'a' is not used");
	CHECK_INT(findings.count, 1);
}

TEST(finds_events_that_are_not_declared)
{
	CHECK(!check_beside(
		"thing.lua",
		AGGREGATE(
			"Made = { data = { type = 'string' }, apply = function(s) return s end,\n publish = { topic = "
			"'t', map = function()"
			"  return { type = 'AnyName', data = {} } end } }",
			"Make = { creates = true, data = { type = { type = 'string' } }, handle = function(s, d, ctx)\n"
			"  if d.type == 'x' then return { { type = 'Mad', data = { kind = { type = 'box' } } } } end\n"
			"  if s.a then return { { type = 'Gone' } } end\n"
			"  return { { type = 'Made', data = { type = 'box' } }, { type = 'Opened', data = { n = 1 }, "
			"stream = s.other } } end }")));
	says("error undeclared_event thing.lua:5 event 'Mad' is not declared; did you mean \"Made\"?");
	says("error undeclared_event thing.lua:6 event 'Gone' is not declared");
	CHECK_INT(findings.count, 2);
}

TEST(warns_of_versions_without_a_path)
{
	CHECK(check_beside("thing.lua", AGGREGATE("Made = { version = 3, upcast = { [1] = function(d) return d end },\n"
						  "apply = function(s) return s end }",
						  "")));
	says("warning unreachable_version thing.lua:2 events.Made: upcast has no [2]: recorded events of version 2 "
	     "cannot "
	     "reach version 3");
	CHECK_INT(findings.count, 1);
}

TEST(notes_events_that_no_projection_handles)
{
	CHECK(check_beside("rows.lua",
			   "return { name = 'rows', tables = { T = { key = { 'Id' }, columns = { Id = 'text' "
			   "} } }, on = {} }"));
	says("note unhandled_event account.lua:2 events.Opened: no projection handles it");
	CHECK_INT(findings.errors, 0);
	CHECK(check_beside("rows.lua",
			   "return { name = 'rows', tables = { T = { key = { 'Id' }, columns = { Id = 'text' "
			   "} } }, on = { Opened = function() end } }"));
	CHECK_INT(findings.count, 0);
}

TEST(finds_tables_and_methods_that_no_view_has)
{
	CHECK(check_beside(
		"rows.lua",
		"return { name = 'rows', tables = { Items = { key = { 'Id' }, columns = { Id = 'text' } } }, on = {\n"
		"  Opened = function(view, data, meta) view.Item:put { Id = 'a' } end } }"));
	says("warning unknown_table rows.lua:2 the domain has no table 'Item'; did you mean \"Items\"?");
	CHECK_INT(findings.count, 1);
	CHECK(check_beside(
		"rows.lua",
		"local function show(view) return view.Nothing, view.Title:upper() end\n"
		"return { name = 'rows', tables = { Items = { key = { 'Id' }, columns = { Id = 'text' } } }, on = {\n"
		"  ['Opened'] = function(v, data, meta) local t = v.Items; t:put { Id = show(data) }\n"
		"    local function inner(v) return v.Other end v.Items:putt { Id = inner(data) } end } }"));
	says("warning unknown_method rows.lua:4 a table of a view has no 'putt'; did you mean \"put\"?");
	CHECK_INT(findings.count, 1);
	CHECK(check_beside("rows.lua", "return { queries = { q = { run = function(view)\n"
				       "  return view.Rows:find {} end } } }"));
	says("warning unknown_table rows.lua:2 the domain has no table 'Rows'");
}

TEST(finds_commands_that_actions_name_and_nobody_has)
{
	const struct text_file files[] = {
		{ "a.lua", "return { name = 'a', initial = function() return {} end, events = {},\n"
			   "  commands = { Go = { handle = function() return {} end } } }" },
		{ "r.lua",
		  "return { name = 'r', topics = { 't' }, react = {\n"
		  "  X = function(d) return { { command = 'a.Go', id = 'x' }, { command = 'a.' .. d.which } } end,\n"
		  "  Y = function() return { { command = 'a.Goo', id = 'x' } } end } }" },
		{ "s.lua", "return { name = 's', topics = { 't' }, react = { ['a.E'] = function() end } }" },
		{ "u.lua", "return { name = 'u', topics = { 't' },\n  react = { ['b.E'] = 1 } }" },
		{ NULL, NULL },
	};
	CHECK(!check(files));
	says("error no_such_event s.lua:1 react: the domain has no event 'a.E'");
	says("error bad_rules u.lua:2 react: 'b.E' is a number, not a function");
	const struct text_file two[] = { files[0], files[1], { NULL, NULL } };
	CHECK(check(two));
	says("warning unknown_command r.lua:3 the domain has no command 'a.Goo'; did you mean \"a.Go\"?");
	silent("r.lua:2");
	const struct text_file own[] = {
		{ "a.lua", "return { name = 'a', initial = function() return {} end,\n"
			   "  events = { E = { data = {}, apply = function(s) return s end } } }" },
		{ "r.lua", "return { name = 'r', topics = { 't' }, react = { ['a.E'] = function() end } }" },
		{ NULL, NULL },
	};
	CHECK(check(own));
	says("warning unheard_topics r.lua:1 'topics' are named, and no handler is for a message of them");
}

TEST(finds_what_is_there_twice)
{
	CHECK(!check_beside("other.lua",
			    "return { name = 'account', initial = function() return {} end, events = {} }"));
	says("error duplicate other.lua:1 aggregate 'account' is also in account.lua");
	CHECK(!check_beside("d.lua", "return { routes = { { 'GET', '/a/{id}', state = 'account' },\n"
				     "{ 'GET', '/a/{id}', history = 'account' }, { 'GET', '/a/b', text = 't' } } }"));
	says("error duplicate d.lua:2 routes[2]: GET \"/a/{id}\" is there twice");
}

/* Of a thing whose events are Made { n, text? } and Gone {}. The function takes data of { n, text? }. */
static void
check_handle(const char *handle)
{
	char text[3000];
	snprintf(text, sizeof text,
		 AGGREGATE("Made = { data = { n = 'integer', text = 'string?' }, apply = function(s) return s end },\n"
			   "Gone = { apply = function(s) return s end }",
			   "Make = { creates = true, data = { n = 'integer', text = 'string?' },\nhandle = %s }"),
		 handle);
	const struct text_file files[] = { { "thing.lua", text }, { NULL, NULL } };
	check(files);
}

TEST(a_misspelt_field_that_makes_a_file_what_it_is_is_told)
{
	const struct text_file aggregate[] = {
		{ "a.lua", "return { name = 'a',\ninital = function() return {} end,\nevents = {}, commands = {} }" },
		{ NULL, NULL }
	};
	const struct text_file projection[] = { { "p.lua", "return { name = 'p', on = {},\ntabels = {} }" },
						{ NULL, NULL } };
	CHECK(!check(aggregate));
	CHECK_TEXT(all, "error unknown_field a.lua:2 unknown field 'inital'; did you mean \"initial\"?\n");
	CHECK(!check(projection));
	CHECK_TEXT(all, "error unknown_field p.lua:2 unknown field 'tabels'; did you mean \"tables\"?\n");
}

TEST(fields_that_data_lacks_are_told)
{
	check_handle("function(s, data)\nreturn { { type = 'Made', data = { n = data.m } } } end");
	says("warning unknown_field thing.lua:6 data of Make has no field 'm'");
	check_handle("function(s, d)\nif d.txet and d.n > 1 then return {} end\nreturn {} end");
	says("warning unknown_field thing.lua:6 data of Make has no field 'txet'; did you mean \"text\"?\n");
	check_handle("function(s, data)\nreturn { { type = 'Made', data = { n = 1, m = 2 } } } end");
	says("warning unknown_field thing.lua:6 event 'Made' has no field 'm'");
	check_handle("function(s, data)\nreturn { { type = 'Gone', data = { n = data.n } },\n{ data = { text = 'x' }, "
		     "type = "
		     "'Made' } } end");
	says("warning unknown_field thing.lua:6 event 'Gone' has no field 'n'");
	says("warning missing_field thing.lua:7 event 'Made' lacks the field 'n'");
	check_handle("function(s, data)\nreturn { { type = 'Made', data = { nn = 1 } } } end");
	CHECK_TEXT(all, "warning unknown_field thing.lua:6 event 'Made' has no field 'nn'; did you mean \"n\"?\n");
}

TEST(no_field_is_told_that_may_be_there)
{
	static const char *const handles[] = {
		"function(s, data)\ndata.m = 1\nreturn { { type = 'Made', data = { n = data.m } } } end",
		"function(s, data)\ndata.m, data.n = 1, 2\nreturn {}, { m = data.m } end",
		"function(s, data)\ndata['m'] = 1\nreturn { { type = 'Made', data = { n = data.m } } } end",
		"function(s, data)\nlocal d = data d.m = 1\nreturn { { type = 'Made', data = { n = data.m } } } end",
		"function(s, data)\nlocal m = data.m\nrawset(data, 'm', 1)\nreturn {}, { m = m } end",
		"function(s, data)\nlocal data = s.data\nreturn {}, { m = data.m } end",
		"function(s, data)\nfor _, data in ipairs(s) do data.n = data.m end\nreturn {} end",
		"function(s, data)\nlocal f = function(a, data) return data.m end\nreturn {}, { f(1, s) } end",
		"function(s, data)\nreturn {}, { data = s.data.m, m = s.x.data.m } end",
		"function(s, data)\ndata = s.data\nreturn {}, { m = data.m } end",
		"function(s, data)\nlocal e = { type = 'Made', data = { text = 'x' } } e.data.n = 1\nreturn { e } end",
		"function(s, data)\nreturn { { type = 'Made', data = { [s.k] = 1 } } } end",
		"function(s, data)\nreturn { s.x and { type = 'Made', data = { n = 1, text = s.t } } or nil } end",
		"function(s, data)\nreturn { { type = 'Made', data = data } } end",
		"function(s, data)\nlocal r = { type = 'Gone', data = { m = 1 }, topic = 't' }\nreturn {}, r end",
		"function(s, data, ctx) if s.x then return {} end return (function(t) return {}, t.m end)(data) end",
	};
	for (size_t i = 0; i < countof(handles); i++) {
		check_handle(handles[i]);
		CHECK_TEXT(all[0] != '\0' ? all : "nothing", "nothing");
	}
}

/* What any of them has. */
TEST(a_function_that_is_several_handlers_reads_what_any_gets)
{
	const struct text_file files[] = { { "lib.lua", "local M = {}\nfunction M.apply(state, data)\nstate.x = data.a "
							"or data.b or data.c\nreturn state end\n"
							"return M" },
					   { "a.lua", "local lib = require 'lib'\n" AGGREGATE(
							      "A = { data = { a = 'string' }, apply = lib.apply },\n"
							      "B = { data = { b = 'string' }, apply = lib.apply }",
							      "") },
					   { NULL, NULL } };
	check(files);
	says("warning unknown_field lib.lua:3 data of A has no field 'c'");
	silent("'a'");
	silent("'b'");
}

TEST(columns_that_a_table_lacks_are_told)
{
	const struct text_file files[] = {
		{ "thing.lua", AGGREGATE("Made = { data = { n = 'integer' }, apply = function(s) return s end }", "") },
		{ "rows.lua",
		  "return { name = 'rows', tables = { Things = { key = { 'Id' }, columns = { Id = 'text', N = "
		  "'integer' } } },\n"
		  "on = { Made = function(view, data, meta)\n"
		  "view.Things:put { Id = meta.stream_id, M = data.n }\n"
		  "view.Things:update({ Id = 'x' }, { K = 1, N = { M = 2 } })\n"
		  "view.Things:find { where = { N = { '>', data.m }, O = 1 }, order = { 'Idd', '-N' }, limit = 5 }\n"
		  "local row = { P = 1 } row.P = nil\n"
		  "view.Things:put(row)\n"
		  "end },\n}" },
		{ NULL, NULL }
	};
	check(files);
	says("warning unknown_column rows.lua:3 table 'Things' has no column 'M'");
	says("warning unknown_column rows.lua:4 table 'Things' has no column 'K'");
	says("warning unknown_column rows.lua:5 table 'Things' has no column 'O'");
	says("warning unknown_column rows.lua:5 table 'Things' has no column 'Idd'; did you mean \"Id\"?");
	says("warning unknown_field rows.lua:5 data of Made has no field 'm'");
	CHECK_INT(findings.count, 5);
}

TEST(finds_files_that_are_nothing)
{
	CHECK(check_beside("other.lua", "return { nmae = 'other', evnets = {} }"));
	says("warning unused_file other.lua:1 no other file requires this one, and what it returns is no aggregate, "
	     "document, process, reactor or projection, and has no queries, settings or routes");
	CHECK(check_beside("other.lua", "return 5"));
	says("warning unused_file other.lua:1");
	const struct text_file used[] = {
		{ "lib.lua", "return 5" },
		{ "d.lua", "local five = require 'lib'\nreturn { settings = { five = five } }" },
		{ NULL, NULL },
	};
	CHECK(check(used));
	silent("lib.lua");
	CHECK(!check_beside("other.lua", "return { name = 'other', events = {}, commands = {} }"));
	silent("unused_file");
}

TEST_MAIN()
