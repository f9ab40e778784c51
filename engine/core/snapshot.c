/* SPDX-License-Identifier: MIT */
/*
 * A value is one line, "1 version state_version fold check", and the state's bytes behind it. The check is over the
 * stream's name and all the rest, so that a record moved to another key is no snapshot of it.
 */
#include "core/snapshot.h"

#include <stdio.h>

#define SPACE      "snapshot/"
#define LINE_WORDS 5

struct slice
snapshot_space(const struct script_program *program, uint16_t aggregate, char text[SNAPSHOT_SPACE_SIZE])
{
	int size = snprintf(text, SNAPSHOT_SPACE_SIZE, SPACE "%.*s.%.*s", SLICE_ARG(program->domain),
			    SLICE_ARG(program->aggregates[aggregate].name));

	return slice_from(text, (size_t)size);
}

struct slice
snapshot_key(struct slice stream)
{
	const char *slash = memchr(stream.data, '/', stream.size);

	must(slash != NULL);
	return slice_from(slash + 1, stream.size - (size_t)(slash + 1 - stream.data));
}

static void
check_of(struct slice stream, const struct snapshot *snapshot, struct check *check)
{
	struct digest_state state;
	struct digest digest;

	digest_init(&state);
	digest_add_slice(&state, SLICE("moonlog snapshot 1"));
	digest_add_slice(&state, stream);
	digest_add_u64(&state, snapshot->version);
	digest_add_u64(&state, snapshot->state_version);
	digest_add(&state, snapshot->fold.bytes, DIGEST_SIZE);
	digest_add_slice(&state, snapshot->state);
	digest_end(&state, &digest);
	memcpy(check->bytes, digest.bytes, CHECK_SIZE);
}

void
snapshot_write(const struct script_aggregate *aggregate, struct slice stream, stream_version version,
	       struct slice state, struct buf *out)
{
	const struct snapshot snapshot = { .version = version,
					   .state_version = aggregate->state_version,
					   .fold = aggregate->fold_hash,
					   .state = state };
	struct check check;

	check_of(stream, &snapshot, &check);
	buf_format(out, "1 %llu %u ", (unsigned long long)version, aggregate->state_version);
	buf_hex(out, aggregate->fold_hash.bytes, DIGEST_SIZE);
	buf_byte(out, ' ');
	buf_hex(out, check.bytes, CHECK_SIZE);
	buf_byte(out, '\n');
	buf_add(out, state);
}

static bool
take_hex(struct slice text, uint8_t *bytes, size_t size)
{
	if (text.size != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		char pair[3] = { text.data[2 * i], text.data[2 * i + 1], '\0' };
		unsigned byte;
		if (sscanf(pair, "%2x", &byte) != 1)
			return false;
		bytes[i] = (uint8_t)byte;
	}
	return true;
}

/* Words of the first line; false when there are not five of them. */
static bool
split(struct slice value, struct slice words[LINE_WORDS], struct slice *rest)
{
	const char *at = value.data, *end = value.size != 0 ? memchr(value.data, '\n', value.size) : NULL;

	if (end == NULL)
		return false;
	for (size_t i = 0; i < LINE_WORDS; i++) {
		const char *space = memchr(at, ' ', (size_t)(end - at)), *stop = space != NULL ? space : end;
		words[i] = slice_from(at, (size_t)(stop - at));
		if ((space == NULL) != (i == LINE_WORDS - 1))
			return false;
		at = stop + 1;
	}
	*rest = slice_from(end + 1, value.size - (size_t)(end + 1 - value.data));
	return true;
}

void
snapshot_parse(struct slice stream, struct slice value, struct snapshot *snapshot)
{
	struct slice words[LINE_WORDS];
	struct check check, wanted;
	uint64_t state_version;

	*snapshot = (struct snapshot){ .value = value };
	if (!split(value, words, &snapshot->state) || !slice_equal(words[0], SLICE("1")) ||
	    !slice_to_u64(words[1], &snapshot->version) || !slice_to_u64(words[2], &state_version) ||
	    state_version > UINT32_MAX || !take_hex(words[3], snapshot->fold.bytes, DIGEST_SIZE) ||
	    !take_hex(words[4], check.bytes, CHECK_SIZE))
		return;
	snapshot->state_version = (uint32_t)state_version;
	check_of(stream, snapshot, &wanted);
	snapshot->sound = snapshot->version != 0 && check_equal(&check, &wanted);
}

int
snapshot_read(struct store_reader *reader, const struct script_program *program, uint16_t aggregate,
	      struct slice stream, struct arena *arena, struct snapshot *snapshot, bool *found, struct fault *fault)
{
	char space[SNAPSHOT_SPACE_SIZE];
	struct slice value;

	if (store_read_record(reader, snapshot_space(program, aggregate, space), snapshot_key(stream), arena, &value,
			      found, fault) != 0)
		return -1;
	if (*found)
		snapshot_parse(stream, value, snapshot);
	return 0;
}

bool
snapshot_fits(const struct snapshot *snapshot, const struct script_aggregate *aggregate)
{
	return snapshot->sound && snapshot->state_version == aggregate->state_version &&
	       memcmp(&snapshot->fold, &aggregate->fold_hash, sizeof(snapshot->fold)) == 0;
}
