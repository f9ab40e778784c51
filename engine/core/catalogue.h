/* SPDX-License-Identifier: MIT */
/*
 * Rules against what is recorded: every (aggregate, type, schema version) that the store holds of the domain must have
 * a way to the events of today, and the way must hold on the newest recorded samples of it.
 */
#ifndef MOONLOG_CORE_CATALOGUE_H
#define MOONLOG_CORE_CATALOGUE_H

#include "script/script.h"
#include "store/store.h"

#define CATALOGUE_SAMPLES 8 /* of a kind, at most */

struct catalogue_finding {
	struct slice aggregate; /* without the domain */
	struct slice type;
	uint32_t schema_version;
	struct slice stream;    /* of the sample that failed; empty: there is no path at all */
	stream_version version; /* in it */
	log_position position;  /* of the sample, else of a late event of the kind */
	char code[40];          /* "no_aggregate", "unknown_event", "newer_event", "no_upcast_path", "bad_upcast" ... */
	char text[500];         /* a line for a person: what, where, why */
};

struct catalogue_report {
	/* May be NULL; `finding` borrowed until it returns. One a kind. */
	void (*found)(void *self, const struct catalogue_finding *finding);
	void *self;
	size_t kinds;
	size_t samples;
	size_t findings;
};

/*
 * Cheap: the store's list of kinds, its last entries and one look for each kind that is not among them. `options` as
 * for script_open. Gives 0 when there is no finding. Fails: SCRIPT "history_unread" naming the first finding and how many
 * there are; what reading and opening a machine do.
 */
int catalogue_check(struct store_reader *reader, const struct script_program *program,
		    const struct script_options *options, struct catalogue_report *report, struct fault *fault);

#endif
