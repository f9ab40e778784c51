/* SPDX-License-Identifier: MIT */
/*
 * Rules written in C, for tests that need a handler to do exactly this: one aggregate "counter", whose state is a sum,
 * and one reactor "adder" that hears topic "in".
 *
 *   Add   {"id","by"}   one event Added on tally.counter/<id>, and a message on topic "out"
 *   Two   {"id","by"}   on tally.counter/<id> and tally.counter/<id>-b in one append
 *   Bad   {"id"}        fails; under rules whose source says "fixed" it is as Busy, of 100
 *   Busy  {"id","by"}   fails with BUSY while rules_double_busy is not 0 (and counts it down), then is an Add
 *   Timer {"id","by"}   sets the timer "later" of tally.counter/<id> for `by` microseconds from now
 *
 * A timer "later" adds 1000.
 */
#ifndef MOONLOG_TESTS_REACT_RULES_DOUBLE_H
#define MOONLOG_TESTS_REACT_RULES_DOUBLE_H

#include "core/domain.h"

extern unsigned rules_double_busy;
/* Calls of handlers so far. */
extern unsigned rules_double_calls;

const struct script_ops *rules_double_ops(void);
/* Rules whose one file has these words: "fixed", "park" (default), "skip", "halt", "gone" (no reactor), "own" (hears
 * events of its domain too), "noinbox", "held" and "older" (what is done about versions), "many" (hears topics alpha, beta and gamma, and Two sends a message too). */
struct ruleset *rules_double_make(const char *words, uint32_t generation);
/* A domain "tally" that decides by them. */
struct domain *rules_double_domain(const char *words);
/* These decide from now on. */
void rules_double_change(struct domain *domain, const char *words);

#endif
