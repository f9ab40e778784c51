/* SPDX-License-Identifier: MIT */
/*
 * Requests that must be refused, and good ones that must pass: used on the reader alone, by the fuzz target
 * as seeds and against the running server. Each attack stands for a way in which two parsers could see
 * different requests, or by which a client could hold or fill the server.
 */
#ifndef MOONLOG_TESTS_HTTP_ATTACKS_H
#define MOONLOG_TESTS_HTTP_ATTACKS_H

#include "base/slice.h"

struct attack {
	const char *name;
	struct slice bytes;
	int status;
};

#define HOST    "Host: a\r\n"
#define POST    "POST /x HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define ATTACK(name, bytes, status)                                                                                    \
	{                                                                                                              \
		name, SLICE(bytes), status                                                                             \
	}

static const struct attack attacks[] = {
	/* two readings of the body's length */
	ATTACK("two lengths, equal", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
	ATTACK("two lengths, different", POST "Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc", 400),
	ATTACK("length as a list", POST "Content-Length: 3, 3\r\n\r\nabc", 400),
	ATTACK("length and chunked", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("chunked and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
	ATTACK("length with plus", POST "Content-Length: +3\r\n\r\nabc", 400),
	ATTACK("length with minus", POST "Content-Length: -3\r\n\r\nabc", 400),
	ATTACK("length in hex", POST "Content-Length: 0x3\r\n\r\nabc", 400),
	ATTACK("length with leading zero", POST "Content-Length: 03\r\n\r\nabc", 400),
	ATTACK("length with inner blank", POST "Content-Length: 1 3\r\n\r\nabc", 400),
	ATTACK("length with a tail", POST "Content-Length: 3a\r\n\r\nabc", 400),
	ATTACK("length with a fraction", POST "Content-Length: 3.0\r\n\r\nabc", 400),
	ATTACK("length beyond 64 bits", POST "Content-Length: 18446744073709551619\r\n\r\nabc", 400),
	ATTACK("length beyond all digits", POST "Content-Length: 99999999999999999999999999999999\r\n\r\nabc", 400),
	ATTACK("empty length", POST "Content-Length:\r\n\r\nabc", 400),
	ATTACK("length over the limit", POST "Content-Length: 1048577\r\n\r\n", 413),
	ATTACK("GET with a body", "GET /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 400),
	ATTACK("GET with both",
	       "GET /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("HEAD chunked", "HEAD /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
	/* encodings that are not exactly chunked */
	ATTACK("encoding identity", POST "Transfer-Encoding: identity\r\n\r\n", 400),
	ATTACK("encoding gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("encoding chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
	ATTACK("encoding Chunked", POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("encoding xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("encoding with vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("encoding quoted", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
	ATTACK("encoding empty", POST "Transfer-Encoding:\r\n\r\n", 400),
	ATTACK("two encodings", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("encoding on 1.0", "POST /x HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
	/* chunks */
	ATTACK("chunk size 0x3", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size +3", CHUNKED "+3\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size -3", CHUNKED "-3\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size with blank before", CHUNKED " 3\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size with blank after", CHUNKED "3 \r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size missing", CHUNKED "\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size of 9 digits", CHUNKED "000000003\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size overflowing", CHUNKED "ffffffffffffffff3\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size over the limit", CHUNKED "100001\r\n", 413),
	ATTACK("chunk extension", CHUNKED "3;a=b\r\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk extension on the last", CHUNKED "3\r\nabc\r\n0;a\r\n\r\n", 400),
	ATTACK("chunk size ended by LF", CHUNKED "3\nabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk size ended by CR", CHUNKED "3\rabc\r\n0\r\n\r\n", 400),
	ATTACK("chunk longer than told", CHUNKED "3\r\nabcd\r\n0\r\n\r\n", 400),
	ATTACK("chunk ended by LF", CHUNKED "3\r\nabc\n0\r\n\r\n", 400),
	ATTACK("trailer", CHUNKED "3\r\nabc\r\n0\r\nX: y\r\n\r\n", 400),
	ATTACK("trailer length", CHUNKED "0\r\nContent-Length: 5\r\n\r\n", 400),
	ATTACK("last chunk ended by LF", CHUNKED "0\r\n\n", 400),
	ATTACK("last chunk, CR alone", CHUNKED "0\r\n\rX", 400),
	/* lines */
	ATTACK("bare LF after the request line", "GET /x HTTP/1.1\nHost: a\r\n\r\n", 400),
	ATTACK("bare LF after a header", "GET /x HTTP/1.1\r\nHost: a\n\r\n", 400),
	ATTACK("bare LF at the end", "GET /x HTTP/1.1\r\nHost: a\r\n\n", 400),
	ATTACK("all bare LF", "GET /x HTTP/1.1\nHost: a\n\n", 400),
	ATTACK("CR in a value", "GET /x HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400),
	ATTACK("CR CR LF", "GET /x HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n", 400),
	ATTACK("folded with blank", "GET /x HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400),
	ATTACK("folded with tab", "GET /x HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", 400),
	ATTACK("folded encoding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
	ATTACK("blank before the first header", "GET /x HTTP/1.1\r\n Host: a\r\n\r\n", 400),
	ATTACK("empty line before the request", "\r\nGET /x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("LF before the request", "\nGET /x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("blank before the request", " GET /x HTTP/1.1\r\n" HOST "\r\n", 400),
	/* headers */
	ATTACK("blank before the colon", POST "Content-Length : 3\r\n\r\nabc", 400),
	ATTACK("tab before the colon", POST "Content-Length\t: 3\r\n\r\nabc", 400),
	ATTACK("no colon", "GET /x HTTP/1.1\r\n" HOST "Nonsense\r\n\r\n", 400),
	ATTACK("empty name", "GET /x HTTP/1.1\r\n" HOST ": value\r\n\r\n", 400),
	ATTACK("name with a blank", "GET /x HTTP/1.1\r\n" HOST "X Y: z\r\n\r\n", 400),
	ATTACK("name with a high byte", "GET /x HTTP/1.1\r\n" HOST "X\xe9: z\r\n\r\n", 400),
	ATTACK("name with brackets", "GET /x HTTP/1.1\r\n" HOST "X[0]: z\r\n\r\n", 400),
	ATTACK("NUL in a name", "GET /x HTTP/1.1\r\n" HOST "X\0Y: z\r\n\r\n", 400),
	ATTACK("NUL in a value", "GET /x HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n", 400),
	ATTACK("NUL in the length", POST "Content-Length: 3\0\r\n\r\nabc", 400),
	ATTACK("control byte in a value", "GET /x HTTP/1.1\r\n" HOST "X: a\001b\r\n\r\n", 400),
	ATTACK("DEL in a value", "GET /x HTTP/1.1\r\n" HOST "X: a\177b\r\n\r\n", 400),
	ATTACK("Connection no list", "GET /x HTTP/1.1\r\n" HOST "Connection: close;q=1\r\n\r\n", 400),
	ATTACK("Expect something else", POST "Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc", 417),
	/* Host */
	ATTACK("no host", "GET /x HTTP/1.1\r\n\r\n", 400),
	ATTACK("no host on 1.0", "GET /x HTTP/1.0\r\n\r\n", 400),
	ATTACK("two hosts", "GET /x HTTP/1.1\r\n" HOST "Host: b\r\n\r\n", 400),
	ATTACK("two equal hosts", "GET /x HTTP/1.1\r\n" HOST HOST "\r\n", 400),
	ATTACK("empty host", "GET /x HTTP/1.1\r\nHost:\r\n\r\n", 400),
	ATTACK("host with a blank", "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
	ATTACK("host with a path", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
	ATTACK("host with a user", "GET /x HTTP/1.1\r\nHost: me@a\r\n\r\n", 400),
	ATTACK("host as a list", "GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
	ATTACK("host with a bad port", "GET /x HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400),
	ATTACK("host with an empty port", "GET /x HTTP/1.1\r\nHost: a:\r\n\r\n", 400),
	ATTACK("host with an open bracket", "GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
	/* the request line */
	ATTACK("absolute target", "GET http://a/x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("authority target by a known method", "POST a:80 HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("authority target", "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 501),
	ATTACK("asterisk target", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("no target", "GET HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("relative target", "GET x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("target with a blank", "GET /x y HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("two blanks", "GET  /x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("tab for a blank", "GET\t/x\tHTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("blank at the line's end", "GET /x HTTP/1.1 \r\n" HOST "\r\n", 400),
	ATTACK("half a percent", "GET /x%2 HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("percent without hex", "GET /x%zz HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("percent NUL", "GET /x%00 HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("fragment", "GET /x#y HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("high byte in the target", "GET /x\xff HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("control byte in the target", "GET /x\001 HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("backslash", "GET /x\\y HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("no version", "GET /x\r\n" HOST "\r\n", 400),
	ATTACK("version 0.9", "GET /x HTTP/0.9\r\n" HOST "\r\n", 505),
	ATTACK("version 1.2", "GET /x HTTP/1.2\r\n" HOST "\r\n", 505),
	ATTACK("version 2.0", "GET /x HTTP/2.0\r\n" HOST "\r\n", 505),
	ATTACK("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501),
	ATTACK("version in lower case", "GET /x http/1.1\r\n" HOST "\r\n", 400),
	ATTACK("version with more digits", "GET /x HTTP/1.10\r\n" HOST "\r\n", 400),
	ATTACK("other protocol", "GET /x HTTX/1.1\r\n" HOST "\r\n", 400),
	ATTACK("method in lower case", "get /x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("method half lower", "GEt /x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("method unknown", "BREW /x HTTP/1.1\r\n" HOST "\r\n", 501),
	ATTACK("method TRACE", "TRACE /x HTTP/1.1\r\n" HOST "\r\n", 501),
	ATTACK("method with a dash", "GET- /x HTTP/1.1\r\n" HOST "\r\n", 400),
	ATTACK("TLS client hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
};

/* What must pass: how many requests the bytes are, and the last one's body. */
struct harmless {
	const char *name;
	struct slice bytes;
	int requests;
	const char *body;
};

static const struct harmless harmless[] = {
	{ "plain GET", SLICE("GET /x HTTP/1.1\r\n" HOST "\r\n"), 1, "" },
	{ "GET with length 0", SLICE("GET /x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), 1, "" },
	{ "POST without length", SLICE(POST "\r\n"), 1, "" },
	{ "POST with length", SLICE(POST "Content-Length: 3\r\n\r\nabc"), 1, "abc" },
	{ "one chunk", SLICE(CHUNKED "3\r\nabc\r\n0\r\n\r\n"), 1, "abc" },
	{ "chunks", SLICE(CHUNKED "3\r\nabc\r\n00A\r\n0123456789\r\n1\r\nz\r\n0\r\n\r\n"), 1, "abc0123456789z" },
	{ "empty chunked", SLICE(CHUNKED "0\r\n\r\n"), 1, "" },
	{ "blanks around a value", SLICE(POST "Content-Length: \t 3 \t\r\n\r\nabc"), 1, "abc" },
	{ "no blank before a value", SLICE("POST /x HTTP/1.1\r\nHost:a\r\nCONTENT-LENGTH:3\r\n\r\nabc"), 1, "abc" },
	{ "empty value", SLICE("GET /x HTTP/1.1\r\n" HOST "X:\r\n\r\n"), 1, "" },
	{ "high bytes in a value", SLICE("GET /x HTTP/1.1\r\n" HOST "X: \xc3\xa9\r\n\r\n"), 1, "" },
	{ "percent and query", SLICE("GET /x%20y/%C3%A9?a=b&c=%25 HTTP/1.1\r\n" HOST "\r\n"), 1, "" },
	{ "HTTP/1.0", SLICE("GET /x HTTP/1.0\r\n" HOST "\r\n"), 1, "" },
	{ "host with a port", SLICE("GET /x HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"), 1, "" },
	{ "host in brackets", SLICE("GET /x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), 1, "" },
	{ "two requests", SLICE("GET /x HTTP/1.1\r\n" HOST "\r\n" POST "Content-Length: 2\r\n\r\nhi"), 2, "hi" },
	{ "two chunked requests", SLICE(CHUNKED "1\r\na\r\n0\r\n\r\n" CHUNKED "2\r\nbc\r\n0\r\n\r\n"), 2, "bc" },
	{ "body like a request", SLICE(POST "Content-Length: 28\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n"), 1,
	  "GET /y HTTP/1.1\r\nHost: a\r\n\r\n" },
};

#endif
