/* SPDX-License-Identifier: MIT */
/* Inside the projector: what one round does to its projections. Projector's thread only, but for what is marked. */
#ifndef MOONLOG_CORE_FOLLOW_H
#define MOONLOG_CORE_FOLLOW_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "core/projector.h"

/* What others may see of a projection; copied under the projector's lock. */
struct projection_shown {
	log_position at; /* its rows stand here */
	bool stopped;
	bool rebuilding;
	bool ordered; /* an order was given that its rows do not show yet; only in `shown` */
	log_position poison;
	int64_t oldest_us; /* time of the oldest entry not yet projected; 0 = caught up or not known */
	uint64_t rate;
	char reason[sizeof(((struct fault *)NULL)->text)]; /* why it stopped or what it waits for; may be empty */
	char note[sizeof(((struct fault *)NULL)->text)];   /* of the last part that was made anew */
	bool note_failed;
	bool by_bus;      /* `at` counts messages */
	bool unsure;      /* its bus has not said what waits */
	int64_t away_us;  /* since when its bus cannot be heard, `reason` says why; 0: it can */
	uint64_t waiting; /* messages that are known to wait */
};

struct projection {
	const struct script_projection *script;
	uint16_t number;
	log_position
		stored; /* position of its checkpoint; `now.at` may be ahead over entries that are not the domain's */
	bool visited;   /* in this round */
	int64_t rate_since_ns;
	log_position rate_from;
	int64_t told_ns; /* of the last progress line */
	struct projection_shown now;
	struct projection_shown shown; /* guarded by the projector's lock */
	struct feed *feed;             /* feed.h; NULL: the log feeds it */
	struct part *part;             /* to be made anew; guarded by the projector's lock */
	_Atomic unsigned asked;        /* bit an enum projection_order; any thread */
	_Atomic uint64_t asked_poison; /* which one to skip; any thread */
};

enum projector_mail { MAIL_WAKE, MAIL_HURRY, MAIL_ORDER, MAIL_KINDS };

struct projector {
	struct projector_options options;
	struct store_reader *reader;
	struct script_machine *machine;
	struct arena page;
	log_position linked_at; /* `link` is of this entry; 0: of none */
	struct check link;
	struct projection *projections;
	size_t count;
	size_t batch;      /* entries a transaction at present: less after a handler was killed */
	unsigned failures; /* rounds in a row that met a fault that may pass */
	int64_t pause_ns;  /* to wait before the next round */
	char trouble[sizeof(((struct fault *)NULL)->code)];
	_Atomic uint64_t position;
	log_position limit;   /* nothing is projected beyond it; UINT64_MAX unless paused */
	pthread_mutex_t lock; /* guards every `shown` and `pause` */
	struct {
		bool asked;
		bool held;
		log_position at; /* as asked; once held, where */
	} pause;
	pthread_t thread;
	_Atomic bool damaged; /* options.damaged was called */
	_Atomic bool read;    /* rebuilding is not shown */
	_Atomic bool level;   /* what a bus feeds has come to its end once */
	bool started;
	_Atomic bool stopping;
	struct mailbox box;
	struct mail mails[MAIL_KINDS];
	_Atomic bool posted[MAIL_KINDS]; /* in the box, or (WAKE) taken but the head not yet read */
	bool woken;                      /* MAIL_WAKE was taken */
	bool hurried;                    /* MAIL_HURRY was taken */
};

/* Takes the projection's checkpoint from the view, after defining its tables. */
int follow_open(struct projector *projector, struct projection *projection, struct fault *fault);
/* At most one batch a projection up to `head`. Gives true when there is more to do at once. */
bool follow_round(struct projector *projector, log_position head);
/* Orders that were given. A failing one stays ordered. */
void follow_orders(struct projector *projector);
/* Writes checkpoints that lag behind what was reached. */
void follow_store(struct projector *projector);

/* ---- for feed.c ---- */
/* What the projection's checkpoint says at `position`. */
struct view_checkpoint follow_checkpoint(const struct projection *projection, log_position position);
/* It stands where the view's checkpoint says. */
void follow_resume(struct projection *projection, const struct view_checkpoint *checkpoint);
/* Is it the entry, or the message, that is at fault, so that trying again would fail again? */
bool follow_is_poison(const struct fault *fault);
/* Something that may pass: remember it for the status, pause before the next round. `projection` NULL: all meet it. */
void follow_wait_out(struct projector *projector, struct projection *projection, const struct fault *fault);
void follow_reached(struct projector *projector, struct projection *projection, log_position position);
void follow_say(enum log_level level, const char *message, const struct projector *projector,
		const struct projection *projection);
/* `head`: where it has caught up. */
void follow_tell_progress(struct projector *projector, struct projection *projection, log_position head);

/* ---- follow_link.c ---- */
/* The same with the link of the log's entry there; the last entry of `page` (may be NULL) may be that one. */
void follow_linked(struct projector *projector, const struct projection *projection, const struct entries *page,
		   log_position position, struct view_checkpoint *checkpoint);
/* false: these rows were made from another log than the store has, or from a later state of it. */
bool follow_is_of_log(struct projector *projector, const struct view_checkpoint *checkpoint);

/* ---- follow_topics.c ---- */
bool follow_by_topics(const struct projection *projection);
/* script_project for one that topics feed: entries of their topics as messages. On failure entries[*done] is at
 * fault. */
int follow_messages(struct projector *projector, struct projection *projection, const struct entries *entries,
		    size_t *done, struct fault *fault);

#endif
