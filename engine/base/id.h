/* SPDX-License-Identifier: MIT */
/* UUIDs, as 16 bytes and as the 36-character lower-case text (RFC 9562). */
#ifndef MOONLOG_BASE_ID_H
#define MOONLOG_BASE_ID_H

#include "base/slice.h"

#define ID_TEXT_SIZE 37

struct id {
	uint8_t bytes[16];
};

/* Version 7 from a time and 10 bytes of randomness (74 bits of them are used). */
struct id id_v7(int64_t wall_us, const uint8_t random[10]);
struct id id_v4(const uint8_t random[16]);
void id_format(const struct id *id, char text[ID_TEXT_SIZE]);
/* Accepts the 36-character form in either case. Gives 0 or -1. */
int id_parse(struct slice text, struct id *id);
bool id_is_none(const struct id *id); /* all zero */

#endif
