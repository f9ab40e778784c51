/* SPDX-License-Identifier: MIT */
/* The program: reads the command line, runs its verb, gives the verb's exit code. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/args.h"
#include "store/sqlite/sqlite.h"

extern char **environ;

/*
 * Whoever starts us with descriptors 0 to 2 closed would get a file of the store, or a client, in their place, and what
 * is logged would go there. They stay unusable: reading from 0 fails, and so does writing to 1 and 2.
 */
static bool
keep_standard_places(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	struct args args;
	struct fault fault;
	enum exit_code code;

	if (!keep_standard_places())
		return EXIT_STORE_FAILED;
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
	if ((fflush(stdout) == 0 && !ferror(stdout)) || code != EXIT_DONE)
		return (int)code;
	fputs("moonlog: standard output cannot be written\n", stderr);
	return EXIT_STORE_FAILED;
}
