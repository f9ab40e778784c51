/* SPDX-License-Identifier: MIT */
/* A table from bytes to items; items are never taken out. Keys are borrowed for as long as the table lives. */
#ifndef MOONLOG_STORE_MEMORY_TABLE_H
#define MOONLOG_STORE_MEMORY_TABLE_H

#include "base/slice.h"

struct memory_slot {
	struct slice key;
	void *item; /* NULL: free */
};

struct memory_table {
	struct memory_slot *slots;
	size_t room; /* a power of two, or 0 */
	size_t count;
};

void memory_table_fini(struct memory_table *table);
void *memory_table_get(const struct memory_table *table, struct slice key);
/* Makes sure that the next `more` puts cannot fail. Gives 0, or -1 without memory. */
int memory_table_reserve(struct memory_table *table, size_t more);
/* The key must not be there yet. */
void memory_table_put(struct memory_table *table, struct slice key, void *item);

#endif
