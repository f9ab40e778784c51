/* SPDX-License-Identifier: MIT */
/*
 * The store keeps every generation's sources (core/generation.c says in which records), so that a stream can be read by
 * the rules that decided it although their folder is not at hand.
 */
#include "daemon/rules.h"

#include <stdio.h>

#include "base/json.h"
#include "core/domain.h"
#include "script/lua/lua_room.h"

#define ARENA_MAX   ((size_t)256 << 20)
#define NUMBER_SIZE 11

static void
say(void *self, int level, struct slice domain, struct slice text)
{
	(void)self;
	(void)level;
	fprintf(stderr, "%.*s: %.*s\n", SLICE_ARG(domain), SLICE_ARG(text));
}

static int
load(struct rules *rules, struct fault *fault)
{
	struct script_options options = { .development = true, .say = say };

	if (script_load(moon_ops(), &rules->sources, &options, &rules->program, fault) != 0)
		return -1;
	return script_open(rules->program, &options, &rules->machine, fault);
}

int
rules_from_folder(struct rules *rules, const char *folder, struct fault *fault)
{
	*rules = (struct rules){ 0 };
	arena_init(&rules->arena, ARENA_MAX);
	if (domain_read_folder(folder, &rules->arena, &rules->sources, fault) != 0)
		return -1;
	return load(rules, fault);
}

static int
bad_manifest(const char *number, struct fault *fault)
{
	return fault_set(fault, FAULT_CORRUPT, "bad_generation", "the manifest of generation %s cannot be read",
			 number);
}

static bool
parse_hash(struct slice hex, struct digest *digest)
{
	if (hex.size != (size_t)2 * DIGEST_SIZE)
		return false;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		unsigned byte;
		char pair[3] = { hex.data[2 * i], hex.data[2 * i + 1], '\0' };
		if (sscanf(pair, "%2x", &byte) != 1)
			return false;
		digest->bytes[i] = (uint8_t)byte;
	}
	return true;
}

/* The text between the quotes of a string member; manifests hold nothing that is escaped. */
static bool
text_of(struct json_value object, const char *key, struct slice *text)
{
	struct json_value member;

	if (object.kind != JSON_OBJECT || !json_member(object, slice_text(key), &member) || member.kind != JSON_STRING)
		return false;
	*text = slice_from(member.raw.data + 1, member.raw.size - 2);
	return true;
}

static int
read_source(struct rules *rules, struct store_reader *reader, struct json_value item, struct source *source,
	    const char *number, struct fault *fault)
{
	struct slice hash;
	bool found;

	if (!text_of(item, "hash", &hash) || !text_of(item, "path", &source->path) || !parse_hash(hash, &source->hash))
		return bad_manifest(number, fault);
	if (store_read_record(reader, SLICE("source"), hash, &rules->arena, &source->bytes, &found, fault) != 0)
		return -1;
	return found ? 0 : bad_manifest(number, fault);
}

static int
read_sources(struct rules *rules, struct store_reader *reader, struct json_value manifest, const char *number,
	     struct fault *fault)
{
	struct source *items = arena_zero(&rules->arena, DOMAIN_FILES_MAX, sizeof(*items));
	struct json_value list, item;
	struct json_iter iter;
	struct slice key, hash;
	size_t count = 0;

	if (items == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the sources of generation %s", number);
	if (!text_of(manifest, "hash", &hash) || !parse_hash(hash, &rules->sources.hash) ||
	    !json_member(manifest, SLICE("sources"), &list) || list.kind != JSON_ARRAY)
		return bad_manifest(number, fault);
	json_iter(&iter, list);
	while (json_next(&iter, &key, &item)) {
		if (count == DOMAIN_FILES_MAX)
			return bad_manifest(number, fault);
		if (read_source(rules, reader, item, &items[count++], number, fault) != 0)
			return -1;
	}
	rules->sources.items = items;
	rules->sources.count = count;
	return 0;
}

static int
last_generation(struct store_reader *reader, struct arena *arena, uint64_t *generation, struct fault *fault)
{
	struct slice last;
	bool found;

	*generation = 0;
	if (store_read_record(reader, SLICE("generation_last"), SLICE("last"), arena, &last, &found, fault) != 0)
		return -1;
	return !found || slice_to_u64(last, generation) ? 0 : bad_manifest("last", fault);
}

/* An empty `domain`: there is no such generation. */
static int
read_manifest(struct store_reader *reader, uint64_t generation, struct arena *arena, struct json_value *manifest,
	      struct slice *domain, struct fault *fault)
{
	char number[NUMBER_SIZE];
	struct slice bytes;
	bool found;

	*domain = SLICE_NONE;
	snprintf(number, sizeof(number), "%010u", (unsigned)generation);
	if (store_read_record(reader, SLICE("generation"), slice_text(number), arena, &bytes, &found, fault) != 0)
		return -1;
	if (found && (json_check(bytes, manifest, fault) != 0 || !text_of(*manifest, "domain", domain)))
		return bad_manifest(number, fault);
	return 0;
}

int
rules_from_store(struct rules *rules, struct store_reader *reader, struct slice domain, struct fault *fault)
{
	char number[NUMBER_SIZE];
	uint64_t generation;

	*rules = (struct rules){ 0 };
	arena_init(&rules->arena, ARENA_MAX);
	if (last_generation(reader, &rules->arena, &generation, fault) != 0)
		return -1;
	for (; generation > 0; generation--) {
		struct json_value manifest;
		if (read_manifest(reader, generation, &rules->arena, &manifest, &rules->sources.domain, fault) != 0)
			return -1;
		if (!slice_equal(rules->sources.domain, domain))
			continue;
		snprintf(number, sizeof(number), "%u", (unsigned)generation);
		return read_sources(rules, reader, manifest, number, fault) != 0 ? -1 : load(rules, fault);
	}
	return fault_set(fault, FAULT_INPUT, "no_such_domain", "the store holds no rules of a domain \"%.*s\"",
			 SLICE_ARG(domain));
}

int
rules_domains(struct store_reader *reader, struct arena *arena, struct slice **names, size_t *count,
	      struct fault *fault)
{
	uint64_t generation;

	*count = 0;
	*names = arena_alloc(arena, DOMAIN_MAX * sizeof(**names));
	if (*names == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the domains");
	if (last_generation(reader, arena, &generation, fault) != 0)
		return -1;
	for (; generation > 0 && *count < DOMAIN_MAX; generation--) {
		struct json_value manifest;
		struct slice domain;
		size_t i = 0;
		if (read_manifest(reader, generation, arena, &manifest, &domain, fault) != 0)
			return -1;
		while (i < *count && !slice_equal((*names)[i], domain))
			i++;
		if (i == *count && domain.size != 0)
			(*names)[(*count)++] = domain;
	}
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
			return rules_from_folder(rules, domains->items[i], fault);
	}
	if (reader != NULL)
		return rules_from_store(rules, reader, domain, fault);
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
