/* SPDX-License-Identifier: MIT */
/* A consumer without threads: its appends lie in the rig until the test lets them be committed, time stands still. */
#ifndef MOONLOG_TESTS_REACT_RIG_H
#define MOONLOG_TESTS_REACT_RIG_H

#include "core/consumer.h"
#include "rules_double.h"
#include "source_double.h"

struct rig {
	struct store *store;
	struct domain *domain;
	struct source_broker *broker;
	bool local; /* hears the log instead of the broker */
	struct consumer *consumer;
	struct clock clock;
	int64_t wall_us, mono_ns;
	struct entropy_seeded chance;
	struct script_options script;
	struct submission *given[256];
	size_t given_count;
	unsigned window;
	struct arena arena; /* of what is read */
};

void rig_open(struct rig *rig, const char *words);
/* The one rig of a test program, open over an empty broker of so many lanes and rules that are not busy. */
struct rig *rig_fresh(struct source_broker *broker, uint32_t lanes, const char *words);
void rig_close(struct rig *rig);
/* The consumer closes, and another one opens: what was given in and not committed has no effect. */
void rig_restart(struct rig *rig);
/* One group of what lies there, or only the first `most` of it; the rest is answered "not attempted". */
void rig_commit(struct rig *rig, size_t most);
/* Steps and commits until the consumer has nothing to do but wait. Gives for how long. */
int64_t rig_run(struct rig *rig);
/* The same, over all pauses: time moves on as far as the consumer waits. */
void rig_settle(struct rig *rig);
struct consumer_status rig_status(struct rig *rig);

/* Sum of by of the events of tally.counter/<id>; *count of them. */
long long rig_sum(struct rig *rig, const char *id, size_t *count);
/* Value of a record, "" when there is none. */
const char *rig_record(struct rig *rig, const char *space, const char *key);
/* Where the store says that a lane stands; -1: nowhere. */
long long rig_place(struct rig *rig, const char *lane);
/* How many records a space has. */
size_t rig_records(struct rig *rig, const char *space);

#endif
