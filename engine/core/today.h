/* SPDX-License-Identifier: MIT */
/* Recorded entries as the rules of today see them: what `upcast=1` shows of streams and of the log. */
#ifndef MOONLOG_CORE_TODAY_H
#define MOONLOG_CORE_TODAY_H

#include "core/reader.h"
#include "core/render.h"

/*
 * Appends each entry's pieces, commas or line ends between, and counts the entries: none of a dropped event, the entry
 * as it was recorded where it is no event or no loaded domain has its aggregate. Uses up the reader's page memory.
 * Fails: SCRIPT naming stream and version where the chain does, into read->fault.
 */
int today_write(struct reader *reader, struct engine_read *read, struct render *render, const struct entries *entries);
/* Appends the entry's pieces as a history shows them, commas between; as recorded where the rules fail. Counts it. */
int today_history(struct reader *reader, struct engine_read *read, struct script_machine *machine, uint16_t aggregate,
		  const struct recorded_entry *entry);

#endif
