/* SPDX-License-Identifier: MIT */
/*
 * Sealing: writing the index of a full live segment to disk, sorted, in bites that travel in the transactions of later
 * commits, so that it costs neither a sync nor a stall. Forgetting the command ids of segments past the window,
 * likewise.
 */
#ifndef MOONLOG_STORE_SQLITE_SEAL_H
#define MOONLOG_STORE_SQLITE_SEAL_H

#include "store/sqlite/room.h"

/*
 * Inside a commit's open transaction that adds `entries`: a bite, when there is something to seal and enough was
 * committed since the last one. It counts only once seal_committed is called; after a rollback, seal_undo. Fails: as
 * SQL does, MEMORY.
 */
int seal_piggyback(struct sqlite_store *store, uint32_t entries, struct fault *fault);
void seal_committed(struct sqlite_store *store);
void seal_undo(struct sqlite_store *store);
/* Seals the oldest live segment at once, in a transaction of its own. */
int seal_now(struct sqlite_store *store, struct fault *fault);
/* Writes the index of `live` over that of the damaged segment with its number. */
int seal_again(struct sqlite_store *store, struct live *live, struct fault *fault);
void seal_free(struct sealer *sealer);

#endif
