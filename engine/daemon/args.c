/* SPDX-License-Identifier: MIT */
/*
 * Reads the command line against two tables: the verbs with their options, and the configuration's keys, whose flags
 * every verb takes as far as it says. Options may stand anywhere behind the verb, as "--name value" or "--name=value";
 * "--" ends them. Whatever is unknown is refused with the nearest known name.
 */
#include "daemon/args.h"

#include <stdio.h>

#include "base/suggest.h"

#define ARENA_MAX ((size_t)4 << 20)

/* The command line from the verb on. */
struct line {
	int count;
	char **items;
	int at;
	bool ended; /* "--" was seen */
};

static const struct verb *
find_verb(struct line *line)
{
	char name[64] = "";
	const struct verb *found = NULL;

	if (line->count >= 2)
		snprintf(name, sizeof(name), "%s %s", line->items[0], line->items[1]);
	for (size_t i = 0; i < verb_count; i++) {
		if (strcmp(verbs[i].name, name) == 0) {
			line->at = 2;
			return &verbs[i];
		}
		if (strcmp(verbs[i].name, line->items[0]) == 0)
			found = &verbs[i];
	}
	line->at = found != NULL ? 1 : 0;
	return found;
}

static int
unknown_verb(const struct line *line, struct fault *fault)
{
	char name[64], text[96];
	struct suggest suggest;
	size_t size = strlen(line->items[0]);

	snprintf(name, sizeof(name), "%s", line->items[0]);
	for (size_t i = 0; i < verb_count; i++) {
		/* "stream" alone, or with a second word that no verb has. */
		if (size < sizeof(name) && strncmp(verbs[i].name, name, size) == 0 && verbs[i].name[size] == ' ') {
			if (line->count > 1)
				snprintf(name + size, sizeof(name) - size, " %s", line->items[1]);
			break;
		}
	}
	suggest_start(&suggest, slice_text(name));
	for (size_t i = 0; i < verb_count; i++)
		suggest_try(&suggest, verbs[i].name);
	return fault_set(fault, FAULT_INPUT, "usage", "unknown command \"%s\"%s", name,
			 suggest_text(&suggest, text, sizeof(text)));
}

bool
args_takes_key(const struct verb *verb, size_t id)
{
	switch (verb->config) {
	case VERB_CONFIG_NONE:
		return false;
	case VERB_CONFIG_STORE:
		return id == CONFIG_DATA;
	case VERB_CONFIG_RULES:
		return id == CONFIG_DATA || id == CONFIG_DOMAINS;
	case VERB_CONFIG_ALL:
		break;
	}
	return true;
}

int
args_flag(const struct verb *verb, struct slice name)
{
	for (size_t i = 0; i < config_key_count(); i++) {
		const struct config_key *key = config_key(i);
		if (key->flag != NULL && slice_equal(slice_text(key->flag), name) && args_takes_key(verb, i))
			return (int)i;
	}
	return -1;
}

static int
unknown_option(const struct verb *verb, struct slice name, struct fault *fault)
{
	char text[96];
	struct suggest suggest;

	suggest_start(&suggest, name);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if ((verb->options & OPTION_BIT(i)) != 0)
			suggest_try(&suggest, verb_options[i].name);
	}
	for (size_t i = 0; i < config_key_count(); i++) {
		if (config_key(i)->flag != NULL && args_takes_key(verb, i))
			suggest_try(&suggest, config_key(i)->flag);
	}
	return fault_set(fault, FAULT_INPUT, "usage", "%s has no option --%.*s%s", verb->name, SLICE_ARG(name),
			 suggest_text(&suggest, text, sizeof(text)));
}

/* The value of the option at hand: behind "=", else the next item. */
static int
take_value(struct line *line, struct slice name, const char *equals, const char **value, struct fault *fault)
{
	if (equals != NULL) {
		*value = equals + 1;
		return 0;
	}
	if (line->at >= line->count)
		return fault_set(fault, FAULT_INPUT, "usage", "--%.*s wants a value", SLICE_ARG(name));
	*value = line->items[line->at++];
	return 0;
}

static int
add_setting(struct call *call, size_t id, const char *text)
{
	call->settings[call->setting_count++] = (struct config_setting){ id, text };
	return 0;
}

/* --set limits.attempts=3 */
static int
take_set(struct call *call, const char *text, struct fault *fault)
{
	const char *equals = strchr(text, '=');
	char suggestion[96];

	if (equals == NULL)
		return fault_set(fault, FAULT_INPUT, "usage", "--set wants KEY=VALUE, got \"%s\"", text);
	struct slice name = slice_from(text, (size_t)(equals - text));
	int id = config_find(name);
	if (id < 0)
		return fault_set(fault, FAULT_INPUT, "usage", "--set: unknown key \"%.*s\"%s", SLICE_ARG(name),
				 config_suggest(name, suggestion, sizeof(suggestion)));
	return add_setting(call, (size_t)id, equals + 1);
}

static int
take_flag(struct call *call, struct line *line, size_t id, struct slice name, const char *equals, struct fault *fault)
{
	const char *value = "true";

	if ((config_key(id)->kind != CONFIG_KIND_BOOLEAN || equals != NULL) &&
	    take_value(line, name, equals, &value, fault) != 0)
		return -1;
	return add_setting(call, id, value);
}

static int
take_own(struct call *call, struct line *line, size_t id, const char *equals, struct fault *fault)
{
	struct slice name = slice_text(verb_options[id].name);

	if (verb_options[id].label == NULL && equals != NULL)
		return fault_set(fault, FAULT_INPUT, "usage", "--%s takes no value", verb_options[id].name);
	call->values[id] = "";
	if (verb_options[id].label == NULL)
		return 0;
	return take_value(line, name, equals, &call->values[id], fault);
}

/* An item that begins with "--". *known false: it is no option of this verb. */
static int
take_option(struct call *call, struct line *line, const char *item, bool *known, struct fault *fault)
{
	const char *equals = strchr(item, '=');
	struct slice name = equals != NULL ? slice_from(item + 2, (size_t)(equals - item - 2)) : slice_text(item + 2);
	const char *value;

	*known = true;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if ((call->verb->options & OPTION_BIT(i)) != 0 && slice_equal(name, slice_text(verb_options[i].name)))
			return take_own(call, line, i, equals, fault);
	}
	int id = args_flag(call->verb, name);
	if (id >= 0)
		return take_flag(call, line, (size_t)id, name, equals, fault);
	if (call->verb->config != VERB_CONFIG_NONE && slice_equal(name, SLICE("config")))
		return take_value(line, name, equals, &call->config_file, fault);
	if (call->verb->config == VERB_CONFIG_ALL && slice_equal(name, SLICE("set")))
		return take_value(line, name, equals, &value, fault) == 0 ? take_set(call, value, fault) : -1;
	*known = false;
	return call->verb->rest ? 0 : unknown_option(call->verb, name, fault);
}

static int
take_item(struct call *call, struct line *line, struct fault *fault)
{
	const char *item = line->items[line->at++];
	bool option = !line->ended && item[0] == '-' && item[1] != '\0', known = true;

	if (option && strcmp(item, "--") == 0) {
		line->ended = true;
		return 0;
	}
	if (option && strncmp(item, "--", 2) == 0 && take_option(call, line, item, &known, fault) != 0)
		return -1;
	if (option && item[1] == '-' && known)
		return 0;
	if (option && !call->verb->rest)
		return fault_set(fault, FAULT_INPUT, "usage", "%s has no option %s", call->verb->name, item);
	if (option) {
		call->rest_at = call->word_count;
		line->at--;
		while (line->at < line->count)
			call->words[call->word_count++] = line->items[line->at++];
		return 0;
	}
	call->words[call->word_count++] = item;
	return 0;
}

static int
check_words(const struct call *call, struct fault *fault)
{
	const struct verb *verb = call->verb;

	if (call->word_count < verb->words_least)
		return fault_set(fault, FAULT_INPUT, "usage", "usage: moonlog %s %s", verb->name, verb->usage);
	if (call->word_count > verb->words_most && !verb->rest)
		return fault_set(fault, FAULT_INPUT, "usage", "%s does not take \"%s\"; usage: moonlog %s %s",
				 verb->name, call->words[verb->words_most], verb->name, verb->usage);
	return 0;
}

/* `moonlog stream show --help` is `moonlog help stream show`. */
static void
turn_to_help(struct call *call)
{
	for (size_t i = 0; i < verb_count; i++) {
		if (verbs[i].run != verb_help)
			continue;
		call->words[0] = call->verb != NULL ? call->verb->name : NULL;
		call->word_count = call->verb != NULL;
		call->verb = &verbs[i];
	}
}

static bool
asks_help(const struct line *line)
{
	for (int i = 0; i < line->count && strcmp(line->items[i], "--") != 0; i++) {
		if (strcmp(line->items[i], "-h") == 0 || strcmp(line->items[i], "--help") == 0)
			return true;
	}
	return false;
}

int
args_parse(int argc, char **argv, char *const *environment, struct args *args, struct fault *fault)
{
	struct line line = { .count = argc > 0 ? argc - 1 : 0, .items = argv + 1 };
	struct call *call = &args->call;
	size_t room = (size_t)line.count + 1;

	*call = (struct call){ .environment = environment };
	arena_init(&args->arena, ARENA_MAX);
	call->words = arena_zero(&args->arena, room, sizeof(*call->words));
	call->settings = arena_zero(&args->arena, 2 * room, sizeof(*call->settings));
	if (call->words == NULL || call->settings == NULL)
		return fault_set(fault, FAULT_INPUT, "usage", "the command line is too long");
	if (line.count == 0) {
		turn_to_help(call);
		return fault_set(fault, FAULT_INPUT, "usage", "no command is given");
	}
	if (strcmp(line.items[0], "--version") == 0)
		line.items[0] = "version";
	call->verb = find_verb(&line);
	if (asks_help(&line) && (call->verb == NULL || !call->verb->rest || line.count == 2)) {
		turn_to_help(call);
		return 0;
	}
	if (call->verb == NULL)
		return unknown_verb(&line, fault);
	call->rest_at = SIZE_MAX;
	while (line.at < line.count) {
		if (take_item(call, &line, fault) != 0)
			return -1;
	}
	if (call->rest_at > call->word_count)
		call->rest_at = call->word_count;
	return check_words(call, fault);
}

void
args_fini(struct args *args)
{
	arena_fini(&args->arena);
}
