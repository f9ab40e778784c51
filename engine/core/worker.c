/* SPDX-License-Identifier: MIT */
/*
 * The worker's loop. It takes everything in its mailbox, begins what it can, and then sees to the commit of what it
 * decided: by itself when that is the only command about, else by telling the committer's thread. So it never waits
 * for a commit while a command waits for it.
 *
 * When nothing came for a while it lets the script machines collect to the end of a cycle, a bounded step at a time,
 * and then sleeps. Under load their own pace is the cheaper one: a step between any two commands would mark and sweep
 * for ever.
 */
#include "core/worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/execute.h"
#include "core/settle.h"

#define WATCH_NS   ((int64_t)200 * 1000)
#define QUIET_NS   ((int64_t)20 * 1000 * 1000)
#define SLICE_NS   ((int64_t)5 * 1000 * 1000)
#define LEAVE_BITE ((size_t)64) /* states, before mail is looked at */
#define LEAVE_BUSY ((size_t)8)  /* states, between mail and mail */

int
worker_open(struct worker *worker, const struct script_options *options, struct fault *fault)
{
	arena_init(&worker->pages, (size_t)64 << 20);
	mailbox_init(&worker->box, 0, NULL);
	spin_init(&worker->spin, worker->parts->clock, WATCH_NS);
	if (store_reader_open(worker->parts->store, &worker->reader, fault) != 0)
		return -1;
	for (size_t i = 0; i < worker->domain_count; i++)
		if (seat_open(atomic_load(&worker->domains[i]->active), options, &worker->seats[i], fault) != 0)
			return -1;
	return cache_init(&worker->cache, worker->limits->hot_states, worker->limits->warm_bytes, fault);
}

void
worker_close(struct worker *worker)
{
	if (worker->parts == NULL)
		return;
	cache_fini(&worker->cache);
	lanes_fini(&worker->lanes);
	for (size_t i = 0; i < worker->domain_count; i++)
		seat_close_all(&worker->seats[i]);
	if (worker->reader != NULL)
		store_reader_close(worker->reader);
	arena_fini(&worker->pages);
	mailbox_fini(&worker->box);
}

static bool
enter(_Atomic size_t *count, size_t limit)
{
	if (atomic_fetch_add(count, 1) < limit)
		return true;
	atomic_fetch_sub(count, 1);
	return false;
}

bool
worker_give(struct worker *worker, struct command *command)
{
	_Atomic size_t *share = &worker->waiting_of[command->domain->number];

	command->home = &worker->box;
	if (!enter(share, worker->limits->domain_share))
		goto full;
	if (!enter(&worker->waiting, worker->limits->queue_length)) {
		atomic_fetch_sub(share, 1);
		goto full;
	}
	must(mailbox_give(&worker->box, &command->post.mail));
	return true;
full:
	atomic_fetch_add_explicit(&worker->tally.turned_away, 1, memory_order_relaxed);
	return false;
}

/*
 * New rules decide from here on: between two commands. What the seat before the last one still holds was neither asked
 * for during a whole generation nor had it time to leave.
 */
static void
adopt(struct worker *worker, struct adoption *adoption)
{
	unsigned domain = adoption->domain->number;
	struct seat **current = &worker->seats[domain];

	for (struct seat *seat = (*current)->older; seat != NULL; seat = seat->older)
		cache_leave(&worker->cache, domain, seat, NULL, SIZE_MAX);
	seat_sweep(*current);
	seat_adopt(current, adoption->seat);
	worker->leaving = true;
	execute_stranded(worker);
	must(mailbox_give(adoption->home, &adoption->post.mail));
}

static void
sweep_seats(struct worker *worker)
{
	for (unsigned i = 0; i < worker->domain_count; i++)
		seat_sweep(worker->seats[i]);
}

/* A bite of the states that lie in seats of earlier rules becomes bytes; false: there is no more. */
static bool
leave_seats(struct worker *worker, size_t bite)
{
	for (unsigned i = 0; i < worker->domain_count; i++) {
		struct seat *current = worker->seats[i];

		for (struct seat *seat = current->older; seat != NULL; seat = seat->older)
			if (cache_leave(&worker->cache, i, seat, current, bite) == bite)
				return true;
	}
	return false;
}

/* Not for longer than a slice, so that a command that comes meanwhile gets its turn among those that are here. */
static void
run_ready(struct worker *worker)
{
	int64_t end_ns = clock_mono_ns(worker->parts->clock) + SLICE_NS;
	struct command *command;

	while ((command = lane_next(&worker->lanes)) != NULL) {
		execute_run(worker, command);
		if (mailbox_count(&worker->box) != 0 && clock_mono_ns(worker->parts->clock) > end_ns)
			return;
	}
}

static void
handle(struct worker *worker, struct mail *list)
{
	while (list != NULL) {
		struct post *post = container_of(list, struct post, mail);

		list = list->next;
		switch (post->kind) {
		case POST_COMMAND:
			execute_enter(worker, container_of(post, struct command, post));
			break;
		case POST_SETTLED:
			settle_command(worker, container_of(post, struct command, post));
			break;
		case POST_FORGET: {
			struct forget *forget = container_of(post, struct forget, post);

			worker->wrongs += forget->wrong;
			(forget->wrong ? cache_forget : cache_outdate)(
				&worker->cache, slice_from(forget->name, forget->size), forget->hash);
			free(forget);
			break;
		}
		case POST_ADOPT:
			adopt(worker, container_of(post, struct adoption, post));
			break;
		}
	}
	run_ready(worker);
	/* A state that the next adoption finds in its old seat would have to be folded from the log again. */
	if (worker->leaving && !leave_seats(worker, LEAVE_BUSY)) {
		worker->leaving = false;
		sweep_seats(worker);
	}
	worker->untidy = true;
}

/* true when a group was committed here. */
static bool
see_to_commit(struct worker *worker)
{
	struct mail *mine = NULL;

	if (worker->unsent == 0)
		return false;
	worker->unsent = 0;
	if (mailbox_count(&worker->box) != 0 || !committer_is_lonely(worker->committer)) {
		committer_ring(worker->committer);
		return false;
	}
	if (!committer_try(worker->committer, &worker->box, &mine))
		return false;
	handle(worker, mine);
	worker->committer->announce(worker->committer->self);
	return true;
}

/* Seats that a reload left behind are emptied and closed; false: mail came meanwhile. */
static bool
close_seats(struct worker *worker)
{
	while (leave_seats(worker, LEAVE_BITE))
		if (mailbox_count(&worker->box) != 0)
			return false;
	sweep_seats(worker);
	return true;
}

/* Seats that a reload left behind, then collection to the end of a cycle, or until mail comes. */
static void
tidy(struct worker *worker)
{
	bool more = true;

	if (!close_seats(worker))
		return;
	while (more && mailbox_count(&worker->box) == 0) {
		more = false;
		for (size_t i = 0; i < worker->domain_count; i++)
			more |= script_tidy(worker->seats[i]->machine);
	}
	worker->untidy = more;
}

/* With few commands about the next one usually comes soon: a client answers an answer. */
static struct mail *
await(struct worker *worker)
{
	struct mail *list;

	if (committer_is_lonely(worker->committer))
		spin_watch(&worker->spin, &worker->box);
	list = mailbox_wait(&worker->box, worker->untidy ? QUIET_NS : -1);
	spin_end(&worker->spin);
	return list;
}

static void *
worker_main(void *self)
{
	struct worker *worker = self;

	for (;;) {
		struct mail *list = mailbox_take(&worker->box);

		if (list == NULL) {
			if (see_to_commit(worker))
				continue;
			if (lanes_ready(&worker->lanes)) {
				run_ready(worker);
				continue;
			}
			list = await(worker);
			if (list == NULL && mailbox_is_closed(&worker->box))
				return NULL;
			if (list == NULL) {
				tidy(worker);
				continue;
			}
		}
		handle(worker, list);
		if (worker->unsent != 0 && mailbox_count(&worker->box) != 0)
			see_to_commit(worker);
	}
}

int
worker_start(struct worker *worker, struct fault *fault)
{
	int error = pthread_create(&worker->thread, NULL, worker_main, worker);
	char name[16];

	if (error != 0)
		return fault_errno(fault, FAULT_AWAY, error, "a worker's thread cannot be started");
	snprintf(name, sizeof(name), "worker %u", worker->number);
	pthread_setname_np(worker->thread, name);
	worker->running = true;
	return 0;
}

void
worker_stop(struct worker *worker)
{
	if (!worker->running)
		return;
	mailbox_close(&worker->box);
	pthread_join(worker->thread, NULL);
	worker->running = false;
}

struct forget *
forget_make(struct slice stream, uint64_t hash)
{
	struct forget *forget = malloc(sizeof(*forget) + stream.size);

	if (forget == NULL)
		return NULL;
	forget->post.kind = POST_FORGET;
	forget->hash = hash;
	forget->wrong = false;
	forget->size = stream.size;
	memcpy(forget->name, stream.data, stream.size);
	return forget;
}

void
worker_forget(const struct worker *any, struct slice stream, uint64_t hash)
{
	struct forget *forget = forget_make(stream, hash);

	if (forget != NULL && !mailbox_give(&worker_of(any, hash)->box, &forget->post.mail))
		free(forget);
}

void
workers_forget_wrong(const struct worker *any, struct slice stream, uint64_t hash)
{
	for (size_t i = 0; i < any->all_count; i++) {
		struct forget *forget = forget_make(stream, hash);

		if (forget == NULL)
			continue;
		forget->wrong = true;
		if (!mailbox_give(&any->all[i].box, &forget->post.mail))
			free(forget);
	}
}
