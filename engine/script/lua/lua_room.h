/* SPDX-License-Identifier: MIT */
/* The Lua room of the script's door (PUC Lua 5.4). Exported symbols of the room start with moon_. */
#ifndef MOONLOG_SCRIPT_LUA_LUA_ROOM_H
#define MOONLOG_SCRIPT_LUA_LUA_ROOM_H

#include "script/script.h"

const struct script_ops *moon_ops(void);

#endif
