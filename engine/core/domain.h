/* SPDX-License-Identifier: MIT */
/*
 * A domain: the folder that authors edit, the rules that decide its commands now, and what its queries see. Rules and
 * read side change while it runs, one pointer each; whoever uses one holds it first.
 */
#ifndef MOONLOG_CORE_DOMAIN_H
#define MOONLOG_CORE_DOMAIN_H

#include <pthread.h>

#include "core/breaker.h"
#include "core/compare.h"
#include "core/engine.h"
#include "core/generation.h"
#include "core/past.h"
#include "core/readside.h"
#include "core/ruleset.h"
#include "core/told.h"
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

/* The read model that is to be made, or is being made; the reloader's alone. */
struct making {
	struct ruleset *rules; /* held until it is begun; NULL: nothing waits for that */
	uint64_t number;       /* of the build, from 1 */
	bool all;              /* every row is made from nothing */
	struct buf asked;      /* projections whose rows were ordered to be made from nothing, a NUL behind each */
	bool *anew;            /* by number of the projection: its rows are made from nothing */
	size_t count;
	int64_t began_us;
	int64_t again_ns;     /* begin, or compare, not before; 0: at once */
	unsigned tries;       /* at what comes next */
	unsigned interrupted; /* by asks, which go first */
	bool settled;         /* compared, or never to be */
	bool compared;        /* `found` holds */
	struct comparison found;
	char reason
		[TOLD_REASON_SIZE]; /* why they were not compared; empty: they were, or there was nothing to compare */
};

/* The last change of rules that was not taken, since another one was or the folder was the same. */
struct not_taken {
	int64_t at_us; /* 0: none */
	const char *stage;
	struct fault fault;
};

struct domain {
	struct slice name; /* in `word` */
	char word[STREAM_WORD_MAX];
	unsigned number; /* in the engine */
	char *folder;
	_Atomic uint64_t turn; /* counts the changes of what is asked */
	pthread_mutex_t lock;  /* guards the pointers while they are read and held; nothing is called under it */
	_Atomic(struct ruleset *) active; /* decide commands and fold states; held */
	struct active record;             /* as the store has it; the reloader's, as is the next */
	struct past past;                 /* rules that decided before */
	uint32_t made;                    /* changes since the last pruning */
	bool pruned;                      /* in this process */
	struct ruleset *asked;            /* whose queries run; held */
	struct readside *live;            /* what they see; NULL: the domain has no tables */
	struct aside building;            /* changed by the reloader alone, read by it or under the lock */
	struct aside kept;
	struct breaker breaker;
	struct aside leaving; /* replaced and not kept: until no window holds it */
	struct making making;
	uint64_t builds; /* begun so far; the reloader's, like the next */
	int64_t heal_ns; /* damaged rows are not made anew again before */
	struct told told;
	struct not_taken not_taken; /* under the lock */
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

/* By `rules` commands are decided, by `asked` queries run. Takes both holds over, also on failure. */
int domain_open(const char *folder, struct ruleset *rules, struct ruleset *asked, struct domain **domain,
		struct fault *fault);
/* What is read, or lies aside, held for the caller; NULL: nothing does. Any thread. */
struct readside *domain_hold_aside(struct domain *domain, const struct aside *place, int64_t *since_ns);
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
/* `fault` NULL: it was taken. Any thread, as the next two. */
void domain_note_change(struct domain *domain, int64_t now_us, const char *stage, const struct fault *fault);
struct not_taken domain_not_taken(struct domain *domain);
/* Of the rules whose queries run now. */
uint32_t domain_asked_generation(struct domain *domain);
/* Are these the ones that decide now? For whoever holds them. Any thread. */
static inline bool
domain_decides(const struct domain *domain, const struct ruleset *rules)
{
	return atomic_load_explicit(&domain->active, memory_order_acquire) == rules;
}

#endif
