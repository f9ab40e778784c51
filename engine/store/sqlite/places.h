/* SPDX-License-Identifier: MIT */
/*
 * A table of SQL that is an array of ours: positions of the log, so that one statement reads what lies scattered, in
 * the array's order. With a statement for each, what it takes to begin and end one is as much as the reading.
 */
#ifndef MOONLOG_STORE_SQLITE_PLACES_H
#define MOONLOG_STORE_SQLITE_PLACES_H

#include "store/sqlite/find.h"
#include "store/sqlite/link.h"

/* Makes `places(?)` known on the link. Fails: as SQL does. */
int places_open(struct link *link, struct fault *fault);
/* Binds the array; it stays the caller's and is read until the statement is reset. */
void places_bind(sqlite3_stmt *statement, int index, struct positions *positions);

#endif
