/* SPDX-License-Identifier: MIT */
/*
 * Any bytes into the request reader. Checked for each input:
 *  - whole, byte by byte and cut at random: the same requests, the same refusal
 *  - what was accepted holds, by a second and simpler reading of the raw bytes, what a request must hold: CRLF lines
 *    only, one Host, one framing, a body of exactly the told length
 *  - after a refusal nothing more is read
 *
 * Built with -fsanitize=fuzzer it is a libFuzzer target. Otherwise it mutates the known attacks by itself:
 *   http_fuzz [SECONDS [SEED]]
 */
#include "http/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "http/attacks.h"

#define INPUT_MAX    ((size_t)16384)
#define REQUESTS_MAX 64

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "http_fuzz: not so: %s (line %d)\n", #condition, __LINE__);                    \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

struct outcome {
	int requests;
	int status;
	uint64_t bodies;            /* a running hash */
	size_t ends[REQUESTS_MAX];  /* of each request in the raw bytes */
	size_t sizes[REQUESTS_MAX]; /* of its body */
};

static struct http_limits limits;

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* `cuts` 0: whole; 1: byte by byte; else pieces of random size from that seed. */
static void
read_cut(const char *data, size_t size, uint64_t cuts, struct outcome *outcome)
{
	static char bytes[INPUT_MAX];
	struct http_reader reader;
	size_t have = 0, fed = 0;
	memset(outcome, 0, sizeof(*outcome));
	http_reader_init(&reader, &limits);
	while (fed < size && outcome->status == 0 && outcome->requests < REQUESTS_MAX) {
		size_t some = cuts == 0 ? size : cuts == 1 ? 1 : 1 + next_random(&cuts) % 40;
		some = some < size - fed ? some : size - fed;
		memcpy(bytes + have, data + fed, some);
		have += some;
		fed += some;
		while (have > 0 && outcome->requests < REQUESTS_MAX) {
			enum http_step step = http_reader_step(&reader, bytes, &have);
			if (step == HTTP_MORE)
				break;
			if (step == HTTP_REFUSED) {
				REQUIRE(reader.status >= 400 && reader.code != NULL && reader.text != NULL);
				outcome->status = reader.status;
				return;
			}
			REQUIRE(reader.at <= have && reader.at == reader.head_size + reader.body_size);
			have -= reader.at;
			outcome->bodies =
				slice_hash(slice_from(bytes + reader.head_size, reader.body_size), outcome->bodies + 1);
			outcome->sizes[outcome->requests] = reader.body_size;
			outcome->ends[outcome->requests++] = fed - have;
			memmove(bytes, bytes + reader.at, have);
			http_reader_init(&reader, &limits);
		}
	}
}

/* The value of the only line of that name, or NULL; more than one is a failure. */
static const char *
only_line(const char *head, const char *end, const char *name, size_t *size)
{
	const char *value = NULL;
	size_t length = strlen(name);
	for (const char *line = head; line < end;) {
		const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
		REQUIRE(next != NULL);
		if ((size_t)(next - line) > length && strncasecmp(line, name, length) == 0 && line[length] == ':') {
			REQUIRE(value == NULL);
			value = line + length + 1;
			while (value < next && (*value == ' ' || *value == '\t'))
				value++;
			*size = (size_t)(next - value);
		}
		line = next + 2;
	}
	return value;
}

static size_t
walk_chunks(const char *at, const char *end, size_t *body)
{
	const char *begin = at;
	for (;;) {
		char *after;
		REQUIRE(at < end && strchr("0123456789abcdefABCDEF", *at) != NULL);
		unsigned long chunk = strtoul(at, &after, 16);
		REQUIRE(after + 2 <= end && after[0] == '\r' && after[1] == '\n');
		at = after + 2;
		REQUIRE((size_t)(end - at) >= chunk + 2);
		at += chunk;
		*body += chunk;
		REQUIRE(at[0] == '\r' && at[1] == '\n');
		at += 2;
		if (chunk == 0)
			return (size_t)(at - begin);
	}
}

/* raw: exactly one accepted request. */
static void
check_accepted(const char *raw, size_t size, size_t body_size)
{
	static char text[INPUT_MAX + 1];
	memcpy(text, raw, size);
	text[size] = '\0';
	const char *end = memmem(text, size, "\r\n\r\n", 4);
	REQUIRE(end != NULL);
	end += 2;
	const char *body = end + 2;
	for (const char *at = text; at < end; at++) {
		REQUIRE(*at != '\0');
		REQUIRE(*at != '\n' || (at > text && at[-1] == '\r'));
		REQUIRE(*at != '\r' || at[1] == '\n');
		REQUIRE(*at != '\n' || at + 1 == end || (at[1] != ' ' && at[1] != '\t'));
	}
	size_t length_size = 0, other = 0;
	REQUIRE(only_line(text, end, "Host", &other) != NULL);
	const char *length = only_line(text, end, "Content-Length", &length_size);
	const char *encoding = only_line(text, end, "Transfer-Encoding", &other);
	REQUIRE(length == NULL || encoding == NULL);
	if (encoding != NULL) {
		size_t walked = 0;
		REQUIRE(strncmp(encoding, "chunked", 7) == 0);
		REQUIRE(walk_chunks(body, text + size, &walked) == (size_t)(text + size - body));
		REQUIRE(walked == body_size);
	} else {
		REQUIRE((length != NULL ? strtoul(length, NULL, 10) : 0) == body_size);
		REQUIRE((size_t)(text + size - body) == body_size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct outcome whole, other;
	if (size > INPUT_MAX)
		return 0;
	if (limits.body == 0) {
		http_limits_defaults(&limits);
		limits.request_line = 200; /* small, so that inputs reach them */
		limits.header_block = 500;
		limits.header_count = 12;
		limits.body = 1000;
	}
	read_cut(text, size, 0, &whole);
	const uint64_t cuts[] = { 1, 2 + slice_hash(slice_from(text, size), 7) % 1000000 };
	for (size_t i = 0; i < countof(cuts); i++) {
		read_cut(text, size, cuts[i], &other);
		REQUIRE(whole.requests == other.requests && whole.status == other.status &&
			whole.bodies == other.bodies);
		REQUIRE(memcmp(whole.ends, other.ends, sizeof(whole.ends)) == 0);
	}
	for (int i = 0; i < whole.requests; i++) {
		size_t begin = i > 0 ? whole.ends[i - 1] : 0;
		check_accepted(text + begin, whole.ends[i] - begin, whole.sizes[i]);
	}
	return 0;
}

#ifndef MOONLOG_LIBFUZZER

static size_t
put(char *input, size_t size, struct slice piece)
{
	if (size + piece.size > INPUT_MAX)
		return size;
	memcpy(input + size, piece.data, piece.size);
	return size + piece.size;
}

static struct slice
pick(uint64_t *random)
{
	size_t n = next_random(random) % (countof(attacks) + 3 * countof(harmless));
	return n < countof(attacks) ? attacks[n].bytes : harmless[(n - countof(attacks)) % countof(harmless)].bytes;
}

static size_t
mutate(char *input, size_t size, uint64_t *random)
{
	static const char marks[] = "\r\n :;,/%?=0123456789abcdefxX\t\0GP-+.\"[]";
	for (uint64_t i = next_random(random) % 6; i > 0 && size > 1; i--) {
		size_t at = next_random(random) % size;
		size_t run = 1 + next_random(random) % 8;
		if (run > size - at)
			run = size - at;
		switch (next_random(random) % 5) {
		case 0:
			input[at] = marks[next_random(random) % sizeof(marks)];
			break;
		case 1:
			input[at] = (char)next_random(random);
			break;
		case 2:
			memmove(input + at, input + at + run, size - at - run);
			size -= run;
			break;
		default:
			if (size + run > INPUT_MAX)
				break;
			memmove(input + at + run, input + at, size - at);
			memmove(input + at, input + next_random(random) % size, run);
			size += run;
			break;
		}
	}
	return size;
}

int
main(int argc, char **argv)
{
	static char input[INPUT_MAX * 2];
	long seconds = argc > 1 ? atol(argv[1]) : 3;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261121;
	uint64_t random = seed * 2862933555777941757ULL + 3037000493ULL;
	unsigned long runs = 0;
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (int i = 0; i < 1000; i++, runs++) {
			size_t size = put(input, 0, pick(&random));
			while (next_random(&random) % 3 == 0)
				size = put(input, size, pick(&random));
			size = mutate(input, size, &random);
			LLVMFuzzerTestOneInput((const uint8_t *)input, size);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < seconds);
	printf("http_fuzz: %lu inputs, seed %llu, nothing found\n", runs, (unsigned long long)seed);
	return 0;
}

#endif
