/* SPDX-License-Identifier: MIT */
/*
 * A key becomes a stream: by the stream's column when that is part of the key, else by the row that has the key. Then
 * the rows of that stream go, and its events come again in the order of their versions, which is that of the log.
 */
#include "core/part.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

/* ---- what was asked for ---- */

static int
take_stream(const struct script_program *program, const struct script_projection *projection, struct slice text,
	    struct part *part, struct fault *fault)
{
	struct slice aggregate = program->aggregates[projection->stream_aggregate].name;
	char prefix[2 * STREAM_WORD_MAX + 3];
	snprintf(prefix, sizeof(prefix), "%.*s.%.*s/", SLICE_ARG(program->domain), SLICE_ARG(aggregate));
	struct slice start = slice_text(prefix), id = text;
	if (slice_starts_with(text, start))
		id = slice_from(text.data + start.size, text.size - start.size);
	if (id.size == 0 || memchr(id.data, '/', id.size) != NULL)
		return fault_set(fault, FAULT_INPUT, "bad_part", "\"%.*s\" is no stream of %.*s: %sID or ID is wanted",
				 SLICE_ARG(text), SLICE_ARG(projection->name), prefix);
	part->id = arena_copy(&part->arena, id);
	return part->id.data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for an order");
}

static bool
take_cell(const struct column *column, struct json_value value, struct arena *arena, struct cell *cell)
{
	struct buf text;
	switch (column->type) {
	case COLUMN_TEXT:
		buf_init(&text, (size_t)1 << 20);
		json_decode(value, &text);
		*cell = (struct cell){ .kind = CELL_TEXT, .text = arena_copy(arena, buf_slice(&text)) };
		buf_fini(&text);
		return value.kind == JSON_STRING && cell->text.data != NULL;
	case COLUMN_BOOLEAN:
		*cell = (struct cell){ .kind = CELL_INTEGER, .integer = value.kind == JSON_TRUE };
		return value.kind == JSON_TRUE || value.kind == JSON_FALSE;
	case COLUMN_INTEGER:
	case COLUMN_MONEY:
	case COLUMN_TIME:
		*cell = (struct cell){ .kind = CELL_INTEGER };
		return value.kind == JSON_NUMBER && json_to_i64(value, &cell->integer);
	case COLUMN_REAL:
	case COLUMN_JSON:
		break;
	}
	return false;
}

/* Do the object's members name exactly this table's key? Then its cells are in part->key. */
static bool
fits_key(const struct table *table, struct json_value object, struct part *part)
{
	struct json_iter iter;
	struct json_value item;
	struct slice name;
	uint16_t members = 0, i = 0;
	for (json_iter(&iter, object); json_next(&iter, &name, &item);)
		members++;
	part->key = arena_zero(&part->arena, table->key.count, sizeof(*part->key));
	for (; i < table->key.count && part->key != NULL && members == table->key.count; i++) {
		const struct column *column = &table->columns[table->key.columns[i]];
		if (!json_member(object, column->name, &item) || !take_cell(column, item, &part->arena, &part->key[i]))
			break;
	}
	return part->key != NULL && i == table->key.count;
}

static int
take_key(const struct script_program *program, const struct script_projection *projection, struct slice text,
	 struct part *part, struct fault *fault)
{
	struct json_value object;
	if (json_check(text, &object, fault) != 0)
		return fault_prefix(fault, "key");
	for (size_t i = 0; i < projection->table_count; i++) {
		const struct table *table = &program->tables[projection->tables[i]];
		if (object.kind != JSON_OBJECT || !fits_key(table, object, part))
			continue;
		part->table = projection->tables[i];
		for (uint16_t k = 0; k < table->key.count; k++)
			if (table->key.columns[k] + 1 == table->stream_column)
				part->id = part->key[k].text;
		return 0;
	}
	return fault_set(fault, FAULT_INPUT, "bad_part",
			 "%.*s is the key of no table of %.*s: an object with exactly a key's columns is wanted",
			 SLICE_ARG(text), SLICE_ARG(projection->name));
}

struct part *
part_make(const struct script_program *program, const struct script_projection *projection,
	  const struct projection_part *asked, struct fault *fault)
{
	if (!projection->by_stream) {
		fault_set(fault, FAULT_INPUT, "not_by_stream",
			  "projection %.*s cannot be rebuilt in parts: its tables have no stream_column, so a row may "
			  "depend on any stream; rebuild it whole",
			  SLICE_ARG(projection->name));
		return NULL;
	}
	struct part *part = calloc(1, sizeof(*part));
	if (part == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for an order");
		return NULL;
	}
	arena_init(&part->arena, (size_t)4 << 20);
	int result = asked->stream.size != 0 ? take_stream(program, projection, asked->stream, part, fault)
					     : take_key(program, projection, asked->key, part, fault);
	if (result == 0)
		return part;
	part_free(part);
	return NULL;
}

void
part_free(struct part *part)
{
	if (part == NULL)
		return;
	arena_fini(&part->arena);
	free(part);
}

/* ---- what is done ---- */

struct remaking {
	struct projector *projector;
	const struct projection *projection;
	const struct row_port *rows;
	struct slice id;
	log_position at;
	uint64_t events;
	uint64_t removed;
	uint64_t made;
};

static int
find_id(struct remaking *remaking, const struct part *part, struct arena *arena, struct fault *fault)
{
	const struct table *table = &remaking->rows->tables[part->table];
	struct row row;
	bool found = false;
	remaking->id = part->id;
	if (part->id.size != 0)
		return 0;
	if (remaking->rows->get(remaking->rows->self, part->table, part->key, arena, &row, &found, fault) != 0)
		return -1;
	if (!found)
		return fault_set(fault, FAULT_INPUT, "no_such_key",
				 "%.*s has no row of this key, so nothing says which stream it comes from: name the "
				 "stream",
				 SLICE_ARG(table->name));
	remaking->id = row.cells[table->stream_column - 1].text;
	return 0;
}

static struct filter
rows_of(const struct remaking *remaking, uint16_t number)
{
	return (struct filter){ .column = (uint16_t)(remaking->rows->tables[number].stream_column - 1),
				.op = FILTER_EQ,
				.value = { .kind = CELL_TEXT, .text = remaking->id } };
}

static int
remove_rows(struct remaking *remaking, struct fault *fault)
{
	const struct script_projection *script = remaking->projection->script;
	for (size_t i = 0; i < script->table_count; i++) {
		struct filter filter = rows_of(remaking, script->tables[i]);
		uint64_t removed;
		if (remaking->rows->remove_where(remaking->rows->self, script->tables[i], &filter, 1, &removed,
						 fault) != 0)
			return -1;
		remaking->removed += removed;
	}
	return 0;
}

static int
count_rows(struct remaking *remaking, struct fault *fault)
{
	const struct script_projection *script = remaking->projection->script;
	for (size_t i = 0; i < script->table_count; i++) {
		struct filter filter = rows_of(remaking, script->tables[i]);
		struct row_query query = { .table = script->tables[i], .filters = &filter, .filter_count = 1 };
		uint64_t count;
		if (remaking->rows->count(remaking->rows->self, &query, &count, fault) != 0)
			return -1;
		remaking->made += count;
	}
	return 0;
}

static int
replay(struct remaking *remaking, struct fault *fault)
{
	struct projector *projector = remaking->projector;
	const struct script_program *program = projector->options.program;
	struct slice aggregate = program->aggregates[remaking->projection->script->stream_aggregate].name;
	char name[STREAM_NAME_MAX + 1];
	int size = snprintf(name, sizeof(name), "%.*s.%.*s/%.*s", SLICE_ARG(program->domain), SLICE_ARG(aggregate),
			    SLICE_ARG(remaking->id));
	stream_version from = 1, last = 0;
	if (size < 0 || (size_t)size >= sizeof(name))
		return fault_set(fault, FAULT_INPUT, "bad_part", "the stream's name is too long");
	do {
		struct read_limit limit = { projector->batch, projector->options.batch_bytes };
		struct entries page;
		size_t done, count = 0;
		arena_clear(&projector->page);
		if (store_read_stream(projector->reader, slice_text(name), from, limit, &projector->page, &page, &last,
				      fault) != 0)
			return -1;
		while (count < page.count && page.items[count].position <= remaking->at)
			count++;
		if (count == 0)
			break;
		from = page.items[count - 1].version + 1;
		remaking->events += count;
		if (script_project(projector->machine, remaking->projection->number, remaking->rows, page.items, count,
				   &done, fault) != 0)
			return -1;
	} while (from <= last);
	return 0;
}

int
part_rebuild(struct projector *projector, const struct projection *projection, const struct part *part,
	     const struct view_checkpoint *checkpoint, char *note, size_t note_size, struct fault *fault)
{
	struct view *view = projector->options.view;
	struct remaking remaking = { .projector = projector, .projection = projection, .at = checkpoint->position };
	struct arena arena;
	if (view_begin(view, fault) != 0)
		return -1;
	arena_init(&arena, (size_t)4 << 20);
	remaking.rows = view_rows(view);
	int result = -1;
	if (find_id(&remaking, part, &arena, fault) == 0 && remove_rows(&remaking, fault) == 0 &&
	    replay(&remaking, fault) == 0 && count_rows(&remaking, fault) == 0)
		result = view_commit(view, checkpoint, fault);
	if (result == 0)
		snprintf(note, note_size, "rebuilt the rows of %.*s: %llu events, %llu rows before, %llu now",
			 SLICE_ARG(remaking.id), (unsigned long long)remaking.events,
			 (unsigned long long)remaking.removed, (unsigned long long)remaking.made);
	else
		view_rollback(view);
	arena_fini(&arena);
	return result;
}
