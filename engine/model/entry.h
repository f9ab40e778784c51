/* SPDX-License-Identifier: MIT */
/*
 * Entries of the log. The log is one sequence of entries numbered by position without gap [I4]. An event is an entry
 * that also has a version in a stream; a message, a document and a timer are entries of a stream that have no version
 * (version 0) and do not move the stream's version.
 *
 * A published event carries its topic: the log is the outbox.
 */
#ifndef MOONLOG_MODEL_ENTRY_H
#define MOONLOG_MODEL_ENTRY_H

#include "base/digest.h"
#include "base/id.h"
#include "model/stream.h"

#define ENTRY_TYPE_MAX        120
#define ENTRY_DATA_MAX        (1024 * 1024)
#define APPEND_ENTRY_MAX      1000
#define MESSAGE_HEADERS_COUNT 50 /* of a message's author; the wire adds its own */

#define CHECK_SIZE 16 /* SHA-256 cut to 128 bits */

struct check {
	uint8_t bytes[CHECK_SIZE];
};

enum entry_kind {
	ENTRY_EVENT = 1,
	ENTRY_MESSAGE = 2,  /* leaves the domain by its topic, is not an event */
	ENTRY_DOCUMENT = 3, /* current state of something that is not event-sourced */
	ENTRY_TIMER = 4
};

/* Where an entry came from. Empty slices and zero are the defaults and cost no byte in the store. */
struct provenance {
	struct slice correlation_id; /* empty: the commit's first event id */
	struct slice causation_id;   /* empty: the command */
	struct slice traceparent;    /* W3C trace context, as received or made */
	struct slice actor;          /* ctx.caller */
};

/* What a decision wants to record. All slices are borrowed by the call that takes it. */
struct new_entry {
	enum entry_kind kind;
	uint32_t stream;         /* index into the append's streams */
	uint32_t schema_version; /* of the type; from 1 */
	struct slice type;
	struct slice data;    /* canonical JSON */
	struct slice topic;   /* empty: not published */
	struct slice key;     /* of the message; empty: the stream's id */
	struct slice headers; /* canonical JSON object; empty: none */
	struct check
		digest; /* entry_digest of this entry; filled by whoever made it (workers hash, the committer links) */
};

/* What the log holds. Every slice lives in the arena that the read was given. */
struct recorded_entry {
	log_position position;
	log_position commit_first; /* position of the first entry of the same commit [I4] */
	uint32_t commit_size;
	enum entry_kind kind;
	struct slice stream;
	stream_version version;
	struct slice type;
	uint32_t schema_version;
	uint32_t generation;    /* of the scripts that decided it [I8]; 0 = none (written through the store door) */
	int64_t recorded_at_us; /* set by the committer, never before the last one */
	struct id id;           /* entry_id: UUIDv7 of time and link; needs no byte in the store */
	struct provenance provenance;
	struct slice data;
	struct slice topic;
	struct slice key;
	struct slice headers;
	struct check digest;
	struct check link;
};

/*
 * The digest of an entry's content: kind, stream name, type, schema version, generation, data, topic, key, headers and
 * provenance, each with its length before it [I2].
 */
void entry_digest(const struct new_entry *entry, struct slice stream, uint32_t generation,
		  const struct provenance *provenance, struct check *digest);
/* The same from what was read, for comparing with `digest`. */
void entry_digest_recorded(const struct recorded_entry *entry, struct check *digest);
/*
 * link = H(link before, digest, position, version, commit_first, commit_size, recorded_at). `before` of entry 1 is
 * zero.
 */
void entry_link(const struct check *before, const struct check *digest, log_position position, stream_version version,
		log_position commit_first, uint32_t commit_size, int64_t recorded_at_us, struct check *link);
/* The event's id: UUIDv7 whose time is recorded_at and whose random part is the link. */
struct id entry_id(int64_t recorded_at_us, const struct check *link);
bool check_equal(const struct check *a, const struct check *b);

#endif
