/* SPDX-License-Identifier: MIT */
/*
 * First the paths, which are known without running anything; then samples go through the chain, newest first: those in
 * the last entries of the log, and for each kind that has none there the entries around its last known position. What a
 * chain gives must fit the schemas of today.
 * Fails as its parts do; what is wrong with the rules is a finding.
 */
#include "core/catalogue.h"

#include <stdio.h>

#define PAGE_ENTRIES 256
#define PAGE_BYTES   ((size_t)4 << 20)

struct kind {
	const struct type_found *found;
	struct slice name; /* of the aggregate */
	int aggregate;     /* -1: the rules have none of the name */
	size_t samples;
	bool bad;
};

struct checking {
	struct store_reader *reader;
	const struct script_program *program;
	struct script_machine *machine;
	struct catalogue_report *report;
	struct catalogue_finding first;
	struct arena kept; /* kinds */
	struct arena page;
	struct kind *kinds;
	size_t count;
};

static void
tell(struct checking *checking, struct kind *kind, const struct recorded_entry *sample, const char *code,
     const char *why)
{
	struct catalogue_finding finding = { .aggregate = kind->name,
					     .type = kind->found->type,
					     .schema_version = kind->found->schema_version,
					     .position = kind->found->newest };

	kind->bad = true;
	snprintf(finding.code, sizeof(finding.code), "%s", code);
	if (sample != NULL) {
		finding.stream = sample->stream;
		finding.version = sample->version;
		finding.position = sample->position;
		snprintf(finding.text, sizeof(finding.text), "%.*s version %llu (position %llu), %.*s %u: %s",
			 SLICE_ARG(sample->stream), (unsigned long long)sample->version,
			 (unsigned long long)sample->position, SLICE_ARG(sample->type), kind->found->schema_version,
			 why);
	} else {
		snprintf(finding.text, sizeof(finding.text), "%.*s.%.*s %u, recorded last around position %llu: %s",
			 SLICE_ARG(kind->name), SLICE_ARG(kind->found->type), kind->found->schema_version,
			 (unsigned long long)kind->found->newest, why);
	}
	if (checking->report->findings++ == 0)
		checking->first = finding;
	if (checking->report->found != NULL)
		checking->report->found(checking->report->self, &finding);
}

/* ---- paths ---- */

static void
check_path(struct checking *checking, struct kind *kind)
{
	const struct script_program *program = checking->program;
	const struct script_aggregate *aggregate;
	const struct script_event *event = NULL;

	if (kind->aggregate < 0) {
		tell(checking, kind, NULL, "no_aggregate", "the rules have no such aggregate");
		return;
	}
	if (script_path(program, (uint16_t)kind->aggregate, kind->found->type, kind->found->schema_version))
		return;
	aggregate = &program->aggregates[kind->aggregate];
	for (size_t i = 0; i < aggregate->event_count + aggregate->retired_count && event == NULL; i++)
		if (slice_equal(aggregate->events[i].name, kind->found->type))
			event = &aggregate->events[i];
	if (event == NULL)
		tell(checking, kind, NULL, "unknown_event",
		     "the rules know no such event; declare it among `events` or `retired`");
	else if (event->version < kind->found->schema_version)
		tell(checking, kind, NULL, "newer_event", "the rules know only older versions");
	else
		tell(checking, kind, NULL, "no_upcast_path", "`upcast` lacks a step from that version on");
}

static int
find_kinds(struct checking *checking, struct fault *fault)
{
	const struct script_program *program = checking->program;
	struct type_found *types;

	if (store_list_types(checking->reader, program->domain, &checking->kept, &types, &checking->count, fault) != 0)
		return -1;
	checking->kinds = arena_zero(&checking->kept, checking->count + 1, sizeof(*checking->kinds));
	if (checking->kinds == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the kinds of events");
	for (size_t i = 0; i < checking->count; i++) {
		struct slice whole = types[i].aggregate;
		size_t skip = program->domain.size + 1;
		struct kind *kind = &checking->kinds[i];

		kind->found = &types[i];
		kind->name = slice_from(whole.data + skip, whole.size - skip);
		kind->aggregate = script_find_aggregate(program, kind->name);
		check_path(checking, kind);
	}
	checking->report->kinds += checking->count;
	return 0;
}

/* ---- samples ---- */

static struct kind *
kind_of(struct checking *checking, const struct recorded_entry *entry)
{
	if (entry->kind != ENTRY_EVENT)
		return NULL;
	for (size_t i = 0; i < checking->count; i++) {
		const struct type_found *found = checking->kinds[i].found;

		if (found->schema_version == entry->schema_version && slice_equal(found->type, entry->type) &&
		    entry->stream.size > found->aggregate.size && entry->stream.data[found->aggregate.size] == '/' &&
		    slice_starts_with(entry->stream, found->aggregate))
			return &checking->kinds[i];
	}
	return NULL;
}

static int
try_sample(struct checking *checking, const struct recorded_entry *entry, struct fault *fault)
{
	struct kind *kind = kind_of(checking, entry);
	struct script_pieces pieces;

	if (kind == NULL || kind->bad || kind->samples == CATALOGUE_SAMPLES)
		return 0;
	kind->samples++;
	checking->report->samples++;
	if (script_upcast(checking->machine, (uint16_t)kind->aggregate, entry, UPCAST_CHECKED, &checking->page, &pieces,
			  fault) == 0)
		return 0;
	if (fault->class != FAULT_SCRIPT && fault->class != FAULT_CORRUPT && fault->class != FAULT_LIMIT)
		return -1;
	tell(checking, kind, entry, fault->code, fault->text);
	return 0;
}

/* Entries after a position, the newest of them first. */
static int
try_page(struct checking *checking, log_position after, size_t count, struct fault *fault)
{
	struct entries entries;
	log_position seen;
	int result = 0;

	arena_clear(&checking->page);
	if (store_read_log(checking->reader, after, NULL, (struct read_limit){ count, PAGE_BYTES }, &checking->page,
			   &entries, &seen, fault) != 0)
		return -1;
	for (size_t i = entries.count; i-- > 0 && result == 0;)
		if (entries.items[i].position <= after + count)
			result = try_sample(checking, &entries.items[i], fault);
	return result;
}

static bool
all_sampled(const struct checking *checking)
{
	for (size_t i = 0; i < checking->count; i++)
		if (!checking->kinds[i].bad && checking->kinds[i].samples < CATALOGUE_SAMPLES)
			return false;
	return true;
}

static int
try_samples(struct checking *checking, struct fault *fault)
{
	log_position end = store_head(checking->reader->store), least;

	least = end > STORE_TYPES_LAG + PAGE_ENTRIES ? end - STORE_TYPES_LAG - PAGE_ENTRIES : 0;
	while (end > least && !all_sampled(checking)) {
		log_position after = end - least > PAGE_ENTRIES ? end - PAGE_ENTRIES : least;

		if (try_page(checking, after, (size_t)(end - after), fault) != 0)
			return -1;
		end = after;
	}
	for (size_t i = 0; i < checking->count; i++) {
		struct kind *kind = &checking->kinds[i];
		log_position at = kind->found->newest, back = at > PAGE_ENTRIES / 4 ? PAGE_ENTRIES / 4 : at;

		if (kind->bad || kind->samples != 0)
			continue;
		if (try_page(checking, at - back, (size_t)back, fault) != 0)
			return -1;
		/* Where neighbours are large, the page may end before it. */
		if (kind->samples == 0 && !kind->bad && try_page(checking, at - 1, 1, fault) != 0)
			return -1;
	}
	return 0;
}

int
catalogue_check(struct store_reader *reader, const struct script_program *program, const struct script_options *options,
		struct catalogue_report *report, struct fault *fault)
{
	struct checking checking = { .reader = reader, .program = program, .report = report };
	int result = -1;

	arena_init(&checking.kept, SIZE_MAX);
	arena_init(&checking.page, SIZE_MAX);
	if (find_kinds(&checking, fault) == 0 && script_open(program, options, &checking.machine, fault) == 0)
		result = try_samples(&checking, fault);
	if (checking.machine != NULL)
		script_close(checking.machine);
	if (result == 0 && report->findings != 0)
		result = fault_set(fault, FAULT_SCRIPT, "history_unread",
				   "the rules of %.*s cannot read what is recorded: %s%s", SLICE_ARG(program->domain),
				   checking.first.text, report->findings > 1 ? "; and there is more" : "");
	arena_fini(&checking.page);
	arena_fini(&checking.kept);
	return result;
}
