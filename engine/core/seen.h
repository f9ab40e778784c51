/* SPDX-License-Identifier: MIT */
/* Streams that were met: eight bytes each, by the hash of the name. One thread. */
#ifndef MOONLOG_CORE_SEEN_H
#define MOONLOG_CORE_SEEN_H

#include <stddef.h>

#include "base/slice.h"

struct seen {
	uint64_t *slots; /* 0: empty */
	size_t room;     /* a power of two */
	size_t count;
};

/* *fresh: it was not met before. Gives false where memory ran out. */
bool seen_add(struct seen *seen, uint64_t hash, bool *fresh);
void seen_fini(struct seen *seen);

#endif
