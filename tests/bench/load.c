/* SPDX-License-Identifier: MIT */
/*
 * A closed loop of N connections over HTTP/1.1 on loopback, light enough to share two cores with what it measures. With
 * SECONDS@RATE the loop is open: so many requests a second are due, whatever becomes of them, and one that finds no
 * connection free waits, which counts as its latency.
 *
 *   load PORT CONNECTIONS SECONDS get PATH
 *   load PORT CONNECTIONS SECONDS post PATH BODY_FILE
 *   load PORT CONNECTIONS COUNT   open  IDS_FILE PREFIX      opens COUNT accounts, writes their ids
 *   load PORT CONNECTIONS SECONDS deposit IDS_FILE BODY_FILE random accounts, a new random Idempotency-Key each
 *   load PORT CONNECTIONS SECONDS each PATH_PREFIX IDS_FILE PATH_SUFFIX   GET of a random id
 *   load PORT CONNECTIONS SECONDS lines FILE SERIES   POSTs of random lines of a file, each PATH TAB BODY; with 0
 *                                                     SECONDS each once, in their order. Writes to SERIES when each
 *                                                     answer came and how long it took (two int64 of ns)
 *
 * Prints one line: requests a second, p50, p99, p99.9 and maximum in microseconds, answers, those that were not 2xx,
 * and how many there were of each status. SIGTERM ends it early: what was sent is still waited for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (1 << 21)

struct connection {
	int fd;
	int64_t sent_ns;
	char *answer;
	size_t have, wanted; /* wanted: head and body, 0 = head not whole yet */
	bool idle;           /* open loop: waits for the next request to be due */
};

enum mode { MODE_GET, MODE_POST, MODE_OPEN, MODE_DEPOSIT, MODE_EACH, MODE_LINES };

static struct {
	enum mode mode;
	int port, epoll;
	double rate; /* requests a second that are due; 0: a closed loop */
	const char *path, *suffix, *prefix;
	char *body;
	char (*ids)[64];
	size_t id_count;
	FILE *ids_out, *series;
	char **lines;
	size_t line_count;
	uint64_t random;
	uint64_t sent, answered, bad, wanted;
	uint32_t *latency_us;
	size_t latency_room;
	char first_bad[512];
	uint64_t statuses[600];
} load;

static volatile sig_atomic_t ended;

static void
end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static uint64_t
next_random(void)
{
	uint64_t z = load.random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static _Noreturn void
stop(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
format_request(char *text, size_t room)
{
	static const char head[] = "Host: 127.0.0.1\r\nContent-Type: application/json\r\n";

	switch (load.mode) {
	case MODE_GET:
		return snprintf(text, room, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", load.path);
	case MODE_EACH:
		return snprintf(text, room, "GET %s%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", load.path,
				load.ids[next_random() % load.id_count], load.suffix);
	case MODE_POST:
		return snprintf(text, room, "POST %s HTTP/1.1\r\n%sContent-Length: %zu\r\n\r\n%s", load.path, head,
				strlen(load.body), load.body);
	case MODE_DEPOSIT:
		return snprintf(text, room,
				"POST /api/accounts/%s/deposit HTTP/1.1\r\n%sIdempotency-Key: %016llx%016llx\r\n"
				"Content-Length: %zu\r\n\r\n%s",
				load.ids[next_random() % load.id_count], head, (unsigned long long)next_random(),
				(unsigned long long)next_random(), strlen(load.body), load.body);
	case MODE_LINES: {
		const char *line = load.lines[load.wanted != 0 ? load.sent : next_random() % load.line_count],
			   *body = strchr(line, '\t') + 1;

		return snprintf(text, room, "POST %.*s HTTP/1.1\r\n%sContent-Length: %zu\r\n\r\n%s",
				(int)(body - 1 - line), line, head, strlen(body), body);
	}
	case MODE_OPEN: {
		char body[256];
		int size = snprintf(body, sizeof(body),
				    "{\"accountNumber\":\"%s%llu\",\"accountName\":\"Name\",\"ownerName\":\"Owner\","
				    "\"initialBalance\":100}",
				    load.prefix, (unsigned long long)load.sent);
		return snprintf(text, room, "POST /api/accounts HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", head, size,
				body);
	}
	}
	return -1;
}

static void
send_request(struct connection *connection)
{
	char text[8192];
	int size = format_request(text, sizeof(text));

	if (size < 0 || (size_t)size >= sizeof(text))
		stop("request too long");
	load.sent++;
	connection->have = connection->wanted = 0;
	connection->sent_ns = now_ns();
	if (send(connection->fd, text, (size_t)size, MSG_NOSIGNAL) != size)
		stop("send");
}

static void
take_id(const char *answer)
{
	const char *at = strstr(answer, "\"accountId\":\"");

	if (at != NULL)
		fprintf(load.ids_out, "%.*s\n", (int)strcspn(at + 13, "\""), at + 13);
}

static void
note_answer(struct connection *connection)
{
	int64_t at[2] = { now_ns(), 0 };
	uint32_t us = (uint32_t)((at[0] - connection->sent_ns) / 1000);
	unsigned status = (unsigned)atoi(connection->answer + 9);

	if (load.answered == load.latency_room) {
		load.latency_room = load.latency_room * 2 + 65536;
		load.latency_us = realloc(load.latency_us, load.latency_room * sizeof(uint32_t));
		if (load.latency_us == NULL)
			stop("memory");
	}
	load.latency_us[load.answered++] = us;
	load.statuses[status < 600 ? status : 0]++;
	at[1] = at[0] - connection->sent_ns;
	if (load.series != NULL && fwrite(at, sizeof(at), 1, load.series) != 1)
		stop("series");
	if (connection->answer[9] != '2' && load.bad++ == 0)
		snprintf(load.first_bad, sizeof(load.first_bad), "%s", connection->answer);
	if (load.mode == MODE_OPEN)
		take_id(connection->answer);
}

/* true when an answer is whole. */
static bool
receive(struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->answer + connection->have, ANSWER_MAX - 1 - connection->have, 0);

	if (got <= 0) {
		if (got < 0 && errno == EAGAIN)
			return false;
		stop("the server closed the connection");
	}
	connection->have += (size_t)got;
	connection->answer[connection->have] = '\0';
	if (connection->wanted == 0) {
		char *end = strstr(connection->answer, "\r\n\r\n");
		if (end == NULL)
			return false;
		char *length = strcasestr(connection->answer, "\r\ncontent-length:");
		if (length == NULL || length > end)
			stop("no Content-Length");
		connection->wanted = (size_t)(end + 4 - connection->answer) + strtoull(length + 17, NULL, 10);
		if (connection->wanted >= ANSWER_MAX)
			stop("answer too long");
	}
	return connection->have >= connection->wanted;
}

static void
connect_to(struct connection *connection)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)load.port) };
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	connection->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		stop("connect");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct epoll_event interest = { .events = EPOLLIN, .data.ptr = connection };
	epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->fd, &interest);
}

/* A server may end a connection after so many requests; it says so, and the loop goes on with a new one. */
static void
reconnect_when_told(struct connection *connection)
{
	char *told = strcasestr(connection->answer, "\r\nconnection: close\r\n");

	if (told == NULL)
		return;
	close(connection->fd);
	connect_to(connection);
}

static int
compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static char *
read_file(const char *path)
{
	static char text[4096];
	FILE *file = fopen(path, "r");

	if (file == NULL)
		stop(path);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void
read_ids(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t room = 1 << 20;

	if (file == NULL || (load.ids = malloc(room * sizeof(*load.ids))) == NULL)
		stop(path);
	while (load.id_count < room && fscanf(file, "%63s", load.ids[load.id_count]) == 1)
		load.id_count++;
	fclose(file);
	if (load.id_count == 0)
		stop("no ids");
}

static void
read_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t room = 1 << 20, size = 0;
	ssize_t got;

	if (file == NULL || (load.lines = calloc(room, sizeof(*load.lines))) == NULL)
		stop(path);
	while (load.line_count < room && (got = getline(&load.lines[load.line_count], &size, file)) > 0) {
		char *line = load.lines[load.line_count++];

		line[got - 1] = '\0';
		if (strchr(line, '\t') == NULL)
			stop("a line without a tab");
		size = 0;
	}
	fclose(file);
	if (load.line_count == 0)
		stop("no lines");
}

static void
print_statuses(void)
{
	for (unsigned i = 0; i < 600; i++)
		if (load.statuses[i] != 0)
			printf(" s%u=%llu", i, (unsigned long long)load.statuses[i]);
	printf("\n");
}

/* Open loop: sends what is due on connections that are free, in turns, so that none is idle for long; *due_ns is when
 * the next one is. */
static void
send_due(struct connection *all, size_t connections, int64_t *due_ns, int64_t until_ns)
{
	static size_t turn;

	for (size_t i = 0; i < connections && *due_ns <= now_ns() && *due_ns < until_ns; i++) {
		struct connection *connection = &all[turn++ % connections];

		if (!connection->idle)
			continue;
		connection->idle = false;
		send_request(connection);
		connection->sent_ns = *due_ns;
		*due_ns += (int64_t)(1e9 / load.rate);
	}
}

static size_t
count_idle(const struct connection *all, size_t connections)
{
	size_t idle = 0;

	for (size_t i = 0; i < connections; i++)
		idle += all[i].idle;
	return idle;
}

static void
run(int port, size_t connections, double seconds)
{
	struct connection *all = calloc(connections, sizeof(*all));
	size_t open = connections;

	load.port = port;
	load.epoll = epoll_create1(0);
	for (size_t i = 0; i < connections; i++) {
		connect_to(&all[i]);
		if ((all[i].answer = malloc(ANSWER_MAX)) == NULL)
			stop("memory");
	}
	int64_t begin = now_ns(), until = begin + (int64_t)(seconds * 1e9), due = begin;
	for (size_t i = 0; i < connections; i++) {
		all[i].idle = load.rate > 0;
		if (load.rate == 0)
			send_request(&all[i]);
	}
	while (open != 0) {
		struct epoll_event ready[256];
		if (load.rate > 0) {
			send_due(all, connections, &due, ended ? begin : until);
			if ((ended || due >= until) && count_idle(all, connections) == open)
				break;
		}
		int count = epoll_wait(load.epoll, ready, 256, load.rate > 0 ? 1 : 1000);
		for (int i = 0; i < count; i++) {
			struct connection *connection = ready[i].data.ptr;
			if (!receive(connection))
				continue;
			note_answer(connection);
			reconnect_when_told(connection);
			if (load.rate > 0)
				connection->idle = true;
			else if (!ended && (load.wanted != 0 ? load.sent < load.wanted : now_ns() < until))
				send_request(connection);
			else
				open--;
		}
	}
	double took = (double)(now_ns() - begin) / 1e9;
	qsort(load.latency_us, load.answered, sizeof(uint32_t), compare);
	printf("rate=%.1f p50=%u p99=%u p999=%u max=%u answers=%llu bad=%llu", (double)load.answered / took,
	       load.latency_us[load.answered / 2], load.latency_us[load.answered * 99 / 100],
	       load.latency_us[load.answered * 999 / 1000], load.latency_us[load.answered - 1],
	       (unsigned long long)load.answered, (unsigned long long)load.bad);
	print_statuses();
	if (load.bad != 0)
		fprintf(stderr, "first answer that was not 2xx:\n%s\n", load.first_bad);
	free(all);
}

int
main(int argc, char **argv)
{
	if (argc < 6) {
		fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS get|post|open|deposit|each|lines ...\n");
		return 2;
	}
	const char *mode = argv[4];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	load.random = (uint64_t)now.tv_nsec * 1000003u + (uint64_t)getpid();
	load.path = argv[5];
	if (strcmp(mode, "get") == 0) {
		load.mode = MODE_GET;
	} else if (strcmp(mode, "post") == 0 && argc == 7) {
		load.mode = MODE_POST;
		load.body = read_file(argv[6]);
	} else if (strcmp(mode, "open") == 0 && argc == 7) {
		load.mode = MODE_OPEN;
		load.wanted = strtoull(argv[3], NULL, 10);
		load.prefix = argv[6];
		if ((load.ids_out = fopen(argv[5], "w")) == NULL)
			stop(argv[5]);
	} else if (strcmp(mode, "deposit") == 0 && argc == 7) {
		load.mode = MODE_DEPOSIT;
		read_ids(argv[5]);
		load.body = read_file(argv[6]);
	} else if (strcmp(mode, "each") == 0 && argc == 8) {
		load.mode = MODE_EACH;
		read_ids(argv[6]);
		load.suffix = argv[7];
	} else if (strcmp(mode, "lines") == 0 && argc == 7) {
		load.mode = MODE_LINES;
		read_lines(argv[5]);
		load.wanted = strtod(argv[3], NULL) == 0 ? load.line_count : 0;
		if ((load.series = fopen(argv[6], "w")) == NULL)
			stop(argv[6]);
	} else {
		fprintf(stderr, "load: unknown mode %s\n", mode);
		return 2;
	}
	const char *rate = strchr(argv[3], '@');
	load.rate = rate != NULL ? strtod(rate + 1, NULL) : 0;
	signal(SIGTERM, end);
	run(atoi(argv[1]), strtoul(argv[2], NULL, 10), strtod(argv[3], NULL));
	if (load.ids_out != NULL)
		fclose(load.ids_out);
	if (load.series != NULL)
		fclose(load.series);
	return load.bad != 0;
}
