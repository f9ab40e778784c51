/* SPDX-License-Identifier: MIT */
/* Deciding a group before anything is written: who wins, and which rows that gives. */
#ifndef MOONLOG_STORE_SQLITE_DECIDE_H
#define MOONLOG_STORE_SQLITE_DECIDE_H

#include "store/sqlite/room.h"

/*
 * Answers one append that has no answer yet: a loser finally, a winner as APPEND_DONE, with its rows in the group and
 * `end` moved on. Nothing is durable then. Fails: as SQL does; MEMORY. The append is then unanswered and the group
 * useless.
 */
int sqlite_decide(struct sqlite_store *store, struct append *append, struct log_end *end, struct fault *fault);

#endif
