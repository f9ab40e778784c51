/* SPDX-License-Identifier: MIT */
/*
 * Bump allocation in a chain of blocks, newest first. A block is at least ARENA_BLOCK bytes; larger requests get a
 * block of their own size. Running into the cap or out of memory gives NULL and changes nothing.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK     4096u
#define ARENA_BLOCK_MAX (256u * 1024u)
#define ARENA_ALIGN     16u

struct arena_block {
	struct arena_block *older;
	size_t size; /* of bytes */
	size_t used;
	_Alignas(ARENA_ALIGN) char bytes[];
};

void
arena_init(struct arena *arena, size_t cap_bytes)
{
	*arena = (struct arena){ .cap_bytes = cap_bytes };
}

static void
free_down_to(struct arena *arena, const struct arena_block *keep)
{
	while (arena->blocks != keep) {
		struct arena_block *block = arena->blocks;
		arena->blocks = block->older;
		free(block);
	}
}

void
arena_fini(struct arena *arena)
{
	free_down_to(arena, NULL);
	arena->used_bytes = 0;
}

void
arena_clear(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	if (block != NULL) {
		arena->blocks = block->older;
		free_down_to(arena, NULL);
		if (block->size > ARENA_BLOCK_MAX) {
			free(block);
		} else {
			*block = (struct arena_block){ .size = block->size };
			arena->blocks = block;
		}
	}
	arena->used_bytes = 0;
}

static struct arena_block *
add_block(struct arena *arena, size_t least)
{
	size_t size = ARENA_BLOCK - sizeof(struct arena_block);

	if (arena->blocks != NULL && arena->blocks->size * 2 <= ARENA_BLOCK_MAX)
		size = arena->blocks->size * 2;
	if (size < least)
		size = least;
	struct arena_block *block = malloc(sizeof(*block) + size);
	if (block == NULL)
		return NULL;
	*block = (struct arena_block){ .older = arena->blocks, .size = size };
	arena->blocks = block;
	return block;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t rounded = size != 0 ? (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;

	if (rounded < size || rounded > arena->cap_bytes - arena->used_bytes)
		return NULL;
	if (block == NULL || block->size - block->used < rounded)
		block = add_block(arena, rounded);
	if (block == NULL)
		return NULL;
	void *given = block->bytes + block->used;
	block->used += rounded;
	arena->used_bytes += rounded;
	return given;
}

void *
arena_zero(struct arena *arena, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	void *given = arena_alloc(arena, count * size);
	if (given != NULL)
		memset(given, 0, count * size);
	return given;
}

char *
arena_text(struct arena *arena, struct slice bytes)
{
	char *copy = bytes.size < SIZE_MAX ? arena_alloc(arena, bytes.size + 1) : NULL;

	if (copy == NULL)
		return NULL;
	if (bytes.size != 0)
		memcpy(copy, bytes.data, bytes.size);
	copy[bytes.size] = '\0';
	return copy;
}

struct slice
arena_copy(struct arena *arena, struct slice bytes)
{
	char *copy = arena_text(arena, bytes);

	return slice_from(copy, copy != NULL ? bytes.size : 0);
}

struct slice
arena_format(struct arena *arena, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = size >= 0 ? arena_alloc(arena, (size_t)size + 1) : NULL;
	if (text != NULL)
		vsnprintf(text, (size_t)size + 1, format, again);
	va_end(again);
	return slice_from(text, text != NULL ? (size_t)size : 0);
}

struct arena_mark
arena_mark(const struct arena *arena)
{
	return (struct arena_mark){ arena->blocks, arena->blocks != NULL ? arena->blocks->used : 0, arena->used_bytes };
}

void
arena_reset(struct arena *arena, struct arena_mark mark)
{
	free_down_to(arena, mark.block);
	if (arena->blocks != NULL)
		arena->blocks->used = mark.block_used;
	arena->used_bytes = mark.used_bytes;
}
