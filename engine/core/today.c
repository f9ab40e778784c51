/* SPDX-License-Identifier: MIT */
/*
 * Each event goes through the chain of upcasters on the reader's own seat. A piece keeps the event's id, position,
 * version and time, and has no digest or link: those are of the recorded bytes. Whatever cannot be brought up to date
 * is a fault, for an answer that mixed old and new shapes would be of no use.
 */
#include "core/today.h"

#include "base/json.h"

static struct seat *
seat_of(struct reader *reader, struct engine_read *read, const struct stream_name *name, int *aggregate)
{
	for (size_t i = 0; i < reader->domain_count; i++) {
		struct seat *seat;

		if (!slice_equal(reader->domains[i]->name, name->domain))
			continue;
		seat = reader_seat(reader, reader->domains[i], &read->fault);
		if (seat != NULL)
			*aggregate = script_find_aggregate(seat->rules->program, name->aggregate);
		return seat;
	}
	return NULL;
}

static void
separate(struct engine_read *read)
{
	const struct buf *out = read->out;

	if (!read->ndjson && out->size > 0 && out->data[out->size - 1] == '}')
		buf_byte(read->out, ',');
}

static int
write_entry(struct reader *reader, struct engine_read *read, struct render *render, const struct recorded_entry *entry)
{
	struct script_pieces pieces;
	struct stream_name name;
	struct seat *seat = NULL;
	int aggregate = -1;

	fault_clear(&read->fault);
	if (entry->kind == ENTRY_EVENT && stream_parse(entry->stream, &name, &read->fault) == 0)
		seat = seat_of(reader, read, &name, &aggregate);
	if (read->fault.class != FAULT_NONE)
		return -1;
	if (seat == NULL || aggregate < 0) {
		separate(read);
		render_entry(render, entry, read->out);
		if (read->ndjson)
			buf_byte(read->out, '\n');
		return 0;
	}
	if (script_upcast(seat->machine, (uint16_t)aggregate, entry, 0, &reader->pages, &pieces, &read->fault) != 0)
		return fault_prefix(&read->fault, "%.*s version %llu", SLICE_ARG(entry->stream),
				    (unsigned long long)entry->version);
	for (size_t i = 0; i < pieces.count; i++) {
		struct recorded_entry piece = *entry;

		piece.type = pieces.items[i].type;
		piece.schema_version = pieces.items[i].schema_version;
		piece.data = pieces.items[i].data;
		separate(read);
		render_piece(render, &piece, i + 1, pieces.count, read->out);
		if (read->ndjson)
			buf_byte(read->out, '\n');
	}
	return 0;
}

int
today_write(struct reader *reader, struct engine_read *read, struct render *render, const struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (write_entry(reader, read, render, &entries->items[i]) != 0)
			return -1;
		read->entries++;
	}
	return 0;
}

/* An event's pieces; as it was recorded where the rules have no way from it, or their upcasters fail. */
static int
find_pieces(struct reader *reader, struct script_machine *machine, uint16_t aggregate,
	    const struct recorded_entry *entry, struct script_piece *recorded, struct script_pieces *pieces,
	    struct fault *fault)
{
	if (script_upcast(machine, aggregate, entry, UPCAST_WIRE, &reader->pages, pieces, fault) == 0)
		return 0;
	if (fault->class != FAULT_SCRIPT)
		return -1;
	fault_clear(fault);
	*recorded = (struct script_piece){ entry->type, entry->schema_version, entry->data };
	*pieces = (struct script_pieces){ .items = recorded, .count = 1 };
	return 0;
}

int
today_history(struct reader *reader, struct engine_read *read, struct script_machine *machine, uint16_t aggregate,
	      const struct recorded_entry *entry)
{
	struct render render = { 0 };
	struct script_pieces pieces;
	struct script_piece recorded;
	char id[ID_TEXT_SIZE];

	if (find_pieces(reader, machine, aggregate, entry, &recorded, &pieces, &read->fault) != 0)
		return -1;
	id_format(&entry->id, id);
	for (size_t i = 0; i < pieces.count; i++) {
		buf_text(read->out, read->out->data[read->out->size - 1] == '[' ? "{\"id\":\"" : ",{\"id\":\"");
		buf_text(read->out, id);
		buf_text(read->out, "\",\"type\":");
		json_quote(read->out, pieces.items[i].type);
		buf_text(read->out, ",\"version\":");
		buf_u64(read->out, entry->version);
		if (pieces.count > 1) {
			buf_text(read->out, ",\"piece\":");
			buf_u64(read->out, i + 1);
			buf_text(read->out, ",\"pieces\":");
			buf_u64(read->out, pieces.count);
		}
		buf_text(read->out, ",\"timestamp\":");
		render_time(&render, entry->recorded_at_us, read->out);
		buf_text(read->out, ",\"data\":");
		buf_add(read->out, pieces.items[i].data);
		buf_byte(read->out, '}');
	}
	read->entries++;
	return 0;
}
