/* SPDX-License-Identifier: MIT */
/*
 * The names of streams in their order. A wrong one may be one that is asked for, wherever it stands: it is a fault, and
 * so is one that is missing.
 * Fails: CORRUPT "name_mismatch", MEMORY; as SQL does.
 */
#include "store/sqlite/room.h"

static void
name_seal(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct slice name = slice_from(sqlite3_value_blob(values[1]), (size_t)sqlite3_value_bytes(values[1]));

	(void)count;
	/* What is no text stands elsewhere in the order, or nowhere; no seal is negative. */
	if (sqlite3_value_type(values[1]) != SQLITE_TEXT) {
		sqlite3_result_int64(context, -1);
		return;
	}
	sqlite3_result_int64(context, row_seal_name((uint64_t)sqlite3_value_int64(values[0]), name));
}

int
sqlite_list_open(struct link *link, struct fault *fault)
{
	return sqlite3_create_function(link->db, "name_seal", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, name_seal,
				       NULL, NULL) == SQLITE_OK
		       ? 0
		       : link_fault(link, "name_seal", fault);
}

/* Names are numbered 1..n: one that vanished inside its page shows in their count or sum. */
static int
check_no_name_missing(struct link *link, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_COUNT_STREAMS, fault);
	int stepped = statement != NULL ? link_step(link, statement, fault) : -1;
	uint64_t count, last;
	bool whole;

	if (stepped <= 0)
		return -1;
	count = link_int(statement, 0);
	last = link_int(statement, 1);
	whole = count == last && link_int(statement, 2) == last * (last + 1) / 2;
	sqlite3_reset(statement);
	return whole ? 0
		     : fault_set(fault, FAULT_CORRUPT, "name_mismatch", "of %llu streams' names %llu are there",
				 (unsigned long long)last, (unsigned long long)count);
}

int
sqlite_list_streams(struct store_reader *base, struct slice prefix, struct slice after, size_t limit,
		    struct arena *arena, struct slice **names, size_t *count, struct fault *fault)
{
	struct link *link = &sqlite_reader_of(base)->link;
	sqlite3_stmt *statement = link_use(link, SQL_LIST_STREAMS, fault);
	size_t room = 0;
	int stepped;

	if (statement == NULL || check_no_name_missing(link, fault) != 0)
		return -1;
	link_bind_text(statement, 1, after);
	link_bind_text(statement, 2, prefix);
	link_bind_int(statement, 3, prefix.size);
	link_bind_int(statement, 4, limit < INT64_MAX ? limit : INT64_MAX);
	while ((stepped = link_step(link, statement, fault)) > 0) {
		struct slice name = link_slice(statement, 0);

		if (link_int(statement, 2) != 0) {
			stepped = fault_set(fault, FAULT_CORRUPT, "name_mismatch",
					    "the name of stream number %llu is not what was written",
					    (unsigned long long)link_int(statement, 1));
			break;
		}
		if (*count == room) {
			struct slice *wider = arena_alloc(arena, (room = room != 0 ? room * 2 : 64) * sizeof(*wider));

			if (wider != NULL && *count != 0)
				memcpy(wider, *names, *count * sizeof(*wider));
			*names = wider;
		}
		if (*names == NULL || ((*names)[*count] = arena_copy(arena, name)).data == NULL) {
			stepped =
				fault_set(fault, FAULT_MEMORY, "memory", "the list of streams does not fit its memory");
			break;
		}
		++*count;
	}
	sqlite3_reset(statement);
	return stepped;
}
