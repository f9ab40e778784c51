/* SPDX-License-Identifier: MIT */
/*
 * The first rows of the index tell what is due; a page of them is in work at a time. A row whose timer was moved or
 * cancelled is dropped when it is met. The rules' machine is opened when the first timer is due.
 *
 * What may pass by itself is tried again with growing pauses, while other timers go on. A timer that its handler cannot
 * take, three times, becomes a dead letter:
 *
 *   space "dead/<domain>.<aggregate>"   key timer/<20 digits of due>/<stream>#<name>
 */
#include "core/firing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/dead.h"

#define PAGE           64
#define ATTEMPTS       3
#define DIGITS         20
#define SHOT_MEMORY    ((size_t)64 << 20)
#define LETTER_MOST    ((size_t)8 << 20)
#define PAUSE_FIRST_US ((int64_t)100 * 1000)
#define PAUSE_LAST_US  ((int64_t)30 * 1000 * 1000)
#define LOOK_EVERY_NS  ((int64_t)5 * 1000 * 1000)
#define FAR_US         ((int64_t)3600 * 1000 * 1000)
#define TROUBLE_NS     ((int64_t)200 * 1000 * 1000)

enum shot_state { SHOT_NEW, SHOT_FLYING, SHOT_WAITING };

/* A timer that is due. */
struct shot {
	struct mail mail; /* back from the committer */
	struct shot *next;
	enum shot_state state;
	struct timer timer; /* as it was read */
	struct slice row;   /* its key in the index */
	unsigned attempts;
	bool dead; /* its append is to be a dead letter */
	int64_t first_us;
	int64_t again_ns;
	int64_t pause_us;
	struct fault fault;
	struct reaction reaction;
};

struct firing {
	struct firing_options options;
	struct bench bench;
	bool benched;
	struct store_reader *reader;
	struct arena names;
	struct slice space, due_space;
	struct arena pages;
	struct mailbox home;
	struct shot *shots;
	struct sweep *sweep; /* in flight; NULL: none */
	size_t flying;
	size_t count;
	log_position seen; /* the head when the index was looked at */
	bool look;         /* it is to be looked at */
	int64_t looked_ns;
	int64_t next_due_us;
	uint64_t fired, failed;
	pthread_mutex_t lock; /* over `told` */
	struct firing_status told;
};

int
firing_open(const struct firing_options *options, struct firing **firing, struct fault *fault)
{
	struct firing *made = calloc(1, sizeof(*made));

	*firing = NULL;
	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for timers");
	made->options = *options;
	made->look = true;
	made->next_due_us = made->told.next_due_us = INT64_MAX;
	arena_init(&made->names, 4096);
	arena_init(&made->pages, (size_t)64 << 20);
	mailbox_init(&made->home, 0, &options->waker);
	must(pthread_mutex_init(&made->lock, NULL) == 0);
	made->space = timer_space(options->bench.domain->name, &made->names);
	made->due_space = timer_due_space(options->bench.domain->name, &made->names);
	if (made->space.data == NULL || made->due_space.data == NULL)
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for timers");
	else if (store_reader_open(options->bench.store, &made->reader, fault) == 0) {
		*firing = made;
		return 0;
	}
	firing_close(made);
	return -1;
}

/* ---- shots ---- */

static void
drop_shot(struct firing *firing, struct shot *shot)
{
	struct shot **place = &firing->shots;

	must(shot->state != SHOT_FLYING);
	while (*place != shot)
		place = &(*place)->next;
	*place = shot->next;
	firing->count--;
	arena_fini(&shot->reaction.arena);
	free(shot);
}

static bool
is_in_work(const struct firing *firing, struct slice row)
{
	const struct shot *shot = firing->shots;

	while (shot != NULL && !slice_equal(shot->row, row))
		shot = shot->next;
	return shot != NULL;
}

static int
add_shot(struct firing *firing, const struct record *record, struct slice row, struct fault *fault)
{
	struct shot *shot = calloc(1, sizeof(*shot)), **last = &firing->shots;
	struct record copy;

	if (shot == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a timer");
	arena_init(&shot->reaction.arena, SHOT_MEMORY);
	copy.key = arena_copy(&shot->reaction.arena, record->key);
	copy.value = arena_copy(&shot->reaction.arena, record->value);
	shot->row = arena_copy(&shot->reaction.arena, row);
	shot->reaction.mark = arena_mark(&shot->reaction.arena);
	if (copy.key.data == NULL || copy.value.data == NULL || shot->row.data == NULL) {
		arena_fini(&shot->reaction.arena);
		free(shot);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a timer");
	}
	must(timer_parse(&copy, &shot->timer));
	while (*last != NULL)
		last = &(*last)->next;
	*last = shot;
	firing->count++;
	return 0;
}

static void
pause_shot(struct firing *firing, struct shot *shot, const struct fault *fault)
{
	uint32_t chance;

	if (shot->pause_us == 0)
		log_line(LOG_WARN, "a timer waits", log_slice("timer", shot->timer.key), log_text("code", fault->code),
			 log_text("text", fault->text));
	shot->pause_us = shot->pause_us == 0 ? PAUSE_FIRST_US : 2 * shot->pause_us;
	if (shot->pause_us > PAUSE_LAST_US)
		shot->pause_us = PAUSE_LAST_US;
	entropy_fill(firing->options.entropy, &chance, sizeof(chance));
	shot->state = SHOT_WAITING;
	shot->again_ns = clock_mono_ns(firing->options.bench.clock) +
			 (shot->pause_us * 3 / 4 + (int64_t)(chance % 1000) * shot->pause_us / 2000) * 1000;
}

/* ---- what its append records ---- */

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a timer");
}

static int
add_letter(struct firing *firing, struct shot *shot, struct fault *fault)
{
	struct arena *arena = &shot->reaction.arena;
	const struct timer *timer = &shot->timer;
	struct dead_letter letter = { .topic = SLICE("timer"),
				      .offset = (uint64_t)timer->due_us,
				      .type = timer->name,
				      .id = timer->key,
				      .key = timer->stream,
				      .value = timer->data,
				      .time_us = timer->due_us,
				      .attempts = shot->attempts,
				      .class = slice_text(fault_class_name(shot->fault.class)),
				      .code = slice_text(shot->fault.code),
				      .text = slice_text(shot->fault.text),
				      .first_us = shot->first_us,
				      .last_us = clock_wall_us(firing->options.bench.clock) };
	struct record_write record = { .rule = RECORD_PUT };
	struct stream_name stream;
	struct buf out;

	if (stream_parse(timer->stream, &stream, fault) != 0)
		return -1;
	letter.consumer = arena_format(arena, "%.*s.%.*s", SLICE_ARG(stream.domain), SLICE_ARG(stream.aggregate));
	record.space = arena_format(arena, "dead/%.*s", SLICE_ARG(letter.consumer));
	record.key = arena_format(arena, "timer/%.*s", SLICE_ARG(shot->row));
	buf_init(&out, LETTER_MOST);
	dead_write(&letter, &out);
	record.value = out.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&out));
	buf_fini(&out);
	if (letter.consumer.data == NULL || record.space.data == NULL || record.key.data == NULL ||
	    record.value.data == NULL || !reaction_add(&shot->reaction, record))
		return no_memory(fault);
	return 0;
}

static int
make_append(struct firing *firing, struct shot *shot, struct fault *fault)
{
	const struct provenance provenance = { .causation_id = shot->timer.key, .actor = SLICE("timer") };
	struct record_write fired = { .rule = RECORD_REMOVE_EQUALS,
				      .space = firing->space,
				      .key = shot->timer.key,
				      .before = shot->timer.value };
	struct record_write row = { .rule = RECORD_REMOVE, .space = firing->due_space, .key = shot->row };

	if (!reaction_add(&shot->reaction, fired) || !reaction_add(&shot->reaction, row))
		return no_memory(fault);
	if (shot->dead && add_letter(firing, shot, fault) != 0)
		return -1;
	return reaction_append(&firing->bench, &shot->reaction, &provenance, fault);
}

static void
give(struct firing *firing, struct shot *shot)
{
	if (make_append(firing, shot, &shot->fault) != 0) {
		reaction_discard(&firing->bench, &shot->reaction);
		pause_shot(firing, shot, &shot->fault);
		return;
	}
	shot->state = SHOT_FLYING;
	firing->flying++;
	shot->reaction.submission.home = &firing->home;
	shot->reaction.submission.back = &shot->mail;
	(void)PROBE("timer.before_commit");
	firing->options.give(firing->options.self, &shot->reaction.submission);
	(void)PROBE("timer.after_give");
}

/* ---- the rules' word ---- */

static enum reaction_answer
ask(struct firing *firing, struct shot *shot)
{
	const struct script_program *program = firing->bench.seat->rules->program;
	const struct timer *timer = &shot->timer;
	struct react_request request = { .cause = REACT_TIMER, .timer = timer->name, .data = timer->data };
	struct stream_name stream;
	struct digest digest;
	int aggregate;

	if (stream_parse(timer->stream, &stream, &shot->fault) != 0)
		return REACTION_FAILED;
	aggregate = script_find_aggregate(program, stream.aggregate);
	if (aggregate < 0)
		return REACTION_NOTHING;
	request.aggregate = (uint16_t)aggregate;
	request.id = stream.id;
	request.context.now_us = clock_wall_us(firing->options.bench.clock);
	request.context.caller = SLICE("timer");
	/* The same timer decides the same again. */
	digest_of(timer->key, &digest);
	memcpy(request.context.seed, digest.bytes, sizeof(request.context.seed));
	request.context.seed[0] ^= (uint64_t)timer->due_us;
	return reaction_decide(&firing->bench, &shot->reaction, &request, &shot->fault);
}

static void
fail(struct firing *firing, struct shot *shot)
{
	if (reaction_passes(&shot->fault)) {
		pause_shot(firing, shot, &shot->fault);
		return;
	}
	if (++shot->attempts < ATTEMPTS)
		return;
	shot->dead = true;
}

/* false: the machine has to wait, for rules or for an append. */
static bool
shoot(struct firing *firing, struct shot *shot)
{
	if (shot->first_us == 0)
		shot->first_us = clock_wall_us(firing->options.bench.clock);
	while (shot->state == SHOT_NEW) {
		enum reaction_answer answer;

		reaction_clear(&shot->reaction);
		answer = shot->dead ? REACTION_DECIDED : ask(firing, shot);
		switch (answer) {
		case REACTION_WAITS:
			return false;
		case REACTION_FAILED:
			fail(firing, shot);
			break;
		case REACTION_NOTHING:
		case REACTION_DECIDED:
			give(firing, shot);
			break;
		}
	}
	return true;
}

static void
settle_done(struct firing *firing, struct shot *shot)
{
	if (shot->dead) {
		firing->failed++;
		log_line(LOG_ERROR, "a timer became a dead letter", log_slice("timer", shot->timer.key),
			 log_text("code", shot->fault.code), log_text("text", shot->fault.text));
	} else {
		firing->fired++;
		log_line(LOG_INFO, "timer", log_slice("stream", shot->timer.stream),
			 log_slice("name", shot->timer.name), log_int("due_us", shot->timer.due_us),
			 log_text("result", shot->reaction.decided.stream_count != 0 ? "done" : "nothing"));
	}
	drop_shot(firing, shot);
}

static void
settle(struct firing *firing, struct shot *shot)
{
	const struct append *append = &shot->reaction.submission.append;
	bool done = reaction_settle(&firing->bench, &shot->reaction);

	(void)PROBE("timer.after_commit");
	firing->flying--;
	firing->look = true;
	shot->state = SHOT_NEW;
	if (done) {
		settle_done(firing, shot);
	} else if (shot->reaction.submission.result != COMMIT_DONE) {
		pause_shot(firing, shot, &shot->reaction.submission.fault);
	} else if (append->answer == APPEND_RECORD_CONFLICT && append->conflict_record == 0) {
		drop_shot(firing, shot); /* moved or cancelled meanwhile */
	} else if (append->answer == APPEND_FAILED || append->answer == APPEND_RECORD_CONFLICT) {
		if (append->answer == APPEND_FAILED)
			shot->fault = append->fault;
		else
			fault_set(&shot->fault, FAULT_INPUT, "already_taken", "%.*s is taken already",
				  SLICE_ARG(append->records[append->conflict_record].key));
		fail(firing, shot);
	}
}

/* ---- what is due ---- */

/* Rows that say nothing any more go, in one commit of their own; nobody waits for it. */
struct sweep {
	struct mail mail;
	struct arena arena;
	struct record_write records[PAGE];
	size_t count;
	struct submission submission;
};

/* A row of the index: false when it is not due yet. */
static bool
look_at(struct firing *firing, struct slice row, int64_t now_us, struct sweep *sweep, struct fault *fault)
{
	struct record record = { .value = SLICE_NONE };
	struct timer timer;
	uint64_t due = 0;
	bool found = false;

	if (row.size > DIGITS + 1 && slice_to_u64(slice_from(row.data, DIGITS), &due) && due <= INT64_MAX &&
	    (int64_t)due > now_us) {
		firing->next_due_us = (int64_t)due;
		return false;
	}
	if (is_in_work(firing, row))
		return true;
	record.key = row.size > DIGITS + 1 ? slice_from(row.data + DIGITS + 1, row.size - DIGITS - 1) : SLICE_NONE;
	if (record.key.size != 0 && store_read_record(firing->reader, firing->space, record.key, &firing->pages,
						      &record.value, &found, fault) != 0)
		return false;
	if (found && timer_parse(&record, &timer) && (uint64_t)timer.due_us == due)
		return add_shot(firing, &record, row, fault) == 0;
	sweep->records[sweep->count] = (struct record_write){ .rule = RECORD_REMOVE, .space = firing->due_space };
	sweep->records[sweep->count].key = arena_copy(&sweep->arena, row);
	sweep->count += sweep->records[sweep->count].key.data != NULL;
	return true;
}

static void
end_sweep(struct firing *firing, struct sweep *sweep)
{
	if (sweep->count == 0) {
		arena_fini(&sweep->arena);
		free(sweep);
		return;
	}
	sweep->submission.append =
		(struct append){ .records = sweep->records, .record_count = sweep->count, .arena = &sweep->arena };
	sweep->submission.home = &firing->home;
	sweep->submission.back = &sweep->mail;
	firing->sweep = sweep;
	firing->flying++;
	firing->options.give(firing->options.self, &sweep->submission);
}

/* Looks along the index until something is not due yet, or a page is in work. */
static int
look(struct firing *firing, int64_t now_us, struct fault *fault)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));
	struct slice after = SLICE_NONE;
	struct record *rows;
	size_t count = 0;
	bool more = true;

	if (sweep == NULL)
		return no_memory(fault);
	arena_init(&sweep->arena, (size_t)1 << 20);
	fault_clear(fault);
	firing->next_due_us = INT64_MAX;
	arena_clear(&firing->pages);
	while (more && firing->count < PAGE && sweep->count == 0) {
		if (store_list_records(firing->reader, firing->due_space, after, PAGE, &firing->pages, &rows, &count,
				       fault) != 0)
			break;
		for (size_t i = 0; more && i < count && firing->count < PAGE; i++)
			more = look_at(firing, rows[i].key, now_us, sweep, fault);
		more = more && count == PAGE;
		if (count != 0)
			after = rows[count - 1].key;
	}
	end_sweep(firing, sweep);
	return fault->class == FAULT_NONE ? 0 : -1;
}

/* ---- the machine ---- */

static void
take_answers(struct firing *firing, struct mail *list)
{
	while (list != NULL) {
		struct mail *mail = list;

		list = list->next;
		if (firing->sweep != NULL && mail == &firing->sweep->mail) {
			arena_fini(&firing->sweep->arena);
			free(firing->sweep);
			firing->sweep = NULL;
			firing->flying--;
			firing->look = true;
			continue;
		}
		settle(firing, container_of(mail, struct shot, mail));
	}
}

static bool
take_rules(struct firing *firing)
{
	struct fault fault;

	if (!firing->benched) {
		firing->benched = bench_open(&firing->options.bench, &firing->bench, &fault) == 0;
		if (!firing->benched)
			log_fault(LOG_WARN, "timers wait for their rules", &fault);
		return firing->benched;
	}
	if (bench_adopt(&firing->bench, &fault) == 0)
		return true;
	log_fault(LOG_WARN, "timers cannot take new rules yet", &fault);
	return false;
}

/* Shoots what may be; gives how long the others wait. */
static int64_t
shoot_all(struct firing *firing)
{
	int64_t now_ns = clock_mono_ns(firing->options.bench.clock), wait_ns = INT64_MAX;

	if (firing->shots == NULL)
		return INT64_MAX;
	if (!take_rules(firing))
		return TROUBLE_NS;
	for (struct shot *shot = firing->shots; shot != NULL; shot = shot->next) {
		if (shot->state == SHOT_WAITING && shot->again_ns <= now_ns)
			shot->state = SHOT_NEW;
		if (shot->state == SHOT_NEW && !shoot(firing, shot))
			wait_ns = firing->flying != 0 ? wait_ns : 0;
		if (shot->state == SHOT_WAITING && shot->again_ns - now_ns < wait_ns)
			wait_ns = shot->again_ns - now_ns;
	}
	return wait_ns > 0 ? wait_ns : 0;
}

static void
tell(struct firing *firing)
{
	struct firing_status told = { firing->fired, firing->failed, 0, firing->next_due_us };

	for (const struct shot *shot = firing->shots; shot != NULL; shot = shot->next)
		told.waiting += shot->state == SHOT_WAITING;
	pthread_mutex_lock(&firing->lock);
	firing->told = told;
	pthread_mutex_unlock(&firing->lock);
}

int64_t
firing_step(struct firing *firing)
{
	const struct bench_options *bench = &firing->options.bench;
	int64_t now_ns = clock_mono_ns(bench->clock), now_us = timer_clock_now(bench->timers);
	int64_t wait_ns = INT64_MAX, shot_ns, since_ns = now_ns - firing->looked_ns;
	log_position head = store_head(bench->store);
	bool due = firing->next_due_us <= now_us;
	struct fault fault;

	take_answers(firing, mailbox_take(&firing->home));
	if (firing->sweep == NULL && firing->count < PAGE && (firing->look || due || head != firing->seen)) {
		if (!firing->look && !due && firing->looked_ns != 0 && since_ns < LOOK_EVERY_NS) {
			wait_ns = LOOK_EVERY_NS - since_ns;
		} else {
			firing->seen = head;
			firing->looked_ns = now_ns;
			firing->look = false;
			if (look(firing, now_us, &fault) != 0) {
				log_fault(LOG_WARN, "timers cannot be looked at", &fault);
				firing->look = true;
				wait_ns = TROUBLE_NS;
			}
		}
	}
	shot_ns = shoot_all(firing);
	wait_ns = shot_ns < wait_ns ? shot_ns : wait_ns;
	if (firing->next_due_us < now_us + FAR_US && (firing->next_due_us - now_us) * 1000 < wait_ns)
		wait_ns = firing->next_due_us > now_us ? (firing->next_due_us - now_us) * 1000 : 0;
	if (firing->next_due_us != INT64_MAX && wait_ns > FAR_US * 1000)
		wait_ns = FAR_US * 1000;
	tell(firing);
	return wait_ns;
}

void
firing_close(struct firing *firing)
{
	if (firing == NULL)
		return;
	while (firing->flying != 0)
		take_answers(firing, mailbox_wait(&firing->home, -1));
	while (firing->shots != NULL)
		drop_shot(firing, firing->shots);
	if (firing->benched)
		bench_close(&firing->bench);
	if (firing->reader != NULL)
		store_reader_close(firing->reader);
	mailbox_fini(&firing->home);
	pthread_mutex_destroy(&firing->lock);
	arena_fini(&firing->pages);
	arena_fini(&firing->names);
	free(firing);
}

void
firing_status(struct firing *firing, struct firing_status *status)
{
	pthread_mutex_lock(&firing->lock);
	*status = firing->told;
	pthread_mutex_unlock(&firing->lock);
}
