/* SPDX-License-Identifier: MIT */
/*
 * Names are looked up by walking: a domain has hundreds of them at most, and people wait for the answer. What a handler
 * does is not compared but by its file; a fold's and a projection's hash say when they may behave differently.
 */
#include "core/changes.h"

#include <stdio.h>

#include "base/json.h"

struct finder {
	const struct change_side *before;
	const struct change_side *after;
	struct arena *arena;
	struct change *items;
	size_t count;
	size_t room;
	bool failed;
};

static void
add(struct finder *finder, enum change_kind kind, enum change_way way, struct slice name, struct slice detail)
{
	if (finder->count == finder->room) {
		size_t room = finder->room == 0 ? 64 : finder->room * 2;
		struct change *more = arena_zero(finder->arena, room, sizeof(*more));
		if (more == NULL) {
			finder->failed = true;
			return;
		}
		if (finder->count != 0)
			memcpy(more, finder->items, finder->count * sizeof(*more));
		finder->items = more;
		finder->room = room;
	}
	finder->items[finder->count++] = (struct change){ kind, way, name, detail };
}

static bool
same_digest(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static struct slice
joined(struct finder *finder, struct slice first, const char *between, struct slice second)
{
	return arena_format(finder->arena, "%.*s%s%.*s", SLICE_ARG(first), between, SLICE_ARG(second));
}

/* ---- files ---- */

static const struct source_file *
find_source(const struct source_set *sources, struct slice path)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (slice_equal(sources->items[i].path, path))
			return &sources->items[i];
	}
	return NULL;
}

static void
compare_files(struct finder *finder)
{
	const struct source_set *before = finder->before->sources, *after = finder->after->sources;

	if (before == NULL || after == NULL)
		return;
	for (size_t i = 0; i < after->count; i++) {
		const struct source_file *was = find_source(before, after->items[i].path);
		if (was == NULL)
			add(finder, CHANGE_FILE, CHANGE_ADDED, after->items[i].path, SLICE_NONE);
		else if (!slice_equal(was->bytes, after->items[i].bytes))
			add(finder, CHANGE_FILE, CHANGE_CHANGED, after->items[i].path, SLICE_NONE);
	}
	for (size_t i = 0; i < before->count; i++) {
		if (find_source(after, before->items[i].path) == NULL)
			add(finder, CHANGE_FILE, CHANGE_REMOVED, before->items[i].path, SLICE_NONE);
	}
}

/* ---- aggregates ---- */

static const struct script_aggregate *
find_aggregate(const struct script_program *program, struct slice name)
{
	int number = script_find_aggregate(program, name);

	return number < 0 ? NULL : &program->aggregates[number];
}

static void
compare_fold(struct finder *finder, const struct script_aggregate *was, const struct script_aggregate *is)
{
	if (was->state_version != is->state_version)
		add(finder, CHANGE_AGGREGATE, CHANGE_CHANGED, is->name,
		    arena_format(finder->arena, "state_version %u to %u", was->state_version, is->state_version));
	else if (!same_digest(&was->fold_hash, &is->fold_hash))
		add(finder, CHANGE_AGGREGATE, CHANGE_CHANGED, is->name, SLICE("what its fold depends on"));
}

static void
compare_aggregates(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;

	for (size_t i = 0; i < after->aggregate_count; i++) {
		const struct script_aggregate *was = find_aggregate(before, after->aggregates[i].name);
		if (was == NULL)
			add(finder, CHANGE_AGGREGATE, CHANGE_ADDED, after->aggregates[i].name, SLICE_NONE);
		else
			compare_fold(finder, was, &after->aggregates[i]);
	}
	for (size_t i = 0; i < before->aggregate_count; i++) {
		if (find_aggregate(after, before->aggregates[i].name) == NULL)
			add(finder, CHANGE_AGGREGATE, CHANGE_REMOVED, before->aggregates[i].name, SLICE_NONE);
	}
}

/* ---- events ---- */

/* Retired ones lie behind those of today; *retired tells which it is. */
static const struct script_event *
find_event(const struct script_aggregate *aggregate, struct slice name, bool *retired)
{
	size_t count = aggregate != NULL ? aggregate->event_count + aggregate->retired_count : 0;

	for (size_t i = 0; i < count; i++) {
		if (slice_equal(aggregate->events[i].name, name)) {
			*retired = i >= aggregate->event_count;
			return &aggregate->events[i];
		}
	}
	return NULL;
}

static struct slice
detail_of_event(struct finder *finder, const struct script_event *was, const struct script_event *is)
{
	if (was->version != is->version)
		return arena_format(finder->arena, "version %u to %u", was->version, is->version);
	if (!slice_equal(was->topic, is->topic))
		return is->topic.size != 0 ? arena_format(finder->arena, "published to %.*s", SLICE_ARG(is->topic))
					   : SLICE("no longer published");
	if (was->has_publish_map != is->has_publish_map)
		return is->has_publish_map ? SLICE("mapped to messages") : SLICE("no longer mapped");
	return SLICE_NONE;
}

static void
compare_event(struct finder *finder, const struct script_aggregate *old, const struct script_aggregate *new,
	      size_t number)
{
	const struct script_event *is = &new->events[number];
	bool retired = number >= new->event_count, was_retired = false;
	const struct script_event *was = find_event(old, is->name, &was_retired);
	struct slice name = joined(finder, new->name, ".", is->name);

	if (was == NULL) {
		add(finder, CHANGE_EVENT, CHANGE_ADDED, name, retired ? SLICE("retired") : SLICE_NONE);
		return;
	}
	struct slice detail = detail_of_event(finder, was, is);
	if (retired != was_retired)
		detail = retired ? SLICE("retired") : SLICE("no longer retired");
	if (detail.size != 0)
		add(finder, CHANGE_EVENT, CHANGE_CHANGED, name, detail);
}

static void
compare_events(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;
	bool retired;

	for (size_t i = 0; i < after->aggregate_count; i++) {
		const struct script_aggregate *is = &after->aggregates[i], *was = find_aggregate(before, is->name);
		for (size_t j = 0; j < is->event_count + is->retired_count; j++)
			compare_event(finder, was, is, j);
	}
	for (size_t i = 0; i < before->aggregate_count; i++) {
		const struct script_aggregate *was = &before->aggregates[i], *is = find_aggregate(after, was->name);
		for (size_t j = 0; j < was->event_count + was->retired_count; j++) {
			if (find_event(is, was->events[j].name, &retired) == NULL)
				add(finder, CHANGE_EVENT, CHANGE_REMOVED,
				    joined(finder, was->name, ".", was->events[j].name), SLICE_NONE);
		}
	}
}

/* ---- commands ---- */

static const char *
stream_wanted(const struct script_command *command)
{
	if (command->creates)
		return "creates its stream";
	return command->anywhere ? "takes any stream" : "wants its stream";
}

static void
compare_commands(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;

	for (size_t i = 0; i < after->aggregate_count; i++) {
		const struct script_aggregate *is = &after->aggregates[i], *was = find_aggregate(before, is->name);
		for (size_t j = 0; j < is->command_count; j++) {
			const struct script_command *new = &is->commands[j];
			int number = was != NULL ? script_find_command(was, new->name) : -1;
			struct slice name = joined(finder, is->name, ".", new->name);
			if (number < 0)
				add(finder, CHANGE_COMMAND, CHANGE_ADDED, name, SLICE_NONE);
			else if (strcmp(stream_wanted(new), stream_wanted(&was->commands[number])) != 0)
				add(finder, CHANGE_COMMAND, CHANGE_CHANGED, name, slice_text(stream_wanted(new)));
		}
	}
	for (size_t i = 0; i < before->aggregate_count; i++) {
		const struct script_aggregate *was = &before->aggregates[i], *is = find_aggregate(after, was->name);
		for (size_t j = 0; j < was->command_count; j++) {
			if (is == NULL || script_find_command(is, was->commands[j].name) < 0)
				add(finder, CHANGE_COMMAND, CHANGE_REMOVED,
				    joined(finder, was->name, ".", was->commands[j].name), SLICE_NONE);
		}
	}
}

/* ---- tables, projections, queries ---- */

static bool
has_table(const struct script_program *program, struct slice name)
{
	for (size_t i = 0; i < program->table_count; i++) {
		if (slice_equal(program->tables[i].name, name))
			return true;
	}
	return false;
}

static void
compare_tables(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;

	for (size_t i = 0; i < after->table_count; i++) {
		if (!has_table(before, after->tables[i].name))
			add(finder, CHANGE_TABLE, CHANGE_ADDED, after->tables[i].name, SLICE_NONE);
	}
	for (size_t i = 0; i < before->table_count; i++) {
		if (!has_table(after, before->tables[i].name))
			add(finder, CHANGE_TABLE, CHANGE_REMOVED, before->tables[i].name, SLICE_NONE);
	}
}

static void
compare_projections(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;

	for (size_t i = 0; i < after->projection_count; i++) {
		const struct script_projection *is = &after->projections[i];
		int number = script_find_projection(before, is->name);
		if (number < 0)
			add(finder, CHANGE_PROJECTION, CHANGE_ADDED, is->name, SLICE("its rows are made from the log"));
		else if (!same_digest(&is->hash, &before->projections[number].hash))
			add(finder, CHANGE_PROJECTION, CHANGE_CHANGED, is->name, SLICE("its rows are made anew"));
	}
	for (size_t i = 0; i < before->projection_count; i++) {
		if (script_find_projection(after, before->projections[i].name) < 0)
			add(finder, CHANGE_PROJECTION, CHANGE_REMOVED, before->projections[i].name, SLICE_NONE);
	}
}

static void
compare_queries(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;

	for (size_t i = 0; i < after->query_count; i++) {
		if (script_find_query(before, after->queries[i].name) < 0)
			add(finder, CHANGE_QUERY, CHANGE_ADDED, after->queries[i].name, SLICE_NONE);
	}
	for (size_t i = 0; i < before->query_count; i++) {
		if (script_find_query(after, before->queries[i].name) < 0)
			add(finder, CHANGE_QUERY, CHANGE_REMOVED, before->queries[i].name, SLICE_NONE);
	}
}

/* ---- what reacts ---- */

static void
compare_reactors(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;

	for (size_t i = 0; i < after->reactor_count; i++) {
		const struct script_reactor *is = &after->reactors[i];
		int number = script_find_reactor(before, is->name);
		if (number < 0)
			add(finder, CHANGE_REACTOR, CHANGE_ADDED, is->name, SLICE_NONE);
		else if (!same_digest(&before->reactors[number].hash, &is->hash))
			add(finder, CHANGE_REACTOR, CHANGE_CHANGED, is->name, SLICE("what it does"));
	}
	for (size_t i = 0; i < before->reactor_count; i++) {
		if (script_find_reactor(after, before->reactors[i].name) < 0)
			add(finder, CHANGE_REACTOR, CHANGE_REMOVED, before->reactors[i].name, SLICE_NONE);
	}
}

/* ---- routes ---- */

static struct slice
route_target(struct finder *finder, const struct script_program *program, const struct script_route *route)
{
	const struct script_aggregate *aggregate = &program->aggregates[route->aggregate];

	switch (route->target) {
	case TARGET_COMMAND:
		return joined(finder, aggregate->name, ".", aggregate->commands[route->command].name);
	case TARGET_QUERY:
		return joined(finder, SLICE("query"), " ", program->queries[route->query].name);
	case TARGET_STATE:
		return joined(finder, SLICE("state of"), " ", aggregate->name);
	case TARGET_HISTORY:
		return joined(finder, SLICE("history of"), " ", aggregate->name);
	case TARGET_HEALTH:
		return SLICE("health");
	case TARGET_TEXT:
		return SLICE("text");
	}
	return SLICE_NONE;
}

static const struct script_route *
find_route(const struct script_program *program, const struct script_route *route)
{
	for (size_t i = 0; i < program->route_count; i++) {
		const struct script_route *one = &program->routes[i];
		if (slice_equal(one->method, route->method) && slice_equal(one->path, route->path))
			return one;
	}
	return NULL;
}

static void
compare_routes(struct finder *finder)
{
	const struct script_program *before = finder->before->program, *after = finder->after->program;

	for (size_t i = 0; i < after->route_count; i++) {
		const struct script_route *is = &after->routes[i], *was = find_route(before, is);
		struct slice name = joined(finder, is->method, " ", is->path), target = route_target(finder, after, is);
		if (was == NULL)
			add(finder, CHANGE_ROUTE, CHANGE_ADDED, name, target);
		else if (!slice_equal(target, route_target(finder, before, was)))
			add(finder, CHANGE_ROUTE, CHANGE_CHANGED, name, target);
	}
	for (size_t i = 0; i < before->route_count; i++) {
		const struct script_route *was = &before->routes[i];
		if (find_route(after, was) == NULL)
			add(finder, CHANGE_ROUTE, CHANGE_REMOVED, joined(finder, was->method, " ", was->path),
			    SLICE_NONE);
	}
}

/* ---- the whole ---- */

int
changes_find(const struct change_side *before, const struct change_side *after, struct arena *arena,
	     struct change **list, size_t *count, struct fault *fault)
{
	struct finder finder = { .before = before, .after = after, .arena = arena };

	compare_files(&finder);
	compare_aggregates(&finder);
	compare_events(&finder);
	compare_commands(&finder);
	compare_tables(&finder);
	compare_projections(&finder);
	compare_reactors(&finder);
	compare_queries(&finder);
	compare_routes(&finder);
	*list = finder.items;
	*count = finder.count;
	for (size_t i = 0; i < finder.count; i++)
		finder.failed |= finder.items[i].name.data == NULL;
	return finder.failed ? fault_set(fault, FAULT_MEMORY, "memory", "no memory for the changes") : 0;
}

const char *
changes_kind_name(enum change_kind kind)
{
	static const char *const names[] = {
		[CHANGE_FILE] = "file",       [CHANGE_AGGREGATE] = "aggregate", [CHANGE_EVENT] = "event",
		[CHANGE_COMMAND] = "command", [CHANGE_TABLE] = "table",         [CHANGE_PROJECTION] = "projection",
		[CHANGE_REACTOR] = "reactor", [CHANGE_QUERY] = "query",         [CHANGE_ROUTE] = "route"
	};

	return names[kind];
}

const char *
changes_way_name(enum change_way way)
{
	static const char *const names[] = {
		[CHANGE_ADDED] = "added", [CHANGE_REMOVED] = "removed", [CHANGE_CHANGED] = "changed"
	};

	return names[way];
}

void
changes_write_json(const struct change *list, size_t count, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		buf_format(out, "%s{\"kind\":\"%s\",\"way\":\"%s\",\"name\":", i != 0 ? "," : "",
			   changes_kind_name(list[i].kind), changes_way_name(list[i].way));
		json_quote(out, list[i].name);
		json_key(out, "detail");
		json_quote(out, list[i].detail);
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
}

void
changes_write_text(const struct change *list, size_t count, struct buf *out)
{
	static const char marks[] = { [CHANGE_ADDED] = '+', [CHANGE_REMOVED] = '-', [CHANGE_CHANGED] = '~' };

	for (size_t i = 0; i < count; i++)
		buf_format(out, "  %c %s %.*s%s%.*s\n", marks[list[i].way], changes_kind_name(list[i].kind),
			   SLICE_ARG(list[i].name), list[i].detail.size != 0 ? ": " : "", SLICE_ARG(list[i].detail));
}
