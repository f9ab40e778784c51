/* SPDX-License-Identifier: MIT */
/* An engine over a real store and the domain in tally/, and asks that wait for their answers. */
#ifndef MOONLOG_TESTS_CORE_RIG_H
#define MOONLOG_TESTS_CORE_RIG_H

#include "core/engine.h"
#include "store/store.h"

enum rig_store { RIG_MEMORY, RIG_SQLITE };

struct rig {
	struct store *store;
	struct engine *engine;
	enum rig_store kind;
	const struct clock *clock; /* of the engine; NULL: the real one */
	char folder[64];           /* of the SQLite store */
};

/* Opens the store alone; rig_reopen starts an engine over it. */
void rig_open_store(struct rig *rig, enum rig_store kind);
/* Opens store and engine with the domain and starts it; `limits` may be NULL. Ends the test program when it cannot. */
void rig_open(struct rig *rig, enum rig_store kind, const struct engine_limits *limits);
/* The same over the store that is there already. */
void rig_reopen(struct rig *rig, const struct engine_limits *limits);
void rig_close_engine(struct rig *rig);
void rig_close(struct rig *rig);

/* A command and where its answer comes to. */
struct ask {
	struct engine_command command;
	struct arena arena;
	struct mailbox *answers;
};

/* The aggregate is "counter". Texts must outlive the ask. */
void ask_init(struct ask *ask, struct mailbox *answers, const char *id, const char *command, const char *body);
void ask_fini(struct ask *ask);
/* Gives it in and waits for the answer. */
void ask_run(struct rig *rig, struct ask *ask);
/* One command and its answer, in one call: gives the outcome's kind; *outcome (may be NULL) borrows from `ask`. */
enum outcome_kind ask_once(struct rig *rig, struct ask *ask, const char *id, const char *command, const char *body);

/* Many at once: gives all in, collects all answers. Those not taken are answered too. */
void ask_give_all(struct rig *rig, struct ask *asks, size_t count, struct mailbox *answers, size_t *taken);
void ask_collect(struct mailbox *answers, size_t count);

/* A read that waits; gives the outcome. `out` is the caller's. */
enum outcome_kind read_once(struct rig *rig, struct engine_read *read, struct arena *arena, struct buf *out);
/* The number after "value": in the state of a counter; -1 when there is none. */
long long rig_value(struct rig *rig, const char *id);

#endif
