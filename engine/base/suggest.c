/* SPDX-License-Identifier: MIT */
/* Edit distance over two rows; names longer than the rows are never suggested. */
#include "base/suggest.h"

#include <stdio.h>

#define NAME_MAX_BYTES 64

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
distance(struct slice a, struct slice b)
{
	size_t rows[2][NAME_MAX_BYTES + 1];

	for (size_t j = 0; j <= b.size; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.size; i++) {
		size_t *row = rows[i % 2], *above = rows[(i + 1) % 2];
		row[0] = i;
		for (size_t j = 1; j <= b.size; j++) {
			size_t change = above[j - 1] + (a.data[i - 1] != b.data[j - 1]);
			row[j] = least(change, least(above[j], row[j - 1]) + 1);
		}
	}
	return rows[a.size % 2][b.size];
}

void
suggest_start(struct suggest *suggest, struct slice wanted)
{
	/* A third of the letters may differ: more would suggest names that have nothing to do with it. */
	*suggest = (struct suggest){ .wanted = wanted, .distance = wanted.size / 3 + 1 };
}

void
suggest_try(struct suggest *suggest, const char *name)
{
	struct slice text = slice_text(name);

	if (text.size > NAME_MAX_BYTES || suggest->wanted.size > NAME_MAX_BYTES)
		return;
	size_t found = distance(suggest->wanted, text);
	if (found >= suggest->wanted.size)
		return; /* nothing in common */
	if (found < suggest->distance || (found == suggest->distance && suggest->best == NULL)) {
		suggest->distance = found;
		suggest->best = name;
	}
}

const char *
suggest_text(const struct suggest *suggest, char *text, size_t size)
{
	text[0] = '\0';
	if (suggest->best != NULL)
		snprintf(text, size, "; did you mean \"%s\"?", suggest->best);
	return text;
}
