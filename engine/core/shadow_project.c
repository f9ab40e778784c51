/* SPDX-License-Identifier: MIT */
/*
 * Entries go by in pages, each page to one projection after the other, by the old and by the new rules. A page that
 * fails is undone on both sides, run again up to the entry at fault, and gone on with behind it: so a handler that
 * raises leaves no half of its rows, and what follows is compared all the same.
 */
#include "core/shadow_project.h"

#include <stdio.h>

#include "base/json.h"
#include "view/diff.h"

#define SAMPLES    5
#define RAISED_MAX 20
#define TABLES_MAX ((size_t)256 << 10)

/* ---- which projections ---- */

static bool
differs(const struct script_program *before, int number, const struct script_projection *after)
{
	return number < 0 || memcmp(&before->projections[number].hash, &after->hash, sizeof(struct digest)) != 0;
}

/* Those that topics feed hear messages, which are not asked. */
static void
choose_pairs(struct shadow_project *project)
{
	const struct script_program *before = project->options->before->program,
				    *after = project->options->after->program;

	for (uint16_t i = 0; i < after->projection_count; i++) {
		const struct script_projection *projection = &after->projections[i];
		int number = script_find_projection(before, projection->name);

		if (projection->topic_count == 0 && differs(before, number, projection) &&
		    (number < 0 || before->projections[number].topic_count == 0))
			project->pairs[project->count++] =
				(struct shadow_pair){ .name = projection->name, .before = number, .after = i };
	}
}

static int
open_side(struct shadow_project *project, int side, const struct script_program *program, struct fault *fault)
{
	if (script_open(program, project->options->script, &project->machines[side], fault) != 0 ||
	    project->options->scratch(program->tables, program->table_count, &project->views[side], fault) != 0)
		return -1;
	for (size_t i = 0; i < project->count; i++) {
		int number = side == 0 ? project->pairs[i].before : project->pairs[i].after;
		const struct script_projection *projection = number >= 0 ? &program->projections[number] : NULL;

		if (projection != NULL && view_define(project->views[side], projection->name, projection->hash.bytes,
						      projection->tables, projection->table_count, fault) != 0)
			return -1;
	}
	return view_begin(project->views[side], fault);
}

int
shadow_project_open(struct shadow_project *project, const struct shadow_options *options, struct fault *fault)
{
	*project = (struct shadow_project){ .options = options };
	arena_init(&project->arena, (size_t)64 << 20);
	project->pairs =
		arena_zero(&project->arena, options->after->program->projection_count + 1, sizeof(*project->pairs));
	if (project->pairs == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to compare rows");
	choose_pairs(project);
	if (project->count == 0)
		return 0;
	return open_side(project, 0, options->before->program, fault) == 0
		       ? open_side(project, 1, options->after->program, fault)
		       : -1;
}

void
shadow_project_close(struct shadow_project *project)
{
	for (int side = 0; side < 2; side++) {
		if (project->views[side] != NULL) {
			view_rollback(project->views[side]);
			view_close(project->views[side]);
		}
		script_close(project->machines[side]);
	}
	arena_fini(&project->arena);
}

/* An event is written "Event", "aggregate.Event" or "domain.aggregate.Event". */
static bool
is_event_of(struct slice event, struct slice aggregate)
{
	size_t end = event.size, begin;

	while (end > 0 && event.data[end - 1] != '.')
		end--;
	if (end == 0)
		return true;
	for (begin = --end; begin > 0 && event.data[begin - 1] != '.';)
		begin--;
	return slice_equal(slice_from(event.data + begin, end - begin), aggregate);
}

static bool
hears(const struct script_projection *projection, struct slice aggregate)
{
	for (size_t i = 0; i < projection->event_count; i++)
		if (is_event_of(projection->events[i], aggregate))
			return true;
	return false;
}

bool
shadow_project_hears(const struct shadow_project *project, struct slice aggregate)
{
	for (size_t i = 0; i < project->count; i++) {
		const struct shadow_pair *pair = &project->pairs[i];

		if (hears(&project->options->after->program->projections[pair->after], aggregate) ||
		    (pair->before >= 0 &&
		     hears(&project->options->before->program->projections[pair->before], aggregate)))
			return true;
	}
	return false;
}

/* ---- entries ---- */

static bool
was_stopped(const struct fault *fault)
{
	return strcmp(fault->code, "time_limit") == 0 || strcmp(fault->code, "memory_limit") == 0;
}

static bool
is_rules(const struct fault *fault)
{
	return fault->class == FAULT_SCRIPT || fault->class == FAULT_LIMIT || fault->class == FAULT_INPUT;
}

/* One side's way through some entries. */
struct way {
	bool failed; /* the rules did, at entries[done] */
	size_t done;
	struct fault fault;
};

/* -1: not the rules' fault, which is in way->fault. */
static int
go(struct shadow_project *project, const struct shadow_pair *pair, int side, const struct recorded_entry *entries,
   size_t count, struct way *way)
{
	int number = side == 0 ? pair->before : pair->after;

	way->failed = false;
	way->done = count;
	if (number < 0 || count == 0 ||
	    script_project(project->machines[side], (uint16_t)number, view_rows(project->views[side]), entries, count,
			   &way->done, &way->fault) == 0) {
		way->done = count;
		return 0;
	}
	if (!is_rules(&way->fault) || way->done >= count)
		return -1;
	way->failed = true;
	return 0;
}

static int
both(struct shadow_project *project, int (*call)(struct view *view, struct fault *fault), struct fault *fault)
{
	return call(project->views[0], fault) == 0 ? call(project->views[1], fault) : -1;
}

static void
note(struct shadow_project *project, struct shadow_pair *pair, const struct recorded_entry *entry,
     const struct way ways[2])
{
	if (!ways[1].failed || was_stopped(&ways[1].fault)) {
		pair->left_out++;
		return;
	}
	if (pair->raised++ != 0) {
		pair->given_up = pair->raised == RAISED_MAX;
		return;
	}
	pair->first.stream = arena_copy(&project->arena, entry->stream);
	pair->first.version = entry->version;
	pair->first.position = entry->position;
	pair->first.type = arena_copy(&project->arena, entry->type);
	snprintf(pair->first.text, sizeof(pair->first.text), "%.290s", ways[1].fault.text);
}

/* Undone, and run again up to the entry at fault, which is left out. */
static int
go_around(struct shadow_project *project, struct shadow_pair *pair, const struct recorded_entry *entries, size_t good,
	  struct fault *fault)
{
	struct way ways[2];

	if (both(project, view_undo, fault) != 0)
		return -1;
	for (int side = 0; side < 2; side++) {
		if (go(project, pair, side, entries, good, &ways[side]) != 0) {
			*fault = ways[side].fault;
			return -1;
		}
		pair->given_up = pair->given_up || ways[side].failed;
	}
	return pair->given_up ? both(project, view_undo, fault) : 0;
}

/* Gives how far it came. */
static int
some_to_pair(struct shadow_project *project, struct shadow_pair *pair, const struct recorded_entry *entries,
	     size_t count, size_t *came, struct fault *fault)
{
	struct way ways[2] = { { 0 }, { 0 } };

	*came = count;
	if (both(project, view_savepoint, fault) != 0)
		return -1;
	/* The new rules get what the old ones got through, so that one that both fail on is the old ones' matter. */
	for (int side = 0; side < 2; side++) {
		if (go(project, pair, side, entries, *came, &ways[side]) != 0) {
			*fault = ways[side].fault;
			return -1;
		}
		*came = ways[side].done;
	}
	if (!ways[0].failed && !ways[1].failed)
		return 0;
	note(project, pair, &entries[*came], ways);
	if (go_around(project, pair, entries, *came, fault) != 0)
		return -1;
	++*came;
	return 0;
}

int
shadow_project_page(struct shadow_project *project, const struct recorded_entry *entries, size_t count,
		    struct fault *fault)
{
	for (size_t i = 0; i < project->count; i++) {
		struct shadow_pair *pair = &project->pairs[i];
		size_t came;

		for (size_t at = 0; at < count && !pair->given_up; at += came)
			if (some_to_pair(project, pair, entries + at, count - at, &came, fault) != 0)
				return fault_prefix(fault, "rows of %.*s", SLICE_ARG(pair->name));
	}
	return 0;
}

/* ---- rows ---- */

static size_t
add_tables(const struct script_program *program, const struct script_projection *projection, struct slice *names,
	   size_t count)
{
	for (size_t i = 0; i < projection->table_count; i++)
		names[count++] = program->tables[projection->tables[i]].name;
	return count;
}

static int
compare(struct shadow_project *project, const struct shadow_pair *pair, struct view_diff *diff, struct fault *fault)
{
	const struct script_program *before = project->options->before->program,
				    *after = project->options->after->program;
	struct view_diff_options options = { .samples = SAMPLES };
	struct slice *names = arena_zero(&project->arena, before->table_count + after->table_count + 1, sizeof(*names));

	if (names == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to compare rows");
	if (pair->before >= 0)
		options.name_count = add_tables(before, &before->projections[pair->before], names, 0);
	options.name_count = add_tables(after, &after->projections[pair->after], names, options.name_count);
	options.names = names;
	return view_diff(view_rows(project->views[0]), view_rows(project->views[1]), &options, &project->arena, diff,
			 fault);
}

static void
write_raised(const struct shadow_pair *pair, struct buf *out)
{
	json_key(out, "fails");
	buf_byte(out, '{');
	json_put_u64(out, "entries", pair->raised);
	json_put_text(out, "stream", pair->first.stream);
	json_put_u64(out, "version", pair->first.version);
	json_put_text(out, "type", pair->first.type);
	json_put_u64(out, "position", pair->first.position);
	json_put_text(out, "detail", slice_text(pair->first.text));
	buf_byte(out, '}');
}

/* Rows too long to show are only counted. */
static void
write_tables(const struct view_diff *diff, struct buf *out)
{
	struct buf tables;

	buf_init(&tables, TABLES_MAX);
	view_diff_write(diff, &tables);
	if (!tables.failed) {
		json_key(out, "tables");
		buf_add(out, buf_slice(&tables));
	}
	buf_fini(&tables);
}

int
shadow_project_write(struct shadow_project *project, struct buf *out, uint64_t *rows_differ, struct fault *fault)
{
	*rows_differ = 0;
	buf_byte(out, '[');
	for (size_t i = 0; i < project->count; i++) {
		const struct shadow_pair *pair = &project->pairs[i];
		struct view_diff diff;

		if (compare(project, pair, &diff, fault) != 0)
			return -1;
		*rows_differ += diff.differing;
		json_comma(out);
		buf_byte(out, '{');
		json_put_text(out, "projection", pair->name);
		json_put_u64(out, "rows_differ", diff.differing);
		json_put_u64(out, "left_out", pair->left_out);
		if (pair->raised != 0)
			write_raised(pair, out);
		write_tables(&diff, out);
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
	return 0;
}
