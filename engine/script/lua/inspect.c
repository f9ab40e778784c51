/* SPDX-License-Identifier: MIT */
/*
 * The small tools of the checks. Lua keeps no lines for table fields, so a finding's line is searched in the
 * text: the names of the path one after the other, then the word that is wrong. That is where a person would
 * look, too.
 */
#include "script/lua/inspect.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/suggest.h"
#include "script/lua/lint.h"

void *
inspect_alloc(struct inspection *in, size_t count, size_t size)
{
	return moon_alloc(in->L, in->arena, count, size);
}

struct slice
inspect_keep(struct inspection *in, struct slice text)
{
	return moon_keep(in->L, in->arena, text);
}

/* ---- findings ---- */

static bool
name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The next place at or after `from` where `word` stands by itself; SIZE_MAX when there is none. */
static size_t
find_word(struct slice text, size_t from, struct slice word)
{
	while (from < text.size && word.size > 0) {
		const char *at = memmem(text.data + from, text.size - from, word.data, word.size);
		if (at == NULL)
			break;
		size_t start = (size_t)(at - text.data), end = start + word.size;
		bool left = start == 0 || !name_byte(text.data[start - 1]) || !name_byte(word.data[0]);
		bool right = end == text.size || !name_byte(text.data[end]) || !name_byte(word.data[word.size - 1]);
		if (left && right)
			return start;
		from = start + 1;
	}
	return SIZE_MAX;
}

/* Where the n-th table begins in the list that opens at or after `from`. */
static size_t
find_element(struct slice text, size_t from, int64_t n)
{
	struct tokens tokens = { .source = text, .at = from };
	struct token token;
	int depth = 0;
	while ((token = token_next(&tokens)).kind != TOKEN_END) {
		if (token_is(&token, "{") && ++depth == 2 && --n == 0)
			return token.at;
		if (token_is(&token, "}") && --depth == 0)
			break;
	}
	return from;
}

static int
place(const struct inspection *in, const char *word)
{
	struct slice text = in->program->sources.items[in->source].bytes;
	size_t at = 0;
	for (unsigned i = 0; i <= in->depth; i++) {
		struct slice name = i < in->depth ? in->path[i].name : slice_text(word);
		size_t found = find_word(text, at, name);
		if (found != SIZE_MAX)
			at = found;
		if (i < in->depth && name.data == NULL)
			at = find_element(text, at, in->path[i].index);
	}
	int line = 1;
	for (size_t i = 0; i < at && i < text.size; i++)
		line += text.data[i] == '\n';
	return line;
}

static void
path_text(const struct inspection *in, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < in->depth && used < size; i++) {
		const struct moon_step *step = &in->path[i];
		int wrote =
			step->name.data != NULL
				? snprintf(text + used, size - used, "%s%.*s", i > 0 ? "." : "", SLICE_ARG(step->name))
				: snprintf(text + used, size - used, "[%lld]", (long long)step->index);
		used += wrote > 0 ? (size_t)wrote : 0;
	}
}

static _Noreturn void
raise_finding(struct inspection *in, const char *word, const char *format, va_list args)
{
	char path[200], reason[400];
	vsnprintf(reason, sizeof reason, format, args);
	path_text(in, path, sizeof path);
	lua_pushfstring(in->L, "%s:%d: %s%s%s", in->program->sources.items[in->source].path.data, place(in, word), path,
			path[0] != '\0' ? ": " : "", reason);
	lua_error(in->L);
	abort(); /* lua_error does not return */
}

void
inspect_fail(struct inspection *in, const char *word, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	in->code = "bad_rules";
	raise_finding(in, word, format, args);
}

void
inspect_fail_as(struct inspection *in, const char *code, const char *word, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	in->code = code;
	raise_finding(in, word, format, args);
}

void
inspect_absent(struct inspection *in, const char *code, const char *word, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	in->code = inspect_gathers(in) && in->missing ? NULL : code;
	raise_finding(in, word, format, args);
}

/* Ends this part of the checks without a word; only while findings are gathered. */
static _Noreturn void
inspect_quiet(struct inspection *in)
{
	in->code = NULL;
	lua_pushliteral(in->L, "");
	lua_error(in->L);
	abort(); /* lua_error does not return */
}

/* ---- gathering ---- */

void
inspect_note(struct inspection *in, enum finding_severity severity, const char *code, const char *format, ...)
{
	const struct source_file *source = &in->program->sources.items[in->source];
	char path[200], reason[400], text[620], shown[512];
	va_list args;
	if (!inspect_gathers(in))
		return;
	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	path_text(in, path, sizeof path);
	snprintf(text, sizeof text, "%s%s%s", path, path[0] != '\0' ? ": " : "", reason);
	int line = place(in, NULL);
	vm_excerpt(source->bytes, line, text, SIZE_MAX, shown, sizeof shown);
	findings_add(in->program->findings, &(struct finding){ .severity = severity,
							       .code = code,
							       .file = source->path,
							       .line = line,
							       .text = slice_text(text),
							       .excerpt = slice_text(shown) });
}

void
inspect_unused(struct inspection *in)
{
	size_t count = in->program->sources.count;
	bool used = in->missing; /* nobody knows what a broken file is */
	for (size_t i = 0; i < count && !used; i++)
		used = in->program->needs[i * count + in->source];
	if (!used)
		inspect_note(in, FINDING_WARNING, "unused_file",
			     "no other file requires this one, and what it returns is no aggregate, document, process, "
			     "reactor or projection, and has no queries, settings or routes");
}

struct attempt {
	struct inspection *in;
	void (*with)(struct inspection *in, void *self);
	void *self;
};

static int
attempt_body(lua_State *L)
{
	const struct attempt *attempt = lua_touserdata(L, 1);
	luaL_checkstack(L, 40, NULL);
	attempt->with(attempt->in, attempt->self);
	return 0;
}

static int
describe(lua_State *L)
{
	if (!vm_is_killed(L)) /* it has told its place */
		vm_describe(L);
	return 1;
}

static void
note(const struct inspection *in)
{
	findings_trouble(in->program->findings, in->code, &in->machine->vm->trouble);
}

bool
inspect_try(struct inspection *in, void (*with)(struct inspection *in, void *self), void *self)
{
	lua_State *L = in->L;
	struct attempt attempt = { in, with, self };
	unsigned depth = in->depth;
	if (!inspect_gathers(in)) {
		with(in, self);
		return false;
	}
	luaL_checkstack(L, 8, NULL);
	int top = lua_gettop(L);
	in->code = "script_error"; /* unless inspect_fail says which */
	lua_pushcfunction(L, describe);
	lua_pushcfunction(L, attempt_body);
	lua_pushlightuserdata(L, &attempt);
	lua_pushvalue(L, top);
	int status = lua_pcall(L, 2, 0, top + 1);
	if (status == LUA_OK) {
		lua_settop(L, top);
		return false;
	}
	if (status != LUA_ERRRUN || vm_is_killed(L))
		lua_error(L); /* memory, time: there is no going on */
	if (in->code != NULL)
		note(in);
	in->depth = depth;
	lua_settop(L, top);
	return true;
}

static void
enter(struct inspection *in, struct moon_step step)
{
	if (in->depth == PROGRAM_PATH_MAX)
		inspect_fail(in, NULL, "nested too deeply");
	in->path[in->depth++] = step;
}

void
inspect_enter(struct inspection *in, struct slice name)
{
	enter(in, (struct moon_step){ .name = name });
}

void
inspect_enter_index(struct inspection *in, int64_t index)
{
	enter(in, (struct moon_step){ .index = index });
}

void
inspect_leave(struct inspection *in)
{
	in->depth--;
}

/* ---- fields ---- */

static void
unknown_field(struct inspection *in, void *self)
{
	const char *const *names = self;
	const char *key = lua_type(in->L, -1) == LUA_TSTRING ? lua_tostring(in->L, -1) : NULL;
	const char *const *name = names;
	char known[200] = "", hint[96];
	struct suggest suggest;
	while (key != NULL && *name != NULL && strcmp(*name, key) != 0)
		name++;
	if (key == NULL)
		inspect_fail(in, NULL, "fields have names here, not numbers");
	if (*name != NULL)
		return;
	suggest_start(&suggest, slice_text(key));
	for (size_t used = 0; *names != NULL && used < sizeof known; names++) {
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? " " : "", *names);
		suggest_try(&suggest, *names);
	}
	in->unknown = true;
	inspect_fail_as(in, "unknown_field", key, "unknown field '%s'%s (there is: %s)", key,
			suggest_text(&suggest, hint, sizeof hint), known);
}

void
inspect_fields(struct inspection *in, const char *const *names)
{
	lua_State *L = in->L;
	in->unknown = false;
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		inspect_try(in, unknown_field, (void *)(uintptr_t)names);
	}
}

void
inspect_lacks(struct inspection *in, const char *word, const char *what, const char *field)
{
	lua_State *L = in->L;
	struct suggest suggest;
	suggest_start(&suggest, slice_text(field));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		if (lua_type(L, -2) == LUA_TSTRING)
			suggest_try(&suggest, lua_tostring(L, -2));
	if (suggest.best != NULL)
		inspect_fail_as(in, "unknown_field", suggest.best, "unknown field '%s'; did you mean \"%s\"?",
				suggest.best, field);
	inspect_fail(in, word, "%s lacks '%s'", what, field);
}

static int
compare_names(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

struct slice *
inspect_keys(struct inspection *in, size_t *count)
{
	lua_State *L = in->L;
	*count = 0;
	lua_pushnil(L);
	for (; lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			inspect_fail(in, NULL, "entries have names here, not numbers");
		(*count)++;
	}
	struct slice *keys = inspect_alloc(in, *count, sizeof *keys);
	size_t filled = 0;
	lua_pushnil(L);
	for (; lua_next(L, -2); lua_pop(L, 1)) {
		struct slice key;
		key.data = lua_tolstring(L, -2, &key.size);
		keys[filled++] = inspect_keep(in, key);
	}
	qsort(keys, *count, sizeof *keys, compare_names);
	return keys;
}

int
inspect_push(struct inspection *in, const char *field, int type)
{
	lua_State *L = in->L;
	lua_pushstring(L, field);
	int got = lua_rawget(L, -2);
	if (type != LUA_TNONE && got != LUA_TNIL && got != type)
		inspect_fail(in, field, "'%s' is a %s, not a %s", field, lua_typename(L, got), lua_typename(L, type));
	if (got == LUA_TTABLE && sandbox_thaw(L, -1))
		lua_remove(L, -2);
	return got;
}

struct slice
inspect_text(struct inspection *in, const char *field)
{
	struct slice text = SLICE_NONE;
	if (inspect_push(in, field, LUA_TSTRING) == LUA_TSTRING) {
		text.data = lua_tolstring(in->L, -1, &text.size);
		text = inspect_keep(in, text);
	}
	lua_pop(in->L, 1);
	return text;
}

const struct slice *
inspect_texts(struct inspection *in, const char *field, size_t most, size_t *count)
{
	lua_State *L = in->L;
	struct slice *texts = NULL;
	*count = 0;
	if (inspect_push(in, field, LUA_TTABLE) == LUA_TTABLE) {
		*count = lua_rawlen(L, -1);
		if (*count == 0 || *count > most)
			inspect_fail(in, field, "'%s' is a list of 1 to %zu texts", field, most);
		texts = inspect_alloc(in, *count, sizeof *texts);
		for (size_t i = 0; i < *count; i++) {
			if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TSTRING)
				inspect_fail(in, field, "'%s' is a list of texts; [%zu] is a %s", field, i + 1,
					     luaL_typename(L, -1));
			texts[i].data = lua_tolstring(L, -1, &texts[i].size);
			texts[i] = inspect_keep(in, texts[i]);
			lua_pop(L, 1);
		}
	}
	lua_pop(L, 1);
	return texts;
}

const struct slice *
inspect_topics(struct inspection *in, size_t *count)
{
	const struct slice *topics = inspect_texts(in, "topics", 100, count);
	for (size_t i = 0; i < *count; i++) {
		if (!moon_topic_ok(topics[i]))
			inspect_fail(in, topics[i].size > 0 ? topics[i].data : "topics",
				     "topics: '%s' is no topic: 1 to 249 letters, digits, '.', '_' and '-'",
				     topics[i].data);
		for (size_t j = 0; j < i; j++)
			if (slice_equal(topics[i], topics[j]))
				inspect_fail(in, topics[i].data, "topics: '%s' is there twice", topics[i].data);
	}
	return topics;
}

bool
inspect_flag(struct inspection *in, const char *field)
{
	inspect_push(in, field, LUA_TBOOLEAN);
	bool flag = lua_toboolean(in->L, -1);
	lua_pop(in->L, 1);
	return flag;
}

int64_t
inspect_integer(struct inspection *in, const char *field, int64_t least, int64_t most, int64_t otherwise)
{
	int64_t number = otherwise;
	if (inspect_push(in, field, LUA_TNUMBER) == LUA_TNUMBER) {
		number = lua_tointeger(in->L, -1);
		if (!lua_isinteger(in->L, -1) || number < least || number > most)
			inspect_fail(in, field, "'%s' is a whole number from %lld to %lld", field, (long long)least,
				     (long long)most);
	}
	lua_pop(in->L, 1);
	return number;
}

uint32_t
inspect_handler(struct inspection *in, const char *field, bool needed)
{
	lua_State *L = in->L;
	struct moon_program *program = in->program;
	int type = inspect_push(in, field, LUA_TFUNCTION);
	if (type == LUA_TNIL) {
		lua_pop(L, 1);
		if (needed && in->unknown) /* it is there under another name: told already */
			inspect_quiet(in);
		if (needed)
			inspect_fail(in, NULL, "'%s' is missing; it must be a function", field);
		return 0;
	}
	inspect_enter(in, inspect_keep(in, slice_text(field)));
	if (program->handler_count + 1 >= in->handler_room) {
		in->handler_room = in->handler_room == 0 ? 64 : in->handler_room * 2;
		struct moon_handler *more = inspect_alloc(in, in->handler_room, sizeof *more);
		if (program->handler_count > 0)
			memcpy(more, program->handlers, (program->handler_count + 1) * sizeof *more);
		program->handlers = more;
	}
	struct moon_handler *handler = &program->handlers[++program->handler_count];
	*handler = (struct moon_handler){ .source = in->source, .depth = (uint16_t)in->depth };
	memcpy(handler->path, in->path, sizeof handler->path);
	lua_Debug info;
	lua_getinfo(L, ">S", &info); /* pops the function */
	handler->line = info.linedefined > 0 ? info.linedefined : place(in, NULL);
	handler->home = moon_source_find(&program->sources, slice_text(info.source + (info.source[0] == '@')));
	inspect_leave(in);
	return (uint32_t)program->handler_count;
}

/* ---- schemas ---- */

/* Does the table on top describe a schema, rather than fields? */
static bool
is_schema(lua_State *L)
{
	static const char *const marks[] = { "array", "map", "fields" };
	if (lua_type(L, -1) != LUA_TTABLE)
		return true;
	bool found = false;
	for (size_t i = 0; i < countof(marks) && !found; i++) {
		lua_pushstring(L, marks[i]);
		found = lua_rawget(L, -2) == LUA_TTABLE;
		lua_pop(L, 1);
	}
	lua_pushliteral(L, "type");
	int type = lua_rawget(L, -2);
	lua_pop(L, 1);
	/* { type = "string" } alone could be one field named type: it is a schema, as everywhere in the vocabulary */
	return found || type == LUA_TSTRING;
}

/* The word that stands in the text: the one in quotes, unless the reason begins with one of the vocabulary. */
static void
schema_word(const char *reason, char *word, size_t size)
{
	size_t first = strspn(reason, "abcdefghijklmnopqrstuvwxyz_");
	const char *end = strrchr(reason, '\''), *from = end;
	while (from != NULL && from > reason && from[-1] != '\'')
		from--;
	bool vocabulary = first > 0 && (reason[first] == ':' || memchr(reason, '_', first) != NULL);
	if (vocabulary || from == NULL || from == reason)
		snprintf(word, size, "%.*s", (int)first, reason);
	else
		snprintf(word, size, "%.*s", (int)(end - from), from);
}

/* `text` begins with the path, which goes on from here into the schema. */
static _Noreturn void
fail_schema(struct inspection *in, const char *where, const char *text)
{
	char word[80];
	const char *at = text + strlen(where);
	while (*at == '.') {
		size_t size = strcspn(++at, ".[:");
		if (size > 0 && in->depth < PROGRAM_PATH_MAX)
			inspect_enter(in, (struct slice){ at, size });
		at += size + strspn(at + size, "[]0123456789");
	}
	schema_word(at + strspn(at, ": "), word, sizeof word);
	in->code = "bad_schema";
	lua_pushfstring(in->L, "%s:%d: %s", in->program->sources.items[in->source].path.data, place(in, word), text);
	lua_error(in->L);
	abort(); /* lua_error does not return */
}

static const struct schema *
compile(struct inspection *in, const char *field, bool fields)
{
	struct schema *schema = NULL;
	struct fault fault;
	char where[200];
	inspect_enter(in, slice_text(field));
	path_text(in, where, sizeof where);
	int (*with)(lua_State *, int, struct arena *, const char *, struct schema **, struct fault *) =
		fields ? schema_compile_fields : schema_compile;
	if (with(in->L, lua_gettop(in->L), in->arena, where, &schema, &fault) != 0)
		fail_schema(in, where, fault.text);
	inspect_leave(in);
	return schema;
}

const struct schema *
inspect_fields_schema(struct inspection *in, const char *field)
{
	inspect_push(in, field, LUA_TTABLE);
	const struct schema *schema = compile(in, field, true);
	lua_pop(in->L, 1);
	return schema;
}

const struct schema *
inspect_any_schema(struct inspection *in, const char *field)
{
	const struct schema *schema = NULL;
	if (inspect_push(in, field, LUA_TNONE) != LUA_TNIL)
		schema = compile(in, field, !is_schema(in->L));
	lua_pop(in->L, 1);
	return schema;
}

bool
inspect_name_ok(struct slice name, size_t most)
{
	if (name.size == 0 || name.size > most || !name_byte(name.data[0]) ||
	    (name.data[0] >= '0' && name.data[0] <= '9'))
		return false;
	for (size_t i = 0; i < name.size; i++)
		if (!name_byte(name.data[i]))
			return false;
	return true;
}
