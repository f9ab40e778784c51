/* SPDX-License-Identifier: MIT */
/*
 * The thread steps its consumers and timers until each says that it has to wait, and sleeps for the shortest. A wake-up
 * costs one atomic operation while it is awake.
 *
 * A consumer that cannot be opened (no memory, a bus that refuses, a record of it that is damaged) is tried again every
 * second; the others go on. Until it is open it is told as such, with the reason; the log says so when that changes.
 */
#include "core/reacting_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define AGAIN_NS ((int64_t)1000 * 1000 * 1000)

static void
wake(void *self)
{
	struct reacting *reacting = self;

	if (!atomic_exchange(&reacting->rung, true))
		mailbox_nudge(&reacting->box);
}

void
reacting_wake(struct reacting *reacting)
{
	if (reacting != NULL)
		wake(reacting);
}

static void
give(void *self, struct submission *submission)
{
	struct reacting *reacting = self;

	committer_give(&reacting->engine->committer, submission);
	committer_ring(&reacting->engine->committer);
}

/*
 * The worker that may keep the state of a stream hears that somebody else wrote it: after the step, all its streams at
 * once, because waking it for each costs this thread a third of its time.
 */
static void
wrote(void *self, struct slice stream)
{
	struct reacting *reacting = self;
	struct forget *forget = forget_make(stream, command_hash(stream));

	if (forget == NULL)
		return; /* as worker_forget */
	forget->post.mail.next = reacting->unsaid;
	reacting->unsaid = &forget->post.mail;
}

static struct forget *
forget_of(struct mail *mail)
{
	return container_of(mail, struct forget, post.mail);
}

static void
tell_owners(struct reacting *reacting)
{
	while (reacting->unsaid != NULL) {
		struct mail *next = reacting->unsaid, *mine = NULL;
		struct worker *owner = worker_of(reacting->engine->workers, forget_of(next)->hash);
		size_t count = 0;

		reacting->unsaid = NULL;
		for (struct mail *mail = next; mail != NULL; mail = next) {
			bool is_mine = worker_of(owner, forget_of(mail)->hash) == owner;
			struct mail **list = is_mine ? &mine : &reacting->unsaid;

			next = mail->next;
			mail->next = *list;
			*list = mail;
			count += is_mine;
		}
		if (mailbox_give_all(&owner->box, mine, count))
			continue;
		for (; mine != NULL; mine = next) {
			next = mine->next;
			free(forget_of(mine));
		}
	}
}

/* ---- consumers come and go ---- */

static struct listener *
find(const struct reacting *reacting, struct slice name)
{
	struct listener *listener = reacting->listeners;

	while (listener != NULL && !slice_equal(consumer_name(listener->consumer), name))
		listener = listener->next;
	return listener;
}

static void
end_listener(struct reacting *reacting, struct listener *listener)
{
	struct listener **place = &reacting->listeners;

	while (*place != listener)
		place = &(*place)->next;
	pthread_mutex_lock(&reacting->lock);
	*place = listener->next;
	pthread_mutex_unlock(&reacting->lock);
	consumer_close(listener->consumer);
	free(listener);
}

static int
begin_listener(struct reacting *reacting, struct slice name, struct fault *fault)
{
	struct engine *engine = reacting->engine;
	struct listener *listener = calloc(1, sizeof(*listener)), **last = &reacting->listeners;
	struct consumer_options options = { .store = engine->parts.store,
					    .domain = reacting->domain,
					    .name = name,
					    .foreign = engine->parts.foreign,
					    .own = engine->parts.along,
					    .give = give,
					    .wrote = wrote,
					    .self = reacting,
					    .script = &engine->script,
					    .clock = engine->parts.clock,
					    .entropy = engine->parts.entropy,
					    .timers = &reacting->timers,
					    /* One thread, with the streams of all workers. */
					    .hot_states = engine->limits.hot_states * engine->limits.workers,
					    .warm_bytes = engine->limits.warm_bytes,
					    .remember_us = engine->limits.remember_us,
					    .waker = { wake, reacting } };

	if (listener == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a consumer");
	if (consumer_open(&options, &listener->consumer, fault) != 0) {
		free(listener);
		return -1;
	}
	while (*last != NULL)
		last = &(*last)->next;
	pthread_mutex_lock(&reacting->lock);
	*last = listener;
	pthread_mutex_unlock(&reacting->lock);
	return 0;
}

static void
end_stale(struct reacting *reacting)
{
	struct listener *next;

	for (struct listener *listener = reacting->listeners; listener != NULL; listener = next) {
		next = listener->next;
		if (consumer_is_stale(listener->consumer)) {
			reacting->again_ns = 1;
			end_listener(reacting, listener);
		}
	}
}

/* ---- those that could not be opened ---- */

/* The place of the one of this name, else the list's end. */
static struct unopened **
place_unopened(struct reacting *reacting, struct slice name)
{
	struct unopened **place = &reacting->unopened;

	while (*place != NULL && !slice_equal(slice_text((*place)->name), name))
		place = &(*place)->next;
	return place;
}

static void
forget_unopened(struct reacting *reacting, struct unopened **place)
{
	struct unopened *gone = *place;

	pthread_mutex_lock(&reacting->lock);
	*place = gone->next;
	pthread_mutex_unlock(&reacting->lock);
	free(gone);
}

static void
note_unopened(struct reacting *reacting, struct slice name, const struct fault *fault)
{
	struct unopened **place = place_unopened(reacting, name), *noted = *place, *made = NULL;

	if (noted != NULL && strcmp(noted->reason, fault->text) == 0)
		return;
	log_line(LOG_ERROR, "a consumer cannot be opened", log_slice("domain", reacting->domain->name),
		 log_slice("reactor", name), log_text("code", fault->code), log_text("text", fault->text));
	if (noted == NULL) {
		noted = made = calloc(1, sizeof(*made));
		if (made == NULL)
			return;
		snprintf(made->name, sizeof(made->name), "%.*s", SLICE_ARG(name));
		made->since_us = clock_wall_us(reacting->engine->parts.clock);
	}
	pthread_mutex_lock(&reacting->lock);
	snprintf(noted->reason, sizeof(noted->reason), "%s", fault->text);
	if (made != NULL)
		*place = made;
	pthread_mutex_unlock(&reacting->lock);
}

/* Of rules that were replaced: nobody tries to open them any more. */
static void
drop_unopened(struct reacting *reacting, const struct script_program *program)
{
	struct unopened **place = &reacting->unopened;

	while (*place != NULL) {
		bool wanted = false;

		for (size_t i = 0; i < program->reactor_count; i++)
			wanted = wanted || slice_equal(program->reactors[i].name, slice_text((*place)->name));
		if (wanted)
			place = &(*place)->next;
		else
			forget_unopened(reacting, place);
	}
}

/* Sees to it that each reactor of the active rules has its consumer. */
static void
follow_rules(struct reacting *reacting)
{
	int64_t now_ns = clock_mono_ns(reacting->engine->parts.clock);
	const struct script_program *program;
	struct fault fault;

	end_stale(reacting);
	if (domain_decides(reacting->domain, reacting->rules) &&
	    (reacting->again_ns == 0 || reacting->again_ns > now_ns))
		return;
	ruleset_release(reacting->rules);
	reacting->rules = domain_hold_rules(reacting->domain);
	reacting->again_ns = 0;
	program = reacting->rules->program;
	drop_unopened(reacting, program);
	for (size_t i = 0; i < program->reactor_count; i++) {
		struct slice name = program->reactors[i].name;
		struct unopened **unopened;

		if (find(reacting, name) != NULL)
			continue;
		if (begin_listener(reacting, name, &fault) != 0) {
			note_unopened(reacting, name, &fault);
			reacting->again_ns = now_ns + AGAIN_NS;
			continue;
		}
		unopened = place_unopened(reacting, name);
		if (*unopened == NULL)
			continue;
		log_line(LOG_INFO, "a consumer is open now", log_slice("domain", reacting->domain->name),
			 log_slice("reactor", name));
		forget_unopened(reacting, unopened);
	}
}

/* ---- the thread ---- */

static int64_t
step(struct reacting *reacting)
{
	int64_t wait_ns = firing_step(reacting->firing);

	follow_rules(reacting);
	for (struct listener *listener = reacting->listeners; listener != NULL; listener = listener->next) {
		int64_t one_ns;

		if (atomic_load(&reacting->engine->draining))
			consumer_refuse_orders(listener->consumer);
		one_ns = consumer_step(listener->consumer);

		wait_ns = one_ns < wait_ns ? one_ns : wait_ns;
		if (consumer_is_stale(listener->consumer))
			wait_ns = 0;
	}
	tell_owners(reacting);
	if (reacting->again_ns != 0 && wait_ns > AGAIN_NS)
		wait_ns = AGAIN_NS;
	return wait_ns;
}

static void *
reacting_main(void *self)
{
	struct reacting *reacting = self;

	while (!atomic_load(&reacting->stopping)) {
		int64_t wait_ns;

		atomic_store(&reacting->rung, false);
		wait_ns = step(reacting);
		if (wait_ns != 0)
			mailbox_wait(&reacting->box, wait_ns == INT64_MAX ? -1 : wait_ns);
	}
	return NULL;
}

static int
open_one(struct engine *engine, struct domain *domain, struct fault *fault)
{
	struct reacting *made = calloc(1, sizeof(*made));
	struct firing_options options = { .give = give,
					  .self = made,
					  .entropy = engine->parts.entropy,
					  .waker = { wake, made },
					  .bench = { .store = engine->parts.store,
						     .domain = domain,
						     .script = &engine->script,
						     .clock = engine->parts.clock,
						     .timers = made != NULL ? &made->timers : NULL,
						     .wrote = wrote,
						     .self = made } };

	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for what reacts");
	made->engine = engine;
	made->domain = domain;
	mailbox_init(&made->box, 0, NULL);
	must(pthread_mutex_init(&made->lock, NULL) == 0);
	engine->reacting[domain->number] = made;
	made->timers = engine->timers;
	return firing_open(&options, &made->firing, fault);
}

int
reacting_open(struct engine *engine, struct fault *fault)
{
	if (engine->parts.along.open == NULL)
		return 0;
	for (size_t i = 0; i < engine->domain_count; i++)
		if (open_one(engine, engine->domains[i], fault) != 0)
			return -1;
	return 0;
}

int
reacting_start(struct engine *engine, struct fault *fault)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];
		int error = reacting != NULL ? pthread_create(&reacting->thread, NULL, reacting_main, reacting) : 0;

		if (error != 0)
			return fault_errno(fault, FAULT_AWAY, error, "a reacting thread cannot be started");
		if (reacting == NULL)
			continue;
		pthread_setname_np(reacting->thread, "reacting");
		reacting->running = true;
	}
	return 0;
}

void
reacting_stop(struct engine *engine)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];

		if (reacting == NULL || !reacting->running)
			continue;
		atomic_store(&reacting->stopping, true);
		mailbox_nudge(&reacting->box);
		pthread_join(reacting->thread, NULL);
		reacting->running = false;
		while (reacting->listeners != NULL)
			end_listener(reacting, reacting->listeners);
		firing_close(reacting->firing);
		reacting->firing = NULL;
		tell_owners(reacting);
	}
}

void
reacting_close(struct engine *engine)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];

		if (reacting == NULL)
			continue;
		engine->reacting[i] = NULL;
		while (reacting->unopened != NULL)
			forget_unopened(reacting, &reacting->unopened);
		firing_close(reacting->firing);
		ruleset_release(reacting->rules);
		mailbox_fini(&reacting->box);
		pthread_mutex_destroy(&reacting->lock);
		free(reacting);
	}
}

/* ---- orders ---- */

int
reacting_order(struct engine *engine, struct slice whole, struct consumer_order *order, struct fault *fault)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];
		struct slice domain = engine->domains[i]->name;
		struct listener *listener;
		bool taken;

		if (reacting == NULL || !slice_starts_with(whole, domain) || whole.size <= domain.size + 1 ||
		    whole.data[domain.size] != '.')
			continue;
		pthread_mutex_lock(&reacting->lock);
		listener = find(reacting, slice_from(whole.data + domain.size + 1, whole.size - domain.size - 1));
		taken = listener != NULL && consumer_give_order(listener->consumer, order);
		pthread_mutex_unlock(&reacting->lock);
		if (taken)
			return 0;
		if (listener != NULL)
			return fault_set(fault, FAULT_BUSY, "too_many_orders", "%.*s has too much to do: ask again",
					 SLICE_ARG(whole));
	}
	return fault_set(fault, FAULT_INPUT, "no_such_reactor", "there is no reactor %.*s", SLICE_ARG(whole));
}
