/* SPDX-License-Identifier: MIT */
/*
 * Memory for one unit of work (a request, a batch, a decision): bump allocation, freed all at once.
 * Everything a read or a decision returns lives in the arena that was passed in; there is no free
 * function for values. Thread: one at a time.
 */
#ifndef MOONLOG_BASE_ARENA_H
#define MOONLOG_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used_bytes;          /* given out so far, over all blocks */
	size_t cap_bytes;           /* an allocation that would pass it gives NULL */
};

struct arena_mark {
	struct arena_block *block;
	size_t block_used;
	size_t used_bytes;
};

/* No memory is taken until the first allocation. */
void arena_init(struct arena *arena, size_t cap_bytes);
/* Frees everything; the arena may be used again. */
void arena_fini(struct arena *arena);
/* Forgets everything but keeps one block for the next unit of work. */
void arena_clear(struct arena *arena);

/* 16-byte aligned, not zeroed. Gives NULL when the cap or the system's memory is reached. */
void *arena_alloc(struct arena *arena, size_t size);
/* Zeroed. */
void *arena_zero(struct arena *arena, size_t count, size_t size);
/* A NUL-ended copy; data is NULL when memory ran out (also for an empty slice: never NULL on success). */
struct slice arena_copy(struct arena *arena, struct slice bytes);
char *arena_text(struct arena *arena, struct slice bytes);
struct slice arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct arena_mark arena_mark(const struct arena *arena);
void arena_reset(struct arena *arena, struct arena_mark mark);

#endif
