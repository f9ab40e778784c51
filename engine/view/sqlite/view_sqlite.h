/* SPDX-License-Identifier: MIT */
/* The SQLite room of the view's door: one file a read model, WAL, synchronous=NORMAL, one writer connection. */
#ifndef MOONLOG_VIEW_SQLITE_VIEW_SQLITE_H
#define MOONLOG_VIEW_SQLITE_VIEW_SQLITE_H

#include "view/view.h"

/*
 * `path`: the database file, its folder made 0700 when absent. `tables` outlive the view. Fails: CONFIG
 * "not_a_view" (a file of another program), "newer_view"; CORRUPT (delete the file: it is rebuilt from the log).
 */
int view_sqlite_open(const char *path, bool read_only, const struct table *tables, size_t table_count,
		     struct view **view, struct fault *fault);

/*
 * A file that nobody else has open gets another name, its WAL first copied into it. Fails: as view_sqlite_open; BUSY
 * while somebody reads it.
 */
int view_sqlite_rename(const char *from, const char *to, struct fault *fault);
/* The file and what lies beside it. What is not there is no failure. */
int view_sqlite_remove(const char *path, struct fault *fault);

#endif
