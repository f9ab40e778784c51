/* SPDX-License-Identifier: MIT */
/* Which rules a domain starts with: those that decide, and those whose rows are read until theirs are made. */
#ifndef MOONLOG_CORE_START_H
#define MOONLOG_CORE_START_H

#include "core/domain.h"

/*
 * The generation that was active when the store was last used, whatever lies in the folder now: a file may be half
 * saved, and a change of rules is judged by history, which a restart is not. That they differ is logged. A domain that
 * the store does not know begins with its folder, which becomes its first generation. A folder that cannot be read is
 * logged, too, and no obstacle where the store knows the domain.
 *
 * Only while nobody else commits. Gives: rules with their number, held by the caller, and the active record as it
 * stands then. Fails: as reading and loading do; the folder's rules are not at fault when they are not the active ones.
 */
int start_rules(const struct engine_parts *parts, const char *folder, const struct script_options *options,
		struct ruleset **rules, struct active *active, struct fault *fault);

/*
 * The rules by which queries start: those that made the rows which the store has, when `rules`, which decide, have
 * another definition of a projection and are found among the domain's last changes. So a process that ended while rows
 * were made beside, or after that was given up, goes on with whole rows, and the others are made beside again. Else
 * `rules` themselves. Gives: rules held by the caller. Fails: as reading the store and opening views does.
 */
int start_asked(const struct engine_parts *parts, const struct script_options *options, struct ruleset *rules,
		const struct active *active, struct ruleset **asked, struct fault *fault);

#endif
