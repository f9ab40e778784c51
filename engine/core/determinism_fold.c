/* SPDX-License-Identifier: MIT */
/*
 * In a chunk the first machine goes through the thread's streams forwards and the second backwards, and it folds each
 * once for nothing before, so that what streams leave behind in a module shows, too; then the two states' canonical
 * bytes are compared. Equal bytes are kept, one copy, and both machines go on from them in the next chunk. Where they
 * differ, the chunk's events are folded again one by one, up to the first that parts them; that stream is left out from
 * then on.
 */
#include "core/determinism_fold.h"

#include <stdio.h>
#include <stdlib.h>

/* A stream in the present chunk. */
struct pair {
	struct known *known;
	struct recorded_entry *items;
	size_t count;
	script_state states[2];
	struct digest digest; /* of the first machine's state at the end */
	size_t folded[2];     /* less than `count` when the rules failed */
	char code[40];
};

static struct determinism_finding *
add_finding(struct folder *folder, enum determinism_what what, const struct recorded_entry *entry)
{
	struct determinism_finding *finding = &folder->findings[folder->finding_count];

	folder->finding_total++;
	*finding = (struct determinism_finding){ .stream = arena_copy(&folder->kept, entry->stream),
						 .version = entry->version,
						 .position = entry->position,
						 .type = arena_copy(&folder->kept, entry->type) };
	finding->what = what;
	/* One more than is kept takes the last one's place. */
	if (folder->finding_count + 1 < DETERMINISM_KEPT)
		folder->finding_count++;
	return finding;
}

/* ---- streams ---- */

static struct known *
slot_of(struct known *known, size_t room, uint64_t hash, struct slice name)
{
	size_t at = (size_t)hash & (room - 1);

	while (known[at].name.size != 0 && !(known[at].hash == hash && slice_equal(known[at].name, name)))
		at = (at + 1) & (room - 1);
	return &known[at];
}

/* Room for so many streams more, before anybody points into the table. */
static int
widen(struct folder *folder, size_t more, struct fault *fault)
{
	size_t room = folder->known_room != 0 ? folder->known_room : 1024;
	struct known *wider;

	while ((folder->known_count + more) * 2 > room)
		room *= 2;
	if (room == folder->known_room)
		return 0;
	wider = calloc(room, sizeof(*wider));
	if (wider == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for %zu streams", room / 2);
	for (size_t i = 0; i < folder->known_room; i++)
		if (folder->known[i].name.size != 0)
			*slot_of(wider, room, folder->known[i].hash, folder->known[i].name) = folder->known[i];
	free(folder->known);
	folder->known = wider;
	folder->known_room = room;
	return 0;
}

/* The stream, known from now on. There is room for it. NULL: no memory. */
static struct known *
know(struct folder *folder, uint64_t hash, struct slice name)
{
	struct known *known = slot_of(folder->known, folder->known_room, hash, name);
	struct stream_name parts;
	struct fault fault;
	int aggregate = -1;
	char *copy;

	if (known->name.size != 0)
		return known;
	copy = malloc(name.size);
	if (copy == NULL)
		return NULL;
	memcpy(copy, name.data, name.size);
	if (stream_parse(name, &parts, &fault) == 0)
		aggregate = script_find_aggregate(folder->all->check->program, parts.aggregate);
	*known = (struct known){ .hash = hash,
				 .name = slice_from(copy, name.size),
				 .aggregate = aggregate >= 0 ? (uint16_t)aggregate : 0,
				 .left_out = aggregate < 0 }; /* what the check of the catalogue names */
	folder->known_count++;
	return known;
}

static int
keep_state(struct known *known, struct slice bytes, struct fault *fault)
{
	if (bytes.size > known->room || known->bytes == NULL) {
		size_t room = bytes.size + bytes.size / 4 + 16;
		char *wider = realloc(known->bytes, room);

		if (wider == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a state of %zu bytes",
					 bytes.size);
		known->bytes = wider;
		known->room = room;
	}
	memcpy(known->bytes, bytes.data, bytes.size);
	known->size = bytes.size;
	return 0;
}

static int
encode(struct folder *folder, const struct pair *pair, int machine, struct fault *fault)
{
	buf_clear(&folder->bytes[machine]);
	return script_encode(folder->machines[machine], pair->known->aggregate, pair->states[machine],
			     &folder->bytes[machine], fault);
}

static void
release(struct folder *folder, struct pair *pair, int machine)
{
	if (pair->states[machine] != 0)
		script_state_release(folder->machines[machine], pair->states[machine]);
	pair->states[machine] = 0;
}

static void
release_both(struct folder *folder, struct pair *pair)
{
	release(folder, pair, 0);
	release(folder, pair, 1);
}

static bool
is_rules(const struct fault *fault)
{
	return fault->class == FAULT_SCRIPT || fault->class == FAULT_LIMIT || fault->class == FAULT_INPUT;
}

static int
begin_state(struct folder *folder, struct pair *pair, int machine, struct fault *fault)
{
	const struct known *known = pair->known;

	if (pair->states[machine] != 0)
		return 0;
	if (known->bytes == NULL)
		return script_initial(folder->machines[machine], known->aggregate, &pair->states[machine], fault);
	return script_decode(folder->machines[machine], known->aggregate, slice_from(known->bytes, known->size),
			     &pair->states[machine], fault);
}

/* Folds events in one machine, from the kept state on; a failure of the rules leaves *folded short. */
static int
fold(struct folder *folder, struct pair *pair, int machine, const struct recorded_entry *items, size_t count,
     size_t *folded, struct fault *fault)
{
	fault_clear(fault);
	*folded = 0;
	if (begin_state(folder, pair, machine, fault) != 0 ||
	    script_fold(folder->machines[machine], pair->known->aggregate, pair->states[machine], items, count, folded,
			fault) != 0)
		return is_rules(fault) ? 0 : -1;
	return 0;
}

static void
say_failure(struct folder *folder, const struct recorded_entry *entry, const struct fault *fault)
{
	struct determinism_finding *finding = add_finding(folder, RULES_FAIL, entry);

	snprintf(finding->text, sizeof(finding->text), "the rules fail: %.450s", fault->text);
}

/* The first event of the chunk after which the states differ. */
static int
explain(struct folder *folder, struct pair *pair, struct fault *fault)
{
	struct determinism_finding *finding;

	release_both(folder, pair);
	for (size_t i = 0; i < pair->count; i++) {
		size_t folded[2] = { 0, 0 };

		for (int machine = 0; machine < 2; machine++)
			if (fold(folder, pair, machine, &pair->items[i], 1, &folded[machine], fault) != 0)
				return -1;
		if (folded[0] == 0 || folded[1] == 0 || encode(folder, pair, 0, fault) != 0 ||
		    encode(folder, pair, 1, fault) != 0)
			break;
		if (slice_equal(buf_slice(&folder->bytes[0]), buf_slice(&folder->bytes[1])))
			continue;
		finding = add_finding(folder, DIFFERS_STATE, &pair->items[i]);
		determinism_say(finding->text, sizeof(finding->text), "the state after it",
				buf_slice(&folder->bytes[0]), buf_slice(&folder->bytes[1]));
		return 0;
	}
	finding = add_finding(folder, DIFFERS_STATE, &pair->items[pair->count - 1]);
	snprintf(finding->text, sizeof(finding->text),
		 "the state after it depends on what was folded before: something outside of the state is kept between "
		 "calls");
	return 0;
}

/* Is there a step between what was recorded and today? */
static bool
is_old(const struct script_program *program, uint16_t aggregate, const struct recorded_entry *entry)
{
	const struct script_aggregate *rules = &program->aggregates[aggregate];

	for (size_t i = 0; i < rules->event_count; i++)
		if (slice_equal(rules->events[i].name, entry->type))
			return rules->events[i].version != entry->schema_version;
	return true;
}

static bool
same_pieces(const struct script_pieces *a, const struct script_pieces *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!slice_equal(a->items[i].type, b->items[i].type) ||
		    a->items[i].schema_version != b->items[i].schema_version ||
		    !slice_equal(a->items[i].data, b->items[i].data))
			return false;
	return true;
}

/* Old events of the chunk through both chains. */
static int
compare_pieces(struct folder *folder, struct pair *pair, struct fault *fault)
{
	uint16_t aggregate = pair->known->aggregate;

	for (size_t i = 0; i < pair->count; i++) {
		struct script_pieces pieces[2];
		struct determinism_finding *finding;
		size_t at = 0;

		if (!is_old(folder->all->check->program, aggregate, &pair->items[i]))
			continue;
		arena_clear(&folder->pieces);
		for (int machine = 0; machine < 2; machine++)
			if (script_upcast(folder->machines[machine], aggregate, &pair->items[i], 0, &folder->pieces,
					  &pieces[machine], fault) != 0)
				return is_rules(fault) ? 0 : -1; /* the fold says it */
		if (same_pieces(&pieces[0], &pieces[1]))
			continue;
		while (at + 1 < pieces[0].count && at + 1 < pieces[1].count &&
		       slice_equal(pieces[0].items[at].data, pieces[1].items[at].data))
			at++;
		finding = add_finding(folder, DIFFERS_PIECES, &pair->items[i]);
		determinism_say(finding->text, sizeof(finding->text), "what upcasters make of it",
				pieces[0].count > at ? pieces[0].items[at].data : SLICE("nothing"),
				pieces[1].count > at ? pieces[1].items[at].data : SLICE("nothing"));
		pair->known->left_out = true;
		break;
	}
	return 0;
}

/* ---- the chunk ---- */

/* By its limit of time or memory: no difference. */
static bool
was_stopped(const char *code)
{
	return strcmp(code, "time_limit") == 0 || strcmp(code, "memory_limit") == 0;
}

static int
begin_pair(struct folder *folder, struct pair *pair, struct fault *fault)
{
	if (fold(folder, pair, 0, pair->items, pair->count, &pair->folded[0], fault) != 0)
		return -1;
	if (pair->folded[0] < pair->count)
		snprintf(pair->code, sizeof(pair->code), "%s", fault->code);
	if (pair->states[0] == 0 || encode(folder, pair, 0, fault) != 0)
		return pair->states[0] == 0 || is_rules(fault) ? 0 : -1;
	digest_of(buf_slice(&folder->bytes[0]), &pair->digest);
	return 0;
}

/* For nothing: what the stream leaves behind of itself must not matter when it is folded again, as after a restart. */
static int
rehearse(struct folder *folder, struct pair *pair, struct fault *fault)
{
	size_t folded;
	int result = fold(folder, pair, 1, pair->items, pair->count, &folded, fault);

	release(folder, pair, 1);
	return result;
}

static int
end_pair(struct folder *folder, struct pair *pair, struct fault *fault)
{
	struct digest digest;

	pair->known->left_out = true; /* unless all is well */
	if (rehearse(folder, pair, fault) != 0)
		return -1;
	if (fold(folder, pair, 1, pair->items, pair->count, &pair->folded[1], fault) != 0)
		return -1;
	if (pair->folded[1] < pair->count &&
	    ((pair->folded[0] == pair->folded[1] && strcmp(pair->code, fault->code) == 0) ||
	     was_stopped(fault->code))) {
		say_failure(folder, &pair->items[pair->folded[1]], fault);
		return 0;
	}
	if (was_stopped(pair->code)) {
		fault_set(fault, FAULT_SCRIPT, pair->code, "stopped by its limit in one of two folds");
		say_failure(folder, &pair->items[pair->folded[0]], fault);
		return 0;
	}
	if (pair->states[1] == 0 || encode(folder, pair, 1, fault) != 0) {
		say_failure(folder, &pair->items[pair->count - 1], fault);
		return 0;
	}
	digest_of(buf_slice(&folder->bytes[1]), &digest);
	if (pair->folded[0] != pair->folded[1] || memcmp(&digest, &pair->digest, sizeof(digest)) != 0)
		return explain(folder, pair, fault);
	pair->known->left_out = false;
	atomic_fetch_add_explicit(&folder->all->events, pair->count, memory_order_relaxed);
	if (keep_state(pair->known, buf_slice(&folder->bytes[1]), fault) != 0)
		return -1;
	return compare_pieces(folder, pair, fault);
}

static bool
is_own(const struct folder *folder, const struct recorded_entry *entry, uint64_t *hash)
{
	*hash = slice_hash(entry->stream, 0);
	return entry->kind == ENTRY_EVENT && (*hash >> 32) % folder->all->threads == folder->number;
}

/* The chunk's streams that are this thread's, and how many events each has. NULL: no memory. */
static struct pair *
find_pairs(struct folder *folder, const struct entries *entries, size_t *count)
{
	struct pair *pairs = arena_zero(&folder->chunk, entries->count + 1, sizeof(*pairs));
	uint64_t hash;

	*count = 0;
	for (size_t i = 0; pairs != NULL && i < entries->count; i++) {
		struct known *known;

		if (!is_own(folder, &entries->items[i], &hash))
			continue;
		known = know(folder, hash, entries->items[i].stream);
		if (known == NULL)
			return NULL;
		if (known->left_out)
			continue;
		if (known->pair == 0) {
			pairs[*count].known = known;
			known->pair = (uint32_t)++ * count;
		}
		pairs[known->pair - 1].count++;
	}
	return pairs;
}

/* Each pair's events, behind each other. */
static int
sort_chunk(struct folder *folder, const struct entries *entries, struct pair *pairs, size_t count, struct fault *fault)
{
	uint64_t hash;

	for (size_t k = 0; k < count; k++) {
		pairs[k].items = arena_zero(&folder->chunk, pairs[k].count, sizeof(struct recorded_entry));
		if (pairs[k].items == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a chunk of the log");
		pairs[k].count = 0;
	}
	for (size_t i = 0; i < entries->count; i++) {
		const struct known *known;

		if (!is_own(folder, &entries->items[i], &hash))
			continue;
		known = slot_of(folder->known, folder->known_room, hash, entries->items[i].stream);
		if (known->pair != 0) {
			struct pair *pair = &pairs[known->pair - 1];

			pair->items[pair->count++] = entries->items[i];
		}
	}
	return 0;
}

int
determinism_chunk(struct folder *folder, const struct entries *entries, struct fault *fault)
{
	struct pair *pairs;
	size_t count;
	int result;

	if (widen(folder, entries->count, fault) != 0)
		return -1;
	pairs = find_pairs(folder, entries, &count);
	if (pairs == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a chunk of the log");
	result = sort_chunk(folder, entries, pairs, count, fault);
	for (size_t i = 0; i < count && result == 0; i++)
		result = begin_pair(folder, &pairs[i], fault);
	for (size_t i = count; i-- > 0;) {
		if (result == 0)
			result = end_pair(folder, &pairs[i], fault);
		release_both(folder, &pairs[i]);
		pairs[i].known->pair = 0;
	}
	return result;
}
