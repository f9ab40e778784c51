/* SPDX-License-Identifier: MIT */
/* The SQLite room of the view's door: views/<domain>.db, WAL, synchronous=NORMAL, one writer connection. */
#ifndef MOONLOG_VIEW_SQLITE_VIEW_SQLITE_H
#define MOONLOG_VIEW_SQLITE_VIEW_SQLITE_H

#include "view/view.h"

/*
 * `path`: the database file, its folder made 0700 when absent. `tables` outlive the view. Fails: CONFIG
 * "not_a_view" (a file of another program), "newer_view"; CORRUPT (delete the file: it is rebuilt from the log).
 */
int view_sqlite_open(const char *path, bool read_only, const struct table *tables, size_t table_count,
		     struct view **view, struct fault *fault);

#endif
