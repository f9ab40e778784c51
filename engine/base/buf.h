/* SPDX-License-Identifier: MIT */
/*
 * A growable byte buffer with a hard cap and a sticky failure flag: append freely, look at `failed` once at the end.
 * Owns: its memory, until buf_fini. Thread: one at a time.
 */
#ifndef MOONLOG_BASE_BUF_H
#define MOONLOG_BASE_BUF_H

#include "base/slice.h"

struct buf {
	char *data;
	size_t size;
	size_t room;
	size_t cap_bytes;
	bool failed; /* cap or memory reached; later appends do nothing */
};

void buf_init(struct buf *buf, size_t cap_bytes);
void buf_fini(struct buf *buf);
/* Keeps the memory, forgets the bytes and the failure. */
void buf_clear(struct buf *buf);
/* Room for `more` bytes at data + size; false (and failed) when it cannot be had. */
bool buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, struct slice bytes);
void buf_byte(struct buf *buf, char byte);
void buf_text(struct buf *buf, const char *text);
void buf_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_u64(struct buf *buf, uint64_t number);
void buf_i64(struct buf *buf, int64_t number);
/* Lower-case hexadecimal. */
void buf_hex(struct buf *buf, const void *bytes, size_t size);

static inline struct slice
buf_slice(const struct buf *buf)
{
	return slice_from(buf->data, buf->size);
}

#endif
