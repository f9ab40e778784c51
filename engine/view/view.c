/* SPDX-License-Identifier: MIT */
/*
 * The view's door: every call goes through here to the room behind it.
 *
 * The door adds nothing to a call but the view's tables, and the canonical dump, which reads any room through its row
 * port in pages and so is the same text for the same rows wherever they are kept.
 */
#include "view/view.h"

#include "base/buf.h"
#include "base/json.h"
#include "view/rows.h"

void
view_close(struct view *view)
{
	if (view != NULL)
		view->ops->close(view);
}

int
view_define(struct view *view, struct slice projection, const uint8_t hash[32], const uint16_t *numbers, size_t count,
	    struct fault *fault)
{
	return view->ops->define(view, projection, hash, view->tables, numbers, count, fault);
}

int
view_checkpoint(struct view *view, struct slice projection, struct arena *arena, struct view_checkpoint *checkpoint,
		bool *found, struct fault *fault)
{
	return view->ops->checkpoint(view, projection, arena, checkpoint, found, fault);
}

int
view_begin(struct view *view, struct fault *fault)
{
	return view->ops->begin(view, fault);
}

const struct row_port *
view_rows(struct view *view)
{
	return view->ops->rows(view);
}

int
view_savepoint(struct view *view, struct fault *fault)
{
	return view->ops->savepoint(view, fault);
}

int
view_undo(struct view *view, struct fault *fault)
{
	return view->ops->undo(view, fault);
}

int
view_mark(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault)
{
	return view->ops->mark(view, checkpoint, fault);
}

int
view_commit(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault)
{
	return view->ops->commit(view, checkpoint, fault);
}

void
view_rollback(struct view *view)
{
	view->ops->rollback(view);
}

int
view_reset(struct view *view, struct slice projection, const uint16_t *numbers, size_t count, struct fault *fault)
{
	return view->ops->reset(view, projection, view->tables, numbers, count, fault);
}

void
view_idle(struct view *view)
{
	view->ops->idle(view);
}

int
view_copy(struct view *view, const struct view_copy *how, struct view **copy, struct fault *fault)
{
	return view->ops->copy(view, how, copy, fault);
}

int
view_reader_open(struct view *view, struct view_reader **reader, struct fault *fault)
{
	return view->ops->reader_open(view, reader, fault);
}

void
view_reader_close(struct view_reader *reader)
{
	if (reader != NULL)
		reader->view->ops->reader_close(reader);
}

int
view_reader_begin(struct view_reader *reader, struct fault *fault)
{
	return reader->view->ops->reader_begin(reader, fault);
}

const struct row_port *
view_reader_rows(struct view_reader *reader)
{
	return reader->view->ops->reader_rows(reader);
}

void
view_reader_end(struct view_reader *reader)
{
	reader->view->ops->reader_end(reader);
}

static void
dump_row(const struct table *table, const struct row *row, struct buf *out)
{
	buf_byte(out, '[');
	for (uint16_t i = 0; i < table->column_count; i++) {
		const struct cell *cell = &row->cells[i];
		if (i != 0)
			buf_byte(out, ',');
		if (cell->kind == CELL_INTEGER)
			buf_i64(out, cell->integer);
		else if (cell->kind == CELL_REAL)
			buf_format(out, "%.17g", cell->real);
		else if (cell->kind == CELL_TEXT)
			json_quote(out, cell->text);
		else
			buf_text(out, "null");
	}
	buf_text(out, "]\n");
}

/* How many of the last rows of a page share the first key column with the page's last row. */
static uint32_t
same_at_end(const struct row *rows, size_t count, uint16_t column)
{
	uint32_t same = 0;
	while (same < count && rows_compare(&rows[count - 1 - same].cells[column], &rows[count - 1].cells[column]) == 0)
		same++;
	return same;
}

/*
 * Pages start at the first key column's last value instead of at a growing offset, which would make the dump of a
 * large table quadratic; `offset` only steps over rows of that same value.
 */
int
view_dump(const struct row_port *rows, uint16_t number, struct buf *out, struct fault *fault)
{
	const struct table *table = &rows->tables[number];
	uint16_t column = table->key.columns[0];
	struct arena pages[2];
	arena_init(&pages[0], SIZE_MAX);
	arena_init(&pages[1], SIZE_MAX);
	struct filter from = { .column = column, .op = FILTER_GE };
	struct row_query query = { .table = number, .filters = &from, .limit = ROW_LIMIT_MAX };
	int result = -1;
	for (unsigned turn = 0;; turn = 1 - turn) {
		struct row *items = NULL;
		size_t count = 0;
		arena_clear(&pages[turn]);
		if (rows->find(rows->self, &query, &pages[turn], &items, &count, fault) != 0)
			goto out;
		for (size_t i = 0; i < count; i++)
			dump_row(table, &items[i], out);
		if (count < query.limit)
			break;
		uint32_t same = same_at_end(items, count, column);
		bool still = query.filter_count != 0 && same == count;
		query.offset = still ? query.offset + same : same;
		from.value = items[count - 1].cells[column];
		query.filter_count = 1;
	}
	result = out->failed ? fault_set(fault, FAULT_MEMORY, "memory", "no memory for the dump") : 0;
out:
	arena_fini(&pages[0]);
	arena_fini(&pages[1]);
	return result;
}
