/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 through libcrypto's plain functions: their state lies in ours, so hashing takes no heap and, for the few
 * hundred bytes of an event, half the time of the EVP interface, whose price is in its set-up.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include <assert.h>
#include <openssl/sha.h>

#include "base/word.h"

static_assert(sizeof(SHA256_CTX) <= sizeof(struct digest_state), "the state fits");
static_assert(DIGEST_SIZE == SHA256_DIGEST_LENGTH, "the digest fits");

static SHA256_CTX *
context(struct digest_state *state)
{
	return (SHA256_CTX *)(void *)state->opaque;
}

void
digest_init(struct digest_state *state)
{
	SHA256_Init(context(state));
}

void
digest_add(struct digest_state *state, const void *bytes, size_t size)
{
	if (size != 0)
		SHA256_Update(context(state), bytes, size);
}

void
digest_add_u64(struct digest_state *state, uint64_t number)
{
	unsigned char bytes[8];

	word_put(bytes, number);
	digest_add(state, bytes, sizeof(bytes));
}

void
digest_add_slice(struct digest_state *state, struct slice bytes)
{
	digest_add_u64(state, bytes.size);
	digest_add(state, bytes.data, bytes.size);
}

void
digest_end(struct digest_state *state, struct digest *digest)
{
	SHA256_Final(digest->bytes, context(state));
}

void
digest_of(struct slice bytes, struct digest *digest)
{
	struct digest_state state;

	digest_init(&state);
	digest_add(&state, bytes.data, bytes.size);
	digest_end(&state, digest);
}
