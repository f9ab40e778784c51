/* SPDX-License-Identifier: MIT */
/*
 * What is told about the read models that a domain makes beside the one that is read: how far the present one is, and
 * what came of the last ones. Written by the reloader, read by whoever asks.
 *
 * Any thread; its lock is held for copies only.
 */
#ifndef MOONLOG_CORE_TOLD_H
#define MOONLOG_CORE_TOLD_H

#include <pthread.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/stream.h"

#define TOLD_ENDED       4 /* builds that are remembered */
#define TOLD_NAMES_MAX   ((size_t)1 << 20)
#define TOLD_REPORT_MAX  ((size_t)256 << 10)
#define TOLD_REASON_SIZE 640

enum told_stage { TOLD_NOTHING, TOLD_WAITING, TOLD_COPYING, TOLD_FILLING, TOLD_COMPARING };
enum told_result { TOLD_LIVE, TOLD_GIVEN_UP, TOLD_REPLACED };

struct told_build {
	uint64_t number; /* of the domain's builds in this process, from 1 */
	uint32_t generation;
	int64_t began_us;
	struct buf names; /* of the projections whose rows begin from nothing, a NUL behind each */
};

/* What came of a build. */
struct told_end {
	enum told_result result;
	int64_t ended_us;
	bool compared;
	log_position position; /* where both stood when they were compared */
	uint64_t rows_differ;  /* when compared */
	struct slice tables;   /* JSON array, when compared; left out of the report where it is too long */
	const char *reason;    /* why it was given up or not compared; NULL: none */
};

struct told {
	pthread_mutex_t lock;
	enum told_stage stage;
	struct told_build now;
	struct told_build last; /* the newest that ended */
	enum told_result result;
	bool compared;
	uint64_t rows_differ;
	char reason[TOLD_REASON_SIZE];
	struct buf ended[TOLD_ENDED]; /* reports, a JSON object each; the newest at (count - 1) % TOLD_ENDED */
	uint64_t count;
};

/* How far the one that is being made has come; the asker knows. */
struct told_progress {
	bool known;
	log_position position;
	log_position head;
	uint64_t rate;
	int64_t seconds_left; /* < 0: not known */
};

void told_init(struct told *told);
void told_fini(struct told *told);
/* A build begins; `names` are copied. */
void told_begin(struct told *told, const struct told_build *build);
void told_stage(struct told *told, enum told_stage stage);
/* The one that began last has ended. */
void told_ended(struct told *told, const struct told_end *end);

/* Appends members "building" (when there is one) and "ended" (newest first) to an open object. */
void told_write(struct told *told, const struct told_progress *progress, struct buf *out);
/* Appends an object about this projection's rows; nothing when they are not, and were not last, made from nothing. */
void told_write_projection(struct told *told, struct slice name, const struct told_progress *progress, struct buf *out);

static inline void
told_add_name(struct buf *names, struct slice name)
{
	buf_add(names, name);
	buf_byte(names, '\0');
}

bool told_has_name(const struct buf *names, struct slice name);

#endif
