/* SPDX-License-Identifier: MIT */
/* The request reader alone: every attack and every harmless form, fed whole, byte by byte and cut at every point. */
#include "http/reader.h"

#include "http/attacks.h"
#include "support/check.h"

struct seen {
	int requests;
	int status; /* of the refusal that ended it; 0 = none */
	const char *code;
	char body[256]; /* of the last request */
	size_t body_size;
	size_t left; /* bytes of an unfinished request */
};

struct feed {
	struct http_limits limits;
	struct http_reader reader;
	char bytes[96 * 1024];
	size_t size;
	struct seen seen;
};

static void
feed_begin(struct feed *feed)
{
	http_limits_defaults(&feed->limits);
	http_reader_init(&feed->reader, &feed->limits);
	feed->size = 0;
	memset(&feed->seen, 0, sizeof(feed->seen));
}

/* As a connection does: after each arrival all complete requests are taken, nothing after a refusal. */
static void
feed_add(struct feed *feed, struct slice more)
{
	if (feed->seen.status != 0)
		return;
	memcpy(feed->bytes + feed->size, more.data, more.size);
	feed->size += more.size;
	while (feed->size > 0) {
		struct http_reader *reader = &feed->reader;
		enum http_step step = http_reader_step(reader, feed->bytes, &feed->size);
		if (step == HTTP_MORE)
			return;
		if (step == HTTP_REFUSED) {
			feed->seen.status = reader->status;
			feed->seen.code = reader->code;
			return;
		}
		feed->seen.requests++;
		feed->seen.body_size = reader->body_size;
		if (reader->body_size <= sizeof(feed->seen.body))
			memcpy(feed->seen.body, feed->bytes + reader->head_size, reader->body_size);
		feed->size -= reader->at;
		memmove(feed->bytes, feed->bytes + reader->at, feed->size);
		http_reader_init(reader, &feed->limits);
	}
}

static struct seen
feed_cut(struct slice bytes, size_t first, size_t step)
{
	static struct feed feed;
	feed_begin(&feed);
	if (first > 0)
		feed_add(&feed, slice_from(bytes.data, first));
	for (size_t at = first; at < bytes.size; at += step)
		feed_add(&feed, slice_from(bytes.data + at, bytes.size - at < step ? bytes.size - at : step));
	feed.seen.left = feed.seen.status != 0 ? 0 : feed.size;
	return feed.seen;
}

static void
check_same(const struct seen *a, const struct seen *b, const char *name)
{
	if (a->requests != b->requests || a->status != b->status || a->left != b->left ||
	    a->body_size != b->body_size ||
	    (a->body_size <= sizeof(a->body) && memcmp(a->body, b->body, a->body_size) != 0))
		CHECK_FAIL("\"%s\" is read differently when it is cut: %d requests and %d, or %d and %d", name,
			   a->requests, a->status, b->requests, b->status);
}

static struct seen
feed_every_way(struct slice bytes, const char *name)
{
	struct seen whole = feed_cut(bytes, 0, bytes.size), other;
	other = feed_cut(bytes, 0, 1);
	check_same(&whole, &other, name);
	for (size_t cut = 1; cut < bytes.size; cut++) {
		other = feed_cut(bytes, cut, bytes.size);
		check_same(&whole, &other, name);
	}
	return whole;
}

TEST(every_attack_is_refused_however_it_is_cut)
{
	CHECK(countof(attacks) >= 60);
	for (size_t i = 0; i < countof(attacks); i++) {
		struct seen seen = feed_every_way(attacks[i].bytes, attacks[i].name);
		if (seen.requests != 0 || seen.status != attacks[i].status)
			CHECK_FAIL("\"%s\" gives %d requests and status %d, not 0 and %d", attacks[i].name,
				   seen.requests, seen.status, attacks[i].status);
	}
}

TEST(no_request_is_seen_behind_an_attack)
{
	static const char second[] = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
	static char both[8192];
	for (size_t i = 0; i < countof(attacks); i++) {
		struct slice first = attacks[i].bytes;
		memcpy(both, first.data, first.size);
		memcpy(both + first.size, second, sizeof(second) - 1);
		struct seen seen = feed_every_way(slice_from(both, first.size + sizeof(second) - 1), attacks[i].name);
		CHECK_INT(seen.requests, 0);
		CHECK_INT(seen.status, attacks[i].status);
	}
}

TEST(harmless_requests_pass_however_they_are_cut)
{
	for (size_t i = 0; i < countof(harmless); i++) {
		struct seen seen = feed_every_way(harmless[i].bytes, harmless[i].name);
		if (seen.requests != harmless[i].requests || seen.status != 0 || seen.left != 0)
			CHECK_FAIL("\"%s\" gives %d requests, status %d, %zu bytes left", harmless[i].name,
				   seen.requests, seen.status, seen.left);
		CHECK_SLICE(slice_from(seen.body, seen.body_size), harmless[i].body);
	}
}

TEST(a_cut_off_request_is_neither_served_nor_refused)
{
	for (size_t i = 0; i < countof(harmless); i++) {
		struct slice bytes = harmless[i].bytes;
		if (harmless[i].requests != 1)
			continue;
		for (size_t size = 1; size < bytes.size; size++) {
			struct seen seen = feed_cut(slice_from(bytes.data, size), 0, size);
			CHECK_INT(seen.requests, 0);
			CHECK_INT(seen.status, 0);
		}
	}
}

static struct seen
feed_text(const char *before, char fill, size_t count, const char *after)
{
	static char text[96 * 1024];
	size_t size = strlen(before);
	memcpy(text, before, size);
	memset(text + size, fill, count);
	memcpy(text + size + count, after, strlen(after));
	struct slice bytes = slice_from(text, size + count + strlen(after));
	struct seen whole = feed_cut(bytes, 0, bytes.size), drip = feed_cut(bytes, 0, 1),
		    some = feed_cut(bytes, 7, 1000);
	check_same(&whole, &drip, before);
	check_same(&whole, &some, before);
	return whole;
}

TEST(the_request_line_has_its_limit)
{
	size_t frame = strlen("GET / HTTP/1.1\r\n");
	CHECK_INT(feed_text("GET /", 'a', 4096 - frame, " HTTP/1.1\r\n" HOST "\r\n").requests, 1);
	CHECK_INT(feed_text("GET /", 'a', 4097 - frame, " HTTP/1.1\r\n" HOST "\r\n").status, 414);
	CHECK_INT(feed_text("GET /", 'a', 5000, "").status, 414);
	CHECK_INT(feed_text("GET /", 'a', 65536, " HTTP/1.1\r\n" HOST "\r\n").status, 414);
}

TEST(the_header_block_has_its_limit)
{
	size_t frame = strlen(HOST "X: \r\n\r\n");
	CHECK_INT(feed_text("GET / HTTP/1.1\r\n" HOST "X: ", 'a', 16384 - frame, "\r\n\r\n").requests, 1);
	CHECK_INT(feed_text("GET / HTTP/1.1\r\n" HOST "X: ", 'a', 16385 - frame, "\r\n\r\n").status, 431);
	CHECK_INT(feed_text("GET / HTTP/1.1\r\n" HOST "X: ", 'a', 60000, "").status, 431);
}

static struct seen
feed_headers(size_t count)
{
	static char text[64 * 1024];
	size_t size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);
	for (size_t i = 1; i < count; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "X%zu: y\r\n", i);
	size += (size_t)snprintf(text + size, sizeof(text) - size, "\r\n");
	struct slice bytes = slice_from(text, size);
	struct seen whole = feed_cut(bytes, 0, size), drip = feed_cut(bytes, 0, 1);
	check_same(&whole, &drip, "many headers");
	return whole;
}

TEST(header_lines_have_their_limit)
{
	CHECK_INT(feed_headers(64).requests, 1);
	CHECK_INT(feed_headers(65).status, 431);
	CHECK_INT(feed_headers(2000).status, 431);
}

TEST(a_chunked_body_has_its_limit)
{
	static struct feed feed;
	feed_begin(&feed);
	feed.limits.body = 1000;
	feed_add(&feed, SLICE(CHUNKED));
	for (int i = 0; i < 100; i++)
		feed_add(&feed, SLICE("A\r\n0123456789\r\n"));
	CHECK_INT(feed.seen.status, 0);
	CHECK(feed.size < 1500); /* the framing does not stay */
	feed_add(&feed, SLICE("1\r\n"));
	CHECK_INT(feed.seen.status, 413);
}

TEST(a_chunked_body_at_its_limit_passes)
{
	static struct feed feed;
	feed_begin(&feed);
	feed.limits.body = 1000;
	feed_add(&feed, SLICE(CHUNKED));
	for (int i = 0; i < 1000; i++)
		feed_add(&feed, SLICE("1\r\nx\r\n"));
	feed_add(&feed, SLICE("0\r\n\r\n"));
	CHECK_INT(feed.seen.requests, 1);
	CHECK_INT(feed.seen.body_size, 1000);
}

TEST(header_names_are_found_in_any_case)
{
	struct http_limits limits;
	struct http_reader reader;
	char bytes[] = "POST /x?y HTTP/1.1\r\nhOsT: a\r\nIf-MATCH: \"3\"\r\nX: 1\r\nx: 2\r\nConnection: keep-alive, "
		       "Close\r\n\r\n";
	size_t size = sizeof(bytes) - 1, count;
	http_limits_defaults(&limits);
	http_reader_init(&reader, &limits);
	CHECK_INT(http_reader_step(&reader, bytes, &size), HTTP_READY);
	CHECK_SLICE(http_reader_field(&reader, bytes, SLICE("if-match"), &count), "\"3\"");
	CHECK_INT(count, 1);
	CHECK_SLICE(http_reader_field(&reader, bytes, SLICE("x"), &count), "1");
	CHECK_INT(count, 2);
	http_reader_field(&reader, bytes, SLICE("y"), &count);
	CHECK_INT(count, 0);
	CHECK(reader.close);
	CHECK_SLICE(http_span_slice(bytes, reader.target), "/x?y");
}

TEST(expect_is_seen_with_the_head)
{
	static struct feed feed;
	feed_begin(&feed);
	feed_add(&feed, SLICE(POST "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n"));
	CHECK(http_reader_has_head(&feed.reader));
	CHECK(feed.reader.wants_continue);
	CHECK_INT(http_reader_missing(&feed.reader, feed.size), 3);
	feed_add(&feed, SLICE("abc"));
	CHECK_INT(feed.seen.requests, 1);
}

TEST(limits_are_set_by_name_and_range)
{
	struct http_limits limits;
	struct fault fault = { 0 };
	http_limits_defaults(&limits);
	CHECK_INT(limits.body, 1024 * 1024);
	CHECK_INT(limits.connections, 10240);
	CHECK_INT(http_limits_set(&limits, SLICE("body"), 5000, &fault), 0);
	CHECK_INT(limits.body, 5000);
	CHECK_INT(http_limits_set(&limits, SLICE("body"), 9 * 1024 * 1024, &fault), -1);
	CHECK_TEXT(fault.code, "bad_limit");
	CHECK_INT(limits.body, 5000);
	CHECK_INT(http_limits_set(&limits, SLICE("boddy"), 1, &fault), -1);
	CHECK_TEXT(fault.code, "unknown_limit");
}

TEST_MAIN()
