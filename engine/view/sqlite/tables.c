/* SPDX-License-Identifier: MIT */
/*
 * Definitions: the author's tables, under the author's names, so that anybody with sqlite3 can read them.
 *
 * The text that made a table is kept in moonlog_tables beside the projection it belongs to. A table whose text is
 * another now, or a projection whose hash is another, means that rows were made by rules that are no more: all
 * tables of that projection are dropped and made empty and its checkpoint goes with them, in one transaction. A
 * table that no projection has any more is dropped at the next opening.
 *
 * Fails: CONFIG "bad_table" for names that SQLite or this room needs for itself or that differ only by case.
 */
#include <stdio.h>

#include "view/sqlite/inside.h"

static const char *
storage_of(enum column_type type)
{
	switch (type) {
	case COLUMN_TEXT:
	case COLUMN_JSON:
		return "TEXT";
	case COLUMN_REAL:
		return "REAL";
	case COLUMN_INTEGER:
	case COLUMN_BOOLEAN:
	case COLUMN_MONEY:
	case COLUMN_TIME:
		break;
	}
	return "INTEGER";
}

static bool
is_word(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			return false;
	}
	return text.size != 0;
}

/* SQLite keeps comments in its schema: what `.schema` prints tells a person how to read the column. */
static void
add_remark(struct buf *sql, const struct column *column)
{
	if (column->type == COLUMN_MONEY && is_word(column->currency))
		buf_format(sql, " /* money: minor units of \"%.*s\" */", SLICE_ARG(column->currency));
	else if (column->type == COLUMN_MONEY)
		buf_text(sql, " /* money: minor units */");
	else if (column->type == COLUMN_TIME)
		buf_text(sql, " /* time: microseconds since 1970 */");
	else if (column->type == COLUMN_BOOLEAN)
		buf_text(sql, " /* boolean: 0 or 1 */");
	else if (column->type == COLUMN_JSON)
		buf_text(sql, " /* json */");
}

static void
add_names(struct buf *sql, const struct table *table, const struct column_set *set)
{
	for (uint16_t i = 0; i < set->count; i++) {
		if (i != 0)
			buf_text(sql, ", ");
		view_sqlite_quote(sql, table->columns[set->columns[i]].name);
	}
}

/* An index is named after what it holds, e.g. "Balances(AccountNumber)", which no table can be called. */
static void
add_index(struct buf *sql, const struct table *table, const struct column_set *set)
{
	char name[1000];
	size_t used = (size_t)snprintf(name, sizeof(name), "%.*s(", SLICE_ARG(table->name));
	for (uint16_t i = 0; i < set->count && used < sizeof(name); i++)
		used += (size_t)snprintf(name + used, sizeof(name) - used, "%s%.*s", i != 0 ? "," : "",
					 SLICE_ARG(table->columns[set->columns[i]].name));
	if (used < sizeof(name))
		snprintf(name + used, sizeof(name) - used, ")");
	buf_text(sql, set->unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ");
	view_sqlite_quote(sql, slice_text(name));
	buf_text(sql, " ON ");
	view_sqlite_quote(sql, table->name);
	buf_text(sql, " (");
	add_names(sql, table, set);
	buf_text(sql, ");\n");
}

/*
 * Rows lie in the order they came, keys in an index of their own: a key is mostly random text, and a random place
 * in a small index costs fewer page writes than one among whole rows (measured: 1.5 times the rate).
 */
static void
add_definition(struct buf *sql, const struct table *table)
{
	buf_text(sql, "CREATE TABLE ");
	view_sqlite_quote(sql, table->name);
	buf_text(sql, " (\n");
	for (uint16_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		buf_byte(sql, '\t');
		view_sqlite_quote(sql, column->name);
		buf_format(sql, " %s%s", storage_of(column->type), column->optional ? "" : " NOT NULL");
		add_remark(sql, column);
		buf_text(sql, ",\n");
	}
	buf_text(sql, "\tPRIMARY KEY (");
	add_names(sql, table, &table->key);
	buf_text(sql, ")\n) STRICT;\n");
	for (uint16_t i = 0; i < table->index_count; i++)
		add_index(sql, table, &table->indexes[i]);
}

/* Texts of `moonlog_tables`; the slices live until the statement is reset. */
static int
recorded(struct view_sqlite_connection *connection, struct slice table, sqlite3_stmt **statement,
	 struct slice *projection, struct slice *definition, struct fault *fault)
{
	struct cell name = { .kind = CELL_TEXT, .text = table }, cells[2];
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "SELECT projection, definition FROM moonlog_tables WHERE name = ?");
	*statement = view_sqlite_by_text(connection, fault);
	if (*statement == NULL)
		return -1;
	view_sqlite_bind(*statement, 1, NULL, &name);
	int code = sqlite3_step(*statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		sqlite3_reset(*statement);
		return view_sqlite_fault(connection, code, fault);
	}
	*projection = *definition = SLICE_NONE;
	if (code == SQLITE_ROW) {
		view_sqlite_columns(*statement, 2, cells);
		*projection = cells[0].text;
		*definition = cells[1].text;
	}
	return 0;
}

static int
is_same(struct view_sqlite_connection *connection, struct slice projection, const struct table *table, bool *same,
	struct fault *fault)
{
	struct slice owner, definition;
	sqlite3_stmt *statement;
	struct buf wanted;
	if (recorded(connection, table->name, &statement, &owner, &definition, fault) != 0)
		return -1;
	buf_init(&wanted, 1024 * 1024);
	add_definition(&wanted, table);
	*same = slice_equal(owner, projection) && slice_equal(definition, buf_slice(&wanted));
	sqlite3_reset(statement);
	int result = wanted.failed ? fault_set(fault, FAULT_MEMORY, "memory", "no memory for a definition") : 0;
	buf_fini(&wanted);
	return result;
}

/* Runs connection->sql, a statement with one text parameter each. */
static int
run_named(struct view_sqlite_connection *connection, struct slice name, struct fault *fault)
{
	struct cell cell = { .kind = CELL_TEXT, .text = name };
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	view_sqlite_bind(statement, 1, NULL, &cell);
	int code = view_sqlite_run(statement);
	return code == SQLITE_OK ? 0 : view_sqlite_fault(connection, code, fault);
}

static int
drop_table(struct view_sqlite_connection *connection, struct slice name, struct fault *fault)
{
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "DROP TABLE IF EXISTS ");
	view_sqlite_quote(&connection->sql, name);
	buf_byte(&connection->sql, '\0');
	if (connection->sql.failed || view_sqlite_execute(connection, connection->sql.data, fault) != 0)
		return -1;
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "DELETE FROM moonlog_tables WHERE name = ?");
	return run_named(connection, name, fault);
}

static int
check_names(const struct table *table, struct fault *fault)
{
	bool reserved = table->name.size >= 7 && (sqlite3_strnicmp(table->name.data, "sqlite_", 7) == 0);
	reserved = reserved || (table->name.size >= 8 && sqlite3_strnicmp(table->name.data, "moonlog_", 8) == 0);
	bool broken = table->name.size == 0 || memchr(table->name.data, '\0', table->name.size) != NULL;
	if (reserved || broken)
		return fault_set(fault, FAULT_CONFIG, "bad_table", "table %.*s: this name cannot be used",
				 SLICE_ARG(table->name));
	for (uint16_t i = 0; i < table->column_count; i++) {
		struct slice name = table->columns[i].name;
		if (name.size == 0 || memchr(name.data, '\0', name.size) != NULL)
			return fault_set(fault, FAULT_CONFIG, "bad_table", "table %.*s: a column's name cannot be used",
					 SLICE_ARG(table->name));
	}
	return 0;
}

static int
make_table(struct view_sqlite_connection *connection, struct slice projection, const struct table *table,
	   struct fault *fault)
{
	struct slice owner, definition;
	sqlite3_stmt *statement;
	if (check_names(table, fault) != 0 ||
	    recorded(connection, table->name, &statement, &owner, &definition, fault) != 0)
		return -1;
	bool known = owner.data != NULL;
	sqlite3_reset(statement);
	if (known && drop_table(connection, table->name, fault) != 0)
		return -1;
	struct buf made;
	buf_init(&made, 1024 * 1024);
	add_definition(&made, table);
	size_t size = made.size;
	buf_byte(&made, '\0');
	int result = made.failed ? fault_set(fault, FAULT_MEMORY, "memory", "no memory for a definition")
				 : view_sqlite_execute(connection, made.data, fault);
	if (result != 0) {
		if (fault->class == FAULT_BUG)
			fault_set(fault, FAULT_CONFIG, "bad_table", "table %.*s: %s", SLICE_ARG(table->name),
				  sqlite3_errmsg(connection->db));
		goto out;
	}
	struct cell cells[] = { { .kind = CELL_TEXT, .text = table->name },
				{ .kind = CELL_TEXT, .text = projection },
				{ .kind = CELL_TEXT, .text = slice_from(made.data, size) } };
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "INSERT INTO moonlog_tables (name, projection, definition) VALUES (?, ?, ?)");
	result = -1;
	statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		goto out;
	for (int i = 0; i < 3; i++)
		view_sqlite_bind(statement, i + 1, NULL, &cells[i]);
	int code = view_sqlite_run(statement);
	result = code == SQLITE_OK ? 0 : view_sqlite_fault(connection, code, fault);
out:
	buf_fini(&made);
	return result;
}

static int
forget_checkpoint(struct view_sqlite_connection *connection, struct slice projection, struct fault *fault)
{
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "DELETE FROM moonlog_checkpoints WHERE projection = ?1 OR "
				   "substr(projection, 1, length(?1) + 1) = ?1 || '@'");
	return run_named(connection, projection, fault);
}

static int
end_transaction(struct view_sqlite_connection *connection, int result, struct fault *fault)
{
	if (result == 0)
		result = view_sqlite_execute(connection, "COMMIT", fault);
	if (result != 0)
		sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

static int
make_tables(struct view_sqlite_connection *connection, struct slice projection, const uint16_t *numbers, size_t count,
	    struct fault *fault)
{
	view_sqlite_forget_statements(connection);
	for (size_t i = 0; i < count; i++)
		if (make_table(connection, projection, &connection->tables[numbers[i]], fault) != 0)
			return -1;
	return forget_checkpoint(connection, projection, fault);
}

int
view_sqlite_define(struct view_sqlite_connection *connection, struct slice projection, const uint8_t hash[32],
		   const uint16_t *numbers, size_t count, struct fault *fault)
{
	struct view_checkpoint checkpoint;
	struct arena arena;
	bool same = true, found = false;
	if (view_sqlite_execute(connection, "BEGIN IMMEDIATE", fault) != 0)
		return -1;
	arena_init(&arena, SIZE_MAX);
	int result = view_sqlite_checkpoint(connection, projection, &arena, &checkpoint, &found, fault);
	if (result == 0 && found)
		same = memcmp(checkpoint.hash, hash, sizeof(checkpoint.hash)) == 0;
	for (size_t i = 0; i < count && same && result == 0; i++)
		result = is_same(connection, projection, &connection->tables[numbers[i]], &same, fault);
	if (result == 0 && !same)
		result = make_tables(connection, projection, numbers, count, fault);
	arena_fini(&arena);
	return end_transaction(connection, result, fault);
}

int
view_sqlite_reset(struct view_sqlite_connection *connection, struct slice projection, const uint16_t *numbers,
		  size_t count, struct fault *fault)
{
	if (view_sqlite_execute(connection, "BEGIN IMMEDIATE", fault) != 0)
		return -1;
	return end_transaction(connection, make_tables(connection, projection, numbers, count, fault), fault);
}

int
view_sqlite_checkpoint(struct view_sqlite_connection *connection, struct slice projection, struct arena *arena,
		       struct view_checkpoint *checkpoint, bool *found, struct fault *fault)
{
	enum { POSITION, HASH, STOPPED, POISON, REASON, LINK, COLUMNS };
	struct cell name = { .kind = CELL_TEXT, .text = projection }, cells[COLUMNS];
	buf_clear(&connection->sql);
	/* Where a file of before, opened for reading, has no such column, the name is that of the NULL outside. */
	buf_text(&connection->sql, "SELECT position, hash, stopped, poison, reason, "
				   "(SELECT link FROM moonlog_checkpoints i WHERE i.projection = c.projection) "
				   "FROM moonlog_checkpoints c, (SELECT NULL AS link) WHERE projection = ?");
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	view_sqlite_bind(statement, 1, NULL, &name);
	int code = sqlite3_step(statement), result = 0;
	*found = code == SQLITE_ROW;
	if (code == SQLITE_ROW) {
		view_sqlite_columns(statement, COLUMNS, cells);
		*checkpoint = (struct view_checkpoint){
			.projection = arena_copy(arena, projection),
			.position = (log_position)cells[POSITION].integer,
			.stopped = cells[STOPPED].integer != 0,
			.poison = (log_position)cells[POISON].integer,
			.reason = arena_copy(arena, cells[REASON].text),
		};
		/* A hash of another size is of nobody's definition: zero makes it differ from all. */
		if (cells[HASH].text.size == sizeof(checkpoint->hash))
			memcpy(checkpoint->hash, cells[HASH].text.data, sizeof(checkpoint->hash));
		checkpoint->linked = cells[LINK].kind == CELL_TEXT && cells[LINK].text.size == CHECK_SIZE;
		if (checkpoint->linked)
			memcpy(checkpoint->link.bytes, cells[LINK].text.data, CHECK_SIZE);
		if (checkpoint->projection.data == NULL || checkpoint->reason.data == NULL)
			result = fault_set(fault, FAULT_MEMORY, "memory", "no memory for a checkpoint");
	} else if (code != SQLITE_DONE) {
		result = view_sqlite_fault(connection, code, fault);
	}
	sqlite3_reset(statement);
	return result;
}

int
view_sqlite_move(struct view_sqlite_connection *connection, const struct view_checkpoint *checkpoint,
		 struct fault *fault)
{
	const struct cell cells[] = {
		{ .kind = CELL_TEXT, .text = checkpoint->projection },
		{ .kind = CELL_INTEGER, .integer = (int64_t)checkpoint->position },
		{ .kind = CELL_NULL },
		{ .kind = CELL_INTEGER, .integer = checkpoint->stopped },
		{ .kind = CELL_INTEGER, .integer = (int64_t)checkpoint->poison },
		{ .kind = CELL_TEXT, .text = checkpoint->reason },
		{ .kind = CELL_NULL },
	};
	buf_clear(&connection->sql);
	buf_text(
		&connection->sql,
		"INSERT INTO moonlog_checkpoints (projection, position, hash, stopped, poison, reason, link) "
		"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (projection) DO UPDATE SET position = excluded.position, "
		"hash = excluded.hash, stopped = excluded.stopped, poison = excluded.poison, reason = excluded.reason, "
		"link = excluded.link");
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	for (int i = 0; i < (int)countof(cells); i++)
		view_sqlite_bind(statement, i + 1, NULL, &cells[i]);
	sqlite3_bind_blob(statement, 3, checkpoint->hash, sizeof(checkpoint->hash), SQLITE_STATIC);
	if (checkpoint->linked)
		sqlite3_bind_blob(statement, 7, checkpoint->link.bytes, CHECK_SIZE, SQLITE_STATIC);
	int code = view_sqlite_run(statement);
	return code == SQLITE_OK ? 0 : view_sqlite_fault(connection, code, fault);
}

/* Gives one recorded table that the program has no more, and whose it was; `name` is empty when there is none. */
static int
find_orphan(struct view_sqlite_connection *connection, struct buf *name, struct buf *owner, struct fault *fault)
{
	buf_clear(name);
	buf_clear(owner);
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "SELECT name, projection FROM moonlog_tables");
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	int code;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW && name->size == 0) {
		struct cell cells[2];
		bool used = false;
		view_sqlite_columns(statement, 2, cells);
		for (size_t i = 0; i < connection->table_count && !used; i++)
			used = slice_equal(connection->tables[i].name, cells[0].text);
		if (used)
			continue;
		buf_add(name, cells[0].text);
		buf_add(owner, cells[1].text);
	}
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : view_sqlite_fault(connection, code, fault);
}

/* A projection that has lost its last table is one that the program has no more. */
static int
drop_orphan(struct view_sqlite_connection *connection, struct slice name, struct slice owner, struct fault *fault)
{
	view_sqlite_forget_statements(connection);
	if (drop_table(connection, name, fault) != 0)
		return -1;
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "DELETE FROM moonlog_checkpoints WHERE (projection = ?1 OR "
				   "substr(projection, 1, length(?1) + 1) = ?1 || '@') AND "
				   "NOT EXISTS (SELECT 1 FROM moonlog_tables WHERE projection = ?1)");
	return run_named(connection, owner, fault);
}

/* A file of before checkpoints had a link is read as it is; its next checkpoint has one. */
static int
add_link(struct view_sqlite_connection *connection, struct fault *fault)
{
	buf_clear(&connection->sql);
	buf_text(&connection->sql, "SELECT 1 FROM pragma_table_info('moonlog_checkpoints') WHERE name = 'link'");
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	int code = sqlite3_step(statement);
	sqlite3_reset(statement);
	if (code == SQLITE_ROW)
		return 0;
	if (code != SQLITE_DONE)
		return view_sqlite_fault(connection, code, fault);
	view_sqlite_forget_statements(connection);
	return view_sqlite_execute(connection, "ALTER TABLE moonlog_checkpoints ADD COLUMN link BLOB", fault);
}

int
view_sqlite_prepare_file(struct view_sqlite_connection *connection, struct fault *fault)
{
	struct buf orphan, owner;
	if (view_sqlite_execute(connection, "BEGIN IMMEDIATE", fault) != 0)
		return -1;
	buf_init(&orphan, 64 * 1024);
	buf_init(&owner, 64 * 1024);
	int result = view_sqlite_execute(
		connection,
		"CREATE TABLE IF NOT EXISTS moonlog_checkpoints (projection TEXT NOT NULL PRIMARY KEY, "
		"position INTEGER NOT NULL, hash BLOB NOT NULL, stopped INTEGER NOT NULL, poison INTEGER NOT NULL, "
		"reason TEXT NOT NULL, link BLOB) STRICT, WITHOUT ROWID;"
		"CREATE TABLE IF NOT EXISTS moonlog_tables (name TEXT NOT NULL PRIMARY KEY, projection TEXT NOT NULL, "
		"definition TEXT NOT NULL) STRICT, WITHOUT ROWID",
		fault);
	if (result == 0)
		result = add_link(connection, fault);
	if (result == 0)
		result = find_orphan(connection, &orphan, &owner, fault);
	while (result == 0 && orphan.size != 0) {
		result = drop_orphan(connection, buf_slice(&orphan), buf_slice(&owner), fault);
		if (result == 0)
			result = find_orphan(connection, &orphan, &owner, fault);
	}
	buf_fini(&owner);
	buf_fini(&orphan);
	return end_transaction(connection, result, fault);
}
