/* SPDX-License-Identifier: MIT */
/* UUIDs by RFC 9562: layout, version and variant bits, text. */
#include "base/id.h"

#include "base/word.h"

static struct id
stamped(struct id id, unsigned version)
{
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | (version << 4));
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
	return id;
}

struct id
id_v7(int64_t wall_us, const uint8_t random[10])
{
	uint64_t ms = wall_us > 0 ? (uint64_t)wall_us / 1000 : 0;
	struct id id;

	for (int i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	memcpy(id.bytes + 6, random, 10);
	return stamped(id, 7);
}

struct id
id_v4(const uint8_t random[16])
{
	struct id id;

	memcpy(id.bytes, random, 16);
	return stamped(id, 4);
}

static bool
dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void
id_format(const struct id *id, char text[ID_TEXT_SIZE])
{
	char hex[32];

	for (size_t i = 0; i < 16; i += 4)
		word_put(hex + 2 * i, word_hex(id->bytes + i));
	memcpy(text, hex, 8);
	memcpy(text + 9, hex + 8, 4);
	memcpy(text + 14, hex + 12, 4);
	memcpy(text + 19, hex + 16, 4);
	memcpy(text + 24, hex + 20, 12);
	text[8] = text[13] = text[18] = text[23] = '-';
	text[36] = '\0';
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
id_parse(struct slice text, struct id *id)
{
	const char *at = text.data;

	if (text.size != ID_TEXT_SIZE - 1)
		return -1;
	for (int i = 0; i < 16; i++) {
		if (dash_before(i) && *at++ != '-')
			return -1;
		int high = nibble(at[0]), low = nibble(at[1]);
		if (high < 0 || low < 0)
			return -1;
		id->bytes[i] = (uint8_t)(high << 4 | low);
		at += 2;
	}
	return 0;
}

bool
id_is_none(const struct id *id)
{
	static const struct id none;

	return memcmp(id, &none, sizeof(none)) == 0;
}
