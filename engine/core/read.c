/* SPDX-License-Identifier: MIT */
/*
 * What each kind of read does. Streams and log give recorded bytes, which no reload changes; state, history and
 * queries go through the domain's scripts. A page is read in bites and written into the answer bite by bite, so that
 * memory stays small and warm however long the page is.
 *
 * A failed read leaves what it wrote in `out`; the asker looks at the outcome first.
 */
#include "base/json.h"
#include "base/log.h"
#include "core/load.h"
#include "core/reader.h"
#include "core/render.h"
#include "core/routes.h"
#include "core/table.h"
#include "core/today.h"

#define BITE_ENTRIES 256
#define BITE_BYTES   ((size_t)512 * 1024)
#define PAGE_ENTRIES 100
#define PAGE_BYTES   ((size_t)1 << 20)
#define KEPT_ENTRIES 1000
#define HISTORY_MOST 10000

static void
missing(struct engine_read *read, const char *code, const char *what, struct slice name)
{
	read->outcome = OUTCOME_MISSING;
	fault_set(&read->fault, FAULT_INPUT, code, "there is no %s %.*s", what, SLICE_ARG(name));
}

static struct domain *
find_domain(const struct reader *reader, struct slice name)
{
	for (size_t i = 0; i < reader->domain_count; i++)
		if (slice_equal(reader->domains[i]->name, name))
			return reader->domains[i];
	return NULL;
}

/* For render: the id of a commit's first entry, where it is not on the page. */
static int
first_id(void *self, log_position commit_first, struct id *id)
{
	struct reader *reader = self;
	struct arena_mark mark = arena_mark(&reader->pages);
	struct read_limit one = { 1, 0 };
	struct entries entries = { 0 };
	log_position seen;
	struct fault fault;
	int result = -1;

	if (store_read_log(reader->store_reader, commit_first - 1, NULL, one, &reader->pages, &entries, &seen,
			   &fault) == 0 &&
	    entries.count == 1) {
		*id = entries.items[0].id;
		result = 0;
	}
	arena_reset(&reader->pages, mark);
	return result;
}

static int
write_entries(struct reader *reader, struct engine_read *read, struct render *render, const struct entries *entries)
{
	if (read->upcast)
		return today_write(reader, read, render, entries);
	for (size_t i = 0; i < entries->count; i++) {
		if (!read->ndjson && read->entries != 0)
			buf_byte(read->out, ',');
		render_entry(render, &entries->items[i], read->out);
		if (read->ndjson)
			buf_byte(read->out, '\n');
		read->entries++;
	}
	return 0;
}

static struct read_limit
next_bite(const struct engine_read *read, size_t limit, size_t written)
{
	size_t bytes = read->bytes != 0 ? read->bytes : PAGE_BYTES;
	size_t left = limit - read->entries;
	struct read_limit bite = { left < BITE_ENTRIES ? left : BITE_ENTRIES, BITE_BYTES };

	if (written >= bytes)
		return (struct read_limit){ read->entries == 0, 0 };
	if (bytes - written < bite.bytes)
		bite.bytes = bytes - written;
	return bite;
}

/* Brings the stream's page up to `end` (exclusive), as far as the stream goes. *kept false: it is too large to keep. */
static int
fill_page(struct reader *reader, struct engine_read *read, struct page *page, stream_version end, bool *kept)
{
	struct render render = { .first_id = first_id, .self = reader };
	size_t bytes = read->bytes != 0 ? read->bytes : PAGE_BYTES, before = page->text.size;
	bool whole;

	*kept = true;
	do {
		struct arena_mark mark = arena_mark(&reader->pages);
		stream_version next = page_end(page);
		/* With nothing to add, the version is still the store's to tell. */
		size_t left = next < end ? (size_t)(end - next) : 1;
		struct read_limit bite = { left < BITE_ENTRIES ? left : BITE_ENTRIES, BITE_BYTES };
		struct entries entries = { 0 };

		if (store_read_stream(reader->store_reader, read->stream, next, bite, &reader->pages, &entries,
				      &read->version, &read->fault) != 0)
			return -1;
		for (size_t i = 0; i < entries.count && next < end && *kept; i++) {
			render_entry(&render, &entries.items[i], &page->text);
			*kept = page_added(&reader->shown, page);
		}
		arena_reset(&reader->pages, mark);
		whole = entries.count == 0 || !*kept || page_end(page) >= end || page_end(page) > read->version;
	} while (!whole && page->text.size - before < bytes);
	return 0;
}

/* The page's events from `next` to `end`; gives the version after the last one written. */
static stream_version
write_page(struct engine_read *read, const struct page *page, stream_version next, stream_version end)
{
	size_t bytes = read->bytes != 0 ? read->bytes : PAGE_BYTES, start = read->out->size;

	while (next < end && next < page_end(page) && (read->entries == 0 || read->out->size - start < bytes)) {
		if (!read->ndjson && read->entries != 0)
			buf_byte(read->out, ',');
		buf_add(read->out, page_event(page, next++));
		if (read->ndjson)
			buf_byte(read->out, '\n');
		read->entries++;
	}
	return next;
}

/* A page that is too large to keep goes out as it is read. */
static int
write_unkept(struct reader *reader, struct engine_read *read, stream_version *next, size_t limit)
{
	struct render render = { .first_id = first_id, .self = reader };
	size_t start = read->out->size;

	for (;;) {
		struct arena_mark mark = arena_mark(&reader->pages);
		struct read_limit bite = next_bite(read, limit, read->out->size - start);
		struct entries entries = { 0 };

		if (bite.entries == 0)
			return 0;
		if (store_read_stream(reader->store_reader, read->stream, *next, bite, &reader->pages, &entries,
				      &read->version, &read->fault) != 0)
			return -1;
		if (write_entries(reader, read, &render, &entries) != 0)
			return -1;
		if (entries.count != 0)
			*next = entries.items[entries.count - 1].version + 1;
		arena_reset(&reader->pages, mark);
		if (entries.count == 0 || *next > read->version)
			return 0;
	}
}

static int
write_stream(struct reader *reader, struct engine_read *read, stream_version *next)
{
	size_t limit = read->limit != 0 ? read->limit : PAGE_ENTRIES;
	bool kept = limit <= KEPT_ENTRIES && !read->upcast;
	struct page *page = kept ? page_open(&reader->shown, read->stream, slice_hash(read->stream, 0), *next) : NULL;

	kept = page != NULL;
	if (kept && fill_page(reader, read, page, *next + limit, &kept) != 0)
		return -1;
	if (!kept)
		return write_unkept(reader, read, next, limit);
	*next = write_page(read, page, *next, *next + limit);
	page_shelf_shrink(&reader->shown);
	return 0;
}

static int
read_stream(struct reader *reader, struct engine_read *read)
{
	stream_version next = read->from != 0 ? read->from : 1;

	if (!read->ndjson) {
		buf_text(read->out, "{\"stream\":");
		json_quote(read->out, read->stream);
		buf_text(read->out, ",\"events\":[");
	}
	if (write_stream(reader, read, &next) != 0)
		return -1;
	if (read->version == 0)
		missing(read, "no_such_stream", "stream", read->stream);
	read->next = next <= read->version ? next : 0;
	if (!read->ndjson) {
		buf_text(read->out, "],\"version\":");
		buf_u64(read->out, read->version);
		buf_text(read->out, ",\"next\":");
		if (read->next != 0)
			buf_u64(read->out, read->next);
		else
			buf_text(read->out, "null");
		buf_byte(read->out, '}');
	}
	return 0;
}

static int
read_log(struct reader *reader, struct engine_read *read)
{
	struct render render = { .first_id = first_id, .self = reader };
	struct log_filter filter = { .domain = read->domain,
				     .stream_prefix = read->stream_prefix,
				     .published_only = read->published_only };
	bool filtered = read->domain.size != 0 || read->stream_prefix.size != 0 || read->published_only;
	size_t limit = read->limit != 0 ? read->limit : PAGE_ENTRIES, start = read->out->size;
	log_position head = store_head(reader->parts->store);

	if (!read->ndjson)
		buf_text(read->out, "{\"entries\":[");
	read->next = read->from;
	for (;;) {
		struct arena_mark mark = arena_mark(&reader->pages);
		struct read_limit bite = next_bite(read, limit, read->out->size - start);
		struct entries entries = { 0 };
		log_position seen = read->next;

		if (bite.entries == 0)
			break;
		if (store_read_log(reader->store_reader, read->next, filtered ? &filter : NULL, bite, &reader->pages,
				   &entries, &seen, &read->fault) != 0)
			return -1;
		if (write_entries(reader, read, &render, &entries) != 0)
			return -1;
		arena_reset(&reader->pages, mark);
		if (seen == read->next)
			break;
		read->next = seen;
		if (seen >= head)
			break;
	}
	if (!read->ndjson) {
		buf_text(read->out, "],\"next\":");
		buf_u64(read->out, read->next);
		buf_text(read->out, ",\"head\":");
		buf_u64(read->out, store_head(reader->parts->store));
		buf_byte(read->out, '}');
	}
	return 0;
}

/* By which rules a stream is read. */
struct rules_found {
	bool there; /* else the answer says what is missing */
	unsigned domain;
	struct seat *seat;
	uint16_t aggregate;
	const struct script_route *route;
};

/* Domain and aggregate of a stream. */
static int
find_rules(struct reader *reader, struct engine_read *read, struct rules_found *found, struct stream_name *name)
{
	struct domain *domain;
	int aggregate;

	*found = (struct rules_found){ 0 };
	if (stream_parse(read->stream, name, &read->fault) != 0)
		return -1;
	domain = find_domain(reader, name->domain);
	if (domain == NULL) {
		missing(read, "no_such_domain", "domain", name->domain);
		return 0;
	}
	found->domain = domain->number;
	found->seat = reader_seat(reader, domain, &read->fault);
	if (found->seat == NULL)
		return -1;
	aggregate = script_find_aggregate(found->seat->rules->program, name->aggregate);
	if (aggregate < 0)
		missing(read, "no_such_aggregate", "aggregate", name->aggregate);
	found->there = aggregate >= 0;
	found->aggregate = found->there ? (uint16_t)aggregate : 0;
	found->route = routes_same(found->seat->rules->program, read->route);
	return 0;
}

/* The stream's last version recorded at or before a time; 0 when it did not exist yet. */
static int
version_at_time(struct reader *reader, struct engine_read *read, stream_version *version)
{
	log_position until;
	stream_version last = 0;
	bool passed = false;

	*version = 0;
	if (store_position_at(reader->store_reader, read->at_time_us, &until, &read->fault) != 0)
		return -1;
	do {
		struct arena_mark mark = arena_mark(&reader->pages);
		struct read_limit bite = { BITE_ENTRIES, BITE_BYTES };
		struct entries entries = { 0 };

		if (store_read_stream(reader->store_reader, read->stream, *version + 1, bite, &reader->pages, &entries,
				      &last, &read->fault) != 0)
			return -1;
		for (size_t i = 0; i < entries.count && !passed; i++) {
			passed = entries.items[i].position > until;
			*version = passed ? *version : entries.items[i].version;
		}
		passed = passed || entries.count == 0;
		arena_reset(&reader->pages, mark);
	} while (!passed && *version < last);
	return 0;
}

static int
show_state(struct reader *reader, struct engine_read *read, const struct rules_found *found, struct slice id,
	   script_state state)
{
	struct show_request request = { .aggregate = found->aggregate,
					.id = id,
					.version = read->version,
					.state = state,
					.route = found->route,
					.context = { .now_us = clock_wall_us(reader->parts->clock),
						     .caller = read->caller } };

	if (read->route == NULL) {
		buf_text(read->out, "{\"stream\":");
		json_quote(read->out, read->stream);
		buf_text(read->out, ",\"version\":");
		buf_u64(read->out, read->version);
		buf_text(read->out, ",\"state\":");
	}
	if (script_show(found->seat->machine, &request, read->out, &read->fault) != 0) {
		if (read->fault.class == FAULT_INPUT)
			read->outcome = OUTCOME_REFUSED;
		return -1;
	}
	if (read->route == NULL)
		buf_byte(read->out, '}');
	return 0;
}

static int
read_state_now(struct reader *reader, struct engine_read *read, const struct rules_found *found, struct slice id)
{
	struct loading loading = {
		reader->store_reader, found->seat->machine, &reader->pages, found->aggregate, false, NULL
	};
	uint64_t hash = slice_hash(read->stream, 0);
	struct cached *cached =
		cache_open(&reader->cache, (uint16_t)found->domain, found->seat, found->aggregate, read->stream, hash);
	stream_version version;
	script_state state;
	int result;

	if (cached == NULL)
		return fault_set(&read->fault, FAULT_MEMORY, "memory", "no memory for a state");
	state = cached->state;
	version = cached->version;
	result = load_stream(&loading, read->stream, 0, &state, &version, &read->fault);
	cache_set(cached, state, version);
	read->version = version;
	if (result == 0 && version == 0)
		missing(read, "no_such_stream", "stream", read->stream);
	else if (result == 0)
		result = show_state(reader, read, found, id, state);
	cache_close(&reader->cache, cached);
	return result;
}

/* Is it the stream that is not there, or only what was asked for? */
static int
missing_then(struct reader *reader, struct engine_read *read)
{
	struct read_limit limit = { .entries = 1 };
	struct entries entries;
	stream_version end;

	if (store_read_stream(reader->store_reader, read->stream, STORE_BEYOND, limit, &reader->pages, &entries, &end,
			      &read->fault) != 0)
		return -1;
	missing(read, end == 0 ? "no_such_stream" : "no_such_version", "stream", read->stream);
	if (end != 0 && read->has_at_version)
		fault_set(&read->fault, FAULT_INPUT, "no_such_version", "%.*s has versions 1 to %llu, not %llu",
			  SLICE_ARG(read->stream), (unsigned long long)end, (unsigned long long)read->at_version);
	else if (end != 0)
		fault_set(&read->fault, FAULT_INPUT, "no_such_version", "%.*s began after that time",
			  SLICE_ARG(read->stream));
	return 0;
}

static int
read_state_then(struct reader *reader, struct engine_read *read, const struct rules_found *found, struct slice id)
{
	struct loading loading = {
		reader->store_reader, found->seat->machine, &reader->pages, found->aggregate, false, NULL
	};
	stream_version wanted = read->at_version, version = 0;
	script_state state = 0;
	int result;

	if (read->has_at_time && version_at_time(reader, read, &wanted) != 0)
		return -1;
	if (wanted != 0 && load_stream(&loading, read->stream, wanted, &state, &version, &read->fault) != 0)
		return -1;
	if (version == 0 || version != wanted) {
		result = missing_then(reader, read);
	} else {
		read->version = version;
		result = show_state(reader, read, found, id, state);
	}
	if (state != 0)
		script_state_release(found->seat->machine, state);
	return result;
}

static int
read_state(struct reader *reader, struct engine_read *read)
{
	size_t start = read->out->size;
	struct rules_found found;
	struct stream_name name;
	int result;

	if ((result = find_rules(reader, read, &found, &name)) != 0 || !found.there)
		return result;
	result = (read->has_at_version || read->has_at_time ? read_state_then : read_state_now)(reader, read, &found,
												name.id);
	if (result == 0 || read->fault.class != FAULT_SCRIPT ||
	    domain_decides(reader->domains[found.domain], found.seat->rules))
		return result;
	read->out->size = start; /* replaced meanwhile, they may have met what the new ones recorded */
	return read_state(reader, read);
}

static int
read_history(struct reader *reader, struct engine_read *read)
{
	size_t limit = read->limit != 0 ? read->limit : HISTORY_MOST;
	struct rules_found found;
	struct stream_name name;
	uint64_t next = read->from + 1;

	if (find_rules(reader, read, &found, &name) != 0)
		return -1;
	if (!found.there)
		return 0;
	buf_byte(read->out, '[');
	while (read->entries < limit) {
		struct arena_mark mark = arena_mark(&reader->pages);
		size_t left = limit - read->entries;
		struct read_limit bite = { left < BITE_ENTRIES ? left : BITE_ENTRIES, BITE_BYTES };
		struct entries entries = { 0 };

		if (store_read_stream(reader->store_reader, read->stream, next, bite, &reader->pages, &entries,
				      &read->version, &read->fault) != 0)
			return -1;
		for (size_t i = 0; i < entries.count; i++)
			if (today_history(reader, read, found.seat->machine, found.aggregate, &entries.items[i]) != 0)
				return -1;
		if (entries.count != 0)
			next = entries.items[entries.count - 1].version + 1;
		arena_reset(&reader->pages, mark);
		if (entries.count == 0 || next > read->version)
			break;
	}
	buf_byte(read->out, ']');
	read->next = next <= read->version ? next - 1 : 0;
	if (read->version == 0)
		missing(read, "no_such_stream", "stream", read->stream);
	return 0;
}

/* The writer may not have met it yet: what it needs lies in its memory. */
static void
tell_damage(const struct reader *reader, struct readside *readside, const struct fault *fault)
{
	if (readside == NULL || strcmp(fault->code, "view_corrupt") != 0 || atomic_exchange(&readside->damaged, true))
		return;
	log_fault(LOG_ERROR, "a query found its read model damaged", fault);
	mailbox_nudge(reader->healer);
}

static int
run_query(struct reader *reader, struct engine_read *read, const struct window *window, uint16_t query)
{
	struct view_reader *view = window->view;
	struct query_request request = { .query = query,
					 .params = read->params,
					 .param_count = read->param_count,
					 .context = { .now_us = clock_wall_us(reader->parts->clock),
						      .caller = read->caller },
					 .route = routes_same(window->rules->program, read->route) };
	int result;

	entropy_fill(reader->parts->entropy, request.context.seed, sizeof(request.context.seed));
	read->as_of = readside_position(window->readside, reader->parts->store);
	if (view != NULL && view_reader_begin(view, &read->fault) != 0)
		return -1;
	request.rows = view != NULL ? view_reader_rows(view) : NULL;
	if (read->kind == READ_TABLE)
		result = table_page(request.rows, read, &reader->pages);
	else
		result = script_query(window->seat->machine, &request, read->out, &read->fault);
	if (view != NULL)
		view_reader_end(view);
	if (result != 0 && read->fault.class == FAULT_INPUT && read->fault.native != 0)
		read->outcome = OUTCOME_REFUSED;
	return result;
}

/* false: has to wait. */
static bool
read_query(struct reader *reader, struct engine_read *read, int *result)
{
	struct domain *domain = find_domain(reader, read->domain);
	struct window *window;
	int query;

	*result = 0;
	if (domain == NULL) {
		missing(read, "no_such_domain", "domain", read->domain);
		return true;
	}
	window = reader_window(reader, domain, &read->fault);
	*result = window != NULL ? 0 : -1;
	if (window == NULL)
		return true;
	query = read->kind == READ_QUERY ? script_find_query(window->rules->program, read->query) : 0;
	if (query < 0) {
		missing(read, "no_such_query", "query", read->query);
	} else if (window->readside != NULL && window->readside->projector != NULL &&
		   read->at_least > projector_position(window->readside->projector)) {
		projector_hurry(window->readside->projector);
		return false;
	} else {
		*result = run_query(reader, read, window, (uint16_t)query);
		if (*result != 0)
			tell_damage(reader, window->readside, &read->fault);
	}
	return true;
}

bool
read_answer(struct reader *reader, struct engine_read *read)
{
	int result = -1;

	read->outcome = OUTCOME_ACCEPTED;
	switch (read->kind) {
	case READ_STREAM:
		result = read_stream(reader, read);
		break;
	case READ_LOG:
		result = read_log(reader, read);
		break;
	case READ_STATE:
		result = read_state(reader, read);
		break;
	case READ_HISTORY:
		result = read_history(reader, read);
		break;
	case READ_QUERY:
	case READ_TABLE:
		if (!read_query(reader, read, &result))
			return false;
		break;
	}
	if (result != 0 && read->outcome == OUTCOME_ACCEPTED)
		read->outcome = OUTCOME_FAILED;
	return true;
}

void
read_timed_out(struct engine_read *read)
{
	read->outcome = OUTCOME_FAILED;
	fault_set(&read->fault, FAULT_TIMEOUT, "not_yet", "the projections have not come to position %llu yet",
		  (unsigned long long)read->at_least);
}
