/* SPDX-License-Identifier: MIT */
/*
 * One mail goes to and fro: who holds it may call the library. The thread tries for one slice and gives the mail back;
 * AGAIN sends it off again at once, so that a broker that comes back is noticed whether or not somebody waits here.
 */
#include "bus/kafka/ending.h"

#include <errno.h>

#define REPORT_POLLS   20
#define REPORT_POLL_MS 10

static enum bus_answer
commit(struct kafka_ending *ending, struct fault *fault)
{
	rd_kafka_error_t *error = rd_kafka_commit_transaction(ending->producer, KAFKA_END_MS);
	enum bus_answer answer = kafka_answer(ending->producer, error, "commit", fault);

	ending->resumed = ending->resumed || answer == BUS_AGAIN;
	return answer;
}

/* Without transactions: everything is delivered, or at least one record was given up and all go again. */
static enum bus_answer
flush(struct kafka_ending *ending, struct fault *fault)
{
	rd_kafka_resp_err_t code = rd_kafka_flush(ending->producer, KAFKA_SLICE_MS);

	if (kafka_is_lost(ending->producer, "flush", fault))
		return BUS_LOST;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		kafka_fault(code, "flush", NULL, fault);
		return BUS_AGAIN;
	}
	return ending->reports->failed > 0 ? BUS_UNDO : BUS_DONE;
}

/* The library may tell that a transaction has failed before it reports the record for which it did. */
static void
wait_for_report(const struct kafka_ending *ending)
{
	for (int i = 0; i < REPORT_POLLS && ending->reports->failed == 0; i++)
		rd_kafka_poll(ending->producer, REPORT_POLL_MS);
}

static void *
end_all(void *self)
{
	struct kafka_ending *ending = self;
	struct mail *mail;

	while ((mail = mailbox_wait(&ending->work, -1)) != NULL || !mailbox_is_closed(&ending->work)) {
		if (mail == NULL)
			continue;
		fault_clear(&ending->fault);
		ending->answer = ending->transactional ? commit(ending, &ending->fault) : flush(ending, &ending->fault);
		if (ending->answer == BUS_UNDO && ending->fault.class != FAULT_AWAY)
			wait_for_report(ending);
		/* The report knows the record; the end of the transaction only that there was one. */
		if (ending->answer == BUS_UNDO && ending->reports->failed > 0 &&
		    (!ending->transactional || ending->reports->first.class != FAULT_AWAY))
			ending->fault = ending->reports->first;
		must(mailbox_give(&ending->done, mail));
	}
	return NULL;
}

int
kafka_ending_init(struct kafka_ending *ending, rd_kafka_t *producer, bool transactional, struct kafka_reports *reports,
		  struct fault *fault)
{
	*ending = (struct kafka_ending){ .producer = producer, .transactional = transactional, .reports = reports };
	mailbox_init(&ending->work, 1, NULL);
	mailbox_init(&ending->done, 1, NULL);
	int number = pthread_create(&ending->thread, NULL, end_all, ending);
	if (number == 0)
		return 0;
	mailbox_fini(&ending->work);
	mailbox_fini(&ending->done);
	return fault_errno(fault, FAULT_MEMORY, number, "no thread for the publisher");
}

void
kafka_ending_fini(struct kafka_ending *ending)
{
	mailbox_close(&ending->work);
	pthread_join(ending->thread, NULL);
	mailbox_fini(&ending->work);
	mailbox_fini(&ending->done);
}

void
kafka_ending_start(struct kafka_ending *ending)
{
	must(!ending->begun);
	ending->begun = true;
	must(mailbox_give(&ending->work, &ending->mail));
}

enum bus_answer
kafka_ending_wait(struct kafka_ending *ending, int64_t wait_ns, struct fault *fault)
{
	must(ending->begun);
	if (mailbox_wait(&ending->done, wait_ns) == NULL) {
		fault_set(fault, FAULT_AWAY, "kafka_commit", "the brokers have not yet answered");
		return BUS_AGAIN;
	}
	enum bus_answer answer = ending->answer; /* not ours any more once the mail is given */
	if (answer != BUS_DONE && fault != NULL)
		*fault = ending->fault;
	if (answer == BUS_AGAIN)
		must(mailbox_give(&ending->work, &ending->mail));
	else
		ending->begun = false;
	return answer;
}
