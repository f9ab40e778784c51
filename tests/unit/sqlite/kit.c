/* SPDX-License-Identifier: MIT */
#include "unit/sqlite/kit.h"

#include <dirent.h>
#include <unistd.h>

/* A check here would end the wrong file's test. */
static void
insist(bool holds, const struct kit *kit, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, kit->fault.text);
	exit(1);
}

void
kit_begin(struct kit *kit)
{
	*kit = (struct kit){ 0 };
	snprintf(kit->directory, sizeof(kit->directory), "/tmp/moonlog-sqlite-XXXXXX");
	if (mkdtemp(kit->directory) == NULL)
		abort();
	kit->options = (struct sqlite_options){
		.path = kit->directory, .create = true, .no_sync = true, .segment_entries = 64
	};
	arena_init(&kit->arena, SIZE_MAX);
}

void
kit_end(struct kit *kit)
{
	DIR *directory;
	struct dirent *entry;
	char path[400];

	kit_close(kit);
	directory = opendir(kit->directory);
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", kit->directory, entry->d_name);
		unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
	rmdir(kit->directory);
	arena_fini(&kit->arena);
}

int
kit_open(struct kit *kit)
{
	if (sqlite_open(&kit->options, &kit->store, &kit->fault) != 0)
		return -1;
	if (store_reader_open(kit->store, &kit->reader, &kit->fault) == 0)
		return 0;
	store_close(kit->store);
	kit->store = NULL;
	return -1;
}

void
kit_close(struct kit *kit)
{
	store_reader_close(kit->reader);
	store_close(kit->store);
	kit->reader = NULL;
	kit->store = NULL;
}

void
kit_path(const struct kit *kit, const char *file, char path[128])
{
	snprintf(path, 128, "%s/%s", kit->directory, file);
}

enum commit_result
kit_put(struct kit *kit, const char *stream, const char *data, const char *command, struct append *append)
{
	struct append_stream streams[] = { { slice_text(stream), { EXPECTED_ANY, 0 } } };
	struct new_entry entry = {
		.kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = slice_text(data)
	};
	struct command_id id = { { 0 } };
	struct append *appends[] = { append };

	*append = (struct append){ .streams = streams,
				   .stream_count = 1,
				   .entries = &entry,
				   .entry_count = 1,
				   .arena = &kit->arena,
				   .reply = SLICE("{\"ok\":true}") };
	if (command != NULL) {
		memcpy(id.bytes, command, strlen(command));
		append->command_id = &id;
	}
	entry_digest(&entry, streams[0].name, 0, &append->provenance, &entry.digest);
	return store_commit(kit->store, appends, 1, &kit->fault);
}

void
kit_record(struct kit *kit, const char *key, const char *value)
{
	struct record_write record = { RECORD_PUT, SLICE("space"), slice_text(key), slice_text(value), SLICE_NONE };
	struct append append = { .records = &record, .record_count = 1, .arena = &kit->arena },
		      *appends[] = { &append };

	insist(store_commit(kit->store, appends, 1, &kit->fault) == COMMIT_DONE && append.answer == APPEND_DONE, kit,
	       "record");
}

void
kit_fill(struct kit *kit, int count, int streams)
{
	uint64_t chance = 99;

	for (int i = 0; i < count; i++) {
		char name[32], command[16], data[64];
		struct append append;

		chance = chance * 6364136223846793005u + 1442695040888963407u;
		snprintf(name, sizeof(name), "shop.cart/%d", (int)((chance >> 33) % (uint64_t)streams));
		snprintf(command, sizeof(command), "c%d", i);
		snprintf(data, sizeof(data), "{\"n\":%d,\"text\":\"some text of the event\"}", i);
		insist(kit_put(kit, name, data, command, &append) == COMMIT_DONE && append.answer == APPEND_DONE, kit,
		       "commit");
	}
}

long
kit_count(struct kit *kit, const char *stream)
{
	struct entries entries;
	stream_version version;

	if (store_read_stream(kit->reader, slice_text(stream), 1, (struct read_limit){ 100000, 0 }, &kit->arena,
			      &entries, &version, &kit->fault) != 0)
		return -1;
	return entries.count == version ? (long)version : -1;
}

bool
kit_remembers(struct kit *kit, const char *command)
{
	struct remembered remembered;
	struct command_id id = { { 0 } };

	memcpy(id.bytes, command, strlen(command));
	insist(store_find_command(kit->reader, &id, NULL, &kit->arena, &remembered, &kit->fault) == 0, kit,
	       "find command");
	return remembered.found;
}

static void
note_finding(void *self, const struct verify_finding *finding)
{
	if (getenv("SHOW_FINDINGS") != NULL)
		fprintf(stderr, "finding %d %llu..%llu %.*s: %s\n", (int)finding->kind,
			(unsigned long long)finding->first, (unsigned long long)finding->last,
			SLICE_ARG(finding->stream), finding->text);
	if (self != NULL)
		*(unsigned *)self |= 1u << finding->kind;
}

long
kit_verify(struct kit *kit, unsigned *kinds)
{
	struct verify_report report = { .found = note_finding, .self = kinds };

	if (kinds != NULL)
		*kinds = 0;
	if (store_verify(kit->reader, &report, &kit->fault) != 0)
		return -1;
	return (long)report.findings;
}

void
kit_copy(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char bytes[65536];
	size_t size;

	if (in == NULL || out == NULL)
		abort();
	while ((size = fread(bytes, 1, sizeof(bytes), in)) > 0)
		if (fwrite(bytes, 1, size, out) != size)
			abort();
	fclose(in);
	fclose(out);
}
