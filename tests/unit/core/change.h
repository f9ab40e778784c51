/* SPDX-License-Identifier: MIT */
/* Domains whose rules change: folders written by a test, an engine over the memory store, reloads that wait. */
#ifndef MOONLOG_TESTS_CORE_CHANGE_H
#define MOONLOG_TESTS_CORE_CHANGE_H

#include "core/engine.h"
#include "rig.h"

/* What a variant of the rules is made of; all texts of Lua. */
struct variant {
	const char *by;    /* every event says who decided it */
	const char *fold;  /* NULL: state.value = state.value + data.by */
	const char *lacks; /* a command that these rules do not have: "Old", "New" or NULL */
	bool extra;        /* they know an event Extra, and Move gives one to the other stream */
	bool setting;      /* `by` comes from a setting, so that the fold is the same whatever it is */
};

struct change {
	struct store *store;
	struct engine *engine;
	char folder[64]; /* its domains are folders in it */
	/* for engines that are opened from now on */
	uint32_t sample; /* determinism_sample */
	uint32_t keep;   /* keep_undecided */
};

/* With the domains "first" and "second", both by `variant`. Ends the test program when it cannot. */
void change_open(struct change *change, const struct variant *variant, unsigned workers);
/* The engine again, over the same store and whatever the folders hold. */
void change_reopen(struct change *change, unsigned workers);
void change_close_engine(struct change *change);
void change_close(struct change *change);
void change_write(const struct change *change, const char *domain, const struct variant *variant);
/* Not Lua at all. */
void change_spoil(const struct change *change, const char *domain);

struct changed {
	enum reload_answer answer;
	uint32_t generation;
	char stage[16];
	char code[64];
};

/* Without shadow. */
struct changed change_ask(struct change *change, enum reload_what what, const char *domain);

/* RELOAD_REBUILD; of all projections where `projection` is empty. */
struct changed change_rebuild(struct change *change, const char *domain, const char *projection);

/* One command of an aggregate "counter": the outcome's kind; `reply` (may be NULL) gets its text, or its code. */
enum outcome_kind change_command(struct change *change, const char *domain, const char *id, const char *command,
				 char reply[128]);
/* "generation:by" of a stream's event, "" when there is none. */
void change_event(struct change *change, const char *stream, uint64_t version, char text[64]);

#endif
