/* SPDX-License-Identifier: MIT */
/* A configuration file: one Lua chunk that returns a table, run alone in a bare state without any library. */
#ifndef MOONLOG_SCRIPT_LUA_CONFIG_FILE_H
#define MOONLOG_SCRIPT_LUA_CONFIG_FILE_H

#include "base/fault.h"

/* EMPTY: a table that holds nothing. */
enum moon_config_kind {
	MOON_CONFIG_TEXT,
	MOON_CONFIG_INTEGER,
	MOON_CONFIG_REAL,
	MOON_CONFIG_BOOLEAN,
	MOON_CONFIG_EMPTY
};

struct moon_config_value {
	enum moon_config_kind kind;
	bool item; /* one of a list: the same key is told once for each */
	struct slice text;
	int64_t integer;
	bool boolean;
	int line; /* of the key; 0 when it cannot be told */
};

/* `key` is the path, "log.level"; both slices are borrowed until it returns. Anything but 0 ends the reading. */
struct moon_config_sink {
	int (*each)(void *self, struct slice key, const struct moon_config_value *value, struct fault *fault);
	void *self;
};

/*
 * Tells every value in order of lines. Fails: CONFIG "bad_configuration" with "file:line: reason" (not Lua, no table, a
 * value of no kind above, too long a run), "configuration_missing"; what the sink gave.
 */
int moon_config_read(const char *path, const struct moon_config_sink *sink, struct fault *fault);

#endif
