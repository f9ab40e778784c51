/* SPDX-License-Identifier: MIT */
/*
 * The catalogue verified: the kinds of events gathered while the log goes by, compared with the table at the end. Rows
 * of kinds that came after the head that is verified may be there.
 * Fails: MEMORY, and errors that are not the stored bytes'.
 */
#include "store/sqlite/verify.h"

#include <stdio.h>

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory to verify the kinds of events");
}

static void
wrong(struct verification *verification, const struct type_found *found, const char *what)
{
	char text[200];

	snprintf(text, sizeof(text), "the kinds of events: %.*s %.*s, schema version %u, %s; the log is right",
		 found->aggregate.size < 60 ? (int)found->aggregate.size : 60, found->aggregate.data,
		 found->type.size < 60 ? (int)found->type.size : 60, found->type.data, found->schema_version, what);
	verify_finding(verification, VERIFY_INDEX, SLICE_NONE, found->newest, found->newest, text);
}

int
verify_types_row(struct verification *verification, const struct row *row, struct slice name, struct fault *fault)
{
	struct sqlite_reader *reader = verification->reader;
	struct fault trouble;
	const struct type *type;
	size_t number;

	if (row->version == 0)
		return 0;
	type = types_get(&reader->types, &reader->link, row->type, &trouble);
	if (type == NULL)
		return 0; /* found already */
	number = catalogue_note(&verification->kinds, name, type->name, type->schema_version, row->position);
	if (number == 0)
		return no_memory(fault);
	catalogue_seen(&verification->kinds, number, row->position);
	return 0;
}

/* `stored` of those of the log that the table has is set. */
static int
compare(struct verification *verification, sqlite3_stmt *statement, struct fault *fault)
{
	size_t seen = verification->kinds.count;
	struct type_found found;
	size_t number;

	if (!catalogue_row(statement, &found)) {
		wrong(verification, &found, "is not what was written");
		return 0;
	}
	number = catalogue_note_aggregate(&verification->kinds, &found);
	if (number == 0)
		return no_memory(fault);
	if (number > seen && found.newest <= verification->head)
		wrong(verification, &found, "is nowhere in the log");
	verification->kinds.items[number - 1].stored = found.newest;
	return 0;
}

int
verify_types_end(struct verification *verification, struct fault *fault)
{
	struct link *link = &verification->reader->link;
	sqlite3_stmt *statement = link_use(link, SQL_KNOWN_TYPES, fault);
	int stepped;

	if (statement == NULL)
		return fault->class == FAULT_MEMORY ? -1 : 0; /* an older store */
	link_bind_text(statement, 1, SLICE_NONE);
	while ((stepped = link_step(link, statement, fault)) > 0)
		if (compare(verification, statement, fault) != 0) {
			sqlite3_reset(statement);
			return -1;
		}
	for (size_t i = 0; i < verification->kinds.count; i++) {
		const struct known_type *type = &verification->kinds.items[i];
		const struct type_found found = { type->aggregate, type->name, type->schema_version, type->newest };

		if (type->stored == 0 && type->newest <= verification->head)
			wrong(verification, &found, "is missing");
	}
	return stepped < 0 && fault->class != FAULT_CORRUPT && fault->class != FAULT_AWAY ? -1 : 0;
}
