/* SPDX-License-Identifier: MIT */
/* What is told of consumers: where each stands, as JSON and as figures. */
#include "core/reacting_inside.h"

#include <stdio.h>

#include "base/json.h"

static const char *const states[] = {
	[CONSUMER_STARTING] = "starting", [CONSUMER_RUNNING] = "running", [CONSUMER_RETRYING] = "retrying",
	[CONSUMER_HALTED] = "halted",     [CONSUMER_AWAY] = "away",       [CONSUMER_HELD] = "held",
	[CONSUMER_UNOPENED] = "unopened",
};

static void
write_numbers(const struct consumer_status *status, struct buf *out)
{
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
}

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
	if (status->state != CONSUMER_UNOPENED)
		write_numbers(status, out);
	if (status->reason[0] != '\0') {
		json_key(out, "reason");
		json_quote(out, slice_text(status->reason));
	}
	buf_byte(out, '}');
}

/* Calls `each` for every consumer, and for those that could not be opened. */
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
		for (struct unopened *unopened = reacting->unopened; unopened != NULL; unopened = unopened->next) {
			status = (struct consumer_status){ .domain = reacting->domain->name,
							   .name = slice_text(unopened->name),
							   .state = CONSUMER_UNOPENED,
							   .since_us = unopened->since_us };
			snprintf(status.reason, sizeof(status.reason), "%s", unopened->reason);
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
	writing->well = writing->well && status->state != CONSUMER_HALTED && status->state != CONSUMER_UNOPENED;
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

static uint64_t
unopened_of(const struct consumer_status *status)
{
	return status->state == CONSUMER_UNOPENED;
}

/* Of one that is not open nothing else is known. */
static void
write_figure(void *self, const struct consumer_status *status)
{
	const struct figure *figure = self;
	bool known = status->state != CONSUMER_UNOPENED || figure->of == unopened_of;
	uint64_t value = known ? figure->of(status) : UINT64_MAX;

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
		{ "moonlog_consumer_unopened", "gauge", "1 while it cannot be opened.", unopened_of },
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
