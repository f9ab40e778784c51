/* SPDX-License-Identifier: MIT */
/*
 * Limits of single domains: the same names and ranges as the limits of all, which the table of keys holds. A domain
 * that is not served is no error: one file may do for several daemons.
 */
#include "daemon/config_domains.h"

#include <stdio.h>

#include "base/json.h"
#include "base/suggest.h"

#define SECTION "domain_limits"

static const struct {
	const char *name; /* behind "limits." it names the key that has the range */
	size_t offset;
} limits[] = {
	{ "command_ms", offsetof(struct script_limits, command_ms) },
	{ "apply_ms", offsetof(struct script_limits, apply_ms) },
	{ "projection_ms", offsetof(struct script_limits, projection_ms) },
	{ "query_ms", offsetof(struct script_limits, query_ms) },
	{ "load_ms", offsetof(struct script_limits, load_ms) },
};

bool
config_domains_owns(struct slice key)
{
	return slice_equal(key, SLICE(SECTION)) || slice_starts_with(key, SLICE(SECTION "."));
}

bool
config_domains_section(struct slice key)
{
	size_t size = sizeof(SECTION);

	return slice_equal(key, SLICE(SECTION)) ||
	       (config_domains_owns(key) && memchr(key.data + size, '.', key.size - size) == NULL);
}

static int
unknown(struct slice name, const char *place, struct fault *fault)
{
	struct suggest suggest;
	char text[96];

	suggest_start(&suggest, name);
	for (size_t i = 0; i < countof(limits); i++)
		suggest_try(&suggest, limits[i].name);
	return fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: unknown key%s", place,
			 suggest_text(&suggest, text, sizeof(text)));
}

static struct script_domain_limits *
find_or_make(struct config *config, struct slice domain)
{
	for (size_t i = 0; i < config->domain_limit_count; i++)
		if (slice_equal(config->domain_limits[i].domain, domain))
			return &config->domain_limits[i];
	if (config->domain_limit_count == CONFIG_DOMAINS_MAX)
		return NULL;
	struct script_domain_limits *made = &config->domain_limits[config->domain_limit_count];
	made->domain = arena_copy(&config->arena, domain);
	if (made->domain.data == NULL)
		return NULL;
	config->domain_limit_count++;
	return made;
}

static int
put(struct script_limits *into, size_t number, const struct moon_config_value *value, const char *place,
    struct fault *fault)
{
	char name[40];

	snprintf(name, sizeof(name), "limits.%s", limits[number].name);
	const struct config_key *key = config_key((size_t)config_find(slice_text(name)));
	if (value->item || value->kind != MOON_CONFIG_INTEGER || value->integer < key->least ||
	    value->integer > key->most)
		return fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: expected an integer from %lld to %lld",
				 place, (long long)key->least, (long long)key->most);
	*(uint32_t *)(void *)((char *)into + limits[number].offset) = (uint32_t)value->integer;
	return 0;
}

int
config_domains_put(struct config *config, struct slice key, const struct moon_config_value *value, const char *place,
		   struct fault *fault)
{
	struct slice rest = SLICE_NONE, domain, name;
	const char *dot = NULL;

	if (key.size > sizeof(SECTION)) {
		rest = slice_from(key.data + sizeof(SECTION), key.size - sizeof(SECTION));
		dot = memchr(rest.data, '.', rest.size);
	}
	if (dot == NULL)
		return fault_set(fault, FAULT_CONFIG, "bad_configuration",
				 "%s: is a section: %s = { DOMAIN = { ... } }", place, SECTION);
	domain = slice_from(rest.data, (size_t)(dot - rest.data));
	name = slice_from(dot + 1, rest.size - domain.size - 1);
	for (size_t i = 0; i < countof(limits); i++) {
		if (!slice_equal(slice_text(limits[i].name), name))
			continue;
		struct script_domain_limits *of = find_or_make(config, domain);
		if (of == NULL)
			return fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: more than %d domains", place,
					 CONFIG_DOMAINS_MAX);
		return put(&of->limits, i, value, place, fault);
	}
	return unknown(name, place, fault);
}

void
config_domains_print(const struct config *config, bool json, struct buf *out)
{
	for (size_t i = 0; i < config->domain_limit_count; i++) {
		const struct script_domain_limits *of = &config->domain_limits[i];
		for (size_t k = 0; k < countof(limits); k++) {
			uint32_t ms = *(const uint32_t *)(const void *)((const char *)&of->limits + limits[k].offset);
			if (ms == 0)
				continue;
			buf_format(out, json ? ",\"%s.%.*s.%s\":{\"value\":%u,\"source\":" : "%s.%.*s.%s = %u  -- ",
				   SECTION, SLICE_ARG(of->domain), limits[k].name, ms);
			if (json)
				json_quote(out, slice_text(config->file));
			else
				buf_text(out, config->file);
			buf_text(out, json ? "}" : "\n");
		}
	}
}
