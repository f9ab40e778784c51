/* SPDX-License-Identifier: MIT */
/*
 * Verifying: the whole log goes by once, in bites of short transactions, so that a writer beside it is not held up.
 * Each entry's digest, link, seal, position, version, time and place in its commit are made again; the index, records
 * and witness after it.
 *
 * A page that cannot be read is a finding with the range of positions it hides; the log goes on behind it.
 * Fails: MEMORY, and errors that are not the stored bytes'.
 */
#include "store/sqlite/verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/witness.h"

#define BITE 1024

void
verify_finding(struct verification *verification, enum verify_finding_kind kind, struct slice stream,
	       log_position first, log_position last, const char *text)
{
	struct verify_finding finding = { .kind = kind, .stream = stream, .first = first, .last = last };

	snprintf(finding.text, sizeof(finding.text), "%s", text);
	verification->report->findings++;
	if (verification->report->found != NULL)
		verification->report->found(verification->report->self, &finding);
}

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory to verify the store");
}

static bool
is_damage(const struct fault *fault)
{
	return fault->class == FAULT_CORRUPT || fault->class == FAULT_AWAY;
}

static void
check_version(struct verification *verification, const struct row *row, struct slice name)
{
	stream_version *last = &verification->versions[row->stream];
	char text[200];

	if (row->version == 0)
		return;
	if (row->version != *last + 1) {
		snprintf(text, sizeof(text), "version %llu follows version %llu", (unsigned long long)row->version,
			 (unsigned long long)*last);
		verify_finding(verification, VERIFY_VERSION, name, row->position, row->position, text);
	}
	*last = row->version;
}

static void
check_place(struct verification *verification, const struct row *row, struct slice name)
{
	uint32_t size = row_size(row->part), offset = row_offset(row->part);
	bool fits = offset == 0 ? verification->part_offset + 1 == verification->part_size
				: size == verification->part_size && offset == verification->part_offset + 1;

	if (!fits)
		verify_finding(verification, VERIFY_POSITION, name, row->position, row->position,
			       "it does not continue the commit before it, nor begin one");
	if (row->at < verification->time)
		verify_finding(verification, VERIFY_POSITION, name, row->position, row->position,
			       "it was recorded before the one before it");
	verification->part_size = size;
	verification->part_offset = offset;
	verification->time = row->at;
}

static void
check_link(struct verification *verification, const struct row *row, struct slice name)
{
	struct check wanted;

	entry_link(&verification->link, &row->digest, row->position, row->version,
		   row->position - row_offset(row->part), row_size(row->part), row->at, &wanted);
	if (!check_equal(&wanted, &row->link))
		verify_finding(verification, VERIFY_LINK, name, row->position, row->position,
			       "its link does not follow from the one before");
	verification->link = row->link;
}

static void
check_content(struct verification *verification, const struct row *row, struct slice name)
{
	struct fault fault;

	if (sqlite_check_content(verification->reader, row, name, &fault) != 0)
		verify_finding(verification, VERIFY_CONTENT, name, row->position, row->position, fault.text);
}

static int
make_room(struct verification *verification, uint64_t stream, struct fault *fault)
{
	stream_version *wider;
	uint64_t room = stream * 2 > 4096 ? stream * 2 : 4096;

	if (stream < verification->streams)
		return 0;
	wider = realloc(verification->versions, room * sizeof(*wider));
	if (wider == NULL)
		return no_memory(fault);
	memset(wider + verification->streams, 0, (room - verification->streams) * sizeof(*wider));
	verification->versions = wider;
	verification->streams = room;
	return 0;
}

static void
report_hole(struct verification *verification, enum verify_finding_kind kind, log_position last, const char *text)
{
	verify_finding(verification, kind, SLICE_NONE, verification->at + 1, last, text);
	verify_index_hole(verification);
}

/* A key out of its order inside a page misleads a search, though rows in sequence look well. */
static void
check_search(struct verification *verification, const struct row *row, struct slice name)
{
	struct link *link = &verification->reader->link;
	struct fault trouble;
	sqlite3_stmt *statement = link_use(link, SQL_NARROW_AT, &trouble);

	if (statement == NULL)
		return;
	link_bind_int(statement, 1, row->position);
	if (link_step(link, statement, &trouble) <= 0)
		verify_finding(verification, VERIFY_UNREADABLE, name, row->position, row->position,
			       "it cannot be found by its position");
	sqlite3_reset(statement);
}

static int
check_row(struct verification *verification, sqlite3_stmt *statement, struct fault *fault)
{
	struct sqlite_reader *reader = verification->reader;
	struct slice name = SLICE_NONE;
	struct name_slot *slot;
	struct fault trouble;
	struct row row;
	bool sealed = row_load(statement, &row, &trouble) == 0;

	if (row.position != verification->at + 1)
		report_hole(verification, VERIFY_POSITION, row.position - 1, "these positions are missing");
	/* A stream number that no stream has is damage too, and must not size anything. */
	slot = name_cache_get(&reader->names, &reader->link, row.stream, &trouble);
	if (slot != NULL)
		name = slot->name;
	else if (trouble.class == FAULT_MEMORY)
		return no_memory(fault);
	if (slot == NULL || !sealed) {
		verify_finding(verification, VERIFY_CONTENT, name, row.position, row.position, trouble.text);
		verify_index_hole(verification);
	}
	if (slot != NULL)
		check_content(verification, &row, name);
	check_search(verification, &row, name);
	check_link(verification, &row, name);
	check_place(verification, &row, name);
	verification->at = row.position;
	verification->report->entries++;
	if (slot == NULL)
		return 0;
	if (make_room(verification, row.stream, fault) != 0)
		return -1;
	check_version(verification, &row, name);
	if (verify_types_row(verification, &row, name, fault) != 0)
		return -1;
	return verify_index_row(verification, &row, name, fault);
}

/* Whether the entry after a position can be read, and which it is (0: none). */
static bool
can_read_after(struct verification *verification, log_position after, log_position *next)
{
	struct link *link = &verification->reader->link;
	struct fault trouble;
	sqlite3_stmt *statement = link_use(link, SQL_ENTRIES_AFTER, &trouble);
	int stepped;

	*next = 0;
	if (statement == NULL)
		return false;
	link_bind_int(statement, 1, after);
	stepped = link_step(link, statement, &trouble);
	if (stepped > 0)
		*next = link_int(statement, 0);
	sqlite3_reset(statement);
	return stepped >= 0;
}

/* Goes on behind a page that cannot be read: leaps ahead, then closes in on the first entry that can be read. */
static void
skip_unreadable(struct verification *verification, const char *why)
{
	log_position bad = verification->at, good = bad, leap = 1, next = 0;

	do {
		good = verification->head - bad > leap ? bad + leap : verification->head;
		leap *= 2;
	} while (good < verification->head && !can_read_after(verification, good, &next));
	while (bad + 1 < good) {
		log_position middle = bad + (good - bad) / 2;

		if (can_read_after(verification, middle, &next))
			good = middle;
		else
			bad = middle;
	}
	if (!can_read_after(verification, good, &next) || next == 0 || next > verification->head)
		next = verification->head + 1;
	report_hole(verification, VERIFY_UNREADABLE, next - 1, why);
	verification->at = next - 1;
	verification->part_size = 1; /* nothing is known of the commit before */
	verification->part_offset = 0;
}

/* Behind a hole the chain is taken up again: the link before is whatever is stored. */
static void
take_up(struct verification *verification)
{
	struct link *link = &verification->reader->link;
	struct fault trouble;
	sqlite3_stmt *statement = link_use(link, SQL_ENTRY_AT, &trouble);
	struct row row;

	if (statement == NULL)
		return;
	link_bind_int(statement, 1, verification->at);
	if (link_step(link, statement, &trouble) > 0) {
		row_load(statement, &row, &trouble);
		verification->link = row.link;
	}
	sqlite3_reset(statement);
}

static int
check_bite(struct verification *verification, struct fault *fault)
{
	struct link *link = &verification->reader->link;
	sqlite3_stmt *statement = link_use(link, SQL_ENTRIES_AFTER, fault);
	log_position before = verification->at;
	struct fault trouble;
	int stepped = 1;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, before);
	while (verification->at < verification->head && verification->at - before < BITE) {
		stepped = link_step(link, statement, &trouble);
		if (stepped <= 0)
			break;
		if (link_int(statement, 0) > verification->head) {
			stepped = 0;
			break;
		}
		if (check_row(verification, statement, fault) != 0) {
			sqlite3_reset(statement);
			return -1;
		}
	}
	sqlite3_reset(statement);
	if (stepped < 0 && !is_damage(&trouble)) {
		*fault = trouble;
		return -1;
	}
	if (stepped < 0) {
		skip_unreadable(verification, trouble.text);
		take_up(verification);
	} else if (stepped == 0 && verification->at < verification->head) {
		report_hole(verification, VERIFY_POSITION, verification->head, "these positions are missing");
		verification->at = verification->head;
	}
	return 0;
}

/* Read anew where it was none at first: a writer beside us may have been about to write it. */
static int
check_witness(struct verification *verification, struct witness *witness, struct fault *fault)
{
	log_position head = verification->head;
	char text[200];
	int lost;

	if (!witness->present && sqlite_witness_read(verification->reader->store->directory, witness, fault) != 0) {
		verify_finding(verification, VERIFY_TAIL, SLICE_NONE, head, head, fault->text);
		return 0;
	}
	if (!witness->present && (head != 0 || witness->written)) {
		snprintf(text, sizeof(text),
			 "nothing vouches for the end of the log: the file witness: %s; the next start writes it anew",
			 witness->lacks);
		verify_finding(verification, VERIFY_TAIL, SLICE_NONE, head, head, text);
	}
	lost = sqlite_witness_compare(&verification->reader->link, witness, text, fault);
	if (lost > 0)
		verify_finding(verification, VERIFY_TAIL, SLICE_NONE, witness->position, witness->position, text);
	return lost < 0 && !is_damage(fault) ? -1 : 0;
}

static int
run(struct verification *verification, struct fault *fault)
{
	struct verify_report *report = verification->report;
	struct witness witness = { 0 };
	struct fault trouble;

	/* Before the head is asked for, since the log may go on meanwhile. */
	if (!verification->alone)
		(void)sqlite_witness_read(verification->reader->store->directory, &witness, &trouble);
	if (sqlite_refresh_head(verification->reader, fault) != 0 || verify_index_begin(verification, fault) != 0)
		return -1;
	verification->head = store_head(verification->reader->base.store);
	while (verification->at < verification->head) {
		if (check_bite(verification, fault) != 0)
			return -1;
		if (report->progress != NULL)
			report->progress(report->self, verification->at, verification->head);
	}
	if ((!verification->alone && check_witness(verification, &witness, fault) != 0) ||
	    verify_types_end(verification, fault) != 0)
		return -1;
	return verify_rest(verification, fault);
}

static int
verify(struct store_reader *base, bool alone, struct verify_report *report, struct fault *fault)
{
	struct verification verification = {
		.reader = sqlite_reader_of(base), .report = report, .part_size = 1, .alone = alone
	};
	int result = run(&verification, fault);

	verify_index_end(&verification);
	catalogue_fini(&verification.kinds);
	free(verification.versions);
	return result;
}

int
sqlite_verify(struct store_reader *base, struct verify_report *report, struct fault *fault)
{
	return verify(base, false, report, fault);
}

int
sqlite_verify_copy(struct store_reader *base, struct verify_report *report, struct fault *fault)
{
	report->entries = report->findings = 0;
	return verify(base, true, report, fault);
}
