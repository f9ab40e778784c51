/* SPDX-License-Identifier: MIT */
/*
 * Rendered events of streams that were read lately: what is recorded never changes, so a page only ever grows at its
 * end. The reader asks the store for what comes after a page, which also tells the stream's version, and so never shows
 * less than the store has.
 *
 * Thread: one. Bounded in bytes; the least recently used goes first.
 */
#ifndef MOONLOG_CORE_PAGE_H
#define MOONLOG_CORE_PAGE_H

#include "base/buf.h"
#include "model/stream.h"

#define PAGE_MOST_BYTES ((size_t)512 * 1024)

struct page {
	struct page *next; /* in its bucket */
	struct page *newer, *older;
	uint64_t hash;
	stream_version first; /* of the events from here ... */
	size_t count;         /* ... so many are here */
	struct buf text;      /* behind each other */
	uint32_t *ends;       /* of each, in `text` */
	size_t ends_room;
	size_t weight;
	size_t name_size;
	char name[];
};

struct page_shelf {
	struct page *buckets[1024];
	struct page *newest, *oldest;
	size_t bytes;
	size_t limit;
};

void page_shelf_init(struct page_shelf *shelf, size_t limit);
void page_shelf_fini(struct page_shelf *shelf);

/*
 * The stream's page, as the one used last: it holds events from `from` on, or can go on with `from`. NULL: no memory.
 */
struct page *page_open(struct page_shelf *shelf, struct slice stream, uint64_t hash, stream_version from);
/* Whoever adds an event appends it to `text` first. false: no memory, or too large; the page was dropped then. */
bool page_added(struct page_shelf *shelf, struct page *page);
struct slice page_event(const struct page *page, stream_version version);
/* The version after the last event here. */
static inline stream_version
page_end(const struct page *page)
{
	return page->first + page->count;
}
/* Drops the least recently used ones while the shelf is too heavy; not while a page is in use. */
void page_shelf_shrink(struct page_shelf *shelf);

#endif
