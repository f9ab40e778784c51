/* SPDX-License-Identifier: MIT */
/* From argv to a call. */
#ifndef MOONLOG_DAEMON_ARGS_H
#define MOONLOG_DAEMON_ARGS_H

#include "daemon/verb.h"

struct args {
	struct arena arena;
	struct call call;
};

/*
 * Finds the verb ("stream list" before "stream"), its options and words; "-h" and "--help" anywhere turn into `help VERB`.
 * Owns: its arena, until args_fini (also after a failure). Fails: INPUT "usage".
 */
int args_parse(int argc, char **argv, char *const *environment, struct args *args, struct fault *fault);
void args_fini(struct args *args);

/* The configuration key whose flag this is; -1 when none that the verb takes. */
int args_flag(const struct verb *verb, struct slice name);
/* May this verb be given this configuration key? */
bool args_takes_key(const struct verb *verb, size_t id);

#endif
