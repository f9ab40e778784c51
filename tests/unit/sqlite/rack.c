/* SPDX-License-Identifier: MIT */
/* A rack answers as its filters would one by one, through any order of putting and taking away. */
#include <stdlib.h>

#include "store/sqlite/rack.h"
#include "support/check.h"

#define FILTERS 100
#define KEYS    200
#define ROUNDS  2000

struct owner {
	struct bloom bloom;
	uint64_t keys[KEYS];
	bool shown;
	bool named;
};

static struct owner owners[FILTERS];
static uint64_t state = 11;

static uint64_t
draw(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state ^ state >> 29;
}

static void
name(void *self, const void *owner)
{
	size_t *count = self, at = (size_t)((const struct owner *)owner - owners);

	CHECK(at < FILTERS);
	CHECK(!owners[at].named);
	owners[at].named = true;
	++*count;
}

static void
compare(const struct rack *rack, uint64_t hash)
{
	size_t count = 0;

	for (size_t i = 0; i < FILTERS; i++)
		owners[i].named = false;
	rack_ask(rack, hash, name, &count);
	for (size_t i = 0; i < FILTERS; i++)
		CHECK(owners[i].named == (owners[i].shown && bloom_maybe(&owners[i].bloom, hash)));
}

static void
toggle(struct rack *rack, struct owner *owner)
{
	struct rack_place place;

	if (owner->shown) {
		place = rack_hide(rack, owner);
		CHECK(place.shelf != NULL);
		rack_clear(place);
	} else {
		CHECK(rack_put(rack, &owner->bloom, owner, &place) == 0);
		rack_show(rack, place);
	}
	owner->shown = !owner->shown;
}

TEST(a_rack_answers_as_its_filters_one_by_one)
{
	struct rack rack = { NULL };
	size_t seen = 0;

	for (size_t i = 0; i < FILTERS; i++) {
		CHECK(bloom_init(&owners[i].bloom, 256 + 128 * (i % 3)) == 0);
		for (size_t k = 0; k < KEYS; k++)
			bloom_add(&owners[i].bloom, owners[i].keys[k] = draw());
	}
	for (size_t round = 0; round < ROUNDS; round++) {
		struct owner *owner = &owners[draw() % FILTERS];

		toggle(&rack, owner);
		CHECK(rack_hide(&rack, &state).shelf == NULL);
		compare(&rack, owner->keys[draw() % KEYS]);
		seen += owner->named;
		compare(&rack, draw());
	}
	CHECK(seen > ROUNDS / 4);
	rack_fini(&rack);
	for (size_t i = 0; i < FILTERS; i++)
		bloom_fini(&owners[i].bloom);
}

TEST_MAIN()
