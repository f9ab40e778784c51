/* SPDX-License-Identifier: MIT */
/*
 * A part of a projection made anew: the rows that one stream has made. They are removed and the stream's events, up to
 * where the projection stands, are projected once more, in one transaction. Only for projections whose tables say by
 * `stream_column` which stream a row comes from; the script room holds every handler to that.
 */
#ifndef MOONLOG_CORE_PART_H
#define MOONLOG_CORE_PART_H

#include "core/follow.h"

struct part {
	struct arena arena;
	struct slice id; /* of the stream; empty: that of the row with this key */
	uint16_t table;
	struct cell *key;
};

/*
 * What was asked for, checked. Gives NULL with *fault INPUT "not_by_stream", "bad_part", "no_such_key"; MEMORY. Any
 * thread.
 */
struct part *part_make(const struct script_program *program, const struct script_projection *projection,
		       const struct projection_part *asked, struct fault *fault);
/* `part` may be NULL. */
void part_free(struct part *part);
/*
 * On the projector's thread, with the checkpoint that the projection stands at. `note`: one line about what was done.
 * On failure nothing has changed.
 */
int part_rebuild(struct projector *projector, const struct projection *projection, const struct part *part,
		 const struct view_checkpoint *checkpoint, char *note, size_t note_size, struct fault *fault);

#endif
