/* SPDX-License-Identifier: MIT */
#include "core/start.h"

#include "base/log.h"
#include "core/catalogue.h"

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

int
start_rules(const struct engine_parts *parts, const char *folder, const struct script_options *options,
	    struct ruleset **rules, struct active *active, struct fault *fault)
{
	struct starting starting = { .parts = parts, .options = options };
	struct source_set sources = { 0 };
	struct arena arena;
	int result = -1;

	*rules = NULL;
	arena_init(&arena, (size_t)1 << 30);
	if (domain_read_folder(folder, &arena, &sources, fault) != 0) {
		arena_fini(&arena);
		return -1;
	}
	arena_init(&starting.arena, (size_t)256 << 20);
	if (store_reader_open(parts->store, &starting.reader, fault) == 0)
		result = choose(&starting, folder, &arena, &sources, rules, active, fault);
	else
		arena_fini(&arena);
	store_reader_close(starting.reader);
	arena_fini(&starting.arena);
	return result;
}
