/* SPDX-License-Identifier: MIT */
/* Folders of rules: what is read, what is refused, and the generations that the store keeps of them [I8]. */
#include <sys/stat.h>
#include <unistd.h>

#include "core/start.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"

#include "support/check.h"

static char root[64];
static struct fault fault;

static const char plain[] = "return { name = 'thing', initial = function() return { n = 0 } end,\n"
			    "  events = { Made = { data = {}, apply = function(s) s.n = s.n + 1 return s end } },\n"
			    "  commands = { Make = { anywhere = true, data = {},\n"
			    "    handle = function() return { { type = 'Made', data = {} } } end } } }\n";

static void
set_up(void)
{
	snprintf(root, sizeof(root), "/tmp/moonlog-folders-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
}

static void
tear_down(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	CHECK_INT(system(command), 0);
}

static const char *
path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	CHECK(file != NULL);
	CHECK(fputs(text, file) >= 0);
	CHECK_INT(fclose(file), 0);
}

static void
folder(const char *name)
{
	CHECK_INT(mkdir(path_of(name), 0700), 0);
}

TEST(every_source_is_read_in_order)
{
	struct source_set sources = { 0 };
	struct arena arena;

	set_up();
	folder("shop");
	folder("shop/spec");
	folder("shop/lib");
	put("shop/z.lua", "return 1");
	put("shop/a.lua", "return 2");
	put("shop/lib/m.lua", "return 3");
	put("shop/spec/a_spec.lua", "not read");
	put("shop/.hidden.lua", "not read");
	put("shop/README.md", "not read");
	arena_init(&arena, (size_t)64 << 20);
	CHECK_INT(domain_read_folder(path_of("shop/"), &arena, &sources, &fault), 0);
	CHECK_SLICE(sources.domain, "shop");
	CHECK_INT(sources.count, 3);
	CHECK_SLICE(sources.items[0].path, "a.lua");
	CHECK_SLICE(sources.items[1].path, "lib/m.lua");
	CHECK_SLICE(sources.items[2].path, "z.lua");
	CHECK_SLICE(sources.items[1].bytes, "return 3");
	arena_fini(&arena);
	tear_down();
}

static const char *
refused(const char *name)
{
	struct source_set sources = { 0 };
	struct arena arena;

	arena_init(&arena, (size_t)64 << 20);
	CHECK_INT(domain_read_folder(path_of(name), &arena, &sources, &fault), -1);
	arena_fini(&arena);
	return fault.code;
}

TEST(folders_that_are_none_are_refused)
{
	set_up();
	CHECK_INT(strlen(refused("missing")) > 0, 1);
	CHECK_INT(fault.class, FAULT_CONFIG);
	CHECK(strstr(fault.text, "missing") != NULL);
	folder("Shop-1");
	put("Shop-1/a.lua", "return {}");
	CHECK_TEXT(refused("Shop-1"), "bad_domain_name");
	folder("empty");
	CHECK_TEXT(refused("empty"), "bad_folder");
	folder("big");
	put("big/a.lua", "");
	CHECK_INT(truncate(path_of("big/a.lua"), DOMAIN_FILE_MAX + 1), 0);
	CHECK_TEXT(refused("big"), "source_too_large");
	CHECK(strstr(fault.text, "a.lua") != NULL);
	folder("names");
	put("names/\xc3\xa4.lua", "return {}");
	put("names/\xe4.lua", "return {}");
	CHECK_TEXT(refused("names"), "bad_folder");
	CHECK(strstr(fault.text, "no text in UTF-8") != NULL);
	folder("lines");
	put("lines/a\n.lua", "return {}");
	CHECK_TEXT(refused("lines"), "bad_folder");
	tear_down();
}

/* Starts the domain of a folder on the store: the number of the rules that it starts with. */
static uint32_t
generation_of(struct store *store, const char *name)
{
	struct engine_parts parts = { .store = store, .script = moon_ops(), .clock = clock_real() };
	struct ruleset *rules;
	struct active active;
	uint32_t generation;

	CHECK_INT(start_rules(&parts, path_of(name), &(struct script_options){ 0 }, &rules, &active, &fault), 0);
	generation = rules->generation;
	CHECK_INT(active.generation, generation);
	ruleset_release(rules);
	return generation;
}

TEST(a_set_of_sources_keeps_its_generation)
{
	struct store_reader *reader;
	struct arena arena;
	struct store *store;
	struct record *records;
	size_t count;

	set_up();
	CHECK_INT(memory_open(NULL, &store, &fault), 0);
	folder("one");
	put("one/thing.lua", plain);
	folder("two");
	put("two/thing.lua", plain);
	CHECK_INT(generation_of(store, "one"), 1);
	CHECK_INT(generation_of(store, "one"), 1);
	CHECK_INT(generation_of(store, "two"), 2);
	/* A folder that has changed, or cannot be loaded any more, does not change what a restart serves. */
	put("one/extra.lua", "return { ");
	CHECK_INT(generation_of(store, "one"), 1);
	CHECK_INT(unlink(path_of("one/extra.lua")), 0);
	CHECK_INT(generation_of(store, "one"), 1);
	/* Every source that decides anything is kept, once. */
	arena_init(&arena, (size_t)64 << 20);
	CHECK_INT(store_reader_open(store, &reader, &fault), 0);
	CHECK_INT(store_list_records(reader, SLICE("source"), SLICE_NONE, 10, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 1);
	CHECK_INT(store_list_records(reader, SLICE("generation"), SLICE_NONE, 10, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 2);
	CHECK_SLICE(records[1].key, "0000000002");
	store_reader_close(reader);
	arena_fini(&arena);
	store_close(store);
	tear_down();
}

TEST(rules_that_do_not_load_leave_nothing)
{
	struct ruleset *rules;

	set_up();
	folder("broken");
	put("broken/thing.lua", "return { name = ");
	CHECK_INT(domain_load(path_of("broken"), moon_ops(), &(struct script_options){ 0 }, &rules, &fault), -1);
	CHECK(rules == NULL);
	CHECK_INT(fault.class, FAULT_SCRIPT);
	CHECK(strstr(fault.text, "thing.lua:1") != NULL);
	tear_down();
}

TEST_MAIN()
