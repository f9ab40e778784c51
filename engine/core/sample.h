/* SPDX-License-Identifier: MIT */
/*
 * A sample of what `moonlog check --history` does to all of the log: of each so many entries that are recorded one is
 * picked by chance, and its stream, with those of entries beside it, folded in two machines whose hash seeds differ
 * [I7]. What parts them is counted and logged with stream and event.
 *
 * Thread: the keeper's; the counts are read by others.
 */
#ifndef MOONLOG_CORE_SAMPLE_H
#define MOONLOG_CORE_SAMPLE_H

#include "core/domain.h"

struct sampler {
	const struct engine_parts *parts;
	const struct script_options *script;
	struct domain *const *domains;
	size_t domain_count;
	uint64_t every; /* entries; 0: none is picked */
	struct store_reader *reader;
	log_position seen; /* of the log, by earlier picks */
	_Atomic uint64_t sampled, differing;
};

/* The log has grown by so much that one is to be picked. */
bool sampler_is_due(const struct sampler *sampler);
/* Picks and folds; takes as long as folding some streams twice does. What cannot be read or run is passed over. */
void sampler_look(struct sampler *sampler);

#endif
