/* SPDX-License-Identifier: MIT */
/*
 * Names of streams: domain.aggregate/id.  domain and aggregate: [a-z][a-z0-9_]{0,62}; id: 1 to 200 bytes of
 * [A-Za-z0-9._~:@-].  The id of a stream is what stands after the slash and is what authors and routes see.
 */
#ifndef MOONLOG_MODEL_STREAM_H
#define MOONLOG_MODEL_STREAM_H

#include "base/fault.h"
#include "base/slice.h"

#define STREAM_NAME_MAX 330
#define STREAM_WORD_MAX 63
#define STREAM_ID_MAX   200

typedef uint64_t stream_version; /* 1..n; 0 = the stream has no event */
typedef uint64_t log_position;   /* 1..h; 0 = before the first entry */

struct stream_name {
	struct slice whole;
	struct slice domain;
	struct slice aggregate;
	struct slice id;
};

/* The parts borrow from `text`. Fails: INPUT "bad_stream_name". */
int stream_parse(struct slice text, struct stream_name *name, struct fault *fault);
bool stream_word_ok(struct slice word);
bool stream_id_ok(struct slice id);

/* What the caller believes about a stream before it writes. */
enum expected_kind { EXPECTED_ANY, EXPECTED_NO_STREAM, EXPECTED_EXISTS, EXPECTED_EXACTLY };

struct expected {
	enum expected_kind kind;
	stream_version version; /* EXPECTED_EXACTLY only; 0 means the same as EXPECTED_NO_STREAM */
};

bool expected_holds(struct expected expected, stream_version actual);

#endif
