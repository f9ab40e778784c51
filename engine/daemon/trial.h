/* SPDX-License-Identifier: MIT */
/* A store to try commands on: reads are a real store's, opened read-only; nothing written is kept anywhere. */
#ifndef MOONLOG_DAEMON_TRIAL_H
#define MOONLOG_DAEMON_TRIAL_H

#include "store/store.h"

/* Fails: as sqlite_open with read_only. */
int trial_open(const char *directory, struct store **store, struct fault *fault);

#endif
