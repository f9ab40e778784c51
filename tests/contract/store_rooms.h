/* SPDX-License-Identifier: MIT */
/* The rooms that the store contract is run against. */
#ifndef MOONLOG_TESTS_CONTRACT_STORE_ROOMS_H
#define MOONLOG_TESTS_CONTRACT_STORE_ROOMS_H

#include "store/store.h"

struct store_room {
	const char *name;
	struct store *(*open)(const struct clock *clock); /* a new, empty store */
	void (*close)(struct store *store);               /* and forget it */
};

extern const struct store_room store_rooms[];
extern const size_t store_room_count;

#endif
