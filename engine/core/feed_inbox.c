/* SPDX-License-Identifier: MIT */
/*
 * The ids of the last `room` messages that a projection heard, but for those whose repeats their sender's positions
 * tell (feed.h). In memory a ring with chains by hash; in the view pages of 64 ids each, as checkpoints beside the
 * projection's, which a batch writes in its transaction [I6]:
 *
 *   checkpoint "<projection>@#heard/<page>"  position: number of the last id in it; poison: `room`; reason: ids in hex
 *
 * An id takes the place of the one that came `room` before it, so nothing has to be removed, and a batch writes no more
 * than the pages that its ids fall into. Pages of another room are not read: whoever changes the bound begins anew.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/feed_inside.h"

#define PAGE     64
#define ID_BYTES sizeof(((struct command_id *)NULL)->bytes)

/* ---- the ring ---- */

static uint32_t *
chain_of(struct inbox *inbox, const struct command_id *id)
{
	uint32_t hash;

	memcpy(&hash, id->bytes, sizeof(hash)); /* of a digest: any bytes are as good as a hash */
	return &inbox->heads[hash & inbox->mask];
}

/* Places are told from 1, so that 0 ends a chain. */
static void
take_out(struct inbox *inbox, uint32_t place)
{
	uint32_t *link = chain_of(inbox, &inbox->ids[place - 1]);

	while (*link != place)
		link = &inbox->links[*link - 1];
	*link = inbox->links[place - 1];
	inbox->there[place - 1] = false;
}

static void
put_in(struct inbox *inbox, const struct command_id *id, uint64_t number)
{
	uint32_t place = (uint32_t)(number % inbox->room) + 1, *chain;

	if (inbox->there[place - 1])
		take_out(inbox, place);
	inbox->ids[place - 1] = *id;
	inbox->there[place - 1] = true;
	chain = chain_of(inbox, id);
	inbox->links[place - 1] = *chain;
	*chain = place;
}

static bool
is_in(struct inbox *inbox, const struct command_id *id)
{
	for (uint32_t place = *chain_of(inbox, id); place != 0; place = inbox->links[place - 1])
		if (memcmp(&inbox->ids[place - 1], id, sizeof(*id)) == 0)
			return true;
	for (size_t i = 0; i < inbox->fresh_count; i++)
		if (memcmp(&inbox->fresh[i], id, sizeof(*id)) == 0)
			return true;
	return false;
}

static int
make(struct inbox *inbox, size_t room, struct fault *fault)
{
	size_t chains = 1;

	while (chains < room)
		chains *= 2;
	inbox->room = room;
	inbox->mask = (uint32_t)chains - 1;
	inbox->ids = calloc(room, sizeof(*inbox->ids));
	inbox->links = calloc(room, sizeof(*inbox->links));
	inbox->there = calloc(room, sizeof(*inbox->there));
	inbox->heads = calloc(chains, sizeof(*inbox->heads));
	inbox->fresh = calloc(FEED_MESSAGES, sizeof(*inbox->fresh));
	if (inbox->ids != NULL && inbox->links != NULL && inbox->there != NULL && inbox->heads != NULL &&
	    inbox->fresh != NULL)
		return 0;
	feed_inbox_forget(inbox);
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the ids of %zu messages", room);
}

void
feed_inbox_forget(struct inbox *inbox)
{
	free(inbox->ids);
	free(inbox->links);
	free(inbox->there);
	free(inbox->heads);
	free(inbox->fresh);
	*inbox = (struct inbox){ .room = 0 };
}

/* ---- its pages ---- */

static void
name_page(const struct projection *projection, size_t page, char name[FEED_NAME_SIZE])
{
	snprintf(name, FEED_NAME_SIZE, "%.*s@#heard/%zu", SLICE_ARG(projection->script->name), page);
}

static void
read_page(struct inbox *inbox, size_t page, const struct view_checkpoint *checkpoint)
{
	size_t size = checkpoint->reason.size / (2 * ID_BYTES);

	for (size_t i = 0; i < size && i < PAGE; i++) {
		struct slice text = slice_from(checkpoint->reason.data + i * 2 * ID_BYTES, 2 * ID_BYTES);
		struct parked_key id; /* the same sixteen bytes in the same digits */
		struct command_id made;

		if (!parked_key_parse(text, &id))
			continue;
		memcpy(made.bytes, id.bytes, sizeof(made.bytes));
		put_in(inbox, &made, page * PAGE + i);
	}
	if (checkpoint->position + 1 > inbox->next)
		inbox->next = checkpoint->position + 1;
}

int
feed_inbox_load(struct projector *projector, struct projection *projection, struct fault *fault)
{
	struct inbox *inbox = &projection->feed->inbox;
	size_t room = (projector->options.remember + PAGE - 1) / PAGE * PAGE;
	struct view_checkpoint checkpoint;
	char name[FEED_NAME_SIZE];
	bool found = true;

	if (room == 0 || inbox->room != 0)
		return 0;
	if (make(inbox, room, fault) != 0)
		return -1;
	for (size_t page = 0; found && page < room / PAGE; page++) {
		name_page(projection, page, name);
		arena_clear(&projector->page);
		if (view_checkpoint(projector->options.view, slice_text(name), &projector->page, &checkpoint, &found,
				    fault) != 0) {
			feed_inbox_forget(inbox);
			return -1;
		}
		if (found && checkpoint.poison == room)
			read_page(inbox, page, &checkpoint);
	}
	return 0;
}

/* The page as it is with the ids of the open batch. */
static void
write_ids(const struct inbox *inbox, size_t page, uint64_t first, uint64_t end, char *text)
{
	for (size_t i = 0; i < PAGE; i++) {
		size_t place = page * PAGE + i;
		uint64_t ahead = (place + inbox->room - first % inbox->room) % inbox->room;
		const struct command_id *id = ahead < end - first ? &inbox->fresh[ahead] : &inbox->ids[place];
		struct parked_key key;

		if (ahead >= end - first && !inbox->there[place])
			break;
		memcpy(key.bytes, id->bytes, sizeof(key.bytes));
		parked_key_text(&key, text + i * 2 * ID_BYTES);
	}
}

int
feed_inbox_write(struct projector *projector, const struct projection *projection, struct fault *fault)
{
	const struct inbox *inbox = &projection->feed->inbox;
	uint64_t end = inbox->next + inbox->fresh_count;

	for (uint64_t number = inbox->next; number < end; number += PAGE - number % PAGE) {
		struct view_checkpoint page = follow_checkpoint(projection, number + PAGE - 1 - number % PAGE);
		char name[FEED_NAME_SIZE], text[PAGE * 2 * ID_BYTES + 1] = "";

		if (page.position >= end)
			page.position = end - 1;
		name_page(projection, number % inbox->room / PAGE, name);
		write_ids(inbox, number % inbox->room / PAGE, inbox->next, end, text);
		page.projection = slice_text(name);
		page.poison = inbox->room;
		page.reason = slice_text(text);
		if (view_mark(projector->options.view, &page, fault) != 0)
			return -1;
	}
	return 0;
}

/* ---- hearing ---- */

bool
feed_inbox_hears(struct inbox *inbox, const struct command_id *id)
{
	if (inbox->room == 0)
		return false;
	if (is_in(inbox, id))
		return true;
	must(inbox->fresh_count < FEED_MESSAGES);
	inbox->fresh[inbox->fresh_count++] = *id;
	return false;
}

void
feed_inbox_settle(struct inbox *inbox, bool done)
{
	for (size_t i = 0; done && i < inbox->fresh_count; i++)
		put_in(inbox, &inbox->fresh[i], inbox->next++);
	inbox->fresh_count = 0;
}
