/* SPDX-License-Identifier: MIT */
/* The files of a new domain. */
#ifndef MOONLOG_DAEMON_TEMPLATE_H
#define MOONLOG_DAEMON_TEMPLATE_H

#include <stddef.h>

struct template_file {
	const char *path; /* relative to the domain's folder */
	const char *text; /* "@DOMAIN@" stands for its name */
};

extern const struct template_file template_files[];
extern const size_t template_count;

#endif
