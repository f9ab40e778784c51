/* SPDX-License-Identifier: MIT */
/*
 * Rows that the batch has read or changed.
 *
 * A handler reads a row, changes it, and the next event reads it again: here such a row is read from SQLite once and
 * written once a batch, whatever happens to it in between. Only changes that cannot fail are held back (write.c), so
 * that every refusal meets the event that caused it. Rows stay, clean, for later batches: this connection is the only
 * writer. A row's cells are one block with its texts; changing a row makes a new block.
 */
#include <stdlib.h>

#include "view/sqlite/inside.h"

static uint64_t
hash_cell(const struct cell *cell, uint64_t seed)
{
	if (cell->kind == CELL_TEXT)
		return slice_hash(cell->text, seed);
	/* A key of type real may be asked for by an equal integer. */
	double real = cell->kind == CELL_INTEGER ? (double)cell->integer : cell->real;
	if (real == 0)
		real = 0; /* so that -0.0 is 0.0 here too */
	return slice_hash(slice_from(&real, sizeof(real)), seed);
}

static uint64_t
hash_key(const struct table *table, uint16_t number, const struct cell *key)
{
	uint64_t hash = number;
	for (uint16_t i = 0; i < table->key.count; i++)
		hash = hash_cell(&key[i], hash + 1);
	return hash;
}

static bool
same_key(const struct table *table, const struct view_sqlite_row *row, const struct cell *key)
{
	for (uint16_t i = 0; i < table->key.count; i++)
		if (rows_compare(&row->cells[table->key.columns[i]], &key[i]) != 0)
			return false;
	return true;
}

struct view_sqlite_row *
view_sqlite_cache_find(struct view_sqlite_cache *cache, const struct table *table, uint16_t number,
		       const struct cell *key)
{
	if (cache->count == 0)
		return NULL;
	uint64_t hash = hash_key(table, number, key);
	struct view_sqlite_row *row = cache->buckets[hash & (cache->bucket_count - 1)];
	while (row != NULL && (row->hash != hash || row->table != number || !same_key(table, row, key)))
		row = row->next;
	return row;
}

static bool
make_room(struct view_sqlite_cache *cache)
{
	if (cache->count < cache->bucket_count)
		return true;
	size_t count = cache->bucket_count == 0 ? 256 : cache->bucket_count * 2;
	struct view_sqlite_row **buckets = calloc(count, sizeof(struct view_sqlite_row *));
	if (buckets == NULL)
		return false;
	for (size_t i = 0; i < cache->bucket_count; i++) {
		struct view_sqlite_row *row = cache->buckets[i], *next;
		for (; row != NULL; row = next) {
			next = row->next;
			row->next = buckets[row->hash & (count - 1)];
			buckets[row->hash & (count - 1)] = row;
		}
	}
	free(cache->buckets);
	cache->buckets = buckets;
	cache->bucket_count = count;
	return true;
}

static struct cell *
copy_cells(const struct table *table, const struct cell *cells, size_t *bytes)
{
	size_t size = table->column_count * sizeof(struct cell), text = size;
	for (uint16_t i = 0; i < table->column_count; i++)
		size += cells[i].kind == CELL_TEXT ? cells[i].text.size : 0;
	struct cell *copy = malloc(size);
	if (copy == NULL)
		return NULL;
	for (uint16_t i = 0; i < table->column_count; i++) {
		copy[i] = rows_stored(&table->columns[i], &cells[i]);
		if (copy[i].kind != CELL_TEXT)
			continue;
		char *to = (char *)copy + text;
		if (cells[i].text.size != 0)
			memcpy(to, cells[i].text.data, cells[i].text.size);
		copy[i].text.data = to;
		text += cells[i].text.size;
	}
	*bytes = size;
	return copy;
}

struct view_sqlite_row *
view_sqlite_cache_add(struct view_sqlite_cache *cache, const struct table *table, uint16_t number,
		      const struct cell *cells)
{
	struct view_sqlite_row *row = calloc(1, sizeof(*row));
	if (row == NULL || !make_room(cache) || (row->cells = copy_cells(table, cells, &row->bytes)) == NULL) {
		free(row);
		return NULL;
	}
	row->table = number;
	row->hash = number;
	for (uint16_t i = 0; i < table->key.count; i++)
		row->hash = hash_cell(&row->cells[table->key.columns[i]], row->hash + 1);
	row->next = cache->buckets[row->hash & (cache->bucket_count - 1)];
	cache->buckets[row->hash & (cache->bucket_count - 1)] = row;
	cache->count++;
	cache->bytes += row->bytes + sizeof(*row);
	return row;
}

static bool
enqueue(struct view_sqlite_cache *cache, struct view_sqlite_row *row)
{
	if (row->queued)
		return true;
	if (cache->queue_count == cache->queue_room) {
		size_t room = cache->queue_room == 0 ? 256 : cache->queue_room * 2;
		struct view_sqlite_row **queue = realloc(cache->queue, room * sizeof(struct view_sqlite_row *));
		if (queue == NULL)
			return false;
		cache->queue = queue;
		cache->queue_room = room;
	}
	cache->queue[cache->queue_count++] = row;
	row->queued = true;
	return true;
}

int
view_sqlite_cache_change(struct view_sqlite_cache *cache, const struct table *table, struct view_sqlite_row *row,
			 const struct cell *cells, uint64_t changed, struct fault *fault)
{
	size_t bytes;
	struct cell *copy = copy_cells(table, cells, &bytes);
	if (copy == NULL || (changed != 0 && !enqueue(cache, row))) {
		free(copy);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a row");
	}
	cache->bytes += bytes - row->bytes;
	free(row->cells);
	row->cells = copy;
	row->bytes = bytes;
	row->changed |= changed;
	return 0;
}

static void
row_free(struct view_sqlite_row *row)
{
	free(row->cells);
	free(row);
}

static void
take_from_queue(struct view_sqlite_cache *cache, struct view_sqlite_row *row)
{
	for (size_t i = 0; i < cache->queue_count; i++) {
		if (cache->queue[i] != row)
			continue;
		cache->queue[i] = cache->queue[--cache->queue_count];
		return;
	}
}

void
view_sqlite_cache_forget(struct view_sqlite_cache *cache, struct view_sqlite_row *row)
{
	struct view_sqlite_row **link = &cache->buckets[row->hash & (cache->bucket_count - 1)];
	while (*link != row)
		link = &(*link)->next;
	*link = row->next;
	if (row->queued)
		take_from_queue(cache, row);
	cache->count--;
	cache->bytes -= row->bytes + sizeof(*row);
	row_free(row);
}

void
view_sqlite_cache_forget_table(struct view_sqlite_cache *cache, uint16_t number)
{
	for (size_t i = 0; i < cache->bucket_count && cache->count != 0; i++) {
		struct view_sqlite_row *row = cache->buckets[i], *next;
		for (; row != NULL; row = next) {
			next = row->next;
			if (row->table == number)
				view_sqlite_cache_forget(cache, row);
		}
	}
}

void
view_sqlite_cache_clear(struct view_sqlite_cache *cache)
{
	for (size_t i = 0; i < cache->bucket_count && cache->count != 0; i++) {
		struct view_sqlite_row *row = cache->buckets[i], *next;
		for (; row != NULL; row = next) {
			next = row->next;
			row_free(row);
		}
		cache->buckets[i] = NULL;
	}
	cache->count = cache->bytes = cache->queue_count = 0;
}

void
view_sqlite_cache_fini(struct view_sqlite_cache *cache)
{
	view_sqlite_cache_clear(cache);
	free(cache->buckets);
	free(cache->queue);
	*cache = (struct view_sqlite_cache){ 0 };
}
