/* SPDX-License-Identifier: MIT */
/*
 * The store keeps every generation's sources (core/generation.h says in which records), so that a stream can be read by
 * the rules that decided it although their folder is not at hand.
 */
#include "daemon/rules.h"

#include <stdio.h>

#include "core/domain.h"
#include "daemon/setup.h"
#include "script/lua/lua_room.h"

#define ARENA_MAX ((size_t)256 << 20)
#define LIST_PAGE 200

static void
say(void *self, int level, struct slice domain, struct slice text)
{
	(void)self;
	(void)level;
	fprintf(stderr, "%.*s: %.*s\n", SLICE_ARG(domain), SLICE_ARG(text));
}

static int
load(struct rules *rules, const struct config *config, struct fault *fault)
{
	struct script_options options;

	setup_script(config, &options);
	options.development = true;
	options.say = say;
	if (script_load(moon_ops(), &rules->sources, &options, &rules->program, fault) != 0)
		return -1;
	return script_open(rules->program, &options, &rules->machine, fault);
}

int
rules_from_folder(struct rules *rules, const struct config *config, const char *folder, struct fault *fault)
{
	*rules = (struct rules){ 0 };
	arena_init(&rules->arena, ARENA_MAX);
	if (domain_read_folder(folder, &rules->arena, &rules->sources, fault) != 0)
		return -1;
	return load(rules, config, fault);
}

int
rules_from_named(struct rules *rules, const struct config *config, const char *folder, const struct stream_name *stream,
		 struct fault *fault)
{
	if (rules_from_folder(rules, config, folder, fault) != 0)
		return -1;
	if (slice_equal(rules->program->domain, stream->domain))
		return 0;
	return fault_set(fault, FAULT_INPUT, "usage", "%s is not the domain of %.*s", folder, SLICE_ARG(stream->whole));
}

int
rules_from_store(struct rules *rules, const struct config *config, struct store_reader *reader, struct slice domain,
		 struct fault *fault)
{
	struct active active;

	*rules = (struct rules){ 0 };
	arena_init(&rules->arena, ARENA_MAX);
	if (generation_active(reader, domain, &rules->arena, &active, fault) != 0)
		return -1;
	/* Rules that came with an import were never active here. */
	if (active.generation == 0 && generation_newest(reader, domain, &rules->arena, &active.generation, fault) != 0)
		return -1;
	if (active.generation == 0)
		return fault_set(fault, FAULT_INPUT, "no_such_domain", "the store holds no rules of a domain \"%.*s\"",
				 SLICE_ARG(domain));
	return generation_read(reader, active.generation, &rules->arena, &rules->sources, fault) != 0
		       ? -1
		       : load(rules, config, fault);
}

int
rules_domains(struct store_reader *reader, struct arena *arena, struct slice **names, size_t *count,
	      struct fault *fault)
{
	struct generation_info *infos;
	uint32_t after = 0;
	size_t found;

	*count = 0;
	*names = arena_alloc(arena, DOMAIN_MAX * sizeof(**names));
	if (*names == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the domains");
	do {
		if (generation_list(reader, after, LIST_PAGE, arena, &infos, &found, fault) != 0)
			return -1;
		for (size_t i = 0; i < found; i++) {
			size_t at = 0;

			while (at < *count && !slice_equal((*names)[at], infos[i].domain))
				at++;
			if (at == *count && *count < DOMAIN_MAX)
				(*names)[(*count)++] = infos[i].domain;
			after = infos[i].number;
		}
	} while (found == LIST_PAGE);
	return 0;
}

/* The last part of a path: a domain's name. */
static struct slice
folder_name(const char *folder)
{
	struct slice name = slice_text(folder);
	const char *slash;

	while (name.size > 1 && name.data[name.size - 1] == '/')
		name.size--;
	slash = name.size != 0 ? memrchr(name.data, '/', name.size) : NULL;
	if (slash != NULL)
		return slice_from(slash + 1, (size_t)(name.data + name.size - slash - 1));
	return name;
}

int
rules_find(struct rules *rules, const struct config *config, struct store_reader *reader, struct slice domain,
	   struct fault *fault)
{
	const struct config_value *domains = &config->values[CONFIG_DOMAINS];

	*rules = (struct rules){ 0 };
	for (size_t i = 0; i < domains->item_count; i++) {
		if (slice_equal(folder_name(domains->items[i]), domain))
			return rules_from_folder(rules, config, domains->items[i], fault);
	}
	if (reader != NULL)
		return rules_from_store(rules, config, reader, domain, fault);
	return fault_set(fault, FAULT_INPUT, "no_such_domain", "no --domain folder is named \"%.*s\"",
			 SLICE_ARG(domain));
}

void
rules_close(struct rules *rules)
{
	if (rules->machine != NULL)
		script_close(rules->machine);
	if (rules->program != NULL)
		script_unload(rules->program);
	arena_fini(&rules->arena);
	*rules = (struct rules){ 0 };
}

int
rules_aggregate(const struct rules *rules, struct slice name, uint16_t *aggregate, struct fault *fault)
{
	int number = script_find_aggregate(rules->program, name);

	if (number < 0)
		return fault_set(fault, FAULT_INPUT, "no_such_aggregate", "domain %.*s has no aggregate \"%.*s\"",
				 SLICE_ARG(rules->sources.domain), SLICE_ARG(name));
	*aggregate = (uint16_t)number;
	return 0;
}
