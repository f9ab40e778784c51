/* SPDX-License-Identifier: MIT */
#include "unit/script/domain.h"

#include <stdio.h>

#include "script/lua/lua_room.h"

static void
say(void *self, int level, struct slice name, struct slice text)
{
	struct domain *domain = self;
	snprintf(domain->said, sizeof domain->said, "%d %.*s: %.*s", level, SLICE_ARG(name), SLICE_ARG(text));
}

int
domain_load(struct domain *domain, const struct domain_file *files)
{
	struct source_file items[20];
	size_t count = 0;
	/* A sanitizer is slow: what is not about time must not end by it. */
	const struct script_limits limits = { 20000, 20000, 20000, 20000, 20000 };
	const struct script_options options = { .limits = limits, .say = say, .say_self = domain };
	*domain = (struct domain){ 0 };
	arena_init(&domain->arena, 64 << 20);
	for (; files[count].path != NULL; count++) {
		items[count] = (struct source_file){ .path = slice_text(files[count].path),
						     .bytes = slice_text(files[count].text) };
		digest_of(items[count].bytes, &items[count].hash);
	}
	const struct source_set set = { .domain = SLICE("bank"), .items = items, .count = count };
	if (script_load(moon_ops(), &set, &options, &domain->program, &domain->fault) != 0)
		return -1;
	return script_open(domain->program, &options, &domain->machine, &domain->fault);
}

void
domain_close(struct domain *domain)
{
	script_close(domain->machine);
	script_unload(domain->program);
	arena_fini(&domain->arena);
}

static int
load_other(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version,
	   struct fault *fault)
{
	struct domain *domain = self;
	for (size_t i = 0; i < countof(domain->others); i++) {
		if (domain->others[i].id == NULL || !slice_equal(id, slice_text(domain->others[i].id)))
			continue;
		*version = domain->others[i].version;
		if (domain->others[i].state == NULL)
			return fault_set(fault, FAULT_AWAY, "store_away", "the store is away");
		return script_decode(domain->machine, aggregate, slice_text(domain->others[i].state), state, fault);
	}
	*state = 0;
	*version = 0;
	return 0;
}

int
domain_decide(struct domain *domain, const struct attempt *attempt, struct decided *decided)
{
	const char *dot = strchr(attempt->command, '.');
	struct slice name = slice_from(attempt->command, (size_t)(dot - attempt->command));
	int aggregate = script_find_aggregate(domain->program, name);
	int command = script_find_command(&domain->program->aggregates[aggregate], slice_text(dot + 1));
	struct decide_request request = {
		.aggregate = (uint16_t)aggregate,
		.command = (uint16_t)command,
		.id = slice_text(attempt->id != NULL ? attempt->id : "a"),
		.version = attempt->version,
		.body = slice_text(attempt->body),
		.params = attempt->params,
		.param_count = attempt->param_count,
		.route = attempt->route > 0 ? &domain->program->routes[attempt->route - 1] : NULL,
		.context = { .now_us = 1000000, .seed = { 1, 2 }, .caller = SLICE("ada") },
		.loader = { load_other, domain },
		.lift_expected = attempt->lift,
	};
	must(aggregate >= 0 && command >= 0);
	if (attempt->state != NULL && script_decode(domain->machine, request.aggregate, slice_text(attempt->state),
						    &request.state, &domain->fault) != 0)
		return -1;
	return script_decide(domain->machine, &request, &domain->arena, decided, &domain->fault);
}

int
domain_react(struct domain *domain, const struct react_request *asked, struct decided *decided)
{
	struct react_request request = *asked;
	request.context = (struct script_context){ .now_us = 1000000, .seed = { 1, 2 } };
	request.loader = (struct script_loader){ load_other, domain };
	return script_react(domain->machine, &request, &domain->arena, decided, &domain->fault);
}

struct slice
domain_state(struct domain *domain, uint16_t aggregate, script_state state)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	if (script_encode(domain->machine, aggregate, state, &out, &domain->fault) != 0)
		buf_text(&out, domain->fault.text);
	struct slice text = arena_copy(&domain->arena, buf_slice(&out));
	buf_fini(&out);
	return text;
}

struct recorded_entry
domain_entry(const char *stream, stream_version version, const char *type, const char *data)
{
	return (struct recorded_entry){ .kind = ENTRY_EVENT,
					.position = 100 + version,
					.stream = slice_text(stream),
					.version = version,
					.type = slice_text(type),
					.schema_version = 1,
					.recorded_at_us = 5000000,
					.data = slice_text(data) };
}
