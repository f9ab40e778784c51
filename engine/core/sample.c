/* SPDX-License-Identifier: MIT */
/*
 * Some streams together, in two machines that are made for it: the second goes through them backwards, so that what one
 * stream leaves behind in a module shows, too. Made anew each time they have other seeds each time, and hold no rules
 * that a reload has replaced.
 * Fails: rules that raise or are stopped are no finding here: commands tell of those.
 */
#include "core/sample.h"

#include "base/log.h"
#include "core/determinism.h"

#define STREAMS    8
#define ENTRIES    ((log_position)4 * STREAMS) /* that are looked at for them */
#define EVENTS_MAX 10000                       /* of a stream */

bool
sampler_is_due(const struct sampler *sampler)
{
	return sampler->every != 0 && store_head(sampler->parts->store) - sampler->seen >= sampler->every;
}

static struct domain *
domain_of(const struct sampler *sampler, struct slice stream)
{
	struct stream_name name;
	struct fault fault;

	if (stream_parse(stream, &name, &fault) != 0)
		return NULL;
	for (size_t i = 0; i < sampler->domain_count; i++)
		if (slice_equal(sampler->domains[i]->name, name.domain))
			return sampler->domains[i];
	return NULL;
}

/* Streams of one domain, of entries beside one by chance among those that were recorded since the last pick. */
static struct domain *
pick(struct sampler *sampler, struct arena *arena, struct slice streams[STREAMS], size_t *count)
{
	struct log_filter filter = { .events_only = true };
	struct read_limit limit = { (size_t)ENTRIES, (size_t)1 << 20 };
	log_position head = store_head(sampler->parts->store), seen;
	struct domain *domain = NULL;
	struct entries entries;
	struct fault fault;
	uint64_t chance;

	entropy_fill(sampler->parts->entropy, &chance, sizeof(chance));
	chance = sampler->seen + chance % (head - sampler->seen);
	if (head - chance < ENTRIES)
		chance = head > ENTRIES ? head - ENTRIES : 0;
	sampler->seen = head;
	*count = 0;
	if (store_read_log(sampler->reader, chance, &filter, limit, arena, &entries, &seen, &fault) != 0)
		return NULL;
	for (size_t i = 0; i < entries.count && *count < STREAMS; i++) {
		struct slice stream = entries.items[i].stream;
		size_t known = 0;

		domain = domain != NULL ? domain : domain_of(sampler, stream);
		while (known < *count && !slice_equal(streams[known], stream))
			known++;
		if (domain != NULL && domain_of(sampler, stream) == domain && known == *count)
			streams[(*count)++] = stream;
	}
	return domain;
}

static void
tell(void *self, const struct determinism_finding *finding)
{
	struct sampler *sampler = self;

	if (finding->what == RULES_FAIL)
		return;
	atomic_fetch_add(&sampler->differing, 1);
	log_line(LOG_ERROR, "rules gave two different results for the same events",
		 log_slice("stream", finding->stream), log_int("version", (long long)finding->version),
		 log_int("position", (long long)finding->position), log_slice("type", finding->type),
		 log_text("reason", finding->text));
}

void
sampler_look(struct sampler *sampler)
{
	struct slice streams[STREAMS];
	struct domain *domain;
	struct fault fault;
	struct arena arena;
	size_t count;

	arena_init(&arena, (size_t)16 << 20);
	domain = pick(sampler, &arena, streams, &count);
	if (domain != NULL && count != 0) {
		struct ruleset *rules = domain_hold_rules(domain);
		struct determinism check = { .store = sampler->parts->store,
					     .program = rules->program,
					     .options = sampler->script,
					     .found = tell,
					     .self = sampler };

		if (determinism_streams(&check, streams, count, EVENTS_MAX, &fault) == 0)
			atomic_fetch_add(&sampler->sampled, check.streams);
		ruleset_release(rules);
	}
	arena_fini(&arena);
}
