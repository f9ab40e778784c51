/* SPDX-License-Identifier: MIT */
/*
 * Promises: a state never holds more than its cap (but for Lua's stack at its very end), nor one block above the block
 * cap, nor the process more than the pool's; shrinking and freeing never fail.
 *
 * Blocks up to ALLOC_SMALL come from free lists by size, carved from slabs that live as long as the state: Lua hands
 * back the old size with each call, so no header is needed. Larger blocks are malloc's. Bytes are counted by class.
 * The pool is taken in whole grains, so that states on several threads rarely touch its counter.
 *
 * Fails: by NULL, with the reason in `refusal`; Lua then collects and asks once more before it raises.
 */
#include "script/lua/alloc.h"

#include <lua.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_BYTES ((size_t)32 << 10)

/* A sanitizer sees nothing inside a slab: let malloc have every block then. */
#if defined(__SANITIZE_ADDRESS__)
#define ALLOC_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALLOC_PLAIN 1
#endif
#endif
#ifndef ALLOC_PLAIN
#define ALLOC_PLAIN 0
#endif

struct slab {
	struct slab *next;
	size_t unused; /* keeps what follows on 16 bytes */
};

void
alloc_init(struct alloc *alloc, size_t cap_bytes, size_t block_bytes, struct alloc_pool *pool)
{
	memset(alloc, 0, sizeof *alloc);
	alloc->cap_bytes = cap_bytes;
	alloc->block_bytes = block_bytes;
	alloc->pool = pool;
}

void
alloc_fini(struct alloc *alloc)
{
	struct slab *slab = alloc->slabs;
	while (slab != NULL) {
		struct slab *next = slab->next;
		free(slab);
		slab = next;
	}
	if (alloc->pool != NULL)
		atomic_fetch_sub(&alloc->pool->used_bytes, alloc->granted_bytes);
	memset(alloc, 0, sizeof *alloc);
}

static size_t
counted(size_t size)
{
	return size <= ALLOC_SMALL ? (size + ALLOC_STEP - 1) / ALLOC_STEP * ALLOC_STEP : size;
}

static bool
refuse(struct alloc *alloc, enum alloc_refusal refusal)
{
	alloc->refusal = refusal;
	if (alloc->on_refusal != NULL)
		alloc->on_refusal(alloc->owner);
	return false;
}

static bool
pool_grant(struct alloc *alloc, size_t wanted)
{
	size_t missing = (wanted - alloc->granted_bytes + ALLOC_GRAIN - 1) / ALLOC_GRAIN * ALLOC_GRAIN;
	size_t before = atomic_fetch_add(&alloc->pool->used_bytes, missing);
	if (before + missing > alloc->pool->cap_bytes) {
		atomic_fetch_sub(&alloc->pool->used_bytes, missing);
		return refuse(alloc, ALLOC_POOL_CAP);
	}
	alloc->granted_bytes += missing;
	return true;
}

/* Two grains stay in hand, so that a state around an edge does not take and give all the time. */
static void
pool_return(struct alloc *alloc)
{
	size_t spare = alloc->granted_bytes - alloc->used_bytes;
	if (spare <= 3 * ALLOC_GRAIN)
		return;
	size_t surplus = (spare / ALLOC_GRAIN - 2) * ALLOC_GRAIN;
	alloc->granted_bytes -= surplus;
	atomic_fetch_sub(&alloc->pool->used_bytes, surplus);
}

/*
 * A runaway recursion ends when Lua's stack has its greatest size. Lua copies it on the way, which alone would pass the
 * cap and report memory in the place of "stack overflow" with file and line: two blocks of that size may.
 */
#define LAST_STACK_BYTES ((size_t)LUAI_MAXSTACK * 16)

static bool
is_last_stack(size_t block)
{
	return block >= LAST_STACK_BYTES && block <= LAST_STACK_BYTES + 4096;
}

static bool
may_grow(struct alloc *alloc, size_t more, size_t block)
{
	if (block > alloc->block_bytes)
		return refuse(alloc, ALLOC_BLOCK_CAP);
	size_t wanted = alloc->used_bytes + more;
	bool last_stack = is_last_stack(block) && alloc->last_stacks < 2;
	if (wanted > alloc->cap_bytes + alloc->last_stacks * LAST_STACK_BYTES && !last_stack)
		return refuse(alloc, ALLOC_HEAP_CAP);
	return alloc->pool == NULL || wanted <= alloc->granted_bytes || pool_grant(alloc, wanted);
}

static void
count_change(struct alloc *alloc, size_t before, size_t after)
{
	alloc->used_bytes = alloc->used_bytes - before + after;
	if (is_last_stack(after) && alloc->last_stacks < 2)
		alloc->last_stacks++;
	if (is_last_stack(before) && alloc->last_stacks > 0)
		alloc->last_stacks--;
	if (alloc->used_bytes > alloc->peak_bytes)
		alloc->peak_bytes = alloc->used_bytes;
	if (after < before && alloc->pool != NULL)
		pool_return(alloc);
}

static bool
slab_add(struct alloc *alloc)
{
	struct slab *slab = malloc(SLAB_BYTES);
	if (slab == NULL)
		return false;
	slab->next = alloc->slabs;
	alloc->slabs = slab;
	alloc->slab_at = (char *)(slab + 1);
	alloc->slab_left = SLAB_BYTES - sizeof *slab;
	return true;
}

/* What is left of a slab too short for a block goes to the list it fits. */
static void
slab_drop_rest(struct alloc *alloc)
{
	size_t rest = alloc->slab_left / ALLOC_STEP;
	if (rest == 0)
		return;
	*(void **)(void *)alloc->slab_at = alloc->free_blocks[rest - 1];
	alloc->free_blocks[rest - 1] = alloc->slab_at;
	alloc->slab_left = 0;
}

static void *
block_take(struct alloc *alloc, size_t size)
{
	if (size > ALLOC_SMALL || ALLOC_PLAIN)
		return malloc(size);
	size_t class = (size - 1) / ALLOC_STEP;
	void *block = alloc->free_blocks[class];
	if (block != NULL) {
		alloc->free_blocks[class] = *(void **)block;
		return block;
	}
	size_t need = (class + 1) * ALLOC_STEP;
	if (alloc->slab_left < need) {
		slab_drop_rest(alloc);
		if (!slab_add(alloc))
			return NULL;
	}
	block = alloc->slab_at;
	alloc->slab_at += need;
	alloc->slab_left -= need;
	return block;
}

static void
block_give(struct alloc *alloc, void *block, size_t size)
{
	if (size > ALLOC_SMALL || ALLOC_PLAIN) {
		free(block);
		return;
	}
	size_t class = (size - 1) / ALLOC_STEP;
	*(void **)block = alloc->free_blocks[class];
	alloc->free_blocks[class] = block;
}

static void *
resize(struct alloc *alloc, void *block, size_t old_size, size_t new_size)
{
	size_t before = counted(old_size), after = counted(new_size);
	if (before == after && new_size <= ALLOC_SMALL && !ALLOC_PLAIN)
		return block;
	if (after > before && !may_grow(alloc, after - before, new_size))
		return NULL;
	void *moved;
	if ((old_size > ALLOC_SMALL && new_size > ALLOC_SMALL) || ALLOC_PLAIN) {
		moved = realloc(block, new_size);
	} else {
		moved = block_take(alloc, new_size);
		if (moved != NULL) {
			memcpy(moved, block, old_size < new_size ? old_size : new_size);
			block_give(alloc, block, old_size);
		}
	}
	if (moved == NULL) {
		if (new_size <= old_size) /* a shrink must not fail: the block stays, counted at its new size */
			return block;
		refuse(alloc, ALLOC_SYSTEM);
		return NULL;
	}
	count_change(alloc, before, after);
	return moved;
}

void *
alloc_lua(void *self, void *block, size_t old_size, size_t new_size)
{
	struct alloc *alloc = self;
	if (block == NULL) { /* old_size is then a type, not a size */
		if (new_size == 0 || !may_grow(alloc, counted(new_size), new_size))
			return NULL;
		block = block_take(alloc, new_size);
		if (block == NULL)
			refuse(alloc, ALLOC_SYSTEM);
		else
			count_change(alloc, 0, counted(new_size));
		return block;
	}
	if (new_size == 0) {
		block_give(alloc, block, old_size);
		count_change(alloc, counted(old_size), 0);
		return NULL;
	}
	return resize(alloc, block, old_size, new_size);
}
