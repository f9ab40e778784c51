/* SPDX-License-Identifier: MIT */
/* A domain's rules for verbs that need no engine: loaded from a folder, or as the store keeps them. */
#ifndef MOONLOG_DAEMON_RULES_H
#define MOONLOG_DAEMON_RULES_H

#include "daemon/config.h"
#include "model/stream.h"
#include "script/script.h"
#include "store/store.h"

struct rules {
	struct arena arena; /* of the sources */
	struct source_set sources;
	struct script_program *program;
	struct script_machine *machine;
};

/*
 * By the configured limits. All of these own what they open, until rules_close (also after a failure; `rules` may be
 * zeroed then).
 */
int rules_from_folder(struct rules *rules, const struct config *config, const char *folder, struct fault *fault);
/* The same of a folder that someone named for a stream. Fails: INPUT "usage" where it is another domain's. */
int rules_from_named(struct rules *rules, const struct config *config, const char *folder,
		     const struct stream_name *stream, struct fault *fault);
/* The active generation of the domain in the store. Fails: INPUT "no_such_domain". */
int rules_from_store(struct rules *rules, const struct config *config, struct store_reader *reader, struct slice domain,
		     struct fault *fault);
/* The configured folder whose domain this is, else the store (`reader` may be NULL). */
int rules_find(struct rules *rules, const struct config *config, struct store_reader *reader, struct slice domain,
	       struct fault *fault);
/* Names of all domains that the store holds rules of; in `arena`. */
int rules_domains(struct store_reader *reader, struct arena *arena, struct slice **names, size_t *count,
		  struct fault *fault);
void rules_close(struct rules *rules);

/* The number of an aggregate. Fails: INPUT "no_such_aggregate". */
int rules_aggregate(const struct rules *rules, struct slice name, uint16_t *aggregate, struct fault *fault);

#endif
