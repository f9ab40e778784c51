/* SPDX-License-Identifier: MIT */
/*
 * A line hook in the machines under test, and nowhere else. Which lines could run is Lua's own word: of handlers from
 * the start, of other functions when they first run. Functions that never ran are found in the text; there each line
 * that begins a statement counts. The line of a function's `end` does not: it only leads out.
 */
#include "script/lua/kit_cover.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/lua/check.h"
#include "script/lua/lint.h"

enum line_mark { LINE_CAN_RUN = 1, LINE_RAN = 2, LINE_FUNCTION = 4, LINE_STATEMENT = 8 };

struct kit_lines {
	uint8_t *marks; /* [line] */
	int count;
};

struct kit_cover {
	struct kit_lines *lines[KIT_DOMAINS_MAX]; /* [domain][source] */
};

static const struct source_set *
sources_of(const struct kit_domain *domain)
{
	return &container_of(domain->program, struct moon_program, door)->sources;
}

static void
mark(struct kit_lines *lines, int line, enum line_mark how)
{
	if (line > 0 && line < lines->count)
		lines->marks[line] |= (uint8_t)how;
}

/* The function's table of lines is on top; popped. */
static void
mark_function(lua_State *L, struct kit_lines *lines, const lua_Debug *ar)
{
	mark(lines, ar->linedefined, LINE_FUNCTION);
	lua_pushnil(L);
	for (; lua_next(L, -2); lua_pop(L, 1)) {
		int line = (int)lua_tointeger(L, -2);
		if (line != ar->lastlinedefined || line == ar->linedefined)
			mark(lines, line, LINE_CAN_RUN);
	}
	lua_pop(L, 1);
}

static void
on_line(lua_State *L, lua_Debug *ar)
{
	const struct moon_machine *machine = moon_machine_of(L);
	lua_getinfo(L, "S", ar);
	int source =
		ar->source[0] == '@' ? moon_source_find(&machine->program->sources, slice_text(ar->source + 1)) : -1;
	if (source < 0)
		return;
	struct kit_lines *lines = &machine->lines[source];
	mark(lines, ar->currentline, LINE_RAN);
	if (ar->linedefined > 0 && ar->linedefined < lines->count &&
	    (lines->marks[ar->linedefined] & LINE_FUNCTION) == 0 && lua_checkstack(L, 6)) {
		lua_getinfo(L, "L", ar);
		mark_function(L, lines, ar);
	}
}

static int
mark_handlers_body(lua_State *L)
{
	struct moon_machine *machine = vm_request(L);
	luaL_checkstack(L, 10, NULL);
	for (uint32_t i = 1; i <= machine->program->handler_count; i++) {
		lua_Debug ar;
		moon_push_handler(L, machine, i);
		lua_pushvalue(L, -1);
		lua_getinfo(L, ">S", &ar);
		lua_getinfo(L, ">L", &ar);
		mark_function(L, &machine->lines[machine->program->handlers[i].source], &ar);
	}
	return 0;
}

static int
note_lines(struct script_machine *door, struct kit_lines *lines, bool handlers)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct fault fault;
	machine->lines = lines;
	if (handlers && moon_protect(machine, mark_handlers_body, machine, &fault) != 0) {
		fprintf(stderr, "moonlog test: coverage: %s\n", fault.text);
		return -1;
	}
	machine->vm->hooked = true; /* the hook is ours: no other is set */
	lua_sethook(machine->vm->L, on_line, LUA_MASKLINE, 0);
	return 0;
}

static int
lines_in(struct slice text)
{
	int count = 1;
	for (size_t i = 0; i < text.size; i++)
		count += text.data[i] == '\n';
	return count;
}

int
kit_cover_open(struct kit *kit)
{
	kit->cover = calloc(1, sizeof *kit->cover);
	for (size_t i = 0; kit->cover != NULL && i < kit->domain_count; i++) {
		const struct source_set *sources = sources_of(&kit->domains[i]);
		struct kit_lines *lines = calloc(sources->count + 1, sizeof *lines);
		kit->cover->lines[i] = lines;
		for (size_t j = 0; lines != NULL && j < sources->count; j++) {
			lines[j].count = lines_in(sources->items[j].bytes) + 1;
			lines[j].marks = calloc((size_t)lines[j].count, 1);
			if (lines[j].marks == NULL)
				lines = NULL;
		}
		if (lines == NULL) {
			fprintf(stderr, "moonlog test: no memory for coverage\n");
			return -1;
		}
		if (note_lines(kit->domains[i].machine, lines, true) != 0 ||
		    note_lines(kit->twins[i].machine, lines, false) != 0)
			return -1;
	}
	return kit->cover != NULL ? 0 : -1;
}

void
kit_cover_close(struct kit *kit)
{
	for (size_t i = 0; kit->cover != NULL && i < kit->domain_count; i++) {
		for (size_t j = 0; kit->cover->lines[i] != NULL && j < sources_of(&kit->domains[i])->count; j++)
			free(kit->cover->lines[i][j].marks);
		free(kit->cover->lines[i]);
	}
	free(kit->cover);
	kit->cover = NULL;
}

/* ---- telling ---- */

static void
on_statement(void *self, int line)
{
	mark(self, line, LINE_STATEMENT);
}

static void
on_function(void *self, int first, int last)
{
	struct kit_lines *lines = self;
	bool known = first < lines->count && (lines->marks[first] & LINE_FUNCTION) != 0;
	for (int line = first; !known && line < last; line++)
		if (line < lines->count && (lines->marks[line] & LINE_STATEMENT) != 0 && line > first)
			mark(lines, line, LINE_CAN_RUN);
}

static void
find_idle(const struct source_file *source, struct kit_lines *lines)
{
	struct arena arena;
	arena_init(&arena, (size_t)4 << 20);
	struct findings unused = { .arena = &arena };
	const struct lint lint = {
		.findings = &unused, .source = source, .function = on_function, .statement = on_statement, .self = lines
	};
	lint_file(&lint);
	arena_fini(&arena);
}

static bool
missed(const struct kit_lines *lines, int line)
{
	return line < lines->count && (lines->marks[line] & (LINE_CAN_RUN | LINE_RAN)) == LINE_CAN_RUN;
}

/* "12, 20-24" */
static void
print_missed(const struct kit_lines *lines)
{
	const char *between = "; missed ";
	for (int line = 1; line < lines->count; line++) {
		int last = line;
		if (!missed(lines, line))
			continue;
		while (missed(lines, last + 1))
			last++;
		fprintf(stderr, last > line ? "%s%d-%d" : "%s%d", between, line, last);
		between = ", ";
		line = last;
	}
	fputc('\n', stderr);
}

struct tally {
	size_t can;
	size_t ran;
};

static double
percent(const struct tally *tally)
{
	return tally->can == 0 ? 100 : 100.0 * (double)tally->ran / (double)tally->can;
}

static void
tell_file(const char *folder, const struct source_file *source, struct kit_lines *lines, struct tally *all)
{
	struct tally own = { 0 };
	find_idle(source, lines);
	for (int line = 1; line < lines->count; line++) {
		own.can += (lines->marks[line] & LINE_CAN_RUN) != 0;
		own.ran += (lines->marks[line] & (LINE_CAN_RUN | LINE_RAN)) == (LINE_CAN_RUN | LINE_RAN);
	}
	all->can += own.can;
	all->ran += own.ran;
	if (own.can == 0)
		return;
	fprintf(stderr, "%6.1f %%  %s/%.*s: %zu of %zu lines", percent(&own), folder, SLICE_ARG(source->path), own.ran,
		own.can);
	print_missed(lines);
}

bool
kit_cover_tell(struct kit *kit)
{
	struct tally all = { 0 };
	double least = kit->options->coverage_min;
	for (size_t i = 0; i < kit->domain_count; i++) {
		const struct source_set *sources = sources_of(&kit->domains[i]);
		for (size_t j = 0; j < sources->count; j++)
			tell_file(kit->options->folders[i].path, &sources->items[j], &kit->cover->lines[i][j], &all);
	}
	fprintf(stderr, "%6.1f %%  in all: %zu of %zu lines\n", percent(&all), all.ran, all.can);
	if (percent(&all) >= least)
		return true;
	fprintf(stderr, "fewer lines ran than --coverage-min %g wants\n", least);
	return false;
}
