/* SPDX-License-Identifier: MIT */
/*
 * What would come of the parked messages under other rules: they go through the handlers in their order, each on what
 * the ones before it would have left, and nothing is recorded. For the report of a reload, before it is taken.
 */
#ifndef MOONLOG_CORE_REHEARSAL_H
#define MOONLOG_CORE_REHEARSAL_H

#include "core/domain.h"

/* Messages that are told one by one, of a reactor; the others are counted. */
#define REHEARSAL_MAX 200

struct rehearsal {
	struct store *store;
	struct domain *domain;
	struct ruleset *rules;
	const struct script_options *script;
	const struct clock *clock;
};

/*
 * Appends a member "parked" to an open object, when there are parked messages: an array of {"reactor", "letter", "type",
 * "key", "result": "done" | "nothing" | "refused" | "fails" | "waits" | "behind", "text", "events", "messages"}, "more"
 * behind the last that is told. Fails: as reading the store and opening a machine do.
 */
int rehearsal_write(const struct rehearsal *rehearsal, struct buf *out, struct fault *fault);

#endif
