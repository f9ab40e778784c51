/* SPDX-License-Identifier: MIT */
/* What recorder.c writes and images.c reads. */
#ifndef MOONLOG_TESTS_CRASH_RECORD_H
#define MOONLOG_TESTS_CRASH_RECORD_H

#include <stdint.h>

enum op_kind {
	OP_NAME = 1,   /* file `file` is called `size` bytes */
	OP_WRITE,      /* `size` bytes at `offset` */
	OP_TRUNCATE,   /* to `offset` bytes */
	OP_SYNC_BEGIN, /* number `offset` */
	OP_SYNC_END,   /* number `offset`: what was written before its beginning is durable */
	OP_UNLINK,
	OP_RENAME, /* `file` becomes file number `offset` */
	OP_ACK     /* position `offset` was acknowledged */
};

struct op {
	uint32_t kind;
	uint32_t file;
	uint64_t offset;
	uint64_t size;
};

#define RECORD_ALIGN 8

static inline uint64_t
record_padding(uint64_t size)
{
	return (RECORD_ALIGN - size % RECORD_ALIGN) % RECORD_ALIGN;
}

#endif
