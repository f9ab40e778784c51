/* SPDX-License-Identifier: MIT */
#include "core/reload.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/probe.h"
#include "core/build.h"
#include "core/catalogue.h"
#include "core/inside.h"
#include "core/plan.h"
#include "core/prune.h"
#include "core/reacting.h"
#include "core/rehearsal.h"
#include "core/specs.h"

#define PRUNE_EVERY 32 /* generations made */

/* Rules on their way to be the active ones. */
struct candidate {
	struct engine *engine;
	struct engine_reload *asked;
	struct domain *domain;
	struct ruleset *rules; /* held */
	struct seat **seats;   /* one a worker, until they are adopted */
	struct arena arena;    /* of this reload */
	struct slice told;     /* of the report, by the stages before history */
};

/* ---- stages ---- */

/* A test lets a step fail here. */
static bool
probed(bool hit, struct fault *fault)
{
	if (hit)
		fault_set(fault, FAULT_BUSY, "probe", "a probe let this step fail");
	return hit;
}

static int
failed(struct candidate *candidate, const char *stage)
{
	candidate->asked->stage = stage;
	candidate->asked->answer = RELOAD_FAILED;
	return -1;
}

/* The folder's rules, when they are other ones than the active. */
static int
load(struct candidate *candidate)
{
	struct engine *engine = candidate->engine;
	struct domain *domain = candidate->domain;
	struct engine_reload *asked = candidate->asked;
	struct source_set sources = { 0 };
	struct arena arena;
	bool same;

	arena_init(&arena, (size_t)1 << 30);
	if (domain_read_folder(domain->folder, &arena, &sources, &asked->fault) != 0) {
		arena_fini(&arena);
		return failed(candidate, "read");
	}
	same = memcmp(&sources.hash, &atomic_load(&domain->active)->sources.hash, sizeof(sources.hash)) == 0;
	if (same) {
		arena_fini(&arena);
		asked->answer = RELOAD_UNCHANGED;
		asked->stage = "read";
		return -1;
	}
	if (ruleset_make(&arena, &sources, engine->parts.script, &engine->script, &candidate->rules, &asked->fault) !=
	    0)
		return failed(candidate, "load");
	if (!candidate->rules->program->multi_stream || engine->parts.store->multi_stream)
		return 0;
	fault_set(&asked->fault, FAULT_CONFIG, "store_lacks_streams",
		  "the rules use ctx:load, but the %s store cannot write several streams in one append",
		  engine->parts.store->kind);
	return failed(candidate, "load");
}

/* The rules of the generation before, from the store. */
static int
load_previous(struct candidate *candidate)
{
	struct engine *engine = candidate->engine;
	struct engine_reload *asked = candidate->asked;
	uint32_t previous = candidate->domain->record.previous;
	struct source_set sources;
	struct arena arena;

	if (previous == 0) {
		fault_set(&asked->fault, FAULT_INPUT, "no_previous_generation",
			  "domain %.*s has had no other rules: nothing to go back to",
			  SLICE_ARG(candidate->domain->name));
		return failed(candidate, "read");
	}
	arena_init(&arena, (size_t)1 << 30);
	if (generation_read(engine->reloader.reader, previous, &arena, &sources, &asked->fault) != 0) {
		arena_fini(&arena);
		return failed(candidate, "read");
	}
	if (ruleset_make(&arena, &sources, engine->parts.script, &engine->script, &candidate->rules, &asked->fault) !=
	    0)
		return failed(candidate, "load");
	ruleset_number(candidate->rules, previous);
	return 0;
}

/* Every kind of event that was recorded has a way through the new rules. */
static int
check_catalogue(struct candidate *candidate)
{
	struct catalogue_report report = { 0 };

	if (catalogue_check(candidate->engine->reloader.reader, candidate->rules->program, &candidate->engine->script,
			    &report, &candidate->asked->fault) == 0)
		return 0;
	failed(candidate, "catalogue");
	candidate->asked->answer = RELOAD_REFUSED;
	return -1;
}

/* History or specs made room: who asked learns for whom. */
static void
tell_broken_off(const struct engine *engine, struct fault *fault)
{
	if (strcmp(fault->code, "broken_off") != 0)
		return;
	if (atomic_load(&engine->ending))
		fault_set(fault, FAULT_BUSY, "draining", "the engine is stopping: nothing was changed");
	else
		fault_set(fault, FAULT_BUSY, "broken_off", "a rollback goes first: nothing was changed; ask again");
}

/* The folder's own specs, by whoever can run them. */
static int
run_specs(struct candidate *candidate)
{
	const struct engine *engine = candidate->engine;
	struct engine_reload *asked = candidate->asked;
	struct buf told;
	int result;

	if (engine->parts.specs == NULL || asked->no_specs)
		return 0;
	buf_init(&told, (size_t)1 << 16);
	result = specs_judge(engine->parts.specs, candidate->domain, &candidate->rules->sources,
			     &engine->reloader.pressing, &told, &asked->fault);
	if (result == 0) {
		candidate->told = arena_copy(&candidate->arena, buf_slice(&told));
	} else {
		if (told.size != 0)
			buf_format(asked->out, "{%.*s}", SLICE_ARG(buf_slice(&told)));
		tell_broken_off(engine, &asked->fault);
		failed(candidate, "specs");
		if (asked->fault.class == FAULT_INPUT)
			asked->answer = RELOAD_REFUSED;
	}
	buf_fini(&told);
	return result;
}

/* What would come of the messages that are parked. */
static int
rehearse(struct candidate *candidate)
{
	const struct engine *engine = candidate->engine;
	const struct rehearsal rehearsal = { .store = engine->parts.store,
					     .domain = candidate->domain,
					     .rules = candidate->rules,
					     .script = &engine->script,
					     .clock = engine->parts.clock };
	struct buf told;
	int result;

	buf_init(&told, (size_t)4 << 20);
	buf_add(&told, candidate->told);
	result = rehearsal_write(&rehearsal, &told, &candidate->asked->fault);
	if (result == 0 && told.size != 0)
		candidate->told = arena_copy(&candidate->arena, buf_slice(&told));
	buf_fini(&told);
	return result == 0 ? 0 : failed(candidate, "parked");
}

static bool
only_warns(const struct engine_limits *limits, struct slice domain)
{
	for (size_t i = 0; i < limits->warn_domain_count; i++)
		if (slice_equal(domain, slice_text(limits->warn_domains[i])))
			return true;
	return limits->shadow_warns;
}

static bool
ask_history(struct candidate *candidate)
{
	const struct engine *engine = candidate->engine;
	struct plan_policy policy = { .warn = only_warns(&engine->limits, candidate->domain->name),
				      .box_us = engine->limits.shadow_us,
				      .threads = engine->limits.shadow_threads,
				      .pressing = &engine->reloader.pressing,
				      .told = candidate->told };

	if (plan_judge(&engine->parts, &engine->script, &policy, atomic_load(&candidate->domain->active),
		       candidate->rules, candidate->asked))
		return true;
	tell_broken_off(engine, &candidate->asked->fault);
	return false;
}

static int
prepare(struct candidate *candidate)
{
	struct engine *engine = candidate->engine;

	candidate->seats = arena_zero(&candidate->arena, engine->limits.workers, sizeof(*candidate->seats));
	if (candidate->seats == NULL) {
		fault_set(&candidate->asked->fault, FAULT_MEMORY, "memory", "no memory for seats");
		return failed(candidate, "prepare");
	}
	for (unsigned i = 0; i < engine->limits.workers; i++)
		if (probed(PROBE("reload.prepare"), &candidate->asked->fault) ||
		    seat_open(candidate->rules, &engine->script, &candidate->seats[i], &candidate->asked->fault) != 0)
			return failed(candidate, "prepare");
	return 0;
}

/* Sources, number and activation: durable together. */
static int
commit(struct candidate *candidate, const char *why)
{
	struct engine *engine = candidate->engine;
	struct domain *domain = candidate->domain;
	struct ruleset *rules = candidate->rules;
	struct fault *fault = &candidate->asked->fault;
	struct arena *arena = &candidate->arena;
	int64_t now_us = clock_wall_us(engine->parts.clock);
	struct record_list records = { 0 };
	struct append append = { .arena = arena };
	uint32_t generation = rules->generation;

	if (generation == 0 &&
	    generation_find(engine->reloader.reader, &rules->sources, arena, &generation, fault) != 0)
		return failed(candidate, "commit");
	if (generation == 0 &&
	    generation_add(engine->reloader.reader, &rules->sources, now_us, arena, &records, &generation, fault) != 0)
		return failed(candidate, "commit");
	if (generation_activate(domain->name, &domain->record, generation, why, now_us, arena, &records, fault) != 0)
		return failed(candidate, "commit");
	append.records = records.items;
	append.record_count = records.count;
	if (probed(PROBE("reload.before_commit"), fault) || committer_wait(&engine->committer, &append, fault) != 0)
		return failed(candidate, "commit");
	if (append.answer != APPEND_DONE) {
		fault_set(fault, FAULT_BUSY, "generation_taken", "another process changed the rules at this moment");
		return failed(candidate, "commit");
	}
	if (rules->generation == 0)
		ruleset_number(rules, generation);
	domain->made++;
	domain->record = (struct active){ generation, domain->record.generation, domain->record.changes + 1 };
	(void)PROBE("reload.after_commit");
	return 0;
}

/* From here on new commands are decided by the new rules; gives when every worker has changed over. */
static void
adopt(struct candidate *candidate)
{
	struct engine *engine = candidate->engine;
	struct domain *domain = candidate->domain;
	struct ruleset *before = atomic_load(&domain->active);
	unsigned count = engine->limits.workers, back = 0;
	struct adoption *adoptions = arena_zero(&candidate->arena, count, sizeof(*adoptions));
	struct mailbox home;

	/* What is durable must be served: memory that ends here ends the process, and a restart serves it. */
	must(adoptions != NULL);
	mailbox_init(&home, 0, NULL);
	pthread_mutex_lock(&domain->lock);
	atomic_store(&domain->active, ruleset_hold(candidate->rules));
	pthread_mutex_unlock(&domain->lock);
	for (unsigned i = 0; i < count; i++) {
		adoptions[i] = (struct adoption){
			.post.kind = POST_ADOPT, .domain = domain, .seat = candidate->seats[i], .home = &home
		};
		candidate->seats[i] = NULL;
		(void)PROBE("reload.adopt");
		must(mailbox_give(&engine->workers[i].box, &adoptions[i].post.mail));
	}
	while (back < count)
		for (struct mail *mail = mailbox_wait(&home, -1); mail != NULL; mail = mail->next)
			back++;
	mailbox_fini(&home);
	breaker_renewed(&domain->breaker);
	reacting_wake(engine->reacting[domain->number]);
	past_add(&domain->past, before);
}

static void
follow_with_queries(struct candidate *candidate)
{
	struct fault fault;

	if (build_follow(candidate->engine, candidate->domain, candidate->rules, &fault) != 0)
		log_fault(LOG_ERROR, "the queries stay with the rules before: their new rows cannot be made", &fault);
}

static void
tell(const struct candidate *candidate, const char *what, int64_t began_ns)
{
	const struct engine_reload *asked = candidate->asked;
	int64_t took_us = (clock_mono_ns(candidate->engine->parts.clock) - began_ns) / 1000;

	log_line(LOG_INFO, what, log_slice("domain", candidate->domain->name), log_int("generation", asked->generation),
		 log_int("took_us", took_us));
}

/* From rules that may be taken to workers that decide by them. */
static void
take(struct candidate *candidate, const char *why, int64_t began_ns)
{
	if (prepare(candidate) != 0 || commit(candidate, why) != 0)
		return;
	adopt(candidate);
	candidate->asked->generation = candidate->rules->generation;
	candidate->asked->answer = RELOAD_DONE;
	candidate->asked->stage = "adopt";
	tell(candidate, "rules changed", began_ns);
	follow_with_queries(candidate);
}

/* ---- generations that decided nothing ---- */

static int
commit_pruning(void *self, struct append *append, struct fault *fault)
{
	struct engine *engine = self;

	if (probed(PROBE("prune.before_commit"), fault) || committer_wait(&engine->committer, append, fault) != 0)
		return -1;
	(void)PROBE("prune.after_commit");
	return 0;
}

/* Now and then, and after the first change in a process, which may be one of many that end early. */
static void
prune(struct candidate *candidate)
{
	struct domain *domain = candidate->domain;
	struct pruning pruning = { .reader = candidate->engine->reloader.reader,
				   .domain = domain->name,
				   .keep = candidate->engine->limits.keep_undecided,
				   .commit = commit_pruning,
				   .self = candidate->engine };
	struct fault fault;

	if (candidate->asked->answer != RELOAD_DONE || (domain->pruned && domain->made < PRUNE_EVERY))
		return;
	domain->made = 0;
	domain->pruned = true;
	pruning.living = past_living(&domain->past, &candidate->arena, &pruning.living_count);
	if (pruning.living == NULL)
		return;
	if (prune_generations(&pruning, &fault) != 0)
		log_fault(LOG_WARN, "generations that decided nothing stay for now", &fault);
	if (pruning.pruned != 0)
		log_line(LOG_INFO, "generations that decided nothing are removed", log_slice("domain", domain->name),
			 log_int("count", (int64_t)pruning.pruned));
}

/* ---- asks ---- */

static struct domain *
find_domain(const struct engine *engine, struct slice name)
{
	for (size_t i = 0; i < engine->domain_count; i++)
		if (slice_equal(engine->domains[i]->name, name))
			return engine->domains[i];
	return NULL;
}

static void
rebuild(struct candidate *candidate)
{
	struct engine_reload *asked = candidate->asked;
	uint64_t number;

	asked->stage = "build";
	if (build_anew(candidate->engine, candidate->domain, asked->projection, &number, &asked->fault) != 0)
		return;
	asked->answer = RELOAD_DONE;
	if (asked->out != NULL)
		buf_format(asked->out, "{\"build\":%llu}", (unsigned long long)number);
}

static void
run(struct candidate *candidate)
{
	struct engine_reload *asked = candidate->asked;
	int64_t began_ns = clock_mono_ns(candidate->engine->parts.clock);

	switch (asked->what) {
	case RELOAD_TAKE:
	case RELOAD_PLAN:
		if (load(candidate) != 0 || check_catalogue(candidate) != 0 || run_specs(candidate) != 0 ||
		    rehearse(candidate) != 0 || !ask_history(candidate))
			return;
		asked->answer = RELOAD_PLANNED;
		if (asked->what == RELOAD_TAKE)
			take(candidate, "reload", began_ns);
		return;
	case RELOAD_BACK:
		if (load_previous(candidate) == 0 && check_catalogue(candidate) == 0)
			take(candidate, "rollback", began_ns);
		return;
	case RELOAD_REBUILD:
		rebuild(candidate);
		return;
	}
}

static void
finish(struct candidate *candidate)
{
	prune(candidate);
	for (unsigned i = 0; candidate->seats != NULL && i < candidate->engine->limits.workers; i++)
		seat_close(candidate->seats[i]);
	ruleset_release(candidate->rules);
	arena_fini(&candidate->arena);
	/* Two generations of machines lay in the heaps of all threads; what is free in between stays there else. */
	malloc_trim(0);
}

/* For whoever looks at the daemon later; a plan changes nothing, nor does a rebuild. */
static void
note_change(const struct candidate *candidate)
{
	const struct engine_reload *asked = candidate->asked;
	bool refused = asked->answer == RELOAD_REFUSED || asked->answer == RELOAD_FAILED;

	if (asked->what == RELOAD_TAKE || asked->what == RELOAD_BACK)
		domain_note_change(candidate->domain, clock_wall_us(candidate->engine->parts.clock), asked->stage,
				   refused ? &asked->fault : NULL);
}

static void
answer(struct reloader *reloader, struct engine_reload *asked)
{
	struct candidate candidate = { .engine = reloader->engine, .asked = asked };

	asked->answer = RELOAD_FAILED;
	asked->stage = "read";
	candidate.domain = find_domain(reloader->engine, asked->domain);
	if (candidate.domain == NULL) {
		fault_set(&asked->fault, FAULT_INPUT, "no_such_domain", "there is no domain \"%.*s\"",
			  SLICE_ARG(asked->domain));
	} else {
		arena_init(&candidate.arena, (size_t)256 << 20);
		asked->generation = candidate.domain->record.generation;
		run(&candidate);
		note_change(&candidate);
		finish(&candidate);
	}
	if (asked->what == RELOAD_BACK)
		atomic_fetch_sub(&reloader->pressing, 1);
	asked->done(asked);
	atomic_fetch_sub(&reloader->engine->inside, 1);
}

/* ---- the thread ---- */

static int64_t
look_at_builds(struct reloader *reloader)
{
	int64_t patience_ns = -1;

	for (size_t i = 0; i < reloader->engine->domain_count; i++) {
		int64_t wait_ns = build_look(reloader->engine, reloader->engine->domains[i]);

		if (wait_ns >= 0 && (patience_ns < 0 || wait_ns < patience_ns))
			patience_ns = wait_ns;
	}
	return patience_ns;
}

/* What queries began with is not what decides: its rows are made. */
static void
follow_from_start(struct reloader *reloader)
{
	struct engine *engine = reloader->engine;
	struct fault fault;

	for (size_t i = 0; i < engine->domain_count; i++) {
		struct domain *domain = engine->domains[i];
		struct ruleset *active = atomic_load(&domain->active);

		if (domain->asked != active && build_follow(engine, domain, active, &fault) != 0)
			log_fault(LOG_ERROR, "the queries stay with the rules before", &fault);
	}
}

static void *
reloader_main(void *self)
{
	struct reloader *reloader = self;

	follow_from_start(reloader);
	for (;;) {
		int64_t patience_ns = look_at_builds(reloader);
		struct mail *list;

		atomic_store(&reloader->hurried, false);
		list = mailbox_wait(&reloader->box, patience_ns);

		if (list == NULL && mailbox_is_closed(&reloader->box))
			return NULL;
		while (list != NULL) {
			struct engine_reload *asked = container_of(list, struct engine_reload, mail);

			list = list->next;
			answer(reloader, asked);
		}
	}
}

int
reloader_open(struct reloader *reloader, struct engine *engine, struct fault *fault)
{
	reloader->engine = engine;
	mailbox_init(&reloader->box, 0, NULL);
	return store_reader_open(engine->parts.store, &reloader->reader, fault);
}

int
reloader_start(struct reloader *reloader, struct fault *fault)
{
	int error = pthread_create(&reloader->thread, NULL, reloader_main, reloader);

	if (error != 0)
		return fault_errno(fault, FAULT_AWAY, error, "the reloader's thread cannot be started");
	pthread_setname_np(reloader->thread, "reloader");
	reloader->running = true;
	return 0;
}

void
reloader_stop(struct reloader *reloader)
{
	if (!reloader->running)
		return;
	mailbox_close(&reloader->box);
	atomic_store(&reloader->hurried, true);
	pthread_join(reloader->thread, NULL);
	reloader->running = false;
}

void
reloader_close(struct reloader *reloader)
{
	if (reloader->engine == NULL)
		return;
	store_reader_close(reloader->reader);
	mailbox_fini(&reloader->box);
}

void
reloader_give(struct reloader *reloader, struct engine_reload *reload)
{
	/* Before: once it is answered the engine may be closed. */
	atomic_store(&reloader->hurried, true);
	if (reload->what == RELOAD_BACK)
		atomic_fetch_add(&reloader->pressing, 1);
	must(mailbox_give(&reloader->box, &reload->mail));
}

void
engine_hurry(struct engine *engine)
{
	if (!atomic_exchange(&engine->ending, true))
		atomic_fetch_add(&engine->reloader.pressing, 1);
}
