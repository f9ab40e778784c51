/* SPDX-License-Identifier: MIT */
/*
 * The heap of one Lua state: counts every byte, refuses above its cap and above the largest block, and takes small
 * blocks from free lists by size. Owns: its slabs, until alloc_fini. Thread: that of the state, but the pool is shared.
 */
#ifndef MOONLOG_SCRIPT_LUA_ALLOC_H
#define MOONLOG_SCRIPT_LUA_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define ALLOC_GRAIN   ((size_t)64 << 10)
#define ALLOC_SMALL   512 /* largest block of the free lists */
#define ALLOC_STEP    16
#define ALLOC_CLASSES (ALLOC_SMALL / ALLOC_STEP)

/* A cap over all states of a process; they take and give back whole grains. */
struct alloc_pool {
	_Atomic size_t used_bytes;
	_Atomic size_t cap_bytes;
};

/* Why the last refused block was refused: what a memory error reports. */
enum alloc_refusal { ALLOC_NOT_REFUSED, ALLOC_HEAP_CAP, ALLOC_BLOCK_CAP, ALLOC_POOL_CAP, ALLOC_SYSTEM };

struct alloc {
	size_t used_bytes;
	size_t peak_bytes;
	size_t cap_bytes;
	size_t block_bytes;
	size_t granted_bytes; /* taken from the pool */
	struct alloc_pool *pool;
	void *free_blocks[ALLOC_CLASSES];
	void *slabs;
	char *slab_at;
	size_t slab_left;
	enum alloc_refusal refusal;
	/* Called at each refusal, with Lua in the middle of asking: may look at the state, must not change it. */
	void (*on_refusal)(void *owner);
	void *owner;
	unsigned last_stacks; /* blocks of the stack's greatest size, which the cap lets pass: 2 at most */
};

void alloc_init(struct alloc *alloc, size_t cap_bytes, size_t block_bytes, struct alloc_pool *pool);
void alloc_fini(struct alloc *alloc);
/* A lua_Alloc; `self` is the struct alloc. */
void *alloc_lua(void *self, void *block, size_t old_size, size_t new_size);

#endif
