/* SPDX-License-Identifier: MIT */
/*
 * A hash table with linear probing, at most half full.
 * Fails: only memory_table_reserve, and then it has changed nothing.
 */
#include "store/memory/table.h"

#include <stdlib.h>

#include "base/fault.h"

void
memory_table_fini(struct memory_table *table)
{
	free(table->slots);
	*table = (struct memory_table){ NULL, 0, 0 };
}

static struct memory_slot *
find(const struct memory_table *table, struct slice key)
{
	size_t at = (size_t)slice_hash(key, 0) & (table->room - 1);

	while (table->slots[at].item != NULL && !slice_equal(table->slots[at].key, key))
		at = (at + 1) & (table->room - 1);
	return &table->slots[at];
}

void *
memory_table_get(const struct memory_table *table, struct slice key)
{
	return table->room == 0 ? NULL : find(table, key)->item;
}

int
memory_table_reserve(struct memory_table *table, size_t more)
{
	struct memory_table wider = { NULL, table->room != 0 ? table->room : 64, 0 };

	while (wider.room < (table->count + more) * 2)
		wider.room *= 2;
	if (wider.room == table->room)
		return 0;
	wider.slots = calloc(wider.room, sizeof(*wider.slots));
	if (wider.slots == NULL)
		return -1;
	for (size_t i = 0; i < table->room; i++)
		if (table->slots[i].item != NULL)
			memory_table_put(&wider, table->slots[i].key, table->slots[i].item);
	free(table->slots);
	*table = wider;
	return 0;
}

void
memory_table_put(struct memory_table *table, struct slice key, void *item)
{
	struct memory_slot *slot;

	must((table->count + 1) * 2 <= table->room);
	slot = find(table, key);
	must(slot->item == NULL);
	*slot = (struct memory_slot){ key, item };
	table->count++;
}
