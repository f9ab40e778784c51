/* SPDX-License-Identifier: MIT */
/* Which lines of the rules' functions ran while specs did. */
#ifndef MOONLOG_SCRIPT_LUA_KIT_COVER_H
#define MOONLOG_SCRIPT_LUA_KIT_COVER_H

#include "script/lua/kit_core.h"

/* From now on lines are noted, in the machines of all domains; their calls have no limit of time. 0, or -1 and said. */
int kit_cover_open(struct kit *kit);
/* Prints a line a file and one for all, to standard error. false when fewer than the wanted percentage ran. */
bool kit_cover_tell(struct kit *kit);
void kit_cover_close(struct kit *kit);

#endif
