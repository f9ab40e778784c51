/* SPDX-License-Identifier: MIT */
/*
 * Checks and comparisons that make every room answer alike.
 *
 * Pure functions over borrowed values: no memory is taken and nothing is kept. A check names table and column in its
 * text, because the person who reads it wrote those names in a rule.
 */
#include "view/rows.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"

static const char *
type_name(enum column_type type)
{
	switch (type) {
	case COLUMN_TEXT:
		return "text";
	case COLUMN_INTEGER:
		return "integer";
	case COLUMN_REAL:
		return "real";
	case COLUMN_BOOLEAN:
		return "boolean";
	case COLUMN_MONEY:
		return "money";
	case COLUMN_TIME:
		return "time";
	case COLUMN_JSON:
		return "json";
	}
	return "?";
}

static const char *
kind_name(const struct cell *cell)
{
	switch (cell->kind) {
	case CELL_INTEGER:
		return "an integer";
	case CELL_REAL:
		return "a real number";
	case CELL_TEXT:
		return "text";
	case CELL_NULL:
	case CELL_UNSET:
		break;
	}
	return "nothing";
}

static bool
is_text(enum column_type type)
{
	return type == COLUMN_TEXT || type == COLUMN_JSON;
}

/* A double holds neither every int64 nor only integers, so neither side may simply be converted. */
static int
compare_mixed(int64_t integer, double real)
{
	if (real >= 9223372036854775808.0)
		return -1;
	if (real < -9223372036854775808.0)
		return 1;
	int64_t whole = (int64_t)real;
	if (integer != whole)
		return integer < whole ? -1 : 1;
	double rest = real - (double)whole;
	return (rest < 0) - (rest > 0);
}

static int
rank(const struct cell *cell)
{
	return cell->kind == CELL_TEXT ? 2 : cell->kind == CELL_INTEGER || cell->kind == CELL_REAL;
}

int
rows_compare(const struct cell *a, const struct cell *b)
{
	int difference = rank(a) - rank(b);
	if (difference != 0 || rank(a) == 0)
		return difference;
	if (a->kind == CELL_TEXT)
		return slice_compare(a->text, b->text);
	if (a->kind == CELL_INTEGER && b->kind == CELL_INTEGER)
		return (a->integer > b->integer) - (a->integer < b->integer);
	if (a->kind == CELL_INTEGER)
		return compare_mixed(a->integer, b->real);
	if (b->kind == CELL_INTEGER)
		return -compare_mixed(b->integer, a->real);
	return (a->real > b->real) - (a->real < b->real);
}

int
rows_compare_by(const struct column_set *set, const struct cell *a, const struct cell *b)
{
	for (uint16_t i = 0; i < set->count; i++) {
		int order = rows_compare(&a[set->columns[i]], &b[set->columns[i]]);
		if (order != 0)
			return order;
	}
	return 0;
}

static bool
same_set(const struct column_set *a, const struct column_set *b)
{
	return a->count == b->count && a->unique == b->unique &&
	       memcmp(a->columns, b->columns, a->count * sizeof(*a->columns)) == 0;
}

bool
rows_same_shape(const struct table *a, const struct table *b)
{
	if (a->column_count != b->column_count || !same_set(&a->key, &b->key))
		return false;
	for (uint16_t i = 0; i < a->column_count; i++) {
		const struct column *left = &a->columns[i], *right = &b->columns[i];
		if (!slice_equal(left->name, right->name) || left->type != right->type ||
		    left->optional != right->optional || !slice_equal(left->currency, right->currency))
			return false;
	}
	return true;
}

bool
rows_same_table(const struct table *a, const struct table *b)
{
	bool same = slice_equal(a->name, b->name) && a->index_count == b->index_count && rows_same_shape(a, b);
	for (uint16_t i = 0; i < a->index_count && same; i++)
		same = same_set(&a->indexes[i], &b->indexes[i]);
	return same;
}

struct cell
rows_stored(const struct column *column, const struct cell *cell)
{
	if (cell->kind == CELL_UNSET)
		return (struct cell){ .kind = CELL_NULL };
	if (column->type == COLUMN_REAL && cell->kind == CELL_INTEGER)
		return (struct cell){ .kind = CELL_REAL, .real = (double)cell->integer };
	return *cell;
}

bool
rows_in_set(const struct column_set *set, uint16_t column)
{
	for (uint16_t i = 0; i < set->count; i++)
		if (set->columns[i] == column)
			return true;
	return false;
}

void
rows_key_of(const struct table *table, const struct cell *cells, struct cell *key)
{
	for (uint16_t i = 0; i < table->key.count; i++)
		key[i] = cells[table->key.columns[i]];
}

static size_t
characters(struct slice text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.size; i++)
		count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
	return count;
}

static bool
fits(const struct column *column, const struct cell *cell)
{
	if (is_text(column->type))
		return cell->kind == CELL_TEXT;
	if (column->type == COLUMN_REAL)
		return cell->kind == CELL_INTEGER || (cell->kind == CELL_REAL && isfinite(cell->real));
	if (column->type == COLUMN_BOOLEAN)
		return cell->kind == CELL_INTEGER && (cell->integer == 0 || cell->integer == 1);
	return cell->kind == CELL_INTEGER;
}

static int
check_cell(const struct table *table, const struct column *column, const struct cell *cell, struct fault *fault)
{
	if (!fits(column, cell))
		return fault_set(fault, FAULT_INPUT, "bad_cell", "table %.*s, column %.*s: %s does not fit type %s",
				 SLICE_ARG(table->name), SLICE_ARG(column->name), kind_name(cell),
				 type_name(column->type));
	if (column->length_max != 0 && cell->kind == CELL_TEXT && characters(cell->text) > column->length_max)
		return fault_set(fault, FAULT_INPUT, "too_long", "table %.*s, column %.*s: longer than %u characters",
				 SLICE_ARG(table->name), SLICE_ARG(column->name), column->length_max);
	return 0;
}

static int
missing(const struct table *table, const struct column *column, struct fault *fault)
{
	return fault_set(fault, FAULT_INPUT, "missing_column", "table %.*s, column %.*s: must not be null",
			 SLICE_ARG(table->name), SLICE_ARG(column->name));
}

static bool
is_null(const struct cell *cell)
{
	return cell->kind == CELL_NULL || cell->kind == CELL_UNSET;
}

int
rows_check_key(const struct table *table, const struct cell *key, struct fault *fault)
{
	for (uint16_t i = 0; i < table->key.count; i++) {
		const struct column *column = &table->columns[table->key.columns[i]];
		if (is_null(&key[i]) || !fits(column, &key[i]))
			return fault_set(fault, FAULT_INPUT, "bad_key",
					 "table %.*s, key column %.*s: %s does not fit type %s", SLICE_ARG(table->name),
					 SLICE_ARG(column->name), kind_name(&key[i]), type_name(column->type));
	}
	return 0;
}

int
rows_check_row(const struct table *table, const struct row *row, struct fault *fault)
{
	for (uint16_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		if (!is_null(&row->cells[i])) {
			if (check_cell(table, column, &row->cells[i], fault) != 0)
				return -1;
		} else if (!column->optional || rows_in_set(&table->key, i)) {
			return missing(table, column, fault);
		}
	}
	return 0;
}

static int
check_key_kept(const struct table *table, const struct cell *key, const struct row *changes, struct fault *fault)
{
	for (uint16_t i = 0; i < table->key.count; i++) {
		uint16_t column = table->key.columns[i];
		const struct cell *cell = &changes->cells[column];
		if (cell->kind != CELL_UNSET && rows_compare(cell, &key[i]) != 0)
			return fault_set(fault, FAULT_INPUT, "key_changed",
					 "table %.*s, column %.*s: an update cannot change the key; delete and insert",
					 SLICE_ARG(table->name), SLICE_ARG(table->columns[column].name));
	}
	return 0;
}

int
rows_check_changes(const struct table *table, const struct cell *key, const struct row *changes, struct fault *fault)
{
	for (uint16_t i = 0; i < table->column_count; i++) {
		const struct cell *cell = &changes->cells[i];
		if (cell->kind == CELL_UNSET)
			continue;
		if (cell->kind != CELL_NULL) {
			if (check_cell(table, &table->columns[i], cell, fault) != 0)
				return -1;
		} else if (!table->columns[i].optional) {
			return missing(table, &table->columns[i], fault);
		}
	}
	return check_key_kept(table, key, changes, fault);
}

int
rows_check_amounts(const struct table *table, const struct row *amounts, struct fault *fault)
{
	for (uint16_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		const struct cell *cell = &amounts->cells[i];
		if (cell->kind == CELL_UNSET)
			continue;
		bool numeric = !is_text(column->type) && column->type != COLUMN_BOOLEAN;
		if (!numeric || rows_in_set(&table->key, i))
			return fault_set(fault, FAULT_INPUT, "bad_cell",
					 "table %.*s, column %.*s: nothing can be added to it", SLICE_ARG(table->name),
					 SLICE_ARG(column->name));
		if (check_cell(table, column, cell, fault) != 0)
			return -1;
	}
	return 0;
}

static int
sum_cell(const struct column *column, const struct cell *before, const struct cell *amount, struct cell *after)
{
	if (column->type == COLUMN_REAL) {
		struct cell added = rows_stored(column, amount);
		after->kind = CELL_REAL;
		after->real = (is_null(before) ? 0.0 : before->real) + added.real;
		return isfinite(after->real) ? 0 : -1;
	}
	after->kind = CELL_INTEGER;
	int64_t base = is_null(before) ? 0 : before->integer;
	return __builtin_add_overflow(base, amount->integer, &after->integer) ? -1 : 0;
}

int
rows_sum(const struct table *table, const struct cell *key, const struct cell *before, const struct row *amounts,
	 struct cell *after, struct fault *fault)
{
	for (uint16_t i = 0; i < table->column_count; i++)
		after[i] = before != NULL ? before[i] : (struct cell){ .kind = CELL_NULL };
	for (uint16_t i = 0; before == NULL && i < table->key.count; i++)
		after[table->key.columns[i]] = key[i];
	for (uint16_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		if (amounts->cells[i].kind == CELL_UNSET)
			continue;
		struct cell old = after[i];
		if (sum_cell(column, &old, &amounts->cells[i], &after[i]) != 0)
			return fault_set(fault, FAULT_INPUT, "overflow",
					 "table %.*s, column %.*s: the sum does not fit", SLICE_ARG(table->name),
					 SLICE_ARG(column->name));
	}
	struct row whole = { after };
	return before != NULL ? 0 : rows_check_row(table, &whole, fault);
}

static bool
comparable(const struct column *column, const struct cell *value)
{
	if (is_null(value))
		return true;
	if (is_text(column->type))
		return value->kind == CELL_TEXT;
	return value->kind == CELL_INTEGER || (value->kind == CELL_REAL && isfinite(value->real));
}

int
rows_check_filters(const struct table *table, const struct filter *filters, size_t count, struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		const struct filter *filter = &filters[i];
		if (filter->column >= table->column_count)
			return fault_set(fault, FAULT_INPUT, "bad_filter",
					 "table %.*s: filter on a column that is not there", SLICE_ARG(table->name));
		const struct column *column = &table->columns[filter->column];
		bool valued = filter->op != FILTER_IS_NULL && filter->op != FILTER_NOT_NULL;
		if (valued && !comparable(column, &filter->value))
			return fault_set(fault, FAULT_INPUT, "bad_filter",
					 "table %.*s, column %.*s: type %s cannot be compared with %s",
					 SLICE_ARG(table->name), SLICE_ARG(column->name), type_name(column->type),
					 kind_name(&filter->value));
		if (filter->op == FILTER_PREFIX && (!is_text(column->type) || is_null(&filter->value)))
			return fault_set(fault, FAULT_INPUT, "bad_filter",
					 "table %.*s, column %.*s: a prefix wants text", SLICE_ARG(table->name),
					 SLICE_ARG(column->name));
	}
	return 0;
}

int
rows_check_query(const struct table *table, const struct row_query *query, bool limited, struct fault *fault)
{
	if (rows_check_filters(table, query->filters, query->filter_count, fault) != 0)
		return -1;
	for (size_t i = 0; i < query->order_count; i++)
		if (query->orders[i].column >= table->column_count)
			return fault_set(fault, FAULT_INPUT, "bad_order",
					 "table %.*s: order by a column that is not there", SLICE_ARG(table->name));
	if (limited && (query->limit < 1 || query->limit > ROW_LIMIT_MAX))
		return fault_set(fault, FAULT_INPUT, "bad_limit", "table %.*s: limit %u is not in 1..%u",
				 SLICE_ARG(table->name), query->limit, ROW_LIMIT_MAX);
	return 0;
}

struct filter
rows_plain(const struct filter *filter)
{
	struct filter plain = *filter;
	if (is_null(&filter->value) && filter->op == FILTER_EQ)
		plain.op = FILTER_IS_NULL;
	if (is_null(&filter->value) && filter->op == FILTER_NE)
		plain.op = FILTER_NOT_NULL;
	return plain;
}

static bool
holds(const struct filter *filter, const struct cell *cell)
{
	struct filter plain = rows_plain(filter);
	if (plain.op == FILTER_IS_NULL || plain.op == FILTER_NOT_NULL)
		return is_null(cell) == (plain.op == FILTER_IS_NULL);
	if (is_null(cell))
		return plain.op == FILTER_NE;
	if (is_null(&plain.value))
		return false;
	if (plain.op == FILTER_PREFIX)
		return slice_starts_with(cell->text, plain.value.text);
	int order = rows_compare(cell, &plain.value);
	switch (plain.op) {
	case FILTER_EQ:
		return order == 0;
	case FILTER_NE:
		return order != 0;
	case FILTER_LT:
		return order < 0;
	case FILTER_LE:
		return order <= 0;
	case FILTER_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

bool
rows_hold(const struct filter *filters, size_t count, const struct cell *cells)
{
	for (size_t i = 0; i < count; i++)
		if (!holds(&filters[i], &cells[filters[i].column]))
			return false;
	return true;
}

int
rows_duplicate(const struct table *table, const struct column_set *set, struct fault *fault)
{
	char columns[256] = "";
	size_t used = 0;
	for (uint16_t i = 0; i < set->count && used < sizeof(columns) - 1; i++) {
		int more = snprintf(columns + used, sizeof(columns) - used, "%s%.*s", i == 0 ? "" : ", ",
				    SLICE_ARG(table->columns[set->columns[i]].name));
		used += more > 0 ? (size_t)more : 0;
	}
	return fault_set(fault, FAULT_INPUT, "duplicate_row", "table %.*s: there is a row with this %s already",
			 SLICE_ARG(table->name), columns);
}

/* ---- as text ---- */

static void
write_cell(const struct column *column, const struct cell *cell, struct buf *out)
{
	if (cell->kind == CELL_INTEGER && column->type == COLUMN_BOOLEAN)
		buf_text(out, cell->integer != 0 ? "true" : "false");
	else if (cell->kind == CELL_INTEGER)
		buf_i64(out, cell->integer);
	else if (cell->kind == CELL_REAL)
		json_real(out, cell->real);
	else if (cell->kind == CELL_TEXT && column->type == COLUMN_JSON)
		buf_add(out, cell->text);
	else if (cell->kind == CELL_TEXT)
		json_quote(out, cell->text);
	else
		buf_text(out, "null");
}

/* The column whose name comes next after that of `last` (-1: the first); -1 when there is none. */
static int
next_column(const struct table *table, int last, bool key_only)
{
	int next = -1;
	for (uint16_t i = 0; i < table->column_count; i++) {
		struct slice name = table->columns[i].name;
		if (key_only && !rows_in_set(&table->key, i))
			continue;
		if ((last < 0 || slice_compare(name, table->columns[last].name) > 0) &&
		    (next < 0 || slice_compare(name, table->columns[next].name) < 0))
			next = i;
	}
	return next;
}

void
rows_write(const struct table *table, const struct cell *cells, bool key_only, struct buf *out)
{
	buf_byte(out, '{');
	for (int i = -1; (i = next_column(table, i, key_only)) >= 0;) {
		json_comma(out);
		json_quote(out, table->columns[i].name);
		buf_byte(out, ':');
		write_cell(&table->columns[i], &cells[i], out);
	}
	buf_byte(out, '}');
}
