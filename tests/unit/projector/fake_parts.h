/* SPDX-License-Identifier: MIT */
/* A log in an array and a script in C, so that a projector can be tested without a store and without Lua. */
#ifndef MOONLOG_TESTS_UNIT_PROJECTOR_FAKE_PARTS_H
#define MOONLOG_TESTS_UNIT_PROJECTOR_FAKE_PARTS_H

#include "script/script.h"
#include "store/store.h"

/*
 * The log. An entry of type "Moved" moves 1 + position % 7 to its stream's account; "Bad" makes the script raise while
 * fake_bad is set; "Twice" inserts a row that is there already; "Slow" is killed while fake_slow is not 0, once each time.
 */
struct store *fake_store(void);
void fake_clear(void);
/* Appends one commit of `count` entries of this type. Gives its last position. */
log_position fake_append(const char *stream, const char *type, unsigned count);
/* The next reads of the log fail with AWAY. */
extern unsigned fake_away;
extern _Atomic unsigned fake_reads;

/* Two projections: "sums" (table Sums: Account, Total, Count) and "moves" (table Moves: Position, Account). */
struct script_program *fake_program(void);
extern bool fake_bad;
extern unsigned fake_slow;
extern _Atomic size_t fake_largest; /* entries in one call */

#endif
