/* SPDX-License-Identifier: MIT */
/*
 * Errors: whether a call is to be made again, undone or given up is told by the flags of the error and by nothing else;
 * the same code comes with different flags (a time-out is retriable, then abortable), and an error with no flag at all
 * leaves a client in a state that nobody describes, so it is given up too. The code decides only what a person reads,
 * and the class of the fault.
 */
#include "bus/kafka/client.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

/* What every client has. The back-off: after a restart of the broker the default of 10 s is most of the stall. */
static const struct kafka_setting common[] = {
	{ "client.id", "moonlog" },
	{ "reconnect.backoff.ms", "50" },
	{ "reconnect.backoff.max.ms", "500" },
	{ "socket.nagle.disable", "true" },
	{ "socket.keepalive.enable", "true" },
	{ "log.connection.close", "false" },
	{ NULL, NULL },
};

/* The exactly-once protocol and the places in the store rest on these: not the author's to set. */
static const char *const ours[] = {
	"bootstrap.servers",
	"metadata.broker.list",
	"transactional.id",
	"transaction.timeout.ms",
	"enable.idempotence",
	"enable.auto.commit",
	"enable.auto.offset.store",
	"auto.offset.reset",
	"isolation.level",
	"group.id",
	"group.instance.id",
	"partition.assignment.strategy",
	"partitioner",
	"enable.partition.eof",
	"acks",
	"request.required.acks",
	"retries",
	"message.send.max.retries",
	"delivery.report.only.error",
	"message.timeout.ms",
	"delivery.timeout.ms",
};

static void
log_library(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	/* What goes wrong comes back as an answer too, but not why brokers are away or a transaction failed. */
	enum log_level as = strcmp(facility, "FAIL") == 0 || strcmp(facility, "TXNERR") == 0 ? LOG_WARN : LOG_DEBUG;

	log_line(as, "kafka", log_text("client", client != NULL ? rd_kafka_name(client) : ""),
		 log_int("severity", level), log_text("facility", facility), log_text("text", text));
}

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct fault *fault)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		return fault_set(fault, FAULT_CONFIG, "kafka_setting", "%s=%s: %s", name, value, why);
	return 0;
}

static int
set_property(rd_kafka_conf_t *conf, struct slice property, struct fault *fault)
{
	const char *equals = memchr(property.data, '=', property.size);
	char name[128], value[2048];

	if (equals == NULL || equals == property.data)
		return fault_set(fault, FAULT_CONFIG, "kafka_setting", "\"%.*s\" is not name=value",
				 SLICE_ARG(property));
	int name_size = snprintf(name, sizeof(name), "%.*s", (int)(equals - property.data), property.data);
	int value_size =
		snprintf(value, sizeof(value), "%.*s", (int)(property.data + property.size - equals - 1), equals + 1);
	if (name_size >= (int)sizeof(name) || value_size >= (int)sizeof(value))
		return fault_set(fault, FAULT_CONFIG, "kafka_setting", "%s: too long", name);
	for (size_t i = 0; i < countof(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			return fault_set(fault, FAULT_CONFIG, "kafka_setting",
					 "%s is set by moonlog itself, leave it out", name);
	return set(conf, name, value, fault);
}

rd_kafka_conf_t *
kafka_configure(const struct kafka_options *options, const struct kafka_setting *defaults,
		const struct kafka_setting *settings, struct fault *fault)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char brokers[2048];
	int failed = 0;

	if (snprintf(brokers, sizeof(brokers), "%.*s", SLICE_ARG(options->brokers)) >= (int)sizeof(brokers))
		failed = fault_set(fault, FAULT_CONFIG, "kafka_setting", "the list of brokers is too long");
	for (const struct kafka_setting *s = common; failed == 0 && s->name != NULL; s++)
		failed = set(conf, s->name, s->value, fault);
	for (const struct kafka_setting *s = defaults; failed == 0 && s != NULL && s->name != NULL; s++)
		failed = set(conf, s->name, s->value, fault);
	for (size_t i = 0; failed == 0 && i < options->property_count; i++)
		failed = set_property(conf, options->properties[i], fault);
	for (const struct kafka_setting *s = settings; failed == 0 && s->name != NULL; s++)
		if (s->value != NULL)
			failed = set(conf, s->name, s->value, fault);
	if (failed == 0)
		failed = set(conf, "bootstrap.servers", brokers, fault);
	if (failed != 0) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_log_cb(conf, log_library);
	return conf;
}

rd_kafka_t *
kafka_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct fault *fault)
{
	char why[256];
	rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof(why));

	if (client == NULL) {
		rd_kafka_conf_destroy(conf);
		fault_set(fault, FAULT_CONFIG, "kafka_setting", "Kafka: %s", why);
	}
	return client;
}

/* house: long table */
static enum fault_class
class_of(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR__SSL:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
	case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
	case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
	case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
	case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
	case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
	case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
	case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
	case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
	case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
	case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
		return FAULT_CONFIG;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		return FAULT_LIMIT;
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		return FAULT_INPUT;
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
	case RD_KAFKA_RESP_ERR__FENCED:
	case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
	case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
		return FAULT_BUSY;
	case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
		return FAULT_MEMORY;
	default:
		return FAULT_AWAY;
	}
}

int
kafka_fault(rd_kafka_resp_err_t code, const char *doing, const char *text, struct fault *fault)
{
	const char *name = rd_kafka_err2name(code);
	char ours_name[sizeof(fault->code)];

	snprintf(ours_name, sizeof(ours_name), "kafka_%s", name[0] == '_' ? name + 1 : name);
	for (char *c = ours_name; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	fault_set(fault, class_of(code), ours_name, "%s: %s", doing, text != NULL ? text : rd_kafka_err2str(code));
	if (fault != NULL)
		fault->native = (int)code;
	return -1;
}

static bool
is_fence(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	       code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* That another took over and that the broker gave up a transaction look the same to this library. */
static void
lost(rd_kafka_resp_err_t code, const char *doing, const char *text, struct fault *fault)
{
	if (is_fence(code)) {
		fault_set(fault, FAULT_BUSY, "fenced",
			  "%s: another publishes this log now, or the broker gave up a transaction that took too long "
			  "(%s)",
			  doing, text);
		fault->native = (int)code;
	} else {
		kafka_fault(code, doing, text, fault);
	}
}

bool
kafka_is_lost(rd_kafka_t *client, const char *doing, struct fault *fault)
{
	char why[256];
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(client, why, sizeof(why));

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	lost(code, doing, why, fault);
	return true;
}

enum bus_answer
kafka_answer(rd_kafka_t *client, rd_kafka_error_t *error, const char *doing, struct fault *fault)
{
	enum bus_answer answer = BUS_LOST;

	if (error == NULL)
		return BUS_DONE;
	if (rd_kafka_error_is_fatal(error)) {
		if (!kafka_is_lost(client, doing, fault))
			lost(rd_kafka_error_code(error), doing, rd_kafka_error_string(error), fault);
	} else {
		if (rd_kafka_error_txn_requires_abort(error))
			answer = BUS_UNDO;
		else if (rd_kafka_error_is_retriable(error))
			answer = BUS_AGAIN;
		if (answer == BUS_LOST)
			lost(rd_kafka_error_code(error), doing, rd_kafka_error_string(error), fault);
		else
			kafka_fault(rd_kafka_error_code(error), doing, rd_kafka_error_string(error), fault);
	}
	rd_kafka_error_destroy(error);
	return answer;
}

enum bus_answer
kafka_patience(struct kafka_patience *patience, enum bus_answer answer, struct fault *fault)
{
	int64_t now = clock_mono_ns(clock_real());

	if (answer != BUS_AGAIN) {
		patience->since_ns = 0;
		return answer;
	}
	if (patience->since_ns == 0)
		patience->since_ns = now;
	if (now - patience->since_ns < KAFKA_STALLED_NS)
		return BUS_AGAIN;
	fault_prefix(fault, "nothing else for %d s, a new client is to try", (int)(KAFKA_STALLED_NS / 1000000000));
	return BUS_LOST;
}
