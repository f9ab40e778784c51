/* SPDX-License-Identifier: MIT */
/*
 * The facade: opens the parts in one visible order, hands every ask to the thread that answers it, closes in the
 * opposite order. What happens to an ask afterwards stands in execute.c and read.c.
 *
 * An ask is counted from the moment it is taken until its `done` has returned; draining turns new ones away and waits
 * for that count.
 */
#include "core/inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/build.h"
#include "core/projections.h"
#include "core/reacting.h"
#include "core/routes.h"
#include "core/sending.h"
#include "core/start.h"

#define DRAIN_LOOK_NS ((int64_t)2 * 1000 * 1000)

static void
fill_limits(struct engine_limits *limits)
{
	limits->workers = limits->workers != 0 ? limits->workers : 2;
	limits->readers = limits->readers != 0 ? limits->readers : 2;
	limits->queue_length = limits->queue_length != 0 ? limits->queue_length : 1024;
	limits->queue_wait_us = limits->queue_wait_us != 0 ? limits->queue_wait_us : 2000000;
	limits->attempts = limits->attempts != 0 ? limits->attempts : 10;
	limits->hot_states = limits->hot_states != 0 ? limits->hot_states : 4096;
	limits->warm_bytes = limits->warm_bytes != 0 ? limits->warm_bytes : (size_t)16 << 20;
	limits->group_appends = limits->group_appends != 0 ? limits->group_appends : 256;
	limits->snapshot_events = limits->snapshot_events != 0 ? limits->snapshot_events : 100;
	limits->snapshot_check_us = limits->snapshot_check_us != 0 ? limits->snapshot_check_us : 1000000;
	limits->determinism_sample = limits->determinism_sample == 0            ? 1000
				     : limits->determinism_sample == UINT32_MAX ? 0
										: limits->determinism_sample;
	limits->projection_batch = limits->projection_batch != 0 ? limits->projection_batch : 4000;
	limits->remember_messages = limits->remember_messages == 0          ? 100000
				    : limits->remember_messages == SIZE_MAX ? 0
									    : limits->remember_messages;
	limits->shadow_us = limits->shadow_us != 0 ? limits->shadow_us : 10000000;
	limits->shadow_threads = limits->shadow_threads != 0 ? limits->shadow_threads : 2;
	limits->keep_undecided = limits->keep_undecided != 0 ? limits->keep_undecided : 100;
	limits->keep_us = limits->keep_us > 0 ? limits->keep_us : limits->keep_us < 0 ? 0 : (int64_t)600 * 1000000;
}

/* The log has grown: followers and watchers hear of it. Called by whoever held the committer's role. */
static void
announce(void *self)
{
	struct engine *engine = self;

	for (size_t i = 0; i < engine->domain_count; i++)
		domain_wake(engine->domains[i]);
	for (size_t i = 0; i < engine->domain_count; i++)
		reacting_wake(engine->reacting[i]);
	if (engine->relay != NULL)
		relay_wake(engine->relay);
	watch_announce(&engine->watches);
}

static void
progressed(void *self, log_position position)
{
	struct engine *engine = self;

	(void)position;
	if (!atomic_load(&engine->started))
		return;
	for (unsigned i = 0; i < engine->limits.readers; i++)
		reader_progressed(&engine->readers[i]);
}

/* The reloader looks for it. */
static void
damaged(void *self, const struct fault *fault)
{
	struct engine *engine = self;

	log_fault(LOG_ERROR, "a read model is damaged", fault);
	mailbox_nudge(&engine->reloader.box);
}

int
engine_open(const struct engine_parts *parts, const struct engine_limits *limits, struct engine **engine,
	    struct fault *fault)
{
	struct engine *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for an engine");
	made->parts = *parts;
	if (made->parts.clock == NULL)
		made->parts.clock = clock_real();
	if (made->parts.entropy == NULL)
		made->parts.entropy = entropy_real();
	if (limits != NULL)
		made->limits = *limits;
	fill_limits(&made->limits);
	made->script = (struct script_options){ .heap_bytes = made->limits.heap_bytes,
						.pool_bytes = made->limits.pool_bytes,
						.limits = made->limits.script,
						.domain_limits = made->limits.domain_limits,
						.domain_limit_count = made->limits.domain_limit_count,
						.development = made->limits.development,
						.say = saying_write,
						.say_self = &made->saying };
	if (committer_open(&made->committer, parts->store, made->parts.clock, made->limits.group_appends, fault) != 0) {
		free(made);
		return -1;
	}
	made->committer.announce = announce;
	made->committer.self = made;
	watch_init(&made->watches);
	*engine = made;
	return 0;
}

static int
check_domain(const struct engine *engine, const struct ruleset *rules, const char *folder, struct fault *fault)
{
	for (size_t i = 0; i < engine->domain_count; i++)
		if (slice_equal(engine->domains[i]->name, rules->program->domain))
			return fault_set(fault, FAULT_CONFIG, "domain_clash",
					 "%s: a domain named %.*s is loaded already", folder,
					 SLICE_ARG(rules->program->domain));
	if (rules->program->multi_stream && !engine->parts.store->multi_stream)
		return fault_set(fault, FAULT_CONFIG, "store_lacks_streams",
				 "%s uses ctx:load, but the %s store cannot write several streams in one append",
				 folder, engine->parts.store->kind);
	return 0;
}

struct projector_options
engine_projector_options(struct engine *engine)
{
	return (struct projector_options){ .store = engine->parts.store,
					   .script = engine->script,
					   .clock = engine->parts.clock,
					   .batch_entries = engine->limits.projection_batch,
					   .remember = engine->limits.remember_messages,
					   .progressed = progressed,
					   .damaged = damaged,
					   .self = engine };
}

int
engine_add_domain(struct engine *engine, const char *folder, struct fault *fault)
{
	struct projector_options options = engine_projector_options(engine);
	struct readside *readside;
	struct active active;
	struct domain *domain;
	struct ruleset *rules, *asked = NULL;

	must(!atomic_load(&engine->started));
	if (engine->domain_count == DOMAIN_MAX)
		return fault_set(fault, FAULT_LIMIT, "too_many_domains", "%s: more than %d domains", folder,
				 DOMAIN_MAX);
	if (start_rules(&engine->parts, folder, &engine->script, &rules, &active, fault) != 0)
		return -1;
	if (check_domain(engine, rules, folder, fault) != 0 ||
	    start_asked(&engine->parts, &engine->script, rules, &active, &asked, fault) != 0 ||
	    readside_open_live(&engine->parts, asked, &options, &readside, fault) != 0) {
		ruleset_release(asked);
		ruleset_release(rules);
		return -1;
	}
	if (domain_open(folder, rules, asked, &domain, fault) != 0) {
		readside_close(readside);
		return -1;
	}
	domain->live = readside;
	domain->record = active;
	domain->number = (unsigned)engine->domain_count;
	engine->domains[engine->domain_count++] = domain;
	return 0;
}

static int
open_threads(struct engine *engine, struct fault *fault)
{
	for (unsigned i = 0; i < engine->limits.workers; i++) {
		struct worker *worker = &engine->workers[i];

		worker->number = i;
		worker->limits = &engine->limits;
		worker->parts = &engine->parts;
		worker->committer = &engine->committer;
		worker->keeper = &engine->keeper;
		worker->all = engine->workers;
		worker->all_count = engine->limits.workers;
		worker->domains = engine->domains;
		worker->domain_count = engine->domain_count;
		worker->inside = &engine->inside;
		worker->timers = &engine->timers;
		if (worker_open(worker, &engine->script, fault) != 0)
			return -1;
	}
	for (unsigned i = 0; i < engine->limits.readers; i++) {
		struct reader *reader = &engine->readers[i];

		reader->number = i;
		reader->limits = &engine->limits;
		reader->parts = &engine->parts;
		reader->domains = engine->domains;
		reader->domain_count = engine->domain_count;
		reader->inside = &engine->inside;
		reader->healer = &engine->reloader.box;
		if (reader_open(reader, &engine->script, fault) != 0)
			return -1;
	}
	return reloader_open(&engine->reloader, engine, fault);
}

static int
open_keeper(struct engine *engine, struct fault *fault)
{
	struct keeper *keeper = &engine->keeper;

	keeper->parts = &engine->parts;
	keeper->limits = &engine->limits;
	keeper->script = &engine->script;
	keeper->committer = &engine->committer;
	keeper->domains = engine->domains;
	keeper->domain_count = engine->domain_count;
	keeper->workers = engine->workers;
	return keeper_open(keeper, fault);
}

static int
start_threads(struct engine *engine, struct fault *fault)
{
	if (committer_start(&engine->committer, fault) != 0 || keeper_start(&engine->keeper, fault) != 0)
		return -1;
	for (unsigned i = 0; i < engine->limits.workers; i++)
		if (worker_start(&engine->workers[i], fault) != 0)
			return -1;
	for (unsigned i = 0; i < engine->limits.readers; i++)
		if (reader_start(&engine->readers[i], fault) != 0)
			return -1;
	for (size_t i = 0; i < engine->domain_count; i++) {
		const struct readside *live = engine->domains[i]->live;

		if (live != NULL && live->projector != NULL && projector_start(live->projector, fault) != 0)
			return -1;
	}
	if (engine->relay != NULL && relay_start(engine->relay, fault) != 0)
		return -1;
	if (reacting_start(engine, fault) != 0)
		return -1;
	return reloader_start(&engine->reloader, fault);
}

int
engine_start(struct engine *engine, struct fault *fault)
{
	must(!atomic_load(&engine->started));
	if (engine->limits.domain_share == 0)
		engine->limits.domain_share =
			engine->domain_count > 1 ? (engine->limits.queue_length + 1) / 2 : engine->limits.queue_length;
	engine->workers = calloc(engine->limits.workers, sizeof(*engine->workers));
	engine->readers = calloc(engine->limits.readers, sizeof(*engine->readers));
	if (engine->workers == NULL || engine->readers == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for threads");
	if (open_threads(engine, fault) != 0 || open_keeper(engine, fault) != 0 || sending_open(engine, fault) != 0 ||
	    timer_clock_open(&engine->timers, engine->parts.store, engine->parts.clock, fault) != 0 ||
	    reacting_open(engine, fault) != 0)
		return -1;
	engine->started_us = clock_wall_us(engine->parts.clock);
	atomic_store(&engine->started, true);
	return start_threads(engine, fault);
}

bool
engine_drain(struct engine *engine, int64_t deadline_ns)
{
	struct mailbox quiet;

	atomic_store(&engine->draining, true);
	engine_hurry(engine);
	for (size_t i = 0; i < engine->domain_count; i++)
		reacting_wake(engine->reacting[i]); /* who waits for an order is sent away */
	mailbox_init(&quiet, 0, NULL);
	while (atomic_load(&engine->inside) != 0 && clock_mono_ns(engine->parts.clock) < deadline_ns)
		mailbox_wait(&quiet, DRAIN_LOOK_NS);
	mailbox_fini(&quiet);
	return atomic_load(&engine->inside) == 0;
}

static void
close_threads(struct engine *engine)
{
	reloader_stop(&engine->reloader);
	reacting_stop(engine);
	for (size_t i = 0; i < engine->domain_count; i++) {
		const struct readside *live = engine->domains[i]->live;

		if (live != NULL && live->projector != NULL)
			projector_stop(live->projector);
		build_close(engine->domains[i]);
	}
	for (unsigned i = 0; engine->readers != NULL && i < engine->limits.readers; i++)
		reader_stop(&engine->readers[i]);
	for (unsigned i = 0; engine->workers != NULL && i < engine->limits.workers; i++)
		worker_stop(&engine->workers[i]);
	keeper_stop(&engine->keeper);
	if (engine->relay != NULL)
		relay_stop(engine->relay);
	committer_stop(&engine->committer);
	atomic_store(&engine->started, false);
	for (unsigned i = 0; engine->readers != NULL && i < engine->limits.readers; i++)
		reader_close(&engine->readers[i]);
	for (unsigned i = 0; engine->workers != NULL && i < engine->limits.workers; i++)
		worker_close(&engine->workers[i]);
	reloader_close(&engine->reloader);
	keeper_close(&engine->keeper);
	relay_close(engine->relay);
	reacting_close(engine);
	engine->relay = NULL;
}

void
engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	engine_drain(engine, INT64_MAX);
	close_threads(engine);
	for (size_t i = 0; i < engine->domain_count; i++)
		domain_close(engine->domains[i]);
	committer_close(&engine->committer);
	watch_fini(&engine->watches);
	free(engine->readers);
	free(engine->workers);
	free(engine);
}

bool
engine_enter(struct engine *engine, struct fault *fault)
{
	atomic_fetch_add(&engine->inside, 1);
	if (atomic_load(&engine->started) && !atomic_load(&engine->draining))
		return true;
	atomic_fetch_sub(&engine->inside, 1);
	fault_set(fault, FAULT_BUSY, "draining", "the engine is stopping");
	return false;
}

bool
engine_execute(struct engine *engine, struct engine_command *asked)
{
	struct outcome *outcome = &asked->outcome;
	struct command *command;

	memset(outcome, 0, sizeof(*outcome));
	asked->made_id = SLICE_NONE;
	asked->given_ns = clock_mono_ns(engine->parts.clock);
	if (!engine_enter(engine, &outcome->fault))
		goto failed;
	command = command_make(engine->domains, engine->domain_count, &engine->parts, asked);
	if (command == NULL)
		goto out;
	if (worker_give(worker_of(engine->workers, command->hash), command))
		return true;
	ruleset_release(command->rules);
	fault_set(&outcome->fault, FAULT_BUSY, "queue_full", "too many commands are waiting");
	atomic_fetch_sub(&engine->inside, 1);
failed:
	outcome->kind = OUTCOME_FAILED;
	outcome->code = slice_text(outcome->fault.code);
	outcome->message = slice_text(outcome->fault.text);
	return false;
out:
	atomic_fetch_sub(&engine->inside, 1);
	return false;
}

/* Reads of one stream meet in one reader, whose caches know it; the others go where the queue is shortest. */
static struct reader *
choose_reader(struct engine *engine, const struct engine_read *read)
{
	unsigned count = engine->limits.readers;
	unsigned first = read->stream.size != 0
				 ? (unsigned)((slice_hash(read->stream, 0) >> 32) % count)
				 : atomic_fetch_add_explicit(&engine->next_reader, 1, memory_order_relaxed) % count;
	struct reader *best = &engine->readers[first];

	for (unsigned i = 1; i < count; i++) {
		struct reader *other = &engine->readers[(first + i) % count];

		if (atomic_load(&other->queued) + 1 < atomic_load(&best->queued))
			best = other;
	}
	return best;
}

bool
engine_read(struct engine *engine, struct engine_read *read)
{
	read->outcome = OUTCOME_FAILED;
	fault_clear(&read->fault);
	read->version = read->next = read->as_of = 0;
	read->entries = 0;
	read->given_ns = clock_mono_ns(engine->parts.clock);
	if (!engine_enter(engine, &read->fault))
		return false;
	if (reader_give(choose_reader(engine, read), read))
		return true;
	atomic_fetch_sub(&engine->inside, 1);
	return false;
}

bool
engine_domain(const struct engine *engine, size_t number, struct slice *name)
{
	if (number >= engine->domain_count)
		return false;
	*name = engine->domains[number]->name;
	return true;
}

bool
engine_reload(struct engine *engine, struct engine_reload *reload)
{
	reload->answer = RELOAD_FAILED;
	reload->stage = "read";
	reload->generation = 0;
	fault_clear(&reload->fault);
	if (!engine_enter(engine, &reload->fault))
		return false;
	reloader_give(&engine->reloader, reload);
	return true;
}

void
engine_watch_add(struct engine *engine, struct engine_watch *watch)
{
	watch_add(&engine->watches, watch);
}

void
engine_watch_arm(struct engine *engine, struct engine_watch *watch)
{
	watch_arm(&engine->watches, watch);
}

void
engine_watch_remove(struct engine *engine, struct engine_watch *watch)
{
	watch_remove(&engine->watches, watch);
}

log_position
engine_head(const struct engine *engine)
{
	return store_head(engine->parts.store);
}

bool
engine_route(const struct engine *engine, struct slice method, struct slice path, struct route_match *match)
{
	return routes_match(engine->domains, engine->domain_count, method, path, match);
}

void
engine_route_done(struct route_match *match)
{
	ruleset_release(match->held);
	memset(match, 0, sizeof(*match));
}

int
engine_projections(struct engine *engine, struct arena *arena, struct projection_status **statuses, size_t *count,
		   struct fault *fault)
{
	return projections_list(engine, arena, statuses, count, fault);
}

void
engine_builds(struct engine *engine, struct buf *out)
{
	projections_builds(engine, out);
}

/* An order, or a part to be made anew when there is one. */
static int
give_order(struct engine *engine, struct slice name, struct slice projection, enum projection_order order,
	   const struct projection_part *part, struct fault *fault)
{
	struct domain *domain = projections_domain(engine, name);

	if (domain != NULL)
		return projections_order(domain, projection, order, part, fault);
	return fault_set(fault, FAULT_INPUT, "no_such_projection", "there is no projection %.*s.%.*s", SLICE_ARG(name),
			 SLICE_ARG(projection));
}

int
engine_projection_order(struct engine *engine, struct slice domain, struct slice name, enum projection_order order,
			struct fault *fault)
{
	return give_order(engine, domain, name, order, NULL, fault);
}

int
engine_projection_rebuild_part(struct engine *engine, struct slice domain, struct slice name,
			       const struct projection_part *part, struct fault *fault)
{
	return give_order(engine, domain, name, PROJECTION_REBUILD_PART, part, fault);
}

bool
engine_ready(struct engine *engine, struct buf *out)
{
	return status_ready(engine, out);
}

void
engine_status(struct engine *engine, struct buf *out)
{
	status_write(engine, out);
}

void
engine_metrics(struct engine *engine, struct buf *out)
{
	metrics_write(engine, out);
}

void
engine_openapi(struct engine *engine, struct buf *out)
{
	openapi_write(engine, out);
}

void
engine_asyncapi(struct engine *engine, struct buf *out)
{
	asyncapi_write(engine, out);
}

struct backup_talk {
	void (*say)(void *self, const char *line);
	void *self;
};

static void
backup_progress(void *self, log_position at, log_position head)
{
	const struct backup_talk *talk = self;
	char line[80];

	snprintf(line, sizeof(line), "%llu of %llu entries checked", (unsigned long long)at, (unsigned long long)head);
	talk->say(talk->self, line);
}

static void
backup_found(void *self, const struct verify_finding *finding)
{
	const struct backup_talk *talk = self;

	talk->say(talk->self, finding->text);
}

int
engine_backup(struct engine *engine, const char *path, void (*tell)(void *self, const char *line), void *self,
	      struct fault *fault)
{
	struct backup_talk talk = { tell, self };
	struct verify_report report = { .self = &talk };
	struct store_reader *reader;
	int result;

	if (tell != NULL) {
		report.found = backup_found;
		report.progress = backup_progress;
	}
	if (!engine_enter(engine, fault))
		return -1;
	result = store_reader_open(engine->parts.store, &reader, fault);
	if (result == 0) {
		result = store_backup(reader, path, &report, fault);
		store_reader_close(reader);
	}
	engine_leave(engine);
	return result;
}
