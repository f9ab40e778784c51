/* SPDX-License-Identifier: MIT */
/*
 * A small hash table in memory, a small table on disk. A commit looks each of its events up and writes a row only for a
 * kind that was never seen; every CATALOGUE_EVERY entries one commit also carries the positions that moved.
 *
 * The table is derived: a row that is damaged, or a store of an older schema, makes a reader look through the log
 * itself, which takes long and is right.
 * Fails: MEMORY, as SQL does.
 */
#include "store/sqlite/catalogue.h"

#include <stdlib.h>

#include "store/sqlite/room.h"

static struct slice
aggregate_of(struct slice stream)
{
	const char *slash = memchr(stream.data, '/', stream.size);

	return slash != NULL ? slice_from(stream.data, (size_t)(slash - stream.data)) : stream;
}

static uint32_t
row_seal_type(const struct type_found *found)
{
	return (uint32_t)slice_hash(
		found->type, slice_hash(found->aggregate, found->newest * 0x9e3779b97f4a7c15u + found->schema_version));
}

void
catalogue_fini(struct catalogue *catalogue)
{
	catalogue_cut(catalogue, 0);
	free(catalogue->items);
	free(catalogue->table);
	*catalogue = (struct catalogue){ 0 };
}

static uint32_t *
place_of(const struct catalogue *catalogue, uint64_t hash, const struct type_found *wanted)
{
	for (size_t at = (size_t)hash & (catalogue->table_room - 1);; at = (at + 1) & (catalogue->table_room - 1)) {
		uint32_t number = catalogue->table[at];
		const struct known_type *type = &catalogue->items[number != 0 ? number - 1 : 0];

		if (number == 0 ||
		    (type->hash == hash && type->schema_version == wanted->schema_version &&
		     slice_equal(type->name, wanted->type) && slice_equal(type->aggregate, wanted->aggregate)))
			return &catalogue->table[at];
	}
}

static void
fill_table(struct catalogue *catalogue)
{
	memset(catalogue->table, 0, catalogue->table_room * sizeof(*catalogue->table));
	for (size_t i = 0; i < catalogue->count; i++) {
		const struct known_type *type = &catalogue->items[i];

		const struct type_found found = { type->aggregate, type->name, type->schema_version, 0 };

		*place_of(catalogue, type->hash, &found) = (uint32_t)i + 1;
	}
}

/* Room for one more, in both. */
static int
widen(struct catalogue *catalogue)
{
	size_t room = catalogue->room != 0 ? catalogue->room * 2 : 32;
	struct known_type *items;
	uint32_t *table;

	if (catalogue->count < catalogue->room)
		return 0;
	table = calloc(room * 2, sizeof(*table));
	items = realloc(catalogue->items, room * sizeof(*items));
	if (items != NULL) {
		catalogue->items = items;
		catalogue->room = room;
	}
	if (items == NULL || table == NULL) {
		free(table);
		catalogue->room = catalogue->table_room / 2;
		return -1;
	}
	free(catalogue->table);
	catalogue->table = table;
	catalogue->table_room = room * 2;
	fill_table(catalogue);
	return 0;
}

static struct slice
own(struct slice text)
{
	char *bytes = malloc(text.size + 1);

	if (bytes != NULL && text.size != 0)
		memcpy(bytes, text.data, text.size);
	return slice_from(bytes, text.size);
}

static void
disown(struct known_type *type)
{
	free((void *)(uintptr_t)type->aggregate.data);
	free((void *)(uintptr_t)type->name.data);
}

size_t
catalogue_note_aggregate(struct catalogue *catalogue, const struct type_found *found)
{
	uint64_t hash = slice_hash(found->type, slice_hash(found->aggregate, found->schema_version));
	struct known_type *made;
	uint32_t *place;

	if (widen(catalogue) != 0)
		return 0;
	place = place_of(catalogue, hash, found);
	if (*place != 0)
		return *place;
	made = &catalogue->items[catalogue->count];
	*made = (struct known_type){
		hash, own(found->aggregate), own(found->type), found->schema_version, found->newest, 0
	};
	if (made->aggregate.data == NULL || made->name.data == NULL) {
		disown(made);
		return 0;
	}
	*place = (uint32_t)++catalogue->count;
	return *place;
}

size_t
catalogue_note(struct catalogue *catalogue, struct slice stream, struct slice type, uint32_t schema_version,
	       log_position position)
{
	const struct type_found found = { aggregate_of(stream), type, schema_version, position };

	return catalogue_note_aggregate(catalogue, &found);
}

void
catalogue_cut(struct catalogue *catalogue, size_t before)
{
	bool cut = catalogue->count > before;

	while (catalogue->count > before)
		disown(&catalogue->items[--catalogue->count]);
	for (size_t i = 0; i < catalogue->count; i++)
		catalogue->items[i].stored = 0;
	if (cut)
		fill_table(catalogue);
}

static int
write_row(struct known_type *type, struct link *link, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_PUT_KNOWN_TYPE, fault);
	const struct type_found found = { type->aggregate, type->name, type->schema_version, type->newest };

	if (statement == NULL)
		return -1;
	link_bind_text(statement, 1, found.aggregate);
	link_bind_text(statement, 2, found.type);
	link_bind_int(statement, 3, found.schema_version);
	link_bind_int(statement, 4, found.newest);
	link_bind_int(statement, 5, row_seal_type(&found));
	type->stored = type->newest;
	return link_step(link, statement, fault);
}

int
catalogue_write(struct catalogue *catalogue, struct link *link, size_t before, log_position head, struct fault *fault)
{
	bool due = head - catalogue->written >= CATALOGUE_EVERY;

	for (size_t i = due ? 0 : before; i < catalogue->count; i++)
		if (catalogue->items[i].stored != catalogue->items[i].newest &&
		    write_row(&catalogue->items[i], link, fault) != 0)
			return -1;
	if (due)
		catalogue->written = head;
	return 0;
}

bool
catalogue_row(sqlite3_stmt *statement, struct type_found *found)
{
	*found = (struct type_found){ link_slice(statement, 0), link_slice(statement, 1),
				      (uint32_t)link_int(statement, 2), link_int(statement, 3) };
	return sqlite3_column_count(statement) == 4 || row_has_seal(statement, 4, row_seal_type(found));
}

int
catalogue_make(struct link *link, struct fault *fault)
{
	struct catalogue made = { 0 };
	sqlite3_stmt *statement = link_use(link, SQL_SCAN_TYPES, fault);
	int stepped = -1, result;

	if (statement != NULL)
		link_bind_text(statement, 1, SLICE_NONE);
	while (statement != NULL && (stepped = link_step(link, statement, fault)) > 0) {
		struct type_found found;

		catalogue_row(statement, &found);
		if (catalogue_note_aggregate(&made, &found) == 0) {
			sqlite3_reset(statement);
			stepped = fault_set(fault, FAULT_MEMORY, "memory", "no memory for the kinds of events");
			break;
		}
	}
	result = stepped == 0 ? catalogue_write(&made, link, 0, 0, fault) : -1;
	catalogue_fini(&made);
	return result;
}

/* 1: all rows; 0: one of them is not what was written; -1 with a fault. */
static int
load(struct catalogue *catalogue, struct link *link, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_KNOWN_TYPES, fault);
	int stepped;

	if (statement == NULL)
		return -1;
	link_bind_text(statement, 1, SLICE_NONE);
	while ((stepped = link_step(link, statement, fault)) > 0) {
		struct type_found found;
		bool well = catalogue_row(statement, &found);
		size_t number = well ? catalogue_note_aggregate(catalogue, &found) : 0;

		if (number == 0) {
			sqlite3_reset(statement);
			if (!well)
				return 0;
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the kinds of events");
		}
		catalogue->items[number - 1].stored = found.newest;
	}
	return stepped == 0 ? 1 : -1;
}

int
catalogue_load(struct catalogue *catalogue, struct link *link, struct fault *fault)
{
	int loaded = load(catalogue, link, fault);

	if (loaded != 0)
		return loaded > 0 ? 0 : -1;
	catalogue_fini(catalogue);
	if (link_run(link, SQL_BEGIN_WRITE, fault) != 0)
		return -1;
	if (link_exec(link, "DELETE FROM catalogue", fault) != 0 || catalogue_make(link, fault) != 0 ||
	    link_run(link, SQL_COMMIT, fault) != 0) {
		link_exec(link, "ROLLBACK", NULL);
		return -1;
	}
	return load(catalogue, link, fault) > 0 ? 0 : -1;
}

/* ---- readers ---- */

static int
keep(const struct type_found *found, struct arena *arena, struct type_found **types, size_t *count, size_t *room)
{
	struct type_found *wider = *types;

	if (*count == *room) {
		wider = arena_alloc(arena, (*room = *room != 0 ? *room * 2 : 32) * sizeof(*wider));
		if (wider != NULL && *count != 0)
			memcpy(wider, *types, *count * sizeof(*wider));
	}
	if (wider == NULL)
		return -1;
	*types = wider;
	wider[*count] = *found;
	wider[*count].aggregate = arena_copy(arena, found->aggregate);
	wider[*count].type = arena_copy(arena, found->type);
	return wider[(*count)++].type.data != NULL ? 0 : -1;
}

/* 1: all of them; 0: a row is not what was written; -1 with a fault. */
static int
list(struct link *link, enum link_sql sql, struct slice domain, struct arena *arena, struct type_found **types,
     size_t *count, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, sql, fault);
	size_t room = 0;
	int stepped;

	*count = 0;
	if (statement == NULL)
		return -1;
	link_bind_text(statement, 1, domain);
	while ((stepped = link_step(link, statement, fault)) > 0) {
		struct type_found found;

		if (!catalogue_row(statement, &found)) {
			sqlite3_reset(statement);
			return 0;
		}
		if (keep(&found, arena, types, count, &room) != 0) {
			sqlite3_reset(statement);
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the kinds of events");
		}
	}
	return stepped == 0 ? 1 : -1;
}

int
sqlite_list_types(struct store_reader *base, struct slice domain, struct arena *arena, struct type_found **types,
		  size_t *count, struct fault *fault)
{
	struct link *link = &sqlite_reader_of(base)->link;
	int listed = list(link, SQL_KNOWN_TYPES, domain, arena, types, count, fault);

	if (listed > 0)
		return 0;
	if (listed < 0 && fault->class != FAULT_BUG && fault->class != FAULT_CORRUPT)
		return -1;
	fault_clear(fault);
	return list(link, SQL_SCAN_TYPES, domain, arena, types, count, fault) > 0 ? 0 : -1;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* An entry's type names its generation too, and is written in the entry's own commit. */
int
sqlite_list_generations(struct store_reader *base, struct arena *arena, uint32_t **generations, size_t *count,
			struct fault *fault)
{
	struct sqlite_reader *reader = sqlite_reader_of(base);
	const struct types *types = &reader->types;
	uint32_t *numbers;

	if (types_load(&reader->types, &reader->link, fault) != 0)
		return -1;
	numbers = arena_zero(arena, types->count + 1, sizeof(*numbers));
	if (numbers == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for generations");
	for (size_t i = 0; i < types->count; i++)
		numbers[i] = types->items[i]->generation;
	qsort(numbers, types->count, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < types->count; i++)
		if (numbers[i] != 0 && (*count == 0 || numbers[*count - 1] != numbers[i]))
			numbers[(*count)++] = numbers[i];
	*generations = numbers;
	return 0;
}
