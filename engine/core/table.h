/* SPDX-License-Identifier: MIT */
/* A read model's table as it stands: rows by simple filters, in an order, a page at a time. */
#ifndef MOONLOG_CORE_TABLE_H
#define MOONLOG_CORE_TABLE_H

#include "core/engine.h"

/*
 * Appends {"rows":[{column: value ...}],"next":offset or null} from the open rows. Parameters are the asked read's:
 * `order` is columns with commas, each with - before it to descend; any other is a column and the value it must have.
 * Gives: outcome MISSING when there is no such table. Fails: INPUT "unknown_parameter", "bad_parameter"; as find does.
 */
int table_page(const struct row_port *rows, struct engine_read *read, struct arena *arena);

#endif
