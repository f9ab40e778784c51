/* SPDX-License-Identifier: MIT */
/*
 * A reader's loop: take what is there, answer it one after the other, look at the parked reads whenever a projection
 * has moved or a deadline comes near. Machines, views and cache are the thread's own, so nothing here is locked.
 */
#include "core/reader.h"

#include <stdio.h>

#define HOT_STATES  512
#define WARM_BYTES  ((size_t)4 << 20)
#define SHOWN_BYTES ((size_t)8 << 20)

int
reader_open(struct reader *reader, const struct script_options *options, struct fault *fault)
{
	reader->options = *options;
	arena_init(&reader->pages, (size_t)256 << 20);
	mailbox_init(&reader->box, 0, NULL);
	page_shelf_init(&reader->shown, SHOWN_BYTES);
	if (store_reader_open(reader->parts->store, &reader->store_reader, fault) != 0)
		return -1;
	for (size_t i = 0; i < reader->domain_count; i++)
		if (reader_seat(reader, reader->domains[i], fault) == NULL ||
		    reader_window(reader, reader->domains[i], fault) == NULL)
			return -1;
	return cache_init(&reader->cache, HOT_STATES, WARM_BYTES, fault);
}

static void
close_window(struct window *window)
{
	if (window->view != NULL)
		view_reader_close(window->view);
	if (window->seat != NULL)
		window->seat->users--;
	readside_release(window->readside);
	ruleset_release(window->rules);
	*window = (struct window){ 0 };
}

/* What nobody uses any more after a reload. */
static void
sweep(struct reader *reader, unsigned domain)
{
	for (struct seat *seat = reader->seats[domain]->older; seat != NULL; seat = seat->older)
		cache_leave(&reader->cache, domain, seat, reader->seats[domain], SIZE_MAX);
	seat_sweep(reader->seats[domain]);
}

struct seat *
reader_seat(struct reader *reader, struct domain *domain, struct fault *fault)
{
	struct seat **current = &reader->seats[domain->number], *next;
	struct ruleset *rules;
	int result;

	if (*current != NULL && domain_decides(domain, (*current)->rules))
		return *current;
	rules = domain_hold_rules(domain);
	result = seat_open(rules, &reader->options, &next, fault);
	ruleset_release(rules);
	if (result != 0)
		return NULL;
	seat_adopt(current, next);
	sweep(reader, domain->number);
	return next;
}

/* A seat that this thread has for the rules already, current or older; NULL when there is none. */
static struct seat *
find_seat(struct reader *reader, unsigned domain, const struct ruleset *rules)
{
	struct seat *seat = reader->seats[domain];

	while (seat != NULL && seat->rules != rules)
		seat = seat->older;
	return seat;
}

/* Behind the current one, so that commands' states stay with the rules that decide. */
static struct seat *
add_seat(struct reader *reader, unsigned domain, struct ruleset *rules, struct fault *fault)
{
	struct seat *seat;

	if (seat_open(rules, &reader->options, &seat, fault) != 0)
		return NULL;
	seat->older = reader->seats[domain]->older;
	reader->seats[domain]->older = seat;
	return seat;
}

struct window *
reader_window(struct reader *reader, struct domain *domain, struct fault *fault)
{
	struct window *window = &reader->windows[domain->number];
	uint64_t turn = atomic_load(&domain->turn);

	if (window->rules != NULL && window->turn == turn)
		return window;
	if (reader_seat(reader, domain, fault) == NULL)
		return NULL;
	close_window(window);
	window->turn = turn;
	domain_hold_asked(domain, &window->rules, &window->readside);
	window->seat = find_seat(reader, domain->number, window->rules);
	if (window->seat == NULL)
		window->seat = add_seat(reader, domain->number, window->rules, fault);
	if (window->seat != NULL)
		window->seat->users++;
	if (window->seat == NULL ||
	    (window->readside != NULL && view_reader_open(window->readside->view, &window->view, fault) != 0)) {
		close_window(window);
		return NULL;
	}
	sweep(reader, domain->number);
	return window;
}

void
reader_close(struct reader *reader)
{
	if (reader->parts == NULL)
		return;
	cache_fini(&reader->cache);
	for (size_t i = 0; i < reader->domain_count; i++) {
		close_window(&reader->windows[i]);
		seat_close_all(&reader->seats[i]);
	}
	if (reader->store_reader != NULL)
		store_reader_close(reader->store_reader);
	page_shelf_fini(&reader->shown);
	arena_fini(&reader->pages);
	mailbox_fini(&reader->box);
}

bool
reader_give(struct reader *reader, struct engine_read *read)
{
	struct reading *reading;

	if (atomic_fetch_add(&reader->queued, 1) >= reader->limits->queue_length) {
		fault_set(&read->fault, FAULT_BUSY, "queue_full", "the readers' queue is full");
		goto refused;
	}
	reading = arena_zero(read->arena, 1, sizeof(*reading));
	if (reading == NULL) {
		fault_set(&read->fault, FAULT_MEMORY, "memory", "no memory for a read");
		goto refused;
	}
	reading->asked = read;
	reading->deadline_ns = read->given_ns + read->wait_us * 1000;
	read->inside = reading;
	must(mailbox_give(&reader->box, &reading->mail));
	return true;
refused:
	atomic_fetch_sub(&reader->queued, 1);
	atomic_fetch_add_explicit(&reader->refused, 1, memory_order_relaxed);
	read->outcome = OUTCOME_FAILED;
	return false;
}

void
reader_progressed(struct reader *reader)
{
	/* The position was stored before; a read-modify-write is not moved before that store, as a load might be. So
	 * either this thread sees `waiting`, or the reader, which stores `waiting` first, sees the position. */
	if (atomic_fetch_add(&reader->waiting, 0) != 0)
		mailbox_nudge(&reader->box);
}

void
reader_changed(struct reader *reader)
{
	mailbox_nudge(&reader->box);
}

/* So that a read model which is not asked any more can go, also when no query comes. */
static void
close_stale_windows(struct reader *reader)
{
	for (unsigned i = 0; i < reader->domain_count; i++) {
		struct window *window = &reader->windows[i];

		if (window->rules == NULL || window->turn == atomic_load(&reader->domains[i]->turn))
			continue;
		close_window(window);
		sweep(reader, i);
	}
}

static void
finish(struct reader *reader, struct reading *reading)
{
	struct engine_read *asked = reading->asked;

	atomic_fetch_sub(&reader->queued, 1);
	atomic_fetch_add_explicit(&reader->answered, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&reader->entries, asked->entries, memory_order_relaxed);
	arena_clear(&reader->pages);
	asked->done(asked);
	atomic_fetch_sub(reader->inside, 1);
}

static void
begin(struct reader *reader, struct reading *reading)
{
	if (read_answer(reader, reading->asked)) {
		finish(reader, reading);
		return;
	}
	reading->next = reader->parked;
	reader->parked = reading;
}

/* Answers the parked reads whose position has come, or whose time is over. */
static void
look_at_parked(struct reader *reader)
{
	struct reading **place = &reader->parked;
	int64_t now_ns;

	if (reader->parked == NULL)
		return;
	atomic_exchange(&reader->waiting, 1);
	now_ns = clock_mono_ns(reader->parts->clock);
	while (*place != NULL) {
		struct reading *reading = *place, *next = reading->next;
		bool answered = read_answer(reader, reading->asked);

		if (!answered && now_ns >= reading->deadline_ns) {
			read_timed_out(reading->asked);
			answered = true;
		}
		if (answered) {
			*place = next;
			finish(reader, reading);
		} else {
			place = &reading->next;
		}
	}
	if (reader->parked == NULL)
		atomic_store(&reader->waiting, 0);
}

/* How long to sleep for the nearest deadline. */
static int64_t
patience(const struct reader *reader)
{
	int64_t nearest = INT64_MAX, now_ns;

	for (const struct reading *reading = reader->parked; reading != NULL; reading = reading->next)
		if (reading->deadline_ns < nearest)
			nearest = reading->deadline_ns;
	if (nearest == INT64_MAX)
		return -1;
	now_ns = clock_mono_ns(reader->parts->clock);
	return nearest > now_ns ? nearest - now_ns : 0;
}

static void *
reader_main(void *self)
{
	struct reader *reader = self;

	for (;;) {
		struct mail *list = mailbox_wait(&reader->box, patience(reader));

		if (list == NULL && reader->parked == NULL && mailbox_is_closed(&reader->box))
			return NULL;
		while (list != NULL) {
			struct reading *reading = container_of(list, struct reading, mail);

			list = list->next;
			begin(reader, reading);
		}
		look_at_parked(reader);
		close_stale_windows(reader);
	}
}

int
reader_start(struct reader *reader, struct fault *fault)
{
	int error = pthread_create(&reader->thread, NULL, reader_main, reader);
	char name[16];

	if (error != 0)
		return fault_errno(fault, FAULT_AWAY, error, "a reader's thread cannot be started");
	snprintf(name, sizeof(name), "reader %u", reader->number);
	pthread_setname_np(reader->thread, name);
	reader->running = true;
	return 0;
}

void
reader_stop(struct reader *reader)
{
	if (!reader->running)
		return;
	mailbox_close(&reader->box);
	pthread_join(reader->thread, NULL);
	reader->running = false;
}
