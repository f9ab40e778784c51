/* SPDX-License-Identifier: MIT */
/*
 * What a change of rules means, and whether it may be: what differs between the two programs, what recorded history
 * says (shadow.h), and the report for people.
 *
 * Under the policy "block" rules are refused when history differs, unless the aggregate's state_version says that a
 * difference is meant and the plan that showed it is accepted; and when not all of history could be asked in the time,
 * unless a part is said to be enough. Rows that differ are told and refuse nothing: a projection is changed to change
 * them, and queries see the new ones only when they are there and compared. One that fails on what a rebuild would
 * give it, where the old one does not, could never serve: it is refused unless the plan is accepted. Under "warn" the
 * same is told, and the rules are taken.
 */
#ifndef MOONLOG_CORE_PLAN_H
#define MOONLOG_CORE_PLAN_H

#include "core/domain.h"

#define PLAN_ID_SIZE 13 /* 12 hexadecimal digits: of the two sets of rules */

struct plan_policy {
	bool warn;
	int64_t box_us; /* for history, when not all of it is asked for */
	unsigned threads;
	const _Atomic unsigned *pressing; /* not 0: something goes first, history is broken off; may be NULL */
	struct slice told; /* members of the report that are known already, without braces; may be empty */
};

/*
 * Asks history as `asked` wants it and writes the report. Gives true when the rules may be taken; else asked->answer,
 * stage and fault say why not: BUSY "broken_off" where something went first. The reloader's thread.
 */
bool plan_judge(const struct engine_parts *parts, const struct script_options *script, const struct plan_policy *policy,
		struct ruleset *before, struct ruleset *after, struct engine_reload *asked);

#endif
