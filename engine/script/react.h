/* SPDX-License-Identifier: MIT */
/*
 * What reacts: reactors and process managers hear events, messages and timers and answer with commands, messages and
 * timers, all decided in one call, so that core can record the effect and its own place in one append [I6].
 */
#ifndef MOONLOG_SCRIPT_REACT_H
#define MOONLOG_SCRIPT_REACT_H

#include "base/digest.h"
#include "base/slice.h"
#include "model/entry.h"

/* What becomes of a message that its handler cannot take (its own fault, not one that passes). */
enum react_failure {
	REACT_PARK, /* a dead letter; later ones of its key are stored behind it, in order */
	REACT_SKIP, /* a dead letter; later ones go on */
	REACT_HALT  /* nothing more of its lane is taken until somebody decides */
};

/* What is done about versions of a foreign stream (ce_streamversion) that come too early, or again. */
enum react_versions {
	REACT_VERSIONS_IGNORED,
	REACT_VERSIONS_HELD,   /* one that comes too early waits, with its lane, for those before it: at most hold_ms */
	REACT_VERSIONS_SKIPPED /* an older one has no effect; one that is too early is taken and noted */
};

/* A reactor, or a process manager (whose own events and state are those of an aggregate of the same name). */
struct script_reactor {
	struct slice name;
	int aggregate;              /* of the process; -1: a reactor, which has no state */
	const struct slice *topics; /* whose messages it hears; none: only events of its own domain */
	size_t topic_count;
	const struct slice *messages; /* types it handles, as written: script_message_heard */
	size_t message_count;
	/* "aggregate.Event" of its own domain that it handles; an older kind of event of these aggregates may become one */
	const struct slice *events;
	size_t event_count;
	enum react_failure failure;
	unsigned attempts; /* of a message that its handler cannot take; 0 = 3 */
	bool inbox;        /* repeats of an id under new offsets have no effect; true unless said otherwise */
	enum react_versions versions;
	struct digest hash; /* of what it does: its handlers and all that they reach */
};

enum react_cause { REACT_EVENT, REACT_MESSAGE, REACT_TIMER };

/* What a message says of itself, whatever wire it came by. */
struct react_message {
	struct slice type;
	struct slice id; /* unique with `source` */
	struct slice source;
	struct slice subject; /* the foreign stream's id; may be empty */
	struct slice topic;
	struct slice key;
	struct slice data; /* JSON */
	int64_t time_us;
	struct slice correlation_id;
	struct slice traceparent;      /* of W3C; may be empty */
	stream_version stream_version; /* of the foreign stream; 0: not said */
	struct slice sequence;         /* where it stands among those of its source; may be empty */
};

/* What a decision wants to happen later. Setting one of a name moves it. */
struct decided_timer {
	uint32_t stream; /* index into decided->streams */
	struct slice name;
	bool cancel;
	int64_t due_us;
	struct slice data; /* canonical JSON */
};

#endif
