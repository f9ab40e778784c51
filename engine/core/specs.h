/* SPDX-License-Identifier: MIT */
/*
 * A domain's specs, run before its rules are taken. The engine knows when; how is the business of whoever opens it: the
 * daemon runs them in a process of its own, so that nothing they do touches commands.
 */
#ifndef MOONLOG_CORE_SPECS_H
#define MOONLOG_CORE_SPECS_H

#include "core/domain.h"

enum specs_result {
	SPECS_PASSED,
	SPECS_FAILED, /* `text`: the first that did, with its place and reason */
	SPECS_NONE,   /* the folder has none */
	SPECS_NOT_RUN /* `text`: what is missing to run them */
};

struct specs_run {
	const char *folder;
	const _Atomic unsigned *pressing; /* not 0: something goes first, broken off */
	/* answered */
	enum specs_result result;
	uint64_t passed, failed;
	char text[700];
};

struct specs_runner {
	/* Waits until they have ended. Fails: AWAY, they cannot be started; TIMEOUT "specs_too_long"; BUSY "broken_off". */
	int (*run)(void *self, struct specs_run *run, struct fault *fault);
	void *self;
};

/*
 * Runs them and appends the member "specs" of a report, an object, to `out`. Gives 0 when nothing stands against the
 * rules. Fails: INPUT "specs_failed", naming the first one, file and line; INPUT "folder_changed": the folder holds no
 * longer what was loaded (`sources`); as run does.
 */
int specs_judge(const struct specs_runner *runner, const struct domain *domain, const struct source_set *sources,
		const _Atomic unsigned *pressing, struct buf *out, struct fault *fault);

#endif
