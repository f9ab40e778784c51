/* SPDX-License-Identifier: MIT */
/* On which line a configuration file sets a key: Lua tables do not remember that. */
#ifndef MOONLOG_SCRIPT_LUA_CONFIG_LINES_H
#define MOONLOG_SCRIPT_LUA_CONFIG_LINES_H

#include "base/slice.h"

/* Line of `key` ("log.level") in the text of a chunk; 0 when no table constructor there sets it by name. */
int config_line_of(struct slice source, struct slice key);

#endif
