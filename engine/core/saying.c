/* SPDX-License-Identifier: MIT */
#include "core/saying.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define SECOND_NS INT64_C(1000000000)

enum saying_answer
saying_admit(struct saying *saying, struct slice domain, int64_t now_ns)
{
	size_t at = (size_t)(slice_hash(domain, 0) % countof(saying->of));
	unsigned lines;

	/* Who sees the new second first begins the count; a line or two of another thread may be lost to it. */
	if (atomic_exchange(&saying->of[at].second, now_ns / SECOND_NS) != now_ns / SECOND_NS)
		atomic_store(&saying->of[at].lines, 0);
	lines = atomic_fetch_add(&saying->of[at].lines, 1);
	return lines < SAYING_LINES ? SAYING_TAKEN : lines == SAYING_LINES ? SAYING_FIRST_LEFT_OUT : SAYING_LEFT_OUT;
}

/* Bytes that the log writes for one byte of a text, at most. */
static size_t
written(unsigned char c, bool foreign)
{
	if (c == '"' || c == '\\' || c == '\n')
		return 2;
	return c < 0x20 || c == 0x7f || (foreign && c >= 0x80) ? sizeof("\\ufffd") - 1 : 1;
}

struct slice
saying_cut(struct slice text)
{
	bool foreign = !json_utf8(text);
	size_t size = 0, sum = 0;

	while (size < text.size && (sum += written((unsigned char)text.data[size], foreign)) <= SAYING_BYTES)
		size++;
	while (size > 0 && size < text.size && ((unsigned char)text.data[size] & 0xc0) == 0x80)
		size--;
	return slice_from(text.data, size);
}

void
saying_write(void *self, int level, struct slice domain, struct slice text)
{
	struct slice part;

	if (!log_wants((enum log_level)level))
		return;
	switch (saying_admit(self, domain, clock_mono_ns(clock_real()))) {
	case SAYING_TAKEN:
		part = saying_cut(text);
		if (part.size == text.size)
			log_line((enum log_level)level, "script", log_slice("domain", domain), log_slice("text", text));
		else
			log_line((enum log_level)level, "script", log_slice("domain", domain), log_slice("text", part),
				 log_int("cut_of_bytes", (int64_t)text.size));
		break;
	case SAYING_FIRST_LEFT_OUT:
		log_line(LOG_WARN, "rules say too much: what they say is left out for the rest of this second",
			 log_slice("domain", domain), log_int("lines", SAYING_LINES));
		break;
	case SAYING_LEFT_OUT:
		break;
	}
}
