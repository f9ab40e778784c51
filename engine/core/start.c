/* SPDX-License-Identifier: MIT */
#include "core/start.h"

#include <stdio.h>

#include "base/log.h"
#include "core/catalogue.h"
#include "view/view.h"

#define CHANGES_MAX 50 /* looked at for the rules that made the rows */

struct starting {
	const struct engine_parts *parts;
	const struct script_options *options;
	struct store_reader *reader;
	struct arena arena; /* of records and what is read of them */
};

static int
first_generation(struct starting *starting, struct ruleset *rules, struct active *active, struct fault *fault)
{
	struct record_list records = { 0 };
	int64_t now_us = clock_wall_us(starting->parts->clock);
	uint32_t generation;

	if (generation_find(starting->reader, &rules->sources, &starting->arena, &generation, fault) != 0)
		return -1;
	if (generation == 0 && generation_add(starting->reader, &rules->sources, now_us, &starting->arena, &records,
					      &generation, fault) != 0)
		return -1;
	if (generation_activate(rules->sources.domain, active, generation, "start", now_us, &starting->arena, &records,
				fault) != 0 ||
	    generation_commit(starting->parts->store, &records, &starting->arena, fault) != 0)
		return -1;
	ruleset_number(rules, generation);
	*active = (struct active){ generation, active->generation, active->changes + 1 };
	return 0;
}

/* The rules of a generation as the store keeps them. */
static int
stored_rules(struct starting *starting, uint32_t generation, struct ruleset **rules, struct fault *fault)
{
	struct source_set sources;
	struct arena arena;

	arena_init(&arena, (size_t)1 << 30);
	if (generation_read(starting->reader, generation, &arena, &sources, fault) != 0) {
		arena_fini(&arena);
		return -1;
	}
	if (ruleset_make(&arena, &sources, starting->parts->script, starting->options, rules, fault) != 0)
		return fault_prefix(fault, "generation %u, as the store keeps it", generation);
	ruleset_number(*rules, generation);
	return 0;
}

static void
tell_difference(const char *folder, struct slice domain, const struct active *active)
{
	log_line(LOG_WARN, "the folder differs from the active rules: moonlog reload takes it",
		 log_slice("domain", domain), log_text("folder", folder), log_int("active", active->generation));
}

/* The rules can read what is recorded. */
static int
check_history(struct starting *starting, const struct ruleset *rules, struct fault *fault)
{
	struct catalogue_report report = { 0 };

	return catalogue_check(starting->reader, rules->program, starting->options, &report, fault);
}

static int
choose(struct starting *starting, const char *folder, struct arena *arena, const struct source_set *sources,
       struct ruleset **rules, struct active *active, struct fault *fault)
{
	uint32_t generation;

	if (generation_active(starting->reader, sources->domain, &starting->arena, active, fault) != 0 ||
	    generation_find(starting->reader, sources, &starting->arena, &generation, fault) != 0) {
		arena_fini(arena);
		return -1;
	}
	if (active->generation != 0 && generation != active->generation) {
		tell_difference(folder, sources->domain, active);
		arena_fini(arena);
		return stored_rules(starting, active->generation, rules, fault);
	}
	if (ruleset_make(arena, sources, starting->parts->script, starting->options, rules, fault) != 0)
		return -1;
	if (active->generation != 0) {
		ruleset_number(*rules, generation);
		return 0;
	}
	if (check_history(starting, *rules, fault) == 0 && first_generation(starting, *rules, active, fault) == 0)
		return 0;
	ruleset_release(*rules);
	*rules = NULL;
	return -1;
}

/* The name that a folder which is not there would give. */
static struct slice
last_word(const char *folder)
{
	struct slice path = slice_text(folder);
	size_t begin;

	while (path.size > 1 && path.data[path.size - 1] == '/')
		path.size--;
	for (begin = path.size; begin > 0 && path.data[begin - 1] != '/';)
		begin--;
	return slice_from(path.data + begin, path.size - begin);
}

/* The folder is gone, or half of it: what was active does not depend on it. `unread` says why it cannot be read. */
static int
without_folder(struct starting *starting, const char *folder, struct slice domain, const struct fault *unread,
	       struct ruleset **rules, struct active *active, struct fault *fault)
{
	if (domain.size == 0)
		domain = last_word(folder);
	*active = (struct active){ 0 };
	if (stream_word_ok(domain) && generation_active(starting->reader, domain, &starting->arena, active, fault) != 0)
		return -1;
	if (active->generation == 0) {
		*fault = *unread;
		return -1;
	}
	log_line(LOG_ERROR, "the folder cannot be read: the active rules serve", log_slice("domain", domain),
		 log_text("folder", folder), log_int("active", active->generation), log_text("reason", unread->text));
	return stored_rules(starting, active->generation, rules, fault);
}

int
start_rules(const struct engine_parts *parts, const char *folder, const struct script_options *options,
	    struct ruleset **rules, struct active *active, struct fault *fault)
{
	struct starting starting = { .parts = parts, .options = options };
	struct source_set sources = { 0 };
	struct fault unread;
	struct arena arena;
	bool read;
	int result = -1;

	*rules = NULL;
	arena_init(&arena, (size_t)1 << 30);
	arena_init(&starting.arena, (size_t)256 << 20);
	read = domain_read_folder(folder, &arena, &sources, &unread) == 0;
	if (store_reader_open(parts->store, &starting.reader, fault) != 0) {
		arena_fini(&arena);
	} else if (read) {
		result = choose(&starting, folder, &arena, &sources, rules, active, fault);
		if (result != 0)
			fault_prefix(fault, "%s", folder); /* several domains may have a file of the same name */
	} else {
		result = without_folder(&starting, folder, sources.domain, &unread, rules, active, fault);
		arena_fini(&arena);
	}
	store_reader_close(starting.reader);
	arena_fini(&starting.arena);
	return result;
}

/* ---- what queries start with ---- */

/* Do the rows that there are come of these rules? `other`: some do not. */
static int
made_rows(struct view *view, const struct script_program *program, struct arena *arena, bool *some, bool *other,
	  struct fault *fault)
{
	*some = *other = false;
	for (size_t i = 0; i < program->projection_count; i++) {
		const struct script_projection *projection = &program->projections[i];
		struct view_checkpoint checkpoint;
		bool found;

		if (view_checkpoint(view, projection->name, arena, &checkpoint, &found, fault) != 0)
			return -1;
		if (!found)
			continue;
		/* The first byte also tells whether a bus feeds it. */
		if (memcmp(checkpoint.hash + 1, projection->hash.bytes + 1, sizeof(checkpoint.hash) - 1) == 0)
			*some = true;
		else
			*other = true;
	}
	return 0;
}

/* Rules that cannot be had any more are passed over. */
static int
try_generation(struct starting *starting, struct view *view, uint32_t generation, struct ruleset **asked,
	       struct fault *fault)
{
	struct ruleset *rules;
	struct fault ignored;
	bool some, other;

	if (stored_rules(starting, generation, &rules, &ignored) != 0)
		return 0;
	if (made_rows(view, rules->program, &starting->arena, &some, &other, fault) != 0) {
		ruleset_release(rules);
		return -1;
	}
	if (some && !other)
		*asked = rules;
	else
		ruleset_release(rules);
	return 0;
}

/* The newest change first; each generation once. *asked stays NULL when none is found. */
static int
find_maker(struct starting *starting, struct view *view, struct slice domain, const struct active *active,
	   struct ruleset **asked, struct fault *fault)
{
	uint32_t before = active->changes > CHANGES_MAX ? active->changes - CHANGES_MAX : 0;
	struct slice after = arena_format(&starting->arena, "%.*s/%010u", SLICE_ARG(domain), before);
	struct activation_info *infos;
	size_t count;

	if (after.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to look for rules");
	if (generation_activations(starting->reader, domain, after, CHANGES_MAX, &starting->arena, &infos, &count,
				   fault) != 0)
		return -1;
	for (size_t i = count; i-- > 0 && *asked == NULL;) {
		bool met = infos[i].generation == active->generation;

		for (size_t k = i + 1; k < count && !met; k++)
			met = infos[k].generation == infos[i].generation;
		if (!met && try_generation(starting, view, infos[i].generation, asked, fault) != 0)
			return -1;
	}
	return 0;
}

static int
look_at_rows(struct starting *starting, struct view *view, struct ruleset *rules, const struct active *active,
	     struct ruleset **asked, struct fault *fault)
{
	struct slice domain = rules->program->domain;
	struct ruleset *maker = NULL;
	bool some, other;

	if (made_rows(view, rules->program, &starting->arena, &some, &other, fault) != 0)
		return -1;
	if (other && find_maker(starting, view, domain, active, &maker, fault) != 0)
		return -1;
	*asked = maker != NULL ? maker : ruleset_hold(rules);
	if (maker != NULL)
		log_line(LOG_WARN,
			 "queries go on with the rows of rules before, until those of the active rules are made",
			 log_slice("domain", domain), log_int("generation", maker->generation),
			 log_int("active", active->generation));
	return 0;
}

int
start_asked(const struct engine_parts *parts, const struct script_options *options, struct ruleset *rules,
	    const struct active *active, struct ruleset **asked, struct fault *fault)
{
	const struct script_program *program = rules->program;
	struct starting starting = { .parts = parts, .options = options };
	struct view_slots slots = { .live = -1 };
	struct view *view = NULL;
	int result;

	*asked = NULL;
	if (parts->view_slots != NULL && parts->open_view != NULL &&
	    parts->view_slots(parts->self, program->domain, &slots, fault) != 0)
		return -1;
	if (slots.live < 0) {
		*asked = ruleset_hold(rules);
		return 0;
	}
	arena_init(&starting.arena, (size_t)256 << 20);
	result = store_reader_open(parts->store, &starting.reader, fault);
	if (result == 0)
		result = parts->open_view(parts->self, program->domain, (unsigned)slots.live, program->tables,
					  program->table_count, &view, fault);
	if (result == 0)
		result = look_at_rows(&starting, view, rules, active, asked, fault);
	if (view != NULL)
		view_close(view);
	store_reader_close(starting.reader);
	arena_fini(&starting.arena);
	return result;
}
