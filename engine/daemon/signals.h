/* SPDX-License-Identifier: MIT */
/* Signals and the other reasons to stop, as one queue that the main thread waits on. */
#ifndef MOONLOG_DAEMON_SIGNALS_H
#define MOONLOG_DAEMON_SIGNALS_H

#include "base/fault.h"

enum signals_event {
	SIGNALS_STOP,   /* TERM or INT */
	SIGNALS_HANGUP, /* HUP */
	SIGNALS_ASKED,  /* signals_tell: the admin socket asks to stop */
	SIGNALS_FATAL   /* signals_tell: the store takes no more */
};

struct signals {
	int signal_fd;
	int told_fd; /* eventfd */
	_Atomic int told;
};

/* Blocks TERM, INT and HUP in this thread and all that it starts later; ignores PIPE,
 * USR1 and USR2. Before any other thread. */
int signals_open(struct signals *signals, struct fault *fault);
void signals_close(struct signals *signals);
enum signals_event signals_wait(struct signals *signals);
/* Any thread. FATAL is never hidden by ASKED. */
void signals_tell(struct signals *signals, enum signals_event event);
/* From now on TERM or INT ends the process at once with code 1. */
void signals_second_ends(void);

#endif
