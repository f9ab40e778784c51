/* SPDX-License-Identifier: MIT */
/*
 * The lease: one record, changed by compare-and-set, so that of two that want it one gets it. It keeps processes of one
 * store from taking the publisher from each other in turns; what makes publishing safe is the fence [I9]. A store that
 * one process has for itself needs no waiting: whoever held the lease is gone.
 *
 * Its epoch rises with every holder. It travels in the mark, and so tells a copy of the store that is published beside
 * this one: a mark with a higher epoch than the lease that was never lost.
 */
#include "base/json.h"
#include "core/relay_inside.h"

#define LEASE_MAX 1024

struct lease {
	bool found;
	struct slice value;
	struct slice owner; /* raw, undecoded: only compared and shown */
	uint64_t epoch;
	int64_t until_us;
};

static int
read_lease(struct relay *relay, struct lease *lease, struct fault *fault)
{
	struct json_value object, owner, epoch, until;

	*lease = (struct lease){ .found = false };
	if (relay_read_record(relay, "lease", &lease->value, &lease->found, fault) != 0)
		return -1;
	if (!lease->found)
		return 0;
	if (json_check(lease->value, &object, NULL) != 0 || !json_member(object, SLICE("owner"), &owner) ||
	    !json_member(object, SLICE("epoch"), &epoch) || !json_member(object, SLICE("until"), &until) ||
	    owner.kind != JSON_STRING || !json_to_u64(epoch, &lease->epoch) || !json_to_i64(until, &lease->until_us))
		return fault_set(fault, FAULT_CORRUPT, "bad_record", "record relay/lease is not what was written");
	lease->owner = slice_from(owner.raw.data + 1, owner.raw.size - 2);
	return 0;
}

/* From what it was to us with this epoch; `until_us` 0: to nobody. */
static int
write_lease(struct relay *relay, struct slice before, uint64_t epoch, int64_t until_us, bool *won, struct fault *fault)
{
	struct buf value;
	int result = -1;

	buf_init(&value, LEASE_MAX);
	buf_text(&value, "{\"owner\":");
	json_quote(&value, until_us != 0 ? relay->owner : SLICE(""));
	buf_format(&value, ",\"epoch\":%llu,\"until\":%lld}", (unsigned long long)epoch, (long long)until_us);
	if (relay->lease_text == NULL)
		relay->lease_text = arena_alloc(&relay->names, LEASE_MAX);
	if (value.failed || relay->lease_text == NULL) {
		fault_set(fault, FAULT_LIMIT, "too_large", "the relay's owner has too long a name");
		goto out;
	}
	struct record_write record = { .rule = before.size != 0 ? RECORD_EQUALS : RECORD_ABSENT,
				       .key = SLICE("lease"),
				       .value = buf_slice(&value),
				       .before = before };
	result = relay_write_record(relay, record, won, fault);
	if (result != 0 || !*won)
		goto out;
	memcpy(relay->lease_text, value.data, value.size);
	relay->lease_value = slice_from(relay->lease_text, value.size);
	relay->epoch = epoch;
	relay->lease_until_us = until_us;
out:
	buf_fini(&value);
	return result;
}

static int64_t
stand_by(struct relay *relay, const struct lease *lease, int64_t now_us)
{
	int64_t left_us = lease->until_us - now_us;
	struct fault fault;

	fault_set(&fault, FAULT_BUSY, "standby", "%.*s has the lease", SLICE_ARG(lease->owner));
	relay_say(relay, RELAY_STANDBY, &fault);
	relay->not_before_ns = clock_mono_ns(relay->options.clock) +
			       1000 * (left_us < relay->options.lease_us ? left_us : relay->options.lease_us);
	return relay_go(relay, PHASE_LEASE);
}

int64_t
relay_take_lease(struct relay *relay)
{
	int64_t now_us = clock_wall_us(relay->options.clock);
	struct lease lease;
	struct fault fault;
	bool won;

	if (read_lease(relay, &lease, &fault) != 0)
		return relay_trouble(relay, &fault);
	bool ours = relay->epoch != 0 && slice_equal(lease.value, relay->lease_value);
	bool free_now = !lease.found || lease.until_us <= now_us || !relay->options.shared;
	if (!ours && !free_now)
		return stand_by(relay, &lease, now_us);
	if (write_lease(relay, lease.value, ours ? relay->epoch : lease.epoch + 1, now_us + relay->options.lease_us,
			&won, &fault) != 0)
		return relay_trouble(relay, &fault);
	if (!won) {
		relay->epoch = 0;
		return relay_go(relay, PHASE_LEASE);
	}
	return relay_go(relay, PHASE_FENCE);
}

int
relay_keep_lease(struct relay *relay, bool *kept, struct fault *fault)
{
	int64_t now_us = clock_wall_us(relay->options.clock);

	*kept = true;
	/* Nobody else can have it. */
	if (!relay->options.shared || relay->lease_until_us - now_us > relay->options.lease_us / 2)
		return 0;
	return write_lease(relay, relay->lease_value, relay->epoch, now_us + relay->options.lease_us, kept, fault);
}

int
relay_raise_lease(struct relay *relay, uint64_t above, bool *kept, struct fault *fault)
{
	*kept = true;
	if (relay->epoch > above)
		return 0;
	return write_lease(relay, relay->lease_value, above + 1,
			   clock_wall_us(relay->options.clock) + relay->options.lease_us, kept, fault);
}

void
relay_give_lease_back(struct relay *relay)
{
	struct fault fault;
	bool won;

	if (relay->epoch != 0)
		write_lease(relay, relay->lease_value, relay->epoch, 0, &won, &fault);
	relay->epoch = 0;
}
