/* SPDX-License-Identifier: MIT */
/*
 * Keyed records. Each has a seal over space, key and value. A damaged key can make another one look absent: since the
 * search for an absent key always ends beside the damaged one, the neighbours' seals are looked at before "absent" is
 * said.
 * Fails: CORRUPT "record_mismatch".
 */
#include "store/sqlite/room.h"

struct stored_record {
	struct slice space;
	struct slice key;
	struct slice value;
};

/* 1 a record, 0 none, -1 fault. Borrowed until the statement is reset. */
static int
step_record(struct link *link, sqlite3_stmt *statement, struct stored_record *record, struct fault *fault)
{
	int stepped = link_step(link, statement, fault);

	if (stepped <= 0)
		return stepped;
	record->space = link_slice(statement, 0);
	record->key = link_slice(statement, 1);
	record->value = link_slice(statement, 3);
	if (row_has_seal(statement, 2, row_seal_record(record->space, record->key, record->value)))
		return 1;
	return fault_set(fault, FAULT_CORRUPT, "record_mismatch", "a record near %.*s/%.*s is not what was written",
			 SLICE_ARG(record->space), SLICE_ARG(record->key));
}

/* The record before a place: looked at only for its seal. */
static int
check_before(struct link *link, struct slice space, struct slice key, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_RECORD_BEFORE, fault);
	struct stored_record record;
	int stepped;

	if (statement == NULL)
		return -1;
	link_bind_text(statement, 1, space);
	link_bind_slice(statement, 2, key);
	stepped = step_record(link, statement, &record, fault);
	sqlite3_reset(statement);
	return stepped < 0 ? -1 : 0;
}

int
sqlite_get_record(struct link *link, struct slice space, struct slice key, struct arena *arena, struct slice *value,
		  bool *found, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_GET_RECORD, fault);
	struct stored_record record;
	int stepped;

	*value = SLICE_NONE;
	*found = false;
	if (statement == NULL)
		return -1;
	link_bind_text(statement, 1, space);
	link_bind_slice(statement, 2, key);
	stepped = step_record(link, statement, &record, fault);
	if (stepped > 0 && slice_equal(record.space, space) && slice_equal(record.key, key)) {
		*found = true;
		*value = arena_copy(arena, record.value);
	}
	sqlite3_reset(statement);
	if (stepped < 0)
		return -1;
	if (*found)
		return value->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a record");
	return check_before(link, space, key, fault);
}

int
sqlite_read_record(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
		   struct slice *value, bool *found, struct fault *fault)
{
	return sqlite_get_record(&sqlite_reader_of(reader)->link, space, key, arena, value, found, fault);
}

static int
add_record(struct arena *arena, const struct stored_record *stored, struct record **records, size_t *count,
	   size_t *room, struct fault *fault)
{
	struct record copy = { arena_copy(arena, stored->key), arena_copy(arena, stored->value) };

	if (*count == *room) {
		struct record *wider = arena_alloc(arena, (*room = *room != 0 ? *room * 2 : 32) * sizeof(*wider));

		if (wider != NULL && *count != 0)
			memcpy(wider, *records, *count * sizeof(*wider));
		*records = wider;
	}
	if (*records == NULL || copy.key.data == NULL || copy.value.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a list of records");
	(*records)[(*count)++] = copy;
	return 0;
}

/* Behind those that are counted, for whoever wants to be rid of it. */
static void
show_damaged(struct arena *arena, struct slice space, const struct stored_record *stored, struct record **records,
	     size_t count, size_t *room)
{
	struct fault fault;

	if (!slice_equal(stored->space, space) || add_record(arena, stored, records, &count, room, &fault) != 0)
		*records = NULL;
}

int
sqlite_list_records(struct store_reader *reader, struct slice space, struct slice after, size_t limit,
		    struct arena *arena, struct record **records, size_t *count, struct fault *fault)
{
	struct link *link = &sqlite_reader_of(reader)->link;
	sqlite3_stmt *statement = link_use(link, SQL_LIST_RECORDS, fault);
	struct stored_record stored = { 0 };
	size_t room = 0;
	int stepped = 1;

	if (statement == NULL || check_before(link, space, after, fault) != 0)
		return -1;
	link_bind_text(statement, 1, space);
	link_bind_slice(statement, 2, after);
	/* The record that ends the list is looked at too: it may be one of this space with a damaged key. */
	while (*count < limit && (stepped = step_record(link, statement, &stored, fault)) > 0) {
		if (!slice_equal(stored.space, space))
			break;
		if (add_record(arena, &stored, records, count, &room, fault) != 0) {
			stepped = -1;
			break;
		}
	}
	if (stepped < 0 && strcmp(fault->code, "record_mismatch") == 0)
		show_damaged(arena, space, &stored, records, *count, &room);
	sqlite3_reset(statement);
	return stepped < 0 ? -1 : 0;
}

int
sqlite_list_spaces(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		   struct arena *arena, struct slice **spaces, size_t *count, struct fault *fault)
{
	struct link *link = &sqlite_reader_of(reader)->link;
	size_t room = 0;

	while (*count < limit) {
		sqlite3_stmt *statement = link_use(link, SQL_NEXT_SPACE, fault);
		struct stored_record stored;
		int stepped;

		if (statement == NULL)
			return -1;
		link_bind_text(statement, 1, after);
		link_bind_text(statement, 2, prefix);
		stepped = step_record(link, statement, &stored, fault);
		if (stepped > 0 && !slice_starts_with(stored.space, prefix))
			stepped = 0;
		if (stepped > 0 && *count == room) {
			struct slice *wider = arena_alloc(arena, (room = room != 0 ? room * 2 : 16) * sizeof(*wider));

			if (wider != NULL && *count != 0)
				memcpy(wider, *spaces, *count * sizeof(*wider));
			*spaces = wider;
		}
		if (stepped > 0 && (*spaces == NULL || (after = arena_copy(arena, stored.space)).data == NULL))
			stepped = fault_set(fault, FAULT_MEMORY, "memory", "no memory for a list of spaces");
		sqlite3_reset(statement);
		if (stepped <= 0)
			return stepped;
		(*spaces)[(*count)++] = after;
	}
	return 0;
}
