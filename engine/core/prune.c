/* SPDX-License-Identifier: MIT */
/*
 * Who lives is looked at first, then what the log names: rules that nobody holds decide nothing any more, and what they
 * decided is durable by then. Sources are counted over the generations of all domains; each commit takes a number of
 * whole generations, so that a process that is killed leaves each of them whole or gone.
 */
#include "core/prune.h"

#include <stdlib.h>

#define LIST_PAGE        200
#define COMMIT_RECORDS   2000 /* of STORE_RECORDS_MAX; one generation more may come on top */
#define ACTIVATIONS_KEPT 1000

/* ---- how many generations have a source ---- */

struct users {
	const struct digest **keys; /* NULL: free */
	uint32_t *counts;
	size_t room; /* a power of two */
};

static size_t
place_of(const struct users *users, const struct digest *key)
{
	size_t at;

	memcpy(&at, key->bytes, sizeof(at));
	for (at &= users->room - 1; users->keys[at] != NULL; at = (at + 1) & (users->room - 1))
		if (memcmp(users->keys[at], key, sizeof(*key)) == 0)
			break;
	return at;
}

static int
count_users(struct users *users, const struct generation_info *infos, size_t count, struct arena *arena,
	    struct fault *fault)
{
	size_t files = 0;

	for (size_t i = 0; i < count; i++)
		files += infos[i].files;
	for (users->room = 64; users->room < 2 * files;)
		users->room *= 2;
	users->keys = arena_zero(arena, users->room, sizeof(const struct digest *));
	users->counts = arena_zero(arena, users->room, sizeof(*users->counts));
	if (users->keys == NULL || users->counts == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to look through generations");
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < infos[i].files; k++) {
			size_t at = place_of(users, &infos[i].sources[k]);

			users->keys[at] = &infos[i].sources[k];
			users->counts[at]++;
		}
	}
	return 0;
}

/* ---- which go ---- */

struct look {
	struct pruning *pruning;
	struct arena arena;
	struct generation_info *infos; /* of all domains, by number */
	size_t count;
	bool *goes;
	struct active active;
	struct users users;
	struct record_list records; /* of the next commit */
	struct arena batch;         /* of these */
	size_t ready;               /* generations in them */
};

static int
read_all(struct look *look, struct fault *fault)
{
	size_t room = 0, count;
	uint32_t after = 0;

	do {
		struct generation_info *page;

		if (generation_list(look->pruning->reader, after, LIST_PAGE, &look->arena, &page, &count, fault) != 0)
			return -1;
		if (look->count + count > room) {
			struct generation_info *wider =
				arena_zero(&look->arena, room = 2 * (look->count + count), sizeof(*wider));

			if (wider == NULL)
				return fault_set(fault, FAULT_MEMORY, "memory",
						 "no memory to look through generations");
			if (look->count != 0)
				memcpy(wider, look->infos, look->count * sizeof(*wider));
			look->infos = wider;
		}
		if (count != 0) {
			memcpy(look->infos + look->count, page, count * sizeof(*page));
			after = page[count - 1].number;
		}
		look->count += count;
	} while (count == LIST_PAGE);
	return 0;
}

static bool
has_number(const uint32_t *numbers, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* Gives how many go. */
static int
choose(struct look *look, size_t *going, struct fault *fault)
{
	const struct pruning *pruning = look->pruning;
	uint32_t *decided, kept = 0;
	size_t decided_count;

	*going = 0;
	if (store_list_generations(pruning->reader, &look->arena, &decided, &decided_count, fault) != 0)
		return strcmp(fault->code, "unsupported") == 0 ? 0 : -1;
	look->goes = arena_zero(&look->arena, look->count + 1, sizeof(*look->goes));
	if (look->goes == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to look through generations");
	for (size_t i = look->count; i > 0; i--) {
		const struct generation_info *info = &look->infos[i - 1];

		if (!slice_equal(info->domain, pruning->domain) || info->number == look->active.generation ||
		    info->number == look->active.previous ||
		    bsearch(&info->number, decided, decided_count, sizeof(*decided), compare_numbers) != NULL ||
		    kept++ < pruning->keep || has_number(pruning->living, pruning->living_count, info->number))
			continue;
		look->goes[i - 1] = true;
		++*going;
	}
	return 0;
}

/* ---- going ---- */

static int
commit(struct look *look, struct fault *fault)
{
	struct append append = { .records = look->records.items,
				 .record_count = look->records.count,
				 .arena = &look->batch };

	if (look->records.count == 0)
		return 0;
	if (look->pruning->commit(look->pruning->self, &append, fault) != 0)
		return -1;
	if (append.answer != APPEND_DONE)
		return fault_set(fault, FAULT_BUSY, "generation_taken",
				 "another process changed generations at this moment");
	look->pruning->pruned += look->ready;
	look->ready = 0;
	look->records = (struct record_list){ 0 };
	arena_clear(&look->batch);
	return 0;
}

static int
forget(struct look *look, const struct generation_info *info, struct fault *fault)
{
	if (generation_forget(info, &look->batch, &look->records, fault) != 0)
		return -1;
	for (size_t i = 0; i < info->files; i++) {
		size_t at = place_of(&look->users, &info->sources[i]);

		if (--look->users.counts[at] == 0 &&
		    generation_forget_source(&info->sources[i], &look->batch, &look->records, fault) != 0)
			return -1;
	}
	look->ready++;
	return look->records.count < COMMIT_RECORDS ? 0 : commit(look, fault);
}

static int
forget_activations(struct look *look, struct fault *fault)
{
	struct slice domain = look->pruning->domain, after = SLICE_NONE;
	struct activation_info *page;
	size_t count;

	do {
		if (generation_activations(look->pruning->reader, domain, after, LIST_PAGE, &look->arena, &page, &count,
					   fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			bool old = page[i].change + ACTIVATIONS_KEPT <= look->active.changes, gone = false;

			for (size_t k = 0; k < look->count && !gone; k++)
				gone = look->goes[k] && look->infos[k].number == page[i].generation;
			if ((old || gone) &&
			    generation_forget_activation(page[i].key, &look->batch, &look->records, fault) != 0)
				return -1;
			if (look->records.count >= COMMIT_RECORDS && commit(look, fault) != 0)
				return -1;
		}
		after = count != 0 ? page[count - 1].key : after;
	} while (count == LIST_PAGE);
	return commit(look, fault);
}

static int
prune(struct look *look, struct fault *fault)
{
	size_t going;

	if (generation_active(look->pruning->reader, look->pruning->domain, &look->arena, &look->active, fault) != 0 ||
	    read_all(look, fault) != 0 || choose(look, &going, fault) != 0)
		return -1;
	if (going == 0)
		return 0;
	if (count_users(&look->users, look->infos, look->count, &look->arena, fault) != 0)
		return -1;
	for (size_t i = 0; i < look->count; i++)
		if (look->goes[i] && forget(look, &look->infos[i], fault) != 0)
			return -1;
	return forget_activations(look, fault);
}

int
prune_generations(struct pruning *pruning, struct fault *fault)
{
	struct look look = { .pruning = pruning };
	int result;

	arena_init(&look.arena, (size_t)512 << 20);
	arena_init(&look.batch, (size_t)64 << 20);
	result = prune(&look, fault);
	arena_fini(&look.arena);
	arena_fini(&look.batch);
	return result;
}
