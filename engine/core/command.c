/* SPDX-License-Identifier: MIT */
/*
 * The command's states, and how one comes into being.
 *
 *             engine_execute                 lane free              append given
 *   (asker) ----------------> GIVEN --> WAITING ----> DECIDING ------------------> COMMITTING
 *                                          ^            |  ^ \                         |  |
 *                                          '------------'  |  '---------.              |  |
 *                                      a stream it loads   '------------+--------------'  |
 *                                      is being written      conflict:  |  no append      |
 *                                                            decide     v                 |
 *                                                            again   ANSWERED <-----------'
 *
 * The id of a remembered command is a hash of domain, command and the client's key; a stream id that the engine makes
 * derives from it, so the same key makes the same stream. Without a key the stream id is random.
 */
#include "core/command.h"

#include "base/json.h"
#include "core/routes.h"

static const bool command_moves[COMMAND_STATES][COMMAND_STATES] = {
	[COMMAND_GIVEN] = { [COMMAND_WAITING] = true },
	[COMMAND_WAITING] = { [COMMAND_DECIDING] = true },
	[COMMAND_DECIDING] = { [COMMAND_WAITING] = true, [COMMAND_COMMITTING] = true, [COMMAND_ANSWERED] = true },
	[COMMAND_COMMITTING] = { [COMMAND_DECIDING] = true, [COMMAND_ANSWERED] = true },
};

void
command_move(struct command *command, enum command_state state)
{
	must(command_moves[command->state][state]);
	command->state = state;
}

static struct command *
missing(struct engine_command *asked, const char *code, const char *message)
{
	asked->outcome.kind = OUTCOME_MISSING;
	asked->outcome.code = slice_text(code);
	asked->outcome.message = slice_text(message);
	return NULL;
}

static struct command *
failed(struct engine_command *asked)
{
	asked->outcome.kind = OUTCOME_FAILED;
	asked->outcome.code = slice_text(asked->outcome.fault.code);
	asked->outcome.message = slice_text(asked->outcome.fault.text);
	return NULL;
}

static struct command *
no_memory(struct engine_command *asked)
{
	fault_set(&asked->outcome.fault, FAULT_MEMORY, "memory", "no memory for a command");
	return failed(asked);
}

/* Everything in the target and the body that can make two requests with one key differ. */
static bool
make_fingerprint(struct command *command)
{
	struct engine_command *asked = command->asked;
	struct slice target = command->stream;

	for (size_t i = 0; i < asked->param_count; i++) {
		target = arena_format(asked->arena, "%.*s&%.*s=%.*s", SLICE_ARG(target),
				      SLICE_ARG(asked->params[i].name), SLICE_ARG(asked->params[i].value));
		if (target.data == NULL)
			return false;
	}
	command->fingerprint = fingerprint_make(target, asked->body);
	return true;
}

/* A UUID of version 8: all of it derives from the command id. */
static struct id
derived_id(const struct command_id *command_id)
{
	struct digest_state state;
	struct digest digest;
	struct id id;

	digest_init(&state);
	digest_add_slice(&state, SLICE("moonlog.stream"));
	digest_add(&state, command_id->bytes, sizeof(command_id->bytes));
	digest_end(&state, &digest);
	memcpy(id.bytes, digest.bytes, sizeof(id.bytes));
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x80);
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
	return id;
}

static struct slice
make_id(const struct command *command, const struct engine_parts *parts)
{
	char text[ID_TEXT_SIZE];
	uint8_t random[10];
	struct id id;

	if (command->has_key) {
		id = derived_id(&command->command_id);
	} else {
		entropy_fill(parts->entropy, random, sizeof(random));
		id = id_v7(clock_wall_us(parts->clock), random);
	}
	id_format(&id, text);
	return arena_copy(command->asked->arena, slice_text(text));
}

/* The parts behind each other. Every command passes here, so no format is interpreted. */
static struct slice
join(struct arena *arena, const struct slice *parts, size_t count)
{
	size_t size = 0;
	char *text, *at;

	for (size_t i = 0; i < count; i++)
		size += parts[i].size;
	text = at = arena_alloc(arena, size + 1);
	if (text == NULL)
		return SLICE_NONE;
	for (size_t i = 0; i < count; i++) {
		memcpy(at, parts[i].data, parts[i].size);
		at += parts[i].size;
	}
	return slice_from(text, size);
}

static bool
make_names(struct command *command, const struct engine_parts *parts)
{
	struct engine_command *asked = command->asked;
	struct arena *arena = asked->arena;
	struct slice aggregate = command_aggregate(command)->name;
	struct slice domain = command->domain->name, dot = SLICE("."), target;

	if (command->has_key) {
		target = join(arena, (struct slice[]){ aggregate, dot, asked->command }, 3);
		if (target.data == NULL)
			return false;
		command->command_id = command_id_make(domain, target, asked->idempotency_key);
	}
	command->id = asked->id.size != 0 ? asked->id : make_id(command, parts);
	if (command->id.data == NULL)
		return false;
	asked->made_id = command->id;
	command->stream = join(arena, (struct slice[]){ domain, dot, aggregate, SLICE("/"), command->id }, 5);
	if (command->stream.data == NULL)
		return false;
	command->hash = command_hash(command->stream);
	return !command->has_key || make_fingerprint(command);
}

static struct domain *
find_domain(struct domain *const *domains, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(domains[i]->name, name))
			return domains[i];
	return NULL;
}

/* Numbers of aggregate, command and route. NULL: found; else why not. */
static const char *
find_numbers(struct command *command, const struct script_program *program)
{
	const struct engine_command *asked = command->asked;
	int aggregate = script_find_aggregate(program, asked->aggregate), rule;

	if (aggregate < 0)
		return "no_such_aggregate";
	rule = script_find_command(&program->aggregates[aggregate], asked->command);
	if (rule < 0)
		return "no_such_command";
	command->aggregate = (uint16_t)aggregate;
	command->rule = (uint16_t)rule;
	command->route = routes_same(program, asked->route);
	/* without it neither the body's fields nor the answer would be what the client expects */
	return asked->route != NULL && command->route == NULL ? "no_such_route" : NULL;
}

bool
command_rebind(struct command *command, struct ruleset *rules)
{
	const char *code = find_numbers(command, rules->program);

	if (code != NULL) {
		missing(command->asked, code,
			"the rules that were loaded a moment ago no longer have this command or route");
		return false;
	}
	ruleset_release(command->rules);
	command->rules = ruleset_hold(rules);
	return true;
}

/* The stream's id from the body's member that the route names. -1: the fault says why. */
static int
take_body_id(struct engine_command *asked, struct slice field, struct fault *fault)
{
	struct json_value body, member;
	struct buf text;

	if (json_check(asked->body, &body, fault) != 0)
		return -1;
	if (!json_member(body, field, &member) || member.kind != JSON_STRING)
		return fault_set(fault, FAULT_INPUT, "bad_input", "%.*s: a text is wanted, the id of what is meant",
				 SLICE_ARG(field));
	buf_init(&text, STREAM_ID_MAX + 1);
	json_decode(member, &text);
	asked->id = arena_copy(asked->arena, buf_slice(&text));
	buf_fini(&text);
	if (asked->id.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a command");
	if (asked->id.size == 0 || !stream_id_ok(asked->id))
		return fault_set(fault, FAULT_INPUT, "bad_stream_id",
				 "%.*s: an id is 1 to %d letters, digits and . _ ~ : @ -", SLICE_ARG(field),
				 STREAM_ID_MAX);
	return 0;
}

static struct command *
make(struct domain *domain, struct ruleset *rules, const struct engine_parts *parts, struct engine_command *asked)
{
	struct command *command = arena_zero(asked->arena, 1, sizeof(*command));
	const char *code;

	if (command == NULL)
		return no_memory(asked);
	command->asked = asked;
	command->state = COMMAND_GIVEN;
	command->post.kind = POST_COMMAND;
	command->domain = domain;
	command->rules = rules;
	command->has_key = asked->idempotency_key.size != 0;
	code = find_numbers(command, rules->program);
	if (code != NULL)
		return missing(asked, code, "the domain has no such aggregate, command or route");
	if (asked->id.size != 0 && !stream_id_ok(asked->id)) {
		fault_set(&asked->outcome.fault, FAULT_INPUT, "bad_stream_id",
			  "an id is 1 to %d letters, digits and . _ ~ : @ -", STREAM_ID_MAX);
		return failed(asked);
	}
	if (asked->id.size == 0 && command->route != NULL && command->route->id_field.size != 0 &&
	    take_body_id(asked, command->route->id_field, &asked->outcome.fault) != 0)
		return failed(asked);
	if (!make_names(command, parts))
		return no_memory(asked);
	asked->inside = command;
	return command;
}

struct command *
command_make(struct domain *const *domains, size_t count, const struct engine_parts *parts,
	     struct engine_command *asked)
{
	struct domain *domain = find_domain(domains, count, asked->domain);
	struct ruleset *rules;
	struct command *command;

	if (domain == NULL)
		return missing(asked, "no_such_domain", "there is no such domain");
	rules = domain_hold_rules(domain);
	command = make(domain, rules, parts, asked);
	if (command == NULL)
		ruleset_release(rules);
	return command;
}
