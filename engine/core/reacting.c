/* SPDX-License-Identifier: MIT */
/*
 * The thread steps its consumers and timers until each says that it has to wait, and sleeps for the shortest. A wake-up
 * costs one atomic operation while it is awake.
 *
 * A consumer that cannot be opened (no memory, a bus that refuses) is tried again every second; the others go on.
 */
#include "core/reacting.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"

#define AGAIN_NS ((int64_t)1000 * 1000 * 1000)

struct listener {
	struct listener *next;
	struct consumer *consumer;
};

struct reacting {
	struct engine *engine;
	struct domain *domain;
	struct timer_clock timers;
	struct firing *firing;
	struct mailbox box; /* only nudged */
	_Atomic bool rung;  /* a nudge that the thread has not seen yet */
	_Atomic bool stopping;
	pthread_t thread;
	bool running;
	struct ruleset *rules; /* whose reactors have consumers; held */
	int64_t again_ns;      /* one could not be opened; 0: all are */
	struct mail *unsaid;   /* struct forget each: streams written since their owners were told */
	pthread_mutex_t lock;  /* over the list while it is changed, or looked at by others */
	struct listener *listeners;
};

static void
wake(void *self)
{
	struct reacting *reacting = self;

	if (!atomic_exchange(&reacting->rung, true))
		mailbox_nudge(&reacting->box);
}

void
reacting_wake(struct reacting *reacting)
{
	if (reacting != NULL)
		wake(reacting);
}

static void
give(void *self, struct submission *submission)
{
	struct reacting *reacting = self;

	committer_give(&reacting->engine->committer, submission);
	committer_ring(&reacting->engine->committer);
}

/*
 * The worker that may keep the state of a stream hears that somebody else wrote it: after the step, all its streams at
 * once, because waking it for each costs this thread a third of its time.
 */
static void
wrote(void *self, struct slice stream)
{
	struct reacting *reacting = self;
	struct forget *forget = forget_make(stream, command_hash(stream));

	if (forget == NULL)
		return; /* as worker_forget */
	forget->post.mail.next = reacting->unsaid;
	reacting->unsaid = &forget->post.mail;
}

static struct forget *
forget_of(struct mail *mail)
{
	return container_of(mail, struct forget, post.mail);
}

static void
tell_owners(struct reacting *reacting)
{
	while (reacting->unsaid != NULL) {
		struct mail *next = reacting->unsaid, *mine = NULL;
		struct worker *owner = worker_of(reacting->engine->workers, forget_of(next)->hash);
		size_t count = 0;

		reacting->unsaid = NULL;
		for (struct mail *mail = next; mail != NULL; mail = next) {
			bool is_mine = worker_of(owner, forget_of(mail)->hash) == owner;
			struct mail **list = is_mine ? &mine : &reacting->unsaid;

			next = mail->next;
			mail->next = *list;
			*list = mail;
			count += is_mine;
		}
		if (mailbox_give_all(&owner->box, mine, count))
			continue;
		for (; mine != NULL; mine = next) {
			next = mine->next;
			free(forget_of(mine));
		}
	}
}

/* ---- consumers come and go ---- */

static struct listener *
find(const struct reacting *reacting, struct slice name)
{
	struct listener *listener = reacting->listeners;

	while (listener != NULL && !slice_equal(consumer_name(listener->consumer), name))
		listener = listener->next;
	return listener;
}

static void
end_listener(struct reacting *reacting, struct listener *listener)
{
	struct listener **place = &reacting->listeners;

	while (*place != listener)
		place = &(*place)->next;
	pthread_mutex_lock(&reacting->lock);
	*place = listener->next;
	pthread_mutex_unlock(&reacting->lock);
	consumer_close(listener->consumer);
	free(listener);
}

static int
begin_listener(struct reacting *reacting, struct slice name, struct fault *fault)
{
	struct engine *engine = reacting->engine;
	struct listener *listener = calloc(1, sizeof(*listener)), **last = &reacting->listeners;
	struct consumer_options options = { .store = engine->parts.store,
					    .domain = reacting->domain,
					    .name = name,
					    .foreign = engine->parts.foreign,
					    .own = engine->parts.along,
					    .give = give,
					    .wrote = wrote,
					    .self = reacting,
					    .script = &engine->script,
					    .clock = engine->parts.clock,
					    .entropy = engine->parts.entropy,
					    .timers = &reacting->timers,
					    .remember_us = engine->limits.remember_us,
					    .waker = { wake, reacting } };

	if (listener == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a consumer");
	if (consumer_open(&options, &listener->consumer, fault) != 0) {
		free(listener);
		return -1;
	}
	while (*last != NULL)
		last = &(*last)->next;
	pthread_mutex_lock(&reacting->lock);
	*last = listener;
	pthread_mutex_unlock(&reacting->lock);
	return 0;
}

static void
end_stale(struct reacting *reacting)
{
	struct listener *next;

	for (struct listener *listener = reacting->listeners; listener != NULL; listener = next) {
		next = listener->next;
		if (consumer_is_stale(listener->consumer)) {
			reacting->again_ns = 1;
			end_listener(reacting, listener);
		}
	}
}

/* Sees to it that each reactor of the active rules has its consumer. */
static void
follow_rules(struct reacting *reacting)
{
	int64_t now_ns = clock_mono_ns(reacting->engine->parts.clock);
	const struct script_program *program;
	struct fault fault;

	end_stale(reacting);
	if (domain_decides(reacting->domain, reacting->rules) &&
	    (reacting->again_ns == 0 || reacting->again_ns > now_ns))
		return;
	ruleset_release(reacting->rules);
	reacting->rules = domain_hold_rules(reacting->domain);
	reacting->again_ns = 0;
	program = reacting->rules->program;
	for (size_t i = 0; i < program->reactor_count; i++) {
		struct slice name = program->reactors[i].name;

		if (find(reacting, name) != NULL || begin_listener(reacting, name, &fault) == 0)
			continue;
		log_line(LOG_ERROR, "a consumer cannot be opened", log_slice("domain", reacting->domain->name),
			 log_slice("reactor", name), log_text("code", fault.code), log_text("text", fault.text));
		reacting->again_ns = now_ns + AGAIN_NS;
	}
}

/* ---- the thread ---- */

static int64_t
step(struct reacting *reacting)
{
	int64_t wait_ns = firing_step(reacting->firing);

	follow_rules(reacting);
	for (struct listener *listener = reacting->listeners; listener != NULL; listener = listener->next) {
		int64_t one_ns;

		if (atomic_load(&reacting->engine->draining))
			consumer_refuse_orders(listener->consumer);
		one_ns = consumer_step(listener->consumer);

		wait_ns = one_ns < wait_ns ? one_ns : wait_ns;
		if (consumer_is_stale(listener->consumer))
			wait_ns = 0;
	}
	tell_owners(reacting);
	if (reacting->again_ns != 0 && wait_ns > AGAIN_NS)
		wait_ns = AGAIN_NS;
	return wait_ns;
}

static void *
reacting_main(void *self)
{
	struct reacting *reacting = self;

	while (!atomic_load(&reacting->stopping)) {
		int64_t wait_ns;

		atomic_store(&reacting->rung, false);
		wait_ns = step(reacting);
		if (wait_ns != 0)
			mailbox_wait(&reacting->box, wait_ns == INT64_MAX ? -1 : wait_ns);
	}
	return NULL;
}

static int
open_one(struct engine *engine, struct domain *domain, struct fault *fault)
{
	struct reacting *made = calloc(1, sizeof(*made));
	struct firing_options options = { .give = give,
					  .self = made,
					  .entropy = engine->parts.entropy,
					  .waker = { wake, made },
					  .bench = { .store = engine->parts.store,
						     .domain = domain,
						     .script = &engine->script,
						     .clock = engine->parts.clock,
						     .timers = made != NULL ? &made->timers : NULL,
						     .wrote = wrote,
						     .self = made } };

	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for what reacts");
	made->engine = engine;
	made->domain = domain;
	mailbox_init(&made->box, 0, NULL);
	must(pthread_mutex_init(&made->lock, NULL) == 0);
	engine->reacting[domain->number] = made;
	made->timers = engine->timers;
	return firing_open(&options, &made->firing, fault);
}

int
reacting_open(struct engine *engine, struct fault *fault)
{
	if (engine->parts.along.open == NULL)
		return 0;
	for (size_t i = 0; i < engine->domain_count; i++)
		if (open_one(engine, engine->domains[i], fault) != 0)
			return -1;
	return 0;
}

int
reacting_start(struct engine *engine, struct fault *fault)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];
		int error = reacting != NULL ? pthread_create(&reacting->thread, NULL, reacting_main, reacting) : 0;

		if (error != 0)
			return fault_errno(fault, FAULT_AWAY, error, "a reacting thread cannot be started");
		if (reacting == NULL)
			continue;
		pthread_setname_np(reacting->thread, "reacting");
		reacting->running = true;
	}
	return 0;
}

void
reacting_stop(struct engine *engine)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];

		if (reacting == NULL || !reacting->running)
			continue;
		atomic_store(&reacting->stopping, true);
		mailbox_nudge(&reacting->box);
		pthread_join(reacting->thread, NULL);
		reacting->running = false;
		while (reacting->listeners != NULL)
			end_listener(reacting, reacting->listeners);
		firing_close(reacting->firing);
		reacting->firing = NULL;
		tell_owners(reacting);
	}
}

void
reacting_close(struct engine *engine)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];

		if (reacting == NULL)
			continue;
		engine->reacting[i] = NULL;
		firing_close(reacting->firing);
		ruleset_release(reacting->rules);
		mailbox_fini(&reacting->box);
		pthread_mutex_destroy(&reacting->lock);
		free(reacting);
	}
}

/* ---- what others see ---- */

static const char *const states[] = {
	[CONSUMER_STARTING] = "starting", [CONSUMER_RUNNING] = "running", [CONSUMER_RETRYING] = "retrying",
	[CONSUMER_HALTED] = "halted",     [CONSUMER_AWAY] = "away",       [CONSUMER_HELD] = "held",
};

static void
write_consumer(const struct consumer_status *status, struct buf *out)
{
	json_comma(out);
	buf_byte(out, '{');
	json_key(out, "domain");
	json_quote(out, status->domain);
	json_key(out, "reactor");
	json_quote(out, status->name);
	json_key(out, "state");
	json_quote(out, slice_text(states[status->state]));
	if (status->since_us != 0)
		json_put_time(out, "since", status->since_us);
	json_put_u64(out, "taken", status->taken);
	json_put_u64(out, "repeated", status->repeated);
	json_put_u64(out, "refused", status->refused);
	json_put_u64(out, "dead", status->dead);
	json_put_u64(out, "parked", status->parked);
	json_put_u64(out, "held", status->held);
	json_key(out, "behind");
	if (status->behind == UINT64_MAX)
		buf_text(out, "null");
	else
		buf_u64(out, status->behind);
	if (status->reason[0] != '\0') {
		json_key(out, "reason");
		json_quote(out, slice_text(status->reason));
	}
	buf_byte(out, '}');
}

/* Calls `each` for every consumer. */
static void
visit(struct engine *engine, void (*each)(void *self, const struct consumer_status *status), void *self)
{
	struct consumer_status status;
	struct arena arena;

	arena_init(&arena, (size_t)1 << 20);
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];

		if (reacting == NULL)
			continue;
		pthread_mutex_lock(&reacting->lock);
		for (struct listener *listener = reacting->listeners; listener != NULL; listener = listener->next) {
			arena_clear(&arena);
			if (consumer_status(listener->consumer, &arena, &status, NULL) == 0)
				each(self, &status);
		}
		pthread_mutex_unlock(&reacting->lock);
	}
	arena_fini(&arena);
}

struct writing {
	struct buf *out;
	bool well;
};

static void
write_one(void *self, const struct consumer_status *status)
{
	struct writing *writing = self;

	write_consumer(status, writing->out);
	writing->well = writing->well && status->state != CONSUMER_HALTED;
}

bool
reacting_write(struct engine *engine, struct buf *out)
{
	struct writing writing = { out, true };

	buf_byte(out, '[');
	visit(engine, write_one, &writing);
	buf_byte(out, ']');
	return writing.well;
}

/* ---- figures ---- */

struct figure {
	struct buf *out;
	const char *name;
	uint64_t (*of)(const struct consumer_status *status);
};

static void
write_figure(void *self, const struct consumer_status *status)
{
	const struct figure *figure = self;
	uint64_t value = figure->of(status);

	if (value != UINT64_MAX)
		buf_format(figure->out, "%s{domain=\"%.*s\",reactor=\"%.*s\"} %llu\n", figure->name,
			   SLICE_ARG(status->domain), SLICE_ARG(status->name), (unsigned long long)value);
}

static uint64_t
taken_of(const struct consumer_status *status)
{
	return status->taken;
}

static uint64_t
repeated_of(const struct consumer_status *status)
{
	return status->repeated;
}

static uint64_t
refused_of(const struct consumer_status *status)
{
	return status->refused;
}

static uint64_t
dead_of(const struct consumer_status *status)
{
	return status->dead;
}

static uint64_t
parked_of(const struct consumer_status *status)
{
	return status->parked;
}

static uint64_t
behind_of(const struct consumer_status *status)
{
	return status->behind;
}

static uint64_t
halted_of(const struct consumer_status *status)
{
	return status->state == CONSUMER_HALTED;
}

static uint64_t
held_of(const struct consumer_status *status)
{
	return status->held;
}

static uint64_t
away_of(const struct consumer_status *status)
{
	return status->state == CONSUMER_AWAY;
}

static void
timer_figures(struct engine *engine, struct buf *out)
{
	static const char *const names[] = { "moonlog_timers_fired_total", "moonlog_timers_dead_total" };
	static const char *const helps[] = { "Timers that fired since start.",
					     "Timers that became dead letters since start." };

	for (size_t n = 0; n < countof(names); n++) {
		buf_format(out, "# HELP %s %s\n# TYPE %s counter\n", names[n], helps[n], names[n]);
		for (size_t i = 0; i < engine->domain_count; i++) {
			struct reacting *reacting = engine->reacting[i];
			struct firing_status status;

			if (reacting == NULL || reacting->firing == NULL)
				continue;
			firing_status(reacting->firing, &status);
			buf_format(out, "%s{domain=\"%.*s\"} %llu\n", names[n], SLICE_ARG(reacting->domain->name),
				   (unsigned long long)(n == 0 ? status.fired : status.failed));
		}
	}
}

void
reacting_metrics(struct engine *engine, struct buf *out)
{
	static const struct {
		const char *name, *type, *help;
		uint64_t (*of)(const struct consumer_status *status);
	} figures[] = {
		{ "moonlog_messages_taken_total", "counter", "Messages whose effect was recorded since start.",
		  taken_of },
		{ "moonlog_messages_repeated_total", "counter", "Messages that were heard before, since start.",
		  repeated_of },
		{ "moonlog_messages_refused_total", "counter", "Commands of reactions that a rule refused.",
		  refused_of },
		{ "moonlog_dead_letters", "gauge", "Dead letters that lie there.", dead_of },
		{ "moonlog_parked_keys", "gauge", "Keys whose messages wait behind a dead letter.", parked_of },
		{ "moonlog_messages_behind", "gauge", "Messages that are known to wait.", behind_of },
		{ "moonlog_consumer_halted", "gauge", "1 while a lane of it is halted.", halted_of },
		{ "moonlog_consumer_held", "gauge", "Lanes that wait for missing versions of a stream.", held_of },
		{ "moonlog_consumer_away", "gauge", "1 while its topics cannot be heard.", away_of },
	};

	if (engine->parts.along.open == NULL)
		return;
	for (size_t i = 0; i < countof(figures); i++) {
		struct figure figure = { out, figures[i].name, figures[i].of };

		buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", figures[i].name, figures[i].help, figures[i].name,
			   figures[i].type);
		visit(engine, write_figure, &figure);
	}
	timer_figures(engine, out);
}

int
reacting_order(struct engine *engine, struct slice whole, struct consumer_order *order, struct fault *fault)
{
	for (size_t i = 0; i < engine->domain_count; i++) {
		struct reacting *reacting = engine->reacting[i];
		struct slice domain = engine->domains[i]->name;
		struct listener *listener;
		bool taken;

		if (reacting == NULL || !slice_starts_with(whole, domain) || whole.size <= domain.size + 1 ||
		    whole.data[domain.size] != '.')
			continue;
		pthread_mutex_lock(&reacting->lock);
		listener = find(reacting, slice_from(whole.data + domain.size + 1, whole.size - domain.size - 1));
		taken = listener != NULL && consumer_give_order(listener->consumer, order);
		pthread_mutex_unlock(&reacting->lock);
		if (taken)
			return 0;
		if (listener != NULL)
			return fault_set(fault, FAULT_BUSY, "too_many_orders", "%.*s has too much to do: ask again",
					 SLICE_ARG(whole));
	}
	return fault_set(fault, FAULT_INPUT, "no_such_reactor", "there is no reactor %.*s", SLICE_ARG(whole));
}
