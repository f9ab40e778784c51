/* SPDX-License-Identifier: MIT */
/*
 * Entries through the projections of two programs whose definitions differ, each into scratch rows of its own. Both
 * sides see the same entries: one on which either fails is left out on both.
 */
#ifndef MOONLOG_CORE_SHADOW_PROJECT_H
#define MOONLOG_CORE_SHADOW_PROJECT_H

#include "core/shadow.h"

/* A projection of the new program that has another definition than in the old one, or that the old one has not. */
struct shadow_pair {
	struct slice name;
	int before; /* its number there; -1: it has none */
	uint16_t after;
	uint64_t left_out; /* entries on which the old rules fail, or a call was stopped */
	uint64_t raised;   /* entries on which the new rules fail and the old ones do not */
	bool given_up;     /* that was too often */
	struct {           /* the first of those; texts lie in the arena */
		struct slice stream;
		stream_version version;
		log_position position;
		struct slice type;
		char text[300];
	} first;
};

struct shadow_project {
	const struct shadow_options *options;
	struct arena arena;
	struct script_machine *machines[2];
	struct view *views[2];
	struct shadow_pair *pairs;
	size_t count;
};

/* Which projections differ; none: count is 0 and nothing more is open. Close it also after a failure. */
int shadow_project_open(struct shadow_project *project, const struct shadow_options *options, struct fault *fault);
void shadow_project_close(struct shadow_project *project);
/* Does one of them, by either program, hear events of this aggregate? */
bool shadow_project_hears(const struct shadow_project *project, struct slice aggregate);
/* The next entries, in the log's order. Fails: as views do; what rules raise is no failure. */
int shadow_project_page(struct shadow_project *project, const struct recorded_entry *entries, size_t count,
			struct fault *fault);
/* Compares the rows and appends a JSON array, an object a projection. */
int shadow_project_write(struct shadow_project *project, struct buf *out, uint64_t *rows_differ, struct fault *fault);

#endif
