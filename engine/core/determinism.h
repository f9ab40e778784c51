/* SPDX-License-Identifier: MIT */
/*
 * Do the rules give the same twice [I7]? Every stream is folded in two machines whose hash seeds differ, in another
 * order of streams in each and in one of them after a first time for nothing, and canonical bytes are compared; so are
 * the pieces of old events, and what projections write.
 */
#ifndef MOONLOG_CORE_DETERMINISM_H
#define MOONLOG_CORE_DETERMINISM_H

#include "script/script.h"
#include "store/store.h"
#include "view/view.h"

enum determinism_what { DIFFERS_STATE, DIFFERS_PIECES, DIFFERS_ROWS, RULES_FAIL };

struct determinism_finding {
	enum determinism_what what;
	struct slice projection; /* rows; else empty */
	struct slice stream;
	stream_version version; /* of the first event after which they differ, or at which the rules fail */
	log_position position;
	struct slice type;
	char text[500]; /* one line: what and how */
};

struct determinism {
	/* asked */
	struct store *store;
	const struct script_program *program;
	const struct script_options *options;
	/* Two views of the program's tables, for the projections; closed at the end. NULL: projections are left out. */
	int (*open_view)(const struct table *tables, size_t table_count, struct view **view, struct fault *fault);
	unsigned threads; /* for streams, beside the caller's; 0 = 2 */
	/* Both may be NULL and are called on the caller's thread; a finding is borrowed until it returns. */
	void (*found)(void *self, const struct determinism_finding *finding);
	void (*progress)(void *self, log_position at, log_position head);
	void *self;
	/* answered */
	uint64_t streams;
	uint64_t events; /* folded twice */
	uint64_t projected;
	uint64_t findings;
};

/*
 * Gives 0 also when there are findings: at most one a stream and a projection. Fails: BUG "same_seed" when no two
 * machines with different seeds can be had; what reading the store does.
 */
int determinism_check(struct determinism *check, struct fault *fault);

/*
 * The same for these streams alone, at most `events` of each, on the caller's thread; projections are left out. Neither
 * `progress` nor `threads` matter.
 */
int determinism_streams(struct determinism *check, const struct slice *streams, size_t count, uint64_t events,
			struct fault *fault);

/* Two machines of a program whose order of hashing differs, for the caller to close. Fails: as above, script_open. */
int determinism_open_two(const struct script_program *program, const struct script_options *options,
			 struct script_machine *machines[2], struct fault *fault);
/* Where two texts part, for a person. */
void determinism_say(char *text, size_t size, const char *what, struct slice first, struct slice second);

/* determinism_rows.c: the projections' part, on the caller's thread; `tick` now and then. */
int determinism_rows(struct determinism *check, void (*tick)(void *self), void *self, struct fault *fault);

#endif
