/* SPDX-License-Identifier: MIT */
/*
 * Reads one chunked answer of lines over HTTP/1.1 on loopback to its last chunk, as lightly as a client can that looks
 * at every line's end.
 *
 *   bench_drain PORT PATH     prints lines a second, lines, bytes of the body
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char bytes[1 << 18];
static size_t have, at;
static int fd;

static _Noreturn void
stop(const char *what)
{
	fprintf(stderr, "drain: %s\n", what);
	exit(1);
}

static void
fill(void)
{
	ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

	if (got <= 0)
		stop("the answer ended before its last chunk");
	have = (size_t)got;
	at = 0;
}

static char
next(void)
{
	if (at == have)
		fill();
	return bytes[at++];
}

static void
read_line(char *line, size_t room)
{
	size_t size = 0;
	char c;

	while ((c = next()) != '\n')
		if (size + 1 < room)
			line[size++] = c;
	line[size > 0 && line[size - 1] == '\r' ? size - 1 : size] = '\0';
}

static uint64_t
count_lines(const char *from, size_t size)
{
	uint64_t lines = 0;
	const char *end = from + size;

	while (from < end && (from = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		lines++;
		from++;
	}
	return lines;
}

static void
read_head(void)
{
	char line[512];
	bool chunked = false;

	read_line(line, sizeof(line));
	if (strncmp(line, "HTTP/1.1 200", 12) != 0)
		stop(line);
	do {
		read_line(line, sizeof(line));
		chunked = chunked || strcasecmp(line, "Transfer-Encoding: chunked") == 0;
	} while (line[0] != '\0');
	if (!chunked)
		stop("the answer is not chunked");
}

static int
connect_to(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int made = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (made < 0 || connect(made, (struct sockaddr *)&address, sizeof(address)) != 0)
		stop("cannot connect");
	return made;
}

int
main(int argc, char **argv)
{
	char text[1024];
	struct timespec begin, end;
	uint64_t lines = 0, total = 0;
	size_t left;

	if (argc != 3)
		return fprintf(stderr, "usage: bench_drain PORT PATH\n"), 2;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	fd = connect_to(atoi(argv[1]));
	int size = snprintf(text, sizeof(text),
			    "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/x-ndjson\r\n\r\n", argv[2]);
	if (send(fd, text, (size_t)size, MSG_NOSIGNAL) != size)
		stop("cannot send");
	read_head();
	for (;;) {
		read_line(text, sizeof(text));
		left = strtoul(text, NULL, 16);
		if (left == 0)
			break;
		total += left;
		while (left != 0) {
			size_t here;

			if (at == have)
				fill();
			here = have - at < left ? have - at : left;
			lines += count_lines(bytes + at, here);
			at += here;
			left -= here;
		}
		read_line(text, sizeof(text));
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	close(fd);
	printf("rate=%.1f lines=%llu bytes=%llu\n",
	       (double)lines / ((double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9),
	       (unsigned long long)lines, (unsigned long long)total);
	return 0;
}
