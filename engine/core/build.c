/* SPDX-License-Identifier: MIT */
/*
 *          build_follow, build_anew       begin       both stand level: pointers change under the domain's lock
 *   nothing -----------------------> wanted ----> building ---------------------------------------> live
 *                                      |             |    what was live --> kept ---- time over, nobody reads --> gone
 *                                      |             |     |                 ^                                     ^
 *                                      +- given up <-+     |  rollback: kept <-> live                              |
 *                                                          +--> leaving (the same definitions, or damaged) --------+
 *
 * begin is making.c. When the new rows have come as far as the live ones, both are held at one position for snapshots,
 * and what differs is counted (compare.h). One is made at a time: another one takes the place of what is not ready, and
 * takes over what was ordered of it. A poison event in rows that are made from nothing gives the build up, and queries
 * stay with what they have; unless that is damaged, then anything is better. Files of a slot that does not serve are
 * removed when it is closed, and at start (readside.c).
 */
#include "core/build.h"

#include <stdio.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/inside.h"
#include "core/making.h"

#define LOOK_AGAIN_NS ((int64_t)20 * 1000 * 1000)
#define HEAL_AGAIN_NS ((int64_t)5 * 1000 * 1000 * 1000)
#define COMPARES_MAX  10
#define SAMPLES       5

static int64_t
now_ns(const struct engine *engine)
{
	return clock_mono_ns(engine->parts.clock);
}

/* ---- changing over ---- */

static void
tell_readers(struct engine *engine)
{
	for (unsigned i = 0; i < engine->limits.readers; i++)
		reader_changed(&engine->readers[i]);
}

/* Queries run by other rules over the same rows. */
static void
ask_by(struct engine *engine, struct domain *domain, struct ruleset *rules)
{
	struct ruleset *before = domain->asked;

	if (before == rules)
		return;
	ruleset_hold(rules);
	pthread_mutex_lock(&domain->lock);
	domain->asked = rules;
	atomic_fetch_add(&domain->turn, 1);
	pthread_mutex_unlock(&domain->lock);
	ruleset_release(before);
	tell_readers(engine);
}

/* What lies in `place` is read from now on; what was read, when there was something, lies in `where`. */
static void
swap(struct engine *engine, struct domain *domain, struct aside *place, struct aside *where)
{
	struct aside before = { .readside = domain->live, .rules = domain->asked, .since_ns = now_ns(engine) };
	unsigned slot = place->readside->slot;
	struct fault fault;

	(void)PROBE("build.swap");
	if (place->readside->projector != NULL)
		projector_is_read(place->readside->projector);
	pthread_mutex_lock(&domain->lock);
	domain->live = place->readside;
	domain->asked = place->rules;
	*place = (struct aside){ 0 };
	if (before.readside != NULL)
		*where = before;
	atomic_fetch_add(&domain->turn, 1);
	pthread_mutex_unlock(&domain->lock);
	if (before.readside == NULL)
		ruleset_release(before.rules);
	tell_readers(engine);
	(void)PROBE("build.point");
	if (engine->parts.point_view != NULL &&
	    engine->parts.point_view(engine->parts.self, domain->name, slot, &fault) != 0)
		log_fault(LOG_ERROR, "after a restart the read model before this one will be found", &fault);
}

/* Readers are led over while the old rows stand still. false: the new ones need more time. */
static bool
change_over(struct engine *engine, struct domain *domain, struct aside *place, struct aside *where)
{
	const struct readside *before = domain->live;
	bool level = before == NULL || compare_lead(before, place->readside, engine->parts.store, engine->parts.clock);

	if (level)
		swap(engine, domain, place, where);
	if (before != NULL)
		compare_go_on(before);
	return level;
}

/* ---- following ---- */

/* Rows that were kept are asked at once, also when they could not be led level. */
static void
take_kept(struct engine *engine, struct domain *domain, struct ruleset *rules)
{
	struct ruleset *before = domain->kept.rules;

	pthread_mutex_lock(&domain->lock);
	domain->kept.rules = ruleset_hold(rules);
	pthread_mutex_unlock(&domain->lock);
	ruleset_release(before);
	if (!change_over(engine, domain, &domain->kept, &domain->kept)) {
		log_line(LOG_WARN, "the kept read model lags behind", log_slice("domain", domain->name));
		swap(engine, domain, &domain->kept, &domain->kept);
	}
	log_line(LOG_INFO, "the kept read model is read", log_slice("domain", domain->name),
		 log_int("generation", rules->generation));
}

int
build_follow(struct engine *engine, struct domain *domain, struct ruleset *rules, struct fault *fault)
{
	const struct script_program *program = rules->program;
	bool tables = program->projection_count != 0 || program->query_count != 0, all;
	struct buf asked;

	making_replace(engine, domain, &all, &asked);
	if (engine->parts.open_view == NULL || (!tables && domain->live == NULL)) {
		ask_by(engine, domain, rules);
		buf_fini(&asked);
		return 0;
	}
	if (all || asked.size != 0)
		return making_want(engine, domain, rules, all, &asked, fault);
	if (domain->live != NULL && readside_fits(domain->live, rules)) {
		ask_by(engine, domain, rules);
		buf_fini(&asked);
		return 0;
	}
	if (domain->kept.readside != NULL && !readside_is_damaged(domain->kept.readside) &&
	    readside_fits(domain->kept.readside, rules)) {
		buf_fini(&asked);
		take_kept(engine, domain, rules);
		return 0;
	}
	return making_want(engine, domain, rules, false, &asked, fault);
}

int
build_anew(struct engine *engine, struct domain *domain, struct slice projection, uint64_t *number, struct fault *fault)
{
	struct ruleset *rules = atomic_load(&domain->active);
	struct buf asked;
	bool all;

	if (engine->parts.open_view == NULL || rules->program->projection_count == 0 ||
	    (projection.size != 0 && script_find_projection(rules->program, projection) < 0))
		return fault_set(fault, FAULT_INPUT, "no_such_projection", "there is no projection %.*s.%.*s",
				 SLICE_ARG(domain->name), SLICE_ARG(projection));
	making_replace(engine, domain, &all, &asked);
	if (projection.size != 0)
		told_add_name(&asked, projection);
	if (making_want(engine, domain, rules, all || projection.size == 0, &asked, fault) != 0)
		return -1;
	*number = domain->making.number;
	return 0;
}

/* ---- looking at what is being made ---- */

static bool
has_passed(const struct projection_status *statuses, size_t count, struct slice name, log_position position)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(statuses[i].name, name))
			return statuses[i].state != PROJECTION_STOPPED && statuses[i].position >= position;
	return false;
}

static void
give_up_at(struct engine *engine, struct domain *domain, const struct projection_status *status)
{
	char reason[TOLD_REASON_SIZE];

	snprintf(reason, sizeof(reason), "projection %.*s stopped at %llu: %.*s", SLICE_ARG(status->name),
		 (unsigned long long)status->poison, SLICE_ARG(status->reason));
	making_give_up(engine, domain, reason);
}

/*
 * What of its projections is stopped. Rows made from nothing end the build with a reason. Those that were copied met
 * the event before they were copied, or the live ones meet it too; where somebody has led the live ones past it
 * meanwhile, these follow. Gives false when the build has ended.
 */
static bool
look_at_stopped(struct engine *engine, struct domain *domain, struct arena *arena, bool *any_going)
{
	struct projector *made = domain->building.readside->projector;
	bool well = domain->live == NULL || !readside_is_damaged(domain->live);
	struct projection_status *now, *live = NULL;
	size_t count, live_count = 0;
	struct fault fault;

	*any_going = true;
	if (made == NULL || projector_status(made, arena, &now, &count, &fault) != 0)
		return true;
	if (domain->live != NULL && domain->live->projector != NULL &&
	    projector_status(domain->live->projector, arena, &live, &live_count, &fault) != 0)
		return true;
	*any_going = false;
	for (size_t i = 0; i < count; i++) {
		if (now[i].state != PROJECTION_STOPPED) {
			*any_going = true;
		} else if (domain->making.anew[i]) {
			if (!well)
				continue;
			give_up_at(engine, domain, &now[i]);
			return false;
		} else if (now[i].by_bus) { /* no position tells whether the live ones are past it: it stays stopped */
			continue;
		} else if (has_passed(live, live_count, now[i].name, now[i].poison) &&
			   projector_order(made, now[i].name, PROJECTION_SKIP, &fault) == 0) {
			*any_going = true;
		}
	}
	return true;
}

/* As far as the one that is read, so that nobody sees the log go backwards. */
static bool
has_caught_up(const struct engine *engine, const struct domain *domain)
{
	const struct store *store = engine->parts.store;
	log_position wanted = domain->live != NULL ? readside_position(domain->live, store) : store_head(store);
	const struct readside *made = domain->building.readside;

	if (readside_position(made, store) >= wanted &&
	    (made->projector == NULL || projector_is_level(made->projector)))
		return true;
	projector_hurry(made->projector);
	return false;
}

/* What differs. Gives false when it is to be tried again. */
static bool
compare(struct engine *engine, struct domain *domain)
{
	struct making *making = &domain->making;
	const struct readside *live = domain->live, *made = domain->building.readside;
	struct compare_options options = { .anew = making->anew,
					   .samples = SAMPLES,
					   .bus = engine->parts.foreign.open != NULL,
					   .stop = making_stop_of(engine, making) };
	struct fault fault;

	making->settled = true;
	if (live == NULL || live->projector == NULL || made->projector == NULL)
		return true;
	told_stage(&domain->told, TOLD_COMPARING);
	buf_clear(&making->found.tables);
	if (!readside_is_damaged(live) && compare_rows(live, made, &options, &making->found, &fault) == 0) {
		making->compared = true;
		return true;
	}
	if (readside_is_damaged(live))
		fault_set(&fault, FAULT_CORRUPT, "view_corrupt", "the rows before are damaged");
	told_stage(&domain->told, TOLD_FILLING);
	if (strcmp(fault.code, "diff_stopped") == 0)
		making->interrupted++;
	else if (fault.class == FAULT_CORRUPT || ++making->tries >= COMPARES_MAX) {
		log_fault(LOG_WARN, "the new rows are not compared with those before", &fault);
		snprintf(making->reason, sizeof(making->reason), "not compared: %s", fault.text);
		return true;
	}
	making->settled = false;
	return false;
}

/* Rows of the same definitions are of no use for a rollback, nor are damaged ones. */
static struct aside *
place_for_live(struct domain *domain)
{
	if (domain->live == NULL)
		return &domain->kept;
	return !readside_is_damaged(domain->live) && !readside_fits(domain->live, domain->building.rules)
		       ? &domain->kept
		       : &domain->leaving;
}

/* What was there makes room, once no window holds it. */
static bool
make_room(struct engine *engine, struct domain *domain, struct aside *place)
{
	if (place->readside == NULL)
		return true;
	if (atomic_load(&place->readside->users) != 0)
		return false;
	making_throw_away(engine, domain, place);
	return true;
}

static void
tell_live(struct engine *engine, struct domain *domain)
{
	struct making *making = &domain->making;

	if (making->compared)
		log_line(LOG_INFO, "the new read model is read", log_slice("domain", domain->name),
			 log_int("build", (int64_t)making->number), log_int("generation", domain->asked->generation),
			 log_int("position", (int64_t)making->found.position),
			 log_int("rows_differ", (int64_t)making->found.rows_differ));
	else
		log_line(LOG_INFO, "the new read model is read", log_slice("domain", domain->name),
			 log_int("build", (int64_t)making->number), log_int("generation", domain->asked->generation));
	making_end(engine, domain, TOLD_LIVE, making->reason[0] != '\0' ? making->reason : NULL);
}

static int64_t
look_at_building(struct engine *engine, struct domain *domain)
{
	struct aside *where;
	struct arena arena;
	bool going, goes_on;

	if (domain->making.rules != NULL)
		return making_begin(engine, domain);
	if (domain->building.readside == NULL)
		return -1;
	if (readside_is_damaged(domain->building.readside)) {
		making_give_up(engine, domain, "the new read model was found damaged");
		return -1;
	}
	arena_init(&arena, (size_t)1 << 20);
	goes_on = look_at_stopped(engine, domain, &arena, &going);
	arena_fini(&arena);
	if (!goes_on)
		return -1;
	if (going && !has_caught_up(engine, domain))
		return LOOK_AGAIN_NS;
	if (!domain->making.settled && !compare(engine, domain))
		return LOOK_AGAIN_NS;
	where = place_for_live(domain);
	if (!make_room(engine, domain, where) || !change_over(engine, domain, &domain->building, where))
		return LOOK_AGAIN_NS;
	tell_live(engine, domain);
	return 0;
}

/* ---- looking at the others ---- */

/* A damaged one is made anew beside, whatever it takes. */
static int64_t
look_at_live(struct engine *engine, struct domain *domain)
{
	int64_t now = now_ns(engine);
	struct fault fault;
	struct buf asked;

	if (domain->live == NULL || !readside_is_damaged(domain->live) || making_is_on(domain))
		return -1;
	if (now < domain->heal_ns)
		return domain->heal_ns - now;
	domain->heal_ns = now + HEAL_AGAIN_NS;
	log_line(LOG_ERROR, "the read model is damaged: its rows are made anew beside it",
		 log_slice("domain", domain->name), log_int("slot", domain->live->slot));
	buf_init(&asked, TOLD_NAMES_MAX);
	if (making_want(engine, domain, domain->asked, true, &asked, &fault) == 0)
		return 0;
	log_fault(LOG_ERROR, "a read model cannot be made", &fault);
	return HEAL_AGAIN_NS;
}

static int64_t
look_at_kept(struct engine *engine, struct domain *domain)
{
	int64_t keep_ns = engine->limits.keep_us * 1000, age_ns;

	if (domain->kept.readside == NULL)
		return -1;
	age_ns = now_ns(engine) - domain->kept.since_ns;
	if (age_ns < keep_ns && !readside_is_damaged(domain->kept.readside))
		return keep_ns - age_ns;
	return make_room(engine, domain, &domain->kept) ? -1 : LOOK_AGAIN_NS;
}

static int64_t
sooner(int64_t a_ns, int64_t b_ns)
{
	return a_ns < 0 || (b_ns >= 0 && b_ns < a_ns) ? b_ns : a_ns;
}

int64_t
build_look(struct engine *engine, struct domain *domain)
{
	int64_t live_ns = look_at_live(engine, domain), made_ns = look_at_building(engine, domain),
		kept_ns = look_at_kept(engine, domain),
		left_ns = make_room(engine, domain, &domain->leaving) ? -1 : LOOK_AGAIN_NS;

	return sooner(sooner(live_ns, made_ns), sooner(kept_ns, left_ns));
}

void
build_close(struct domain *domain)
{
	making_stop_projector(domain->building.readside);
	making_stop_projector(domain->kept.readside);
	making_stop_projector(domain->leaving.readside);
	making_forget(&domain->making);
}
