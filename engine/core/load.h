/* SPDX-License-Identifier: MIT */
/* A stream's events become its state. */
#ifndef MOONLOG_CORE_LOAD_H
#define MOONLOG_CORE_LOAD_H

#include "script/script.h"
#include "store/store.h"

struct loading {
	struct store_reader *reader;
	struct script_machine *machine;
	struct arena *arena; /* for pages; reset after each */
	uint16_t aggregate;
	bool snapshots;        /* a snapshot that fits may stand for the beginning */
	stream_version *begun; /* told, unless NULL: the version from which it was folded */
};

/* The name of a stream of the domain's, as ctx:load says it. Fails: INPUT "bad_stream_id". */
int load_name(const struct script_program *program, uint16_t aggregate, struct slice id, char name[STREAM_NAME_MAX + 1],
	      struct slice *stream, struct fault *fault);
/* The aggregate whose stream it is; -1: none of these rules, or no stream of events. */
int load_aggregate(const struct script_program *program, struct slice stream);

/*
 * Folds the events after *version into *state (0 and 0: from the beginning), up to `last` (0: to the end). Gives the
 * state and the version that it stands at; 0 and 0 when there is no such stream. On failure the state is released and
 * both are 0. Fails: as reads and folds do, naming the stream.
 */
int load_stream(const struct loading *loading, struct slice stream, stream_version last, script_state *state,
		stream_version *version, struct fault *fault);

#endif
