/* SPDX-License-Identifier: MIT */
/* Borrowed bytes: a pointer and a length.  Owns nothing, is not NUL-ended, may hold any byte. */
#ifndef MOONLOG_BASE_SLICE_H
#define MOONLOG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *data; /* may be NULL when size is 0 */
	size_t size;
};

/* A slice over a string literal, usable in initialisers. */
#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_NONE     ((struct slice){ NULL, 0 })
/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).size, ((s).data != NULL ? (s).data : "")

#define countof(array)                      (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline struct slice
slice_from(const void *data, size_t size)
{
	return (struct slice){ (const char *)data, size };
}

static inline struct slice
slice_text(const char *text)
{
	return (struct slice){ text, text != NULL ? strlen(text) : 0 };
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Bytewise order, shorter first on a common prefix. Gives <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);
bool slice_starts_with(struct slice text, struct slice prefix);
/* Decimal digits only, no sign, no overflow. Gives false otherwise. */
bool slice_to_u64(struct slice text, uint64_t *number);
/* Its decimal digits, at most 20, without an end; gives their number. */
size_t slice_put_u64(char *to, uint64_t number);
/* Optional sign, decimal digits, fits int64. */
bool slice_to_i64(struct slice text, int64_t *number);
/*
 * 64-bit hash for tables in memory; keyed by `seed`. Stable across processes for equal seed: the store's index uses
 * it.
 */
uint64_t slice_hash(struct slice text, uint64_t seed);

#endif
