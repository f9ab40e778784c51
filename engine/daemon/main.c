/* SPDX-License-Identifier: MIT */
/* The program: reads the command line, runs its verb, gives the verb's exit code. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/args.h"
#include "store/sqlite/sqlite.h"

extern char **environ;

int
main(int argc, char **argv)
{
	struct args args;
	struct fault fault;
	enum exit_code code;

	/* Stores, backups and sockets are nobody else's to read. */
	umask(077);
	/* A verb speaks for itself; what the rooms log is for the daemon, which sets its own level. */
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_LOGFMT);
	sqlite_alone();
	if (args_parse(argc, argv, environ, &args, &fault) != 0) {
		code = exit_say(&fault);
		if (args.call.verb != NULL)
			fprintf(stderr, "moonlog: see `moonlog help%s%s`\n", argc < 2 ? "" : " ",
				argc < 2 ? "" : args.call.verb->name);
		else
			fputs("moonlog: see `moonlog help`\n", stderr);
	} else {
		code = args.call.verb->run(&args.call);
	}
	args_fini(&args);
	if (fflush(stdout) != 0 || ferror(stdout))
		return code == EXIT_DONE ? EXIT_FAILED : (int)code;
	return (int)code;
}
