/* SPDX-License-Identifier: MIT */
/*
 * How a read model begins. It is a copy of the live rows and checkpoints, of which those that are to be made from
 * nothing are emptied; where nothing is to be copied, or nothing can be, an empty slot. A projector of its own then
 * reads the log. What may pass by itself is tried again for a while; a copy is broken off when others want the
 * reloader, a few times.
 */
#include "core/making.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/inside.h"

#define LOOK_AGAIN_NS ((int64_t)20 * 1000 * 1000)
#define TRY_AGAIN_NS  ((int64_t)5 * 1000 * 1000 * 1000)
#define LOOK_USERS_NS ((int64_t)1000 * 1000)
#define TRIES_MAX     60
#define INTERRUPTIONS 3
#define TABLES_MAX    ((size_t)192 << 10)

static int64_t
now_ns(const struct engine *engine)
{
	return clock_mono_ns(engine->parts.clock);
}

void
making_stop_projector(const struct readside *readside)
{
	if (readside != NULL && readside->projector != NULL)
		projector_stop(readside->projector);
}

/* ---- what is not read any more ---- */

/* Takes it from where others find it, so that only windows may still hold it. */
static struct aside
detach(struct domain *domain, struct aside *place)
{
	struct aside aside;

	pthread_mutex_lock(&domain->lock);
	aside = *place;
	*place = (struct aside){ 0 };
	pthread_mutex_unlock(&domain->lock);
	return aside;
}

/* Whoever asks how it stands holds it for a moment. */
static void
wait_for_users(const struct readside *readside)
{
	struct mailbox quiet;

	mailbox_init(&quiet, 0, NULL);
	while (atomic_load(&readside->users) != 0)
		mailbox_wait(&quiet, LOOK_USERS_NS);
	mailbox_fini(&quiet);
}

static void
clear_slot(struct engine *engine, struct domain *domain, unsigned slot)
{
	struct fault fault;

	if (engine->parts.remove_view != NULL &&
	    engine->parts.remove_view(engine->parts.self, domain->name, slot, &fault) != 0)
		log_fault(LOG_WARN, "a read model that is not read stays on disk until the next start", &fault);
}

/* No window holds it. */
void
making_throw_away(struct engine *engine, struct domain *domain, struct aside *place)
{
	struct aside aside = detach(domain, place);
	unsigned slot;

	if (aside.readside == NULL)
		return;
	slot = aside.readside->slot;
	making_stop_projector(aside.readside);
	wait_for_users(aside.readside);
	domain_drop(&aside);
	clear_slot(engine, domain, slot);
}

static bool
holds_slot(const struct readside *readside, unsigned slot)
{
	return readside != NULL && readside->slot == slot;
}

static unsigned
free_slot(const struct domain *domain)
{
	unsigned slot = 0;

	while (holds_slot(domain->live, slot) || holds_slot(domain->building.readside, slot) ||
	       holds_slot(domain->kept.readside, slot) || holds_slot(domain->leaving.readside, slot))
		slot++;
	must(slot < VIEW_SLOTS_MAX);
	return slot;
}

/* ---- wanted ---- */

void
making_forget(struct making *making)
{
	ruleset_release(making->rules);
	buf_fini(&making->asked);
	buf_fini(&making->found.tables);
	free(making->anew);
	*making = (struct making){ 0 };
}

bool
making_is_on(const struct domain *domain)
{
	return domain->making.rules != NULL || domain->building.readside != NULL;
}

/* The build has come to an end. */
void
making_end(struct engine *engine, struct domain *domain, enum told_result result, const char *reason)
{
	struct making *making = &domain->making;
	struct told_end end = { .result = result,
				.ended_us = clock_wall_us(engine->parts.clock),
				.compared = making->compared,
				.position = making->found.position,
				.rows_differ = making->found.rows_differ,
				.reason = reason };

	if (making->compared && !making->found.tables.failed)
		end.tables = buf_slice(&making->found.tables);
	told_ended(&domain->told, &end);
	making_forget(making);
}

void
making_give_up(struct engine *engine, struct domain *domain, const char *reason)
{
	log_line(LOG_ERROR, "the new read model is given up: queries stay with the rows and rules before",
		 log_slice("domain", domain->name), log_int("build", (int64_t)domain->making.number),
		 log_text("reason", reason));
	making_throw_away(engine, domain, &domain->building);
	making_end(engine, domain, TOLD_GIVEN_UP, reason);
}

/* What is under way makes room. Gives what was ordered of it. */
void
making_replace(struct engine *engine, struct domain *domain, bool *all, struct buf *asked)
{
	*all = false;
	buf_init(asked, TOLD_NAMES_MAX);
	if (!making_is_on(domain))
		return;
	*all = domain->making.all;
	buf_add(asked, buf_slice(&domain->making.asked));
	making_throw_away(engine, domain, &domain->building);
	making_end(engine, domain, TOLD_REPLACED, NULL);
}

static void
mark_anew(const struct domain *domain, struct making *making)
{
	const struct script_program *program = making->rules->program;

	for (size_t i = 0; i < making->count; i++)
		making->anew[i] = making->all || domain->live == NULL ||
				  told_has_name(&making->asked, program->projections[i].name) ||
				  readside_differs(domain->live, making->rules, i);
}

static void
tell_begin(struct domain *domain, const struct making *making)
{
	struct told_build build = { .number = making->number,
				    .generation = making->rules->generation,
				    .began_us = making->began_us };

	buf_init(&build.names, TOLD_NAMES_MAX);
	for (size_t i = 0; i < making->count; i++)
		if (making->anew[i])
			told_add_name(&build.names, making->rules->program->projections[i].name);
	told_begin(&domain->told, &build);
	buf_fini(&build.names);
}

/* Takes `asked` over. The reloader begins it when it looks. */
int
making_want(struct engine *engine, struct domain *domain, struct ruleset *rules, bool all, struct buf *asked,
	    struct fault *fault)
{
	struct making *making = &domain->making;
	size_t count = rules->program->projection_count;
	bool *anew = calloc(count + 1, sizeof(*anew));

	if (anew == NULL || asked->failed) {
		free(anew);
		buf_fini(asked);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to make a read model");
	}
	*making = (struct making){ .rules = ruleset_hold(rules),
				   .number = ++domain->builds,
				   .all = all,
				   .asked = *asked,
				   .anew = anew,
				   .count = count,
				   .began_us = clock_wall_us(engine->parts.clock) };
	buf_init(&making->found.tables, TABLES_MAX);
	mark_anew(domain, making);
	tell_begin(domain, making);
	return 0;
}

/* ---- beginning ---- */

/* While others wait for the reloader its long work is broken off, but not for ever. */
const _Atomic bool *
making_stop_of(const struct engine *engine, const struct making *making)
{
	return making->interrupted < INTERRUPTIONS ? &engine->reloader.hurried : &engine->draining;
}

/* The rows to copy; NULL where none would be of use or none can be believed. */
static struct view *
copy_from(const struct engine *engine, const struct domain *domain)
{
	const struct making *making = &domain->making;
	bool some = false;

	for (size_t i = 0; i < making->count; i++)
		some = some || !making->anew[i];
	if (!some || engine->parts.copy_view == NULL || domain->live == NULL || domain->live->projector == NULL ||
	    readside_is_damaged(domain->live))
		return NULL;
	return domain->live->view;
}

/* What is copied and made from nothing by order; what differs by its definition is emptied when that is read. */
static bool *
choose_resets(const struct domain *domain)
{
	const struct making *making = &domain->making;
	bool *reset = calloc(making->count + 1, sizeof(*reset));

	for (size_t i = 0; reset != NULL && i < making->count; i++)
		reset[i] = making->anew[i] && !readside_differs(domain->live, making->rules, i);
	return reset;
}

static int
make_readside(struct engine *engine, struct domain *domain, struct readside **readside, struct fault *fault)
{
	struct projector_options options = engine_projector_options(engine);
	struct making *making = &domain->making;
	struct readside_plan plan = { .parts = &engine->parts,
				      .rules = making->rules,
				      .slot = free_slot(domain),
				      .options = &options,
				      .from = copy_from(engine, domain),
				      .stop = making_stop_of(engine, making) };
	bool *reset = NULL;
	int result;

	if (plan.from != NULL) {
		reset = choose_resets(domain);
		if (reset == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory to make a read model");
		plan.reset = reset;
		told_stage(&domain->told, TOLD_COPYING);
	}
	clear_slot(engine, domain, plan.slot);
	result = readside_make(&plan, readside, fault);
	if (result != 0 && plan.from != NULL && fault->class == FAULT_CORRUPT) {
		log_fault(LOG_WARN, "the rows that are read cannot be copied: all rows are made from nothing", fault);
		clear_slot(engine, domain, plan.slot);
		making->all = true;
		mark_anew(domain, making);
		tell_begin(domain, making);
		plan.from = NULL;
		result = readside_make(&plan, readside, fault);
	}
	if (result != 0)
		clear_slot(engine, domain, plan.slot);
	free(reset);
	return result;
}

static bool
may_pass(const struct fault *fault)
{
	return fault->class == FAULT_FULL || fault->class == FAULT_AWAY || fault->class == FAULT_BUSY ||
	       fault->class == FAULT_MEMORY;
}

/* Gives the time until it is to be tried again. */
static int64_t
begin_failed(struct engine *engine, struct domain *domain, const struct fault *fault)
{
	struct making *making = &domain->making;

	if (strcmp(fault->code, "copy_stopped") == 0) {
		making->interrupted++;
		told_stage(&domain->told, TOLD_WAITING);
		return LOOK_AGAIN_NS;
	}
	if (!may_pass(fault) || ++making->tries >= TRIES_MAX) {
		making_give_up(engine, domain, fault->text);
		return -1;
	}
	if (making->tries == 1)
		log_fault(LOG_WARN, "a read model cannot be made now and is tried again", fault);
	told_stage(&domain->told, TOLD_WAITING);
	making->again_ns = now_ns(engine) + TRY_AGAIN_NS;
	return TRY_AGAIN_NS;
}

int64_t
making_begin(struct engine *engine, struct domain *domain)
{
	struct making *making = &domain->making;
	struct aside aside = { .since_ns = now_ns(engine) };
	struct fault fault;

	if (aside.since_ns < making->again_ns)
		return making->again_ns - aside.since_ns;
	if (make_readside(engine, domain, &aside.readside, &fault) != 0)
		return begin_failed(engine, domain, &fault);
	if (aside.readside->projector != NULL && projector_start(aside.readside->projector, &fault) != 0) {
		unsigned slot = aside.readside->slot;

		domain_drop(&aside);
		clear_slot(engine, domain, slot);
		return begin_failed(engine, domain, &fault);
	}
	aside.rules = making->rules;
	making->rules = NULL;
	making->tries = making->interrupted = 0;
	making->again_ns = 0;
	(void)PROBE("build.begin");
	pthread_mutex_lock(&domain->lock);
	domain->building = aside;
	pthread_mutex_unlock(&domain->lock);
	told_stage(&domain->told, TOLD_FILLING);
	/* What was committed before it could be found there woke others only. */
	domain_wake(domain);
	log_line(LOG_INFO, "a read model is made beside the one that is read", log_slice("domain", domain->name),
		 log_int("build", (int64_t)making->number), log_int("generation", aside.rules->generation),
		 log_int("slot", aside.readside->slot));
	return 0;
}
