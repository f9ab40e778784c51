/* SPDX-License-Identifier: MIT */
/* `help` and `version`. The help is made from the tables that the parser reads, so it cannot say anything else. */
#include <stdio.h>

#include "daemon/args.h"
#include "daemon/floors.h"
#include "daemon/print.h"

static void
print_all(FILE *to)
{
	fputs("usage: moonlog VERB [OPTIONS] ...\n\n", to);
	for (size_t i = 0; i < verb_count; i++)
		fprintf(to, "  %-20s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n`moonlog help VERB` tells more. Exit codes: 0 done, 1 found something, 2 usage, 65 bad data or "
	      "rules,\n"
	      "66 missing, 69 no daemon, 70 store failed, 73 cannot create, 75 busy, 78 configuration.\n",
	      to);
}

static void
print_option(const char *name, const char *label, const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, label != NULL ? " " : "", label != NULL ? label : "");
	printf("  %-34s %s\n", left, help);
}

static void
print_keys(const struct verb *verb)
{
	if (verb->config != VERB_CONFIG_NONE)
		print_option("config", "FILE", "configuration file (MOONLOG_CONFIG)");
	for (size_t i = 0; i < config_key_count(); i++) {
		const struct config_key *key = config_key(i);
		if (key->flag != NULL && args_takes_key(verb, i))
			print_option(key->flag, key->label, key->help);
	}
	if (verb->config != VERB_CONFIG_ALL)
		return;
	print_option("set", "KEY=VALUE", "any key of the configuration:");
	for (size_t i = 0; i < config_key_count(); i++) {
		const struct config_key *key = config_key(i);
		if (key->flag == NULL)
			printf("    %-32s %s (%s)\n", key->name, key->help,
			       key->fallback != NULL ? key->fallback : "none");
	}
}

static void
print_verb(const struct verb *verb)
{
	printf("usage: moonlog %s%s%s\n\n%s\n", verb->name, verb->usage[0] != '\0' ? " " : "", verb->usage,
	       verb->summary);
	if (verb->text != NULL)
		printf("\n%s\n", verb->text);
	if (verb->options != 0 || verb->config != VERB_CONFIG_NONE)
		fputs("\noptions:\n", stdout);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if ((verb->options & OPTION_BIT(i)) != 0)
			print_option(verb_options[i].name, verb_options[i].label, verb_options[i].help);
	}
	print_keys(verb);
}

enum exit_code
verb_help(struct call *call)
{
	char name[64];
	bool found = false;

	if (call->word_count == 0) {
		print_all(stdout);
		return EXIT_DONE;
	}
	snprintf(name, sizeof(name), "%s%s%s", call->words[0], call->word_count > 1 ? " " : "",
		 call->word_count > 1 ? call->words[1] : "");
	size_t size = strlen(name);
	for (size_t i = 0; i < verb_count; i++) {
		/* "stream" gives all of its verbs. */
		if (strncmp(verbs[i].name, name, size) != 0 ||
		    (verbs[i].name[size] != '\0' && verbs[i].name[size] != ' '))
			continue;
		if (found)
			putchar('\n');
		print_verb(&verbs[i]);
		found = true;
	}
	if (found)
		return EXIT_DONE;
	fprintf(stderr, "moonlog: there is no command \"%s\"; see `moonlog help`\n", name);
	return EXIT_USAGE;
}

enum exit_code
verb_version(struct call *call)
{
	struct floors_library libraries[FLOORS_LIBRARIES];
	struct buf out;
	bool json = call_has(call, OPTION_JSON);

	buf_init(&out, 4096);
	floors_libraries(libraries);
	buf_text(&out, json ? "{\"moonlog\":\"" MOONLOG_VERSION "\"" : "moonlog " MOONLOG_VERSION "\n");
	for (size_t i = 0; i < FLOORS_LIBRARIES; i++) {
		if (json) {
			json_key(&out, libraries[i].name);
			json_quote(&out, slice_text(libraries[i].version));
		} else {
			buf_format(&out, "%s %s\n", libraries[i].name, libraries[i].version);
		}
	}
	if (json)
		buf_text(&out, "}\n");
	print_out(&out);
	buf_fini(&out);
	return EXIT_DONE;
}
