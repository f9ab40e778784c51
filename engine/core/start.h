/* SPDX-License-Identifier: MIT */
/* Which rules a domain starts with. */
#ifndef MOONLOG_CORE_START_H
#define MOONLOG_CORE_START_H

#include "core/domain.h"

/*
 * The generation that was active when the store was last used, whatever lies in the folder now: a file may be half
 * saved, and a change of rules is judged by history, which a restart is not. That they differ is logged. A domain that
 * the store does not know begins with its folder, which becomes its first generation.
 *
 * Only while nobody else commits. Gives: rules with their number, held by the caller, and the active record as it
 * stands then. Fails: as reading and loading do; the folder's rules are not at fault when they are not the active ones.
 */
int start_rules(const struct engine_parts *parts, const char *folder, const struct script_options *options,
		struct ruleset **rules, struct active *active, struct fault *fault);

#endif
