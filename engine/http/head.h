/* SPDX-License-Identifier: MIT */
/* The lines of a request's head, one at a time, for the reader alone. */
#ifndef MOONLOG_HTTP_HEAD_H
#define MOONLOG_HTTP_HEAD_H

#include "http/reader.h"

/* The line is bytes[at, end), without its CRLF. Both give false after http_head_refuse. */
bool http_head_request_line(struct http_reader *reader, const char *bytes, size_t at, size_t end);
bool http_head_field(struct http_reader *reader, char *bytes, size_t at, size_t end);
/* What only the whole head can tell. */
bool http_head_finish(struct http_reader *reader);
/* Gives false. */
bool http_head_refuse(struct http_reader *reader, uint16_t status, const char *code, const char *text);

#endif
