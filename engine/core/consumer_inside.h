/* SPDX-License-Identifier: MIT */
/* The consumer's own structs: what the files behind consumer.h share. */
#ifndef MOONLOG_CORE_CONSUMER_INSIDE_H
#define MOONLOG_CORE_CONSUMER_INSIDE_H

#include <pthread.h>

#include "core/cloudevent.h"
#include "core/consumer.h"
#include "core/consumer_heard.h"
#include "core/dead.h"
#include "core/parked.h"
#include "core/reaction.h"

#define CONSUMER_NAME_SIZE (2 * STREAM_WORD_MAX + 2)
#define LANE_KEY_SIZE      (STORE_TOPIC_MAX + 16)
#define PLACE_MARK_SIZE    9
#define PLACE_SIZE         (20 + 1 + PLACE_MARK_SIZE)

enum letter_state {
	LETTER_NEW,    /* to be decided */
	LETTER_FLYING, /* its append is on its way */
	LETTER_DONE    /* nothing is left to do about it */
};

/* What its append is to record. */
enum letter_purpose {
	LETTER_EFFECT, /* what the handler decides */
	LETTER_PLACE,  /* the lane's place alone: it was heard before, or is no message */
	LETTER_OLDER,  /* likewise: its stream had a later version already */
	LETTER_NOTED,  /* its handler wants nothing, but the version of its stream is noted */
	LETTER_DEAD,   /* a dead letter: `fault` says why */
	LETTER_BEHIND, /* the same, because its key is parked */
	LETTER_AGAIN,  /* a dead letter that goes through the handler again */
	LETTER_DROP,   /* one that goes without */
	LETTER_REWRITE /* one that failed again */
};

/* A message on its way through the consumer. */
struct letter {
	struct mail mail; /* back from the committer */
	struct letter *next;
	struct consumer_lane *lane; /* NULL: from the dead letters */
	enum letter_state state;
	enum letter_purpose purpose;
	uint64_t offset;
	uint64_t after; /* the lane stands there when it is done */
	const struct recorded_entry *entry;
	struct message message;
	size_t bytes; /* of its data, as it came */
	struct react_message heard;
	bool prepared;      /* `heard` and what follows hold */
	bool has_inbox;     /* remembered by `id` */
	bool handled;       /* there is a handler of its type */
	bool moves_count;   /* its append writes how many letters its key has */
	bool ends_key;      /* the key is parked no more once its append is done */
	bool moves_version; /* its append writes which version of its stream was heard: */
	bool version_there;
	bool unheld; /* a person said that it is not to wait for versions */
	bool passes; /* likewise: that it becomes a dead letter rather than halt its lane */
	struct heard_version version_before, version;
	struct parked_key stream; /* of the message's source and subject */
	struct command_id id;
	struct parked_key parked; /* of the message's key */
	bool has_key;
	unsigned attempts;
	int64_t first_us; /* when it was tried first */
	struct fault fault;
	char before[PLACE_SIZE];
	char place[PLACE_SIZE];
	/* from the dead letters */
	struct slice dead_key;
	struct slice dead_value;
	struct slice type; /* as it was told then */
	bool dead_parked;  /* counted among its key's */
	int32_t partition; /* where it came from */
	struct reaction reaction;
};

/* A lane of a source: its messages in order, those in flight first. */
struct consumer_lane {
	struct consumer_lane *next;
	unsigned source;
	struct source_lane lane; /* topic in `key` */
	char key[LANE_KEY_SIZE]; /* <topic>/<partition> */
	struct letter *first, *last;
	size_t count, bytes;
	size_t flying;
	size_t width;     /* in flight at most; small after something went wrong */
	bool starting;    /* its place is to be read, and the source to begin there */
	bool revoked;     /* not ours any more; goes when nothing of it is in flight */
	bool broken;      /* an append of it lost: nothing is decided until all are back */
	bool paused;      /* the source was told to */
	bool halted;      /* until somebody decides; `reason` */
	bool gone;        /* the source gives nothing more until it begins again */
	bool skips;       /* then at `oldest`, as a person said */
	uint64_t oldest;  /* that the source has, where it is gone */
	bool place_there; /* there is a record of it, once everything in flight is done */
	uint64_t place;   /* what it will say then */
	char place_text[PLACE_SIZE];
	bool durable_there;
	uint64_t durable;
	uint64_t reached;   /* all before needs nothing more */
	uint64_t passed;    /* the source has come here without a message */
	int64_t moved_ns;   /* when the place was written last */
	int64_t again_ns;   /* not before; 0: at once */
	int64_t pause_us;   /* the last one's length; 0: all is well */
	struct fault fault; /* why it waits, or is halted */
};

struct consumer_source {
	struct source *source; /* NULL: none */
	int64_t again_ns;
	int64_t pause_us;
	struct fault fault; /* why it is asked again */
};

/* Dead letters on their way back, one after the other. */
struct drain {
	bool running;
	bool parked_only;
	struct consumer_order *order; /* NULL: nobody asked */
	bool one_key;                 /* only letters of `key` */
	bool one_letter;              /* only the one that was ordered */
	bool once_more;               /* rules changed meanwhile */
	uint64_t went;                /* letters that went in this round */
	struct parked_key key;
	struct buf after;        /* key of the last one looked at */
	struct letter *letter;   /* in flight, or to be decided again */
	bool parked_later;       /* the parked ones gave way to an order */
	struct fault fault;      /* why it waits */
	struct parked_set stuck; /* keys whose first one failed again */
	int64_t again_ns;
	int64_t pause_us;
};

struct consumer {
	struct consumer_options options;
	char name[STREAM_WORD_MAX + 1];
	char whole[CONSUMER_NAME_SIZE]; /* <domain>.<name> */
	struct fingerprint fingerprint; /* of what it remembers ids with */
	struct arena names;
	struct slice place_space, dead_space, parked_space, heard_space;
	char mark[PLACE_MARK_SIZE]; /* on the places that it writes */
	struct bench bench;
	const struct ruleset *rules;       /* of which `rule` is; compared only */
	const struct script_reactor *rule; /* NULL: these rules do not have it */
	uint16_t number;
	struct digest hears; /* what its sources were opened for */
	bool stale;          /* they give something else than its rule wants, or it has none */
	struct consumer_source sources[2];
	struct consumer_lane *lanes;
	struct letter *spare;
	struct mailbox home;
	size_t flying;
	size_t queued, queued_bytes; /* letters of lanes that go on */
	bool more;                   /* the sources had more than there was room for */
	bool waits;                  /* a decision waits for something that comes without mail */
	struct parked_set parked;
	bool parked_unsure; /* to be read again, once nothing is in flight */
	struct mailbox orders;
	struct mail *waiting_orders; /* taken from it */
	struct drain drain;
	struct sweep sweep;
	/* counted */
	uint64_t taken, repeated, refused, dead;
	pthread_mutex_t lock; /* over `told` */
	struct consumer_status told;
};

/* name, whole and the spaces, of options. */
int consumer_name_spaces(struct consumer *consumer, struct fault *fault);

static inline int64_t
consumer_now_ns(const struct consumer *consumer)
{
	return clock_mono_ns(consumer->options.clock);
}

/* ---- consumer_lanes.c: from the sources into the lanes ---- */

/* For more from the sources? One message that is larger than all there may be is taken alone. */
bool consumer_has_room(const struct consumer *consumer);
/* Takes what the sources have, as far as there is room. Gives how long to wait before they are asked again. */
int64_t consumer_pull(struct consumer *consumer);
/* What lanes have to do besides deciding: begin, mend, move an idle place, go. */
void consumer_tend(struct consumer *consumer);
/* How long until a lane has something to do that nobody tells of. */
int64_t consumer_patience(const struct consumer *consumer);
/* The lane goes on after a pause that grows; `fault` says why. */
void consumer_stall(struct consumer *consumer, struct consumer_lane *lane, const struct fault *fault);
void consumer_halt(struct consumer *consumer, struct consumer_lane *lane, const struct fault *fault);
/* The lane tries again now. */
void consumer_go_on(struct consumer *consumer, struct consumer_lane *lane);
/* Halted and waiting lanes try again now. */
void consumer_resume(struct consumer *consumer);
/* The first letters that are done leave. */
void consumer_shift(struct consumer *consumer, struct consumer_lane *lane);
struct letter *consumer_spare(struct consumer *consumer);
void consumer_put_away(struct consumer *consumer, struct letter *letter);
void consumer_drop_lanes(struct consumer *consumer);
/* The pause after one of `before_us`, with chance in it. */
int64_t consumer_pause(struct consumer *consumer, int64_t before_us);

/* ---- consumer_decide.c: from a letter to its append ---- */

/* Decides what stands in the lanes, as far as the window reaches. Gives how long to wait. */
int64_t consumer_decide(struct consumer *consumer);
/* One letter. true: it is in flight or done; false: it waits (consumer->waits), or its lane stalls. */
bool consumer_take(struct consumer *consumer, struct letter *letter);
/* `heard`, inbox and key of a letter with a message. Fails: INPUT "bad_cloudevent"; MEMORY. */
int consumer_prepare(struct consumer *consumer, struct letter *letter, struct fault *fault);
/*
 * What the rules make of a letter that is prepared. An entry that is both, an event of the own domain and a message on
 * a topic that is heard, is asked as either.
 */
enum reaction_answer consumer_ask(struct consumer *consumer, struct bench *bench, struct letter *letter,
				  struct fault *fault);
bool consumer_give(struct consumer *consumer, struct letter *letter, struct fault *fault);

/* ---- consumer_settle.c: what the committer's word means ---- */

void consumer_settle(struct consumer *consumer, struct letter *letter);
/* One line about what came of it. */
void consumer_say(const struct consumer *consumer, const struct letter *letter, const char *came);

/* ---- consumer_dead.c: dead letters and parked keys ---- */

/* Adds the records, and where the bus leaves the process the message, of a dead letter. */
int consumer_bury(struct consumer *consumer, struct letter *letter, struct fault *fault);
/* Adds the records by which a dead letter is there no more. */
int consumer_unbury(struct consumer *consumer, struct letter *letter, struct fault *fault);
int consumer_count_dead(struct consumer *consumer, struct fault *fault);
int consumer_read_parked(struct consumer *consumer, struct fault *fault);

/* ---- consumer_drain.c: dead letters on their way back ---- */

/*
 * The dead letter after `after`, which moves on, with its message as it was. Gives 1, 0 at the end, -1 for a fault; one
 * that cannot be read is told in the log and has LETTER_PLACE as purpose.
 */
int consumer_read_letter(struct consumer *consumer, struct buf *after, struct letter *letter, struct fault *fault);
/* Goes on with what is being drained, takes orders. Gives how long to wait. */
int64_t consumer_drain(struct consumer *consumer);
/* All parked ones go through the handler again. */
void consumer_drain_parked(struct consumer *consumer);
void consumer_drained(struct consumer *consumer, struct letter *letter, bool done);

#endif
