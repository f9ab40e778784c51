/* SPDX-License-Identifier: MIT */
/*
 * A domain: the folder that authors edit, the rules that decide its commands now, and what its queries see. Rules and
 * read side change while it runs, one pointer each; whoever uses one holds it first.
 */
#ifndef MOONLOG_CORE_DOMAIN_H
#define MOONLOG_CORE_DOMAIN_H

#include <pthread.h>

#include "core/breaker.h"
#include "core/engine.h"
#include "core/generation.h"
#include "core/readside.h"
#include "core/ruleset.h"
#include "store/store.h"

#define DOMAIN_MAX       64 /* domains of one engine */
#define DOMAIN_FILES_MAX 1000
#define DOMAIN_FILE_MAX  (1024 * 1024)

/* A read model that is not asked: being made, or replaced and kept for rollback. */
struct aside {
	struct readside *readside; /* NULL: none */
	struct ruleset *rules;     /* whose queries go with it; held */
	int64_t since_ns;
};

struct domain {
	struct slice name; /* in `word` */
	char word[STREAM_WORD_MAX];
	unsigned number; /* in the engine */
	char *folder;
	_Atomic uint64_t turn; /* counts the changes of what is asked */
	pthread_mutex_t lock;  /* guards the pointers while they are read and held; nothing is called under it */
	_Atomic(struct ruleset *) active; /* decide commands and fold states; held */
	struct active record;             /* as the store has it; the reloader's */
	struct ruleset *asked;            /* whose queries run; held */
	struct readside *live;            /* what they see; NULL: the domain has no tables */
	struct aside building;            /* changed by the reloader alone, read by it or under the lock */
	struct aside kept;
	struct breaker breaker;
};

/*
 * Reads every .lua of `folder` outside spec/ into `sources`, whole, in bytewise order of path; `arena` owns the
 * bytes. Fails: CONFIG "bad_folder", "bad_domain_name"; LIMIT "too_many_sources", "source_too_large"; INPUT for
 * symbolic tricks.
 */
int domain_read_folder(const char *folder, struct arena *arena, struct source_set *sources, struct fault *fault);
/*
 * What a folder holds now, as rules without a generation, held by the caller. Fails: as reading and loading do.
 */
int domain_load(const char *folder, const struct script_ops *script, const struct script_options *options,
		struct ruleset **rules, struct fault *fault);

/* Takes the hold on the rules over, also on failure. */
int domain_open(const char *folder, struct ruleset *rules, struct domain **domain, struct fault *fault);
/* Closes what nobody holds and nobody can find any more. */
void domain_drop(struct aside *aside);
/* No thread uses it any more. */
void domain_close(struct domain *domain);
/* The rules that decide now, held for the caller. Any thread. */
struct ruleset *domain_hold_rules(struct domain *domain);
/* The rules whose queries run now with what they see (may be NULL), both held for the caller. Any thread. */
void domain_hold_asked(struct domain *domain, struct ruleset **rules, struct readside **readside);
/* The log has grown. Any thread. */
void domain_wake(struct domain *domain);
/* Are these the ones that decide now? For whoever holds them. Any thread. */
static inline bool
domain_decides(const struct domain *domain, const struct ruleset *rules)
{
	return atomic_load_explicit(&domain->active, memory_order_acquire) == rules;
}

#endif
