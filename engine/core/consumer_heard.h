/* SPDX-License-Identifier: MIT */
/* What a consumer remembers of foreign streams, where its reactor asks for it, and how it is forgotten. */
#ifndef MOONLOG_CORE_CONSUMER_HEARD_H
#define MOONLOG_CORE_CONSUMER_HEARD_H

#include "base/buf.h"
#include "base/fault.h"

struct consumer;
struct consumer_lane;
struct letter;

/* What is kept of a foreign stream: its last version, ' ', the hour since 1970 when it was heard (0: not kept then). */
#define HEARD_HOUR_US      ((int64_t)3600 * 1000 * 1000)
#define HEARD_VERSION_SIZE (20 + 1 + 20 + 1)
struct heard_version {
	uint64_t number;
	uint64_t hour;
	char text[HEARD_VERSION_SIZE];
};

/* Going through what was heard: consumer_sweep.c. */
struct sweep {
	bool left;             /* there was something when the consumer was opened */
	int64_t again_ns;      /* not before; 0: never yet */
	struct buf after;      /* key of the last one looked at */
	struct letter *letter; /* in flight */
	uint64_t gone;
};

/* ---- consumer_versions.c: versions of foreign streams ---- */

/* Looks at the version that a letter has; one that has no effect is OLDER. false: its lane waits. */
bool consumer_versions(struct consumer *consumer, struct letter *letter);
/* Is its first letter waiting for a version? NULL: no. */
const struct letter *consumer_held(const struct consumer_lane *lane);
/* Those that are go on without. Gives how many lanes. */
uint64_t consumer_skip(struct consumer *consumer);
int consumer_add_version(struct consumer *consumer, struct letter *letter, struct fault *fault);

/* ---- consumer_sweep.c: versions that are old are forgotten ---- */

bool heard_version_parse(struct slice text, struct heard_version *version);
void heard_version_make(const struct consumer *consumer, uint64_t number, struct heard_version *version);
int consumer_sweep_open(struct consumer *consumer, struct fault *fault);
/* A page of them when it is time. Gives how long to wait. */
int64_t consumer_sweep(struct consumer *consumer);
/* Its append, sweep.letter, was answered. */
void consumer_swept(struct consumer *consumer);

#endif
