/* SPDX-License-Identifier: MIT */
/* "did you mean": the nearest of a list of names to one that is unknown. */
#ifndef MOONLOG_BASE_SUGGEST_H
#define MOONLOG_BASE_SUGGEST_H

#include "base/slice.h"

struct suggest {
	struct slice wanted;
	const char *best; /* NULL: nothing near enough */
	size_t distance;
};

void suggest_start(struct suggest *suggest, struct slice wanted);
/* Looks at one more name; it must live as long as the answer is used. */
void suggest_try(struct suggest *suggest, const char *name);
/* "; did you mean \"listen\"?" or "" into `text`. Gives text. */
const char *suggest_text(const struct suggest *suggest, char *text, size_t size);

#endif
