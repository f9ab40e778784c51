/* SPDX-License-Identifier: MIT */
/*
 * Reads a stream page by page and folds each page, so that memory stays bounded whatever the stream's length. The
 * store checks every digest on the way; a fold that fails names the event. Of a document, whose every event is its
 * whole state, the newest alone is read.
 */
#include "core/load.h"

#include <stdio.h>

#include "core/snapshot.h"

#define PAGE_ENTRIES 512
#define PAGE_BYTES   ((size_t)512 * 1024)

int
load_name(const struct script_program *program, uint16_t aggregate, struct slice id, char name[STREAM_NAME_MAX + 1],
	  struct slice *stream, struct fault *fault)
{
	int size;

	if (!stream_id_ok(id))
		return fault_set(fault, FAULT_INPUT, "bad_stream_id",
				 "an id is 1 to %d letters, digits and . _ ~ : @ -", STREAM_ID_MAX);
	size = snprintf(name, STREAM_NAME_MAX + 1, "%.*s.%.*s/%.*s", SLICE_ARG(program->domain),
			SLICE_ARG(program->aggregates[aggregate].name), SLICE_ARG(id));
	*stream = slice_from(name, (size_t)size);
	return 0;
}

int
load_aggregate(const struct script_program *program, struct slice stream)
{
	struct stream_name name;

	return stream_parse(stream, &name, NULL) == 0 ? script_find_aggregate(program, name.aggregate) : -1;
}

static int
fold_page(const struct loading *loading, const struct entries *page, script_state *state, stream_version *version,
	  struct fault *fault)
{
	size_t folded = 0;

	if (page->count == 0)
		return 0;
	if (*state == 0 && script_initial(loading->machine, loading->aggregate, state, fault) != 0) {
		*state = 0;
		return -1;
	}
	if (script_fold(loading->machine, loading->aggregate, *state, page->items, page->count, &folded, fault) != 0) {
		if (folded < page->count && fault->class != FAULT_SCRIPT) /* of those the script says it */
			fault_prefix(fault, "version %llu", (unsigned long long)page->items[folded].version);
		return -1;
	}
	*version = page->items[page->count - 1].version;
	return 0;
}

/* The fold's own fault names the stream already. */
static int
of_stream(struct slice stream, struct fault *fault)
{
	return fault == NULL || slice_starts_with(slice_text(fault->text), stream)
		       ? -1
		       : fault_prefix(fault, "%.*s", SLICE_ARG(stream));
}

/* A snapshot that cannot be used for whatever reason is as good as none: the keeper looks into it. */
static void
take_snapshot(const struct loading *loading, struct slice stream, stream_version last, script_state *state,
	      stream_version *version)
{
	const struct script_program *program = loading->machine->program;
	struct snapshot snapshot;
	bool found = false;

	if (snapshot_read(loading->reader, program, loading->aggregate, stream, loading->arena, &snapshot, &found,
			  NULL) != 0 ||
	    !found || !snapshot_fits(&snapshot, &program->aggregates[loading->aggregate]) ||
	    (last != 0 && snapshot.version > last))
		return;
	if (script_decode(loading->machine, loading->aggregate, snapshot.state, state, NULL) == 0)
		*version = snapshot.version;
	else
		*state = 0;
}

static int
load_events(const struct loading *loading, struct slice stream, stream_version last, script_state *state,
	    stream_version *version, stream_version *end, struct fault *fault)
{
	struct arena_mark mark = arena_mark(loading->arena);
	int result;

	do {
		struct entries page = { 0 };
		struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };

		if (last != 0 && last - *version < limit.entries)
			limit.entries = (size_t)(last - *version);
		if (limit.entries == 0)
			break;
		result = store_read_stream(loading->reader, stream, *version + 1, limit, loading->arena, &page, end,
					   fault);
		if (result == 0)
			result = fold_page(loading, &page, state, version, fault);
		arena_reset(loading->arena, mark);
		if (result != 0)
			goto failed;
		if (page.count == 0)
			break;
	} while (*version < *end);
	return 0;
failed:
	if (*state != 0)
		script_state_release(loading->machine, *state);
	*state = 0;
	*version = 0;
	return of_stream(stream, fault);
}

/* The newest event up to `last`, if it is after *version. */
static int
load_document(const struct loading *loading, struct slice stream, stream_version last, script_state *state,
	      stream_version *version, struct fault *fault)
{
	struct arena_mark mark = arena_mark(loading->arena);
	const struct read_limit one = { 1, 0 };
	struct entries page = { 0 };
	stream_version end = 0, newest;
	int result = store_read_stream(loading->reader, stream, STORE_BEYOND, one, loading->arena, &page, &end, fault);

	newest = last != 0 && last < end ? last : end;
	if (result == 0 && newest > *version)
		result = store_read_stream(loading->reader, stream, newest, one, loading->arena, &page, &end, fault);
	if (result == 0)
		result = fold_page(loading, &page, state, version, fault);
	arena_reset(loading->arena, mark);
	if (loading->begun != NULL)
		*loading->begun = *version;
	if (result == 0)
		return 0;
	if (*state != 0)
		script_state_release(loading->machine, *state);
	*state = 0;
	*version = 0;
	return of_stream(stream, fault);
}

int
load_stream(const struct loading *loading, struct slice stream, stream_version last, script_state *state,
	    stream_version *version, struct fault *fault)
{
	struct arena_mark mark = arena_mark(loading->arena);
	stream_version end = 0;

	if (loading->machine->program->aggregates[loading->aggregate].document)
		return load_document(loading, stream, last, state, version, fault);
	if (loading->snapshots && *version == 0)
		take_snapshot(loading, stream, last, state, version);
	arena_reset(loading->arena, mark);
	if (loading->begun != NULL)
		*loading->begun = *version;
	stream_version begun = *version;
	if (load_events(loading, stream, last, state, version, &end, fault) != 0)
		return -1;
	if (!loading->snapshots || begun == 0 || end == 0 || end >= begun)
		return 0;
	/* The log is shorter than the snapshot says: it belongs to a history that is gone. */
	script_state_release(loading->machine, *state);
	*state = 0;
	*version = 0;
	if (loading->begun != NULL)
		*loading->begun = 0;
	return load_events(loading, stream, last, state, version, &end, fault);
}
