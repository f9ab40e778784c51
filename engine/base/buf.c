/* SPDX-License-Identifier: MIT */
/* Doubles its memory as it grows; the first append that does not fit sets `failed` and every later one does nothing. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
buf_init(struct buf *buf, size_t cap_bytes)
{
	*buf = (struct buf){ .cap_bytes = cap_bytes };
}

void
buf_fini(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->cap_bytes);
}

void
buf_clear(struct buf *buf)
{
	buf->size = 0;
	buf->failed = false;
}

static bool
fail(struct buf *buf)
{
	buf->failed = true;
	return false;
}

bool
buf_reserve(struct buf *buf, size_t more)
{
	if (buf->failed || buf->size > buf->cap_bytes || more > buf->cap_bytes - buf->size)
		return fail(buf);
	if (more <= buf->room - buf->size)
		return true;
	size_t room = buf->room < 256 ? 256 : buf->room;
	while (room < buf->size + more)
		room = room > SIZE_MAX / 2 ? buf->size + more : room * 2;
	if (room > buf->cap_bytes)
		room = buf->cap_bytes;
	char *data = realloc(buf->data, room);
	if (data == NULL)
		return fail(buf);
	buf->data = data;
	buf->room = room;
	return true;
}

void
buf_add(struct buf *buf, struct slice bytes)
{
	if (bytes.size == 0 || !buf_reserve(buf, bytes.size))
		return;
	memcpy(buf->data + buf->size, bytes.data, bytes.size);
	buf->size += bytes.size;
}

void
buf_byte(struct buf *buf, char byte)
{
	if (buf_reserve(buf, 1))
		buf->data[buf->size++] = byte;
}

void
buf_text(struct buf *buf, const char *text)
{
	buf_add(buf, slice_text(text));
}

void
buf_format(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0 || !buf_reserve(buf, (size_t)size + 1)) {
		buf->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args);
	va_end(args);
	buf->size += (size_t)size;
}

void
buf_u64(struct buf *buf, uint64_t number)
{
	char digits[20];

	buf_add(buf, slice_from(digits, slice_put_u64(digits, number)));
}

void
buf_i64(struct buf *buf, int64_t number)
{
	if (number < 0)
		buf_byte(buf, '-');
	buf_u64(buf, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void
buf_hex(struct buf *buf, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;

	if (size > SIZE_MAX / 2 || !buf_reserve(buf, size * 2)) {
		buf->failed = true;
		return;
	}
	for (size_t i = 0; i < size; i++) {
		buf->data[buf->size++] = digits[from[i] >> 4];
		buf->data[buf->size++] = digits[from[i] & 15];
	}
}
