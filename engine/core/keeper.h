/* SPDX-License-Identifier: MIT */
/*
 * The keeper of snapshots: a thread of its own that writes what workers offer and compares what is kept with a replay;
 * in between it folds a sample of streams twice (sample.h).
 * Snapshots ride in groups that are committed for commands; only when none comes for a moment is one made for them.
 */
#ifndef MOONLOG_CORE_KEEPER_H
#define MOONLOG_CORE_KEEPER_H

#include "core/sample.h"
#include "core/worker.h"

struct keeper {
	const struct engine_parts *parts;
	const struct engine_limits *limits;
	const struct script_options *script;
	struct committer *committer;
	struct domain *const *domains;
	size_t domain_count;
	struct worker *workers;
	struct mailbox box;
	struct mail wake;
	pthread_t thread;
	bool running;
	_Atomic bool stopping;
	_Atomic size_t letters; /* offered and not yet committed */
	/* the thread's */
	struct store_reader *reader;
	struct arena arena;
	struct buf state;
	struct seat *seats[DOMAIN_MAX];
	size_t pending; /* with the committer */
	int64_t next_check_ns;
	struct sampler sampler;
	bool sampled_last; /* checks and samples take turns */
	size_t domain;     /* where the round of checks is */
	uint16_t aggregate;
	char after[STREAM_ID_MAX];
	size_t after_size;
	/* read by others */
	_Atomic uint64_t written, passed_over, checked, wrong, stale;
	pthread_mutex_t lock;
	char last_wrong[STREAM_NAME_MAX + 1];
};

/* parts ... workers are set by the caller before. */
int keeper_open(struct keeper *keeper, struct fault *fault);
int keeper_start(struct keeper *keeper, struct fault *fault);
/* What was offered is committed before it returns; the committer's thread must still run. */
void keeper_stop(struct keeper *keeper);
void keeper_close(struct keeper *keeper);

/*
 * The committed state of a stream at a version, in the seat's machine. Encoded here, written later, or passed over when
 * too many wait. From a worker's thread.
 */
void keeper_offer(struct keeper *keeper, const struct seat *seat, uint16_t aggregate, struct slice stream,
		  stream_version version, script_state state);
/* The name of the stream whose snapshot was wrong last; "" when there was none. Any thread. */
void keeper_last_wrong(struct keeper *keeper, char name[STREAM_NAME_MAX + 1]);

#endif
