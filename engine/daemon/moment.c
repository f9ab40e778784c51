/* SPDX-License-Identifier: MIT */
/* A time is found by halving: versions, positions and times grow together. */
#include "daemon/moment.h"

int
moment_event(struct reading *reading, struct slice stream, stream_version version, struct recorded_entry *entry,
	     bool *found, struct fault *fault)
{
	struct read_limit limit = { .entries = 1 };
	struct entries entries;
	stream_version end;

	arena_clear(&reading->arena);
	if (store_read_stream(reading->reader, stream, version, limit, &reading->arena, &entries, &end, fault) != 0)
		return -1;
	*found = entries.count == 1;
	if (*found)
		*entry = entries.items[0];
	return 0;
}

static int
no_stream(struct slice stream, const char *when, struct fault *fault)
{
	return fault_set(fault, FAULT_INPUT, "no_such_stream", "there is no stream %.*s%s%s", SLICE_ARG(stream),
			 *when != '\0' ? " at " : "", when);
}

int
moment_last(struct reading *reading, struct slice stream, stream_version *version, struct fault *fault)
{
	struct read_limit limit = { .entries = 1 };
	struct entries entries;

	if (store_read_stream(reading->reader, stream, UINT64_MAX, limit, &reading->arena, &entries, version, fault) !=
	    0)
		return -1;
	return *version != 0 ? 0 : no_stream(stream, "", fault);
}

/* The last version recorded at or before a time. */
static int
version_at(struct reading *reading, struct slice stream, enum option_id option, const char *when,
	   stream_version *version, struct fault *fault)
{
	stream_version low = 0, high = *version;
	log_position position;
	int64_t wall_us;

	if (clock_parse(when, &wall_us) != 0)
		return fault_set(fault, FAULT_INPUT, "usage", "--%s wants a version or a time, got \"%s\"",
				 verb_options[option].name, when);
	if (store_position_at(reading->reader, wall_us, &position, fault) != 0)
		return -1;
	while (low < high) {
		stream_version middle = low + (high - low + 1) / 2;
		struct recorded_entry entry;
		bool found;
		if (moment_event(reading, stream, middle, &entry, &found, fault) != 0)
			return -1;
		if (found && entry.position <= position)
			low = middle;
		else
			high = middle - 1;
	}
	*version = low;
	return low != 0 ? 0 : no_stream(stream, when, fault);
}

int
moment_version(struct reading *reading, const struct call *call, enum option_id option, struct slice stream,
	       stream_version *version, struct fault *fault)
{
	const char *text = call->values[option];
	stream_version end;

	if (moment_last(reading, stream, &end, fault) != 0)
		return -1;
	*version = end;
	if (text == NULL)
		return 0;
	if (!slice_to_u64(slice_text(text), version)) {
		*version = end;
		return version_at(reading, stream, option, text, version, fault);
	}
	if (*version == 0)
		return fault_set(fault, FAULT_INPUT, "usage",
				 "--%s 0: versions begin with 1, that of the first event; %.*s has 1 to %llu",
				 verb_options[option].name, SLICE_ARG(stream), (unsigned long long)end);
	if (*version > end)
		return fault_set(fault, FAULT_INPUT, "no_such_version", "%.*s has versions 1 to %llu, not %s",
				 SLICE_ARG(stream), (unsigned long long)end, text);
	return 0;
}
