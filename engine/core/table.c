/* SPDX-License-Identifier: MIT */
/*
 * Values stand as in the table, money in minor units, but for times (ISO 8601), booleans and JSON. What a filter says
 * is read by its column's type; an empty value of a column that may be empty means "is empty".
 */
#include "core/table.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"

#define PAGE_ROWS 100

static int
find_column(const struct table *table, struct slice name)
{
	for (uint16_t i = 0; i < table->column_count; i++)
		if (slice_equal(table->columns[i].name, name))
			return i;
	return -1;
}

static int
bad_value(const struct column *column, struct fault *fault)
{
	static const char *const wanted[] = {
		[COLUMN_TEXT] = "text",
		[COLUMN_INTEGER] = "a whole number",
		[COLUMN_REAL] = "a number",
		[COLUMN_BOOLEAN] = "true or false",
		[COLUMN_MONEY] = "an amount in minor units, a whole number",
		[COLUMN_TIME] = "an ISO 8601 time",
		[COLUMN_JSON] = "JSON as it is stored",
	};

	return fault_set(fault, FAULT_INPUT, "bad_parameter", "%.*s must be %s", SLICE_ARG(column->name),
			 wanted[column->type]);
}

static int
parse_real(struct slice text, double *real)
{
	char copy[64], *end;

	if (text.size == 0 || text.size >= sizeof(copy) || strspn(text.data, "+-.0123456789eE") < text.size)
		return -1;
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	*real = strtod(copy, &end);
	return *end == '\0' && isfinite(*real) ? 0 : -1;
}

static int
parse_time(struct slice text, int64_t *at)
{
	char copy[64];

	if (text.size >= sizeof(copy))
		return -1;
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	return clock_parse(copy, at);
}

static int
parse_filter(const struct column *column, struct slice text, struct filter *filter, struct fault *fault)
{
	struct cell *cell = &filter->value;
	bool fits = true;

	filter->op = FILTER_EQ;
	*cell = (struct cell){ .kind = CELL_INTEGER };
	if (text.size == 0 && column->optional) {
		filter->op = FILTER_IS_NULL;
		*cell = (struct cell){ .kind = CELL_NULL };
		return 0;
	}
	switch (column->type) {
	case COLUMN_TEXT:
	case COLUMN_JSON:
		*cell = (struct cell){ .kind = CELL_TEXT, .text = text };
		break;
	case COLUMN_INTEGER:
	case COLUMN_MONEY:
		fits = slice_to_i64(text, &cell->integer);
		break;
	case COLUMN_TIME:
		fits = parse_time(text, &cell->integer) == 0;
		break;
	case COLUMN_REAL:
		cell->kind = CELL_REAL;
		fits = parse_real(text, &cell->real) == 0;
		break;
	case COLUMN_BOOLEAN:
		cell->integer = slice_equal(text, SLICE("true"));
		fits = cell->integer != 0 || slice_equal(text, SLICE("false"));
		break;
	}
	return fits ? 0 : bad_value(column, fault);
}

static int
parse_orders(const struct table *table, struct slice text, struct order *orders, size_t *count, struct fault *fault)
{
	while (text.size != 0) {
		const char *comma = memchr(text.data, ',', text.size);
		struct slice word = slice_from(text.data, comma != NULL ? (size_t)(comma - text.data) : text.size);
		bool descending = word.size != 0 && word.data[0] == '-';
		int column = find_column(table, slice_from(word.data + descending, word.size - descending));

		if (column < 0 || *count == ROW_KEY_MAX)
			return fault_set(fault, FAULT_INPUT, "bad_parameter",
					 "order takes up to %d columns, not \"%.*s\"", ROW_KEY_MAX, SLICE_ARG(word));
		orders[(*count)++] = (struct order){ (uint16_t)column, descending };
		text = comma != NULL ? slice_from(comma + 1, text.size - word.size - 1) : SLICE_NONE;
	}
	return 0;
}

static void
write_cell(const struct column *column, const struct cell *cell, struct buf *out)
{
	char time[CLOCK_TEXT_SIZE];

	if (cell->kind == CELL_NULL || cell->kind == CELL_UNSET) {
		buf_text(out, "null");
	} else if (column->type == COLUMN_JSON) {
		buf_add(out, cell->text);
	} else if (cell->kind == CELL_TEXT) {
		json_quote(out, cell->text);
	} else if (cell->kind == CELL_REAL) {
		json_real(out, cell->real);
	} else if (column->type == COLUMN_BOOLEAN) {
		buf_text(out, cell->integer != 0 ? "true" : "false");
	} else if (column->type == COLUMN_TIME) {
		clock_format(cell->integer, time);
		json_quote(out, slice_text(time));
	} else {
		buf_i64(out, cell->integer);
	}
}

static void
write_rows(const struct table *table, const struct row *items, size_t count, struct buf *out)
{
	buf_text(out, "{\"rows\":[");
	for (size_t i = 0; i < count; i++) {
		buf_text(out, i != 0 ? ",{" : "{");
		for (uint16_t k = 0; k < table->column_count; k++) {
			if (k != 0)
				buf_byte(out, ',');
			json_quote(out, table->columns[k].name);
			buf_byte(out, ':');
			write_cell(&table->columns[k], &items[i].cells[k], out);
		}
		buf_byte(out, '}');
	}
}

static int
parse_params(const struct engine_read *read, const struct table *table, struct filter *filters, struct order *orders,
	     struct row_query *query, struct fault *fault)
{
	for (size_t i = 0; i < read->param_count; i++) {
		const struct script_param *param = &read->params[i];
		int column = find_column(table, param->name);
		int result;

		if (slice_equal(param->name, SLICE("order"))) {
			result = parse_orders(table, param->value, orders, &query->order_count, fault);
		} else if (column < 0) {
			result = fault_set(fault, FAULT_INPUT, "unknown_parameter", "%.*s: %.*s has no such column",
					   SLICE_ARG(param->name), SLICE_ARG(table->name));
		} else {
			filters[query->filter_count].column = (uint16_t)column;
			result = parse_filter(&table->columns[column], param->value, &filters[query->filter_count++],
					      fault);
		}
		if (result != 0)
			return -1;
	}
	return 0;
}

static int
write_page(const struct row_port *rows, uint16_t number, struct engine_read *read, struct arena *arena)
{
	const struct table *table = &rows->tables[number];
	struct order orders[ROW_KEY_MAX];
	struct filter *filters = arena_alloc(arena, (read->param_count + 1) * sizeof(*filters));
	struct row_query query = { .table = number,
				   .filters = filters,
				   .orders = orders,
				   .limit = read->limit != 0 ? (uint32_t)read->limit : PAGE_ROWS,
				   .offset = (uint32_t)read->from };
	struct row *items = NULL;
	size_t count = 0;

	if (filters == NULL)
		return fault_set(&read->fault, FAULT_MEMORY, "memory", "no memory for a page of rows");
	if (parse_params(read, table, filters, orders, &query, &read->fault) != 0 ||
	    rows->find(rows->self, &query, arena, &items, &count, &read->fault) != 0)
		return -1;
	write_rows(table, items, count, read->out);
	buf_text(read->out, "],\"next\":");
	if (count == query.limit)
		buf_u64(read->out, query.offset + count);
	else
		buf_text(read->out, "null");
	buf_byte(read->out, '}');
	return 0;
}

int
table_page(const struct row_port *rows, struct engine_read *read, struct arena *arena)
{
	struct arena_mark mark = arena_mark(arena);
	uint16_t number = 0;
	int result;

	while (rows != NULL && number < rows->table_count && !slice_equal(rows->tables[number].name, read->query))
		number++;
	if (rows == NULL || number == rows->table_count) {
		read->outcome = OUTCOME_MISSING;
		fault_set(&read->fault, FAULT_INPUT, "no_such_table", "there is no table %.*s", SLICE_ARG(read->query));
		return 0;
	}
	result = write_page(rows, number, read, arena);
	arena_reset(arena, mark);
	return result;
}
