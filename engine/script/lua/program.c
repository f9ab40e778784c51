/* SPDX-License-Identifier: MIT */
/*
 * Promises: a program is made from a set of sources by running them once in a scratch state and checking what
 * they return; it keeps its own copy of the sources and nothing of the state, so it can be shared by threads.
 * What is wrong is named with file and line, and nothing is left behind.
 *
 * Order of the checks: settings (money needs the currency), aggregates, tables, queries, handlers of
 * projections, routes: each names only what was checked before it.
 */
#include <lauxlib.h>
#include <stdlib.h>

#include "script/lua/check.h"
#include "script/lua/inspect.h"
#include "script/lua/lua_room.h"
#include "script/lua/meaning.h"

#define PROGRAM_BYTES ((size_t)256 << 20)

bool
moon_topic_ok(struct slice topic)
{
	for (size_t i = 0; i < topic.size; i++) {
		char c = topic.data[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!word && c != '.' && c != '_' && c != '-')
			return false;
	}
	return topic.size > 0 && topic.size <= 249 && !slice_equal(topic, SLICE(".")) &&
	       !slice_equal(topic, SLICE(".."));
}

const struct moon_timer *
moon_timer_find(const struct moon_aggregate *aggregate, struct slice name)
{
	for (size_t i = 0; i < aggregate->timer_count; i++)
		if (slice_equal(aggregate->timers[i].name, name))
			return &aggregate->timers[i];
	return NULL;
}

/* ---- what a file is ---- */

enum file_kind { FILE_MODULE, FILE_AGGREGATE, FILE_DOCUMENT, FILE_PROCESS, FILE_REACTOR, FILE_PROJECTION, FILE_DOMAIN };

/* Pushes what the file gave. */
static void
push_file(struct inspection *in, uint16_t source)
{
	lua_State *L = in->L;
	in->source = source;
	in->depth = 0;
	lua_rawgeti(L, LUA_REGISTRYINDEX, in->machine->modules);
	lua_rawgeti(L, -1, source + 1);
	lua_remove(L, -2);
	if (sandbox_thaw(L, -1))
		lua_remove(L, -2);
}

static bool
has(lua_State *L, const char *field)
{
	lua_pushstring(L, field);
	bool there = lua_rawget(L, -2) != LUA_TNIL;
	lua_pop(L, 1);
	return there;
}

static enum file_kind
file_kind(struct inspection *in)
{
	lua_State *L = in->L;
	if (lua_type(L, -1) != LUA_TTABLE)
		return FILE_MODULE;
	bool initial = has(L, "initial"), events = has(L, "events"), commands = has(L, "commands");
	if (has(L, "react"))
		return events ? FILE_PROCESS : FILE_REACTOR;
	if (has(L, "document") && commands)
		return FILE_DOCUMENT;
	if (has(L, "document") && has(L, "name"))
		inspect_lacks(in, "document", "a document", "commands");
	if (initial && events)
		return FILE_AGGREGATE;
	if (commands && (initial || events))
		inspect_lacks(in, "commands", "an aggregate", initial ? "events" : "initial");
	bool on = has(L, "on"), tables = has(L, "tables");
	if (on && tables)
		return FILE_PROJECTION;
	if ((on || tables) && has(L, "name"))
		inspect_lacks(in, on ? "on" : "tables", "a projection", on ? "tables" : "on");
	return has(L, "queries") || has(L, "settings") || has(L, "routes") ? FILE_DOMAIN : FILE_MODULE;
}

/* Elements of a field: of its list, or of its names. */
static size_t
count_field(lua_State *L, const char *field)
{
	size_t count = 0;
	lua_pushstring(L, field);
	if (lua_rawget(L, -2) == LUA_TTABLE) {
		lua_pushnil(L);
		for (; lua_next(L, -2); lua_pop(L, 1))
			count++;
	}
	lua_pop(L, 1);
	return count;
}

static void
classify_file(struct inspection *in, void *self)
{
	static const char *const fields[] = { "queries", "settings", "routes", "title", "description", NULL };
	enum file_kind *kind = self;
	*kind = file_kind(in);
	if (*kind == FILE_DOMAIN)
		inspect_fields(in, fields);
}

static enum file_kind *
classify(struct inspection *in)
{
	size_t files = in->program->sources.count, aggregates = 0, projections = 0, tables = 0, queries = 0, routes = 0;
	size_t reactors = 0;
	enum file_kind *kinds = inspect_alloc(in, files, sizeof *kinds);
	for (uint16_t i = 0; i < files; i++) {
		push_file(in, i);
		in->missing |= inspect_try(in, classify_file, &kinds[i]);
		aggregates += kinds[i] == FILE_AGGREGATE || kinds[i] == FILE_DOCUMENT || kinds[i] == FILE_PROCESS;
		reactors += kinds[i] == FILE_REACTOR || kinds[i] == FILE_PROCESS;
		projections += kinds[i] == FILE_PROJECTION;
		if (kinds[i] == FILE_PROJECTION)
			tables += count_field(in->L, "tables");
		if (kinds[i] == FILE_DOMAIN) {
			queries += count_field(in->L, "queries");
			routes += count_field(in->L, "routes");
		}
		lua_pop(in->L, 1);
	}
	if (tables > 1000 || queries > 1000 || routes > 2000)
		inspect_fail(in, NULL, "more than 1000 tables, 1000 queries or 2000 routes in one domain");
	in->aggregates = inspect_alloc(in, aggregates, sizeof *in->aggregates);
	in->aggregate_rules = inspect_alloc(in, aggregates, sizeof *in->aggregate_rules);
	in->reactors = inspect_alloc(in, reactors, sizeof *in->reactors);
	in->reactor_rules = inspect_alloc(in, reactors, sizeof *in->reactor_rules);
	in->projections = inspect_alloc(in, projections, sizeof *in->projections);
	in->projection_rules = inspect_alloc(in, projections, sizeof *in->projection_rules);
	in->tables = inspect_alloc(in, tables, sizeof *in->tables);
	in->table_rules = inspect_alloc(in, tables, sizeof *in->table_rules);
	in->queries = inspect_alloc(in, queries, sizeof *in->queries);
	in->query_rules = inspect_alloc(in, queries, sizeof *in->query_rules);
	in->routes = inspect_alloc(in, routes, sizeof *in->routes);
	in->route_rules = inspect_alloc(in, routes, sizeof *in->route_rules);
	return kinds;
}

struct part {
	void (*with)(struct inspection *in);
};

static void
run_part(struct inspection *in, void *self)
{
	const struct part *part = self;
	part->with(in);
}

static void
each(struct inspection *in, const enum file_kind *kinds, enum file_kind kind, void (*with)(struct inspection *))
{
	struct part part = { with };
	for (uint16_t i = 0; i < in->program->sources.count; i++) {
		if (kinds[i] != kind)
			continue;
		push_file(in, i);
		inspect_try(in, run_part, &part);
		lua_pop(in->L, 1);
	}
}

/* ---- hashes ---- */

static size_t
inspect_event_count(const struct script_aggregate *aggregate)
{
	return aggregate->event_count + aggregate->retired_count;
}

/* Adds the file and all that it requires, in the order of the files. */
static void
hash_files(struct inspection *in, uint16_t source, bool *wanted)
{
	size_t count = in->program->sources.count;
	if (wanted[source])
		return;
	wanted[source] = true;
	for (uint16_t i = 0; i < count; i++)
		if (in->program->needs[source * count + i])
			hash_files(in, i, wanted);
}

static void
hash_end(struct inspection *in, const bool *wanted, struct digest_state *state, struct digest *digest)
{
	const struct source_set *sources = &in->program->sources;
	for (size_t i = 0; i < sources->count; i++) {
		if (!wanted[i])
			continue;
		digest_add_slice(state, sources->items[i].path);
		digest_add_slice(state, sources->items[i].bytes);
	}
	digest_end(state, digest);
}

/* What a fold does with one kind of event: the fields of its entry in the file's table on top. */
static void
mean_event(struct meaning *meaning, const char *list, const struct script_event *event, enum moon_own own)
{
	lua_State *L = meaning->L;
	if (own != OWN_NONE) { /* its fold is the engine's */
		digest_add_slice(meaning->state, event->name);
		digest_add_u64(meaning->state, event->version);
		if (own == OWN_SAVED)
			meaning_add_field(meaning, -1, "upcast");
		return;
	}
	lua_getfield(L, -1, list);
	lua_pushlstring(L, event->name.data, event->name.size);
	lua_rawget(L, -2);
	digest_add_slice(meaning->state, event->name);
	digest_add_u64(meaning->state, event->version);
	meaning_add_field(meaning, -1, "apply");
	meaning_add_field(meaning, -1, "upcast");
	lua_pop(L, 2);
}

static void
mean_events(struct meaning *meaning, const struct script_aggregate *aggregate, const struct moon_event *rules)
{
	for (size_t e = 0; e < inspect_event_count(aggregate); e++)
		mean_event(meaning, e < aggregate->event_count ? "events" : "retired", &aggregate->events[e],
			   rules[e].own);
}

/* Where the meaning of something cannot be told, the files stand for it. */
static void
hash_fold(struct inspection *in, size_t number)
{
	struct script_aggregate *aggregate = &in->aggregates[number];
	struct digest_state state, files;
	struct meaning meaning;
	int top = lua_gettop(in->L);
	digest_init(&state);
	digest_add_slice(&state, SLICE("fold"));
	digest_add_u64(&state, aggregate->state_version);
	files = state;
	meaning_begin(&meaning, in->L, &in->program->sources, &state);
	push_file(in, in->aggregate_rules[number].source);
	meaning_add_field(&meaning, -1, "initial");
	mean_events(&meaning, aggregate, in->aggregate_rules[number].events);
	lua_settop(in->L, top);
	if (!meaning.opaque) {
		digest_end(&state, &aggregate->fold_hash);
		return;
	}
	bool *wanted = inspect_alloc(in, in->program->sources.count, sizeof *wanted);
	hash_files(in, in->aggregate_rules[number].source, wanted);
	hash_end(in, wanted, &files, &aggregate->fold_hash);
}

/* Upcasters change what a projection sees, and those of any event may give one that it handles. */
static bool
has_upcasts(const struct inspection *in, size_t aggregate)
{
	for (size_t e = 0; e < inspect_event_count(&in->aggregates[aggregate]); e++)
		if (in->aggregate_rules[aggregate].events[e].upcast != NULL)
			return true;
	return false;
}

static void
hash_rows(struct inspection *in, size_t number)
{
	const uint32_t *const *handlers = in->projection_rules[number].handlers;
	struct digest_state state, files;
	struct meaning meaning;
	int top = lua_gettop(in->L);
	bool *wanted = inspect_alloc(in, in->program->sources.count, sizeof *wanted);
	digest_init(&state);
	digest_add_slice(&state, SLICE("rows"));
	files = state;
	meaning_begin(&meaning, in->L, &in->program->sources, &state);
	push_file(in, in->projection_rules[number].source);
	meaning_add_field(&meaning, -1, "tables");
	meaning_add_field(&meaning, -1, "on");
	if (in->projections[number].topic_count > 0)
		meaning_add_field(&meaning, -1, "topics");
	for (size_t a = 0; a < in->aggregate_count; a++) {
		if (handlers[a] == NULL || !has_upcasts(in, a))
			continue;
		push_file(in, in->aggregate_rules[a].source);
		digest_add_slice(&state, in->aggregates[a].name);
		mean_events(&meaning, &in->aggregates[a], in->aggregate_rules[a].events);
		hash_files(in, in->aggregate_rules[a].source, wanted);
	}
	lua_settop(in->L, top);
	if (!meaning.opaque) {
		digest_end(&state, &in->projections[number].hash);
		return;
	}
	hash_files(in, in->projection_rules[number].source, wanted);
	hash_end(in, wanted, &files, &in->projections[number].hash);
}

static void
hash_reactor(struct inspection *in, size_t number)
{
	static const char *const fields[] = { "topics", "react", "correlate", "starts", "timers" };
	struct digest_state state, files;
	struct meaning meaning;
	int top = lua_gettop(in->L);
	digest_init(&state);
	digest_add_slice(&state, SLICE("react"));
	files = state;
	meaning_begin(&meaning, in->L, &in->program->sources, &state);
	push_file(in, in->reactor_rules[number].source);
	for (size_t i = 0; i < countof(fields); i++)
		meaning_add_field(&meaning, -1, fields[i]);
	lua_settop(in->L, top);
	if (!meaning.opaque) {
		digest_end(&state, &in->reactors[number].hash);
		return;
	}
	bool *wanted = inspect_alloc(in, in->program->sources.count, sizeof *wanted);
	hash_files(in, in->reactor_rules[number].source, wanted);
	hash_end(in, wanted, &files, &in->reactors[number].hash);
}

static void
hash_rules(struct inspection *in)
{
	for (size_t i = 0; i < in->reactor_count; i++)
		hash_reactor(in, i);

	for (size_t i = 0; i < in->aggregate_count; i++)
		hash_fold(in, i);
	for (size_t i = 0; i < in->projection_count; i++)
		hash_rows(in, i);
}

/* ---- the whole ---- */

/* Does a file call a method `load`? Only ctx has one. */
static bool
uses_load(const struct source_set *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		struct slice text = sources->items[i].bytes;
		for (size_t at = 0; at + 5 < text.size; at++)
			if (memcmp(text.data + at, ":load", 5) == 0 &&
			    (text.data[at + 5] == '(' || text.data[at + 5] == ' '))
				return true;
	}
	return false;
}

static void
finish(struct inspection *in)
{
	struct moon_program *program = in->program;
	struct script_program *door = &program->door;
	door->aggregates = in->aggregates;
	door->aggregate_count = in->aggregate_count;
	door->projections = in->projections;
	door->projection_count = in->projection_count;
	door->tables = in->tables;
	door->table_count = in->table_count;
	door->reactors = in->reactors;
	door->reactor_count = in->reactor_count;
	door->queries = in->queries;
	door->query_count = in->query_count;
	door->routes = in->routes;
	door->route_count = in->route_count;
	/* what reacts writes its own messages beside the streams of its commands */
	door->multi_stream = uses_load(&program->sources) || in->reactor_count > 0;
	if (door->settings.size == 0)
		door->settings = SLICE("{}");
	program->aggregates = in->aggregate_rules;
	program->projections = in->projection_rules;
	program->tables = in->table_rules;
	program->reactors = in->reactor_rules;
	program->queries = in->query_rules;
	program->routes = in->route_rules;
}

static void
gather_commands(struct inspection *in, struct findings *findings)
{
	size_t count = 0;
	for (size_t i = 0; i < in->aggregate_count; i++)
		count += in->aggregates[i].command_count;
	struct slice *names = moon_alloc(in->L, findings->arena, count, sizeof *names);
	for (size_t i = 0; i < in->aggregate_count; i++)
		for (size_t j = 0; j < in->aggregates[i].command_count; j++) {
			struct slice *name = &names[findings->command_count++];
			*name = arena_format(findings->arena, "%s.%s", in->aggregates[i].name.data,
					     in->aggregates[i].commands[j].name.data);
			if (name->data == NULL)
				moon_fail(in->L, 0, FAULT_MEMORY, "memory", "no memory for names of commands");
		}
	findings->commands = names;
}

/* What only the whole shows. Where a file is broken, nobody knows what it would have declared. */
static void
gather_rest(struct inspection *in)
{
	struct findings *findings = in->program->findings;
	size_t count = 0;
	if (in->missing)
		return;
	inspect_data(in);
	if (findings->errors == 0)
		inspect_unhandled(in);
	for (size_t i = 0; i < in->aggregate_count; i++)
		count += in->aggregates[i].event_count;
	struct slice *types = moon_alloc(in->L, findings->arena, count, sizeof *types);
	for (size_t i = 0; i < in->aggregate_count; i++)
		for (size_t j = 0; j < in->aggregates[i].event_count; j++)
			types[findings->type_count++] =
				moon_keep(in->L, findings->arena, in->aggregates[i].events[j].name);
	findings->types = types;
	gather_commands(in, findings);
	struct slice *tables = moon_alloc(in->L, findings->arena, in->table_count, sizeof *tables);
	for (size_t i = 0; i < in->table_count; i++)
		tables[findings->table_count++] = moon_keep(in->L, findings->arena, in->tables[i].name);
	findings->tables = tables;
}

static int
inspect_body(lua_State *L)
{
	struct inspection *in = vm_request(L);
	luaL_checkstack(L, 40, NULL);
	in->L = L;
	const enum file_kind *kinds = classify(in);
	each(in, kinds, FILE_MODULE, inspect_unused);
	each(in, kinds, FILE_DOMAIN, inspect_settings);
	each(in, kinds, FILE_AGGREGATE, inspect_aggregate);
	each(in, kinds, FILE_DOCUMENT, inspect_document);
	each(in, kinds, FILE_PROCESS, inspect_process);
	each(in, kinds, FILE_PROJECTION, inspect_tables);
	in->projection_count = 0;
	each(in, kinds, FILE_DOMAIN, inspect_queries);
	each(in, kinds, FILE_PROJECTION, inspect_projection);
	each(in, kinds, FILE_PROCESS, inspect_reactor);
	each(in, kinds, FILE_REACTOR, inspect_reactor);
	each(in, kinds, FILE_DOMAIN, inspect_routes);
	if (inspect_gathers(in)) {
		gather_rest(in);
		if (in->program->findings->errors > 0)
			return 0; /* it will not be run */
	}
	hash_rules(in);
	finish(in);
	moon_machine_bind(L, in->machine); /* what a machine will do must work */
	struct buf *scratch = &in->machine->scratch;
	buf_clear(scratch);
	if (moon_openapi(in->program, scratch) != 0 || scratch->failed)
		moon_fail(L, 0, FAULT_MEMORY, "memory", "no memory for the description of the interface");
	in->program->door.openapi = inspect_keep(in, buf_slice(scratch));
	return 0;
}

static int
copy_sources(struct moon_program *program, const struct source_set *sources, struct fault *fault)
{
	struct source_file *items = arena_zero(&program->arena, sources->count + 1, sizeof *items);
	program->needs = arena_zero(&program->arena, sources->count * sources->count + 1, sizeof *program->needs);
	program->door.domain = arena_copy(&program->arena, sources->domain);
	bool whole = items != NULL && program->needs != NULL && program->door.domain.data != NULL;
	for (size_t i = 0; whole && i < sources->count; i++) {
		items[i] = (struct source_file){ .path = arena_copy(&program->arena, sources->items[i].path),
						 .bytes = arena_copy(&program->arena, sources->items[i].bytes),
						 .hash = sources->items[i].hash };
		whole = items[i].path.data != NULL && items[i].bytes.data != NULL;
	}
	if (!whole)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the sources of %.*s",
				 SLICE_ARG(sources->domain));
	program->sources = (struct source_set){
		.domain = program->door.domain, .items = items, .count = sources->count, .hash = sources->hash
	};
	return 0;
}

static int
inspect_sources(const struct source_set *sources, struct fault *fault)
{
	if (!stream_word_ok(sources->domain))
		return fault_set(fault, FAULT_INPUT, "bad_domain_name",
				 "a domain's folder is named by 1 to 63 lower-case letters, digits and _, not \"%.*s\"",
				 SLICE_ARG(sources->domain));
	if (sources->count > PROGRAM_SOURCES_MAX)
		return fault_set(fault, FAULT_LIMIT, "too_many_files", "a domain has at most %d files",
				 PROGRAM_SOURCES_MAX);
	for (size_t i = 0; i < sources->count; i++)
		if (sources->items[i].bytes.size > 0 &&
		    memchr(sources->items[i].bytes.data, '\0', sources->items[i].bytes.size) != NULL)
			return fault_set(fault, FAULT_INPUT, "no_text", "%.*s: not a text",
					 SLICE_ARG(sources->items[i].path));
	return 0;
}

/* What is wrong with rules is one code, with the source line under it; a limit keeps its own, and is a finding. */
static void
rules_fault(const struct vm_trouble *trouble, struct findings *findings, struct fault *fault)
{
	if (fault == NULL || fault->class != FAULT_SCRIPT)
		return;
	bool memory = strcmp(fault->code, "memory_limit") == 0;
	if (memory || strcmp(fault->code, "time_limit") == 0) {
		if (findings != NULL)
			findings_trouble(findings, memory ? "memory_limit" : "time_limit", trouble);
		return;
	}
	char text[sizeof fault->text];
	memcpy(text, fault->text, sizeof text);
	fault_set(fault, FAULT_SCRIPT, "bad_rules", "%s%s%s", text, trouble->excerpt[0] != '\0' ? "\n" : "",
		  trouble->excerpt);
}

static int
load(const struct source_set *sources, const struct script_options *options, struct findings *findings,
     struct script_program **program, struct fault *fault)
{
	struct moon_machine *scratch = NULL;
	if (inspect_sources(sources, fault) != 0)
		return -1;
	struct moon_program *new = calloc(1, sizeof *new);
	if (new == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a program");
	new->door.ops = moon_ops();
	new->findings = findings;
	arena_init(&new->arena, PROGRAM_BYTES);
	if (copy_sources(new, sources, fault) != 0)
		goto out;
	struct vm_trouble trouble = { 0 };
	if (moon_machine_new(new, options, (bool *)(uintptr_t) new->needs, &scratch, &trouble, fault) != 0) {
		rules_fault(&trouble, findings, fault);
		goto out;
	}
	struct inspection in = { .machine = scratch,
				 .program = new,
				 .arena = &new->arena,
				 .missing = findings != NULL && findings->count > 0 };
	if (moon_protect(scratch, inspect_body, &in, fault) != 0) {
		rules_fault(&scratch->vm->trouble, findings, fault);
		goto out;
	}
	moon_machine_free(scratch);
	new->findings = NULL;
	*program = &new->door;
	return 0;
out:
	if (scratch != NULL)
		moon_machine_free(scratch);
	moon_unload(&new->door);
	return -1;
}

int
moon_load(const struct source_set *sources, const struct script_options *options, struct script_program **program,
	  struct fault *fault)
{
	struct fault own;
	return load(sources, options, NULL, program, fault != NULL ? fault : &own);
}

int
moon_load_all(const struct source_set *sources, const struct script_options *options, struct findings *findings,
	      struct script_program **program, struct fault *fault)
{
	struct script_program *loaded = NULL;
	*program = NULL;
	if (load(sources, options, findings, &loaded, fault) != 0)
		return fault->class == FAULT_SCRIPT && findings->errors > 0 ? 0 : -1;
	if (findings->errors == 0)
		*program = loaded;
	else
		moon_unload(loaded);
	return 0;
}

void
moon_unload(struct script_program *door)
{
	struct moon_program *program = container_of(door, struct moon_program, door);
	arena_fini(&program->arena);
	free(program);
}
