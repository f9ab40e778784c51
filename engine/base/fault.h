/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, as a value of fixed size: no heap, so running out of memory can be reported too.
 * A refusal, a conflict and a repeat are answers and never travel here.
 *
 * Convention of the house: int f(..., struct fault *fault) returns 0, or -1 with *fault filled.
 */
#ifndef MOONLOG_BASE_FAULT_H
#define MOONLOG_BASE_FAULT_H

#include "base/slice.h"

/* The class decides retry, HTTP status, exit code and log level; each such table covers every class. */
enum fault_class {
	FAULT_NONE,
	FAULT_INPUT,   /* the caller's bytes or arguments are wrong; the same again fails again */
	FAULT_LIMIT,   /* a bound of ours was passed (size, depth, count) */
	FAULT_SCRIPT,  /* a rule failed: raised, was killed, gave a bad result */
	FAULT_BUSY,    /* nothing was done; try again now-ish */
	FAULT_AWAY,    /* a server or device cannot be reached; nothing was done; try again later */
	FAULT_UNKNOWN, /* perhaps done, perhaps not: ask again with the same command id */
	FAULT_TIMEOUT, /* a deadline passed; nothing was done */
	FAULT_FULL,    /* no space on the device; nothing was done, reads go on */
	FAULT_CORRUPT, /* stored bytes are not what was written */
	FAULT_CONFIG,  /* configuration, files, versions, locks: a person must act */
	FAULT_MEMORY,  /* the process has no memory for this */
	FAULT_BUG,     /* an invariant does not hold */
	FAULT_CLASSES
};

struct fault {
	enum fault_class class;
	int native;       /* errno, SQLite code ...; 0 = none */
	const char *file; /* where it was first noticed in our source */
	int line;
	char code[40];  /* stable, machine-readable, snake_case: "bad_json", "outcome_unknown" */
	char text[600]; /* for a person: place and reason on one line; an excerpt may follow */
};

const char *fault_class_name(enum fault_class of);
/* The stable code used when none was given: "limit", "busy" ... */
void fault_clear(struct fault *fault);

/* Fills *fault and gives -1, so that `return fault_set(...)` reads well. `fault` may be NULL. */
#define fault_set(fault, class, code, ...) fault_set_at((fault), (class), (code), __FILE__, __LINE__, __VA_ARGS__)
int fault_set_at(struct fault *fault, enum fault_class class, const char *code, const char *file, int line,
		 const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Puts "prefix: " before the text as the fault climbs. Gives -1. */
int fault_prefix(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From errno `number`: ENOSPC/EDQUOT give FULL, ENOMEM gives MEMORY, else `otherwise`. Gives -1. */
int fault_errno(struct fault *fault, enum fault_class otherwise, int number, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * An invariant of ours, checked in every build. Broken: one line to stderr, then abort; a restart is the tested path.
 * Data from outside never reaches a must.
 */
#define must(condition) ((condition) ? (void)0 : fault_broken(#condition, __FILE__, __LINE__))
_Noreturn void fault_broken(const char *condition, const char *file, int line);

#endif
