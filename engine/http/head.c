/* SPDX-License-Identifier: MIT */
/*
 * The grammar of a request's head, the narrow way: one form for everything that could be read in two ways,
 * and a refusal for the rest. What a proxy before us and we could understand differently is never served: two
 * lengths, a length beside an encoding, signs and leading zeros in lengths, blanks before the colon, folded
 * lines, control bytes, absolute targets.
 *
 * A refusal is final: the reader's stage becomes HTTP_BROKEN and the caller closes after answering.
 */
#include "http/head.h"

enum { TOKEN = 1, VALUE = 2, TARGET = 4, HOST = 8, HEX = 16 };

static const uint8_t classes[256] = {
	['\t'] = VALUE,
	[' '] = VALUE,
	['!'] = TOKEN | VALUE | TARGET,
	['"'] = VALUE,
	['#'] = TOKEN | VALUE,
	['$'] = TOKEN | VALUE | TARGET,
	['%'] = TOKEN | VALUE | TARGET,
	['&'] = TOKEN | VALUE | TARGET,
	['\''] = TOKEN | VALUE | TARGET,
	['('] = VALUE | TARGET,
	[')'] = VALUE | TARGET,
	['*'] = TOKEN | VALUE | TARGET,
	['+'] = TOKEN | VALUE | TARGET,
	[','] = VALUE | TARGET,
	['-'] = TOKEN | VALUE | TARGET | HOST,
	['.'] = TOKEN | VALUE | TARGET | HOST,
	['/'] = VALUE | TARGET,
	['0' ... '9'] = TOKEN | VALUE | TARGET | HOST | HEX,
	[':'] = VALUE | TARGET,
	[';'] = VALUE | TARGET,
	['<'] = VALUE,
	['='] = VALUE | TARGET,
	['>'] = VALUE,
	['?'] = VALUE | TARGET,
	['@'] = VALUE | TARGET,
	['A' ... 'F'] = TOKEN | VALUE | TARGET | HOST | HEX,
	['G' ... 'Z'] = TOKEN | VALUE | TARGET | HOST,
	['['] = VALUE,
	['\\'] = VALUE,
	[']'] = VALUE,
	['^'] = TOKEN | VALUE,
	['_'] = TOKEN | VALUE | TARGET | HOST,
	['`'] = TOKEN | VALUE,
	['a' ... 'f'] = TOKEN | VALUE | TARGET | HOST | HEX,
	['g' ... 'z'] = TOKEN | VALUE | TARGET | HOST,
	['{'] = VALUE,
	['|'] = TOKEN | VALUE,
	['}'] = VALUE,
	['~'] = TOKEN | VALUE | TARGET,
	[0x80 ... 0xff] = VALUE,
};

static const struct {
	struct slice name;
	enum http_method method;
} methods[] = {
	{ SLICE("GET"), HTTP_GET },         { SLICE("POST"), HTTP_POST },     { SLICE("HEAD"), HTTP_HEAD },
	{ SLICE("PUT"), HTTP_PUT },         { SLICE("DELETE"), HTTP_DELETE }, { SLICE("PATCH"), HTTP_PATCH },
	{ SLICE("OPTIONS"), HTTP_OPTIONS },
};

static bool
in_class(char byte, uint8_t class)
{
	return (classes[(uint8_t)byte] & class) != 0;
}

static bool
all_in_class(struct slice text, uint8_t class)
{
	for (size_t i = 0; i < text.size; i++) {
		if (!in_class(text.data[i], class))
			return false;
	}
	return true;
}

bool
http_head_refuse(struct http_reader *reader, uint16_t status, const char *code, const char *text)
{
	reader->stage = HTTP_BROKEN;
	reader->status = status;
	reader->code = code;
	reader->text = text;
	return false;
}

static bool
bad(struct http_reader *reader, const char *code, const char *text)
{
	return http_head_refuse(reader, 400, code, text);
}

static bool
read_method(struct http_reader *reader, struct slice word)
{
	if (word.size == 0)
		return bad(reader, "bad_method", "a request begins with its method");
	for (size_t i = 0; i < word.size; i++) {
		if (word.data[i] < 'A' || word.data[i] > 'Z')
			return bad(reader, "bad_method", "the method must be upper-case letters");
	}
	for (size_t i = 0; i < countof(methods); i++) {
		if (slice_equal(methods[i].name, word)) {
			reader->method = methods[i].method;
			return true;
		}
	}
	return http_head_refuse(reader, 501, "unknown_method", "this method is not known here");
}

static bool
read_target(struct http_reader *reader, struct slice target)
{
	if (target.size == 0 || target.data[0] != '/')
		return bad(reader, "bad_target", "the target must begin with a slash");
	for (size_t i = 0; i < target.size; i++) {
		char byte = target.data[i];
		if (!in_class(byte, TARGET))
			return bad(reader, "bad_target", "the target holds a byte that must be percent-encoded");
		if (byte != '%')
			continue;
		if (target.size - i < 3 || !in_class(target.data[i + 1], HEX) || !in_class(target.data[i + 2], HEX))
			return bad(reader, "bad_target", "the target holds a percent sign without two hex digits");
		if (target.data[i + 1] == '0' && target.data[i + 2] == '0')
			return bad(reader, "bad_target", "the target holds an encoded NUL");
	}
	return true;
}

static bool
read_version(struct http_reader *reader, struct slice version)
{
	const char *v = version.data;
	if (version.size != 8 || memcmp(v, "HTTP/", 5) != 0 || v[6] != '.' || v[5] < '0' || v[5] > '9' || v[7] < '0' ||
	    v[7] > '9')
		return bad(reader, "bad_version", "the request line must end in HTTP/1.1");
	if (v[5] != '1' || v[7] > '1')
		return http_head_refuse(reader, 505, "bad_version",
					"this version of HTTP is not spoken here; 1.1 and 1.0 are");
	reader->minor = (unsigned)(v[7] - '0');
	reader->close = reader->minor == 0;
	return true;
}

bool
http_head_request_line(struct http_reader *reader, const char *bytes, size_t at, size_t end)
{
	struct slice line = slice_from(bytes + at, end - at);
	const char *first = memchr(line.data, ' ', line.size);
	if (first == NULL)
		return bad(reader, "bad_request_line", "a request line is: method, target, version");
	struct slice method = slice_from(line.data, (size_t)(first - line.data));
	const char *from = first + 1;
	const char *second = memchr(from, ' ', line.size - method.size - 1);
	if (second == NULL)
		return bad(reader, "bad_request_line", "a request line is: method, target, version");
	struct slice target = slice_from(from, (size_t)(second - from));
	struct slice version = slice_from(second + 1, (size_t)(line.data + line.size - second - 1));
	reader->method_text = (struct http_span){ (uint32_t)at, (uint32_t)method.size };
	reader->target = (struct http_span){ (uint32_t)(at + method.size + 1), (uint32_t)target.size };
	return read_method(reader, method) && read_target(reader, target) && read_version(reader, version);
}

static bool
read_length(struct http_reader *reader, struct slice value)
{
	if (reader->has_length)
		return bad(reader, "bad_framing", "two Content-Length headers");
	if (value.size == 0 || (value.size > 1 && value.data[0] == '0'))
		return bad(reader, "bad_framing", "Content-Length must be decimal digits without leading zero");
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return bad(reader, "bad_framing", "Content-Length must be decimal digits");
	}
	if (value.size > 18 || !slice_to_u64(value, &reader->length))
		return bad(reader, "bad_framing", "Content-Length is beyond all measure");
	reader->has_length = true;
	return true;
}

static bool
read_encoding(struct http_reader *reader, struct slice value)
{
	if (reader->chunked)
		return bad(reader, "bad_framing", "two Transfer-Encoding headers");
	if (!slice_equal(value, SLICE("chunked")))
		return bad(reader, "bad_framing", "the only Transfer-Encoding understood is chunked");
	reader->chunked = true;
	return true;
}

static bool
host_ok(struct slice value)
{
	size_t i = 0;
	if (value.size == 0 || value.size > 261)
		return false;
	if (value.data[0] == '[') {
		for (i = 1;
		     i < value.size && (in_class(value.data[i], HEX) || value.data[i] == ':' || value.data[i] == '.');)
			i++;
		if (i < 4 || i == value.size || value.data[i] != ']')
			return false;
		i++;
	} else {
		while (i < value.size && in_class(value.data[i], HOST))
			i++;
		if (i == 0)
			return false;
	}
	if (i == value.size)
		return true;
	uint64_t port;
	struct slice digits = slice_from(value.data + i + 1, value.size - i - 1);
	return value.data[i] == ':' && digits.size >= 1 && digits.size <= 5 && slice_to_u64(digits, &port) &&
	       port <= 65535;
}

static bool
same_word(struct slice text, const char *lower)
{
	for (size_t i = 0; i < text.size; i++) {
		char byte = text.data[i];
		if (byte >= 'A' && byte <= 'Z')
			byte = (char)(byte + 32);
		if (lower[i] == '\0' || byte != lower[i])
			return false;
	}
	return lower[text.size] == '\0';
}

static struct slice
trim(struct slice text)
{
	while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
		text.data++;
		text.size--;
	}
	while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static bool
read_connection(struct http_reader *reader, struct slice value)
{
	while (value.size > 0) {
		const char *comma = memchr(value.data, ',', value.size);
		size_t size = comma != NULL ? (size_t)(comma - value.data) : value.size;
		struct slice word = trim(slice_from(value.data, size));
		if (!all_in_class(word, TOKEN))
			return bad(reader, "bad_header", "Connection is a list of words");
		if (same_word(word, "close"))
			reader->close = true;
		size_t step = comma != NULL ? size + 1 : size;
		value = slice_from(value.data + step, value.size - step);
	}
	return true;
}

/* The five names that the reader itself obeys, told apart by length first. */
static bool
obey_field(struct http_reader *reader, struct slice name, struct slice value)
{
	switch (name.size) {
	case 4:
		if (memcmp(name.data, "host", 4) != 0)
			return true;
		if (reader->has_host)
			return bad(reader, "bad_host", "two Host headers");
		reader->has_host = true;
		return host_ok(value) ||
		       bad(reader, "bad_host", "Host must be a name or address with an optional port");
	case 6:
		if (memcmp(name.data, "expect", 6) != 0)
			return true;
		if (!same_word(value, "100-continue"))
			return http_head_refuse(reader, 417, "bad_expect",
						"the only Expect understood is 100-continue");
		reader->wants_continue = reader->minor >= 1;
		return true;
	case 10:
		return memcmp(name.data, "connection", 10) != 0 || read_connection(reader, value);
	case 14:
		return memcmp(name.data, "content-length", 14) != 0 || read_length(reader, value);
	case 17:
		return memcmp(name.data, "transfer-encoding", 17) != 0 || read_encoding(reader, value);
	default:
		return true;
	}
}

bool
http_head_field(struct http_reader *reader, char *bytes, size_t at, size_t end)
{
	size_t colon = at;
	if (reader->field_count == reader->limits->header_count)
		return http_head_refuse(reader, 431, "too_many_headers", "too many header lines");
	for (; colon < end && in_class(bytes[colon], TOKEN); colon++) {
		if (bytes[colon] >= 'A' && bytes[colon] <= 'Z')
			bytes[colon] = (char)(bytes[colon] + 32);
	}
	if (colon == end || bytes[colon] != ':' || colon == at)
		return bad(reader, "bad_header",
			   "a header line is a name of token characters, at once a colon, a value");
	struct slice value = slice_from(bytes + colon + 1, end - colon - 1);
	if (!all_in_class(value, VALUE))
		return bad(reader, "bad_header", "a header value holds a control byte");
	value = trim(value);
	size_t i = reader->field_count++;
	reader->names[i] = (struct http_span){ (uint32_t)at, (uint32_t)(colon - at) };
	reader->values[i] = (struct http_span){ (uint32_t)(value.data - bytes), (uint32_t)value.size };
	return obey_field(reader, slice_from(bytes + at, colon - at), value);
}

bool
http_head_finish(struct http_reader *reader)
{
	if (!reader->has_host)
		return bad(reader, "bad_host", "a request needs one Host header");
	if (reader->chunked && reader->has_length)
		return bad(reader, "bad_framing", "Content-Length beside Transfer-Encoding");
	if (reader->chunked && reader->minor == 0)
		return bad(reader, "bad_framing", "HTTP/1.0 knows no Transfer-Encoding");
	bool has_body = reader->chunked || reader->length > 0;
	if (has_body && (reader->method == HTTP_GET || reader->method == HTTP_HEAD))
		return bad(reader, "bad_framing", "GET and HEAD take no body");
	if (reader->length > reader->limits->body)
		return http_head_refuse(reader, 413, "body_too_large", "the body is larger than allowed here");
	if (!has_body)
		reader->wants_continue = false;
	return true;
}
