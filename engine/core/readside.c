/* SPDX-License-Identifier: MIT */
#include "core/readside.h"

#include <stdlib.h>

/* The others were being made, or kept, when the process ended. */
static int
find_live_slot(const struct engine_parts *parts, struct slice domain, unsigned *live, bool *fresh, struct fault *fault)
{
	struct view_slots slots = { .live = -1 };

	if (parts->view_slots != NULL && parts->view_slots(parts->self, domain, &slots, fault) != 0)
		return -1;
	*fresh = slots.live < 0;
	*live = *fresh ? 0 : (unsigned)slots.live;
	for (unsigned slot = 0; slot < VIEW_SLOTS_MAX; slot++)
		if (slot != *live && (slots.present & UINT32_C(1) << slot) != 0 &&
		    parts->remove_view(parts->self, domain, slot, fault) != 0)
			return -1;
	return 0;
}

int
readside_open_live(const struct engine_parts *parts, struct ruleset *rules, const struct projector_options *options,
		   struct readside **readside, struct fault *fault)
{
	const struct script_program *program = rules->program;
	unsigned slot;
	bool fresh;

	*readside = NULL;
	if (parts->open_view == NULL || (program->projection_count == 0 && program->query_count == 0))
		return 0;
	if (find_live_slot(parts, program->domain, &slot, &fresh, fault) != 0 ||
	    readside_open(parts, rules, slot, options, readside, fault) != 0)
		return -1;
	if (!fresh || parts->point_view == NULL || parts->point_view(parts->self, program->domain, slot, fault) == 0)
		return 0;
	readside_close(*readside);
	*readside = NULL;
	return -1;
}

int
readside_open(const struct engine_parts *parts, struct ruleset *rules, unsigned slot,
	      const struct projector_options *options, struct readside **readside, struct fault *fault)
{
	struct readside_plan plan = { .parts = parts, .rules = rules, .slot = slot, .options = options };

	return readside_make(&plan, readside, fault);
}

static int
open_view(const struct readside_plan *plan, struct view **view, struct fault *fault)
{
	const struct engine_parts *parts = plan->parts;
	const struct script_program *program = plan->rules->program;
	struct engine_view_copy copy = { .from = plan->from,
					 .domain = program->domain,
					 .slot = plan->slot,
					 .tables = program->tables,
					 .table_count = program->table_count,
					 .stop = plan->stop };

	if (plan->from == NULL)
		return parts->open_view(parts->self, program->domain, plan->slot, program->tables, program->table_count,
					view, fault);
	if (parts->copy_view(parts->self, &copy, view, fault) != 0)
		return -1;
	for (size_t i = 0; plan->reset != NULL && i < program->projection_count; i++) {
		const struct script_projection *projection = &program->projections[i];

		if (plan->reset[i] &&
		    view_reset(*view, projection->name, projection->tables, projection->table_count, fault) != 0)
			return -1;
	}
	return 0;
}

int
readside_make(const struct readside_plan *plan, struct readside **readside, struct fault *fault)
{
	struct projector_options all = *plan->options;
	struct readside *made;

	*readside = NULL;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a read model");
	made->rules = ruleset_hold(plan->rules);
	made->slot = plan->slot;
	if (open_view(plan, &made->view, fault) != 0)
		goto failed;
	all.view = made->view;
	all.program = plan->rules->program;
	all.foreign = plan->parts->foreign;
	all.slot = plan->slot;
	if (all.program->projection_count != 0 && projector_open(&all, &made->projector, fault) != 0)
		goto failed;
	*readside = made;
	return 0;
failed:
	readside_close(made);
	return -1;
}

void
readside_close(struct readside *readside)
{
	if (readside == NULL)
		return;
	must(atomic_load(&readside->users) == 0);
	projector_close(readside->projector);
	if (readside->view != NULL)
		view_close(readside->view);
	ruleset_release(readside->rules);
	free(readside);
}

log_position
readside_position(const struct readside *readside, const struct store *store)
{
	return readside != NULL && readside->projector != NULL ? projector_position(readside->projector)
							       : store_head(store);
}

/* ---- comparing ---- */

static bool
same_columns(const struct table *a, const struct table *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (uint16_t i = 0; i < a->column_count; i++) {
		const struct column *x = &a->columns[i], *y = &b->columns[i];

		if (!slice_equal(x->name, y->name) || x->type != y->type || x->optional != y->optional ||
		    x->length_max != y->length_max || !slice_equal(x->currency, y->currency))
			return false;
	}
	return true;
}

static bool
same_set(const struct column_set *a, const struct column_set *b)
{
	return a->count == b->count && a->unique == b->unique &&
	       (a->count == 0 || memcmp(a->columns, b->columns, a->count * sizeof(*a->columns)) == 0);
}

static bool
same_table(const struct table *a, const struct table *b)
{
	if (!slice_equal(a->name, b->name) || !same_columns(a, b) || !same_set(&a->key, &b->key) ||
	    a->index_count != b->index_count)
		return false;
	for (uint16_t i = 0; i < a->index_count; i++)
		if (!same_set(&a->indexes[i], &b->indexes[i]))
			return false;
	return true;
}

static bool
same_projection(const struct script_program *a, const struct script_projection *x, const struct script_program *b,
		const struct script_projection *y)
{
	if (!slice_equal(x->name, y->name) || memcmp(&x->hash, &y->hash, sizeof(x->hash)) != 0 ||
	    x->table_count != y->table_count)
		return false;
	for (size_t i = 0; i < x->table_count; i++)
		if (!same_table(&a->tables[x->tables[i]], &b->tables[y->tables[i]]))
			return false;
	return true;
}

bool
readside_differs(const struct readside *readside, const struct ruleset *rules, size_t number)
{
	const struct script_program *a = readside->rules->program, *b = rules->program;
	const struct script_projection *wanted = &b->projections[number];
	int found = script_find_projection(a, wanted->name);

	return found < 0 || !same_projection(a, &a->projections[found], b, wanted);
}

bool
readside_fits(const struct readside *readside, const struct ruleset *rules)
{
	const struct script_program *a = readside->rules->program, *b = rules->program;

	if (a->projection_count != b->projection_count || a->table_count != b->table_count)
		return false;
	for (size_t i = 0; i < a->projection_count; i++)
		if (!slice_equal(a->projections[i].name, b->projections[i].name) ||
		    memcmp(&a->projections[i].hash, &b->projections[i].hash, sizeof(struct digest)) != 0)
			return false;
	for (size_t i = 0; i < a->table_count; i++)
		if (!same_table(&a->tables[i], &b->tables[i]))
			return false;
	return true;
}
