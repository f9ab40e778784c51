/* SPDX-License-Identifier: MIT */
/*
 * Promises: no false alarm about a field. A field is one that data lacks when data is a parameter whose schema is
 * known, the name is not declared a second time, and nothing could have put the field there: no assignment, no other
 * name for the same table, no call that got it. A function that is several handlers may read what any of them has.
 *
 * Works on a file's tokens; brackets and blocks are counted, nothing else of the grammar is needed. Where two
 * functions begin on one line, nobody knows which is the handler, so neither is looked at.
 */
#include "script/lua/lint_data.h"

#include <stdio.h>

#include "base/suggest.h"

#define USES_MAX  200
#define DEPTH_MAX 250

struct text {
	const struct lint_data *lint;
	const struct source_file *source;
	const struct token *tokens; /* the last is TOKEN_END */
	size_t count;
};

/* A handler's text: its tokens from `start` up to its `end`. */
struct body {
	const struct text *text;
	const struct lint_shape *shape; /* the first of the function's */
	struct slice data;              /* names of its parameters; empty: none */
	struct slice view;
	size_t start;
	size_t end;
};

/* ---- tokens ---- */

static const struct token *
at(const struct text *text, size_t i)
{
	return &text->tokens[i < text->count ? i : text->count - 1];
}

static bool
is(const struct text *text, size_t i, const char *word)
{
	return token_is(at(text, i), word);
}

static bool
names(const struct text *text, size_t i, struct slice name)
{
	return at(text, i)->kind == TOKEN_NAME && name.size > 0 && slice_equal(at(text, i)->text, name);
}

/* 1 where a bracket or block opens, -1 where it closes. */
static int
turn(const struct text *text, size_t i)
{
	static const char *const opens[] = { "{", "(", "[", "function", "if", "do", "repeat" };
	static const char *const closes[] = { "}", ")", "]", "end", "until" };
	for (size_t k = 0; k < countof(opens); k++)
		if (is(text, i, opens[k]))
			return 1;
	for (size_t k = 0; k < countof(closes); k++)
		if (is(text, i, closes[k]))
			return -1;
	return 0;
}

/* Behind what opens at i, the token that closes it. */
static size_t
closing(const struct text *text, size_t i)
{
	int depth = 0;
	for (; i + 1 < text->count; i++) {
		depth += turn(text, i);
		if (depth == 0)
			return i;
	}
	return text->count - 1;
}

/* The token behind the one at i, or behind all of what opens there. */
static size_t
behind(const struct text *text, size_t i)
{
	return turn(text, i) > 0 ? closing(text, i) + 1 : i + 1;
}

/* The first token of the next item of the table that opens at `table`; *i is that of the one before, or `table`. */
static bool
next_item(const struct text *text, size_t table, size_t *i)
{
	size_t k = *i;
	while (k != table && !is(text, k, ",") && !is(text, k, ";")) {
		if (is(text, k, "}") || at(text, k)->kind == TOKEN_END)
			return false;
		k = behind(text, k);
	}
	*i = k + 1;
	return !is(text, k + 1, "}") && at(text, k + 1)->kind != TOKEN_END;
}

static bool
is_named(const struct text *text, size_t i)
{
	return at(text, i)->kind == TOKEN_NAME && is(text, i + 1, "=");
}

/* ---- findings ---- */

static void
tell(const struct text *text, size_t i, const char *code, const char *reason)
{
	token_tell(text->lint->findings, text->source, at(text, i), FINDING_WARNING, code, reason);
}

/* Does the schema name all fields that there can be? */
static bool
is_closed(const struct schema *schema)
{
	return schema != NULL && schema->type == SCHEMA_OBJECT && !schema->open;
}

static bool
has_field(const struct schema *schema, struct slice name, struct suggest *suggest)
{
	for (size_t i = 0; i < schema->field_count; i++) {
		if (slice_equal(schema->fields[i].name, name))
			return true;
		suggest_try(suggest, schema->fields[i].name.data);
	}
	return false;
}

/* ---- what a handler reads of its data ---- */

static bool
same_function(const struct lint_shape *a, const struct lint_shape *b)
{
	return a->source == b->source && a->line == b->line;
}

static bool
data_is_closed(const struct body *body)
{
	const struct lint_data *lint = body->text->lint;
	for (size_t i = 0; i < lint->shape_count; i++)
		if (same_function(&lint->shapes[i], body->shape) &&
		    (!is_closed(lint->shapes[i].fields) || lint->shapes[i].data != body->shape->data))
			return false;
	return true;
}

static void
check_read(const struct body *body, size_t i)
{
	const struct lint_data *lint = body->text->lint;
	struct slice name = at(body->text, i)->text;
	struct suggest suggest;
	char hint[96], reason[300];
	suggest_start(&suggest, name);
	for (size_t k = 0; k < lint->shape_count; k++)
		if (same_function(&lint->shapes[k], body->shape) && has_field(lint->shapes[k].fields, name, &suggest))
			return;
	suggest_text(&suggest, hint, sizeof hint);
	snprintf(reason, sizeof reason, "data of %s has no field '%.*s'%s", body->shape->whose, SLICE_ARG(name), hint);
	tell(body->text, i, "unknown_field", reason);
}

/* Fields of data, by the tokens of their names. */
struct uses {
	size_t reads[USES_MAX];
	size_t read_count;
	size_t writes[USES_MAX];
	size_t write_count;
};

/* Adds the use of data at i, inside what `open` begins with. Gives false where it may have got more fields. */
static bool
add_use(const struct text *text, size_t i, char open, struct uses *uses)
{
	bool ends = is(text, i + 1, ",") || is(text, i + 1, ";") || is(text, i + 1, "}");
	if (open == '{' && is(text, i - 1, "=") && ends)
		return true; /* { data = data } */
	if (open == '{' && is(text, i + 1, "="))
		return true; /* { data = ... } */
	if (!is(text, i + 1, ".") || uses->read_count == USES_MAX || uses->write_count == USES_MAX)
		return false;
	if (is(text, i + 3, "=") || (open == 'b' && is(text, i + 3, ",")))
		uses->writes[uses->write_count++] = i + 2;
	else
		uses->reads[uses->read_count++] = i + 2;
	return true;
}

static bool
find_uses(const struct body *body, struct uses *uses)
{
	const struct text *text = body->text;
	char open[DEPTH_MAX] = { 'b' };
	size_t depth = 0;
	for (size_t i = body->start; i < body->end; i++) {
		int turned = turn(text, i);
		if (turned > 0 && ++depth == DEPTH_MAX)
			return false;
		if (turned > 0)
			open[depth] = at(text, i)->kind == TOKEN_SYMBOL ? at(text, i)->text.data[0] : 'b';
		if (turned < 0 && depth > 0)
			depth--;
		if (names(text, i, body->data) && !is(text, i - 1, ".") && !is(text, i - 1, ":") &&
		    !add_use(text, i, open[depth], uses))
			return false;
	}
	return true;
}

static void
check_reads(const struct body *body)
{
	struct uses uses = { .read_count = 0 };
	if (!data_is_closed(body) || !find_uses(body, &uses))
		return;
	for (size_t i = 0; i < uses.read_count; i++) {
		bool written = false;
		for (size_t k = 0; k < uses.write_count; k++)
			written |=
				slice_equal(at(body->text, uses.writes[k])->text, at(body->text, uses.reads[i])->text);
		if (!written)
			check_read(body, uses.reads[i]);
	}
}

/* ---- events that a handler gives ---- */

static const struct lint_event *
find_event(const struct lint_data *lint, struct slice name)
{
	const struct lint_event *found = NULL;
	for (size_t i = 0; i < lint->event_count; i++) {
		if (!slice_equal(lint->events[i].name, name))
			continue;
		if (found != NULL)
			return NULL; /* whose it is depends on the stream */
		found = &lint->events[i];
	}
	return found;
}

/* Does the table go straight to who asked: `return { {`? Else something may be put into it. */
static bool
is_returned(const struct text *text, size_t table)
{
	static const char *const stops[] = { "=",    "(",  "[",  "function", "do",   "then",
					     "else", "if", "in", "local",    "until" };
	int depth = 0;
	for (size_t i = table; i > 0; i--) {
		int turned = turn(text, i - 1);
		if (depth == 0 && is(text, i - 1, "return"))
			return true;
		for (size_t k = 0; depth == 0 && k < countof(stops); k++)
			if (is(text, i - 1, stops[k]))
				return false;
		if (turned < 0 || depth > 0)
			depth -= turned;
	}
	return false;
}

/* The table of data at `table`, in an event of this type; `whole`: nothing comes to it later. */
static void
check_given(const struct text *text, const struct lint_event *event, size_t table, bool whole)
{
	bool there[SCHEMA_FIELDS_MAX] = { false }, all = whole;
	char hint[96], reason[300];
	for (size_t i = table; next_item(text, table, &i);) {
		struct slice name = at(text, i)->text;
		struct suggest suggest;
		all = all && is_named(text, i);
		if (!is_named(text, i))
			continue;
		for (size_t k = 0; k < event->fields->field_count; k++)
			there[k] |= slice_equal(event->fields->fields[k].name, name);
		suggest_start(&suggest, name);
		if (has_field(event->fields, name, &suggest))
			continue;
		suggest_text(&suggest, hint, sizeof hint);
		snprintf(reason, sizeof reason, "event '%s' has no field '%.*s'%s", event->name.data, SLICE_ARG(name),
			 hint);
		tell(text, i, "unknown_field", reason);
		all = false; /* it may be the one that is missing */
	}
	for (size_t k = 0; all && k < event->fields->field_count; k++) {
		const struct schema_field *field = &event->fields->fields[k];
		if (there[k] || field->schema.optional || field->schema.preset.size > 0)
			continue;
		snprintf(reason, sizeof reason, "event '%s' lacks the field '%s'", event->name.data, field->name.data);
		tell(text, table, "missing_field", reason);
	}
}

/* { type = "Name", data = { ... } }, with `stream` or without, and nothing else. */
static void
check_event(const struct text *text, size_t table)
{
	const struct lint_event *event = NULL;
	size_t data = 0;
	for (size_t i = table; next_item(text, table, &i);) {
		bool literal = at(text, i + 2)->kind == TOKEN_STRING &&
			       (is(text, i + 3, ",") || is(text, i + 3, ";") || is(text, i + 3, "}"));
		if (!is_named(text, i))
			return;
		if (is(text, i, "type") && literal)
			event = find_event(text->lint, at(text, i + 2)->text);
		else if (is(text, i, "data"))
			data = is(text, i + 2, "{") ? i + 2 : 0;
		else if (!is(text, i, "stream"))
			return;
	}
	/* { ... }.field would be no table of data */
	if (event != NULL && data != 0 && is_closed(event->fields) && !is(text, closing(text, data) + 1, "."))
		check_given(text, event, data, is_returned(text, table));
}

/* ---- columns ---- */

static void
check_column(const struct text *text, const struct table *table, size_t i, struct slice name)
{
	struct suggest suggest;
	char hint[96], reason[300];
	suggest_start(&suggest, name);
	for (size_t k = 0; k < table->column_count; k++) {
		if (slice_equal(table->columns[k].name, name))
			return;
		suggest_try(&suggest, table->columns[k].name.data);
	}
	suggest_text(&suggest, hint, sizeof hint);
	snprintf(reason, sizeof reason, "table '%s' has no column '%.*s'%s", table->name.data, SLICE_ARG(name), hint);
	tell(text, i, "unknown_column", reason);
}

/* { Column = ... } */
static void
check_row(const struct text *text, const struct table *table, size_t row)
{
	for (size_t i = row; next_item(text, row, &i);)
		if (is_named(text, i))
			check_column(text, table, i, at(text, i)->text);
}

/* { "Column", "-Column" } */
static void
check_order(const struct text *text, const struct table *table, size_t order)
{
	for (size_t i = order; next_item(text, order, &i);) {
		struct slice name = at(text, i)->text;
		bool alone = is(text, i + 1, ",") || is(text, i + 1, ";") || is(text, i + 1, "}");
		if (at(text, i)->kind != TOKEN_STRING || !alone)
			continue;
		if (name.size > 0 && name.data[0] == '-')
			name = slice_from(name.data + 1, name.size - 1);
		check_column(text, table, i, name);
	}
}

/* { where = { ... }, order = { ... } } */
static void
check_find(const struct text *text, const struct table *table, size_t options)
{
	for (size_t i = options; next_item(text, options, &i);) {
		if (!is_named(text, i) || !is(text, i + 2, "{"))
			continue;
		if (is(text, i, "where"))
			check_row(text, table, i + 2);
		else if (is(text, i, "order"))
			check_order(text, table, i + 2);
	}
}

/* view.Table:method, at the name of the view. */
static void
check_view(const struct text *text, size_t i)
{
	const struct table *table = NULL;
	const struct lint_data *lint = text->lint;
	if (!is(text, i + 1, ".") || !is(text, i + 3, ":"))
		return;
	for (size_t k = 0; k < lint->table_count; k++)
		if (slice_equal(lint->tables[k].name, at(text, i + 2)->text))
			table = &lint->tables[k];
	if (table == NULL)
		return;
	bool finds = is(text, i + 4, "find") || is(text, i + 4, "count");
	size_t from = is(text, i + 5, "(") ? i + 6 : i + 5, end = closing(text, i + 5);
	for (size_t k = from; k < end; k = behind(text, k)) {
		if (!is(text, k, "{") || (k != from && !is(text, k - 1, ",")))
			continue;
		if (finds)
			check_find(text, table, k);
		else
			check_row(text, table, k);
	}
}

/* ---- functions ---- */

/* Is the name declared once more inside: by local, for, or as a parameter? */
static bool
is_hidden(const struct body *body, struct slice name)
{
	const struct text *text = body->text;
	for (size_t i = body->start; i < body->end; i++) {
		size_t k = i + 1;
		if (!is(text, i, "local") && !is(text, i, "for") && !is(text, i, "function"))
			continue;
		bool function = is(text, i, "function") || is(text, k, "function");
		while (function && k < body->end && !is(text, k, "("))
			k++;
		for (; k < body->end && !is(text, k, "=") && !is(text, k, "in") && !is(text, k, ")"); k++) {
			if (names(text, k, name))
				return true;
			bool goes_on = is(text, k, ",") || is(text, k, "<") || is(text, k, ">");
			if (!function && !goes_on && at(text, k)->kind != TOKEN_NAME)
				break;
		}
	}
	return false;
}

static void
check_body(struct body *body)
{
	const struct text *text = body->text;
	if (body->data.size > 0 && !is_hidden(body, body->data))
		check_reads(body);
	bool viewed = body->view.size > 0 && !is_hidden(body, body->view);
	for (size_t i = body->start; i < body->end; i++) {
		if (body->shape->decides && is(text, i, "{"))
			check_event(text, i);
		if (viewed && names(text, i, body->view) && !is(text, i - 1, ".") && !is(text, i - 1, ":"))
			check_view(text, i);
	}
}

/* The one function that begins on a line; 0: none, or several. */
static size_t
function_on(const struct text *text, int line)
{
	size_t found = 0;
	for (size_t i = 0; i < text->count; i++) {
		if (at(text, i)->line != line || !is(text, i, "function"))
			continue;
		if (found != 0)
			return 0;
		found = i;
	}
	return found;
}

static void
check_function(const struct text *text, const struct lint_shape *shape)
{
	struct body body = { .text = text, .shape = shape };
	size_t function = function_on(text, shape->line), i = function + 1;
	unsigned number = 1;
	if (function == 0)
		return;
	for (; !is(text, i, "("); i++)
		if (at(text, i)->kind == TOKEN_END || is(text, i, ":"))
			return;
	for (i++; !is(text, i, ")") && at(text, i)->kind != TOKEN_END; i++) {
		if (is(text, i, ","))
			number++;
		else if (number == shape->data)
			body.data = at(text, i)->text;
		else if (number == shape->view)
			body.view = at(text, i)->text;
	}
	body.start = i + 1;
	body.end = closing(text, function);
	check_body(&body);
}

static bool
read_tokens(struct text *text)
{
	struct tokens tokens = { .source = text->source->bytes, .line = 1 };
	size_t count = 1;
	while (token_next(&tokens).kind != TOKEN_END)
		count++;
	struct token *list = arena_alloc(text->lint->findings->arena, count * sizeof *list);
	if (list == NULL)
		return false;
	tokens = (struct tokens){ .source = text->source->bytes, .line = 1 };
	for (size_t i = 0; i < count; i++)
		list[i] = token_next(&tokens);
	text->tokens = list;
	text->count = count;
	return true;
}

bool
lint_data_file(const struct lint_data *lint, uint16_t source)
{
	struct text text = { .lint = lint, .source = &lint->sources->items[source] };
	for (size_t i = 0; i < lint->shape_count; i++) {
		const struct lint_shape *shape = &lint->shapes[i];
		bool before = shape->source != source;
		for (size_t k = 0; k < i && !before; k++)
			before = same_function(shape, &lint->shapes[k]);
		if (before)
			continue;
		if (text.tokens == NULL && !read_tokens(&text))
			return false;
		check_function(&text, shape);
	}
	return true;
}
