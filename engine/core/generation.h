/* SPDX-License-Identifier: MIT */
/*
 * Generations as the store keeps them: which sources decided an event, and which generation of a domain is the active
 * one, stay answerable for ever [I8]; those that decided nothing go after a while (prune.h).
 *
 *   space "source"          <hash>                 -> bytes of one file
 *   space "generation"      <number, 10 digits>    -> manifest: domain, hash of the set, time, path and hash of each file
 *   space "generation_of"   <domain>/<hash>        -> number
 *   space "generation_last" "last"                 -> the highest number given
 *   space "active"          <domain>               -> generation, the one before, how often it has changed
 *   space "activation"      <domain>/<10 digits>   -> generation, the one before, time, why
 *
 * One commit writes all of a new generation, so a number never exists without its sources. A set seen before keeps its
 * number. The records of an activation travel in the same commit.
 */
#ifndef MOONLOG_CORE_GENERATION_H
#define MOONLOG_CORE_GENERATION_H

#include "base/arena.h"
#include "script/script.h"
#include "store/store.h"

/* Which generation of a domain decides; all 0 when none ever did. */
struct active {
	uint32_t generation;
	uint32_t previous;
	uint32_t changes;
};

/* What a commit has to write, collected in an arena. */
struct record_list {
	struct record_write *items;
	size_t count;
	size_t room;
};

struct generation_info {
	uint32_t number;
	struct slice domain;
	struct slice made; /* ISO 8601 */
	struct digest hash;
	size_t files;
	const struct digest *sources; /* of each file, in the order of their paths */
};

/* How often a domain's rules have changed until then, and to which generation. */
struct activation_info {
	struct slice key;
	uint32_t change;
	uint32_t generation;
};

/* The number of a set of sources; 0 when the store does not know it. */
int generation_find(struct store_reader *reader, const struct source_set *sources, struct arena *arena,
		    uint32_t *generation, struct fault *fault);
/* Adds the records of a new generation, whose number it gives. The commit conflicts when another one came first. */
int generation_add(struct store_reader *reader, const struct source_set *sources, int64_t now_us, struct arena *arena,
		   struct record_list *records, uint32_t *generation, struct fault *fault);
/* The newest of a domain, active or not; 0: none. */
int generation_newest(struct store_reader *reader, struct slice domain, struct arena *arena, uint32_t *generation,
		      struct fault *fault);
/*
 * Both in one, with a commit of its own where the set is new; it does not become the active one. Only while nobody else
 * commits.
 */
int generation_find_or_make(struct store *store, const struct source_set *sources, uint32_t *generation,
			    struct fault *fault);
/* Sources of a generation. Fails: INPUT "no_such_generation"; CORRUPT. */
int generation_read(struct store_reader *reader, uint32_t generation, struct arena *arena, struct source_set *sources,
		    struct fault *fault);
/* Up to `limit` generations after a number, oldest first. */
int generation_list(struct store_reader *reader, uint32_t after, size_t limit, struct arena *arena,
		    struct generation_info **infos, size_t *count, struct fault *fault);

int generation_active(struct store_reader *reader, struct slice domain, struct arena *arena, struct active *active,
		      struct fault *fault);
/* Adds the records that make `generation` the active one after `before`. `why`: one word: "start", "reload" ... */
int generation_activate(struct slice domain, const struct active *before, uint32_t generation, const char *why,
			int64_t now_us, struct arena *arena, struct record_list *records, struct fault *fault);
/* Up to `limit` activations of a domain after a key (empty: from the first), oldest first. */
int generation_activations(struct store_reader *reader, struct slice domain, struct slice after, size_t limit,
			   struct arena *arena, struct activation_info **infos, size_t *count, struct fault *fault);

/* Add the records that remove a generation but its sources; a source; an activation. */
int generation_forget(const struct generation_info *info, struct arena *arena, struct record_list *records,
		      struct fault *fault);
int generation_forget_source(const struct digest *hash, struct arena *arena, struct record_list *records,
			     struct fault *fault);
int generation_forget_activation(struct slice key, struct arena *arena, struct record_list *records,
				 struct fault *fault);

/* Commits records while nobody else commits: before the engine starts. */
int generation_commit(struct store *store, const struct record_list *records, struct arena *arena, struct fault *fault);

#endif
