/* SPDX-License-Identifier: MIT */
/*
 * A hash table of pages on one list by use. A page that cannot grow is dropped: it will be read from the store again.
 */
#include "core/page.h"

#include <stdlib.h>

void
page_shelf_init(struct page_shelf *shelf, size_t limit)
{
	*shelf = (struct page_shelf){ .limit = limit };
}

static void
take_off(struct page_shelf *shelf, struct page *page)
{
	*(page->newer != NULL ? &page->newer->older : &shelf->newest) = page->older;
	*(page->older != NULL ? &page->older->newer : &shelf->oldest) = page->newer;
}

static void
put_on(struct page_shelf *shelf, struct page *page)
{
	page->older = shelf->newest;
	page->newer = NULL;
	if (shelf->newest != NULL)
		shelf->newest->newer = page;
	else
		shelf->oldest = page;
	shelf->newest = page;
}

static struct page **
place_of(struct page_shelf *shelf, struct slice stream, uint64_t hash)
{
	struct page **place = &shelf->buckets[hash % countof(shelf->buckets)];

	while (*place != NULL &&
	       !((*place)->hash == hash && slice_equal(slice_from((*place)->name, (*place)->name_size), stream)))
		place = &(*place)->next;
	return place;
}

static void
drop(struct page_shelf *shelf, struct page *page)
{
	struct page **place = place_of(shelf, slice_from(page->name, page->name_size), page->hash);

	*place = page->next;
	take_off(shelf, page);
	shelf->bytes -= page->weight;
	buf_fini(&page->text);
	free(page->ends);
	free(page);
}

void
page_shelf_fini(struct page_shelf *shelf)
{
	while (shelf->newest != NULL)
		drop(shelf, shelf->newest);
}

static void
weigh(struct page_shelf *shelf, struct page *page)
{
	shelf->bytes -= page->weight;
	page->weight = sizeof(*page) + page->name_size + page->text.room + page->ends_room * sizeof(*page->ends);
	shelf->bytes += page->weight;
}

static struct page *
make(struct page_shelf *shelf, struct page **place, struct slice stream, uint64_t hash)
{
	struct page *page = calloc(1, sizeof(*page) + stream.size);

	if (page == NULL)
		return NULL;
	page->hash = hash;
	page->name_size = stream.size;
	memcpy(page->name, stream.data, stream.size);
	buf_init(&page->text, PAGE_MOST_BYTES);
	*place = page;
	put_on(shelf, page);
	weigh(shelf, page);
	return page;
}

struct page *
page_open(struct page_shelf *shelf, struct slice stream, uint64_t hash, stream_version from)
{
	struct page **place = place_of(shelf, stream, hash);
	struct page *page = *place;

	if (page == NULL) {
		page = make(shelf, place, stream, hash);
		if (page == NULL)
			return NULL;
	} else {
		take_off(shelf, page);
		put_on(shelf, page);
	}
	if (from < page->first || from > page_end(page)) {
		page->first = from;
		page->count = 0;
		buf_clear(&page->text);
	}
	return page;
}

bool
page_added(struct page_shelf *shelf, struct page *page)
{
	if (page->count == page->ends_room) {
		size_t room = page->ends_room != 0 ? 2 * page->ends_room : 16;
		uint32_t *ends = realloc(page->ends, room * sizeof(*ends));

		if (ends == NULL)
			goto failed;
		page->ends = ends;
		page->ends_room = room;
	}
	if (page->text.failed)
		goto failed;
	page->ends[page->count++] = (uint32_t)page->text.size;
	weigh(shelf, page);
	return true;
failed:
	drop(shelf, page);
	return false;
}

struct slice
page_event(const struct page *page, stream_version version)
{
	size_t index = (size_t)(version - page->first);
	size_t start = index != 0 ? page->ends[index - 1] : 0;

	return slice_from(page->text.data + start, page->ends[index] - start);
}

void
page_shelf_shrink(struct page_shelf *shelf)
{
	while (shelf->bytes > shelf->limit)
		drop(shelf, shelf->oldest);
}
