/* SPDX-License-Identifier: MIT */
/* What editors and linters are told of the sandbox, made from the one allow-list: they cannot disagree with it. */
#ifndef MOONLOG_SCRIPT_LUA_EDITOR_H
#define MOONLOG_SCRIPT_LUA_EDITOR_H

#include "base/buf.h"

/* One file beside a domain's rules; folders of it have names with a dot, so that no rules are looked for there. */
struct editor_file {
	const char *path;
	void (*write)(struct buf *out); /* the whole text; check out->failed */
	bool settings;                  /* the author may have changed it: only what bears EDITOR_MARK is replaced */
};

#define EDITOR_MARK "Made by `moonlog editor`"

const struct editor_file *editor_files(size_t *count);

#endif
