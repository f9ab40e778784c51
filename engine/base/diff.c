/* SPDX-License-Identifier: MIT */
/* Objects are merged by their sorted keys, arrays by place; what is of two kinds, or a scalar, differs as a whole. */
#include "base/diff.h"

#define PATH_MAX_BYTES ((size_t)64 << 10)

struct walk {
	const struct diff_sink *sink;
	struct buf path;
};

static void walk_values(struct walk *walk, struct json_value before, struct json_value after);

static void
tell(struct walk *walk, struct slice before, struct slice after)
{
	walk->sink->each(walk->sink->self, buf_slice(&walk->path), before, after);
}

static size_t
enter_key(struct walk *walk, struct slice key)
{
	size_t size = walk->path.size;

	if (size != 0)
		buf_byte(&walk->path, '.');
	buf_add(&walk->path, key);
	return size;
}

static void
walk_objects(struct walk *walk, struct json_value before, struct json_value after)
{
	struct json_iter left, right;
	struct json_value a, b;
	struct slice key_a, key_b;

	json_iter(&left, before);
	json_iter(&right, after);
	bool has_a = json_next(&left, &key_a, &a), has_b = json_next(&right, &key_b, &b);
	while (has_a || has_b) {
		int order = !has_a ? 1 : !has_b ? -1 : slice_compare(key_a, key_b);
		size_t size = enter_key(walk, order <= 0 ? key_a : key_b);
		if (order == 0)
			walk_values(walk, a, b);
		else
			tell(walk, order < 0 ? a.raw : SLICE_NONE, order > 0 ? b.raw : SLICE_NONE);
		walk->path.size = size;
		if (order <= 0)
			has_a = json_next(&left, &key_a, &a);
		if (order >= 0)
			has_b = json_next(&right, &key_b, &b);
	}
}

static void
walk_arrays(struct walk *walk, struct json_value before, struct json_value after)
{
	struct json_iter left, right;
	struct json_value a, b;
	struct slice key;
	bool has_a, has_b;

	json_iter(&left, before);
	json_iter(&right, after);
	for (unsigned long i = 1;; i++) {
		size_t size = walk->path.size;
		has_a = json_next(&left, &key, &a);
		has_b = json_next(&right, &key, &b);
		if (!has_a && !has_b)
			return;
		buf_format(&walk->path, "[%lu]", i);
		if (has_a && has_b)
			walk_values(walk, a, b);
		else
			tell(walk, has_a ? a.raw : SLICE_NONE, has_b ? b.raw : SLICE_NONE);
		walk->path.size = size;
	}
}

static void
walk_values(struct walk *walk, struct json_value before, struct json_value after)
{
	if (slice_equal(before.raw, after.raw))
		return;
	if (before.kind == JSON_OBJECT && after.kind == JSON_OBJECT)
		walk_objects(walk, before, after);
	else if (before.kind == JSON_ARRAY && after.kind == JSON_ARRAY)
		walk_arrays(walk, before, after);
	else
		tell(walk, before.raw, after.raw);
}

void
diff_json(struct json_value before, struct json_value after, const struct diff_sink *sink)
{
	struct walk walk = { .sink = sink };

	buf_init(&walk.path, PATH_MAX_BYTES);
	walk_values(&walk, before, after);
	buf_fini(&walk.path);
}
