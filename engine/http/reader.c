/* SPDX-License-Identifier: MIT */
/*
 * The request reader. The head is read line by line as lines become complete, so that a limit or a bad line is answered
 * as early as the bytes allow; a body with a length is not touched at all; chunks are walked byte by byte in their
 * framing and joined in place, and the hole they leave is closed once a step, so the buffer stays as large as what it
 * means.
 *
 * Every decision is taken at a fixed place in the byte sequence (a line's end, a limit's byte, a chunk's framing byte):
 * that is why feeding whole, byte by byte or cut anywhere gives the same result, which the fuzz target checks.
 */
#include "http/reader.h"

#include "http/head.h"

void
http_reader_init(struct http_reader *reader, const struct http_limits *limits)
{
	/* The arrays of spans are written before they are read. */
	memset(reader, 0, offsetof(struct http_reader, names));
	reader->limits = limits;
	reader->field_count = 0;
	reader->head_size = 0;
	reader->body_size = 0;
	reader->chunk_left = 0;
	reader->chunk_digits = 0;
	reader->status = 0;
	reader->code = NULL;
	reader->text = NULL;
}

static void
finish_head(struct http_reader *reader, size_t next)
{
	reader->head_size = next;
	reader->at = next;
	if (!http_head_finish(reader))
		return;
	if (reader->chunked)
		reader->stage = HTTP_CHUNK_SIZE;
	else
		reader->stage = HTTP_BODY;
}

/* One complete line, [line_at, lf) with lf at its LF. */
static void
read_line(struct http_reader *reader, char *bytes, size_t lf)
{
	size_t at = reader->line_at;
	if (lf == at || bytes[lf - 1] != '\r') {
		http_head_refuse(reader, 400, "bad_line_end", "lines end in CR LF");
		return;
	}
	size_t end = lf - 1;
	if (reader->stage == HTTP_LINE) {
		if (http_head_request_line(reader, bytes, at, end))
			reader->stage = HTTP_FIELDS;
	} else if (end == at) {
		finish_head(reader, lf + 1);
	} else {
		http_head_field(reader, bytes, at, end);
	}
	reader->line_at = lf + 1;
	reader->scanned = lf + 1;
}

/* `upto`: bytes of the current line that are known, its LF included if it has come. */
static bool
line_fits(struct http_reader *reader, size_t upto)
{
	const struct http_limits *limits = reader->limits;
	if (reader->stage == HTTP_LINE) {
		if (upto > limits->request_line)
			return http_head_refuse(reader, 414, "target_too_long", "the request line is too long");
		return true;
	}
	size_t block_at = (size_t)reader->target.at + reader->target.size + sizeof(" HTTP/1.1\r\n") - 1;
	if (upto - block_at > limits->header_block)
		return http_head_refuse(reader, 431, "headers_too_large", "the header lines are too large together");
	return true;
}

static void
read_head(struct http_reader *reader, char *bytes, size_t size)
{
	/* Not HTTP at all (TLS, a terminal): no reason to wait for a line. */
	if (reader->stage == HTTP_LINE && size > 0 && (bytes[0] < 'A' || bytes[0] > 'Z')) {
		http_head_refuse(reader, 400, "bad_method", "the method must be upper-case letters");
		return;
	}
	while (reader->stage == HTTP_LINE || reader->stage == HTTP_FIELDS) {
		const char *lf = memchr(bytes + reader->scanned, '\n', size - reader->scanned);
		size_t known = lf != NULL ? (size_t)(lf - bytes) + 1 : size;
		if (!line_fits(reader, known))
			return;
		if (lf == NULL) {
			reader->scanned = size;
			return;
		}
		read_line(reader, bytes, known - 1);
	}
}

static int
hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

static void
read_chunk_size(struct http_reader *reader, char byte)
{
	int digit = hex_value(byte);
	if (digit >= 0) {
		if (++reader->chunk_digits > 8) {
			http_head_refuse(reader, 400, "bad_framing", "a chunk size has at most 8 digits");
			return;
		}
		reader->chunk_left = reader->chunk_left * 16 + (unsigned)digit;
		return;
	}
	if (byte != '\r' || reader->chunk_digits == 0)
		http_head_refuse(reader, 400, "bad_framing", "a chunk size is hex digits and CR LF, without extension");
	else
		reader->stage = HTTP_CHUNK_SIZE_LF;
}

static void
begin_chunk(struct http_reader *reader)
{
	reader->chunk_digits = 0;
	if (reader->chunk_left == 0)
		reader->stage = HTTP_LAST_CR;
	else if (reader->chunk_left > reader->limits->body - reader->body_size)
		http_head_refuse(reader, 413, "body_too_large", "the body is larger than allowed here");
	else
		reader->stage = HTTP_CHUNK_DATA;
}

static void
read_chunk_frame(struct http_reader *reader, char byte)
{
	switch (reader->stage) {
	case HTTP_CHUNK_SIZE:
		read_chunk_size(reader, byte);
		return;
	case HTTP_CHUNK_SIZE_LF:
		if (byte != '\n')
			break;
		begin_chunk(reader);
		return;
	case HTTP_CHUNK_CR:
		if (byte != '\r')
			break;
		reader->stage = HTTP_CHUNK_LF;
		return;
	case HTTP_CHUNK_LF:
		if (byte != '\n')
			break;
		reader->stage = HTTP_CHUNK_SIZE;
		return;
	case HTTP_LAST_CR:
		if (byte != '\r') {
			http_head_refuse(reader, 400, "bad_framing", "trailers are not taken");
			return;
		}
		reader->stage = HTTP_LAST_LF;
		return;
	case HTTP_LAST_LF:
		if (byte != '\n')
			break;
		reader->stage = HTTP_END;
		return;
	default:
		break;
	}
	http_head_refuse(reader, 400, "bad_framing", "a chunk's framing is broken");
}

static void
read_chunks(struct http_reader *reader, char *bytes, size_t *size)
{
	size_t at = reader->at;
	size_t to = reader->head_size + reader->body_size;
	while (at < *size && reader->stage != HTTP_END && reader->stage != HTTP_BROKEN) {
		if (reader->stage != HTTP_CHUNK_DATA) {
			read_chunk_frame(reader, bytes[at++]);
			continue;
		}
		size_t some = *size - at;
		if (some > reader->chunk_left)
			some = (size_t)reader->chunk_left;
		memmove(bytes + to, bytes + at, some);
		at += some;
		to += some;
		reader->body_size += some;
		reader->chunk_left -= some;
		if (reader->chunk_left == 0)
			reader->stage = HTTP_CHUNK_CR;
	}
	memmove(bytes + to, bytes + at, *size - at);
	*size -= at - to;
	reader->at = to;
}

enum http_step
http_reader_step(struct http_reader *reader, char *bytes, size_t *size)
{
	if (reader->stage <= HTTP_FIELDS)
		read_head(reader, bytes, *size);
	if (reader->stage == HTTP_BODY && *size - reader->head_size >= reader->length) {
		reader->body_size = (size_t)reader->length;
		reader->at = reader->head_size + reader->body_size;
		reader->stage = HTTP_END;
	} else if (reader->stage > HTTP_BODY && reader->stage < HTTP_END) {
		read_chunks(reader, bytes, size);
	}
	if (reader->stage == HTTP_BROKEN)
		return HTTP_REFUSED;
	return reader->stage == HTTP_END ? HTTP_READY : HTTP_MORE;
}

size_t
http_reader_missing(const struct http_reader *reader, size_t size)
{
	if (reader->stage != HTTP_BODY)
		return 0;
	return reader->head_size + (size_t)reader->length - size;
}

struct slice
http_reader_field(const struct http_reader *reader, const char *bytes, struct slice name, size_t *count)
{
	struct slice value = SLICE_NONE;
	*count = 0;
	for (size_t i = 0; i < reader->field_count; i++) {
		if (reader->names[i].size != name.size ||
		    memcmp(bytes + reader->names[i].at, name.data, name.size) != 0)
			continue;
		if ((*count)++ == 0)
			value = http_span_slice(bytes, reader->values[i]);
	}
	return value;
}
