/* SPDX-License-Identifier: MIT */
#include "core/shadow_places.h"

#include "base/diff.h"

#define VALUE_SHOWN ((size_t)512)
#define LIST_MAX    ((size_t)1 << 20)

struct places {
	struct buf out;
	size_t count;
};

static void
put_value(struct buf *out, const char *key, const char *size_key, struct slice value)
{
	if (value.size == 0)
		return;
	if (value.size > VALUE_SHOWN) {
		json_put_u64(out, size_key, value.size);
		return;
	}
	json_key(out, key);
	buf_add(out, value);
}

static void
put_place(void *self, struct slice path, struct slice before, struct slice after)
{
	struct places *places = self;

	if (places->count++ >= SHADOW_PLACES_MAX)
		return;
	json_comma(&places->out);
	buf_byte(&places->out, '{');
	json_put_text(&places->out, "path", path);
	put_value(&places->out, "before", "before_bytes", before);
	put_value(&places->out, "after", "after_bytes", after);
	buf_byte(&places->out, '}');
}

struct slice
shadow_places(struct slice before, struct slice after, struct arena *arena)
{
	struct places places = { 0 };
	const struct diff_sink sink = { put_place, &places };
	struct json_value a, b;
	struct slice list = SLICE_NONE;
	struct fault ignored;

	if (json_check(before, &a, &ignored) != 0 || json_check(after, &b, &ignored) != 0)
		return SLICE_NONE;
	buf_init(&places.out, LIST_MAX);
	buf_byte(&places.out, '[');
	diff_json(a, b, &sink);
	buf_byte(&places.out, ']');
	if (!places.out.failed)
		list = arena_copy(arena, buf_slice(&places.out));
	buf_fini(&places.out);
	return list;
}
