/* SPDX-License-Identifier: MIT */
/*
 * A connection that breaks is told by the library ("all brokers down"); one that is only silent, because a broker hangs
 * or its packets are lost, is not, for as long as its requests may take (a minute): then no answer for ten seconds says
 * it. Answers come twice a second from fetches that wait, every second for the group, every three from looking for
 * topics.
 */
#include "bus/kafka/hearing.h"

#include "base/clock.h"

#define SILENCE_NS (INT64_C(10) * 1000 * 1000 * 1000)

static bool
is_silent(const struct kafka_hearing *hearing, int64_t now_ns)
{
	return atomic_load(&hearing->down) || now_ns - atomic_load(&hearing->heard_ns) > SILENCE_NS;
}

static rd_kafka_resp_err_t
answered(rd_kafka_t *client, int socket, const char *broker, int32_t id, int16_t key, int16_t version, int32_t number,
	 size_t size, int64_t rtt, rd_kafka_resp_err_t code, void *self)
{
	struct kafka_hearing *hearing = self;
	int64_t now_ns = clock_mono_ns(clock_real());
	bool silent = is_silent(hearing, now_ns);

	(void)client, (void)socket, (void)broker, (void)id, (void)key, (void)version, (void)number, (void)size,
		(void)rtt;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	atomic_store(&hearing->heard_ns, now_ns);
	atomic_store(&hearing->down, false);
	if (silent && hearing->waker.wake != NULL)
		hearing->waker.wake(hearing->waker.self);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
begin(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *self, char *text, size_t size)
{
	(void)conf, (void)text, (void)size;
	return rd_kafka_interceptor_add_on_response_received(client, "hearing", answered, self);
}

void
kafka_hearing_init(struct kafka_hearing *hearing, rd_kafka_conf_t *conf, struct waker waker)
{
	hearing->waker = waker;
	atomic_store(&hearing->heard_ns, clock_mono_ns(clock_real()));
	atomic_store(&hearing->down, false);
	(void)rd_kafka_conf_interceptor_add_on_new(conf, "hearing", begin, hearing);
}

void
kafka_hearing_down(struct kafka_hearing *hearing)
{
	atomic_store(&hearing->down, true);
}

bool
kafka_hears(const struct kafka_hearing *hearing, struct fault *fault)
{
	int64_t now_ns = clock_mono_ns(clock_real());

	if (!is_silent(hearing, now_ns))
		return true;
	if (atomic_load(&hearing->down))
		fault_set(fault, FAULT_AWAY, "kafka_away", "no broker can be reached");
	else
		fault_set(fault, FAULT_AWAY, "kafka_away", "no broker has answered for more than %lld s",
			  (long long)(SILENCE_NS / 1000000000));
	return false;
}
