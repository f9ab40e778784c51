/* SPDX-License-Identifier: MIT */
/* The writing half of the codec in pieces, for json_write.c and schema_write.c. All inside vm_protect. */
#ifndef MOONLOG_SCRIPT_LUA_JSON_WRITER_H
#define MOONLOG_SCRIPT_LUA_JSON_WRITER_H

#include "base/json.h"
#include "script/lua/json.h"

/* Identity of the arrays' metatable. */
const void *json_array_metatable(lua_State *L);

/* Where the writer stands, innermost first: only walked when something fails. */
struct json_place {
	const struct json_place *outer;
	struct slice key; /* data NULL: the index counts */
	int64_t index;
};

struct json_writer {
	lua_State *L;
	struct buf *out;
	size_t start; /* of out, before us */
	struct json_limits limits;
	uint32_t depth;
	const void *array_metatable;
	char code[24];
	char path[160];
	char reason[160]; /* empty: no failure */
};

void json_writer_init(struct json_writer *writer, lua_State *L, struct buf *out, const struct json_limits *limits);
/* Notes the first failure with its path. Gives false. */
bool json_writer_fail(struct json_writer *writer, const struct json_place *place, const char *code, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));
/* "items[2].price" from a place. */
void json_place_text(const struct json_place *place, char *text, size_t size);

/*
 * The object on top as {...}, keys sorted, each value written by `value` (NULL: json_writer_value). Everything above
 * the object may be left on the stack.
 */
struct json_member_writer {
	bool (*value)(void *self, int index, const struct json_place *place);
	void *self;
};
bool json_writer_object(struct json_writer *writer, const struct json_member_writer *member,
			const struct json_place *place);
/* One level deeper: room on the stack, depth checked. The caller takes writer->depth back. */
bool json_writer_deeper(struct json_writer *writer, const struct json_place *place);
bool json_writer_value(struct json_writer *writer, int index, const struct json_place *place);
/* Quoted, checked to be UTF-8. */
bool json_writer_text(struct json_writer *writer, struct slice text, const struct json_place *place);
bool json_writer_float(struct json_writer *writer, double number, const struct json_place *place);
/*
 * Pushes what stands behind a read-only view at `index`, or the value itself, and tells what it is. Fails for tables
 * that are neither arrays nor objects.
 */
enum json_shape { JSON_SHAPE_OBJECT, JSON_SHAPE_ARRAY };
bool json_writer_shape(struct json_writer *writer, int index, const struct json_place *place, enum json_shape *shape,
		       lua_Integer *count);

static inline void
json_put(struct buf *out, const char *bytes, size_t size)
{
	if (!out->failed && out->room - out->size >= size) {
		memcpy(out->data + out->size, bytes, size);
		out->size += size;
	} else {
		buf_add(out, slice_from(bytes, size));
	}
}

static inline void
json_put_byte(struct buf *out, char byte)
{
	if (!out->failed && out->size < out->room)
		out->data[out->size++] = byte;
	else
		buf_byte(out, byte);
}

#endif
