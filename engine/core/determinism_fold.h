/* SPDX-License-Identifier: MIT */
/* One thread of determinism_check: its streams, machines and findings. */
#ifndef MOONLOG_CORE_DETERMINISM_FOLD_H
#define MOONLOG_CORE_DETERMINISM_FOLD_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/mailbox.h"
#include "core/determinism.h"

#define DETERMINISM_KEPT    100 /* findings a thread keeps */
#define DETERMINISM_THREADS 16

struct all {
	struct determinism *check;
	log_position head;
	unsigned threads;
	_Atomic uint64_t seen[DETERMINISM_THREADS]; /* positions */
	_Atomic uint64_t events;
	_Atomic bool stop;
	struct mailbox ended;
};

/* A stream of this thread, and its state where the last chunk ended. */
struct known {
	uint64_t hash;
	struct slice name; /* owned; empty: a free slot */
	char *bytes;       /* canonical; NULL: it has not begun */
	size_t size;
	size_t room;
	uint32_t pair; /* in the present chunk, from 1 */
	uint16_t aggregate;
	bool left_out; /* something was found, or the rules have no such aggregate */
};

struct folder {
	struct mail ended;
	struct all *all;
	unsigned number;
	pthread_t thread;
	bool running;
	struct store_reader *reader;
	struct script_machine *machines[2];
	struct known *known; /* by hash */
	size_t known_count;
	size_t known_room;
	struct arena chunk;
	struct arena pieces;
	struct buf bytes[2];
	struct arena kept; /* findings' texts */
	struct determinism_finding findings[DETERMINISM_KEPT];
	size_t finding_count;
	uint64_t finding_total;
	struct fault fault;
};

/* Folds the thread's streams of a chunk twice and compares; findings go into the folder. Uses up `chunk`'s memory. */
int determinism_chunk(struct folder *folder, const struct entries *entries, struct fault *fault);

#endif
