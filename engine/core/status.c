/* SPDX-License-Identifier: MIT */
/* What the engine says about itself as JSON: is it ready, and how it stands. */
#include "core/reacting.h"
#include "core/sending.h"

#include "base/json.h"

static const char *const projection_states[] = { [PROJECTION_LIVE] = "live",
						 [PROJECTION_CATCHING_UP] = "catching_up",
						 [PROJECTION_REBUILDING] = "rebuilding",
						 [PROJECTION_STOPPED] = "stopped",
						 [PROJECTION_AWAY] = "away" };

void
engine_projection_members(const struct projection_status *status, struct buf *out)
{
	json_put_text(out, "domain", status->domain);
	json_put_text(out, "name", status->name);
	json_put_text(out, "state", slice_text(projection_states[status->state]));
	json_put_u64(out, "position", status->position);
	json_put_u64(out, "head", status->head);
	json_key(out, "behind_us");
	buf_i64(out, status->behind_us);
	json_put_u64(out, "rate", status->rate);
	if (status->seconds_left >= 0 && status->state != PROJECTION_STOPPED)
		json_put_u64(out, "seconds_left", (uint64_t)status->seconds_left);
	if (status->note.size != 0)
		json_put_text(out, status->note_failed ? "not_rebuilt" : "rebuilt", status->note);
	if (status->state == PROJECTION_STOPPED)
		json_put_u64(out, "poison", status->poison);
	if (status->reason.size != 0)
		json_put_text(out, "reason", status->reason);
	if (status->away_us != 0)
		json_put_time(out, "away_since", status->away_us);
}

/* Appends "projections": [...]; true when none is stopped or being rebuilt. */
static bool
write_projections(struct engine *engine, struct buf *out)
{
	struct projection_status *statuses;
	struct arena arena;
	struct fault fault;
	size_t count;
	bool well = true;

	arena_init(&arena, (size_t)4 << 20);
	json_key(out, "projections");
	buf_byte(out, '[');
	if (engine_projections(engine, &arena, &statuses, &count, &fault) != 0)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		json_comma(out);
		buf_byte(out, '{');
		engine_projection_members(&statuses[i], out);
		buf_byte(out, '}');
		well = well && statuses[i].state != PROJECTION_STOPPED && statuses[i].state != PROJECTION_REBUILDING;
	}
	buf_byte(out, ']');
	arena_fini(&arena);
	return well;
}

bool
status_ready(struct engine *engine, struct buf *out)
{
	bool started = atomic_load(&engine->started), draining = atomic_load(&engine->draining);
	bool store = !atomic_load(&engine->committer.failed);
	size_t at = out->size;
	bool ready;

	buf_byte(out, '{');
	ready = write_projections(engine, out) && started && !draining && store;
	json_key(out, "relay");
	ready = sending_write(engine, out) && ready;
	json_key(out, "reactors");
	ready = reacting_write(engine, out) && ready;
	json_put_text(out, "store", store ? SLICE("well") : SLICE("failed"));
	json_put_text(out, "status", ready ? SLICE("ready") : draining ? SLICE("draining") : SLICE("not_ready"));
	buf_byte(out, '}');
	return ready && out->size != at;
}

/* Why the last change of rules was not taken, where none was since. */
static void
write_not_taken(struct domain *domain, struct buf *out)
{
	struct not_taken not_taken = domain_not_taken(domain);

	if (not_taken.at_us == 0)
		return;
	json_key(out, "not_taken");
	buf_byte(out, '{');
	json_put_time(out, "at", not_taken.at_us);
	json_put_text(out, "stage", slice_text(not_taken.stage));
	json_put_text(out, "code", slice_text(not_taken.fault.code));
	json_put_text(out, "detail", slice_text(not_taken.fault.text));
	buf_byte(out, '}');
}

static void
write_domains(struct engine *engine, struct buf *out)
{
	json_key(out, "domains");
	buf_byte(out, '[');
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct ruleset *rules = domain_hold_rules(engine->domains[i]);

		json_comma(out);
		buf_byte(out, '{');
		json_put_text(out, "name", engine->domains[i]->name);
		json_put_u64(out, "generation", rules->generation);
		json_put_u64(out, "queries", domain_asked_generation(engine->domains[i]));
		write_not_taken(engine->domains[i], out);
		json_key(out, "sources");
		buf_byte(out, '"');
		buf_hex(out, rules->sources.hash.bytes, DIGEST_SIZE);
		buf_byte(out, '"');
		json_key(out, "stopped");
		buf_u64(out, atomic_load(&engine->domains[i]->breaker.stopped));
		json_key(out, "tripped");
		buf_text(out, breaker_is_open(&engine->domains[i]->breaker) ? "true" : "false");
		buf_byte(out, '}');
		ruleset_release(rules);
	}
	buf_byte(out, ']');
}

static void
write_store(struct engine *engine, struct buf *out)
{
	const struct store_stats *stats = engine->parts.store->stats;

	json_key(out, "store");
	buf_byte(out, '{');
	json_put_text(out, "kind", slice_text(engine->parts.store->kind));
	if (stats != NULL) {
		json_put_u64(out, "commits", store_stat(&stats->commits));
		json_put_u64(out, "syncs", store_stat(&stats->syncs));
		json_put_u64(out, "bytes_on_disk", store_stat(&stats->bytes_on_disk));
		json_put_u64(out, "wal_bytes", store_stat(&stats->wal_bytes));
		json_put_u64(out, "indexed_to", store_stat(&stats->indexed_to));
		json_put_u64(out, "remembered_ids", store_stat(&stats->remembered_ids));
	}
	buf_byte(out, '}');
}

static void
write_queues(struct engine *engine, struct buf *out)
{
	json_key(out, "queues");
	buf_text(out, "{\"workers\":[");
	for (unsigned i = 0; engine->workers != NULL && i < engine->limits.workers; i++) {
		json_comma(out);
		buf_u64(out, atomic_load(&engine->workers[i].waiting));
	}
	buf_text(out, "],\"readers\":[");
	for (unsigned i = 0; engine->readers != NULL && i < engine->limits.readers; i++) {
		json_comma(out);
		buf_u64(out, atomic_load(&engine->readers[i].queued));
	}
	buf_byte(out, ']');
	json_put_u64(out, "inside", atomic_load(&engine->inside));
	buf_byte(out, '}');
}

void
status_write(struct engine *engine, struct buf *out)
{
	char since[CLOCK_TEXT_SIZE];

	clock_format(engine->started_us, since);
	buf_byte(out, '{');
	json_put_text(out, "version", SLICE(MOONLOG_VERSION));
	json_put_text(out, "started", slice_text(since));
	json_put_u64(out, "head", store_head(engine->parts.store));
	write_store(engine, out);
	write_queues(engine, out);
	write_domains(engine, out);
	write_projections(engine, out);
	json_key(out, "relay");
	sending_write(engine, out);
	json_key(out, "reactors");
	reacting_write(engine, out);
	buf_byte(out, '}');
}
