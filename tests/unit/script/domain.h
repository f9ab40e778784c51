/* SPDX-License-Identifier: MIT */
/* A domain from strings, opened: what the suites of the script room start from. */
#ifndef MOONLOG_TESTS_UNIT_SCRIPT_DOMAIN_H
#define MOONLOG_TESTS_UNIT_SCRIPT_DOMAIN_H

#include "script/script.h"

struct domain_file {
	const char *path;
	const char *text;
};

struct domain {
	struct script_program *program;
	struct script_machine *machine;
	struct arena arena;
	struct fault fault;
	char said[500]; /* the last print or ctx:log */
	/* streams that ctx:load finds */
	struct {
		const char *id;
		const char *state;
		stream_version version;
	} others[4];
};

/* NULL-ended files. Gives script_load's result; the machine is open when it is 0. */
int domain_load(struct domain *domain, const struct domain_file *files);
void domain_close(struct domain *domain);

/* One decision with a body; the state is given as JSON (NULL: no stream), the answer's state comes back encoded. */
struct attempt {
	const char *command; /* "account.Open" */
	const char *id;      /* NULL: "a" */
	const char *state;   /* JSON, or NULL */
	stream_version version;
	const char *body;
	const struct script_param *params;
	size_t param_count;
	int route; /* number + 1; 0 = none */
	bool lift;
};

/* The result of script_decide; `decided`'s states are released by domain_close. */
int domain_decide(struct domain *domain, const struct attempt *attempt, struct decided *decided);
/* The result of script_react; context and loader are filled in. */
int domain_react(struct domain *domain, const struct react_request *request, struct decided *decided);
/* Canonical JSON of a state. */
struct slice domain_state(struct domain *domain, uint16_t aggregate, script_state state);
/* A recorded event. */
struct recorded_entry domain_entry(const char *stream, stream_version version, const char *type, const char *data);

#endif
