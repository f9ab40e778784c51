/* SPDX-License-Identifier: MIT */
/* Hashes that name a command and fingerprint its body [I5]. Frozen: stores keep them. */
#include "model/command_id.h"

struct command_id
command_id_make(struct slice domain, struct slice command, struct slice key)
{
	struct digest_state state;
	struct command_id id;
	struct digest digest;

	digest_init(&state);
	digest_add_slice(&state, SLICE("moonlog command 1"));
	digest_add_slice(&state, domain);
	digest_add_slice(&state, command);
	digest_add_slice(&state, key);
	digest_end(&state, &digest);
	memcpy(id.bytes, digest.bytes, sizeof(id.bytes));
	return id;
}

struct fingerprint
fingerprint_make(struct slice target, struct slice body)
{
	struct fingerprint fingerprint;
	struct digest_state state;
	struct digest digest;

	digest_init(&state);
	digest_add_slice(&state, target);
	digest_add_slice(&state, body);
	digest_end(&state, &digest);
	memcpy(fingerprint.bytes, digest.bytes, sizeof(fingerprint.bytes));
	return fingerprint;
}
