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
	return (uint32_t)slice_hash(slice_from(bytes, sizeof(bytes)), 2) & 0xffffff;
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
	uint8_t link[CHECK_SIZE + SEAL_SIZE];

	memcpy(link, row->link.bytes, CHECK_SIZE);
	for (int i = 0; i < SEAL_SIZE; i++)
		link[CHECK_SIZE + i] = (uint8_t)(row->seal >> (8 * i));
	link_bind_int(statement, 1, row->position);
	link_bind_int(statement, 2, row->stream);
	link_bind_int(statement, 3, row->version);
	link_bind_int(statement, 4, row->type);
	sqlite3_bind_int64(statement, 5, row->at - ROW_EPOCH_US);
	link_bind_int(statement, 6, row->part);
	if (row->command.size != 0)
		link_bind_slice(statement, 7, row->command);
	else
		sqlite3_bind_null(statement, 7);
	link_bind_slice(statement, 8, slice_from(row->digest.bytes, CHECK_SIZE));
	sqlite3_bind_blob(statement, 9, link, sizeof(link), SQLITE_TRANSIENT);
	if (row->meta.size != 0)
		link_bind_slice(statement, 10, row->meta);
	else
		sqlite3_bind_null(statement, 10);
	link_bind_text(statement, 11, row->data);
}

/* What both forms of a row have; gives whether the columns have their sizes. */
static bool
load_common(sqlite3_stmt *statement, int at_column, int link_column, struct row *row)
{
	int64_t part = sqlite3_column_int64(statement, at_column + 1);
	struct slice link = link_slice(statement, link_column);

	row->position = link_int(statement, 0);
	row->stream = link_int(statement, 1);
	row->version = link_int(statement, 2);
	row->at = sqlite3_column_int64(statement, at_column) + ROW_EPOCH_US;
	row->part = (uint32_t)part;
	row->command = link_slice(statement, at_column + 2);
	if (link.size != CHECK_SIZE + SEAL_SIZE || part < 0 || part > UINT32_MAX)
		return false;
	memcpy(row->link.bytes, link.data, CHECK_SIZE);
	for (int i = 0; i < SEAL_SIZE; i++)
		row->seal |= (uint32_t)(uint8_t)link.data[CHECK_SIZE + i] << (8 * i);
	return row_seal(row) == row->seal && row_offset(row->part) < row_size(row->part) &&
	       row_offset(row->part) < row->position;
}

static int
mismatch(const struct row *row, struct fault *fault)
{
	return fault_set(fault, FAULT_CORRUPT, "row_mismatch",
			 "position %llu: what is stored beside its content is not what was written",
			 (unsigned long long)row->position);
}

int
row_load_head(sqlite3_stmt *statement, struct row *row, struct fault *fault)
{
	*row = (struct row){ .type = link_int(statement, 3) };
	return load_common(statement, 4, 8, row) ? 0 : mismatch(row, fault);
}

int
row_load_rest(sqlite3_stmt *statement, struct row *row, struct fault *fault)
{
	struct slice digest = link_slice(statement, 7);

	row->meta = link_slice(statement, 9);
	row->data = link_slice(statement, 10);
	if (digest.size != CHECK_SIZE)
		return mismatch(row, fault);
	memcpy(row->digest.bytes, digest.data, CHECK_SIZE);
	return 0;
}

int
row_load(sqlite3_stmt *statement, struct row *row, struct fault *fault)
{
	int head = row_load_head(statement, row, fault);

	return row_load_rest(statement, row, fault) != 0 ? -1 : head;
}

int
row_load_narrow(sqlite3_stmt *statement, struct row *row, struct fault *fault)
{
	*row = (struct row){ 0 };
	return load_common(statement, 3, 6, row) ? 0 : mismatch(row, fault);
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
