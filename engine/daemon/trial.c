/* SPDX-License-Identifier: MIT */
/*
 * An engine wants to note the generation of its rules before it decides anything. On this store such a commit of
 * records is answered as done and forgotten; a commit with entries never comes from a dry run and is refused.
 * Readers are the store's own.
 */
#include "daemon/trial.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "store/sqlite/sqlite.h"

struct trial {
	struct store store;
	struct store *below;
};

static struct trial *
trial_of(struct store *store)
{
	return container_of(store, struct trial, store);
}

static void
trial_close(struct store *store)
{
	store_close(trial_of(store)->below);
	free(trial_of(store));
}

static enum commit_result
trial_commit(struct store *store, struct append **appends, size_t count, struct fault *fault)
{
	(void)store;
	for (size_t i = 0; i < count; i++) {
		if (appends[i]->entry_count != 0) {
			fault_set(fault, FAULT_CONFIG, "read_only", "a trial records nothing");
			return COMMIT_NOT_ATTEMPTED;
		}
		appends[i]->answer = APPEND_DONE;
	}
	return COMMIT_DONE;
}

static bool
trial_idle(struct store *store)
{
	(void)store;
	return false;
}

static int
trial_reader_open(struct store *store, struct store_reader **reader, struct fault *fault)
{
	return store_reader_open(trial_of(store)->below, reader, fault);
}

int
trial_open(const char *directory, struct store **store, struct fault *fault)
{
	static const struct store_ops ops = {
		.close = trial_close,
		.commit = trial_commit,
		.idle = trial_idle,
		.reader_open = trial_reader_open, /* a reader knows its store: all other calls go below */
	};
	struct sqlite_options options = { .path = directory, .read_only = true };
	struct trial *trial = calloc(1, sizeof(*trial));

	if (trial == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to open %s", directory);
	if (sqlite_open(&options, &trial->below, fault) != 0) {
		free(trial);
		return -1;
	}
	trial->store = (struct store){ .ops = &ops,
				       .kind = trial->below->kind,
				       .multi_stream = trial->below->multi_stream,
				       .stats = trial->below->stats };
	atomic_store(&trial->store.head, store_head(trial->below));
	*store = &trial->store;
	return 0;
}
