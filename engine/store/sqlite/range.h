/* SPDX-License-Identifier: MIT */
/* A sealed segment's row: what it covers, its Bloom filters, a check over all. */
#ifndef MOONLOG_STORE_SQLITE_RANGE_H
#define MOONLOG_STORE_SQLITE_RANGE_H

#include "store/sqlite/index.h"
#include "store/sqlite/link.h"

#define RANGE_SIZE 72

void range_put(uint8_t bytes[RANGE_SIZE], const struct segment_range *range);
uint32_t range_seal(struct slice range, struct slice names, struct slice streams, struct slice commands);
/* The row under the statement, as SQL_SEGMENTS gives it; NULL without memory. A row that is wrong is `damaged`. */
struct sealed *range_load(sqlite3_stmt *statement);

#endif
