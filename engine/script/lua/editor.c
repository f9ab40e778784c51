/* SPDX-License-Identifier: MIT */
/*
 * Definitions for LuaLS with all of its own libraries switched off, so that what the sandbox lacks is flagged; the same
 * names as a standard for luacheck. The list is in the order of allow.c: libraries one after the other.
 */
#include "script/lua/editor.h"

#include <string.h>

#include "script/lua/kit_core.h"
#include "script/lua/sandbox.h"

/* ---- definitions ---- */

static const char *
value_type(const char *name)
{
	if (strcmp(name, "huge") == 0 || strcmp(name, "pi") == 0)
		return "number";
	if (strstr(name, "integer") != NULL)
		return "integer";
	return strcmp(name, "null") == 0 ? "any" : "string";
}

static bool
word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "(s [, i [, j]])": each name, and whether it may be left out; all behind such a one may be, too. */
static void
each_parameter(const char *usage, struct buf *out, void (*with)(struct buf *, struct slice, bool optional, bool first))
{
	bool optional = false, first = true;
	for (const char *at = usage + 1; *at != ')' && *at != '\0';) {
		size_t size = 0;
		optional |= *at == '[';
		while (word_byte(at[size]))
			size++;
		if (size == 0 && strncmp(at, "...", 3) == 0)
			size = 3;
		if (size > 0) {
			with(out, slice_from(at, size), optional, first);
			first = false;
		}
		at += size > 0 ? size : 1;
	}
}

static void
write_parameter(struct buf *out, struct slice name, bool optional, bool first)
{
	buf_format(out, "%s%.*s%s: any", first ? "" : ", ", SLICE_ARG(name),
		   optional && name.data[0] != '.' ? "?" : "");
}

static void
write_definition(const struct sandbox_name *name, struct buf *out)
{
	buf_format(out, "---%s\n---@type ", name->doc);
	if (name->usage == NULL) {
		buf_text(out, value_type(name->name));
	} else {
		const char *arrow = strstr(name->usage, " -> ");
		buf_text(out, "fun(");
		each_parameter(name->usage, out, write_parameter);
		buf_format(out, ")%s%s", arrow != NULL ? ": " : "", arrow != NULL ? arrow + 4 : "");
	}
	buf_format(out, "\n%s%s%s = nil\n", name->library, name->library[0] != '\0' ? "." : "", name->name);
}

static void
write_library(struct buf *out)
{
	size_t count;
	const struct sandbox_name *names = sandbox_names(&count);
	const char *library = "";
	buf_text(out, "-- SPDX-License-Identifier: MIT\n---@meta moonlog.library\n-- luacheck: ignore\n"
		      "-- " EDITOR_MARK " from the engine's allow-list: all that rules can name. Never run.\n");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i].library, library) != 0) {
			library = names[i].library;
			/* LuaLS takes methods of texts from a class of this name */
			buf_format(out, "\n---@class %slib\n%s = {}\n", library, library);
		}
		write_definition(&names[i], out);
	}
}

static void
write_kit_text(const char *name, struct buf *out)
{
	for (size_t i = 0; i < kit_text_count; i++)
		if (strcmp(kit_texts[i].name, name) == 0)
			buf_add(out, slice_from((const char *)kit_texts[i].bytes, kit_texts[i].size));
}

static void
write_types(struct buf *out)
{
	write_kit_text("types", out);
}

static void
write_words(struct buf *out)
{
	write_kit_text("words", out);
}

/* ---- luacheck ---- */

static void
write_std(struct buf *out)
{
	size_t count;
	const struct sandbox_name *names = sandbox_names(&count);
	const char *library = "";
	buf_text(out, "{\n    read_globals = {\n");
	for (size_t i = 0; i < count; i++) {
		if (names[i].library[0] == '\0') {
			buf_format(out, "        \"%s\",\n", names[i].name);
			continue;
		}
		if (strcmp(names[i].library, library) != 0) {
			buf_format(out, "%s        %s = {\n            fields = {\n",
				   library[0] != '\0' ? "            },\n        },\n" : "", names[i].library);
			library = names[i].library;
		}
		buf_format(out, "                \"%s\",\n", names[i].name);
	}
	buf_text(out, "            },\n        },\n    },\n}\n");
}

static void
write_standard(struct buf *out)
{
	buf_text(out, "-- SPDX-License-Identifier: MIT\n"
		      "-- " EDITOR_MARK " from the engine's allow-list: a standard for luacheck.\n"
		      "-- In a .luacheckrc: stds.moonlog = dofile \"luacheck.lua\"\nreturn ");
	write_std(out);
}

static void
write_luacheckrc(struct buf *out)
{
	buf_text(out, "-- " EDITOR_MARK "; without this line it is left alone.\n"
		      "max_line_length = false\n"
		      "unused_args = false -- handlers take (state, data, ctx) whether they need all or not\n"
		      "exclude_files = { \".luals\" }\n"
		      "files[\"spec\"] = { std = \"lua54+busted\", read_globals = { \"moonlog\" } }\n"
		      "std = \"moonlog\"\nstds.moonlog = ");
	write_std(out);
}

/* ---- LuaLS ---- */

static void
write_luarc(struct buf *out)
{
	static const char *const off[] = { "basic", "bit",         "bit32",     "coroutine", "debug",   "ffi",
					   "io",    "jit",         "math",      "os",        "package", "string",
					   "table", "table.clear", "table.new", "utf8" };
	static const char *const words[] = { "describe",      "context",  "it",       "spec",
					     "test",          "insulate", "expose",   "before_each",
					     "after_each",    "setup",    "teardown", "lazy_setup",
					     "lazy_teardown", "pending",  "finally",  "spy",
					     "stub",          "mock" };
	buf_text(out, "{\n    \"runtime.version\": \"Lua 5.4\",\n    \"runtime.builtin\": {\n");
	for (size_t i = 0; i < countof(off); i++)
		buf_format(out, "        \"%s\": \"disable\"%s\n", off[i], i + 1 < countof(off) ? "," : "");
	buf_text(out, "    },\n    \"workspace.library\": [\".luals\"],\n    \"diagnostics.globals\": [");
	for (size_t i = 0; i < countof(words); i++)
		buf_format(out, "%s\"%s\"", i > 0 ? ", " : "", words[i]);
	buf_text(out, "]\n}\n");
}

const struct editor_file *
editor_files(size_t *count)
{
	static const struct editor_file files[] = {
		{ ".luarc.json", write_luarc, true },           { ".luacheckrc", write_luacheckrc, true },
		{ ".luals/library.lua", write_library, false }, { ".luals/types.lua", write_types, false },
		{ ".luals/words.lua", write_words, false },     { ".luals/luacheck.lua", write_standard, false },
	};
	*count = countof(files);
	return files;
}
