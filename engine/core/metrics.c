/* SPDX-License-Identifier: MIT */
/* The engine's figures as Prometheus text. Counters are summed over the threads that count them. */
#include "core/reacting.h"
#include "core/sending.h"

static const char *const outcome_names[] = {
	[OUTCOME_ACCEPTED] = "accepted", [OUTCOME_REFUSED] = "refused",   [OUTCOME_CONFLICT] = "conflict",
	[OUTCOME_REPEATED] = "repeated", [OUTCOME_MISMATCH] = "mismatch", [OUTCOME_MISSING] = "missing",
	[OUTCOME_FAILED] = "failed",
};

static void
head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
single(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	buf_format(out, "%s %llu\n", name, (unsigned long long)value);
}

static uint64_t
sum(const struct engine *engine, size_t offset)
{
	uint64_t total = 0;

	for (unsigned i = 0; engine->workers != NULL && i < engine->limits.workers; i++) {
		const char *tally = (const char *)&engine->workers[i].tally;

		total += atomic_load_explicit((const _Atomic uint64_t *)(const void *)(tally + offset),
					      memory_order_relaxed);
	}
	return total;
}

static void
write_commands(const struct engine *engine, struct buf *out)
{
	uint64_t all = 0;

	head(out, "moonlog_commands_total", "counter", "Commands answered, by outcome.");
	for (size_t i = 0; i < countof(outcome_names); i++)
		buf_format(out, "moonlog_commands_total{outcome=\"%s\"} %llu\n", outcome_names[i],
			   (unsigned long long)sum(engine, offsetof(struct tally, outcomes) + i * sizeof(uint64_t)));
	head(out, "moonlog_command_seconds", "histogram", "Time from taking a command to its answer.");
	for (size_t i = 0; i < TALLY_CLASSES; i++) {
		all += sum(engine, offsetof(struct tally, latency) + i * sizeof(uint64_t));
		if (i < TALLY_CLASSES - 1)
			buf_format(out, "moonlog_command_seconds_bucket{le=\"%g\"} %llu\n",
				   (double)tally_bounds[i] / 1e6, (unsigned long long)all);
	}
	buf_format(out, "moonlog_command_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)all);
	buf_format(out, "moonlog_command_seconds_sum %.6f\nmoonlog_command_seconds_count %llu\n",
		   (double)sum(engine, offsetof(struct tally, latency_us)) / 1e6, (unsigned long long)all);
	single(out, "moonlog_decisions_repeated_total", "counter", "Decisions taken again after a lost comparison.",
	       sum(engine, offsetof(struct tally, again)));
	single(out, "moonlog_commands_turned_away_total", "counter", "Commands that found their queue full.",
	       sum(engine, offsetof(struct tally, turned_away)));
	single(out, "moonlog_state_loads_total", "counter", "States read from the store, since no cache had them.",
	       sum(engine, offsetof(struct tally, loads)));
	single(out, "moonlog_entries_recorded_total", "counter", "Entries recorded by commands.",
	       sum(engine, offsetof(struct tally, events)));
}

static void
write_breakers(const struct engine *engine, struct buf *out)
{
	static const struct {
		const char *name, *type, *help;
		size_t offset;
	} counters[] = {
		{ "moonlog_commands_stopped_total", "counter", "Commands stopped at their limit of time or memory.",
		  offsetof(struct breaker, stopped) },
		{ "moonlog_domain_trips_total", "counter", "How often a domain's breaker opened.",
		  offsetof(struct breaker, trips) },
		{ "moonlog_commands_tripped_total", "counter", "Commands turned away by an open breaker.",
		  offsetof(struct breaker, turned_away) },
	};

	for (size_t c = 0; c < countof(counters); c++) {
		head(out, counters[c].name, counters[c].type, counters[c].help);
		for (size_t i = 0; i < engine->domain_count; i++) {
			const char *breaker = (const char *)&engine->domains[i]->breaker;
			uint64_t value = atomic_load_explicit(
				(const _Atomic uint64_t *)(const void *)(breaker + counters[c].offset),
				memory_order_relaxed);
			buf_format(out, "%s{domain=\"%.*s\"} %llu\n", counters[c].name,
				   SLICE_ARG(engine->domains[i]->name), (unsigned long long)value);
		}
	}
	head(out, "moonlog_domain_tripped", "gauge", "1 while a domain's breaker is open.");
	for (size_t i = 0; i < engine->domain_count; i++)
		buf_format(out, "moonlog_domain_tripped{domain=\"%.*s\"} %d\n", SLICE_ARG(engine->domains[i]->name),
			   breaker_is_open(&engine->domains[i]->breaker));
}

static void
write_generations(struct engine *engine, struct buf *out)
{
	head(out, "moonlog_generation", "gauge", "The rules that decide.");
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct ruleset *rules = domain_hold_rules(engine->domains[i]);

		buf_format(out, "moonlog_generation{domain=\"%.*s\"} %u\n", SLICE_ARG(engine->domains[i]->name),
			   rules->generation);
		ruleset_release(rules);
	}
	head(out, "moonlog_queries_generation", "gauge",
	     "The rules whose rows are read; others decide while new ones are made.");
	for (size_t i = 0; i < engine->domain_count; i++)
		buf_format(out, "moonlog_queries_generation{domain=\"%.*s\"} %u\n", SLICE_ARG(engine->domains[i]->name),
			   domain_asked_generation(engine->domains[i]));
	head(out, "moonlog_reload_not_taken", "gauge", "1 when the last change of rules was not taken.");
	for (size_t i = 0; i < engine->domain_count; i++)
		buf_format(out, "moonlog_reload_not_taken{domain=\"%.*s\"} %d\n", SLICE_ARG(engine->domains[i]->name),
			   domain_not_taken(engine->domains[i]).at_us != 0);
}

static void
write_store(const struct engine *engine, struct buf *out)
{
	const struct store_stats *stats = engine->parts.store->stats;

	single(out, "moonlog_log_head", "gauge", "Last durable position.", store_head(engine->parts.store));
	single(out, "moonlog_commit_groups_total", "counter", "Transactions of the committer.",
	       atomic_load(&engine->committer.groups));
	single(out, "moonlog_commit_appends_total", "counter", "Appends in those transactions.",
	       atomic_load(&engine->committer.appends));
	single(out, "moonlog_commit_groups_by_thread_total", "counter",
	       "Of those, by the committer's own thread rather than by a worker.",
	       atomic_load(&engine->committer.by_thread));
	if (stats == NULL)
		return;
	single(out, "moonlog_store_syncs_total", "counter", "Syncs of the store.", store_stat(&stats->syncs));
	single(out, "moonlog_store_bytes", "gauge", "Bytes of the store on disk.", store_stat(&stats->bytes_on_disk));
	single(out, "moonlog_store_wal_bytes", "gauge", "Bytes of the write-ahead log.", store_stat(&stats->wal_bytes));
	single(out, "moonlog_store_remembered_commands", "gauge", "Command ids remembered.",
	       store_stat(&stats->remembered_ids));
}

static void
write_snapshots(struct engine *engine, struct buf *out)
{
	struct keeper *keeper = &engine->keeper;
	char name[STREAM_NAME_MAX + 1];

	if (keeper->parts == NULL)
		return;
	single(out, "moonlog_snapshots_written_total", "counter", "Snapshots of streams written.",
	       atomic_load(&keeper->written));
	single(out, "moonlog_snapshots_checked_total", "counter", "Snapshots compared with a replay.",
	       atomic_load(&keeper->checked));
	single(out, "moonlog_snapshots_wrong_total", "counter", "Snapshots that were wrong, and removed.",
	       atomic_load(&keeper->wrong));
	single(out, "moonlog_snapshots_stale_total", "counter", "Snapshots of an older state_version, removed.",
	       atomic_load(&keeper->stale));
	single(out, "moonlog_determinism_sampled_total", "counter",
	       "Streams folded twice, in machines with other seeds.", atomic_load(&keeper->sampler.sampled));
	single(out, "moonlog_nondeterminism_total", "counter", "Of those, streams for which two folds differed.",
	       atomic_load(&keeper->sampler.differing));
	keeper_last_wrong(keeper, name);
	if (name[0] == '\0')
		return;
	head(out, "moonlog_snapshot_last_wrong", "gauge", "The stream whose snapshot was wrong last.");
	buf_format(out, "moonlog_snapshot_last_wrong{stream=\"%s\"} 1\n", name);
}

static void
write_threads(const struct engine *engine, struct buf *out)
{
	head(out, "moonlog_worker_queue", "gauge", "Commands waiting at a worker.");
	for (unsigned i = 0; engine->workers != NULL && i < engine->limits.workers; i++)
		buf_format(out, "moonlog_worker_queue{worker=\"%u\"} %zu\n", i,
			   atomic_load(&engine->workers[i].waiting));
	head(out, "moonlog_reads_total", "counter", "Reads answered by a reader.");
	for (unsigned i = 0; engine->readers != NULL && i < engine->limits.readers; i++)
		buf_format(out, "moonlog_reads_total{reader=\"%u\"} %llu\n", i,
			   (unsigned long long)atomic_load(&engine->readers[i].answered));
	head(out, "moonlog_read_entries_total", "counter", "Entries given by a reader.");
	for (unsigned i = 0; engine->readers != NULL && i < engine->limits.readers; i++)
		buf_format(out, "moonlog_read_entries_total{reader=\"%u\"} %llu\n", i,
			   (unsigned long long)atomic_load(&engine->readers[i].entries));
	single(out, "moonlog_asks_inside", "gauge", "Commands and reads taken and not yet answered.",
	       atomic_load(&engine->inside));
}

static void
write_projections(struct engine *engine, struct buf *out)
{
	struct projection_status *statuses;
	struct arena arena;
	struct fault fault;
	size_t count;

	arena_init(&arena, (size_t)4 << 20);
	if (engine_projections(engine, &arena, &statuses, &count, &fault) != 0)
		count = 0;
	head(out, "moonlog_projection_position", "gauge", "Position that a projection's rows stand at.");
	for (size_t i = 0; i < count; i++)
		buf_format(out, "moonlog_projection_position{domain=\"%.*s\",projection=\"%.*s\"} %llu\n",
			   SLICE_ARG(statuses[i].domain), SLICE_ARG(statuses[i].name),
			   (unsigned long long)statuses[i].position);
	head(out, "moonlog_projection_lag_seconds", "gauge",
	     "Age of the oldest entry not yet projected; at least as long as its topics cannot be heard.");
	for (size_t i = 0; i < count; i++)
		buf_format(out, "moonlog_projection_lag_seconds{domain=\"%.*s\",projection=\"%.*s\"} %.6f\n",
			   SLICE_ARG(statuses[i].domain), SLICE_ARG(statuses[i].name),
			   (double)statuses[i].behind_us / 1e6);
	head(out, "moonlog_projection_stopped", "gauge", "1 when a projection stopped at an entry it cannot handle.");
	for (size_t i = 0; i < count; i++)
		buf_format(out, "moonlog_projection_stopped{domain=\"%.*s\",projection=\"%.*s\"} %d\n",
			   SLICE_ARG(statuses[i].domain), SLICE_ARG(statuses[i].name),
			   statuses[i].state == PROJECTION_STOPPED);
	head(out, "moonlog_projection_away", "gauge", "1 while the topics of a projection cannot be heard.");
	for (size_t i = 0; i < count; i++)
		buf_format(out, "moonlog_projection_away{domain=\"%.*s\",projection=\"%.*s\"} %d\n",
			   SLICE_ARG(statuses[i].domain), SLICE_ARG(statuses[i].name), statuses[i].away_us != 0);
	arena_fini(&arena);
}

void
metrics_write(struct engine *engine, struct buf *out)
{
	write_commands(engine, out);
	write_breakers(engine, out);
	write_generations(engine, out);
	write_store(engine, out);
	write_snapshots(engine, out);
	write_threads(engine, out);
	write_projections(engine, out);
	sending_metrics(engine, out);
	reacting_metrics(engine, out);
}
