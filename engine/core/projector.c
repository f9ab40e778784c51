/* SPDX-License-Identifier: MIT */
/*
 * The projector's thread, and what other threads may ask of it.
 *
 * The thread sleeps on its mailbox. Three letters can lie there, each at most once: the log has grown, somebody
 * waits for a position, an order was given. While it works, a wake-up costs its giver one atomic exchange. Before a
 * small batch it waits a moment for more, because a transaction of many entries writes the same pages once; whoever
 * waits for a position ends that moment. When nothing comes for a while, positions are written and the view does
 * its housekeeping.
 *
 * Others see copies: a status under a short lock, the position as an atomic number that is set after the commit.
 */
#include "core/projector.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/feed.h"
#include "core/part.h"

#define BATCH_ENTRIES     4000
#define BATCH_BYTES       (4U * 1024 * 1024)
#define GATHER_US         2000
#define GATHER_SLICE_NS   5000000
#define GATHER_LONGEST_NS 400000000 /* under load; far below a second of lag */
#define IDLE_NS           1000000000
#define PAUSE_LOOK_NS     1000000

/* ---- opening and closing ---- */

static void
publish(struct projector *projector)
{
	log_position live = UINT64_MAX, any = UINT64_MAX;
	bool level = true;
	pthread_mutex_lock(&projector->lock);
	for (size_t i = 0; i < projector->count; i++) {
		struct projection *projection = &projector->projections[i];
		/* What an order that came meanwhile has shown stays until it is followed. */
		if (atomic_load(&projection->asked) == 0)
			projection->shown = projection->now;
		if (projection->now.by_bus) {
			level = level && feed_is_level(projection);
			if (projection->now.rebuilding)
				live = 0;
			continue;
		}
		if (projection->now.at < any)
			any = projection->now.at;
		if (!projection->now.stopped && projection->now.at < live)
			live = projection->now.at;
	}
	pthread_mutex_unlock(&projector->lock);
	atomic_store(&projector->level, level);
	log_position position = live != UINT64_MAX ? live : any, before = atomic_load(&projector->position);
	atomic_store(&projector->position, position);
	if (position != before && projector->options.progressed != NULL)
		projector->options.progressed(projector->options.self, position);
}

static void
fill_defaults(struct projector_options *options)
{
	if (options->clock == NULL)
		options->clock = clock_real();
	if (options->batch_entries == 0)
		options->batch_entries = BATCH_ENTRIES;
	if (options->batch_bytes == 0)
		options->batch_bytes = BATCH_BYTES;
	if (options->gather_us == 0)
		options->gather_us = GATHER_US;
}

int
projector_open(const struct projector_options *options, struct projector **projector, struct fault *fault)
{
	struct projector *made = calloc(1, sizeof(*made));
	size_t count = options->program->projection_count;
	struct projection *projections = calloc(count + 1, sizeof(*projections));
	if (made == NULL || projections == NULL) {
		free(made);
		free(projections);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a projector");
	}
	made->options = *options;
	fill_defaults(&made->options);
	made->projections = projections;
	made->batch = made->options.batch_entries;
	made->limit = UINT64_MAX;
	must(pthread_mutex_init(&made->lock, NULL) == 0);
	mailbox_init(&made->box, 0, NULL);
	arena_init(&made->page, SIZE_MAX);
	if (store_reader_open(options->store, &made->reader, fault) != 0 ||
	    script_open(options->program, &options->script, &made->machine, fault) != 0)
		goto fail;
	for (; made->count < count; made->count++) {
		struct projection *projection = &projections[made->count];
		projection->script = &options->program->projections[made->count];
		projection->number = (uint16_t)made->count;
		if (follow_open(made, projection, fault) != 0)
			goto fail;
	}
	made->options.progressed = NULL;
	publish(made);
	made->options.progressed = options->progressed;
	*projector = made;
	return 0;
fail:
	made->count = 0;
	projector_close(made);
	return -1;
}

void
projector_close(struct projector *projector)
{
	if (projector == NULL)
		return;
	projector_stop(projector);
	follow_store(projector);
	if (projector->machine != NULL)
		script_close(projector->machine);
	if (projector->reader != NULL)
		store_reader_close(projector->reader);
	for (size_t i = 0; i < projector->options.program->projection_count; i++) {
		part_free(projector->projections[i].part);
		feed_close(&projector->projections[i]);
	}
	arena_fini(&projector->page);
	mailbox_fini(&projector->box);
	pthread_mutex_destroy(&projector->lock);
	free(projector->projections);
	free(projector);
}

/* ---- any thread ---- */

static void
post(struct projector *projector, enum projector_mail kind)
{
	if (!atomic_exchange(&projector->posted[kind], true))
		mailbox_give(&projector->box, &projector->mails[kind]);
}

void
projector_wake(struct projector *projector)
{
	post(projector, MAIL_WAKE);
}

void
projector_hurry(struct projector *projector)
{
	post(projector, MAIL_HURRY);
}

bool
projector_is_damaged(const struct projector *projector)
{
	return atomic_load(&projector->damaged);
}

bool
projector_is_level(const struct projector *projector)
{
	return atomic_load(&projector->level);
}

void
projector_is_read(struct projector *projector)
{
	atomic_store(&projector->read, true);
}

log_position
projector_position(const struct projector *projector)
{
	log_position position = atomic_load(&projector->position);
	return position != UINT64_MAX ? position : store_head(projector->options.store);
}

void
projector_pause_at(struct projector *projector, log_position position)
{
	pthread_mutex_lock(&projector->lock);
	projector->pause.asked = true;
	projector->pause.held = false;
	projector->pause.at = position;
	pthread_mutex_unlock(&projector->lock);
	post(projector, MAIL_HURRY);
	post(projector, MAIL_WAKE);
}

void
projector_resume(struct projector *projector)
{
	pthread_mutex_lock(&projector->lock);
	projector->pause.asked = projector->pause.held = false;
	pthread_mutex_unlock(&projector->lock);
	post(projector, MAIL_WAKE);
}

bool
projector_wait_paused(struct projector *projector, int64_t timeout_ns, log_position *position)
{
	int64_t until = clock_mono_ns(projector->options.clock) + timeout_ns;
	struct mailbox quiet;
	bool held;
	mailbox_init(&quiet, 0, NULL);
	for (;;) {
		pthread_mutex_lock(&projector->lock);
		held = projector->pause.held;
		*position = projector->pause.at;
		pthread_mutex_unlock(&projector->lock);
		if (held || clock_mono_ns(projector->options.clock) >= until)
			break;
		mailbox_wait(&quiet, PAUSE_LOOK_NS);
	}
	mailbox_fini(&quiet);
	return held;
}

static int
show(struct projector *projector, const struct projection *projection, log_position head, struct arena *arena,
     struct projection_status *status)
{
	char reason[sizeof(projection->shown.reason)];
	struct projection_shown shown;
	pthread_mutex_lock(&projector->lock);
	shown = projection->shown;
	pthread_mutex_unlock(&projector->lock);
	memcpy(reason, shown.reason, sizeof(reason));
	int64_t behind = shown.oldest_us != 0 ? clock_wall_us(projector->options.clock) - shown.oldest_us : 0;
	bool rebuilding = shown.rebuilding && !atomic_load(&projector->read);
	int64_t away = shown.away_us != 0 ? clock_wall_us(projector->options.clock) - shown.away_us : 0;
	if (shown.by_bus)
		head = shown.at + shown.waiting;
	behind = shown.at < head && behind > 0 ? behind : 0;
	bool far = shown.unsure || (head > shown.at && head - shown.at > projector->options.batch_entries);
	*status = (struct projection_status){
		.domain = arena_copy(arena, projector->options.program->domain),
		.name = arena_copy(arena, projection->script->name),
		.position = shown.at,
		.head = head,
		.behind_us = behind > away ? behind : away,
		.away_us = shown.away_us,
		.state = shown.stopped          ? PROJECTION_STOPPED
			 : rebuilding           ? PROJECTION_REBUILDING
			 : shown.away_us != 0   ? PROJECTION_AWAY
			 : far || shown.ordered ? PROJECTION_CATCHING_UP
						: PROJECTION_LIVE,
		.poison = shown.stopped ? shown.poison : 0,
		.reason = arena_copy(arena, slice_text(shown.reason)),
		.note = arena_copy(arena, slice_text(shown.note)),
		.note_failed = shown.note_failed,
		.by_bus = shown.by_bus,
		.rate = shown.rate,
		.seconds_left = shown.at >= head  ? 0
				: shown.rate != 0 ? (int64_t)((head - shown.at + shown.rate - 1) / shown.rate)
						  : -1,
	};
	bool whole = status->domain.data != NULL && status->name.data != NULL;
	return whole && status->reason.data != NULL && status->note.data != NULL ? 0 : -1;
}

int
projector_status(struct projector *projector, struct arena *arena, struct projection_status **statuses, size_t *count,
		 struct fault *fault)
{
	log_position head = store_head(projector->options.store);
	*count = projector->count;
	*statuses = arena_zero(arena, projector->count + 1, sizeof(**statuses));
	if (*statuses == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the status of projections");
	for (size_t i = 0; i < projector->count; i++)
		if (show(projector, &projector->projections[i], head, arena, &(*statuses)[i]) != 0)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the status of projections");
	return 0;
}

static struct projection *
find(struct projector *projector, struct slice name, struct fault *fault)
{
	int number = script_find_projection(projector->options.program, name);
	if (number >= 0)
		return &projector->projections[number];
	fault_set(fault, FAULT_INPUT, "no_such_projection", "domain %.*s has no projection %.*s",
		  SLICE_ARG(projector->options.program->domain), SLICE_ARG(name));
	return NULL;
}

int
projector_rebuild_part(struct projector *projector, struct slice name, const struct projection_part *asked,
		       struct fault *fault)
{
	struct projection *projection = find(projector, name, fault);
	struct part *part =
		projection != NULL ? part_make(projector->options.program, projection->script, asked, fault) : NULL;
	if (part == NULL)
		return -1;
	pthread_mutex_lock(&projector->lock);
	bool stopped = projection->shown.stopped, pending = projection->part != NULL;
	if (!stopped && !pending) {
		projection->part = part;
		projection->shown.ordered = true;
		projection->shown.note[0] = '\0';
		atomic_fetch_or(&projection->asked, 1U << PROJECTION_REBUILD_PART);
	}
	pthread_mutex_unlock(&projector->lock);
	if (stopped || pending)
		part_free(part);
	if (stopped)
		return fault_set(fault, FAULT_INPUT, "projection_stopped",
				 "projection %.*s is stopped: retry or skip the event first", SLICE_ARG(name));
	if (pending)
		return fault_set(fault, FAULT_BUSY, "part_pending",
				 "projection %.*s has such an order that is not followed yet", SLICE_ARG(name));
	post(projector, MAIL_ORDER);
	return 0;
}

int
projector_order(struct projector *projector, struct slice name, enum projection_order order, struct fault *fault)
{
	struct projection *projection = find(projector, name, fault);
	must(order != PROJECTION_REBUILD_PART);
	if (projection == NULL)
		return -1;
	pthread_mutex_lock(&projector->lock);
	bool refused = order != PROJECTION_REBUILD && !projection->shown.stopped;
	if (!refused) {
		/* Shown at once, so that whoever ordered and then looks does not see the state before. */
		if (order == PROJECTION_SKIP)
			atomic_store(&projection->asked_poison, projection->shown.poison);
		projection->shown.stopped = false;
		projection->shown.ordered = true;
		projection->shown.rebuilding = projection->shown.rebuilding || order == PROJECTION_REBUILD;
		atomic_fetch_or(&projection->asked, 1U << order);
	}
	pthread_mutex_unlock(&projector->lock);
	if (refused)
		return fault_set(fault, FAULT_INPUT, "projection_not_stopped",
				 "projection %.*s is not stopped: nothing to retry or skip", SLICE_ARG(name));
	post(projector, MAIL_ORDER);
	return 0;
}

/* ---- the thread ---- */

/* MAIL_WAKE stays posted until the head is read: whatever was committed before that needs no letter of its own. */
static void
open_letters(struct projector *projector, const struct mail *mail)
{
	for (; mail != NULL; mail = mail->next) {
		ptrdiff_t kind = mail - projector->mails;
		projector->woken = projector->woken || kind == MAIL_WAKE;
		projector->hurried = projector->hurried || kind == MAIL_HURRY;
		if (kind == MAIL_ORDER)
			atomic_store(&projector->posted[MAIL_ORDER], false);
	}
}

/* How far this round may go: to where it was asked to pause, or to the foremost projection beyond that. */
static void
set_limit(struct projector *projector)
{
	pthread_mutex_lock(&projector->lock);
	bool asked = projector->pause.asked;
	log_position at = projector->pause.at;
	pthread_mutex_unlock(&projector->lock);
	for (size_t i = 0; asked && i < projector->count; i++) {
		const struct projection_shown *now = &projector->projections[i].now;
		if (!now->by_bus && !now->stopped && now->at > at)
			at = now->at;
	}
	projector->limit = asked ? at : UINT64_MAX;
}

/* After a round: does everything stand at the limit, and is that still what was asked for? */
static void
tell_held(struct projector *projector)
{
	bool there = projector->limit != UINT64_MAX;
	for (size_t i = 0; there && i < projector->count; i++) {
		const struct projection_shown *now = &projector->projections[i].now;
		there = now->by_bus || now->stopped || now->at == projector->limit;
	}
	if (!there)
		return;
	pthread_mutex_lock(&projector->lock);
	if (projector->pause.asked && projector->pause.at <= projector->limit) {
		projector->pause.held = true;
		projector->pause.at = projector->limit;
	}
	pthread_mutex_unlock(&projector->lock);
}

bool
projector_step(struct projector *projector)
{
	open_letters(projector, mailbox_take(&projector->box));
	if (projector->hurried)
		atomic_store(&projector->posted[MAIL_HURRY], false);
	if (projector->woken)
		atomic_store(&projector->posted[MAIL_WAKE], false);
	projector->hurried = projector->woken = false;
	set_limit(projector);
	log_position head = store_head(projector->options.store);
	if (projector->limit == UINT64_MAX)
		follow_orders(projector);
	bool more = follow_round(projector, head);
	publish(projector);
	tell_held(projector);
	return more;
}

static bool
is_ordered(const struct projector *projector)
{
	for (size_t i = 0; i < projector->count && projector->limit == UINT64_MAX; i++)
		if (atomic_load(&projector->projections[i].asked) != 0)
			return true;
	return false;
}

/* How many positions are waiting for the projection that is least behind, so that one far behind does not count. */
static log_position
pending(const struct projector *projector)
{
	log_position head = store_head(projector->options.store), most = 0, least = UINT64_MAX;
	head = head < projector->limit ? head : projector->limit;
	for (size_t i = 0; i < projector->count; i++) {
		const struct projection_shown *now = &projector->projections[i].now;
		log_position behind = now->at < head ? head - now->at : 0;
		if (now->by_bus || now->stopped || behind == 0)
			continue;
		most = behind > most ? behind : most;
		least = behind < least ? behind : least;
	}
	return most > projector->options.batch_entries ? most : least == UINT64_MAX ? 0 : least;
}

/* Waits, but not through an order, a hurry or the end. Gives false when one of them came. */
static bool
rest(struct projector *projector, int64_t wait_ns)
{
	int64_t until = clock_mono_ns(projector->options.clock) + wait_ns, left = wait_ns;
	while (left > 0) {
		open_letters(projector, mailbox_wait(&projector->box, left));
		if (atomic_load(&projector->stopping) || projector->hurried)
			return false;
		left = until - clock_mono_ns(projector->options.clock);
	}
	return true;
}

/* A lone entry waits for gather_us, a stream of them for longer: the larger the batch, the fewer page writes. */
static void
gather(struct projector *projector)
{
	int64_t waited = projector->options.gather_us * 1000;
	if (waited <= 0 || !rest(projector, waited))
		return;
	while (pending(projector) > 1 && pending(projector) < projector->options.batch_entries &&
	       waited < GATHER_LONGEST_NS && !is_ordered(projector)) {
		if (!rest(projector, GATHER_SLICE_NS))
			return;
		waited += GATHER_SLICE_NS;
	}
}

/* Nothing to do: write what is not written after a second of silence, then sleep for as long as it lasts. */
static void
sleep_until_mail(struct projector *projector, int64_t wait_ns)
{
	const struct mail *mail = mailbox_wait(&projector->box, wait_ns < IDLE_NS ? wait_ns : IDLE_NS);
	open_letters(projector, mail);
	if (mail != NULL || wait_ns < IDLE_NS || atomic_load(&projector->stopping))
		return;
	follow_store(projector);
	view_idle(projector->options.view);
	while (script_tidy(projector->machine) && mailbox_count(&projector->box) == 0)
		;
	open_letters(projector, mailbox_wait(&projector->box, wait_ns == INT64_MAX ? -1 : wait_ns - IDLE_NS));
}

static void *
run(void *self)
{
	struct projector *projector = self;
	pthread_setname_np(pthread_self(), "projector");
	while (!atomic_load(&projector->stopping)) {
		log_position waiting = pending(projector);
		int64_t wait_ns = feed_wait_ns(projector);
		if (waiting == 0 && wait_ns != 0 && !projector->woken && !is_ordered(projector))
			sleep_until_mail(projector, wait_ns);
		else if (wait_ns != 0 && waiting < projector->options.batch_entries && !projector->hurried &&
			 !is_ordered(projector))
			gather(projector);
		if (atomic_load(&projector->stopping))
			break;
		projector_step(projector);
		if (projector->pause_ns > 0)
			rest(projector, projector->pause_ns);
	}
	return NULL;
}

int
projector_start(struct projector *projector, struct fault *fault)
{
	must(!projector->started);
	int number = pthread_create(&projector->thread, NULL, run, projector);
	if (number != 0)
		return fault_errno(fault, FAULT_MEMORY, number, "cannot start the projector's thread");
	projector->started = true;
	return 0;
}

void
projector_stop(struct projector *projector)
{
	if (!projector->started)
		return;
	atomic_store(&projector->stopping, true);
	mailbox_nudge(&projector->box);
	pthread_join(projector->thread, NULL);
	projector->started = false;
	atomic_store(&projector->stopping, false);
}
