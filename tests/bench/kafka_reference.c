/* SPDX-License-Identifier: MIT */
/*
 * What librdkafka does by itself, for ratios: a transactional producer and a consumer without an engine around them.
 * Nothing of moonlog is linked.
 *
 *   bench_kafka consume BROKERS TOPIC COUNT [FILE]       reads COUNT committed messages from the beginning, and keeps
 *                                                        key, headers and value in FILE
 *   bench_kafka produce BROKERS TOPIC FILE PER [ROUND]   sends those of FILE, PER a transaction
 *   bench_kafka readable BROKERS TOPIC PORT PATH COUNT RATE
 *                                                        POSTs COUNT commands with {"mark":"<number>"} to PATH<number
 *                                                        modulo 50>/Count, RATE a second, and waits until a
 *                                                        read_committed consumer has the message of each
 *
 * Prints one line: the rate after the first transaction (the first message) until the last, and messages a second of
 * processor time; readable: microseconds from the answer to the message, and of the answer itself.
 */
#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PART_MAX 64

static _Noreturn void __attribute__((format(printf, 1, 2))) stop(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench_kafka: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static int64_t
now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* When the first part was done, and the rest of it. */
struct span {
	int64_t begin_ns, begin_cpu_ns;
	size_t done_before;
};

static void
span_begin(struct span *span, size_t done)
{
	*span = (struct span){ now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_PROCESS_CPUTIME_ID), done };
}

static void
span_print(const struct span *span, size_t done)
{
	double count = (double)(done - span->done_before);

	printf("rate=%.1f cpu_rate=%.1f messages=%zu\n",
	       count * 1e9 / (double)(now_ns(CLOCK_MONOTONIC) - span->begin_ns),
	       count * 1e9 / (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - span->begin_cpu_ns), done);
}

static rd_kafka_t *
client(rd_kafka_type_t type, const char *brokers, const char *const settings[][2])
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[300];
	rd_kafka_t *made;

	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		stop("%s", why);
	for (; (*settings)[0] != NULL; settings++)
		if (rd_kafka_conf_set(conf, (*settings)[0], (*settings)[1], why, sizeof(why)) != RD_KAFKA_CONF_OK)
			stop("%s", why);
	made = rd_kafka_new(type, conf, why, sizeof(why));
	if (made == NULL)
		stop("%s", why);
	return made;
}

/* A consumer of every partition of the topic; `from`: RD_KAFKA_OFFSET_BEGINNING or _END. */
static rd_kafka_t *
open_consumer(const char *brokers, const char *topic, int64_t from)
{
	static const char *const settings[][2] = { { "group.id", "bench" },
						   { "enable.auto.commit", "false" },
						   { "isolation.level", "read_committed" },
						   { NULL, NULL } };
	rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, brokers, settings);
	rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
	const struct rd_kafka_metadata *found;
	rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(PART_MAX);

	if (rd_kafka_metadata(consumer, 0, handle, &found, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR ||
	    found->topic_cnt != 1 || found->topics[0].partition_cnt == 0 || found->topics[0].partition_cnt > PART_MAX)
		stop("%s: no such topic", topic);
	for (int32_t i = 0; i < found->topics[0].partition_cnt; i++) {
		rd_kafka_topic_partition_t *part = rd_kafka_topic_partition_list_add(parts, topic, i);
		int64_t low, high = 0;

		if (from == RD_KAFKA_OFFSET_END &&
		    rd_kafka_query_watermark_offsets(consumer, topic, i, &low, &high, 10000) !=
			    RD_KAFKA_RESP_ERR_NO_ERROR)
			stop("%s: no end", topic);
		part->offset = from == RD_KAFKA_OFFSET_END ? high : from;
	}
	if (rd_kafka_assign(consumer, parts) != RD_KAFKA_RESP_ERR_NO_ERROR)
		stop("%s: cannot be assigned", topic);
	rd_kafka_topic_partition_list_destroy(parts);
	rd_kafka_metadata_destroy(found);
	rd_kafka_topic_destroy(handle);
	return consumer;
}

/* ---- messages in a file: header count, then key, value and headers, each with its size before it ---- */

static void
put_number(FILE *file, size_t number)
{
	uint32_t bytes = (uint32_t)number;

	if (fwrite(&bytes, sizeof(bytes), 1, file) != 1)
		stop("the file cannot be written");
}

static void
put(FILE *file, const void *data, size_t size)
{
	put_number(file, size);
	if (size != 0 && fwrite(data, size, 1, file) != 1)
		stop("the file cannot be written");
}

static void
keep(FILE *file, const rd_kafka_message_t *message)
{
	rd_kafka_headers_t *headers = NULL;
	const char *name;
	const void *value;
	size_t size, count = 0;

	if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		count = rd_kafka_header_cnt(headers);
	put_number(file, count);
	put(file, message->key, message->key_len);
	put(file, message->payload, message->len);
	for (size_t i = 0; i < count && rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
		put(file, name, strlen(name));
		put(file, value, size);
	}
}

struct part {
	const char *data;
	size_t size;
};

struct sent {
	struct part key, value;
	struct part names[16], values[16];
	size_t headers;
};

static uint32_t
take_number(const char **at)
{
	uint32_t number;

	memcpy(&number, *at, sizeof(number));
	*at += sizeof(number);
	return number;
}

static struct part
take_part(const char **at)
{
	struct part part;

	part.size = take_number(at);
	part.data = *at;
	*at += part.size;
	return part;
}

static struct sent *
read_messages(const char *path, size_t *count)
{
	FILE *file = fopen(path, "r");
	struct sent *all = NULL;
	size_t room = 0;
	const char *at, *end;
	char *text;
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0 ||
	    (text = malloc((size_t)size)) == NULL)
		stop("%s cannot be read", path);
	rewind(file);
	if (fread(text, (size_t)size, 1, file) != 1)
		stop("%s cannot be read", path);
	fclose(file);
	for (at = text, end = text + size, *count = 0; at < end; ++*count) {
		if (*count == room && (all = realloc(all, (room = room * 2 + 1024) * sizeof(*all))) == NULL)
			stop("no memory");
		struct sent *one = &all[*count];
		one->headers = take_number(&at);
		if (one->headers > 16)
			stop("a message with %zu headers", one->headers);
		one->key = take_part(&at);
		one->value = take_part(&at);
		for (size_t i = 0; i < one->headers; i++) {
			one->names[i] = take_part(&at);
			one->values[i] = take_part(&at);
		}
	}
	return all;
}

/* ---- consume, produce ---- */

static void
consume(const char *brokers, const char *topic, size_t wanted, const char *path)
{
	rd_kafka_t *consumer = open_consumer(brokers, topic, RD_KAFKA_OFFSET_BEGINNING);
	FILE *file = path != NULL ? fopen(path, "w") : NULL;
	int64_t patience_ns = now_ns(CLOCK_MONOTONIC) + 60000000000LL;
	struct span span = { 0 };
	size_t done = 0;

	if (path != NULL && file == NULL)
		stop("%s cannot be written", path);
	while (done < wanted) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);

		if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			if (++done == 1)
				span_begin(&span, 1);
			if (file != NULL)
				keep(file, message);
		}
		if (message != NULL)
			rd_kafka_message_destroy(message);
		else if (now_ns(CLOCK_MONOTONIC) > patience_ns)
			stop("%zu of %zu messages came", done, wanted);
	}
	span_print(&span, done);
	if (file != NULL && fclose(file) != 0)
		stop("%s cannot be written", path);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
}

static void
check(rd_kafka_error_t *error, const char *doing)
{
	if (error != NULL)
		stop("%s: %s", doing, rd_kafka_error_string(error));
}

static void
send_one(rd_kafka_t *producer, rd_kafka_topic_t *topic, const struct sent *one)
{
	for (;;) {
		rd_kafka_headers_t *headers = rd_kafka_headers_new(one->headers);
		rd_kafka_resp_err_t code;

		for (size_t i = 0; i < one->headers; i++)
			rd_kafka_header_add(headers, one->names[i].data, (ssize_t)one->names[i].size,
					    one->values[i].data, (ssize_t)one->values[i].size);
		code = rd_kafka_producev(producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
					 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_KEY((void *)(uintptr_t)one->key.data, one->key.size),
					 RD_KAFKA_V_VALUE((void *)(uintptr_t)one->value.data, one->value.size),
					 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return;
		rd_kafka_headers_destroy(headers);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			stop("produce: %s", rd_kafka_err2str(code));
		rd_kafka_poll(producer, 10);
	}
}

static void
produce(const char *brokers, const char *topic, const char *path, size_t per, const char *round)
{
	const char *const settings[][2] = { { "transactional.id", round },
					    { "partitioner", "murmur2_random" },
					    { NULL, NULL } };
	rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, brokers, settings);
	rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
	const struct rd_kafka_metadata *found;
	struct span span = { 0 };
	size_t count;
	struct sent *all = read_messages(path, &count);

	check(rd_kafka_init_transactions(producer, 30000), "init");
	if (rd_kafka_metadata(producer, 0, handle, &found, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
		stop("%s: no such topic", topic);
	rd_kafka_metadata_destroy(found);
	for (size_t i = 0; i < count;) {
		check(rd_kafka_begin_transaction(producer), "begin");
		for (size_t k = 0; k < per && i < count; k++, i++) {
			send_one(producer, handle, &all[i]);
			if (i % 128 == 0)
				rd_kafka_poll(producer, 0);
		}
		check(rd_kafka_commit_transaction(producer, 60000), "commit");
		if (span.begin_ns == 0)
			span_begin(&span, i);
	}
	span_print(&span, count);
	rd_kafka_topic_destroy(handle);
	rd_kafka_destroy(producer);
	free(all);
}

/* ---- readable ---- */

static struct {
	size_t count;
	int64_t *answered, *asked, *seen; /* by number; 0: not yet */
	int fd;
	int port;
	const char *path;
	double rate;
} story;

static void
connect_to_it(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)story.port) };
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	story.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (story.fd < 0 || connect(story.fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		stop("no daemon at port %d", story.port);
	setsockopt(story.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Sends one command and reads its answer whole: it has a body that is shorter than the buffer. */
static void
ask(size_t number)
{
	char text[1024], body[64], *end = NULL, *length;
	size_t have = 0, wanted = SIZE_MAX;
	int size = snprintf(body, sizeof(body), "{\"mark\":\"%zu\"}", number);

	size = snprintf(text, sizeof(text),
			"POST %s%zu/Count HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
			"Content-Length: %d\r\n\r\n%s",
			story.path, number % 50, size, body);
	if (send(story.fd, text, (size_t)size, MSG_NOSIGNAL) != size)
		stop("send");
	while (have < wanted) {
		ssize_t got = recv(story.fd, text + have, sizeof(text) - 1 - have, 0);

		if (got <= 0)
			stop("the daemon closed the connection");
		have += (size_t)got;
		text[have] = '\0';
		if (end == NULL && (end = strstr(text, "\r\n\r\n")) != NULL) {
			length = strcasestr(text, "\r\ncontent-length:");
			wanted = (size_t)(end + 4 - text) + (length != NULL ? strtoul(length + 17, NULL, 10) : 0);
		}
	}
	if (strncmp(text, "HTTP/1.1 2", 10) != 0)
		stop("an answer: %s", text);
	if (strcasestr(text, "\r\nconnection: close") != NULL) {
		close(story.fd);
		connect_to_it();
	}
}

static void *
ask_all(void *self)
{
	int64_t begin = now_ns(CLOCK_MONOTONIC);

	connect_to_it();
	for (size_t i = 0; i < story.count; i++) {
		int64_t due = begin + (int64_t)((double)i * 1e9 / story.rate);
		struct timespec until = { due / 1000000000, due % 1000000000 };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		story.asked[i] = now_ns(CLOCK_MONOTONIC);
		ask(i);
		__atomic_store_n(&story.answered[i], now_ns(CLOCK_MONOTONIC), __ATOMIC_RELEASE);
	}
	close(story.fd);
	return self;
}

static void
note(const rd_kafka_message_t *message)
{
	static const char wanted[] = "\"mark\":\"";
	int64_t now = now_ns(CLOCK_MONOTONIC);
	const char *at = memmem(message->payload, message->len, wanted, sizeof(wanted) - 1);
	size_t number = at != NULL ? strtoul(at + sizeof(wanted) - 1, NULL, 10) : SIZE_MAX;

	if (number >= story.count || story.seen[number] != 0)
		stop("a message that no command asked for, or twice: %.*s", (int)message->len,
		     (const char *)message->payload);
	story.seen[number] = now;
}

static int
compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static void
print_times(const char *name, int64_t *times)
{
	qsort(times, story.count, sizeof(*times), compare);
	printf("%sp50=%.0f %sp99=%.0f %smax=%.0f ", name, (double)times[story.count / 2] / 1e3, name,
	       (double)times[story.count * 99 / 100] / 1e3, name, (double)times[story.count - 1] / 1e3);
}

static void
readable(const char *brokers, const char *topic)
{
	rd_kafka_t *consumer = open_consumer(brokers, topic, RD_KAFKA_OFFSET_END);
	int64_t patience_ns = now_ns(CLOCK_MONOTONIC) + (int64_t)((double)story.count / story.rate * 1e9) + 30000000000;
	pthread_t thread;
	size_t seen = 0;

	story.answered = calloc(story.count, sizeof(int64_t));
	story.asked = calloc(story.count, sizeof(int64_t));
	story.seen = calloc(story.count, sizeof(int64_t));
	if (story.answered == NULL || story.asked == NULL || story.seen == NULL)
		stop("no memory");
	/* Its first fetches are behind it when the first command is sent. */
	for (int i = 0; i < 10; i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);

		if (message != NULL)
			rd_kafka_message_destroy(message);
	}
	if (pthread_create(&thread, NULL, ask_all, NULL) != 0)
		stop("no thread");
	while (seen < story.count) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);

		if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			note(message);
			seen++;
		}
		if (message != NULL)
			rd_kafka_message_destroy(message);
		if (now_ns(CLOCK_MONOTONIC) > patience_ns)
			stop("%zu of %zu messages came", seen, story.count);
	}
	pthread_join(thread, NULL);
	for (size_t i = 0; i < story.count; i++) {
		int64_t answered = story.answered[i];

		story.answered[i] = answered - story.asked[i];
		/* The message may be there before the answer has been read. */
		story.seen[i] = story.seen[i] > answered ? story.seen[i] - answered : 0;
	}
	print_times("", story.seen);
	print_times("answer_", story.answered);
	printf("messages=%zu rate=%.1f\n", story.count, story.rate);
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 4 ? argv[1] : "";

	if (strcmp(verb, "consume") == 0) {
		consume(argv[2], argv[3], strtoul(argv[4], NULL, 10), argc > 5 ? argv[5] : NULL);
	} else if (strcmp(verb, "produce") == 0 && argc > 5) {
		produce(argv[2], argv[3], argv[4], strtoul(argv[5], NULL, 10), argc > 6 ? argv[6] : "bench");
	} else if (strcmp(verb, "readable") == 0 && argc > 7) {
		story.port = atoi(argv[4]);
		story.path = argv[5];
		story.count = strtoul(argv[6], NULL, 10);
		story.rate = atof(argv[7]);
		readable(argv[2], argv[3]);
	} else {
		fprintf(stderr, "usage: bench_kafka consume|produce|readable BROKERS TOPIC ...\n");
		return 2;
	}
	return 0;
}
