/* SPDX-License-Identifier: MIT */
/*
 * Merges the sources of the configuration, one value at a time through one function (put), which knows the kinds of
 * keys; the sources differ only in how a wrong value is named: file and line, variable, flag. All text lives in the
 * configuration's arena. Nothing is read twice and nothing is kept from a failed load.
 */
#include "daemon/config_domains.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/suggest.h"
#include "script/lua/config_file.h"

#define ARENA_MAX     ((size_t)8 << 20)
#define VARIABLE_SIZE 80

/* Where a value stands, for messages. */
struct place {
	enum config_source source;
	int line;
	char name[256]; /* "moonlog.lua:3: workers", "MOONLOG_WORKERS", "--workers" */
};

int
config_find(struct slice name)
{
	for (size_t i = 0; i < config_key_count(); i++) {
		if (slice_equal(slice_text(config_key(i)->name), name))
			return (int)i;
	}
	return -1;
}

const char *
config_suggest(struct slice name, char *text, size_t size)
{
	struct suggest suggest;

	suggest_start(&suggest, name);
	for (size_t i = 0; i < config_key_count(); i++)
		suggest_try(&suggest, config_key(i)->name);
	return suggest_text(&suggest, text, size);
}

void
config_variable(size_t id, char *text, size_t size)
{
	snprintf(text, size, "MOONLOG_%s", config_key(id)->name);
	for (char *at = text; *at != '\0'; at++)
		*at = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
}

static int
wrong(const struct place *place, const char *wanted, const char *got, struct fault *fault)
{
	/* A wrong flag is a wrong command line, not a wrong configuration. */
	const char *code = place->source == CONFIG_FLAG ? "usage" : "bad_configuration";

	return fault_set(fault, FAULT_CONFIG, code, "%s: expected %s, got %s", place->name, wanted, got);
}

static int
wrong_text(const struct place *place, const char *wanted, struct slice got, struct fault *fault)
{
	char quoted[80];

	snprintf(quoted, sizeof(quoted), "\"%.*s\"%s", got.size > 60 ? 60 : (int)got.size,
		 got.data != NULL ? got.data : "", got.size > 60 ? "..." : "");
	return wrong(place, wanted, quoted, fault);
}

/* "64MiB", "4096". */
static bool
parse_bytes(struct slice text, int64_t *bytes)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
	unsigned shift = 0;

	for (size_t i = 0; i < countof(units); i++) {
		if (text.size > 3 && memcmp(text.data + text.size - 3, units[i].unit, 3) == 0) {
			shift = units[i].shift;
			text.size -= 3;
			break;
		}
	}
	if (!slice_to_i64(text, bytes) || *bytes < 0 || *bytes > INT64_MAX >> shift)
		return false;
	*bytes = (int64_t)((uint64_t)*bytes << shift);
	return true;
}

static int
put_number(struct config_value *value, const struct config_key *key, int64_t number, const struct place *place,
	   struct fault *fault)
{
	char wanted[96], got[32];

	if (number < key->least || number > key->most) {
		snprintf(wanted, sizeof(wanted), "an integer from %lld to %lld", (long long)key->least,
			 (long long)key->most);
		snprintf(got, sizeof(got), "%lld", (long long)number);
		return wrong(place, wanted, got, fault);
	}
	value->integer = number;
	return 0;
}

static int
put_choice(struct config_value *value, const struct config_key *key, struct slice text, const struct place *place,
	   struct fault *fault)
{
	const char *at = key->choices;

	for (int64_t number = 0; *at != '\0'; number++) {
		size_t size = strcspn(at, "|");
		if (slice_equal(slice_from(at, size), text)) {
			value->integer = number;
			return 0;
		}
		at += size + (at[size] == '|');
	}
	char wanted[96];
	snprintf(wanted, sizeof(wanted), "one of %s", key->choices);
	return wrong_text(place, wanted, text, fault);
}

/* A path from the file is relative to the file's folder. */
static const char *
keep_path(struct config *config, struct slice text, const struct place *place)
{
	const char *slash = config->file != NULL ? strrchr(config->file, '/') : NULL;

	if (place->source != CONFIG_FILE || slash == NULL || (text.size != 0 && text.data[0] == '/'))
		return arena_text(&config->arena, text);
	return arena_format(&config->arena, "%.*s/%.*s", (int)(slash - config->file), config->file, SLICE_ARG(text))
		.data;
}

static int
put_item(struct config *config, struct config_value *value, const char *text, const struct place *place,
	 struct fault *fault)
{
	if (value->source != place->source) {
		value->item_count = 0;
		value->items = arena_alloc(&config->arena, CONFIG_ITEMS_MAX * sizeof(*value->items));
	}
	if (value->item_count == CONFIG_ITEMS_MAX)
		return fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: more than %d items", place->name,
				 CONFIG_ITEMS_MAX);
	if (value->items == NULL || text == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "%s: out of memory", place->name);
	value->items[value->item_count++] = text;
	return 0;
}

/* Takes a value given as text, whatever its source. */
static int
put_text(struct config *config, size_t id, struct slice text, const struct place *place, struct fault *fault)
{
	const struct config_key *key = config_key(id);
	struct config_value *value = &config->values[id];
	int64_t number = 0;
	int result = 0;
	bool path = key->kind == CONFIG_KIND_PATH || key->kind == CONFIG_KIND_PATHS;
	const char *kept = path ? keep_path(config, text, place) : arena_text(&config->arena, text);

	if (memchr(text.data != NULL ? text.data : "", '\0', text.size) != NULL)
		return fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: has a NUL byte", place->name);
	switch (key->kind) {
	case CONFIG_KIND_TEXT:
	case CONFIG_KIND_PATH:
		if (text.size == 0)
			return wrong(place, "some text", "none", fault);
		break;
	case CONFIG_KIND_TEXTS:
	case CONFIG_KIND_PATHS:
		if (text.size == 0)
			return wrong(place, "some text", "none", fault);
		result = put_item(config, value, kept, place, fault);
		break;
	case CONFIG_KIND_INTEGER:
		if (!slice_to_i64(text, &number))
			return wrong_text(place, "an integer", text, fault);
		result = put_number(value, key, number, place, fault);
		break;
	case CONFIG_KIND_BYTES:
		if (!parse_bytes(text, &number))
			return wrong_text(place, "a number of bytes such as 65536, 64KiB or 16MiB", text, fault);
		result = put_number(value, key, number, place, fault);
		break;
	case CONFIG_KIND_BOOLEAN:
		if (!slice_equal(text, SLICE("true")) && !slice_equal(text, SLICE("false")))
			return wrong_text(place, "true or false", text, fault);
		value->integer = text.data[0] == 't';
		break;
	case CONFIG_KIND_CHOICE:
		result = put_choice(value, key, text, place, fault);
		break;
	}
	if (result == 0 && kept == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "%s: out of memory", place->name);
	value->text = kept;
	value->source = place->source;
	value->line = place->line;
	return result;
}

static bool
is_list(enum config_kind kind)
{
	return kind == CONFIG_KIND_TEXTS || kind == CONFIG_KIND_PATHS;
}

/* ---- the file ---- */

static bool
is_section(struct slice key)
{
	for (size_t i = 0; i < config_key_count(); i++)
		if (slice_starts_with(slice_text(config_key(i)->name), key) && config_key(i)->name[key.size] == '.')
			return true;
	return false;
}

static int
unknown_in_file(struct slice key, const struct place *place, struct fault *fault)
{
	char text[96];

	if (is_section(key))
		return fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: is a section: %.*s = { ... }",
				 place->name, SLICE_ARG(key));
	return fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: unknown key%s", place->name,
			 config_suggest(key, text, sizeof(text)));
}

static int
put_typed(struct config *config, size_t id, const struct moon_config_value *value, const struct place *place,
	  struct fault *fault)
{
	static const char *const wanted[] = { "text",
					      "a path",
					      "text or a list of texts",
					      "a path or a list of paths",
					      "an integer",
					      "an integer or text such as 64MiB",
					      "true or false",
					      "text" };
	static const char *const kinds[] = { "text", "an integer", "a number with decimals", "true or false",
					     "an empty table" };
	const struct config_key *key = config_key(id);
	char digits[32];

	if (value->item && !is_list(key->kind))
		return wrong(place, wanted[key->kind], "a list", fault);
	if (value->kind == MOON_CONFIG_TEXT && key->kind != CONFIG_KIND_INTEGER && key->kind != CONFIG_KIND_BOOLEAN)
		return put_text(config, id, value->text, place, fault);
	if (value->kind == MOON_CONFIG_INTEGER &&
	    (key->kind == CONFIG_KIND_INTEGER || key->kind == CONFIG_KIND_BYTES)) {
		snprintf(digits, sizeof(digits), "%lld", (long long)value->integer);
		return put_text(config, id, slice_text(digits), place, fault);
	}
	if (value->kind == MOON_CONFIG_BOOLEAN && key->kind == CONFIG_KIND_BOOLEAN)
		return put_text(config, id, slice_text(value->boolean ? "true" : "false"), place, fault);
	return wrong(place, wanted[key->kind], kinds[value->kind], fault);
}

static int
from_file(void *self, struct slice key, const struct moon_config_value *value, struct fault *fault)
{
	struct config *config = self;
	struct place place = { .source = CONFIG_FILE, .line = value->line };
	int id = config_find(key);

	if (value->line > 0)
		snprintf(place.name, sizeof(place.name), "%s:%d: %.*s", config->file, value->line, SLICE_ARG(key));
	else
		snprintf(place.name, sizeof(place.name), "%s: %.*s", config->file, SLICE_ARG(key));
	if (id < 0 && value->kind == MOON_CONFIG_EMPTY && (is_section(key) || config_domains_section(key)))
		return 0;
	if (id < 0 && config_domains_owns(key))
		return config_domains_put(config, key, value, place.name, fault);
	if (id < 0)
		return unknown_in_file(key, &place, fault);
	return put_typed(config, (size_t)id, value, &place, fault);
}

/* ---- environment and flags ---- */

static const char *
variable(char *const *environment, const char *name)
{
	size_t size = strlen(name);

	for (; environment != NULL && *environment != NULL; environment++) {
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
			return *environment + size + 1;
	}
	return NULL;
}

static int
from_environment(struct config *config, char *const *environment, struct fault *fault)
{
	for (size_t i = 0; i < config_key_count(); i++) {
		struct place place = { .source = CONFIG_ENVIRONMENT };
		config_variable(i, place.name, sizeof(place.name));
		const char *text = variable(environment, place.name);
		if (text == NULL)
			continue;
		if (!is_list(config_key(i)->kind)) {
			if (put_text(config, i, slice_text(text), &place, fault) != 0)
				return -1;
			continue;
		}
		for (;;) {
			size_t size = strcspn(text, ",");
			if (put_text(config, i, slice_from(text, size), &place, fault) != 0)
				return -1;
			if (text[size] == '\0')
				break;
			text += size + 1;
		}
	}
	return 0;
}

static int
from_flags(struct config *config, const struct config_sources *sources, struct fault *fault)
{
	for (size_t i = 0; i < sources->setting_count; i++) {
		const struct config_setting *setting = &sources->settings[i];
		const struct config_key *key = config_key(setting->id);
		struct place place = { .source = CONFIG_FLAG };
		if (key->flag != NULL)
			snprintf(place.name, sizeof(place.name), "--%s", key->flag);
		else
			snprintf(place.name, sizeof(place.name), "--set %s", key->name);
		if (put_text(config, setting->id, slice_text(setting->text), &place, fault) != 0)
			return -1;
	}
	return 0;
}

static int
from_defaults(struct config *config, struct fault *fault)
{
	for (size_t i = 0; i < config_key_count(); i++) {
		struct place place = { .source = CONFIG_DEFAULT };
		if (config_key(i)->fallback == NULL)
			continue;
		snprintf(place.name, sizeof(place.name), "default of %s", config_key(i)->name);
		if (put_text(config, i, slice_text(config_key(i)->fallback), &place, fault) != 0)
			return -1;
	}
	return 0;
}

int
config_load(struct config *config, const struct config_sources *sources, struct fault *fault)
{
	struct moon_config_sink sink = { from_file, config };

	*config = (struct config){ .file = sources->file };
	arena_init(&config->arena, ARENA_MAX);
	if (config->file == NULL)
		config->file = variable(sources->environment, "MOONLOG_CONFIG");
	if (from_defaults(config, fault) != 0)
		return -1;
	if (config->file != NULL && moon_config_read(config->file, &sink, fault) != 0)
		return -1;
	if (from_environment(config, sources->environment, fault) != 0)
		return -1;
	return from_flags(config, sources, fault);
}

void
config_fini(struct config *config)
{
	arena_fini(&config->arena);
}

const char *
config_stray(char *const *environment, size_t *at)
{
	for (; environment[*at] != NULL; (*at)++) {
		const char *text = environment[*at];
		size_t size = strcspn(text, "=");
		bool known = strncmp(text, "MOONLOG_", 8) != 0 || strncmp(text, "MOONLOG_CONFIG=", 15) == 0 ||
			     strncmp(text, "MOONLOG_PROBE=", 14) == 0;
		for (size_t i = 0; i < config_key_count() && !known; i++) {
			char name[VARIABLE_SIZE];
			config_variable(i, name, sizeof(name));
			known = strlen(name) == size && strncmp(text, name, size) == 0;
		}
		if (!known)
			return environment[(*at)++];
	}
	return NULL;
}

/* ---- telling ---- */

void
config_origin(const struct config *config, size_t id, struct buf *out)
{
	const struct config_value *value = &config->values[id];
	char name[VARIABLE_SIZE];

	switch (value->source) {
	case CONFIG_UNSET:
		buf_text(out, "unset");
		break;
	case CONFIG_DEFAULT:
		buf_text(out, "default");
		break;
	case CONFIG_FILE:
		if (value->line > 0)
			buf_format(out, "%s:%d", config->file, value->line);
		else
			buf_text(out, config->file);
		break;
	case CONFIG_ENVIRONMENT:
		config_variable(id, name, sizeof(name));
		buf_text(out, name);
		break;
	case CONFIG_FLAG:
		if (config_key(id)->flag != NULL)
			buf_format(out, "--%s", config_key(id)->flag);
		else
			buf_text(out, "--set");
		break;
	}
}

void
config_json(const struct config *config, size_t id, struct buf *out)
{
	const struct config_value *value = &config->values[id];

	if (value->source == CONFIG_UNSET) {
		buf_text(out, "null");
		return;
	}
	switch (config_key(id)->kind) {
	case CONFIG_KIND_TEXTS:
	case CONFIG_KIND_PATHS:
		buf_byte(out, '[');
		for (size_t i = 0; i < value->item_count; i++) {
			if (i != 0)
				buf_byte(out, ',');
			json_quote(out, slice_text(value->items[i]));
		}
		buf_byte(out, ']');
		break;
	case CONFIG_KIND_INTEGER:
	case CONFIG_KIND_BYTES:
		buf_i64(out, value->integer);
		break;
	case CONFIG_KIND_BOOLEAN:
		buf_text(out, value->integer != 0 ? "true" : "false");
		break;
	case CONFIG_KIND_TEXT:
	case CONFIG_KIND_PATH:
	case CONFIG_KIND_CHOICE:
		json_quote(out, slice_text(value->text));
		break;
	}
}
