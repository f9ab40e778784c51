/* SPDX-License-Identifier: MIT */
/*
 * `export`: the log, or a part of it, as lines that `import` takes (exchange.h), read page by page beside the daemon.
 * Rules go before the first entry that they decided. The last entries and the unique keys are read as of one moment,
 * so that the keys fit the entries. With --upcast it is events as the rules of today see them, without rules and keys:
 * nothing that could be imported.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/entropy.h"
#include "core/domain.h"
#include "daemon/exchange.h"
#include "daemon/print.h"
#include "daemon/progress.h"
#include "daemon/reading.h"
#include "daemon/rules.h"

#define PAGE_ENTRIES 1000
#define PAGE_BYTES   ((size_t)4 << 20)
#define PAGE_RECORDS 1000
#define OUT_BYTES    ((size_t)1 << 20)
#define OUT_MAX      ((size_t)256 << 20)
#define SPACE        "unique/"

struct numbers {
	uint32_t *items;
	size_t count;
	size_t room;
};

struct hashes {
	struct digest *items;
	size_t count;
	size_t room;
};

struct export
{
	const struct call *call;
	struct reading *reading;
	struct log_filter filter;
	struct slice stream; /* only this one; empty: all of the filter */
	struct exchange exchange;
	struct buf out;
	log_position after;
	uint64_t entries;
	struct numbers generations; /* told already */
	struct hashes sources;
	struct progress progress;
	/* --upcast: the rules of each domain that was met */
	bool upcast;
	struct rules rules[DOMAIN_MAX];
	size_t domain_count;
};

static int
flush(struct export *export, size_t least, struct fault *fault)
{
	if (export->out.failed)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a page of output");
	if (export->out.size >= least)
		print_out(&export->out);
	if (ferror(stdout))
		return fault_set(fault, FAULT_AWAY, "write_failed", "standard output cannot be written");
	return 0;
}

/* ---- rules ---- */

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the list of generations");
}

/* *is_new false: it was told before. */
static int
note_number(struct numbers *numbers, uint32_t number, bool *is_new, struct fault *fault)
{
	for (size_t i = numbers->count; i-- > 0;) {
		*is_new = numbers->items[i] != number;
		if (!*is_new)
			return 0;
	}
	if (numbers->count == numbers->room) {
		size_t room = numbers->room != 0 ? numbers->room * 2 : 64;
		uint32_t *items = realloc(numbers->items, room * sizeof(*items));
		if (items == NULL)
			return no_memory(fault);
		numbers->items = items;
		numbers->room = room;
	}
	numbers->items[numbers->count++] = number;
	*is_new = true;
	return 0;
}

static int
note_hash(struct hashes *hashes, const struct digest *hash, bool *is_new, struct fault *fault)
{
	for (size_t i = hashes->count; i-- > 0;) {
		*is_new = memcmp(&hashes->items[i], hash, sizeof(*hash)) != 0;
		if (!*is_new)
			return 0;
	}
	if (hashes->count == hashes->room) {
		size_t room = hashes->room != 0 ? hashes->room * 2 : 64;
		struct digest *items = realloc(hashes->items, room * sizeof(*items));
		if (items == NULL)
			return no_memory(fault);
		hashes->items = items;
		hashes->room = room;
	}
	hashes->items[hashes->count++] = *hash;
	*is_new = true;
	return 0;
}

static int
bad_generation(uint32_t number, struct fault *fault)
{
	return fault_set(fault, FAULT_CORRUPT, "bad_generation", "the rules of generation %u cannot be read", number);
}

static int
put_source(struct export *export, struct slice hex, uint32_t generation, struct fault *fault)
{
	size_t start = export->out.size;
	struct digest digest;
	struct slice bytes;
	bool found, is_new;

	if (store_read_record(export->reading->reader, SLICE("source"), hex, &export->reading->arena, &bytes, &found,
			      fault) != 0)
		return -1;
	if (!found)
		return bad_generation(generation, fault);
	digest_of(bytes, &digest);
	if (note_hash(&export->sources, &digest, &is_new, fault) != 0)
		return -1;
	if (!is_new)
		return 0;
	buf_text(&export->out, "{\"source\":");
	json_quote(&export->out, hex);
	json_key(&export->out, json_utf8(bytes) ? "text" : "bytes");
	if (json_utf8(bytes)) {
		json_quote(&export->out, bytes);
	} else {
		buf_byte(&export->out, '"');
		buf_hex(&export->out, bytes.data, bytes.size);
		buf_byte(&export->out, '"');
	}
	exchange_close(&export->exchange, start, &export->out);
	return 0;
}

static struct slice
text_of(struct json_value object, const char *key)
{
	struct json_value member;

	if (!json_member(object, slice_text(key), &member) || member.kind != JSON_STRING)
		return SLICE_NONE;
	return slice_from(member.raw.data + 1, member.raw.size - 2);
}

static int
put_manifest(struct export *export, uint32_t number, struct json_value manifest, struct fault *fault)
{
	struct json_value sources, item;
	struct json_iter iter;
	struct slice key;
	size_t start;

	if (!json_member(manifest, SLICE("sources"), &sources) || text_of(manifest, "hash").size == 0)
		return bad_generation(number, fault);
	json_iter(&iter, sources);
	while (json_next(&iter, &key, &item))
		if (put_source(export, text_of(item, "hash"), number, fault) != 0)
			return -1;
	start = export->out.size;
	buf_format(&export->out, "{\"generation\":%u,\"domain\":", number);
	json_quote(&export->out, text_of(manifest, "domain"));
	json_key(&export->out, "hash");
	json_quote(&export->out, text_of(manifest, "hash"));
	json_key(&export->out, "sources");
	buf_add(&export->out, sources.raw);
	exchange_close(&export->exchange, start, &export->out);
	return 0;
}

static int
put_generation(struct export *export, uint32_t number, struct fault *fault)
{
	struct json_value manifest;
	struct slice bytes;
	char text[11];
	bool found, is_new;

	if (number == 0)
		return 0;
	if (note_number(&export->generations, number, &is_new, fault) != 0)
		return -1;
	if (!is_new)
		return 0;
	snprintf(text, sizeof(text), "%010u", number);
	if (store_read_record(export->reading->reader, SLICE("generation"), slice_text(text), &export->reading->arena,
			      &bytes, &found, fault) != 0)
		return -1;
	if (!found || json_check(bytes, &manifest, NULL) != 0)
		return bad_generation(number, fault);
	return put_manifest(export, number, manifest, fault);
}

/* ---- as the rules of today see it ---- */

static struct rules *
rules_of(struct export *export, struct slice domain, struct fault *fault)
{
	struct rules *rules = &export->rules[export->domain_count];

	for (size_t i = 0; i < export->domain_count; i++)
		if (slice_equal(export->rules[i].sources.domain, domain))
			return &export->rules[i];
	if (export->domain_count == DOMAIN_MAX) {
		fault_set(fault, FAULT_LIMIT, "too_many_domains", "more than %d domains", DOMAIN_MAX);
		return NULL;
	}
	export->domain_count++;
	return rules_find(rules, &export->reading->config, export->reading->reader, domain, fault) == 0 ? rules : NULL;
}

/* None of an event that is dropped; what is no event goes as it is. */
static int
put_pieces(struct export *export, const struct recorded_entry *entry, struct fault *fault)
{
	struct script_pieces pieces;
	struct stream_name name;
	struct rules *rules;
	uint16_t aggregate;

	if (entry->kind != ENTRY_EVENT)
		return exchange_piece(&export->exchange, entry, 1, 1, &export->out, fault);
	if (stream_parse(entry->stream, &name, fault) != 0)
		return -1;
	rules = rules_of(export, name.domain, fault);
	if (rules == NULL || rules_aggregate(rules, name.aggregate, &aggregate, fault) != 0)
		return -1;
	if (script_upcast(rules->machine, aggregate, entry, 0, &export->reading->arena, &pieces, fault) != 0)
		return fault_prefix(fault, "%.*s version %llu", SLICE_ARG(entry->stream),
				    (unsigned long long)entry->version);
	for (size_t i = 0; i < pieces.count; i++) {
		struct recorded_entry piece = *entry;

		piece.type = pieces.items[i].type;
		piece.schema_version = pieces.items[i].schema_version;
		piece.data = pieces.items[i].data;
		if (exchange_piece(&export->exchange, &piece, i + 1, pieces.count, &export->out, fault) != 0)
			return -1;
	}
	return 0;
}

/* ---- entries ---- */

static int
put_recorded(struct export *export, const struct recorded_entry *entry, struct fault *fault)
{
	return put_generation(export, entry->generation, fault) != 0 ||
			       exchange_entry(&export->exchange, entry, &export->out, fault) != 0
		       ? -1
		       : 0;
}

static int
put_page(struct export *export, const struct entries *page, struct fault *fault)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct recorded_entry *entry = &page->items[i];
		if (export->stream.size != 0 && !slice_equal(export->stream, entry->stream))
			continue;
		if ((export->upcast ? put_pieces(export, entry, fault) : put_recorded(export, entry, fault)) != 0)
			return -1;
		export->entries++;
	}
	return flush(export, OUT_BYTES, fault);
}

/* From `after` to the end of the log as the reader sees it. */
static int
put_entries(struct export *export, struct fault *fault)
{
	struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };
	struct reading *reading = export->reading;
	log_position before;

	do {
		struct entries page;
		before = export->after;
		arena_clear(&reading->arena);
		if (store_read_log(reading->reader, before, &export->filter, limit, &reading->arena, &page,
				   &export->after, fault) != 0 ||
		    put_page(export, &page, fault) != 0)
			return -1;
		progress_show(&export->progress, export->after, store_head(reading->store), export->entries);
	} while (export->after != before);
	return 0;
}

static int
put_head(struct export *export, struct fault *fault)
{
	struct reading *reading = export->reading;
	char time[CLOCK_TEXT_SIZE], id[ID_TEXT_SIZE];
	struct check link = { { 0 } };
	struct entries page;
	log_position seen;
	uint8_t random[10];
	int64_t now = clock_wall_us(clock_real());

	if (export->after != 0) {
		if (store_read_log(reading->reader, export->after - 1, NULL, (struct read_limit){ 1, 0 },
				   &reading->arena, &page, &seen, fault) != 0)
			return -1;
		if (page.count == 0)
			return fault_set(fault, FAULT_INPUT, "usage", "--after %llu lies behind the end of the log",
					 (unsigned long long)export->after);
		link = page.items[0].link;
	}
	entropy_fill(entropy_real(), random, sizeof(random));
	struct id unique = id_v7(now, random);
	id_format(&unique, id);
	clock_format(now, time);
	buf_format(&export->out, "{\"moonlog_export\":1,\"id\":\"%s\",\"time\":\"%s\",\"after\":%llu,\"link\":\"", id,
		   time, (unsigned long long)export->after);
	buf_hex(&export->out, link.bytes, CHECK_SIZE);
	buf_byte(&export->out, '"');
	if (export->stream.size != 0 || export->filter.domain.size != 0) {
		json_key(&export->out, "of");
		json_quote(&export->out, export->stream.size != 0 ? export->stream : export->filter.domain);
	}
	if (export->upcast) {
		json_key(&export->out, "upcast");
		buf_text(&export->out, "true");
	}
	exchange_close(&export->exchange, 0, &export->out);
	return 0;
}

/* ---- unique keys ---- */

static bool
wants_key(const struct export *export, struct slice holder)
{
	struct slice domain = export->filter.domain;

	if (export->stream.size != 0)
		return slice_equal(export->stream, holder);
	return domain.size == 0 ||
	       (slice_starts_with(holder, domain) && holder.size > domain.size && holder.data[domain.size] == '.');
}

static int
put_key(struct export *export, struct slice set, const struct record *record, struct fault *fault)
{
	size_t start = export->out.size;

	if (!json_utf8(record->key))
		return fault_set(fault, FAULT_INPUT, "not_text", "a unique key of %.*s is no text in JSON",
				 SLICE_ARG(set));
	buf_text(&export->out, "{\"unique\":");
	json_quote(&export->out, set);
	json_key(&export->out, "key");
	json_quote(&export->out, record->key);
	json_key(&export->out, "stream");
	json_quote(&export->out, record->value);
	exchange_close(&export->exchange, start, &export->out);
	return 0;
}

static int
put_space(struct export *export, struct slice space, struct fault *fault)
{
	struct slice set = slice_from(space.data + sizeof(SPACE) - 1, space.size - (sizeof(SPACE) - 1));
	char last[STORE_KEY_MAX];
	struct slice after = SLICE_NONE;
	struct record *records;
	size_t count;

	do {
		struct arena_mark mark = arena_mark(&export->reading->arena);
		if (store_list_records(export->reading->reader, space, after, PAGE_RECORDS, &export->reading->arena,
				       &records, &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++)
			if (wants_key(export, records[i].value) && put_key(export, set, &records[i], fault) != 0)
				return -1;
		if (count != 0) {
			after = slice_from(last, records[count - 1].key.size);
			memcpy(last, records[count - 1].key.data, after.size);
		}
		arena_reset(&export->reading->arena, mark);
		if (flush(export, OUT_BYTES, fault) != 0)
			return -1;
	} while (count == PAGE_RECORDS);
	return 0;
}

static int
put_keys(struct export *export, struct fault *fault)
{
	struct slice *spaces;
	size_t count;

	arena_clear(&export->reading->arena);
	if (store_list_spaces(export->reading->reader, SLICE(SPACE), SLICE_NONE, SIZE_MAX, &export->reading->arena,
			      &spaces, &count, fault) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (put_space(export, spaces[i], fault) != 0)
			return -1;
	return 0;
}

/* What came meanwhile, and the keys, as of one moment. */
static int
put_rest(struct export *export, struct fault *fault)
{
	log_position head;
	int result;

	if (store_hold(export->reading->reader, &head, fault) != 0)
		return -1;
	result = put_entries(export, fault) == 0 && (export->upcast || put_keys(export, fault) == 0) ? 0 : -1;
	store_let_go(export->reading->reader);
	return result;
}

static int
run(struct export *export, struct fault *fault)
{
	size_t start;

	if (put_head(export, fault) != 0 || put_entries(export, fault) != 0 || put_rest(export, fault) != 0)
		return -1;
	start = export->out.size;
	buf_format(&export->out, "{\"end\":true,\"entries\":%llu", (unsigned long long)export->entries);
	exchange_close(&export->exchange, start, &export->out);
	return flush(export, 0, fault);
}

/* A misspelt stream would be a whole export of nothing. */
static int
must_exist(const struct export *export, struct fault *fault)
{
	struct read_limit limit = { .entries = 1 };
	stream_version end = 0;
	struct entries entries;

	if (store_read_stream(export->reading->reader, export->stream, 1, limit, &export->reading->arena, &entries,
			      &end, fault) != 0)
		return -1;
	return end != 0 ? 0
			: fault_set(fault, FAULT_INPUT, "no_such_stream", "there is no stream %.*s",
				    SLICE_ARG(export->stream));
}

static int
choose(struct export *export, struct fault *fault)
{
	const char *stream = export->call->values[OPTION_STREAM], *domain = export->call->values[OPTION_DOMAIN];
	struct stream_name name;

	export->upcast = call_has(export->call, OPTION_UPCAST);
	if (call_number(export->call, OPTION_AFTER, 0, &export->after, fault) != 0)
		return -1;
	if (stream != NULL && domain != NULL)
		return fault_set(fault, FAULT_INPUT, "usage", "--stream and --domain exclude each other");
	if (domain != NULL && !stream_word_ok(slice_text(domain)))
		return fault_set(fault, FAULT_INPUT, "usage", "--domain wants the name of a domain, got \"%s\"",
				 domain);
	export->filter.domain = slice_text(domain);
	if (stream == NULL)
		return 0;
	export->filter.stream_prefix = export->stream = slice_text(stream);
	return stream_parse(export->stream, &name, fault) == 0 ? must_exist(export, fault) : -1;
}

enum exit_code
verb_export(struct call *call)
{
	struct reading reading;
	struct export export = { .call = call, .reading = &reading };
	struct fault fault;
	enum exit_code code = EXIT_DONE;

	buf_init(&export.out, OUT_MAX);
	if (reading_open(call, &reading, &fault) != 0 || choose(&export, &fault) != 0) {
		code = exit_say(&fault);
	} else {
		int result;
		progress_begin(&export.progress, "exporting");
		result = run(&export, &fault);
		progress_end(&export.progress);
		if (result != 0)
			code = exit_say(&fault);
	}
	for (size_t i = 0; i < export.domain_count; i++)
		rules_close(&export.rules[i]);
	reading_close(&reading);
	buf_fini(&export.out);
	free(export.generations.items);
	free(export.sources.items);
	return code;
}
