/* SPDX-License-Identifier: MIT */
/* A decision: what it may know, and what it wants to happen. */
#ifndef MOONLOG_SCRIPT_DECISION_H
#define MOONLOG_SCRIPT_DECISION_H

#include "base/arena.h"
#include "base/fault.h"
#include "model/entry.h"
#include "script/react.h"

struct script_route;

/* A text parameter of a path or a query string, percent-decoded. */
struct script_param {
	struct slice name;
	struct slice value;
};

/* What ctx knows. Everything that is not deterministic enters a decision here and nowhere else. */
struct script_context {
	int64_t now_us;
	uint64_t seed[2]; /* ctx:uuid and ctx:random derive from it: the same command decides the same again */
	struct slice caller;
	struct slice correlation_id;
};

/*
 * A decoded state that stays in the machine; 0 = none. Released by script_state_release. A machine that had to stop a
 * call (its time limit, memory) makes itself anew before the next one and drops all states it kept: script_state_held
 * tells, releasing one is fine, and a call with one fails with BUSY "state_gone".
 */
typedef uint64_t script_state;

/* ctx:load: core finds another stream's state at a version. Gives state 0 and version 0 for a stream that is not there
 * (the room then uses `initial`). The state belongs to the decision from then on. */
struct script_loader {
	int (*load)(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version,
		    struct fault *fault);
	void *self;
};

struct decide_request {
	uint16_t aggregate;
	uint16_t command;
	struct slice id;                   /* of the stream, without domain.aggregate/ */
	stream_version version;            /* that `state` stands at */
	script_state state;                /* 0: the stream is not there */
	struct slice body;                 /* JSON object, or empty for none */
	const struct script_param *params; /* become fields of data that the body lacks */
	size_t param_count;
	const struct script_route *route; /* may be NULL: /commands/... */
	struct script_context context;
	struct script_loader loader;
	bool lift_expected; /* an undeclared member "expectedVersion" of the body is an expectation */
};

struct decided_stream {
	struct slice name;      /* whole */
	stream_version version; /* that was read; 0 also where only messages of a reactor go to it */
	bool written;           /* events go to it */
	uint32_t event_count;
	/* After the new events, provisional until the commit; the caller owns it. Of a reactor only where `written`. */
	script_state state;
	bool meta_touched; /* a fold read what only the commit gives (id, position, time): read it once more */
};

enum decision { DECISION_ACCEPTED, DECISION_REFUSED };

struct decided {
	enum decision decision;
	/* also filled when refused: a decision may record events and still refuse */
	struct decided_stream *streams; /* [0] is the command's own */
	size_t stream_count;
	struct new_entry *entries; /* digest not yet filled */
	size_t entry_count;
	struct reservation {
		bool release;
		uint32_t stream;   /* whose command reserves it: index into `streams` */
		struct slice name; /* of the unique set */
		struct slice key;
		struct slice code;    /* of the refusal when it is taken; empty: "already_taken" */
		struct slice message; /* may be empty */
	} * reservations;
	size_t reservation_count;
	struct decided_timer *timers;
	size_t timer_count;
	/* reactions: commands that a rule refused and no `refused` answered; code and message are the last one's */
	uint32_t refused;
	uint16_t status;    /* HTTP status of the answer */
	struct slice reply; /* JSON body of the answer; empty when the rule gave none */
	struct slice code;  /* refused: the rule's code */
	struct slice message;
	struct slice details; /* refused: canonical JSON object or empty */
	bool has_expected;
	struct expected expected; /* lifted from the body */
};

/*
 * Something was heard, by a reactor or process (EVENT, MESSAGE), or a timer of a stream is due (TIMER: the aggregate's
 * `timers`, or the process's). Every stream that an action touches is asked of the loader, the process's own too.
 */
struct react_request {
	enum react_cause cause;
	uint16_t reactor;                   /* EVENT, MESSAGE: into the program's reactors */
	const struct recorded_entry *event; /* EVENT: as recorded; it passes its upcasters */
	const struct react_message *message;
	uint16_t aggregate; /* TIMER */
	struct slice id;
	struct slice timer;
	struct slice data;
	struct script_context context;
	struct script_loader loader;
};

#endif
