/* SPDX-License-Identifier: MIT */
/* One table from faults to exit codes: first by code, else by class. */
#include "daemon/exits.h"

#include <errno.h>
#include <stdio.h>

static const struct {
	const char *code;
	enum exit_code exit;
} by_code[] = {
	{ "usage", EXIT_USAGE },
	{ "store_locked", EXIT_BUSY },
	{ "store_missing", EXIT_NO_INPUT },
	{ "no_such_stream", EXIT_NO_INPUT },
	{ "no_such_version", EXIT_NO_INPUT },
	{ "no_such_generation", EXIT_NO_INPUT },
	{ "no_such_folder", EXIT_NO_INPUT },
	{ "no_such_file", EXIT_NO_INPUT },
	{ "not_a_store", EXIT_BAD_DATA },
	{ "newer_store", EXIT_BAD_DATA },
	{ "lost_tail", EXIT_BAD_DATA },
	{ "not_a_view", EXIT_BAD_DATA },
	{ "newer_view", EXIT_BAD_DATA },
	{ "cannot_create", EXIT_CANNOT_CREATE },
	{ "store_exists", EXIT_CANNOT_CREATE },
	{ "backup_exists", EXIT_CANNOT_CREATE },
	{ "unreachable", EXIT_UNREACHABLE },
	{ "refused", EXIT_FAILED },
};

static const enum exit_code by_class[FAULT_CLASSES] = {
	[FAULT_NONE] = EXIT_STORE_FAILED,    [FAULT_INPUT] = EXIT_BAD_DATA,    [FAULT_LIMIT] = EXIT_BAD_DATA,
	[FAULT_SCRIPT] = EXIT_BAD_DATA,      [FAULT_BUSY] = EXIT_BUSY,         [FAULT_AWAY] = EXIT_STORE_FAILED,
	[FAULT_UNKNOWN] = EXIT_STORE_FAILED, [FAULT_TIMEOUT] = EXIT_BUSY,      [FAULT_FULL] = EXIT_STORE_FAILED,
	[FAULT_CORRUPT] = EXIT_BAD_DATA,     [FAULT_CONFIG] = EXIT_BAD_CONFIG, [FAULT_MEMORY] = EXIT_STORE_FAILED,
	[FAULT_BUG] = EXIT_STORE_FAILED,
};

enum exit_code
exit_of_fault(const struct fault *fault)
{
	for (size_t i = 0; i < countof(by_code); i++) {
		if (strcmp(by_code[i].code, fault->code) == 0)
			return by_code[i].exit;
	}
	/* Rooms give errno with class CONFIG for paths that they cannot use. */
	if (fault->native == ENOENT && fault->class != FAULT_CORRUPT)
		return EXIT_NO_INPUT;
	if (fault->class == FAULT_CONFIG &&
	    (fault->native == EEXIST || fault->native == EACCES || fault->native == EROFS || fault->native == ENOTDIR))
		return EXIT_CANNOT_CREATE;
	return by_class[fault->class];
}

enum exit_code
exit_say(const struct fault *fault)
{
	fprintf(stderr, "moonlog: %s\n", fault->text);
	return exit_of_fault(fault);
}
