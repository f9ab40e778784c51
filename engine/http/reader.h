/* SPDX-License-Identifier: MIT */
/*
 * The strict HTTP/1.1 request reader: bytes in, one request or one refusal out. No I/O, no memory of its own, no clock.
 *
 * The caller keeps what it has received of a request in one growing buffer that begins with the request's first byte,
 * and calls http_reader_step after each addition. The outcome depends on the bytes only, never on how they were cut.
 * Header names are lowered and chunks are joined in place. After a refusal the connection must be closed: what follows
 * is not known to be a request.
 */
#ifndef MOONLOG_HTTP_READER_H
#define MOONLOG_HTTP_READER_H

#include "http/limits.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_PATCH, HTTP_OPTIONS };

enum http_step { HTTP_MORE, HTTP_READY, HTTP_REFUSED };

enum http_stage { /* of one request */
		  HTTP_LINE,
		  HTTP_FIELDS,
		  HTTP_BODY,
		  HTTP_CHUNK_SIZE,
		  HTTP_CHUNK_SIZE_LF,
		  HTTP_CHUNK_DATA,
		  HTTP_CHUNK_CR,
		  HTTP_CHUNK_LF,
		  HTTP_LAST_CR,
		  HTTP_LAST_LF,
		  HTTP_END,
		  HTTP_BROKEN
};

struct http_span { /* in the caller's buffer */
	uint32_t at;
	uint32_t size;
};

struct http_reader {
	const struct http_limits *limits;
	enum http_stage stage;
	size_t line_at; /* of the line being read */
	size_t scanned; /* no LF between line_at and here */
	size_t at;      /* bytes understood; at HTTP_READY: where the next request begins */
	/* the head */
	enum http_method method;
	struct http_span method_text;
	struct http_span target;
	unsigned minor; /* HTTP/1.minor */
	bool close;     /* the client wants it, or speaks 1.0 */
	bool wants_continue;
	bool chunked;
	bool has_length;
	bool has_host;
	uint64_t length;
	struct http_span names[HTTP_FIELDS_MAX];
	struct http_span values[HTTP_FIELDS_MAX];
	size_t field_count;
	size_t head_size;
	/* the body: [head_size, head_size + body_size) */
	size_t body_size;
	uint64_t chunk_left;
	unsigned chunk_digits;
	/* a refusal */
	uint16_t status;
	const char *code; /* stable */
	const char *text; /* for a person */
};

/* For the next request; `limits` must outlive the reader. */
void http_reader_init(struct http_reader *reader, const struct http_limits *limits);
/* `bytes`: all that was received of this request and perhaps more; may have moved since the last call.
 * *size shrinks when chunks are joined. */
enum http_step http_reader_step(struct http_reader *reader, char *bytes, size_t *size);
/* The head is complete and accepted. */
static inline bool
http_reader_has_head(const struct http_reader *reader)
{
	return reader->stage >= HTTP_BODY && reader->stage != HTTP_BROKEN;
}
/* Body bytes that are still known to be missing; 0 when chunked. */
size_t http_reader_missing(const struct http_reader *reader, size_t size);
/* The value of the header line `name` (lower case); *count tells how many such lines there are, the first is given. */
struct slice http_reader_field(const struct http_reader *reader, const char *bytes, struct slice name, size_t *count);

static inline struct slice
http_span_slice(const char *bytes, struct http_span span)
{
	return slice_from(bytes + span.at, span.size);
}

#endif
