/* SPDX-License-Identifier: MIT */
/* The test kit as `moonlog test` runs it: busted over the real room, with rows of the memory view. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "script/lua/kit.h"
#include "support/check.h"
#include "view/memory/view_memory.h"
#include "view/view.h"

static int
rows_open(void *self, const struct table *tables, size_t count, struct kit_rows *rows, struct fault *fault)
{
	struct view *view;
	(void)self;
	if (view_memory_open(tables, count, &view, fault) != 0)
		return -1;
	rows->self = view;
	if (view_begin(view, fault) != 0) {
		view_close(view);
		return -1;
	}
	rows->port = view_rows(view);
	return 0;
}

static void
rows_close(void *self, struct kit_rows *rows)
{
	(void)self;
	view_rollback(rows->self);
	view_close(rows->self);
}

static const struct source_file counter[] = {
	{ .path = SLICE("counter.lua"),
	  .bytes = SLICE(
		  "return { name = 'counter', initial = function() return { n = 0 } end,\n"
		  "  events = { Added = { version = 2, data = { by = 'integer' }, upcast = { [1] = function(d) "
		  "d.by = 1 return d end },\n"
		  "      apply = function(s, d) s.n = s.n + d.by return s end } },\n"
		  "  retired = { Twice = { upcast = { [1] = function(d) local a = { type = 'Added', version = 2, data "
		  "= { "
		  "by = d.n } }\n"
		  "      return { a, a } end } }, Nothing = { upcast = { [1] = function() return false end } } },\n"
		  "  commands = { Start = { creates = true, handle = function() return { { type = 'Added', data "
		  "= { by = 0 } } }, { n = 0 } end },\n"
		  "    Add = { data = { by = { type = 'integer', minimum = 1 } }, handle = function(s, d, ctx)\n"
		  "      if s.n + d.by > 10 then return nil, { code = 'too_much' } end\n"
		  "      return { { type = 'Added', data = { by = d.by } } }, { n = s.n + d.by, at = ctx:now(), "
		  "who = ctx.caller } end } } }\n") },
	{ .path = SLICE("leaky.lua"), /* two names for one table: JSON makes two of it */
	  .bytes = SLICE("return { name = 'leaky', initial = function() return {} end, events = { Set = { data = { n = "
			 "'integer' },\n"
			 "  apply = function(s, d) if s.a == nil then s.a = { n = 0 } s.b = s.a end s.a.n = s.a.n + "
			 "d.n return "
			 "s end } } }\n") },
	{ .path = SLICE("names.lua"),
	  .bytes = SLICE(
		  "return { name = 'names', tables = { Names = { key = { 'Id' }, columns = { Id = 'text', By = "
		  "'integer' } } },\n"
		  "  on = { Added = function(view, data, meta) view.Names:put { Id = meta.stream_id, By = data.by } "
		  "end } }\n") },
	{ .path = SLICE("totals.lua"),
	  .bytes = SLICE("return { name = 'totals', tables = { Totals = { key = { 'Id' }, columns = { Id = 'text', N = "
			 "'integer' } } },\n"
			 "  on = { Added = function(view, data, meta) view.Totals:add(meta.stream_id, { N = data.by }) "
			 "end } }\n") },
	{ .path = SLICE("queries.lua"),
	  .bytes = SLICE("return { queries = { least = { params = { n = 'integer' }, run = function(view, p)\n"
			 "  if p.n < 0 then return nil, { code = 'negative' } end\n"
			 "  return view.Totals:find { where = { N = { '>=', p.n } } } end } } }\n") },
};

static const char good_spec[] =
	"describe('counter', function()\n"
	"  local counter = moonlog.aggregate 'demo.counter'\n"
	"  local one = { type = 'Added', data = { by = 1 } }\n"
	"  it('decides', function()\n"
	"    counter:given { one }:when { type = 'Add', data = { by = 2 } }:expect { { type = 'Added', data = { by = 2 "
	"} } }\n"
	"      :expect_events { 'Added' }:expect_state { n = 3 }:expect_messages {}\n"
	"      :when { type = 'Add', data = { by = 8 } }:expect_refusal 'too_much'\n"
	"    counter:at '1970-01-01T00:00:02Z':given { one }:as 'ada':when { type = 'Add', json = '{\"by\":1}' }\n"
	"      :expect_reply { n = 2, at = 2000000, who = 'ada' }\n"
	"    counter:given {}:when { type = 'Add', data = { by = 2 } }:expect_refusal 'no_such_stream'\n"
	"    counter:given { one }:when { type = 'Start' }:expect_refusal 'stream_exists'\n"
	"    counter:given { one }:when { type = 'Add', data = { by = 0 } }:expect_error 'bad_input'\n"
	"    counter:given { one }:when { type = 'Add', data = { by = 1, no = 1 } }:expect_error 'unknown_field'\n"
	"  end)\n"
	"  it('folds old versions', function()\n"
	"    counter:given { { type = 'Added', version = 1, data = {} }, one }:expect_state { n = 2 }\n"
	"    assert.has_error(function() counter:given { { type = 'Added', data = {} } }:expect_state {} end)\n"
	"  end)\n"
	"  it('upcasts recorded bytes', function()\n"
	"    local old = moonlog.upcaster 'demo.counter'\n"
	"    old:given_bytes { type = 'Added', version = 1, json = '{}' }:expect { { type = 'Added', version = 2, data "
	"= { by = "
	"1 } } }\n"
	"    old:given_bytes { type = 'Twice', version = 1, data = { n = 4 } }\n"
	"      :expect { { type = 'Added', data = { by = 4 } }, { type = 'Added', data = { by = 4 } } }\n"
	"    old:given_bytes { type = 'Nothing' }:expect_dropped():expect {}\n"
	"    old:given_bytes { type = 'Twice', data = { n = 'x' } }:expect_error 'bad_upcast'\n"
	"    assert.has_error(function() old:given_bytes { type = 'Nothing' }:expect { { type = 'Added' } } end)\n"
	"    assert.has_error(function() old:given_bytes { type = 'Added', version = 1 }:expect_dropped() end)\n"
	"  end)\n"
	"  it('has a clock and chance of its own', function()\n"
	"    counter:at '1970-01-01T00:00:00Z':given { one }:advance '1h':when { type = 'Add', data = { by = 1 } }\n"
	"      :expect_reply { n = 2, at = 3600000000, who = '' }\n"
	"      :advance(1.5):as 'eve':when { type = 'Add', data = { by = 1 } }:expect_reply { n = 3, at = 3601500000, "
	"who = "
	"'eve' }\n"
	"    assert.has_error(function() counter:given {}:advance 'soon' end)\n"
	"    local function first(seed) return counter:given {}:seed(seed):when { type = 'Start' }.entries end\n"
	"    assert.same(first(1), first(1))\n"
	"  end)\n"
	"  it('proves what rules promise', function()\n"
	"    counter:given { one }:when { type = 'Add', data = { by = 1 } "
	"}:expect_deterministic():expect_survives_json()\n"
	"    counter:given { one }:expect_deterministic():expect_survives_json()\n"
	"    moonlog.projection 'demo.names':given { one, one }:twice():expect_deterministic()\n"
	"    assert.has_error(function() moonlog.projection 'demo.totals':given { one }:twice() end)\n"
	"    local leaky = moonlog.aggregate 'demo.leaky'\n"
	"    local set = { type = 'Set', data = { n = 1 } }\n"
	"    assert.has_error(function() leaky:given { set, set }:expect_survives_json() end)\n"
	"  end)\n"
	"  it('projects', function()\n"
	"    moonlog.projection 'demo.totals':given { one, { type = 'Added', stream = 'demo.counter/b', data = { by = "
	"5 } }, one }\n"
	"      :expect_rows('Totals', { { Id = 'b', N = 5 }, { Id = '1', N = 2 } }):expect_count('Totals', 2)\n"
	"      :expect_row('Totals', { Id = 'b' }, { N = 5 }):expect_no_row('Totals', { Id = 'c' })\n"
	"  end)\n"
	"  it('queries', function()\n"
	"    local least = moonlog.query 'demo.least'\n"
	"    least:given { one }:with { n = 1 }:expect { { Id = '1', N = 1 } }\n"
	"    least:given { one }:with { n = 2 }:expect {}\n"
	"    least:given {}:with { n = -1 }:expect_refusal 'negative'\n"
	"    least:given {}:with { n = 'x' }:expect_error 'bad_input'\n"
	"  end)\n"
	"end)\n";

static const char bad_spec[] =
	"describe('counter', function()\n"
	"  local counter = moonlog.aggregate 'demo.counter'\n"
	"  it('is wrong about events', function()\n"
	"    counter:given {}:when { type = 'Start' }:expect { { type = 'Added', data = { by = 0.0 } } } end)\n"
	"  it('is wrong about a refusal', function() counter:given {}:when { type = 'Start' }:expect_refusal 'x' end)\n"
	"  it('names what is not there', function() moonlog.query 'demo.nothing' end)\n"
	"  it('is right', function() end)\n"
	"end)\n";

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info, (void)kind, (void)walk;
	return remove(path);
}

/* Runs one spec text; what was printed comes back in `said`. */
static int
run(const char *spec, int argc, const char *const *argv, char *said, size_t size)
{
	char folder[] = "/tmp/moonlog-kit-XXXXXX", path[200];
	CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/spec", folder);
	CHECK(mkdir(path, 0700) == 0);
	snprintf(path, sizeof path, "%s/spec/counter_spec.lua", folder);
	write_file(path, spec);
	const struct source_set set = { .domain = SLICE("demo"), .items = counter, .count = countof(counter) };
	const struct kit_folder one = { folder, &set };
	const struct kit_options options = {
		.folders = &one, .folder_count = 1, .rows_open = rows_open, .rows_close = rows_close
	};
	snprintf(path, sizeof path, "%s/out", folder);
	fflush(stdout);
	int kept = dup(1);
	CHECK(freopen(path, "w", stdout) != NULL);
	int result = moon_run_specs(argc, argv, &options);
	fflush(stdout);
	dup2(kept, 1);
	close(kept);
	FILE *file = fopen(path, "r");
	said[fread(said, 1, size - 1, file)] = '\0';
	fclose(file);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return result;
}

static char said[100000];

TEST(good_specs_pass)
{
	int result = run(good_spec, 0, NULL, said, sizeof said);
	if (result != 0)
		CHECK_FAIL("%d: %s", result, said);
	CHECK_TEXT(said, "7 passed, 0 failed\n");
}

TEST(bad_specs_fail_with_place_and_reason)
{
	CHECK_INT(run(bad_spec, 0, NULL, said, sizeof said), 1);
	CHECK(strstr(said, "1 passed, 3 failed\n") != NULL);
	CHECK(strstr(said, "counter_spec.lua:4: events differ") != NULL);
	CHECK(strstr(said, "counter_spec.lua:5: the command was accepted") != NULL);
	CHECK(strstr(said, "no query 'demo.nothing' is loaded") != NULL);
}

TEST(options_of_busted_work)
{
	const char *filter[] = { "--filter=is right" };
	CHECK_INT(run(bad_spec, 1, filter, said, sizeof said), 0);
	CHECK_TEXT(said, "1 passed, 0 failed\n");
	const char *junit[] = { "-o", "junit" };
	CHECK_INT(run(bad_spec, 2, junit, said, sizeof said), 1);
	CHECK(strstr(said, "<testsuite") != NULL);
	const char *unknown[] = { "--nonsense" };
	CHECK_INT(run(bad_spec, 1, unknown, said, sizeof said), 1);
	CHECK_INT(run("syntax error here", 0, NULL, said, sizeof said), 1);
	CHECK(strstr(said, "0 passed, 1 failed\n") != NULL);
}

TEST_MAIN()
