/* SPDX-License-Identifier: MIT */
/*
 * A command inside the engine: what was asked, where it stands, what it decided. It lives in the asker's arena from
 * engine_execute until its answer goes out; whoever holds it (loop, worker, committer, worker again) owns it.
 */
#ifndef MOONLOG_CORE_COMMAND_H
#define MOONLOG_CORE_COMMAND_H

#include "core/cache.h"
#include "core/committer.h"
#include "core/domain.h"

/* What comes through a worker's mailbox. */
enum post_kind {
	POST_COMMAND, /* a struct command, to be decided */
	POST_SETTLED, /* a struct command, back from the committer */
	POST_FORGET,  /* a struct forget: another worker wrote a stream of yours */
	POST_ADOPT    /* a struct adoption: new rules decide from now on */
};

struct post {
	struct mail mail;
	enum post_kind kind;
};

struct forget {
	struct post post;
	uint64_t hash;
	bool wrong; /* what is kept is no state of the stream's; else the stream has grown */
	size_t size;
	char name[];
};

/* A seat of the new rules on its way to a worker, and back to whoever brought it. */
struct adoption {
	struct post post;
	struct domain *domain;
	struct seat *seat; /* the worker's from then on */
	struct mailbox *home;
};

enum command_state {
	COMMAND_GIVEN,
	COMMAND_WAITING,
	COMMAND_DECIDING,
	COMMAND_COMMITTING,
	COMMAND_ANSWERED,
	COMMAND_STATES
};

struct command {
	struct post post; /* to and from the worker */
	struct engine_command *asked;
	enum command_state state;
	struct mailbox *home; /* of the worker that owns the stream */
	struct domain *domain;
	struct ruleset *rules; /* held; the numbers below are theirs */
	uint16_t aggregate;
	uint16_t rule;                    /* number of the command in its aggregate */
	const struct script_route *route; /* may be NULL */
	struct slice stream;
	uint64_t hash;
	struct slice id; /* of the stream */
	bool has_key;    /* the client gave one: remembered by `command_id` */
	struct command_id command_id;
	struct fingerprint fingerprint;
	/* the worker's */
	struct seat *seat;     /* whose machine decides it; NULL before */
	struct command *next;  /* in a lane's queue */
	struct lane *lane;     /* of its own stream */
	struct lane *wanted;   /* of a stream that it wanted to load while an append to it was in flight */
	uint64_t wrongs;       /* that its worker had heard of when it was decided: struct worker */
	struct lane **flights; /* of the streams that its append writes */
	struct cached *cached; /* open entry of its own stream */
	unsigned attempt;
	bool begun;
	bool probe;             /* that a tripped breaker lets through */
	struct arena_mark mark; /* of the asker's arena, before the decision */
	struct decided decided;
	struct submission submission; /* to the committer, with its answer */
};

/* Of a stream's whole name: chooses the worker, finds cache entries and lanes. */
static inline uint64_t
command_hash(struct slice stream)
{
	return slice_hash(stream, 0x6d6f6f6e6c6f67u);
}

/* Moves to another state; a move that the table does not allow is a broken invariant. */
void command_move(struct command *command, enum command_state state);

/*
 * Finds the command anew in other rules, which are held for it: it was routed by those before a reload. false: these
 * rules do not have it, and asked->outcome says so.
 */
bool command_rebind(struct command *command, struct ruleset *rules);

/*
 * Finds domain, aggregate and command, makes ids and the stream's name. NULL: asked->outcome says why (MISSING, or
 * FAILED with INPUT "bad_stream_id", MEMORY). Any thread.
 */
struct command *command_make(struct domain *const *domains, size_t count, const struct engine_parts *parts,
			     struct engine_command *asked);

static inline const struct script_aggregate *
command_aggregate(const struct command *command)
{
	return &command->rules->program->aggregates[command->aggregate];
}

static inline const struct script_command *
command_rule(const struct command *command)
{
	return &command_aggregate(command)->commands[command->rule];
}

#endif
