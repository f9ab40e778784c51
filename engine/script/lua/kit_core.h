/* SPDX-License-Identifier: MIT */
/* What lua/moonlog/kit.lua stands on: the C functions of the table `core`. */
#ifndef MOONLOG_SCRIPT_LUA_KIT_CORE_H
#define MOONLOG_SCRIPT_LUA_KIT_CORE_H

#include "script/lua/kit.h"
#include "script/lua/machine.h"

#define KIT_DOMAINS_MAX 16

struct kit_domain {
	struct script_program *program;
	struct script_machine *machine;
};

struct kit {
	const struct kit_options *options;
	struct arena arena; /* of one call */
	struct kit_domain domains[KIT_DOMAINS_MAX];
	size_t domain_count;
};

/* The files of lua/moonlog, built in. */
struct kit_text {
	const char *name; /* "kit", "output", "runner" */
	const unsigned char *bytes;
	size_t size;
};
extern const struct kit_text kit_texts[];
extern const size_t kit_text_count;

void kit_core_push(lua_State *L, struct kit *kit);

#endif
