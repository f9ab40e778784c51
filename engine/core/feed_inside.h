/* SPDX-License-Identifier: MIT */
/* Inside a feed: what the files behind feed.h share. */
#ifndef MOONLOG_CORE_FEED_INSIDE_H
#define MOONLOG_CORE_FEED_INSIDE_H

#include "core/feed.h"
#include "core/parked.h"

#define FEED_MESSAGES  1000 /* of one batch */
#define FEED_NAME_SIZE (2 * STREAM_WORD_MAX + STORE_TOPIC_MAX + 32)
#define FEED_GONE      "offset_gone"

struct sender {
	struct sender *next;
	char *name; /* of its checkpoint */
	bool there;
	log_position position; /* of the last entry heard, and when it was recorded; as the view has it */
	int64_t time_us;
	log_position reached; /* the same, with the open batch */
	int64_t reached_us;
};

struct feed_lane {
	struct feed_lane *next;
	char name[FEED_NAME_SIZE]; /* of its checkpoint */
	struct source_lane lane;
	bool ours;
	bool there;     /* the view has a place of it: `place` */
	bool touched;   /* by the open batch, which reaches `reached` */
	bool pulled;    /* `after` is behind the last message that was pulled */
	uint64_t place; /* the next offset */
	uint64_t reached;
	uint64_t after;
	struct sender *senders;
	size_t sender_count;
};

/* See feed_inbox.c. */
struct inbox {
	size_t room;            /* ids; 0: not loaded, or none are kept */
	uint64_t next;          /* number of the next id */
	struct command_id *ids; /* by number, modulo `room` */
	bool *there;
	uint32_t *links, *heads, mask;
	struct command_id *fresh; /* of the open batch */
	size_t fresh_count;
};

struct heard {
	struct feed_lane *lane;
	uint64_t offset;
	struct react_message message;
	const char *bad;       /* why it is none; NULL: it is */
	struct sender *sender; /* NULL: its repeats are known by its id alone: */
	log_position position;
	struct command_id id;
	bool has_id; /* of its own */
	bool wanted;
	bool repeated;
};

struct feed {
	struct source *source; /* NULL: to be opened */
	int64_t again_ns;      /* not asked before; 0: at once */
	int64_t pause_ns;
	struct feed_lane *lanes;
	struct heard *batch;
	size_t first, count; /* what of it is still to be taken */
	size_t bytes;
	struct arena arena;
	bool more;  /* the source had more than there was room for */
	bool quiet; /* `stopped` was told to the source */
	bool level;
	struct inbox inbox;
};

/* ---- feed_pull.c: lanes, and from the source into the batch ---- */

/* The lane with the place that the view has. NULL: *fault. */
struct feed_lane *feed_need_lane(struct projector *projector, struct projection *projection,
				 const struct source_lane *wanted, struct fault *fault);
void feed_free_lanes(struct feed *feed);
void feed_free_senders(struct feed_lane *lane);
/* What was pulled is dropped: the lanes go back to their places. */
void feed_go_back(struct feed *feed, bool paused);
/* The source is closed: another one tells all of its lanes anew. */
void feed_leave(struct feed *feed);
/* News and messages until there is nothing, or no room. */
int feed_pull(struct projector *projector, struct projection *projection, struct fault *fault);
/* One transaction: the mark that stops it, or that lets it go on; the lane's place with it unless NULL. */
int feed_write_mark(struct projector *projector, struct projection *projection, const struct feed_lane *lane,
		    struct fault *fault);
void feed_show_stop(struct projection *projection, log_position poison, const char *reason);

/* ---- feed_take.c: from the batch into the view ---- */

/* The next piece of the batch. Gives false when it met something that may pass. */
bool feed_take(struct projector *projector, struct projection *projection);

/* ---- feed_inbox.c: ids that were heard ---- */

/* Once, before the first id is asked about. */
int feed_inbox_load(struct projector *projector, struct projection *projection, struct fault *fault);
/* Memory alone. */
void feed_inbox_forget(struct inbox *inbox);
/* true: it was heard before. false: it is now, with the open batch. */
bool feed_inbox_hears(struct inbox *inbox, const struct command_id *id);
/* Into the open transaction. */
int feed_inbox_write(struct projector *projector, const struct projection *projection, struct fault *fault);
/* The transaction became durable, or not. */
void feed_inbox_settle(struct inbox *inbox, bool done);

#endif
