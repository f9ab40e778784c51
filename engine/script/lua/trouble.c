/* SPDX-License-Identifier: MIT */
/*
 * Describes a Lua error for people: place, message, the source line with a caret, the way there. Runs as message
 * handler, so it takes no memory from the state, runs no metamethod and prints no value but the error's own text.
 *
 * The stock traceback looks each function up in the loaded modules, which costs 30 times as much as file and line.
 */
#include <stdio.h>
#include <string.h>

#include "script/lua/lib.h"
#include "script/lua/vm.h"

/* Frames looked at: those of C functions are skipped, and lua_getstack counts from the top each time. */
#define FRAMES_SEEN 64
#define LINE_SHOWN  160

struct frame {
	const char *file;  /* without "@" */
	const char *shown; /* as messages cut it */
	int line;
};

static bool
frame_at(lua_State *L, int level, lua_Debug *ar, struct frame *frame)
{
	if (!lua_getstack(L, level, ar))
		return false;
	lua_getinfo(L, "Sl", ar);
	frame->file = ar->source[0] == '@' || ar->source[0] == '=' ? ar->source + 1 : "?";
	frame->shown = ar->short_src;
	frame->line = ar->currentline;
	return true;
}

/* "file:12: rest" -> length of "file", the line and the rest; false for a text without place. */
static bool
message_place(const char *text, size_t *file_size, int *line, const char **rest)
{
	for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
		const char *at = colon + 1;
		int number = 0;
		while (*at >= '0' && *at <= '9' && number < 100000000)
			number = number * 10 + (*at++ - '0');
		if (at == colon + 1 || at[0] != ':' || at[1] != ' ')
			continue;
		*file_size = (size_t)(colon - text);
		*line = number;
		*rest = at + 2;
		return memchr(text, ' ', *file_size) == NULL && memchr(text, '\n', *file_size) == NULL;
	}
	return false;
}

/* A string field of the table at `index`, found by walking: asking by name would make a string. */
static void
raw_field(lua_State *L, int index, const char *name, char *text, size_t size)
{
	text[0] = '\0';
	lua_pushnil(L);
	for (int seen = 0; seen < 32 && lua_next(L, index); seen++) {
		if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING &&
		    strcmp(lua_tostring(L, -2), name) == 0) {
			snprintf(text, size, "%s", lua_tostring(L, -1));
			lua_pop(L, 2);
			return;
		}
		lua_pop(L, 1);
		if (seen == 31)
			lua_pop(L, 1);
	}
}

static void
describe_value(lua_State *L, int index, char *text, size_t size)
{
	char code[64], message[256];
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		snprintf(text, size, "%s", lua_tostring(L, index));
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			snprintf(text, size, "%lld", (long long)lua_tointeger(L, index));
		else
			snprintf(text, size, "%.17g", lua_tonumber(L, index));
		break;
	case LUA_TBOOLEAN:
		snprintf(text, size, "error value is %s", lua_toboolean(L, index) ? "true" : "false");
		break;
	case LUA_TTABLE:
		raw_field(L, index, "code", code, sizeof code);
		raw_field(L, index, "message", message, sizeof message);
		snprintf(text, size, "error value is a table%s%s%s%s", code[0] != '\0' ? ", code: " : "", code,
			 message[0] != '\0' ? ", message: " : "", message);
		break;
	default:
		snprintf(text, size, "error value is a %s", lua_typename(L, lua_type(L, index)));
	}
}

/* Writes the traceback; the innermost frame is the place until the message names a better one. */
static void
walk(lua_State *L, struct vm_trouble *trouble)
{
	lua_Debug ar;
	struct frame frame;
	size_t used = 0;
	int printed = 0;
	for (int level = 0; level < FRAMES_SEEN && printed < VM_FRAMES_MAX && frame_at(L, level, &ar, &frame);
	     level++) {
		if (frame.line < 0)
			continue;
		if (printed++ == 0) {
			snprintf(trouble->file, sizeof trouble->file, "%s", frame.file);
			trouble->line = frame.line;
		}
		int wrote = snprintf(trouble->traceback + used, sizeof trouble->traceback - used, "%s:%d\n", frame.file,
				     frame.line);
		if (wrote < 0 || (size_t)wrote >= sizeof trouble->traceback - used) {
			trouble->traceback[used] = '\0';
			return;
		}
		used += (size_t)wrote;
	}
}

/*
 * Takes the place that a message begins with, if a running or known file has that name: any text may look like a place.
 * Messages cut long names; the frame knows the whole one.
 */
static bool
take_named(lua_State *L, struct vm_trouble *trouble, struct slice name)
{
	const struct vm_host *host = &vm_of(L)->host;
	lua_Debug ar;
	struct frame frame;
	for (int level = 0; level < FRAMES_SEEN && frame_at(L, level, &ar, &frame); level++) {
		if (slice_equal(slice_text(frame.shown), name)) {
			snprintf(trouble->file, sizeof trouble->file, "%s", frame.file);
			return true;
		}
	}
	bool running = trouble->line > 0, known = host->source != NULL && host->source(host->self, name).data != NULL;
	if (running && !known)
		return false;
	snprintf(trouble->file, sizeof trouble->file, "%.*s", SLICE_ARG(name));
	return true;
}

static bool
source_line(struct slice source, int number, struct slice *line)
{
	const char *at = source.data, *end = source.data + source.size;
	for (int n = 1; at != NULL && at < end; n++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *next = stop != NULL ? stop : end;
		if (n == number) {
			*line = slice_from(at, (size_t)(next - at));
			return true;
		}
		at = next + 1;
	}
	return false;
}

/* Lua knows no column: the last name in quotes that stands in the line is what the message is about. */
static size_t
caret_column(struct slice line, const char *message)
{
	size_t column = 0;
	while (column < line.size && (line.data[column] == ' ' || line.data[column] == '\t'))
		column++;
	const char *end = strrchr(message, '\'');
	if (end == NULL || end == message)
		return column;
	const char *start = end - 1;
	while (start > message && *start != '\'')
		start--;
	size_t size = (size_t)(end - start) - 1;
	if (*start != '\'' || size == 0 || size > line.size)
		return column;
	const char *place = memmem(line.data, line.size, start + 1, size);
	return place != NULL ? (size_t)(place - line.data) : column;
}

void
vm_excerpt(struct slice source, int number, const char *message, size_t column, char *text, size_t size)
{
	struct slice line;
	text[0] = '\0';
	if (!source_line(source, number, &line))
		return;
	if (line.size > 0 && line.data[line.size - 1] == '\r')
		line.size--;
	if (line.size > LINE_SHOWN)
		line.size = LINE_SHOWN;
	if (column == SIZE_MAX)
		column = caret_column(line, message);
	if (column > line.size)
		column = line.size;
	char indent[LINE_SHOWN + 1];
	for (size_t i = 0; i < column; i++)
		indent[i] = line.data[i] == '\t' ? '\t' : ' ';
	indent[column] = '\0';
	snprintf(text, size, "%5d | %.*s\n      | %s^", number, SLICE_ARG(line), indent);
}

void
vm_excerpt_trouble(struct vm *vm)
{
	struct vm_trouble *trouble = &vm->trouble;
	if (vm->host.source == NULL || trouble->line <= 0)
		return;
	struct slice source = vm->host.source(vm->host.self, slice_text(trouble->file));
	vm_excerpt(source, trouble->line, trouble->message, SIZE_MAX, trouble->excerpt, sizeof trouble->excerpt);
}

void
vm_place(lua_State *L, struct vm_trouble *trouble)
{
	trouble->file[0] = trouble->message[0] = trouble->excerpt[0] = trouble->traceback[0] = '\0';
	trouble->line = 0;
	walk(L, trouble);
}

void
vm_describe(lua_State *L)
{
	struct vm *vm = vm_of(L);
	struct vm_trouble *trouble = &vm->trouble;
	char text[sizeof trouble->file + sizeof trouble->message];
	const char *rest, *message = text;
	size_t file_size;
	int line;
	describe_value(L, lua_gettop(L), text, sizeof text);
	vm_place(L, trouble);
	if (message_place(text, &file_size, &line, &rest) && take_named(L, trouble, slice_from(text, file_size))) {
		trouble->line = line;
		message = rest;
	}
	snprintf(trouble->message, sizeof trouble->message, "%.*s", (int)sizeof trouble->message - 1, message);
	lib_one_line(trouble->message);
	vm_excerpt_trouble(vm);
}
