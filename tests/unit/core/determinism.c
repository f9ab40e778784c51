/* SPDX-License-Identifier: MIT */
/* Rules fold twice to the same bytes [I7]; planted leaks - hash order, addresses, sort, a module - are named. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "core/determinism.h"
#include "script/lua/lua_room.h"
#include "script/lua/machine.h"
#include "store/memory/memory.h"
#include "view/memory/view_memory.h"

#include "support/check.h"

static struct store *store;
static struct arena arena;
static struct fault fault;
static struct script_program *program;
static const struct script_options options = { .development = true };
static char found[4000];
static uint64_t folded;
static log_position farthest;

/* `leak` runs where a leaky handler would. */
static const char rules[] =
	"local seen = 0\n"
	"local function leak(kind, data)\n"
	"  local text = ''\n"
	"  if kind == 'order' then for name in pairs(data.set) do text = text .. name end end\n"
	"  if kind == 'address' then text = tostring(data) end\n"
	"  if kind == 'module' then seen = seen + 1 text = tostring(seen) end\n"
	"  if kind == 'sort' then\n"
	"    local list = {}\n"
	"    for i = 1, 4000 do list[i] = { key = math.min(i, 4001 - i), number = i } end\n"
	"    table.sort(list, function(a, b) return a.key < b.key end)\n"
	"    for i = 1, 100 do text = text .. list[i].number .. ' ' end\n"
	"  end\n"
	"  return text\n"
	"end\n"
	"local set = { array = 'string' }\n"
	"return { name = 'post', initial = function() return { n = 0, text = '' } end, commands = {},\n"
	"  events = {\n"
	"    Posted = { data = { set = { map = 'integer' } }, apply = function(state, data)\n"
	"      for name, number in pairs(data.set) do state.n = state.n + number end return state end },\n"
	"    Leaky = { data = { kind = 'string', set = { map = 'integer' } }, apply = function(state, data)\n"
	"      state.text = leak(data.kind, data) return state end },\n"
	"    Healed = { data = {}, apply = function(state) state.text = '' return state end },\n"
	"    Broken = { data = {}, apply = function() error('out of luck') end },\n"
	"    Named = { data = { text = 'string' }, apply = function(state) return state end },\n"
	"    Counted = { data = {}, apply = function(state) return state end },\n"
	"  },\n"
	"  retired = { Old = { upcast = { [1] = function(data)\n"
	"    return { { type = 'Named', data = { text = leak(data.kind, data) } } } end } } },\n"
	"}\n";

static const char rows[] =
	"local seen = 0\n"
	"return { name = 'texts', tables = { Texts = { key = { 'Id' }, columns = { Id = 'text', Text = "
	"'text' } } },\n"
	"  on = { Named = function(view, data, meta) view.Texts:put { Id = meta.stream_id, Text = "
	"data.text } end,\n"
	"    Counted = function(view, data, meta) seen = seen + 1\n"
	"      view.Texts:put { Id = meta.stream_id, Text = 'number ' .. seen } end } }\n";

/* ---- a sandbox with holes: stock functions instead of ours ---- */

static void
put_stock(lua_State *L, lua_State *stock, const char *library, const char *name)
{
	lua_getglobal(stock, library);
	lua_getfield(stock, -1, name);
	lua_CFunction function = lua_tocfunction(stock, -1);
	lua_settop(stock, 0);
	lua_pushglobaltable(L);
	sandbox_thaw(L, -1);
	if (strcmp(library, "_G") != 0) {
		lua_pushstring(L, library);
		lua_rawget(L, -2);
		sandbox_thaw(L, -1);
	}
	lua_pushstring(L, name);
	lua_pushcfunction(L, function);
	lua_rawset(L, -3);
}

static int
plant_body(lua_State *L)
{
	lua_State *stock = vm_request(L);
	put_stock(L, stock, "_G", "pairs");
	put_stock(L, stock, "_G", "tostring");
	put_stock(L, stock, "table", "sort");
	return 0;
}

static int
leaky_open(const struct script_program *of, const struct script_options *with, struct script_machine **machine,
	   struct fault *why)
{
	if (moon_ops()->open(of, with, machine, why) != 0)
		return -1;
	lua_State *stock = luaL_newstate();
	luaL_openlibs(stock);
	CHECK_INT(vm_protect(container_of(*machine, struct moon_machine, door)->vm, plant_body, stock, why), 0);
	lua_close(stock);
	return 0;
}

static struct script_ops leaky;

/* ---- the rig ---- */

static void
set_up(bool with_holes)
{
	struct source_file sources[] = { { .path = SLICE("post.lua"), .bytes = slice_text(rules) },
					 { .path = SLICE("texts.lua"), .bytes = slice_text(rows) } };
	struct source_set set = { .domain = SLICE("shop"), .items = sources, .count = countof(sources) };

	arena_init(&arena, SIZE_MAX);
	CHECK_INT(memory_open(NULL, &store, &fault), 0);
	for (size_t i = 0; i < countof(sources); i++)
		digest_of(sources[i].bytes, &sources[i].hash);
	if (script_load(moon_ops(), &set, &options, &program, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	if (!with_holes)
		return;
	leaky = *moon_ops();
	leaky.open = leaky_open;
	program->ops = &leaky;
}

static void
tear_down(void)
{
	script_unload(program);
	store_close(store);
	arena_fini(&arena);
}

static void
put(const char *stream, const char *type, const char *data)
{
	struct append_stream streams[] = { { slice_text(stream), { EXPECTED_ANY, 0 } } };
	struct new_entry entry = {
		.kind = ENTRY_EVENT, .schema_version = 1, .type = slice_text(type), .data = slice_text(data)
	};
	const struct provenance nobody = { 0 };
	struct append append = { .streams = streams,
				 .stream_count = 1,
				 .entries = &entry,
				 .entry_count = 1,
				 .generation = 1,
				 .arena = &arena },
		      *group[] = { &append };

	entry_digest(&entry, streams[0].name, 1, &nobody, &entry.digest);
	CHECK_INT(store_commit(store, group, 1, &fault), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_DONE);
}

#define SET                                                                                                            \
	"{\"alpha\":1,\"bravo two\":2,\"charlie\":3,\"delta\":4,\"echo five\":5,\"foxtrot\":6,\"golf\":7,\"hotel\":8," \
	"\"india\":9,\"juliett\":10,\"kilo\":11,\"lima\":12,\"mike\":13,\"november\":14,\"oscar\":15,\"papa\":16}"

static void
fill(int streams, int events)
{
	for (int i = 0; i < streams; i++)
		for (int k = 0; k < events; k++) {
			char name[40];

			snprintf(name, sizeof(name), "shop.post/%d", i);
			put(name, "Posted", "{\"set\":" SET "}");
		}
}

static void
note(void *self, const struct determinism_finding *finding)
{
	static const char *const whats[] = { "state", "pieces", "rows", "fails" };

	(void)self;
	snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%.*s%.*s at %.*s %llu %.*s: %s\n",
		 whats[finding->what], finding->projection.size > 0 ? 1 : 0, " ", SLICE_ARG(finding->projection),
		 SLICE_ARG(finding->stream), (unsigned long long)finding->version, SLICE_ARG(finding->type),
		 finding->text);
}

static void
progress(void *self, log_position at, log_position head)
{
	(void)self;
	CHECK(at >= farthest && at <= head);
	farthest = at;
}

static uint64_t
findings(void)
{
	struct determinism check = { .store = store,
				     .program = program,
				     .options = &options,
				     .open_view = view_memory_open,
				     .found = note,
				     .progress = progress };

	found[0] = '\0';
	farthest = 0;
	if (determinism_check(&check, &fault) != 0)
		CHECK_FAIL("%s: %s", fault.code, fault.text);
	CHECK_INT(farthest, store_head(store));
	folded = check.events;
	CHECK_INT(check.projected, store_head(store));
	return check.findings;
}

static void
says(const char *text)
{
	if (strstr(found, text) == NULL)
		CHECK_TEXT(found, text);
}

TEST(machines_with_different_seeds_can_be_had)
{
	struct script_machine *machines[2];

	set_up(false);
	CHECK_INT(determinism_open_two(program, &options, machines, &fault), 0);
	CHECK(script_order(machines[0]) != script_order(machines[1]));
	CHECK(script_order(machines[0]) == script_order(machines[0]));
	script_close(machines[0]);
	script_close(machines[1]);
	tear_down();
}

TEST(clean_rules_give_the_same_twice)
{
	set_up(false);
	fill(150, 5);
	fill(1, 9000); /* more than a chunk */
	put("shop.post/7", "Leaky", "{\"kind\":\"order\",\"set\":" SET "}");
	put("shop.post/7", "Leaky", "{\"kind\":\"sort\",\"set\":{}}");
	put("shop.post/8", "Old", "{\"kind\":\"order\",\"set\":" SET "}");
	CHECK_INT(findings(), 0);
	CHECK_TEXT(found, "");
	CHECK_INT(folded, 150 * 5 + 9000 + 3);
	tear_down();
}

TEST(planted_leaks_are_found_with_stream_and_event)
{
	set_up(true);
	fill(100, 3);
	put("shop.post/40", "Leaky", "{\"kind\":\"order\",\"set\":" SET "}");
	put("shop.post/40", "Posted", "{\"set\":" SET "}");
	put("shop.post/60", "Leaky", "{\"kind\":\"address\",\"set\":{}}");
	put("shop.post/80", "Leaky", "{\"kind\":\"sort\",\"set\":{}}");
	CHECK_INT(findings(), 3);
	says("state at shop.post/40 4 Leaky: the state after it: ");
	/* Where the excerpt begins depends on how much two addresses have in common. */
	says("state at shop.post/60 4 Leaky: the state after it: ...");
	says("\"text\":\"table: 0x");
	says("state at shop.post/80 4 Leaky: the state after it: ");
	tear_down();
}

TEST(a_leak_far_into_a_stream_is_found_at_its_event)
{
	set_up(true);
	fill(1, 9000);
	put("shop.post/0", "Leaky", "{\"kind\":\"order\",\"set\":" SET "}");
	fill(1, 700);
	CHECK_INT(findings(), 1);
	says("state at shop.post/0 9001 Leaky: ");
	tear_down();
}

TEST(what_upcasters_and_projections_leak_is_found)
{
	set_up(true);
	fill(3, 3);
	put("shop.post/1", "Old", "{\"kind\":\"order\",\"set\":" SET "}");
	CHECK_INT(findings(), 2);
	says("pieces at shop.post/1 4 Old: what upcasters make of it: {\"text\":\"");
	says("rows texts at shop.post/1 4 Old: what the handler writes differs from machine to machine");
	tear_down();
}

TEST(what_a_module_remembers_is_found)
{
	set_up(false);
	for (int i = 0; i < 20; i++) {
		char name[40];

		snprintf(name, sizeof(name), "shop.post/%d", i);
		put(name, "Leaky", "{\"kind\":\"module\",\"set\":{}}");
	}
	CHECK(findings() >= 18); /* in each thread one may have the same turn both ways */
	says(" 1 Leaky: the state after it");
	tear_down();
}

TEST(what_a_module_remembers_is_found_in_a_stream_alone)
{
	set_up(false);
	put("shop.post/0", "Posted", "{\"set\":" SET "}");
	put("shop.post/0", "Leaky", "{\"kind\":\"module\",\"set\":{}}");
	put("shop.post/0", "Leaky", "{\"kind\":\"module\",\"set\":{}}");
	CHECK_INT(findings(), 1);
	says("state at shop.post/0 2 Leaky: the state after it: ");
	tear_down();
	set_up(false);
	put("shop.post/0", "Leaky", "{\"kind\":\"module\",\"set\":{}}");
	put("shop.post/0", "Healed", "{}");
	put("shop.post/0", "Leaky", "{\"kind\":\"module\",\"set\":{}}");
	CHECK_INT(findings(), 1);
	says("state at shop.post/0 1 Leaky: the state after it: ");
	tear_down();
	set_up(false);
	put("shop.post/0", "Old", "{\"kind\":\"module\",\"set\":{}}");
	CHECK_INT(findings(), 2);
	says("pieces at shop.post/0 1 Old: what upcasters make of it: ");
	says("rows texts at shop.post/0 1 Old: what the handler writes");
	tear_down();
}

/* Also when it is one stream of many that remembers itself: folded again after a restart it would begin anew. */
TEST(what_a_module_remembers_of_one_stream_of_many_is_found)
{
	set_up(false);
	fill(2, 2);
	put("shop.post/1", "Leaky", "{\"kind\":\"module\",\"set\":{}}");
	CHECK_INT(findings(), 1);
	says("state at shop.post/1 3 Leaky: the state after it: ");
	tear_down();
}

TEST(what_a_projection_remembers_is_found)
{
	set_up(false);
	fill(2, 2);
	put("shop.post/1", "Counted", "{}");
	put("shop.post/0", "Counted", "{}");
	CHECK_INT(findings(), 1);
	says("rows texts at shop.post/1 3 Counted: what the handler writes differs from machine to machine");
	tear_down();
}

TEST(streams_can_be_asked_alone)
{
	static const struct slice streams[] = { SLICE("shop.post/1"), SLICE("shop.post/2"), SLICE("shop.post/none") };
	struct determinism check = { .found = note };

	set_up(true);
	fill(3, 3);
	fill(2, 9000); /* more than a chunk */
	check.store = store;
	check.program = program;
	check.options = &options;
	CHECK_INT(determinism_streams(&check, streams, countof(streams), 10000, &fault), 0);
	CHECK_INT(check.findings, 0);
	CHECK_INT(check.events, 3 + 9000 + 3);
	put("shop.post/0", "Leaky", "{\"kind\":\"order\",\"set\":" SET "}");
	put("shop.post/2", "Leaky", "{\"kind\":\"order\",\"set\":" SET "}");
	found[0] = '\0';
	CHECK_INT(determinism_streams(&check, streams, countof(streams), 3, &fault), 0);
	CHECK_INT(check.events, 6);
	CHECK_INT(determinism_streams(&check, streams, countof(streams), 4, &fault), 0);
	CHECK_INT(check.findings, 1);
	says("state at shop.post/2 4 Leaky: the state after it: ");
	tear_down();
}

TEST(rules_that_fail_are_a_finding)
{
	set_up(false);
	fill(3, 3);
	put("shop.post/1", "Broken", "{}");
	CHECK_INT(findings(), 1);
	says("fails at shop.post/1 4 Broken: the rules fail: shop.post/1 version 4: post.lua:");
	tear_down();
}

TEST_MAIN()
