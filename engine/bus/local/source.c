/* SPDX-License-Identifier: MIT */
/*
 * Reads the log page by page through a reader of its own and gives what is wanted; what lies between is told as passed
 * once a page, so that a listener's place moves on. Never past the durable head, hence an entry is given only when it
 * cannot vanish any more [I4].
 *
 * Fails: a place past the end, or before the beginning, is told as gone: the store is another one, or an older copy.
 */
#include <stdlib.h>

#include "bus/local/local.h"

#define PAGE_ENTRIES 256
#define PAGE_BYTES   ((size_t)256 * 1024)
#define PAGE_MEMORY  ((size_t)64 << 20)

struct local_source {
	struct source base;
	struct store *store;
	struct store_reader *reader;
	struct arena names; /* what is wanted, copied */
	struct slice *topics;
	size_t topic_count;
	struct slice own_events;
	struct arena page; /* of `entries` */
	struct entries entries;
	size_t next;          /* of them */
	log_position seen;    /* the page reaches to here */
	log_position told;    /* a position that was given, or told as passed */
	bool assigned, begun; /* the lane was offered; has a place */
	bool paused;
	uint64_t gone; /* the offset that is not there; 0: none */
};

static const struct source_lane the_lane = { { "", 0 }, 0 };

static struct local_source *
self_of(struct source *source)
{
	return container_of(source, struct local_source, base);
}

static void
local_close(struct source *source)
{
	struct local_source *self = self_of(source);

	store_reader_close(self->reader);
	arena_fini(&self->page);
	arena_fini(&self->names);
	free(self);
}

static bool
is_wanted(const struct local_source *self, const struct recorded_entry *entry)
{
	struct slice own = self->own_events;

	if (own.size != 0 && entry->kind == ENTRY_EVENT && slice_starts_with(entry->stream, own) &&
	    entry->stream.data[own.size] == '.')
		return true;
	for (size_t i = 0; entry->topic.size != 0 && i < self->topic_count; i++)
		if (slice_equal(self->topics[i], entry->topic))
			return true;
	return false;
}

/* As little of the log as must be looked at. */
static struct log_filter
filter_of(const struct local_source *self)
{
	if (self->own_events.size == 0)
		return (struct log_filter){ .published_only = true };
	if (self->topic_count == 0)
		return (struct log_filter){ .domain = self->own_events, .events_only = true };
	return (struct log_filter){ 0 };
}

static int
read_page(struct local_source *self, struct fault *fault)
{
	struct log_filter filter = filter_of(self);
	struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };

	arena_clear(&self->page);
	self->entries = (struct entries){ 0 };
	self->next = 0;
	return store_read_log(self->reader, self->seen, &filter, limit, &self->page, &self->entries, &self->seen,
			      fault);
}

static int
copy_entry(struct arena *arena, const struct recorded_entry *from, struct recorded_entry **copy, struct fault *fault)
{
	struct recorded_entry *to = arena_alloc(arena, sizeof(*to));
	struct slice *slices[] = { &to->stream,
				   &to->type,
				   &to->data,
				   &to->topic,
				   &to->key,
				   &to->headers,
				   &to->provenance.correlation_id,
				   &to->provenance.causation_id,
				   &to->provenance.traceparent,
				   &to->provenance.actor };
	bool held = to != NULL;

	if (held)
		*to = *from;
	for (size_t i = 0; held && i < countof(slices); i++)
		if (slices[i]->size != 0)
			held = (*slices[i] = arena_copy(arena, *slices[i])).data != NULL;
	*copy = to;
	return held ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a message");
}

static int
give(struct local_source *self, const struct recorded_entry *found, struct arena *arena, struct source_event *event,
     struct fault *fault)
{
	struct recorded_entry *entry;

	if (copy_entry(arena, found, &entry, fault) != 0)
		return -1;
	self->next++;
	self->told = entry->position;
	event->what = SOURCE_MESSAGE;
	event->offset = entry->position;
	event->message = (struct message){
		.topic = entry->topic, .key = entry->key, .value = entry->data, .time_us = entry->recorded_at_us
	};
	event->entry = entry;
	return 0;
}

static int
local_next(struct source *source, struct arena *arena, struct source_event *event, struct fault *fault)
{
	struct local_source *self = self_of(source);

	event->lane = the_lane;
	if (!self->assigned) {
		self->assigned = true;
		event->what = SOURCE_ASSIGNED;
		return 0;
	}
	if (self->gone != 0) {
		fault_set(fault, FAULT_CONFIG, "offset_gone",
			  "position %llu of the log was taken before, and the log ends at %llu",
			  (unsigned long long)self->gone - 1, (unsigned long long)store_head(self->store));
		self->gone = 0;
		event->what = SOURCE_GONE;
		event->offset = store_head(self->store) + 1;
		return 0;
	}
	if (!self->begun || self->paused)
		return 0;
	if (self->next == self->entries.count && store_head(self->store) != self->seen && read_page(self, fault) != 0)
		return -1;
	for (; self->next < self->entries.count; self->next++)
		if (is_wanted(self, &self->entries.items[self->next]))
			return give(self, &self->entries.items[self->next], arena, event, fault);
	if (self->seen > self->told) {
		self->told = self->seen;
		event->what = SOURCE_PASSED;
		event->offset = self->seen + 1;
	}
	return 0;
}

static int
local_begin(struct source *source, const struct source_lane *lane, uint64_t offset, struct fault *fault)
{
	struct local_source *self = self_of(source);
	log_position after = offset == SOURCE_START || offset == 0 ? 0 : offset - 1;

	(void)lane;
	(void)fault;
	self->entries = (struct entries){ 0 };
	self->next = 0;
	self->seen = self->told = after;
	self->begun = after <= store_head(self->store);
	self->gone = self->begun ? 0 : offset;
	return 0;
}

static int
local_pause(struct source *source, const struct source_lane *lane, bool paused, struct fault *fault)
{
	(void)lane;
	(void)fault;
	self_of(source)->paused = paused;
	return 0;
}

static void
local_told(struct source *source, const struct source_lane *lane, uint64_t next)
{
	(void)source;
	(void)lane;
	(void)next;
}

/* Entries, wanted or not. */
static uint64_t
local_behind(struct source *source)
{
	const struct local_source *self = self_of(source);
	log_position head = store_head(self->store);

	return head > self->told ? head - self->told : 0;
}

static int
copy_wanted(struct local_source *self, const struct source_wanted *wanted)
{
	self->topics = arena_zero(&self->names, wanted->topic_count + 1, sizeof(struct slice));
	self->own_events = arena_copy(&self->names, wanted->own_events);
	if (self->topics == NULL || self->own_events.data == NULL)
		return -1;
	for (size_t i = 0; i < wanted->topic_count; i++)
		if ((self->topics[i] = arena_copy(&self->names, wanted->topics[i])).data == NULL)
			return -1;
	self->topic_count = wanted->topic_count;
	return 0;
}

static int
local_open(void *store, const struct source_wanted *wanted, struct source **source, struct fault *fault)
{
	static const struct source_ops ops = { .close = local_close,
					       .next = local_next,
					       .begin = local_begin,
					       .pause = local_pause,
					       .told = local_told,
					       .behind = local_behind };
	struct local_source *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a source");
	self->base = (struct source){ .ops = &ops, .kind = "local" };
	self->store = store;
	arena_init(&self->names, (size_t)1 << 20);
	arena_init(&self->page, PAGE_MEMORY);
	if (copy_wanted(self, wanted) != 0)
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for a source");
	else if (store_reader_open(store, &self->reader, fault) == 0) {
		*source = &self->base;
		return 0;
	}
	arena_fini(&self->names);
	free(self);
	return -1;
}

struct source_maker
local_source(struct store *store)
{
	return (struct source_maker){ .open = local_open, .self = store };
}
