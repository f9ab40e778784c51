/* SPDX-License-Identifier: MIT */
/*
 *            build_follow, rows differ              caught up: pointers change under the domain's lock
 *   nothing ---------------------------> building -------------------------------------> live
 *                                         what was live before ----> kept --- time over, nobody reads ---> gone
 *                                                                      |
 *                                              rollback: kept <-> live-'
 *
 * A new build_follow while one is building throws the unfinished one away. Files of a slot that does not serve are
 * removed when it is closed, and at start (readside.c).
 */
#include "core/build.h"

#include "base/log.h"
#include "base/probe.h"
#include "core/inside.h"

#define LOOK_AGAIN_NS ((int64_t)20 * 1000 * 1000)

static void
stop_projector(const struct readside *readside)
{
	if (readside != NULL && readside->projector != NULL)
		projector_stop(readside->projector);
}

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

static void
throw_away(struct engine *engine, struct domain *domain, struct aside *place)
{
	struct aside aside = detach(domain, place);
	unsigned slot;
	struct fault fault;

	if (aside.readside == NULL)
		return;
	slot = aside.readside->slot;
	stop_projector(aside.readside);
	domain_drop(&aside);
	if (engine->parts.remove_view != NULL &&
	    engine->parts.remove_view(engine->parts.self, domain->name, slot, &fault) != 0)
		log_fault(LOG_WARN, "a read model that is not read stays on disk until the next start", &fault);
}

static unsigned
free_slot(const struct domain *domain)
{
	unsigned slot = 0;

	while ((domain->live != NULL && domain->live->slot == slot) ||
	       (domain->building.readside != NULL && domain->building.readside->slot == slot) ||
	       (domain->kept.readside != NULL && domain->kept.readside->slot == slot))
		slot++;
	must(slot < VIEW_SLOTS_MAX);
	return slot;
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

/* What lies in `place` is read from now on; what was read lies there. */
static void
swap(struct engine *engine, struct domain *domain, struct aside *place)
{
	struct aside before = { .readside = domain->live,
				.rules = domain->asked,
				.since_ns = clock_mono_ns(engine->parts.clock) };
	unsigned slot = place->readside->slot;
	struct fault fault;

	(void)PROBE("build.swap");
	pthread_mutex_lock(&domain->lock);
	domain->live = place->readside;
	domain->asked = place->rules;
	*place = before;
	atomic_fetch_add(&domain->turn, 1);
	pthread_mutex_unlock(&domain->lock);
	tell_readers(engine);
	(void)PROBE("build.point");
	if (engine->parts.point_view != NULL &&
	    engine->parts.point_view(engine->parts.self, domain->name, slot, &fault) != 0)
		log_fault(LOG_ERROR, "after a restart the read model before this one will be found", &fault);
}

/* ---- making ---- */

static int
begin(struct engine *engine, struct domain *domain, struct ruleset *rules, struct fault *fault)
{
	struct projector_options options = engine_projector_options(engine);
	struct aside aside = { .rules = ruleset_hold(rules), .since_ns = clock_mono_ns(engine->parts.clock) };

	if (readside_open(&engine->parts, rules, free_slot(domain), &options, &aside.readside, fault) != 0)
		goto failed;
	if (aside.readside->projector != NULL && projector_start(aside.readside->projector, fault) != 0)
		goto failed;
	(void)PROBE("build.begin");
	pthread_mutex_lock(&domain->lock);
	domain->building = aside;
	pthread_mutex_unlock(&domain->lock);
	/* What was committed before it could be found there woke others only. */
	domain_wake(domain);
	log_line(LOG_INFO, "a read model is made beside the one that is read", log_slice("domain", domain->name),
		 log_int("generation", rules->generation), log_int("slot", aside.readside->slot));
	return 0;
failed:
	domain_drop(&aside);
	return -1;
}

int
build_follow(struct engine *engine, struct domain *domain, struct ruleset *rules, bool anew, struct slice projection,
	     struct fault *fault)
{
	const struct script_program *program = rules->program;
	bool tables = program->projection_count != 0 || program->query_count != 0;

	(void)projection;
	throw_away(engine, domain, &domain->building);
	if (engine->parts.open_view == NULL || (!tables && domain->live == NULL) ||
	    (domain->live != NULL && !anew && readside_fits(domain->live, rules))) {
		ask_by(engine, domain, rules);
		return 0;
	}
	if (domain->kept.readside != NULL && !anew && readside_fits(domain->kept.readside, rules)) {
		struct ruleset *before = domain->kept.rules;

		domain->kept.rules = ruleset_hold(rules);
		ruleset_release(before);
		swap(engine, domain, &domain->kept);
		return 0;
	}
	return begin(engine, domain, rules, fault);
}

/* ---- looking ---- */

/* A poison event stops it: queries stay with the rows that they have. */
static bool
is_stopped(struct domain *domain, struct arena *arena)
{
	struct projection_status *statuses;
	struct fault fault;
	size_t count;

	if (domain->building.readside->projector == NULL ||
	    projector_status(domain->building.readside->projector, arena, &statuses, &count, &fault) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (statuses[i].state != PROJECTION_STOPPED)
			continue;
		log_line(LOG_ERROR, "the new read model is given up: queries stay with the rules before",
			 log_slice("domain", domain->name), log_slice("projection", statuses[i].name),
			 log_int("position", (int64_t)statuses[i].poison), log_slice("reason", statuses[i].reason));
		return true;
	}
	return false;
}

/* As far as the one that is read, so that nobody sees the log go backwards. */
static bool
has_caught_up(const struct engine *engine, const struct domain *domain)
{
	const struct store *store = engine->parts.store;
	log_position wanted = domain->live != NULL ? readside_position(domain->live, store) : store_head(store);
	const struct readside *made = domain->building.readside;

	if (readside_position(made, store) >= wanted)
		return true;
	projector_hurry(made->projector);
	return false;
}

static int64_t
look_at_building(struct engine *engine, struct domain *domain)
{
	struct arena arena;
	bool stopped;

	if (domain->building.readside == NULL)
		return -1;
	arena_init(&arena, (size_t)1 << 20);
	stopped = is_stopped(domain, &arena);
	arena_fini(&arena);
	if (stopped) {
		throw_away(engine, domain, &domain->building);
		return -1;
	}
	if (!has_caught_up(engine, domain))
		return LOOK_AGAIN_NS;
	/* One that was kept before makes room, once no window holds it. */
	if (domain->kept.readside != NULL) {
		if (atomic_load(&domain->kept.readside->users) != 0)
			return LOOK_AGAIN_NS;
		throw_away(engine, domain, &domain->kept);
	}
	swap(engine, domain, &domain->building);
	pthread_mutex_lock(&domain->lock);
	domain->kept = domain->building;
	domain->building = (struct aside){ 0 };
	pthread_mutex_unlock(&domain->lock);
	log_line(LOG_INFO, "the new read model is read", log_slice("domain", domain->name),
		 log_int("generation", domain->asked->generation));
	return 0;
}

static int64_t
look_at_kept(struct engine *engine, struct domain *domain)
{
	int64_t keep_ns = engine->limits.keep_us * 1000, age_ns;

	if (domain->kept.readside == NULL)
		return -1;
	age_ns = clock_mono_ns(engine->parts.clock) - domain->kept.since_ns;
	if (age_ns < keep_ns)
		return keep_ns - age_ns;
	if (atomic_load(&domain->kept.readside->users) != 0)
		return LOOK_AGAIN_NS;
	throw_away(engine, domain, &domain->kept);
	return -1;
}

int64_t
build_look(struct engine *engine, struct domain *domain)
{
	int64_t building_ns = look_at_building(engine, domain), kept_ns = look_at_kept(engine, domain);

	return building_ns < 0 || (kept_ns >= 0 && kept_ns < building_ns) ? kept_ns : building_ns;
}

void
build_close(struct domain *domain)
{
	stop_projector(domain->building.readside);
	stop_projector(domain->kept.readside);
}
