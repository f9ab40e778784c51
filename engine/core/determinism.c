/* SPDX-License-Identifier: MIT */
/*
 * Threads take the streams in batches. In a batch the first machine goes through the streams forwards and the second
 * backwards, so that what one stream leaves behind in a module shows, too; after each page of a stream the two states'
 * canonical bytes are compared. Where they differ, the stream is folded again event by event up to the first that
 * parts them.
 *
 * The caller's thread does the projections meanwhile, then waits. Findings lie with their thread until it is done.
 * Fails: a fault of the store stops all threads; the first one is given.
 */
#include "core/determinism.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mailbox.h"

#define BATCH_STREAMS 64
#define PAGE_ENTRIES  512
#define PAGE_BYTES    ((size_t)1 << 20)
#define FINDINGS_MOST 100 /* a thread keeps */
#define TICK_NS       ((int64_t)250 * 1000 * 1000)
#define MACHINE_TRIES 8

struct streams {
	struct determinism *check;
	struct slice *names;
	size_t count;
	_Atomic size_t next;
	_Atomic uint64_t done;
	_Atomic uint64_t events;
	_Atomic bool stop;
	struct mailbox ended;
};

/* A stream of the present batch. */
struct pair {
	struct slice name;
	uint16_t aggregate;
	struct entries entries; /* its first page */
	stream_version last;
	script_state states[2];
	struct digest digest; /* of the first machine's state after the page */
	size_t folded[2];     /* of the page; less than its entries when the rules failed */
	char code[40];
};

struct folder {
	struct mail ended;
	struct streams *all;
	pthread_t thread;
	bool running;
	struct store_reader *reader;
	struct script_machine *machines[2];
	struct arena batch; /* pages of the batch */
	struct arena page;  /* of one long stream, pieces */
	struct buf bytes[2];
	struct pair pairs[BATCH_STREAMS];
	struct arena kept; /* findings' texts */
	struct determinism_finding findings[FINDINGS_MOST];
	size_t finding_count;
	uint64_t finding_total;
	struct fault fault;
};

/* ---- machines and texts ---- */

int
determinism_open_two(const struct script_program *program, const struct script_options *options,
		     struct script_machine *machines[2], struct fault *fault)
{
	struct script_machine *tried[MACHINE_TRIES] = { NULL };
	size_t count = 0;
	int result;

	machines[0] = machines[1] = NULL;
	result = script_open(program, options, &machines[0], fault);
	/* Those with the same seed stay open meanwhile, so that the next one cannot have their address. */
	while (result == 0 && machines[1] == NULL && count < MACHINE_TRIES) {
		result = script_open(program, options, &tried[count], fault);
		if (result == 0 && script_order(tried[count]) != script_order(machines[0]))
			machines[1] = tried[count];
		else
			count++;
	}
	if (result == 0 && machines[1] == NULL)
		result = fault_set(fault, FAULT_BUG, "same_seed", "%d machines with the same hash seed in a row",
				   MACHINE_TRIES);
	for (size_t i = 0; i < count; i++)
		script_close(tried[i]);
	if (result != 0) {
		script_close(machines[0]);
		machines[0] = NULL;
	}
	return result;
}

void
determinism_say(char *text, size_t size, const char *what, struct slice first, struct slice second)
{
	size_t at = 0, from;

	while (at < first.size && at < second.size && first.data[at] == second.data[at])
		at++;
	from = at > 30 ? at - 30 : 0;
	first = slice_from(first.data + from, first.size - from < 120 ? first.size - from : 120);
	second = slice_from(second.data + from, second.size - from < 120 ? second.size - from : 120);
	snprintf(text, size, "%s: %s%.*s  and then  %s%.*s", what, from > 0 ? "..." : "", SLICE_ARG(first),
		 from > 0 ? "..." : "", SLICE_ARG(second));
}

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
	if (folder->finding_count + 1 < FINDINGS_MOST)
		folder->finding_count++;
	return finding;
}

/* ---- one stream ---- */

static int
encode(struct folder *folder, const struct pair *pair, int machine, struct fault *fault)
{
	buf_clear(&folder->bytes[machine]);
	return script_encode(folder->machines[machine], pair->aggregate, pair->states[machine], &folder->bytes[machine],
			     fault);
}

static void
release(struct folder *folder, struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		if (pair->states[i] != 0)
			script_state_release(folder->machines[i], pair->states[i]);
		pair->states[i] = 0;
	}
}

static bool
is_rules(const struct fault *fault)
{
	return fault->class == FAULT_SCRIPT || fault->class == FAULT_LIMIT || fault->class == FAULT_INPUT;
}

/* Folds a page in one machine; a failure of the rules leaves *folded short. */
static int
fold(struct folder *folder, struct pair *pair, int machine, const struct entries *entries, size_t *folded,
     struct fault *fault)
{
	fault_clear(fault);
	*folded = 0;
	if ((pair->states[machine] == 0 &&
	     script_initial(folder->machines[machine], pair->aggregate, &pair->states[machine], fault) != 0) ||
	    script_fold(folder->machines[machine], pair->aggregate, pair->states[machine], entries->items,
			entries->count, folded, fault) != 0)
		return is_rules(fault) ? 0 : -1;
	return 0;
}

static void
say_failure(struct folder *folder, const struct recorded_entry *entry, const struct fault *fault)
{
	struct determinism_finding *finding = add_finding(folder, RULES_FAIL, entry);

	snprintf(finding->text, sizeof(finding->text), "the rules fail: %.450s", fault->text);
}

/* The first event of `entries` after which the states differ, from the states before it. Gives false when none does. */
static bool
find_event(struct folder *folder, struct pair *pair, const struct entries *entries, struct fault *fault)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct entries one = { &entries->items[i], 1 };
		size_t folded[2];

		for (int machine = 0; machine < 2; machine++)
			if (fold(folder, pair, machine, &one, &folded[machine], fault) != 0 || folded[machine] == 0 ||
			    encode(folder, pair, machine, fault) != 0)
				return false;
		if (slice_equal(buf_slice(&folder->bytes[0]), buf_slice(&folder->bytes[1])))
			continue;
		struct determinism_finding *finding = add_finding(folder, DIFFERS_STATE, one.items);

		determinism_say(finding->text, sizeof(finding->text), "the state after it",
				buf_slice(&folder->bytes[0]), buf_slice(&folder->bytes[1]));
		return true;
	}
	return false;
}

/* The stream from its beginning, up to the page whose end differed. */
static int
explain(struct folder *folder, struct pair *pair, const struct recorded_entry *last, struct fault *fault)
{
	stream_version next = 1, end = last->version;
	bool found = false;

	release(folder, pair);
	while (!found && next <= end) {
		struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };
		struct entries entries;
		stream_version version;

		arena_clear(&folder->page);
		if (store_read_stream(folder->reader, pair->name, next, limit, &folder->page, &entries, &version,
				      fault) != 0)
			return -1;
		if (entries.count == 0)
			break;
		next = entries.items[entries.count - 1].version + 1;
		found = find_event(folder, pair, &entries, fault);
		if (fault->class != FAULT_NONE && !is_rules(fault))
			return -1;
	}
	if (!found)
		snprintf(add_finding(folder, DIFFERS_STATE, last)->text, sizeof(folder->findings[0].text),
			 "the state after it depends on which streams were folded before: something outside of the "
			 "state is kept between calls");
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

/* Old events of a page through both chains. *differ: one was found. */
static int
compare_pieces(struct folder *folder, const struct pair *pair, const struct entries *entries, bool *differ,
	       struct fault *fault)
{
	for (size_t i = 0; i < entries->count && !*differ; i++) {
		const struct recorded_entry *entry = &entries->items[i];
		struct arena_mark mark = arena_mark(&folder->page);
		struct script_pieces pieces[2];

		if (entry->kind != ENTRY_EVENT || !is_old(folder->all->check->program, pair->aggregate, entry))
			continue;
		for (int machine = 0; machine < 2; machine++)
			if (script_upcast(folder->machines[machine], pair->aggregate, entry, 0, &folder->page,
					  &pieces[machine], fault) != 0)
				return is_rules(fault) ? 0 : -1; /* the fold says it */
		*differ = !same_pieces(&pieces[0], &pieces[1]);
		if (*differ) {
			struct determinism_finding *finding = add_finding(folder, DIFFERS_PIECES, entry);
			size_t at = 0;

			while (at + 1 < pieces[0].count && at + 1 < pieces[1].count &&
			       slice_equal(pieces[0].items[at].data, pieces[1].items[at].data))
				at++;
			determinism_say(finding->text, sizeof(finding->text), "what upcasters make of it",
					pieces[0].count > at ? pieces[0].items[at].data : SLICE("nothing"),
					pieces[1].count > at ? pieces[1].items[at].data : SLICE("nothing"));
		}
		arena_reset(&folder->page, mark);
	}
	return 0;
}

/* ---- a batch ---- */

static int
begin_pair(struct folder *folder, struct pair *pair, struct slice name, struct fault *fault)
{
	const struct script_program *program = folder->all->check->program;
	struct stream_name parts;
	int aggregate;

	*pair = (struct pair){ .name = name };
	if (stream_parse(name, &parts, fault) != 0)
		return -1;
	aggregate = script_find_aggregate(program, parts.aggregate);
	if (aggregate < 0) /* what the check of the catalogue names */
		return 0;
	pair->aggregate = (uint16_t)aggregate;
	if (store_read_stream(folder->reader, name, 1, (struct read_limit){ PAGE_ENTRIES, PAGE_BYTES }, &folder->batch,
			      &pair->entries, &pair->last, fault) != 0 ||
	    fold(folder, pair, 0, &pair->entries, &pair->folded[0], fault) != 0)
		return -1;
	if (pair->folded[0] < pair->entries.count)
		snprintf(pair->code, sizeof(pair->code), "%s", fault->code);
	if (pair->entries.count == 0 || encode(folder, pair, 0, fault) != 0)
		return pair->entries.count == 0 || is_rules(fault) ? 0 : -1;
	digest_of(buf_slice(&folder->bytes[0]), &pair->digest);
	return 0;
}

/* The rest of a stream longer than a page. */
static int
go_on(struct folder *folder, struct pair *pair, struct fault *fault)
{
	stream_version next = pair->entries.items[pair->entries.count - 1].version + 1;
	bool differ = false;

	while (!differ && next <= pair->last && !atomic_load(&folder->all->stop)) {
		struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };
		struct entries entries;
		size_t folded[2];

		arena_clear(&folder->page);
		if (store_read_stream(folder->reader, pair->name, next, limit, &folder->page, &entries, &pair->last,
				      fault) != 0)
			return -1;
		if (entries.count == 0)
			break;
		for (int machine = 0; machine < 2; machine++)
			if (fold(folder, pair, machine, &entries, &folded[machine], fault) != 0)
				return -1;
		if (folded[0] < entries.count && folded[1] == folded[0]) {
			say_failure(folder, &entries.items[folded[0]], fault);
			return 0;
		}
		if (encode(folder, pair, 0, fault) != 0 || encode(folder, pair, 1, fault) != 0)
			return is_rules(fault) ? 0 : -1;
		if (folded[0] != folded[1] ||
		    !slice_equal(buf_slice(&folder->bytes[0]), buf_slice(&folder->bytes[1]))) {
			struct recorded_entry last = entries.items[entries.count - 1];

			last.stream = pair->name;
			last.type = arena_copy(&folder->kept, last.type);
			return explain(folder, pair, &last, fault);
		}
		if (compare_pieces(folder, pair, &entries, &differ, fault) != 0)
			return -1;
		next += entries.count;
		atomic_fetch_add_explicit(&folder->all->events, entries.count, memory_order_relaxed);
	}
	return 0;
}

static int
end_pair(struct folder *folder, struct pair *pair, struct fault *fault)
{
	size_t count = pair->entries.count;
	struct digest digest = { { 0 } };
	bool differ = false;

	if (count == 0)
		return 0;
	arena_clear(&folder->page);
	if (fold(folder, pair, 1, &pair->entries, &pair->folded[1], fault) != 0)
		return -1;
	if (pair->folded[1] < count && pair->folded[0] == pair->folded[1] && strcmp(pair->code, fault->code) == 0) {
		say_failure(folder, &pair->entries.items[pair->folded[1]], fault);
		return 0;
	}
	if (encode(folder, pair, 1, fault) != 0)
		return is_rules(fault) ? 0 : -1;
	digest_of(buf_slice(&folder->bytes[1]), &digest);
	if (pair->folded[0] != pair->folded[1] || memcmp(&digest, &pair->digest, sizeof(digest)) != 0)
		return explain(folder, pair, &pair->entries.items[count - 1], fault);
	if (compare_pieces(folder, pair, &pair->entries, &differ, fault) != 0)
		return -1;
	atomic_fetch_add_explicit(&folder->all->events, count, memory_order_relaxed);
	if (!differ && pair->entries.items[count - 1].version < pair->last)
		return go_on(folder, pair, fault);
	return 0;
}

static int
check_batch(struct folder *folder, size_t first, struct fault *fault)
{
	struct streams *all = folder->all;
	size_t count = all->count - first < BATCH_STREAMS ? all->count - first : BATCH_STREAMS;
	int result = 0;

	arena_clear(&folder->batch);
	memset(folder->pairs, 0, sizeof(folder->pairs));
	for (size_t i = 0; i < count && result == 0; i++)
		result = begin_pair(folder, &folder->pairs[i], all->names[first + i], fault);
	for (size_t i = count; i-- > 0;) {
		if (result == 0 && !atomic_load(&all->stop))
			result = end_pair(folder, &folder->pairs[i], fault);
		release(folder, &folder->pairs[i]);
		atomic_fetch_add_explicit(&all->done, 1, memory_order_relaxed);
	}
	return result;
}

/* ---- threads ---- */

static int
open_folder(struct folder *folder, struct fault *fault)
{
	const struct determinism *check = folder->all->check;

	if (store_reader_open(check->store, &folder->reader, fault) != 0)
		return -1;
	return determinism_open_two(check->program, check->options, folder->machines, fault);
}

static void *
folder_main(void *self)
{
	struct folder *folder = self;
	struct streams *all = folder->all;
	size_t first;

	pthread_setname_np(pthread_self(), "folding twice");
	fault_clear(&folder->fault);
	while (!atomic_load(&all->stop) && (first = atomic_fetch_add(&all->next, BATCH_STREAMS)) < all->count) {
		struct fault fault;

		if (check_batch(folder, first, &fault) != 0) {
			folder->fault = fault;
			atomic_store(&all->stop, true);
		}
	}
	must(mailbox_give(&all->ended, &folder->ended));
	return NULL;
}

static struct folder *
new_folder(struct streams *all)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (folder == NULL)
		return NULL;
	folder->all = all;
	arena_init(&folder->batch, SIZE_MAX);
	arena_init(&folder->page, SIZE_MAX);
	arena_init(&folder->kept, SIZE_MAX);
	buf_init(&folder->bytes[0], SIZE_MAX);
	buf_init(&folder->bytes[1], SIZE_MAX);
	return folder;
}

static void
free_folder(struct folder *folder)
{
	if (folder == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		script_close(folder->machines[i]);
		buf_fini(&folder->bytes[i]);
	}
	if (folder->reader != NULL)
		store_reader_close(folder->reader);
	arena_fini(&folder->batch);
	arena_fini(&folder->page);
	arena_fini(&folder->kept);
	free(folder);
}

static void
tick(void *self)
{
	struct streams *all = self;
	const struct determinism *check = all->check;

	if (check->progress != NULL)
		check->progress(check->self, atomic_load(&all->done), all->count, atomic_load(&all->events));
}

/* Tells findings and frees the threads' parts; gives the first fault. */
static int
collect(struct streams *all, struct folder **folders, unsigned count, int result, struct fault *fault)
{
	struct determinism *check = all->check;

	for (unsigned i = 0; i < count; i++) {
		struct folder *folder = folders[i];

		if (folder == NULL)
			continue;
		for (size_t k = 0; k < folder->finding_count && check->found != NULL; k++)
			check->found(check->self, &folder->findings[k]);
		check->findings += folder->finding_total;
		if (result == 0 && folder->fault.class != FAULT_NONE) {
			*fault = folder->fault;
			result = -1;
		}
		free_folder(folder);
	}
	check->streams = all->count;
	check->events = atomic_load(&all->events);
	return result;
}

static int
run(struct streams *all, struct fault *fault)
{
	struct determinism *check = all->check;
	unsigned threads = check->threads != 0 ? check->threads : 2, running = 0;
	struct folder *folders[16] = { NULL };
	int result = 0;

	threads = threads < countof(folders) ? threads : (unsigned)countof(folders);
	for (unsigned i = 0; i < threads && result == 0; i++) {
		folders[i] = new_folder(all);
		result = folders[i] == NULL ? fault_set(fault, FAULT_MEMORY, "memory", "no memory for a thread")
					    : open_folder(folders[i], fault);
		if (result == 0 && pthread_create(&folders[i]->thread, NULL, folder_main, folders[i]) != 0)
			result = fault_set(fault, FAULT_AWAY, "no_thread", "a thread cannot be started");
		if (result == 0) {
			folders[i]->running = true;
			running++;
		}
	}
	if (result == 0)
		result = determinism_rows(check, tick, all, fault);
	if (result != 0)
		atomic_store(&all->stop, true);
	for (unsigned ended = 0; ended < running; tick(all))
		for (struct mail *mail = mailbox_wait(&all->ended, TICK_NS); mail != NULL; mail = mail->next)
			ended++;
	for (unsigned i = 0; i < threads; i++)
		if (folders[i] != NULL && folders[i]->running)
			pthread_join(folders[i]->thread, NULL);
	return collect(all, folders, threads, result, fault);
}

int
determinism_check(struct determinism *check, struct fault *fault)
{
	struct streams all = { .check = check };
	struct store_reader *reader;
	struct arena names;
	struct slice prefix;
	int result;

	check->streams = check->events = check->projected = check->findings = 0;
	arena_init(&names, SIZE_MAX);
	mailbox_init(&all.ended, 0, NULL);
	prefix = arena_format(&names, "%.*s.", SLICE_ARG(check->program->domain));
	result = store_reader_open(check->store, &reader, fault);
	if (result == 0) {
		result =
			store_list_streams(reader, prefix, SLICE_NONE, SIZE_MAX, &names, &all.names, &all.count, fault);
		store_reader_close(reader);
	}
	if (result == 0)
		result = run(&all, fault);
	mailbox_fini(&all.ended);
	arena_fini(&names);
	return result;
}
