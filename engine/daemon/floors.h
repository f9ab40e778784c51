/* SPDX-License-Identifier: MIT */
/* The libraries the program runs with, and the least versions of them that it accepts. */
#ifndef MOONLOG_DAEMON_FLOORS_H
#define MOONLOG_DAEMON_FLOORS_H

#include "base/fault.h"

#define FLOORS_LIBRARIES 5

struct floors_library {
	const char *name;
	const char *version; /* of the library that is loaded, not of the headers */
	unsigned number;     /* comparable */
	unsigned least;
	const char *least_text;
};

void floors_libraries(struct floors_library libraries[FLOORS_LIBRARIES]);
/* Fails: CONFIG "old_library" naming the first that is too old. */
int floors_check(struct fault *fault);

#endif
