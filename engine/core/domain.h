/* SPDX-License-Identifier: MIT */
/* A domain: the sources of a folder, the program that they make, the generation they have in the store, its read
 * model. */
#ifndef MOONLOG_CORE_DOMAIN_H
#define MOONLOG_CORE_DOMAIN_H

#include "core/engine.h"
#include "core/projector.h"
#include "script/script.h"
#include "store/store.h"
#include "view/view.h"

#define DOMAIN_MAX       64 /* domains of one engine */
#define DOMAIN_FILES_MAX 1000
#define DOMAIN_FILE_MAX  (1024 * 1024)

struct domain {
	struct slice name;
	unsigned number;    /* in the engine */
	struct arena arena; /* name and sources */
	struct source_set sources;
	struct script_program *program;
	uint32_t generation;
	struct view *view; /* NULL: no projections, no queries */
	struct projector *projector;
};

/*
 * Reads every .lua of `folder` outside spec/ into `sources`, whole, in bytewise order of path; `arena` owns the
 * bytes. Fails: CONFIG "bad_folder", "bad_domain_name"; LIMIT "too_many_sources", "source_too_large"; INPUT for
 * symbolic tricks.
 */
int domain_read_folder(const char *folder, struct arena *arena, struct source_set *sources, struct fault *fault);
/* Loads what a folder holds; `domain` is the caller's, zeroed. Fails: as script_load; nothing is kept on failure. */
int domain_open(struct domain *domain, const char *folder, const struct script_ops *script,
		const struct script_options *options, struct fault *fault);
void domain_close(struct domain *domain);

/*
 * The number of this set of sources in the store: the one it had when it was seen before, else the next [I8]. Sources
 * are kept by content hash in the records' space "source", manifests in "generation". Only while nobody else commits.
 */
int generation_find_or_make(struct store *store, const struct source_set *sources, uint32_t *generation,
			    struct fault *fault);

#endif
