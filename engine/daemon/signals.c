/* SPDX-License-Identifier: MIT */
/*
 * Signals are blocked everywhere and read from a descriptor, so that no handler runs while the daemon works. Only once
 * it is stopping is one installed, which does nothing but end the process: the second TERM of an impatient operator.
 */
#include "daemon/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
watched(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int
signals_open(struct signals *signals, struct fault *fault)
{
	sigset_t set;

	watched(&set);
	*signals = (struct signals){ .signal_fd = -1, .told_fd = -1 };
	atomic_store(&signals->told, -1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN); /* by default they end a process */
	signal(SIGUSR2, SIG_IGN);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return fault_errno(fault, FAULT_AWAY, errno, "signals cannot be blocked");
	signals->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	signals->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signals->signal_fd < 0 || signals->told_fd < 0)
		return fault_errno(fault, FAULT_AWAY, errno, "signals cannot be read");
	return 0;
}

void
signals_close(struct signals *signals)
{
	if (signals->signal_fd >= 0)
		close(signals->signal_fd);
	if (signals->told_fd >= 0)
		close(signals->told_fd);
}

enum signals_event
signals_wait(struct signals *signals)
{
	struct pollfd polls[2] = { { signals->told_fd, POLLIN, 0 }, { signals->signal_fd, POLLIN, 0 } };
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(polls, 2, -1) < 0)
			continue;
		if ((polls[0].revents & POLLIN) != 0 && atomic_load(&signals->told) >= 0)
			return (enum signals_event)atomic_load(&signals->told);
		if ((polls[1].revents & POLLIN) != 0 && read(signals->signal_fd, &info, sizeof(info)) == sizeof(info))
			return info.ssi_signo == SIGHUP ? SIGNALS_HANGUP : SIGNALS_STOP;
	}
}

void
signals_tell(struct signals *signals, enum signals_event event)
{
	uint64_t one = 1;
	int none = -1;

	if (event == SIGNALS_FATAL)
		atomic_store(&signals->told, (int)event);
	else
		atomic_compare_exchange_strong(&signals->told, &none, (int)event);
	/* A full counter means that the waiting thread has been told already. */
	ssize_t written = write(signals->told_fd, &one, sizeof(one));
	(void)written;
}

static void
end_now(int number)
{
	(void)number;
	_exit(1);
}

void
signals_second_ends(void)
{
	struct sigaction action = { .sa_handler = end_now };
	sigset_t set;

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
