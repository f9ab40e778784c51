/* SPDX-License-Identifier: MIT */
/*
 * What makes an entry's digest, link and id [I2]. The byte sequences that are hashed are frozen: stores keep their
 * results.
 *
 * digest = SHA-256("moonlog entry 1", kind, schema version, generation, the ten lengths, the ten parts: stream, type,
 * data, topic, key, headers, correlation, causation, traceparent, actor), cut to 16 bytes.
 * link = SHA-256(link before, digest, position, version, commit first, commit size, recorded at), cut to 16 bytes.
 * Numbers are 8 bytes, little-endian.
 */
#include "model/entry.h"

#include "base/word.h"

struct content {
	enum entry_kind kind;
	uint32_t schema_version;
	uint32_t generation;
	struct slice stream, type, data, topic, key, headers;
	const struct provenance *provenance;
};

static void
cut(struct digest_state *state, struct check *check)
{
	struct digest digest;

	digest_end(state, &digest);
	memcpy(check->bytes, digest.bytes, CHECK_SIZE);
}

static void
add_number(char **at, uint64_t number)
{
	word_put(*at, number);
	*at += 8;
}

static void
digest_content(const struct content *content, struct check *digest)
{
	static const char magic[16] = "moonlog entry 1";
	const struct slice parts[] = { content->stream,
				       content->type,
				       content->data,
				       content->topic,
				       content->key,
				       content->headers,
				       content->provenance->correlation_id,
				       content->provenance->causation_id,
				       content->provenance->traceparent,
				       content->provenance->actor };
	char head[sizeof(magic) + 3 * 8 + countof(parts) * 8], *at = head + sizeof(magic);
	struct digest_state state;

	/* All lengths stand in front, so that most of the hashing is done in few calls. */
	memcpy(head, magic, sizeof(magic));
	add_number(&at, (uint64_t)content->kind);
	add_number(&at, content->schema_version);
	add_number(&at, content->generation);
	for (size_t i = 0; i < countof(parts); i++)
		add_number(&at, parts[i].size);
	digest_init(&state);
	digest_add(&state, head, sizeof(head));
	for (size_t i = 0; i < countof(parts); i++)
		digest_add(&state, parts[i].data, parts[i].size);
	cut(&state, digest);
}

void
entry_digest(const struct new_entry *entry, struct slice stream, uint32_t generation,
	     const struct provenance *provenance, struct check *digest)
{
	struct content content = { entry->kind, entry->schema_version, generation, stream,         entry->type,
				   entry->data, entry->topic,          entry->key, entry->headers, provenance };

	digest_content(&content, digest);
}

void
entry_digest_recorded(const struct recorded_entry *entry, struct check *digest)
{
	struct content content = { entry->kind,    entry->schema_version, entry->generation, entry->stream,
				   entry->type,    entry->data,           entry->topic,      entry->key,
				   entry->headers, &entry->provenance };

	digest_content(&content, digest);
}

void
entry_link(const struct check *before, const struct check *digest, log_position position, stream_version version,
	   log_position commit_first, uint32_t commit_size, int64_t recorded_at_us, struct check *link)
{
	char bytes[2 * CHECK_SIZE + 5 * 8], *at = bytes + 2 * CHECK_SIZE;
	struct digest_state state;

	memcpy(bytes, before->bytes, CHECK_SIZE);
	memcpy(bytes + CHECK_SIZE, digest->bytes, CHECK_SIZE);
	add_number(&at, position);
	add_number(&at, version);
	add_number(&at, commit_first);
	add_number(&at, commit_size);
	add_number(&at, (uint64_t)recorded_at_us);
	digest_init(&state);
	digest_add(&state, bytes, sizeof(bytes));
	cut(&state, link);
}

struct id
entry_id(int64_t recorded_at_us, const struct check *link)
{
	return id_v7(recorded_at_us, link->bytes);
}

bool
check_equal(const struct check *a, const struct check *b)
{
	return memcmp(a->bytes, b->bytes, CHECK_SIZE) == 0;
}
