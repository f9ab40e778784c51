/* SPDX-License-Identifier: MIT */
/*
 * The relay writes its records through the committer's queue like everybody else. That the bus is away is told and no
 * reason not to be ready: commands go on, and a restart would help nothing [I10]; a relay that has stopped waits for a
 * person.
 */
#include "core/sending.h"

#include "base/json.h"

static const char *const states[] = {
	[RELAY_STARTING] = "starting", [RELAY_STANDBY] = "standby", [RELAY_RUNNING] = "running",
	[RELAY_WAITING] = "waiting",   [RELAY_PAUSED] = "paused",   [RELAY_STOPPED] = "stopped",
};

static int
commit(void *self, struct append *append, struct fault *fault)
{
	struct engine *engine = self;

	return committer_wait(&engine->committer, append, fault);
}

int
sending_open(struct engine *engine, struct fault *fault)
{
	const struct engine_parts *parts = &engine->parts;
	struct relay_options options = {
		.store = parts->store,
		.publisher = parts->publisher,
		.commit = { commit, engine },
		.clock = parts->clock,
		.entropy = parts->entropy,
		.service = parts->service.size != 0 ? parts->service : SLICE("moonlog"),
		.owner = parts->owner.size != 0 ? parts->owner : SLICE("engine"),
		.batch_entries = engine->limits.relay_entries,
		.batch_bytes = engine->limits.relay_bytes,
	};

	if (parts->publisher.open == NULL)
		return 0;
	return relay_open(&options, &engine->relay, fault);
}

static void
member_text(struct buf *out, const char *key, const char *text)
{
	json_key(out, key);
	json_quote(out, slice_text(text));
}

bool
sending_write(struct engine *engine, struct buf *out)
{
	struct relay_status status;

	if (engine->relay == NULL) {
		buf_text(out, "null");
		return true;
	}
	relay_status(engine->relay, &status);
	buf_byte(out, '{');
	member_text(out, "bus", status.bus);
	member_text(out, "state", states[status.state]);
	json_put_u64(out, "position", status.position);
	json_put_u64(out, "head", status.head);
	json_put_u64(out, "behind", status.head > status.position ? status.head - status.position : 0);
	json_key(out, "behind_us");
	buf_i64(out, status.behind_us);
	json_put_u64(out, "sent", status.sent);
	json_put_u64(out, "transactions", status.transactions);
	json_put_u64(out, "fences", status.fences);
	if (status.pending)
		buf_text(out, ",\"pending\":true");
	if (status.code[0] != '\0') {
		member_text(out, "code", status.code);
		member_text(out, "reason", status.reason);
	}
	buf_byte(out, '}');
	return status.state != RELAY_STOPPED;
}

static void
figure(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
		   (unsigned long long)value);
}

void
sending_metrics(struct engine *engine, struct buf *out)
{
	struct relay_status status;

	if (engine->relay == NULL)
		return;
	relay_status(engine->relay, &status);
	figure(out, "moonlog_relay_position", "gauge", "Position up to which all messages are out.", status.position);
	figure(out, "moonlog_relay_lag_entries", "gauge", "Entries of the log behind that position.",
	       status.head > status.position ? status.head - status.position : 0);
	buf_text(out, "# HELP moonlog_relay_lag_seconds Age of the oldest of them.\n"
		      "# TYPE moonlog_relay_lag_seconds gauge\n");
	buf_format(out, "moonlog_relay_lag_seconds %.6f\n", (double)status.behind_us / 1e6);
	figure(out, "moonlog_relay_sent_total", "counter", "Messages sent since start.", status.sent);
	figure(out, "moonlog_relay_transactions_total", "counter", "Transactions of the bus since start.",
	       status.transactions);
	figure(out, "moonlog_relay_fences_total", "counter", "Publishers that were made since start.", status.fences);
	buf_text(out,
		 "# HELP moonlog_relay_state 1 for the state the relay is in.\n# TYPE moonlog_relay_state gauge\n");
	for (size_t i = 0; i < countof(states); i++)
		buf_format(out, "moonlog_relay_state{state=\"%s\"} %d\n", states[i], (size_t)status.state == i);
}

struct relay *
engine_relay(const struct engine *engine)
{
	return engine->relay;
}

void
engine_relay_status(struct engine *engine, struct buf *out)
{
	sending_write(engine, out);
}
