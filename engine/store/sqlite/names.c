/* SPDX-License-Identifier: MIT */
/*
 * Direct-mapped tables for streams, since they are many; every type in memory, since they are few.
 * Fails: MEMORY, CORRUPT.
 */
#include "store/sqlite/names.h"

#include <stdlib.h>

#include "store/sqlite/row.h"

static int
own(struct slice *to, struct slice from)
{
	char *bytes = malloc(from.size + 1);

	if (bytes == NULL)
		return -1;
	if (from.size != 0)
		memcpy(bytes, from.data, from.size);
	*to = slice_from(bytes, from.size);
	return 0;
}

static void
disown(struct slice *slice)
{
	free((void *)(uintptr_t)slice->data);
	*slice = SLICE_NONE;
}

int
heads_init(struct heads *heads, size_t room)
{
	heads->slots = calloc(room, sizeof(*heads->slots));
	heads->room = room;
	return heads->slots != NULL ? 0 : -1;
}

void
heads_fini(struct heads *heads)
{
	for (size_t i = 0; heads->slots != NULL && i < heads->room; i++)
		disown(&heads->slots[i].name);
	free(heads->slots);
	heads->slots = NULL;
}

/* Two places a hash: the second takes what the first would push out at once. */
struct head *
heads_get(const struct heads *heads, uint64_t hash, struct slice name)
{
	for (size_t i = 0; i < 2; i++) {
		struct head *head = &heads->slots[((size_t)hash ^ i) & (heads->room - 1)];

		if (head->id != 0 && head->hash == hash && slice_equal(head->name, name))
			return head;
	}
	return NULL;
}

void
heads_put(struct heads *heads, uint64_t hash, uint64_t id, struct slice name, bool version_known,
	  stream_version version)
{
	struct head *head = heads_get(heads, hash, name);

	if (head == NULL) {
		struct slice copy;

		head = &heads->slots[(size_t)hash & (heads->room - 1)];
		if (head->id != 0) {
			struct head *other = &heads->slots[((size_t)hash ^ 1) & (heads->room - 1)];

			disown(&other->name);
			*other = *head;
			head->name = SLICE_NONE;
			head->id = 0;
		}
		if (own(&copy, name) != 0)
			return;
		head->name = copy;
		head->hash = hash;
	}
	head->id = id;
	head->version_known = version_known;
	head->version = version;
}

int
name_cache_init(struct name_cache *cache, size_t room)
{
	cache->slots = calloc(room, sizeof(*cache->slots));
	cache->room = room;
	return cache->slots != NULL ? 0 : -1;
}

void
name_cache_fini(struct name_cache *cache)
{
	for (size_t i = 0; cache->slots != NULL && i < cache->room; i++)
		disown(&cache->slots[i].name);
	free(cache->slots);
	cache->slots = NULL;
}

struct name_slot *
name_cache_get(struct name_cache *cache, struct link *link, uint64_t stream, struct fault *fault)
{
	struct name_slot *slot = &cache->slots[(size_t)stream & (cache->room - 1)];
	sqlite3_stmt *statement;
	int stepped;

	if (slot->id == stream && stream != 0)
		return slot;
	statement = link_use(link, SQL_STREAM_NAME, fault);
	if (statement == NULL)
		return NULL;
	link_bind_int(statement, 1, stream);
	stepped = link_step(link, statement, fault);
	if (stepped < 0) {
		fault_prefix(fault, "the name of stream number %llu", (unsigned long long)stream);
		return NULL;
	}
	if (stepped == 0 || !row_has_seal(statement, 1, row_seal_name(stream, link_slice(statement, 0)))) {
		sqlite3_reset(statement);
		fault_set(fault, FAULT_CORRUPT, "name_mismatch",
			  "the name of stream number %llu is not what was written", (unsigned long long)stream);
		return NULL;
	}
	disown(&slot->name);
	*slot = (struct name_slot){ 0 };
	if (own(&slot->name, link_slice(statement, 0)) == 0)
		slot->id = stream;
	sqlite3_reset(statement);
	if (slot->id == 0)
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for the name of a stream");
	return slot->id != 0 ? slot : NULL;
}

static void
free_type(struct type *type)
{
	if (type == NULL)
		return;
	disown(&type->name);
	disown(&type->topic);
	free(type);
}

void
types_fini(struct types *types)
{
	for (size_t i = 0; i < types->count; i++)
		free_type(types->items[i]);
	free(types->items);
	free(types->table);
	*types = (struct types){ 0 };
}

static uint64_t
hash_type(enum entry_kind kind, struct slice name, uint32_t schema_version, uint32_t generation, struct slice topic)
{
	return slice_hash(topic, slice_hash(name, ((uint64_t)schema_version << 32 | generation) * 8 + (uint64_t)kind));
}

static size_t
type_place(const struct types *types, uint64_t hash, const struct type *wanted)
{
	size_t at = (size_t)hash & (types->table_room - 1);

	for (; types->table[at] != 0; at = (at + 1) & (types->table_room - 1)) {
		const struct type *type = types->items[types->table[at] - 1];

		if (type->kind == wanted->kind && type->schema_version == wanted->schema_version &&
		    type->generation == wanted->generation && slice_equal(type->name, wanted->name) &&
		    slice_equal(type->topic, wanted->topic))
			break;
	}
	return at;
}

static void
put_in_table(struct types *types, size_t id)
{
	const struct type *type = types->items[id - 1];
	uint64_t hash = hash_type(type->kind, type->name, type->schema_version, type->generation, type->topic);

	types->table[type_place(types, hash, type)] = (uint32_t)id;
}

static int
widen(struct types *types)
{
	size_t room = types->room != 0 ? types->room * 2 : 64;
	struct type **items;
	uint32_t *table;

	if (types->count < types->room)
		return 0;
	items = realloc(types->items, room * sizeof(struct type *));
	if (items == NULL)
		return -1;
	types->items = items;
	table = calloc(room * 4, sizeof(*table));
	if (table == NULL)
		return -1;
	free(types->table);
	types->table = table;
	types->table_room = room * 4;
	types->room = room;
	for (size_t id = 1; id <= types->count; id++)
		put_in_table(types, id);
	return 0;
}

static uint64_t
add(struct types *types, enum entry_kind kind, struct slice name, uint32_t schema_version, uint32_t generation,
    struct slice topic)
{
	struct type *type = calloc(1, sizeof(*type));

	if (type == NULL)
		return 0;
	type->kind = kind;
	type->schema_version = schema_version;
	type->generation = generation;
	if (own(&type->name, name) != 0 || own(&type->topic, topic) != 0 || widen(types) != 0) {
		free_type(type);
		return 0;
	}
	types->items[types->count++] = type;
	put_in_table(types, types->count);
	return types->count;
}

int
types_load(struct types *types, struct link *link, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_TYPES, fault);
	int stepped;

	if (statement == NULL)
		return -1;
	while ((stepped = link_step(link, statement, fault)) > 0) {
		uint64_t id = link_int(statement, 0);

		if (id <= types->count)
			continue;
		if (id != types->count + 1) {
			sqlite3_reset(statement);
			return fault_set(fault, FAULT_CORRUPT, "type_mismatch", "type number %zu is missing",
					 types->count + 1);
		}
		if (add(types, (enum entry_kind)link_int(statement, 1), link_slice(statement, 2),
			(uint32_t)link_int(statement, 3), (uint32_t)link_int(statement, 4),
			link_slice(statement, 5)) == 0) {
			sqlite3_reset(statement);
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a type's name");
		}
	}
	return stepped;
}

struct type *
types_get(struct types *types, struct link *link, uint64_t id, struct fault *fault)
{
	if ((id == 0 || id > types->count) && types_load(types, link, fault) != 0)
		return NULL;
	if (id == 0 || id > types->count) {
		fault_set(fault, FAULT_CORRUPT, "type_mismatch", "there is no type number %llu",
			  (unsigned long long)id);
		return NULL;
	}
	return types->items[id - 1];
}

uint64_t
types_find(const struct types *types, const struct new_entry *entry, uint32_t generation)
{
	struct type wanted = { .kind = entry->kind,
			       .schema_version = entry->schema_version,
			       .generation = generation,
			       .name = entry->type,
			       .topic = entry->topic };

	if (types->table_room == 0)
		return 0;
	return types->table[type_place(
		types, hash_type(entry->kind, entry->type, entry->schema_version, generation, entry->topic), &wanted)];
}

uint64_t
types_add(struct types *types, const struct new_entry *entry, uint32_t generation)
{
	return add(types, entry->kind, entry->type, entry->schema_version, generation, entry->topic);
}

void
types_cut(struct types *types, size_t count)
{
	if (types->count == count)
		return;
	while (types->count > count)
		free_type(types->items[--types->count]);
	memset(types->table, 0, types->table_room * sizeof(*types->table));
	for (size_t id = 1; id <= count; id++)
		put_in_table(types, id);
}
