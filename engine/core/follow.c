/* SPDX-License-Identifier: MIT */
/*
 * One round of the projector: pages of the log through the scripts into the view.
 *
 * Projections at the same position share one page; the most advanced go first, so that one that catches up never
 * holds back the others. A batch is one transaction of one projection: rows and checkpoint together [I6]. Pages are
 * cut where a commit ends, so that readers do not see half of what one command did.
 *
 * A batch that fails is rolled back whole. If what failed may pass by itself, the same batch is tried again after a
 * pause (in smaller pieces after a killed handler). Otherwise the entry at fault is poison: the entries before it
 * are projected once more and committed together with the mark that stops this projection, at this entry, for this
 * reason.
 */
#include "core/follow.h"

#include <stdio.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/feed.h"
#include "core/part.h"

#define STORE_EVERY    10000 /* positions passed without rows before a checkpoint is written for them alone */
#define PAUSE_FIRST_NS 10000000
#define PAUSE_LAST_NS  5000000000
#define TELL_EVERY_NS  5000000000
#define RATE_WINDOW_NS 250000000

static int64_t
now_ns(const struct projector *projector)
{
	return clock_mono_ns(projector->options.clock);
}

struct view_checkpoint
follow_checkpoint(const struct projection *projection, log_position position)
{
	struct view_checkpoint checkpoint = { .projection = projection->script->name, .position = position };
	memcpy(checkpoint.hash, projection->script->hash.bytes, sizeof(checkpoint.hash));
	/* Rows that another kind of bus has fed are others, and so are their places. */
	checkpoint.hash[0] ^= projection->now.by_bus;
	return checkpoint;
}

void
follow_say(enum log_level level, const char *message, const struct projector *projector,
	   const struct projection *projection)
{
	const struct log_field fields[] = { log_slice("domain", projector->options.program->domain),
					    log_slice("projection", projection->script->name),
					    log_int("position", (int64_t)projection->now.at),
					    log_text("reason", projection->now.reason) };
	log_write(level, message, fields, projection->now.reason[0] != '\0' ? 4 : 3);
}

/* ---- opening ---- */

static int
first_time_after(struct projector *projector, log_position after, int64_t *wall_us, struct fault *fault)
{
	struct log_filter filter = { .domain = projector->options.program->domain };
	struct entries entries;
	log_position seen;
	arena_clear(&projector->page);
	if (store_read_log(projector->reader, after, &filter, (struct read_limit){ 1, 0 }, &projector->page, &entries,
			   &seen, fault) != 0)
		return -1;
	*wall_us = entries.count != 0 ? entries.items[0].recorded_at_us : 0;
	return 0;
}

void
follow_resume(struct projection *projection, const struct view_checkpoint *checkpoint)
{
	projection->now.at = projection->stored = checkpoint->position;
	projection->now.stopped = checkpoint->stopped;
	projection->now.poison = checkpoint->poison;
	snprintf(projection->now.reason, sizeof(projection->now.reason), "%.*s", SLICE_ARG(checkpoint->reason));
}

int
follow_open(struct projector *projector, struct projection *projection, struct fault *fault)
{
	const struct script_projection *script = projection->script;
	struct view *view = projector->options.view;
	struct view_checkpoint checkpoint;
	bool before, found;
	if (feed_feeds(projector, projection))
		return feed_open(projector, projection, fault);
	arena_clear(&projector->page);
	if (view_checkpoint(view, script->name, &projector->page, &checkpoint, &before, fault) != 0 ||
	    view_define(view, script->name, script->hash.bytes, script->tables, script->table_count, fault) != 0 ||
	    view_checkpoint(view, script->name, &projector->page, &checkpoint, &found, fault) != 0)
		return -1;
	log_position head = store_head(projector->options.store);
	if (found && !follow_is_of_log(projector, &checkpoint)) {
		/* A backup was restored, or the rows lie beside another store than theirs. */
		projection->now.at = checkpoint.position;
		follow_say(LOG_WARN,
			   checkpoint.position > head
				   ? "projection is ahead of the log, rebuilding"
				   : "projection was made from another history of the log, rebuilding",
			   projector, projection);
		projection->now.at = 0;
		found = false;
		if (view_reset(view, script->name, script->tables, script->table_count, fault) != 0)
			return -1;
	} else if (before && !found) {
		follow_say(LOG_INFO, "projection changed, rebuilding", projector, projection);
	}
	projection->now.rebuilding = !found && head != 0;
	if (!found)
		return 0;
	follow_resume(projection, &checkpoint);
	if (!checkpoint.stopped)
		return 0;
	follow_say(LOG_ERROR, "projection is stopped at a poison event", projector, projection);
	return first_time_after(projector, checkpoint.position, &projection->now.oldest_us, fault);
}

/* ---- faults ---- */

static bool
is_killed(const struct fault *fault)
{
	return strcmp(fault->code, "time_limit") == 0 || strcmp(fault->code, "memory_limit") == 0;
}

bool
follow_is_poison(const struct fault *fault)
{
	if (is_killed(fault))
		return false;
	return fault->class == FAULT_SCRIPT || fault->class == FAULT_INPUT || fault->class == FAULT_LIMIT;
}

static void
tell_damage(struct projector *projector, const struct fault *fault)
{
	if (strcmp(fault->code, "view_corrupt") != 0 || atomic_exchange(&projector->damaged, true))
		return;
	if (projector->options.damaged != NULL)
		projector->options.damaged(projector->options.self, fault);
}

void
follow_wait_out(struct projector *projector, struct projection *projection, const struct fault *fault)
{
	int64_t pause =
		fault->class == FAULT_FULL || fault->class == FAULT_CORRUPT ? PAUSE_LAST_NS / 10 : PAUSE_FIRST_NS;
	tell_damage(projector, fault);
	for (unsigned i = 0; i < projector->failures && pause < PAUSE_LAST_NS; i++)
		pause *= 2;
	projector->failures++;
	projector->pause_ns = pause < PAUSE_LAST_NS ? pause : PAUSE_LAST_NS;
	if (is_killed(fault) && projector->batch > 1)
		projector->batch /= 2;
	for (size_t i = 0; i < projector->count; i++)
		if (projection == NULL || projection == &projector->projections[i])
			memcpy(projector->projections[i].now.reason, fault->text, sizeof(fault->text));
	bool often = (projector->failures & (projector->failures - 1)) != 0;
	if (often && strcmp(projector->trouble, fault->code) == 0)
		return;
	memcpy(projector->trouble, fault->code, sizeof(projector->trouble));
	log_line(fault->class == FAULT_CORRUPT || fault->class == FAULT_BUG ? LOG_ERROR : LOG_WARN,
		 "projector waits and tries again", log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection != NULL ? projection->script->name : SLICE("all")),
		 log_text("class", fault_class_name(fault->class)), log_text("code", fault->code),
		 log_text("reason", fault->text), log_int("native", fault->native),
		 log_int("pause_ms", projector->pause_ns / 1000000));
}

/* ---- batches ---- */

void
follow_reached(struct projector *projector, struct projection *projection, log_position position)
{
	projection->now.at = position;
	projection->now.reason[0] = '\0';
	int64_t now = now_ns(projector), passed = now - projection->rate_since_ns;
	if (projection->rate_since_ns == 0 || position < projection->rate_from) {
		projection->rate_since_ns = now;
		projection->rate_from = position;
	} else if (passed >= RATE_WINDOW_NS) {
		projection->now.rate = (position - projection->rate_from) * UINT64_C(1000000000) / (uint64_t)passed;
		projection->rate_since_ns = now;
		projection->rate_from = position;
	}
}

static int
commit(struct projector *projector, struct projection *projection, const struct view_checkpoint *checkpoint,
       struct fault *fault)
{
	if (PROBE("projector.before_commit"))
		return fault_set(fault, FAULT_AWAY, "probe", "probe");
	if (view_commit(projector->options.view, checkpoint, fault) != 0)
		return -1;
	projection->stored = checkpoint->position;
	return 0;
}

static int
hear(struct projector *projector, struct projection *projection, const struct entries *entries, size_t *done,
     struct fault *fault)
{
	if (follow_by_topics(projection))
		return follow_messages(projector, projection, entries, done, fault);
	return script_project(projector->machine, projection->number, view_rows(projector->options.view),
			      entries->items, entries->count, done, fault);
}

/* Entries and checkpoint in one transaction. On failure *done entries went well before the one at fault. */
static int
batch(struct projector *projector, struct projection *projection, const struct entries *entries,
      const struct view_checkpoint *checkpoint, size_t *done, struct fault *fault)
{
	struct view *view = projector->options.view;
	int result = -1;
	*done = entries->count;
	if (view_begin(view, fault) != 0)
		return -1;
	if (entries->count == 0 || hear(projector, projection, entries, done, fault) == 0) {
		*done = entries->count;
		result = commit(projector, projection, checkpoint, fault);
	}
	if (result != 0)
		view_rollback(view);
	return result;
}

/* The entries before the poison are committed together with the mark. */
static int
stop_at(struct projector *projector, struct projection *projection, const struct entries *entries, size_t good,
	const struct fault *why, struct fault *fault)
{
	const struct recorded_entry *poison = &entries->items[good];
	struct entries before = { entries->items, good };
	struct view_checkpoint checkpoint;
	char reason[sizeof(why->text)];
	size_t done;
	snprintf(reason, sizeof(reason), "%.*s of %.*s: %.400s", SLICE_ARG(poison->type), SLICE_ARG(poison->stream),
		 why->text);
	follow_linked(projector, projection, &before, poison->position - 1, &checkpoint);
	checkpoint.stopped = true;
	checkpoint.poison = poison->position;
	checkpoint.reason = slice_text(reason);
	if (batch(projector, projection, &before, &checkpoint, &done, fault) != 0)
		return -1;
	follow_reached(projector, projection, checkpoint.position);
	projection->now.stopped = true;
	projection->now.rebuilding = false;
	projection->now.poison = checkpoint.poison;
	projection->now.oldest_us = poison->recorded_at_us;
	memcpy(projection->now.reason, reason, sizeof(reason));
	log_line(LOG_ERROR, "projection stopped at a poison event",
		 log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_int("position", (int64_t)poison->position),
		 log_slice("stream", poison->stream), log_slice("type", poison->type), log_text("reason", why->text));
	return 0;
}

/* Gives false when the projection met something that may pass. */
static bool
project(struct projector *projector, struct projection *projection, const struct entries *entries, log_position seen)
{
	struct view_checkpoint checkpoint;
	struct fault fault, again;
	size_t done;
	fault_clear(&fault);
	if (entries->count == 0 && seen - projection->stored < STORE_EVERY) {
		follow_reached(projector, projection, seen);
		return true;
	}
	follow_linked(projector, projection, entries, seen, &checkpoint);
	if (batch(projector, projection, entries, &checkpoint, &done, &fault) == 0) {
		follow_reached(projector, projection, seen);
		return true;
	}
	if (follow_is_poison(&fault) && done < entries->count &&
	    stop_at(projector, projection, entries, done, &fault, &again) == 0)
		return true;
	/* What wait_out halves is the batch that was too long, not the bound it stayed below. */
	if (is_killed(&fault) && entries->count < projector->batch)
		projector->batch = entries->count;
	if (is_killed(&fault) && done < entries->count)
		fault_prefix(&fault, "%.*s of %.*s", SLICE_ARG(entries->items[done].type),
			     SLICE_ARG(entries->items[done].stream));
	follow_wait_out(projector, projection, follow_is_poison(&fault) && done < entries->count ? &again : &fault);
	return false;
}

/* ---- pages ---- */

/* Ends the page where a commit ends, unless it holds nothing but a part of one. */
static void
cut_at_commit(struct entries *page, log_position *seen)
{
	if (page->count == 0)
		return;
	const struct recorded_entry *last = &page->items[page->count - 1];
	log_position first = last->commit_first;
	size_t count = page->count;
	if (first + last->commit_size - 1 <= *seen)
		return;
	while (count > 0 && page->items[count - 1].position >= first)
		count--;
	if (count == 0)
		return;
	page->count = count;
	*seen = first - 1;
}

/* A paused projector goes no further than its limit. */
static void
cut_at_limit(struct entries *page, log_position limit, log_position *seen)
{
	if (*seen <= limit)
		return;
	while (page->count > 0 && page->items[page->count - 1].position > limit)
		page->count--;
	*seen = limit;
}

static int
read_page(struct projector *projector, bool by_topics, log_position after, struct entries *page, log_position *seen,
	  int64_t *first_us, int64_t *last_us)
{
	struct log_filter filter = { .domain = projector->options.program->domain, .events_only = true };
	struct log_filter published = { .published_only = true };
	struct read_limit limit = { projector->batch, projector->options.batch_bytes };
	struct fault fault;
	arena_clear(&projector->page);
	if (store_read_log(projector->reader, after, by_topics ? &published : &filter, limit, &projector->page, page,
			   seen, &fault) != 0) {
		follow_wait_out(projector, NULL, &fault);
		return -1;
	}
	cut_at_commit(page, seen);
	cut_at_limit(page, projector->limit, seen);
	*first_us = page->count != 0 ? page->items[0].recorded_at_us : 0;
	*last_us = page->count != 0 ? page->items[page->count - 1].recorded_at_us : 0;
	return 0;
}

void
follow_tell_progress(struct projector *projector, struct projection *projection, log_position head)
{
	struct projection_shown *now = &projection->now;
	if (now->stopped || !now->rebuilding)
		return;
	bool ended = now->at >= head;
	int64_t clock = now_ns(projector);
	now->rebuilding = !ended;
	if (!ended && projection->told_ns != 0 && clock - projection->told_ns < TELL_EVERY_NS)
		return;
	projection->told_ns = clock;
	log_line(LOG_INFO, ended ? "projection rebuilt" : "projection rebuilding",
		 log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_int("position", (int64_t)now->at),
		 log_int("head", (int64_t)head), log_int("entries_a_second", (int64_t)now->rate),
		 log_int("seconds_left", ended            ? 0
					 : now->rate != 0 ? (int64_t)((head - now->at) / now->rate)
							  : -1));
}

/* One page for all projections that stand where `next` does and hear as it does. Gives false when one of them met
 * something that may pass. */
static bool
feed(struct projector *projector, const struct projection *next, log_position head)
{
	log_position after = next->now.at;
	bool by_topics = follow_by_topics(next);
	struct entries page;
	log_position seen;
	int64_t first_us, last_us;
	bool well = true;
	bool read = read_page(projector, by_topics, after, &page, &seen, &first_us, &last_us) == 0;
	for (size_t i = 0; i < projector->count; i++) {
		struct projection *projection = &projector->projections[i];
		if (projection->feed != NULL || projection->now.stopped || projection->visited ||
		    projection->now.at != after || follow_by_topics(projection) != by_topics)
			continue;
		projection->visited = true;
		if (!read)
			continue;
		projection->now.oldest_us = first_us;
		if (!project(projector, projection, &page, seen)) {
			well = false;
			continue;
		}
		if (!projection->now.stopped)
			projection->now.oldest_us = projection->now.at < head ? last_us : 0;
		follow_tell_progress(projector, projection, head);
	}
	return read && well;
}

/* The most advanced projection that is not up to date and was not visited in this round. */
static struct projection *
next_to_feed(struct projector *projector, log_position head)
{
	struct projection *next = NULL;
	head = head < projector->limit ? head : projector->limit;
	for (size_t i = 0; i < projector->count; i++) {
		struct projection *projection = &projector->projections[i];
		if (projection->feed != NULL || projection->now.stopped || projection->visited ||
		    projection->now.at >= head)
			continue;
		if (next == NULL || projection->now.at > next->now.at)
			next = projection;
	}
	return next;
}

bool
follow_round(struct projector *projector, log_position head)
{
	struct projection *projection;
	bool well = true, more = false,
	     idle = projector->limit != UINT64_MAX; /* held where it stands: that tells nothing */
	for (size_t i = 0; i < projector->count; i++)
		projector->projections[i].visited = false;
	projector->pause_ns = 0;
	for (; (projection = next_to_feed(projector, head)) != NULL; idle = false)
		well = feed(projector, projection, head) && well;
	if (projector->limit == UINT64_MAX)
		well = feed_round(projector) && well;
	if (well && !idle && projector->failures != 0) {
		projector->failures = 0;
		projector->trouble[0] = '\0';
		log_line(LOG_INFO, "projector goes on", log_slice("domain", projector->options.program->domain));
	}
	if (well && projector->batch < projector->options.batch_entries)
		projector->batch++;
	for (size_t i = 0; i < projector->count; i++) {
		const struct projection_shown *now = &projector->projections[i].now;
		if (now->by_bus)
			continue;
		more = more || (!now->stopped && now->at < head && now->at < projector->limit);
		/* An empty log has no page that would end a rebuild. */
		if (head == 0)
			follow_tell_progress(projector, &projector->projections[i], head);
	}
	return well && (more || feed_wait_ns(projector) == 0);
}

/* ---- orders and idle moments ---- */

static int
mark(struct projector *projector, struct projection *projection, log_position position, struct fault *fault)
{
	struct view_checkpoint checkpoint;
	struct entries none = { NULL, 0 };
	size_t done;
	follow_linked(projector, projection, NULL, position, &checkpoint);
	return batch(projector, projection, &none, &checkpoint, &done, fault);
}

static int
rebuild(struct projector *projector, struct projection *projection, struct fault *fault)
{
	const struct script_projection *script = projection->script;
	if (view_reset(projector->options.view, script->name, script->tables, script->table_count, fault) != 0)
		return -1;
	atomic_store(&projector->read, false);
	projection->stored = 0;
	projection->rate_since_ns = projection->told_ns = 0;
	projection->now.at = projection->now.poison = 0;
	projection->now.oldest_us = 0;
	projection->now.rate = 0;
	projection->now.stopped = false;
	projection->now.rebuilding = true;
	projection->now.reason[0] = '\0';
	follow_say(LOG_WARN, "projection is rebuilt by order", projector, projection);
	return 0;
}

static int
leave_poison(struct projector *projector, struct projection *projection, bool skip, struct fault *fault)
{
	log_position poison = projection->now.poison, position = skip ? poison : projection->now.at;
	if (mark(projector, projection, position, fault) != 0)
		return -1;
	log_line(LOG_WARN, skip ? "poison event skipped by order" : "poison event is tried again by order",
		 log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_int("position", (int64_t)poison),
		 log_text("reason", projection->now.reason));
	follow_reached(projector, projection, position);
	projection->now.stopped = false;
	projection->now.poison = 0;
	return 0;
}

static void
take_note(struct projector *projector, struct projection *projection, const char *note, bool failed)
{
	snprintf(projection->now.note, sizeof(projection->now.note), "%s", note);
	projection->now.note_failed = failed;
	log_line(failed ? LOG_WARN : LOG_INFO,
		 failed ? "part of a projection not rebuilt" : "part of a projection rebuilt",
		 log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_text("note", note));
	pthread_mutex_lock(&projector->lock);
	struct part *part = projection->part;
	projection->part = NULL;
	pthread_mutex_unlock(&projector->lock);
	part_free(part);
}

/* What may pass is tried again; anything else is told in the note. */
static int
remake(struct projector *projector, struct projection *projection, struct fault *fault)
{
	struct view_checkpoint checkpoint;
	char note[sizeof(projection->now.note)];
	if (projection->now.stopped) {
		take_note(projector, projection, "the projection is stopped: retry or skip the event first", true);
		return 0;
	}
	follow_linked(projector, projection, NULL, projection->now.at, &checkpoint);
	if (part_rebuild(projector, projection, projection->part, &checkpoint, note, sizeof(note), fault) != 0) {
		if (!follow_is_poison(fault))
			return -1;
		take_note(projector, projection, fault->text, true);
		return 0;
	}
	projection->stored = checkpoint.position;
	take_note(projector, projection, note, false);
	return 0;
}

static int
obey_feed(struct projector *projector, struct projection *projection, unsigned asked, struct fault *fault)
{
	if ((asked & (1U << PROJECTION_REBUILD)) != 0)
		return feed_obey(projector, projection, PROJECTION_REBUILD, fault);
	if (!projection->now.stopped)
		return 0;
	if ((asked & (1U << PROJECTION_SKIP)) != 0 && atomic_load(&projection->asked_poison) == projection->now.poison)
		return feed_obey(projector, projection, PROJECTION_SKIP, fault);
	if ((asked & (1U << PROJECTION_RETRY)) != 0)
		return feed_obey(projector, projection, PROJECTION_RETRY, fault);
	return 0;
}

static int
obey(struct projector *projector, struct projection *projection, unsigned asked, struct fault *fault)
{
	if (projection->feed != NULL)
		return obey_feed(projector, projection, asked, fault);
	if ((asked & (1U << PROJECTION_REBUILD)) != 0) {
		if ((asked & (1U << PROJECTION_REBUILD_PART)) != 0)
			take_note(projector, projection, "all of it is rebuilt", false);
		return rebuild(projector, projection, fault);
	}
	if ((asked & (1U << PROJECTION_REBUILD_PART)) != 0 && remake(projector, projection, fault) != 0)
		return -1;
	if (!projection->now.stopped)
		return 0;
	if ((asked & (1U << PROJECTION_SKIP)) != 0 && atomic_load(&projection->asked_poison) == projection->now.poison)
		return leave_poison(projector, projection, true, fault);
	if ((asked & (1U << PROJECTION_RETRY)) != 0)
		return leave_poison(projector, projection, false, fault);
	return 0;
}

void
follow_orders(struct projector *projector)
{
	for (size_t i = 0; i < projector->count; i++) {
		struct projection *projection = &projector->projections[i];
		unsigned asked = atomic_exchange(&projection->asked, 0);
		struct fault fault;
		if (asked == 0 || obey(projector, projection, asked, &fault) == 0)
			continue;
		atomic_fetch_or(&projection->asked, asked);
		follow_wait_out(projector, projection, &fault);
	}
}

void
follow_store(struct projector *projector)
{
	for (size_t i = 0; i < projector->count; i++) {
		struct projection *projection = &projector->projections[i];
		struct fault fault;
		if (projection->feed != NULL || projection->now.stopped || projection->stored == projection->now.at)
			continue;
		if (mark(projector, projection, projection->now.at, &fault) != 0)
			log_fault(LOG_WARN, "position of a projection not written", &fault);
	}
}
