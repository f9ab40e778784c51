/* SPDX-License-Identifier: MIT */
/* What is different between two JSON values, place by place. */
#ifndef MOONLOG_BASE_DIFF_H
#define MOONLOG_BASE_DIFF_H

#include "base/buf.h"
#include "base/json.h"

/* `before` or `after` is empty where there is nothing at the place. */
struct diff_sink {
	void (*each)(void *self, struct slice path, struct slice before, struct slice after);
	void *self;
};

/* Both canonical (keys in order). `path`: "lines[2].price"; the whole is "". */
void diff_json(struct json_value before, struct json_value after, const struct diff_sink *sink);

#endif
