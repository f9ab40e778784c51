/* SPDX-License-Identifier: MIT */
/*
 * An entry's row carries three checks: the digest of its content, the link to the entry before, and a short seal over
 * the columns that a plain read cannot check by either, since the link needs the entry before [I2].
 * Fails: CORRUPT, naming the position.
 */
#include "store/sqlite/row.h"

#include "store/sqlite/bytes.h"

uint32_t
row_part(uint32_t size, uint32_t offset)
{
	return size == 1 ? 0 : size * 1024 + offset;
}

uint32_t
row_seal(const struct row *row)
{
	uint8_t bytes[64];

	bytes_put_u64(bytes, row->position);
	bytes_put_u64(bytes + 8, row->stream);
	bytes_put_u64(bytes + 16, row->version);
	bytes_put_u64(bytes + 24, (uint64_t)row->at);
	bytes_put_u64(bytes + 32, row->part);
	bytes_put_u64(bytes + 40, row->command.size != 0 ? slice_hash(row->command, 1) : 0);
	memcpy(bytes + 48, row->link.bytes, CHECK_SIZE);
	return (uint32_t)slice_hash(slice_from(bytes, sizeof(bytes)), 2);
}

uint32_t
row_seal_bare(uint64_t number, log_position position, int64_t at, struct slice command)
{
	uint8_t bytes[32];

	bytes_put_u64(bytes, number);
	bytes_put_u64(bytes + 8, position);
	bytes_put_u64(bytes + 16, (uint64_t)at);
	bytes_put_u64(bytes + 24, slice_hash(command, 1));
	return (uint32_t)slice_hash(slice_from(bytes, sizeof(bytes)), 3);
}

uint32_t
row_seal_name(uint64_t stream, struct slice name)
{
	return (uint32_t)slice_hash(name, stream * 0x9e3779b97f4a7c15u);
}

uint32_t
row_seal_record(struct slice space, struct slice key, struct slice value)
{
	return (uint32_t)slice_hash(value, slice_hash(key, slice_hash(space, 4)));
}

void
row_bind(sqlite3_stmt *statement, const struct row *row)
{
	link_bind_int(statement, 1, row->position);
	link_bind_int(statement, 2, row->stream);
	link_bind_int(statement, 3, row->version);
	link_bind_int(statement, 4, row->type);
	sqlite3_bind_int64(statement, 5, row->at);
	link_bind_int(statement, 6, row->part);
	sqlite3_bind_int64(statement, 7, (int32_t)row->seal);
	if (row->command.size != 0)
		link_bind_slice(statement, 8, row->command);
	else
		sqlite3_bind_null(statement, 8);
	link_bind_slice(statement, 9, slice_from(row->digest.bytes, CHECK_SIZE));
	link_bind_slice(statement, 10, slice_from(row->link.bytes, CHECK_SIZE));
	if (row->meta.size != 0)
		link_bind_slice(statement, 11, row->meta);
	else
		sqlite3_bind_null(statement, 11);
	link_bind_text(statement, 12, row->data);
}

static bool
load_check(sqlite3_stmt *statement, int column, struct check *check)
{
	struct slice bytes = link_slice(statement, column);

	if (bytes.size != CHECK_SIZE)
		return false;
	memcpy(check->bytes, bytes.data, CHECK_SIZE);
	return true;
}

static int
check_row(const struct row *row, bool whole, struct fault *fault)
{
	if (whole && row_seal(row) == row->seal && row_offset(row->part) < row_size(row->part) &&
	    row_offset(row->part) < row->position)
		return 0;
	return fault_set(fault, FAULT_CORRUPT, "row_mismatch",
			 "position %llu: what is stored beside its content is not what was written",
			 (unsigned long long)row->position);
}

int
row_load(sqlite3_stmt *statement, struct row *row, struct fault *fault)
{
	int64_t part = sqlite3_column_int64(statement, 5), seal = sqlite3_column_int64(statement, 6);
	bool whole = part >= 0 && part <= UINT32_MAX && seal == (int32_t)seal;

	row->position = link_int(statement, 0);
	row->stream = link_int(statement, 1);
	row->version = link_int(statement, 2);
	row->type = link_int(statement, 3);
	row->at = sqlite3_column_int64(statement, 4);
	row->part = (uint32_t)part;
	row->seal = (uint32_t)seal;
	row->command = link_slice(statement, 7);
	whole = load_check(statement, 8, &row->digest) && load_check(statement, 9, &row->link) && whole;
	row->meta = link_slice(statement, 10);
	row->data = link_slice(statement, 11);
	return check_row(row, whole, fault);
}

int
row_load_narrow(sqlite3_stmt *statement, struct row *row, struct fault *fault)
{
	int64_t part = sqlite3_column_int64(statement, 4), seal = sqlite3_column_int64(statement, 5);
	bool whole = part >= 0 && part <= UINT32_MAX && seal == (int32_t)seal;

	*row = (struct row){ .position = link_int(statement, 0),
			     .stream = link_int(statement, 1),
			     .version = link_int(statement, 2),
			     .at = sqlite3_column_int64(statement, 3),
			     .part = (uint32_t)part,
			     .seal = (uint32_t)seal,
			     .command = link_slice(statement, 6) };
	whole = load_check(statement, 7, &row->link) && whole;
	return check_row(row, whole, fault);
}

static void
put_slice(struct buf *out, struct slice bytes)
{
	if (bytes.size == 0 || !buf_reserve(out, VARINT_MAX))
		return;
	out->size = (size_t)((char *)bytes_put_varint((uint8_t *)out->data + out->size, bytes.size) - out->data);
	buf_add(out, bytes);
}

void
row_put_meta(struct buf *out, const struct row_meta *meta)
{
	const struct slice parts[] = { meta->provenance.correlation_id,
				       meta->provenance.causation_id,
				       meta->provenance.traceparent,
				       meta->provenance.actor,
				       meta->key,
				       meta->headers };
	unsigned mask = 0;

	for (unsigned i = 0; i < countof(parts); i++)
		mask |= (unsigned)(parts[i].size != 0) << i;
	if (mask == 0)
		return;
	buf_byte(out, (char)mask);
	for (unsigned i = 0; i < countof(parts); i++)
		put_slice(out, parts[i]);
}

bool
row_get_meta(struct slice bytes, struct row_meta *meta)
{
	struct slice *parts[] = { &meta->provenance.correlation_id,
				  &meta->provenance.causation_id,
				  &meta->provenance.traceparent,
				  &meta->provenance.actor,
				  &meta->key,
				  &meta->headers };
	const uint8_t *at = (const uint8_t *)bytes.data, *end = at + bytes.size;
	unsigned mask;

	*meta = (struct row_meta){ 0 };
	if (bytes.size == 0)
		return true;
	mask = *at++;
	for (unsigned i = 0; i < countof(parts); i++) {
		uint64_t size;

		if ((mask & 1u << i) == 0)
			continue;
		at = bytes_get_varint(at, end, &size);
		if (at == NULL || size > (size_t)(end - at))
			return false;
		*parts[i] = slice_from(at, (size_t)size);
		at += size;
	}
	return at == end && mask < 1u << countof(parts);
}

bool
row_get_command(struct slice bytes, struct row_command *command)
{
	if (bytes.size < COMMAND_HEAD)
		return false;
	memcpy(command->id.bytes, bytes.data, sizeof(command->id));
	memcpy(command->fingerprint.bytes, bytes.data + sizeof(command->id), sizeof(command->fingerprint));
	command->reply = slice_from(bytes.data + COMMAND_HEAD, bytes.size - COMMAND_HEAD);
	return true;
}
