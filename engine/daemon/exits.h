/* SPDX-License-Identifier: MIT */
/* Exit codes of the command line (docs/INTERFACES.md); the numbers from 64 up are those of sysexits(3). */
#ifndef MOONLOG_DAEMON_EXITS_H
#define MOONLOG_DAEMON_EXITS_H

#include "base/fault.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,        /* it ran and found something: findings, failed specs, a refusal */
	EXIT_USAGE = 2,         /* the command line is wrong */
	EXIT_BAD_DATA = 65,     /* rules, stored data or given JSON are wrong */
	EXIT_NO_INPUT = 66,     /* a named file, folder, store, stream, version or generation is not there */
	EXIT_UNREACHABLE = 69,  /* no daemon answers; or: busted is not installed */
	EXIT_STORE_FAILED = 70, /* the store or the engine failed */
	EXIT_CANNOT_CREATE = 73,
	EXIT_BUSY = 75, /* another process holds the store; or: try again later */
	EXIT_BAD_CONFIG = 78
};

enum exit_code exit_of_fault(const struct fault *fault);
/* "moonlog: text" on standard error; gives the exit code. */
enum exit_code exit_say(const struct fault *fault);

#endif
