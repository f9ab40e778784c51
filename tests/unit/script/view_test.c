/* SPDX-License-Identifier: MIT */
/* What scripts may do with rows: each method of a view's table, and what is refused, over the memory view. */
#include "support/check.h"
#include "unit/script/domain.h"
#include "view/memory/view_memory.h"
#include "view/view.h"

/* The event's data holds Lua that a handler cannot get otherwise: each case is an event of its own. */
static const struct domain_file files[] = {
	{ "thing.lua",
	  "local none = function(s) return s end\n"
	  "return { name = 'thing', initial = function() return {} end, events = {\n"
	  "  Put = { data = { row = 'object' }, apply = none }, Insert = { data = { row = 'object' }, apply = none },\n"
	  "  Cut = { data = { row = 'object' }, apply = none }, Large = { data = { row = 'object' }, apply = none },\n"
	  "  Update = { data = { key = 'any', row = 'object' }, apply = none }, Add = { data = { row = 'object' }, "
	  "apply = none },\n"
	  "  Delete = { data = { key = 'any' }, apply = none }, DeleteWhere = { data = { where = 'object' }, apply = "
	  "none },\n"
	  "  Try = { data = { row = 'object' }, apply = none }, Stray = { data = {}, apply = none } } }\n" },
	{ "things.lua",
	  "return { name = 'things', tables = {\n"
	  "  Things = { key = { 'Id' }, columns = { Id = 'text', N = 'integer?', R = 'real?', B = 'boolean?', M = "
	  "'money?', T = 'time?',\n"
	  "    J = 'json?', Name = { type = 'text', optional = true, max_length = 4 } }, indexes = { { 'Name', unique "
	  "= true } } },\n"
	  "  Pairs = { key = { 'A', 'B' }, columns = { A = 'text', B = 'integer', V = 'text?' } } },\n"
	  "  on = { Put = function(view, d) view.Things:put(d.row) end,\n"
	  "    Cut = function(view, d) view.Things:put { Id = d.row.Id:sub(1, 1) } end,\n"
	  "    Large = function(view, d) view.Things:put { Id = ('x'):rep(d.row.N) } end,\n"
	  "    Insert = function(view, d) view.Things:insert(d.row) end,\n"
	  "    Update = function(view, d) view.Things:update(d.key, d.row) end,\n"
	  "    Add = function(view, d) view.Things:add('a', d.row) end,\n"
	  "    Delete = function(view, d) view.Things:delete(d.key) view.Pairs:put { A = 'x', B = 1 }\n"
	  "      assert(view.Pairs:delete { A = 'x', B = 1 }) assert(not view.Pairs:delete { A = 'x', B = 1 }) end,\n"
	  "    DeleteWhere = function(view, d) view.Things:delete_where(d.where) end,\n"
	  "    Try = function(view, d) if not pcall(view.Things.insert, view.Things, d.row) then view.Things:put { Id "
	  "= 'caught' } end end,\n"
	  "    Stray = function(view) view.Thing:get('a') end } }\n" },
	{ "queries.lua",
	  "return { queries = {\n"
	  "  find = { params = { where = 'string?', order = 'string?', limit = 'integer?' }, run = function(view, p)\n"
	  "    return view.Things:find { where = p.where and json.decode(p.where), order = p.order, limit = p.limit } "
	  "end },\n"
	  "  pair = { run = function(view) return { view.Pairs:get('x') } end } } }\n" },
	{ NULL, NULL },
};

static struct domain d;
static struct view *view;
static stream_version version;

static void
start(void)
{
	uint16_t numbers[] = { 0, 1 };
	uint8_t hash[32] = { 0 };
	if (domain_load(&d, files) != 0)
		CHECK_FAIL("%s", d.fault.text);
	version = 0;
	CHECK_INT(view_memory_open(d.program->tables, d.program->table_count, &view, &d.fault), 0);
	CHECK_INT(view_define(view, SLICE("things"), hash, numbers, 2, &d.fault), 0);
	CHECK_INT(view_begin(view, &d.fault), 0);
}

static void
stop(void)
{
	view_rollback(view);
	view_close(view);
	domain_close(&d);
}

static int
project(const char *type, const char *data)
{
	size_t done;
	const struct recorded_entry entry = domain_entry("bank.thing/a", ++version, type, data);
	return script_project(d.machine, 0, view_rows(view), &entry, 1, &done, &d.fault);
}

static void
takes(const char *type, const char *data)
{
	if (project(type, data) != 0)
		CHECK_FAIL("%s %s: %s", type, data, d.fault.text);
}

static void
refuses(const char *type, const char *data, const char *reason)
{
	if (project(type, data) == 0)
		CHECK_FAIL("%s %s was taken", type, data);
	if (strstr(d.fault.text, reason) == NULL || strstr(d.fault.text, "things.lua:") == NULL)
		CHECK_FAIL("\"%s\" lacks \"%s\"", d.fault.text, reason);
}

/* Ids that a find gives, or the reason why it gives none. */
static void
finds(const char *where, const char *order, const char *wanted)
{
	struct script_param params[2];
	size_t count = 0;
	struct buf out;
	buf_init(&out, 1 << 20);
	if (where != NULL)
		params[count++] = (struct script_param){ SLICE("where"), slice_text(where) };
	if (order != NULL)
		params[count++] = (struct script_param){ SLICE("order"), slice_text(order) };
	const struct query_request request = { .query = (uint16_t)script_find_query(d.program, SLICE("find")),
					       .params = params,
					       .param_count = count,
					       .rows = view_rows(view) };
	int result = script_query(d.machine, &request, &out, &d.fault);
	char got[600] = "";
	if (result != 0)
		snprintf(got, sizeof got, "%s", d.fault.text);
	for (size_t i = 0; result == 0 && i + 6 < out.size; i++)
		if (memcmp(out.data + i, "\"Id\":\"", 6) == 0)
			strncat(got, out.data + i + 6, strcspn(out.data + i + 6, "\""));
	buf_fini(&out);
	if (result != 0 ? strstr(got, wanted) == NULL : strcmp(got, wanted) != 0)
		CHECK_FAIL("where %s order %s: \"%s\", not \"%s\"", where, order, got, wanted);
}

static void
shows(const char *wanted)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	const struct query_request request = { .query = (uint16_t)script_find_query(d.program, SLICE("find")),
					       .rows = view_rows(view) };
	CHECK_INT(script_query(d.machine, &request, &out, &d.fault), 0);
	struct slice text = arena_copy(&d.arena, buf_slice(&out));
	buf_fini(&out);
	CHECK_SLICE(text, wanted);
}

TEST(values_come_back_as_they_were)
{
	start();
	takes("Put", "{\"row\":{\"Id\":\"a\",\"N\":5,\"R\":1.5,\"B\":true,\"M\":-250,\"T\":0,\"J\":{\"x\":[1,null]},"
		     "\"Name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}}");
	shows("[{\"B\":true,\"Id\":\"a\",\"J\":{\"x\":[1,null]},\"M\":-2.50,\"N\":5,\"Name\":"
	      "\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\",\"R\":1.5,"
	      "\"T\":\"1970-01-01T00:00:00.000000Z\"}]");
	takes("Update", "{\"key\":\"a\",\"row\":{\"N\":null,\"R\":null,\"B\":false,\"M\":null,\"T\":null,\"J\":[]}}");
	shows("[{\"B\":false,\"Id\":\"a\",\"J\":[],\"Name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}]");
	takes("Put", "{\"row\":{\"Id\":\"a\"}}");
	takes("Add", "{\"row\":{\"N\":3,\"M\":4}}");
	takes("Add", "{\"row\":{\"N\":-1}}");
	shows("[{\"Id\":\"a\",\"M\":0.04,\"N\":2}]");
	takes("Delete", "{\"key\":{\"Id\":\"a\"}}");
	shows("[]");
	takes("Add", "{\"row\":{\"N\":3}}");
	shows("[{\"Id\":\"a\",\"N\":3}]");
	stop();
}

TEST(bad_rows_are_named)
{
	start();
	refuses("Put", "{\"row\":{}}", "Things.Id is missing");
	refuses("Put", "{\"row\":{\"Id\":5}}", "Things.Id takes text, not the number");
	refuses("Put", "{\"row\":{\"Id\":\"a\",\"N\":1.5}}", "Things.N takes integer, not the number 1.5");
	refuses("Put", "{\"row\":{\"Id\":\"a\",\"M\":\"1\"}}", "Things.M takes money, not a string");
	refuses("Put", "{\"row\":{\"Id\":\"a\",\"B\":1}}", "Things.B takes boolean");
	refuses("Put", "{\"row\":{\"Id\":\"a\",\"Name\":\"fivec\"}}", "a text of 5 characters, at most 4 fit");
	refuses("Put", "{\"row\":{\"Id\":\"a\",\"Nme\":1}}", "Things has no column 'Nme'");
	refuses("Cut", "{\"row\":{\"Id\":\"\xc3\xa4\"}}", "Things.Id: the text is not UTF-8");
	refuses("Large", "{\"row\":{\"N\":262145}}", "Things.Id: a text of 262145 bytes, at most 262144 fit");
	refuses("Update", "{\"key\":\"a\",\"row\":{\"Id\":\"b\"}}", "part of the key");
	refuses("Update", "{\"key\":{\"N\":1},\"row\":{}}", "Things.Id is missing");
	refuses("Update", "{\"key\":{\"Id\":\"a\",\"N\":1},\"row\":{}}", "other columns");
	refuses("Add", "{\"row\":{\"B\":true}}", "no number");
	refuses("DeleteWhere", "{\"where\":{\"X\":1}}", "has no column 'X'");
	refuses("Stray", "{}", "view has no table 'Thing'");
	takes("Insert", "{\"row\":{\"Id\":\"a\",\"Name\":\"x\"}}");
	refuses("Insert", "{\"row\":{\"Id\":\"a\"}}", "");
	CHECK_TEXT(d.fault.code, "duplicate_row");
	refuses("Insert", "{\"row\":{\"Id\":\"b\",\"Name\":\"x\"}}", "");
	CHECK_TEXT(d.fault.code, "duplicate_row");
	takes("Try", "{\"row\":{\"Id\":\"a\"}}");
	finds(NULL, "Id", "acaught");
	stop();
}

TEST(finds_by_condition_and_order)
{
	start();
	takes("Put", "{\"row\":{\"Id\":\"a\",\"N\":1,\"Name\":\"ab\"}}");
	takes("Put", "{\"row\":{\"Id\":\"b\",\"N\":2,\"Name\":\"ac\"}}");
	takes("Put", "{\"row\":{\"Id\":\"c\",\"N\":3}}");
	takes("Put", "{\"row\":{\"Id\":\"d\"}}");
	finds(NULL, NULL, "abcd");
	finds(NULL, "-Id", "dcba");
	finds("{\"N\":2}", NULL, "b");
	finds("{\"N\":[\">=\",2]}", "-N", "cb");
	finds("{\"N\":[\"<\",3],\"Name\":[\"prefix\",\"a\"]}", NULL, "ab");
	finds("{\"N\":[\"~=\",2]}", "Id", "acd");
	finds("{\"Name\":null}", "Id", "cd");
	finds("{\"Name\":[\"~=\",null]}", "Id", "ab");
	finds("{\"Name\":\"longer than the column\"}", NULL, "");
	finds("{\"N\":[\"like\",2]}", NULL, "unknown operator 'like'");
	finds("{\"N\":[\"prefix\",2]}", NULL, "prefix is for text");
	finds("{\"N\":[\"=\"]}", NULL, "a condition is { operator, value }");
	finds("{\"J\":1}", NULL, "json columns cannot be compared");
	finds("{\"X\":1}", NULL, "has no column 'X'");
	finds(NULL, "X", "order: Things has no column 'X'");
	takes("DeleteWhere", "{\"where\":{\"N\":[\">\",1]}}");
	finds(NULL, "Id", "ad");
	const struct query_request pair = { .query = (uint16_t)script_find_query(d.program, SLICE("pair")),
					    .rows = view_rows(view) };
	struct buf out;
	buf_init(&out, 1000);
	CHECK_INT(script_query(d.machine, &pair, &out, &d.fault), -1);
	CHECK(strstr(d.fault.text, "queries.lua:4: the key of Pairs has 2 columns: give a table") != NULL);
	buf_fini(&out);
	stop();
}

TEST_MAIN()
