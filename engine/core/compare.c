/* SPDX-License-Identifier: MIT */
/*
 * Holding takes three steps: the old rows are held where they are after their present batch, the new ones there too,
 * or at the place beyond it that they have reached, and then the old ones are let on to that place. Snapshots are
 * begun while both stand; the comparison itself, which may take long, happens after they were let go.
 */
#include "core/compare.h"

#include "view/diff.h"

#define HOLD_NS ((int64_t)500 * 1000 * 1000)
#define LOOK_NS ((int64_t)500 * 1000)

/* Snapshots of both. */
struct held {
	struct view_reader *before;
	struct view_reader *after;
};

/* ---- holding ---- */

static int
hold_both(struct projector *before, struct projector *after, log_position *position, struct fault *fault)
{
	log_position there;

	projector_pause_at(before, projector_position(before));
	if (!projector_wait_paused(before, HOLD_NS, position))
		return fault_set(fault, FAULT_BUSY, "not_level", "the rows that are read cannot be held");
	projector_pause_at(after, *position);
	if (!projector_wait_paused(after, HOLD_NS, &there))
		return fault_set(fault, FAULT_BUSY, "not_level", "the new rows are too far behind");
	if (there == *position)
		return 0;
	projector_pause_at(before, there);
	if (!projector_wait_paused(before, HOLD_NS, position) || *position != there)
		return fault_set(fault, FAULT_BUSY, "not_level", "the rows that are read are too far behind");
	return 0;
}

static void
close_both(struct held *held)
{
	if (held->before != NULL)
		view_reader_close(held->before);
	if (held->after != NULL)
		view_reader_close(held->after);
}

/* On failure nothing is open; in any case both go on. */
static int
take_snapshots(const struct readside *before, const struct readside *after, struct held *held, log_position *position,
	       struct fault *fault)
{
	int result = -1;

	*held = (struct held){ NULL, NULL };
	if (view_reader_open(before->view, &held->before, fault) == 0 &&
	    view_reader_open(after->view, &held->after, fault) == 0 &&
	    hold_both(before->projector, after->projector, position, fault) == 0 &&
	    view_reader_begin(held->before, fault) == 0 && view_reader_begin(held->after, fault) == 0)
		result = 0;
	projector_resume(before->projector);
	projector_resume(after->projector);
	if (result != 0)
		close_both(held);
	return result;
}

/* ---- which tables ---- */

static void
add_tables(const struct script_program *program, const struct script_projection *projection, struct slice *names,
	   size_t *count)
{
	for (size_t i = 0; i < projection->table_count; i++) {
		struct slice name = program->tables[projection->tables[i]].name;
		size_t known = 0;

		while (known < *count && !slice_equal(names[known], name))
			known++;
		if (known == *count)
			names[(*count)++] = name;
	}
}

static struct slice *
choose_tables(const struct script_program *before, const struct script_program *after,
	      const struct compare_options *options, struct arena *arena, size_t *count)
{
	const bool *anew = options->anew;

	struct slice *names = arena_zero(arena, before->table_count + after->table_count + 1, sizeof(*names));

	*count = 0;
	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < before->projection_count; i++) {
		int number = script_find_projection(after, before->projections[i].name);

		if (options->bus && before->projections[i].topic_count != 0)
			continue;
		if (number < 0 || anew[number])
			add_tables(before, &before->projections[i], names, count);
	}
	for (size_t i = 0; i < after->projection_count; i++)
		if (anew[i] && !(options->bus && after->projections[i].topic_count != 0))
			add_tables(after, &after->projections[i], names, count);
	return names;
}

/* ---- both ---- */

static int
diff_held(const struct held *held, const struct view_diff_options *options, struct arena *arena,
	  struct comparison *comparison, struct fault *fault)
{
	struct view_diff diff;

	if (view_diff(view_reader_rows(held->before), view_reader_rows(held->after), options, arena, &diff, fault) != 0)
		return -1;
	comparison->rows_differ = diff.differing;
	view_diff_write(&diff, &comparison->tables);
	return 0;
}

int
compare_rows(const struct readside *before, const struct readside *after, const struct compare_options *options,
	     struct comparison *comparison, struct fault *fault)
{
	struct view_diff_options diff = { .samples = options->samples, .stop = options->stop };
	struct arena arena;
	struct held held;
	int result = -1;

	arena_init(&arena, (size_t)256 << 20);
	diff.names = choose_tables(before->rules->program, after->rules->program, options, &arena, &diff.name_count);
	if (diff.names == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory to compare rows");
		goto out;
	}
	if (take_snapshots(before, after, &held, &comparison->position, fault) != 0)
		goto out;
	result = diff_held(&held, &diff, &arena, comparison, fault);
	view_reader_end(held.before);
	view_reader_end(held.after);
	close_both(&held);
out:
	arena_fini(&arena);
	return result;
}

/* ---- leading readers over ---- */

bool
compare_lead(const struct readside *before, const struct readside *after, const struct store *store,
	     const struct clock *clock)
{
	int64_t until = clock_mono_ns(clock) + HOLD_NS;
	log_position wanted;
	struct mailbox quiet;
	bool there;

	if (before->projector == NULL)
		return true;
	wanted = projector_position(before->projector);
	projector_pause_at(before->projector, wanted);
	/* What cannot be held keeps failing, and stands still by itself. */
	if (projector_wait_paused(before->projector, HOLD_NS, &wanted))
		until = clock_mono_ns(clock) + HOLD_NS;
	else
		wanted = projector_position(before->projector);
	mailbox_init(&quiet, 0, NULL);
	while (!(there = readside_position(after, store) >= wanted) && clock_mono_ns(clock) < until) {
		projector_hurry(after->projector);
		mailbox_wait(&quiet, LOOK_NS);
	}
	mailbox_fini(&quiet);
	return there;
}

void
compare_go_on(const struct readside *before)
{
	if (before->projector != NULL)
		projector_resume(before->projector);
}
