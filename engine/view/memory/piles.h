/* SPDX-License-Identifier: MIT */
/* What the files of this room share: rows, piles, states, and the port that works on a state. */
#ifndef MOONLOG_VIEW_MEMORY_PILES_H
#define MOONLOG_VIEW_MEMORY_PILES_H

#include <stdatomic.h>

#include "view/view.h"

struct kept { /* a row; immutable */
	atomic_size_t refs;
	struct cell cells[];
};

struct list {
	const struct column_set *set;
	struct kept **items; /* sorted by `set`, then by the key */
};

struct pile {
	atomic_size_t refs;
	const struct table *table;
	bool fresh; /* made for a copy because the table is another than before; until its projection is defined */
	size_t count;
	size_t room;
	size_t list_count;
	struct list lists[]; /* [0] by the key, the others by one unique index each */
};

struct state {
	atomic_size_t refs;
	size_t count;
	struct pile *piles[];
};

/* What a port works on. */
struct window {
	struct state *state; /* NULL outside of a batch or snapshot */
	bool writable;
	struct row_port port;
};

/* MEMORY. Gives -1. */
int view_memory_none_left(struct fault *fault);

/* An empty pile; NULL when memory ran out. */
struct pile *view_memory_pile_make(const struct table *table, size_t room);
/* The same rows for the same table of another program; NULL when memory ran out. */
struct pile *view_memory_pile_share(const struct pile *from, const struct table *table);
/* Ends one reference; so does view_memory_state_drop. Both take NULL. */
void view_memory_pile_drop(struct pile *pile);
/* The row whose key these cells of a whole row name; NULL when there is none. */
struct kept *view_memory_pile_get(const struct pile *pile, const struct cell *cells);
/* Place in lists[0] of the first row after this key (cells of a whole row). */
size_t view_memory_pile_after(const struct pile *pile, const struct cell *cells);
/* Puts a row in place of `old` (NULL: none). Fails: INPUT "duplicate_row"; MEMORY; nothing has changed then. */
int view_memory_pile_replace(struct state *state, uint16_t number, struct kept *old, const struct cell *cells,
			     struct fault *fault);
int view_memory_pile_remove(struct state *state, uint16_t number, struct kept *old, struct fault *fault);

/* A state of `count` piles, not yet filled; NULL when memory ran out. */
struct state *view_memory_state_make(size_t count);
/* Shares the piles. NULL when memory ran out. */
struct state *view_memory_state_copy(const struct state *from);
void view_memory_state_drop(struct state *state);

/* Copies a row into `arena`. */
int view_memory_give(const struct table *table, const struct kept *from, struct arena *arena, struct row *row,
		     struct fault *fault);
void view_memory_window_init(struct window *window, const struct view *view, bool writable);

#endif
