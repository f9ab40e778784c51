/* SPDX-License-Identifier: MIT */
/*
 * The witness: one line in a file of its own beside the database, the log's last position and link as they were durable
 * a moment ago. A log that ends before it, or has another link there, has lost its tail.
 */
#ifndef MOONLOG_STORE_SQLITE_WITNESS_H
#define MOONLOG_STORE_SQLITE_WITNESS_H

#include "store/sqlite/room.h"

/* sqlite_store.witnessed when the file says nothing that holds; else a position, 0 for an empty or absent file. */
#define WITNESSED_NOTHING UINT64_MAX

struct witness {
	bool present;
	bool written;      /* not present, yet there are bytes: a witness that was damaged */
	const char *lacks; /* not present: what is wrong, "it is empty" */
	log_position position;
	struct check link;
};

/* A file that is absent, or damaged, or empty, is not present. Fails: AWAY for I/O. */
int sqlite_witness_read(const char *directory, struct witness *witness, struct fault *fault);
/* One for a store that is put in place closed, durable; one that is there already stays. Fails: AWAY for I/O. */
int sqlite_witness_make(const char *directory, log_position position, const struct check *link, struct fault *fault);
/* 0: the log agrees; 1: it does not, `text` says how; -1: fault. */
int sqlite_witness_compare(struct link *link, const struct witness *witness, char text[200], struct fault *fault);
/* After a commit: writes it when the last time is long enough ago. Losing it is no fault. */
void sqlite_witness_due(struct sqlite_store *store);
/* Writes it when the log has moved on since. */
void sqlite_witness_write(struct sqlite_store *store);

#endif
