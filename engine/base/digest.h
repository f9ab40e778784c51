/* SPDX-License-Identifier: MIT */
/* SHA-256 through libcrypto: the only file of the engine that knows it. */
#ifndef MOONLOG_BASE_DIGEST_H
#define MOONLOG_BASE_DIGEST_H

#include "base/slice.h"

#define DIGEST_SIZE 32

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

/* A running hash; on the stack, no heap after the first use in a thread. */
struct digest_state {
	uint64_t opaque[16];
};

void digest_init(struct digest_state *state);
void digest_add(struct digest_state *state, const void *bytes, size_t size);
/* Length first (8 bytes, little-endian), then the bytes: makes concatenations unambiguous. */
void digest_add_slice(struct digest_state *state, struct slice bytes);
void digest_add_u64(struct digest_state *state, uint64_t number);
void digest_end(struct digest_state *state, struct digest *digest);
void digest_of(struct slice bytes, struct digest *digest);

#endif
