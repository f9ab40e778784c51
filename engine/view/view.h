/* SPDX-License-Identifier: MIT */
/*
 * The view's door: read-model tables of one domain, with the checkpoint of each projection kept beside its rows, so
 * that effect and checkpoint move together [I6]. Rebuildable from the log, hence durable only to the last
 * checkpoint.
 *
 * Threads: one writer at a time; readers any number, each used by one thread at a time; a reader sees whole batches.
 */
#ifndef MOONLOG_VIEW_VIEW_H
#define MOONLOG_VIEW_VIEW_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/fault.h"
#include "model/entry.h"
#include "model/table.h"

struct view;
struct view_reader;

/*
 * A projection's place and health, kept in the view. One that has several places keeps more of them under names of its
 * own, "<projection>@...": whatever forgets its checkpoint forgets those too.
 */
struct view_checkpoint {
	struct slice projection;
	log_position position;
	uint8_t hash[32]; /* of the definition its rows were made by; another one: rebuild */
	bool stopped;     /* by a poison event at `poison` */
	log_position poison;
	struct slice reason;
	/* Of the log's entry at `position`, so that rows of another log are known. Unknown where `linked` is false. */
	bool linked;
	struct check link;
};

/* What a copy is for. Borrowed until view_copy returns, but for the tables. */
struct view_copy {
	const char *path;           /* of its file; a room without files does not look */
	const struct table *tables; /* of another program; outlive the copy */
	size_t table_count;
	const _Atomic bool *stop; /* set by anybody: give up; may be NULL */
};

struct view_ops {
	void (*close)(struct view *view);
	/* Makes the tables that are missing. When a table's definition or the projection's hash is another than before,
	 * all tables of the projection are made anew and empty, and its checkpoint is forgotten. */
	int (*define)(struct view *view, struct slice projection, const uint8_t hash[32], const struct table *tables,
		      const uint16_t *numbers, size_t count, struct fault *fault);
	int (*checkpoint)(struct view *view, struct slice projection, struct arena *arena,
			  struct view_checkpoint *checkpoint, bool *found, struct fault *fault);
	int (*begin)(struct view *view, struct fault *fault);
	/* The rows of the open batch; valid until commit or rollback. */
	const struct row_port *(*rows)(struct view *view);
	int (*savepoint)(struct view *view, struct fault *fault); /* so that one entry's effect can be undone alone */
	int (*undo)(struct view *view, struct fault *fault);      /* back to the last savepoint */
	int (*mark)(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault);
	/* A failed commit leaves the batch open: roll it back. Rollback without a batch does nothing. */
	int (*commit)(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault);
	void (*rollback)(struct view *view);
	/* Empties the projection's tables and forgets its checkpoint. */
	int (*reset)(struct view *view, struct slice projection, const struct table *tables, const uint16_t *numbers,
		     size_t count, struct fault *fault);
	/* Housekeeping of the storage in idle moments. */
	void (*idle)(struct view *view);
	int (*copy)(struct view *view, const struct view_copy *how, struct view **copy, struct fault *fault);
	int (*reader_open)(struct view *view, struct view_reader **reader, struct fault *fault);
	void (*reader_close)(struct view_reader *reader);
	/* One snapshot from begin to end; the port refuses writes. */
	int (*reader_begin)(struct view_reader *reader, struct fault *fault);
	const struct row_port *(*reader_rows)(struct view_reader *reader);
	void (*reader_end)(struct view_reader *reader);
};

struct view {
	const struct view_ops *ops;
	const struct table *tables; /* of the domain's program; set by view_open's caller, outlives the view */
	size_t table_count;
};

struct view_reader {
	struct view *view;
};

void view_close(struct view *view);
int view_define(struct view *view, struct slice projection, const uint8_t hash[32], const uint16_t *numbers,
		size_t count, struct fault *fault);
int view_checkpoint(struct view *view, struct slice projection, struct arena *arena, struct view_checkpoint *checkpoint,
		    bool *found, struct fault *fault);
/* A batch: begin, writes through view_rows, commit with the checkpoint that it reached (or rollback). */
int view_begin(struct view *view, struct fault *fault);
const struct row_port *view_rows(struct view *view);
int view_savepoint(struct view *view, struct fault *fault);
int view_undo(struct view *view, struct fault *fault);
/* One more checkpoint of the open batch, beside the one of its commit. Fails: as writing rows does. */
int view_mark(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault);
int view_commit(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault);
void view_rollback(struct view *view);
int view_reset(struct view *view, struct slice projection, const uint16_t *numbers, size_t count, struct fault *fault);
void view_idle(struct view *view);
/*
 * A second view with the rows and checkpoints that the last committed batch left, while the writer goes on and readers
 * read; neither waits. Tables that its program does not have are dropped, with the checkpoint of a projection that had
 * no other; view_define then makes anew what is defined otherwise. What lay at `path` is replaced. Afterwards the two
 * have nothing to do with each other. Fails: FULL, AWAY, CORRUPT, MEMORY, TIMEOUT "copy_stopped"; nothing is left
 * behind then and `view` is as it was. Thread: any but the writer's, while `view` is open.
 */
int view_copy(struct view *view, const struct view_copy *how, struct view **copy, struct fault *fault);
int view_reader_open(struct view *view, struct view_reader **reader, struct fault *fault);
void view_reader_close(struct view_reader *reader);
int view_reader_begin(struct view_reader *reader, struct fault *fault);
const struct row_port *view_reader_rows(struct view_reader *reader);
void view_reader_end(struct view_reader *reader);

/* Canonical dump of a table: one JSON array a row, in key order, for comparing with a replay [I6]. */
struct buf;
int view_dump(const struct row_port *rows, uint16_t table, struct buf *out, struct fault *fault);

#endif
