/* SPDX-License-Identifier: MIT */
/*
 * The pool of readers: threads that answer queries, stream, log and state reads, each with a window on the store,
 * script machines and windows on the views of its own. A query that waits for its projections is parked, no thread
 * waits.
 */
#ifndef MOONLOG_CORE_READER_H
#define MOONLOG_CORE_READER_H

#include <stdatomic.h>

#include "core/cache.h"
#include "core/page.h"

/* A read inside the engine; lives in the asker's arena until its answer goes out. */
struct reading {
	struct mail mail;
	struct engine_read *asked;
	struct reading *next; /* parked */
	int64_t deadline_ns;
};

/* What one thread's queries of a domain run in; made anew after what is asked has changed. */
struct window {
	uint64_t turn;             /* of the domain when it was made */
	struct ruleset *rules;     /* held; NULL: none made yet */
	struct readside *readside; /* held; NULL: no tables */
	struct seat *seat;         /* of the rules; the window is one of its users */
	struct view_reader *view;
};

struct reader {
	unsigned number;
	const struct engine_limits *limits;
	const struct engine_parts *parts;
	struct domain *const *domains;
	size_t domain_count;
	struct script_options options;
	pthread_t thread;
	bool running;
	struct mailbox box;
	struct store_reader *store_reader;
	struct seat *seats[DOMAIN_MAX]; /* the current one, older ones behind it; NULL: not asked for yet */
	struct window windows[DOMAIN_MAX];
	struct cache cache;
	struct page_shelf shown; /* streams read lately */
	struct arena pages;
	struct reading *parked;
	_Atomic unsigned waiting; /* 1: something is parked: progress of projections is news */
	_Atomic size_t *inside;
	struct mailbox *healer; /* nudged when a query finds its rows damaged */
	_Atomic size_t queued;
	_Atomic uint64_t answered, refused, entries;
};

int reader_open(struct reader *reader, const struct script_options *options, struct fault *fault);
int reader_start(struct reader *reader, struct fault *fault);
/* Every read must be answered before. */
void reader_stop(struct reader *reader);
void reader_close(struct reader *reader);

/* false when the queue is full. Any thread. */
bool reader_give(struct reader *reader, struct engine_read *read);
/* The seat of the rules that decide now; opened after a reload. NULL: *fault. The reader's thread. */
struct seat *reader_seat(struct reader *reader, struct domain *domain, struct fault *fault);
/* The window on what is asked now. NULL: *fault. The reader's thread. */
struct window *reader_window(struct reader *reader, struct domain *domain, struct fault *fault);
/* What is asked has changed: windows on what was asked before are closed. Any thread. */
void reader_changed(struct reader *reader);
/* A projector has moved. Any thread. */
void reader_progressed(struct reader *reader);

/* ---- read.c: the kinds of reads ---- */

/* Fills the answer. false: the read has to wait for its projections. */
bool read_answer(struct reader *reader, struct engine_read *read);
/* Its time is over. */
void read_timed_out(struct engine_read *read);

#endif
