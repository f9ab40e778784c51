/* SPDX-License-Identifier: MIT */
/* Words change while others read them, so both sides are atomic; a bit that changes is of a lane that is not shown. */
#include "store/sqlite/rack.h"

#include <stdlib.h>

struct shelf {
	struct shelf *next;
	const void *owners[RACK_LANES];
	size_t bytes;   /* of each filter */
	uint16_t taken; /* the writer's */
	uint16_t shown;
	uint16_t words[]; /* one a bit of a filter */
};

static struct shelf *
free_shelf(const struct rack *rack, size_t bytes)
{
	struct shelf *shelf = rack->first;

	while (shelf != NULL && (shelf->bytes != bytes || shelf->taken == UINT16_MAX))
		shelf = shelf->next;
	if (shelf != NULL)
		return shelf;
	shelf = calloc(1, sizeof(*shelf) + bytes * 8 * sizeof(shelf->words[0]));
	if (shelf != NULL)
		shelf->bytes = bytes;
	return shelf;
}

int
rack_put(const struct rack *rack, const struct bloom *bloom, const void *owner, struct rack_place *place)
{
	struct shelf *shelf = free_shelf(rack, bloom->size);
	unsigned lane;

	if (shelf == NULL)
		return -1;
	lane = (unsigned)__builtin_ctz(~(unsigned)shelf->taken);
	for (size_t i = 0; i < bloom->size; i++)
		for (unsigned left = bloom->bits[i]; left != 0; left &= left - 1)
			__atomic_fetch_or(&shelf->words[i * 8 + (unsigned)__builtin_ctz(left)], (uint16_t)(1u << lane),
					  __ATOMIC_RELAXED);
	shelf->owners[lane] = owner;
	shelf->taken |= (uint16_t)(1u << lane);
	*place = (struct rack_place){ shelf, lane };
	return 0;
}

void
rack_show(struct rack *rack, struct rack_place place)
{
	struct shelf *shelf = place.shelf;

	/* None shown: it is new, and not among the others. */
	if (shelf->shown == 0) {
		shelf->next = rack->first;
		rack->first = shelf;
	}
	shelf->shown |= (uint16_t)(1u << place.lane);
}

struct rack_place
rack_hide(struct rack *rack, const void *owner)
{
	for (struct shelf **at = &rack->first; *at != NULL; at = &(*at)->next)
		for (unsigned lane = 0; lane < RACK_LANES; lane++) {
			struct shelf *shelf = *at;

			if ((shelf->shown >> lane & 1) == 0 || shelf->owners[lane] != owner)
				continue;
			shelf->shown &= (uint16_t) ~(1u << lane);
			if (shelf->shown == 0)
				*at = shelf->next;
			return (struct rack_place){ shelf, lane };
		}
	return (struct rack_place){ NULL, 0 };
}

void
rack_clear(struct rack_place place)
{
	struct shelf *shelf = place.shelf;

	if (shelf == NULL)
		return;
	if (shelf->shown == 0) {
		free(shelf);
		return;
	}
	for (size_t i = 0; i < shelf->bytes * 8; i++)
		if (shelf->words[i] >> place.lane & 1)
			__atomic_fetch_and(&shelf->words[i], (uint16_t) ~(1u << place.lane), __ATOMIC_RELAXED);
	shelf->taken &= (uint16_t) ~(1u << place.lane);
}

static unsigned
word(const struct shelf *shelf, uint64_t hash, unsigned probe)
{
	return __atomic_load_n(&shelf->words[bloom_place(shelf->bytes, hash, probe)], __ATOMIC_RELAXED);
}

void
rack_ask(const struct rack *rack, uint64_t hash, void (*each)(void *self, const void *owner), void *self)
{
	for (const struct shelf *shelf = rack->first; shelf != NULL; shelf = shelf->next) {
		unsigned maybe = shelf->shown;

		for (unsigned i = 0; i < BLOOM_PROBES && maybe != 0; i += 3)
			maybe &= word(shelf, hash, i) & word(shelf, hash, i + 1) & word(shelf, hash, i + 2);
		for (; maybe != 0; maybe &= maybe - 1)
			each(self, shelf->owners[__builtin_ctz(maybe)]);
	}
}

void
rack_fini(struct rack *rack)
{
	while (rack->first != NULL) {
		struct shelf *next = rack->first->next;

		free(rack->first);
		rack->first = next;
	}
}
