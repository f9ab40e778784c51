/* SPDX-License-Identifier: MIT */
/*
 * Its mailbox holds offers from workers and the same letters again, back from the committer. When nothing comes for a
 * moment it rings for what waits; when nothing waits it checks one snapshot, or folds some streams twice, and rests
 * for twenty times as long as that took, so that checking never takes more than a twentieth of a processor.
 *
 * A snapshot that is not what a replay gives, or not what was written, is reported, removed, and its stream's owner
 * forgets the state that may have come from it. One of another state_version is removed without a word.
 * Fails: a replay that cannot be made (a rule raised) leaves the snapshot as it is.
 */
#include "core/keeper.h"

#include <stdlib.h>

#include "base/log.h"
#include "core/load.h"
#include "core/snapshot.h"

#define LETTERS_MAX 64
#define STATE_MAX   ((size_t)8 << 20)
#define RIDE_NS     ((int64_t)200 * 1000 * 1000)
#define REST_TIMES  20

struct letter {
	struct mail mail;
	bool given; /* to the committer */
	struct submission submission;
	struct record_write record;
	struct arena arena;
};

/* ---- offers, on workers' threads ---- */

static void
free_letter(struct letter *letter)
{
	arena_fini(&letter->arena);
	free(letter);
}

static struct letter *
make_letter(const struct seat *seat, uint16_t aggregate, struct slice stream, stream_version version,
	    struct slice state)
{
	const struct script_program *program = seat->rules->program;
	struct letter *letter = calloc(1, sizeof(*letter));
	char space[SNAPSHOT_SPACE_SIZE];
	struct buf value;

	if (letter == NULL)
		return NULL;
	arena_init(&letter->arena, 2 * STATE_MAX);
	buf_init(&value, STATE_MAX);
	snapshot_write(&program->aggregates[aggregate], stream, version, state, &value);
	letter->record.rule = RECORD_PUT;
	letter->record.space = arena_copy(&letter->arena, snapshot_space(program, aggregate, space));
	letter->record.key = arena_copy(&letter->arena, snapshot_key(stream));
	letter->record.value = value.failed ? SLICE_NONE : arena_copy(&letter->arena, buf_slice(&value));
	buf_fini(&value);
	if (letter->record.space.data == NULL || letter->record.key.data == NULL || letter->record.value.data == NULL) {
		free_letter(letter);
		return NULL;
	}
	letter->submission.append =
		(struct append){ .records = &letter->record, .record_count = 1, .arena = &letter->arena };
	return letter;
}

void
keeper_offer(struct keeper *keeper, const struct seat *seat, uint16_t aggregate, struct slice stream,
	     stream_version version, script_state state)
{
	struct letter *letter = NULL;
	struct fault fault;
	struct buf bytes;

	if (atomic_load(&keeper->stopping) || atomic_fetch_add(&keeper->letters, 1) >= LETTERS_MAX)
		goto passed;
	buf_init(&bytes, STATE_MAX);
	if (script_encode(seat->machine, aggregate, state, &bytes, &fault) == 0)
		letter = make_letter(seat, aggregate, stream, version, buf_slice(&bytes));
	buf_fini(&bytes);
	if (letter == NULL)
		goto passed;
	letter->submission.home = &keeper->box;
	letter->submission.back = &letter->mail;
	if (mailbox_give(&keeper->box, &letter->mail))
		return;
	free_letter(letter);
passed:
	if (!atomic_load(&keeper->stopping))
		atomic_fetch_sub(&keeper->letters, 1);
	atomic_fetch_add_explicit(&keeper->passed_over, 1, memory_order_relaxed);
}

void
keeper_last_wrong(struct keeper *keeper, char name[STREAM_NAME_MAX + 1])
{
	pthread_mutex_lock(&keeper->lock);
	memcpy(name, keeper->last_wrong, sizeof(keeper->last_wrong));
	pthread_mutex_unlock(&keeper->lock);
}

/* ---- the round of checks ---- */

static struct seat *
seat_of(struct keeper *keeper, struct domain *domain)
{
	struct seat **current = &keeper->seats[domain->number], *next;
	struct ruleset *rules;
	struct fault fault;

	if (*current != NULL && domain_decides(domain, (*current)->rules))
		return *current;
	rules = domain_hold_rules(domain);
	int result = seat_open(rules, keeper->script, &next, &fault);
	ruleset_release(rules);
	if (result != 0)
		return NULL;
	seat_close_all(current);
	*current = next;
	return next;
}

static void
next_aggregate(struct keeper *keeper, const struct script_program *program)
{
	keeper->after_size = 0;
	if (++keeper->aggregate < program->aggregate_count)
		return;
	keeper->aggregate = 0;
	keeper->domain = (keeper->domain + 1) % keeper->domain_count;
}

/* A damaged record cannot be compared with anything. */
static void
drop(struct keeper *keeper, struct slice space, const struct record *kept, bool damaged)
{
	struct record_write record = { .rule = damaged ? RECORD_REMOVE : RECORD_REMOVE_EQUALS,
				       .space = space,
				       .key = kept->key,
				       .before = damaged ? SLICE_NONE : kept->value };
	struct append append = { .records = &record, .record_count = 1, .arena = &keeper->arena };
	struct fault fault;

	if (committer_wait(keeper->committer, &append, &fault) != 0)
		log_fault(LOG_WARN, "a snapshot cannot be removed", &fault);
}

static void
report(struct keeper *keeper, struct slice stream, const struct snapshot *snapshot)
{
	atomic_fetch_add(&keeper->wrong, 1);
	pthread_mutex_lock(&keeper->lock);
	memcpy(keeper->last_wrong, stream.data, stream.size);
	keeper->last_wrong[stream.size] = '\0';
	pthread_mutex_unlock(&keeper->lock);
	log_line(LOG_ERROR, "a snapshot was wrong and is removed", log_slice("stream", stream),
		 log_int("version", (long long)snapshot->version));
}

/* *same: a replay gives this state. -1: it cannot be told now. */
static int
replay(struct keeper *keeper, struct seat *seat, struct slice stream, const struct snapshot *snapshot, bool *same)
{
	struct loading loading = { keeper->reader, seat->machine, &keeper->arena, keeper->aggregate, false, NULL };
	stream_version version = 0;
	script_state state = 0;
	struct fault fault;
	int result;

	if (load_stream(&loading, stream, snapshot->version, &state, &version, &fault) != 0)
		return -1;
	*same = false;
	if (state == 0)
		return 0;
	buf_clear(&keeper->state);
	result = script_encode(seat->machine, keeper->aggregate, state, &keeper->state, &fault);
	script_state_release(seat->machine, state);
	*same = result == 0 && version == snapshot->version && slice_equal(buf_slice(&keeper->state), snapshot->state);
	return result;
}

static void
check(struct keeper *keeper, struct seat *seat, struct slice space, const struct record *record, bool damaged)
{
	const struct script_program *program = seat->rules->program;
	const struct script_aggregate *aggregate = &program->aggregates[keeper->aggregate];
	struct snapshot snapshot;
	struct slice stream;
	bool same = false;

	stream = arena_format(&keeper->arena, "%.*s.%.*s/%.*s", SLICE_ARG(program->domain), SLICE_ARG(aggregate->name),
			      SLICE_ARG(record->key));
	if (stream.data == NULL || stream.size > STREAM_NAME_MAX)
		return;
	snapshot_parse(stream, record->value, &snapshot);
	snapshot.sound = snapshot.sound && !damaged;
	if (snapshot.sound && !snapshot_fits(&snapshot, aggregate)) {
		if (snapshot.state_version >= aggregate->state_version)
			return;
		drop(keeper, space, record, damaged);
		atomic_fetch_add(&keeper->stale, 1);
		return;
	}
	if (snapshot.sound && replay(keeper, seat, stream, &snapshot, &same) != 0)
		return;
	atomic_fetch_add(&keeper->checked, 1);
	if (same)
		return;
	report(keeper, stream, &snapshot);
	drop(keeper, space, record, damaged);
	workers_forget_wrong(keeper->workers, stream, command_hash(stream));
}

static void
check_next(struct keeper *keeper)
{
	struct domain *domain = keeper->domains[keeper->domain];
	struct seat *seat = seat_of(keeper, domain);
	char space[SNAPSHOT_SPACE_SIZE];
	struct record *records;
	struct fault fault;
	size_t count;
	bool damaged;

	arena_clear(&keeper->arena);
	if (seat == NULL || keeper->aggregate >= seat->rules->program->aggregate_count) {
		keeper->aggregate = 0;
		keeper->domain = (keeper->domain + 1) % keeper->domain_count;
		return;
	}
	struct slice name = snapshot_space(seat->rules->program, keeper->aggregate, space);
	damaged = store_list_records(keeper->reader, name, slice_from(keeper->after, keeper->after_size), 1,
				     &keeper->arena, &records, &count, &fault) != 0;
	if (damaged && (strcmp(fault.code, "record_mismatch") != 0 || count != 0))
		records = NULL;
	if (records == NULL || (count == 0 && !damaged) || records[0].key.size > sizeof(keeper->after)) {
		next_aggregate(keeper, seat->rules->program);
		return;
	}
	keeper->after_size = records[0].key.size;
	memcpy(keeper->after, records[0].key.data, keeper->after_size);
	check(keeper, seat, name, &records[0], damaged);
}

/* ---- the thread ---- */

static void
handle(struct keeper *keeper, struct mail *list)
{
	while (list != NULL) {
		struct mail *mail = list;
		struct letter *letter = container_of(mail, struct letter, mail);

		list = list->next;
		if (mail == &keeper->wake)
			continue;
		if (!letter->given) {
			letter->given = true;
			keeper->pending++;
			committer_give(keeper->committer, &letter->submission);
			continue;
		}
		if (letter->submission.result == COMMIT_DONE && letter->submission.append.answer == APPEND_DONE)
			atomic_fetch_add(&keeper->written, 1);
		keeper->pending--;
		atomic_fetch_sub(&keeper->letters, 1);
		free_letter(letter);
	}
}

static void
idle(struct keeper *keeper)
{
	int64_t begin_ns = clock_mono_ns(keeper->parts->clock), took_ns;

	if (keeper->pending != 0) {
		committer_ring(keeper->committer);
		return;
	}
	if (begin_ns < keeper->next_check_ns)
		return;
	keeper->sampled_last = !keeper->sampled_last && sampler_is_due(&keeper->sampler);
	if (keeper->sampled_last)
		sampler_look(&keeper->sampler);
	else if (keeper->domain_count != 0)
		check_next(keeper);
	took_ns = (clock_mono_ns(keeper->parts->clock) - begin_ns) * REST_TIMES;
	if (took_ns < keeper->limits->snapshot_check_us * 1000)
		took_ns = keeper->limits->snapshot_check_us * 1000;
	keeper->next_check_ns = begin_ns + took_ns;
}

static int64_t
patience(const struct keeper *keeper)
{
	int64_t left = keeper->next_check_ns - clock_mono_ns(keeper->parts->clock);

	if (keeper->pending != 0)
		return RIDE_NS;
	return left > 0 ? left : 1;
}

static void *
keeper_main(void *self)
{
	struct keeper *keeper = self;

	for (;;) {
		struct mail *list = mailbox_wait(&keeper->box, patience(keeper));

		handle(keeper, list);
		if (atomic_load(&keeper->stopping)) {
			if (keeper->pending == 0 && mailbox_count(&keeper->box) == 0)
				return NULL;
			committer_ring(keeper->committer);
		} else if (list == NULL) {
			idle(keeper);
		}
	}
}

int
keeper_open(struct keeper *keeper, struct fault *fault)
{
	arena_init(&keeper->arena, (size_t)256 << 20);
	buf_init(&keeper->state, STATE_MAX);
	mailbox_init(&keeper->box, 0, NULL);
	must(pthread_mutex_init(&keeper->lock, NULL) == 0);
	if (store_reader_open(keeper->parts->store, &keeper->reader, fault) != 0)
		return -1;
	keeper->sampler = (struct sampler){ .parts = keeper->parts,
					    .script = keeper->script,
					    .domains = keeper->domains,
					    .domain_count = keeper->domain_count,
					    .every = keeper->limits->determinism_sample,
					    .reader = keeper->reader,
					    .seen = store_head(keeper->parts->store) };
	return 0;
}

int
keeper_start(struct keeper *keeper, struct fault *fault)
{
	keeper->next_check_ns = clock_mono_ns(keeper->parts->clock) + keeper->limits->snapshot_check_us * 1000;
	int error = pthread_create(&keeper->thread, NULL, keeper_main, keeper);

	if (error != 0)
		return fault_errno(fault, FAULT_AWAY, error, "the keeper's thread cannot be started");
	pthread_setname_np(keeper->thread, "keeper");
	keeper->running = true;
	return 0;
}

void
keeper_stop(struct keeper *keeper)
{
	if (!keeper->running)
		return;
	atomic_store(&keeper->stopping, true);
	must(mailbox_give(&keeper->box, &keeper->wake));
	pthread_join(keeper->thread, NULL);
	keeper->running = false;
}

void
keeper_close(struct keeper *keeper)
{
	if (keeper->parts == NULL)
		return;
	store_reader_close(keeper->reader);
	for (size_t i = 0; i < keeper->domain_count; i++)
		seat_close_all(&keeper->seats[i]);
	mailbox_fini(&keeper->box);
	pthread_mutex_destroy(&keeper->lock);
	arena_fini(&keeper->arena);
	buf_fini(&keeper->state);
}
