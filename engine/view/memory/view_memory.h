/* SPDX-License-Identifier: MIT */
/* The memory room of the view's door: the contract's executable reading; used by specs and as an oracle. */
#ifndef MOONLOG_VIEW_MEMORY_VIEW_MEMORY_H
#define MOONLOG_VIEW_MEMORY_VIEW_MEMORY_H

#include "view/view.h"

int view_memory_open(const struct table *tables, size_t table_count, struct view **view, struct fault *fault);

#endif
