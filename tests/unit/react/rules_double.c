/* SPDX-License-Identifier: MIT */
#include "rules_double.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

struct program {
	struct script_program base;
	struct script_event event;
	struct script_aggregate aggregate;
	struct script_reactor reactor;
	struct slice topics[3], messages[8], events[1];
	bool fixed, many;
};

/* A state is a sum on the heap. */
static long long *
sum_of(script_state state)
{
	return (long long *)(uintptr_t)state;
}

unsigned rules_double_busy, rules_double_calls;

static bool
has_word(const struct source_set *sources, const char *word)
{
	char text[200];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(sources->items[0].bytes));
	return strstr(text, word) != NULL;
}

static int
load(const struct source_set *sources, const struct script_options *options, struct script_program **made,
     struct fault *fault)
{
	struct program *program = calloc(1, sizeof(*program));
	struct script_reactor *reactor = &program->reactor;
	static const char *const names[] = { "Add", "Two", "Bad", "Busy", "Timer" };

	(void)options;
	(void)fault;
	program->event = (struct script_event){ .name = SLICE("Added"), .version = 1 };
	program->aggregate = (struct script_aggregate){
		.name = SLICE("counter"), .state_version = 1, .events = &program->event, .event_count = 1
	};
	program->many = has_word(sources, "many");
	program->topics[0] = program->many ? SLICE("alpha") : SLICE("in");
	program->topics[1] = SLICE("beta");
	program->topics[2] = SLICE("gamma");
	for (size_t i = 0; i < countof(names); i++)
		program->messages[i] = slice_text(names[i]);
	program->events[0] = SLICE("counter.Added");
	*reactor = (struct script_reactor){ .name = SLICE("adder"),
					    .aggregate = -1,
					    .topics = program->topics,
					    .topic_count = program->many ? 3 : 1,
					    .messages = program->messages,
					    .message_count = countof(names),
					    .inbox = !has_word(sources, "noinbox"),
					    .versions = has_word(sources, "held")    ? REACT_VERSIONS_HELD
							: has_word(sources, "older") ? REACT_VERSIONS_SKIPPED
										     : REACT_VERSIONS_IGNORED,
					    .failure = has_word(sources, "skip")   ? REACT_SKIP
						       : has_word(sources, "halt") ? REACT_HALT
										   : REACT_PARK };
	if (has_word(sources, "own")) {
		reactor->events = program->events;
		reactor->event_count = 1;
	}
	program->fixed = has_word(sources, "fixed");
	program->base = (struct script_program){ .ops = rules_double_ops(),
						 .domain = sources->domain,
						 .aggregates = &program->aggregate,
						 .aggregate_count = 1,
						 .reactors = reactor,
						 .reactor_count = !has_word(sources, "gone") };
	*made = &program->base;
	return 0;
}

static void
unload(struct script_program *program)
{
	free(container_of(program, struct program, base));
}

static int
machine_open(const struct script_program *program, const struct script_options *options, struct script_machine **made,
	     struct fault *fault)
{
	(void)options;
	(void)fault;
	*made = calloc(1, sizeof(**made));
	**made = (struct script_machine){ rules_double_ops(), program };
	return 0;
}

static void
machine_close(struct script_machine *machine)
{
	free(machine);
}

static script_state
new_state(long long sum)
{
	long long *state = malloc(sizeof(*state));

	*state = sum;
	return (script_state)(uintptr_t)state;
}

static int
initial(struct script_machine *machine, uint16_t aggregate, script_state *state, struct fault *fault)
{
	(void)machine;
	(void)aggregate;
	(void)fault;
	*state = new_state(0);
	return 0;
}

static long long
number_of(struct slice data, const char *key)
{
	struct json_value object, value;
	int64_t number = 0;

	if (json_check(data, &object, NULL) == 0 && json_member(object, slice_text(key), &value))
		json_to_i64(value, &number);
	return number;
}

static int
fold(struct script_machine *machine, uint16_t aggregate, script_state state, const struct recorded_entry *entries,
     size_t count, size_t *folded, struct fault *fault)
{
	(void)machine;
	(void)aggregate;
	(void)fault;
	for (size_t i = 0; i < count; i++)
		*sum_of(state) += number_of(entries[i].data, "by");
	*folded = count;
	return 0;
}

static int
encode(struct script_machine *machine, uint16_t aggregate, script_state state, struct buf *out, struct fault *fault)
{
	(void)machine;
	(void)aggregate;
	(void)fault;
	buf_i64(out, *sum_of(state));
	return 0;
}

static int
decode(struct script_machine *machine, uint16_t aggregate, struct slice bytes, script_state *state, struct fault *fault)
{
	int64_t sum = 0;

	(void)machine;
	(void)aggregate;
	(void)fault;
	slice_to_i64(bytes, &sum);
	*state = new_state(sum);
	return 0;
}

static void
release(struct script_machine *machine, script_state state)
{
	(void)machine;
	free(sum_of(state));
}

static bool
held(const struct script_machine *machine, script_state state)
{
	(void)machine;
	(void)state;
	return true;
}

/* An event Added of `by` on a counter, and what its state is after it. */
static int
add(const struct react_request *request, struct slice id, long long by, struct arena *arena, struct decided *decided,
    struct fault *fault)
{
	struct decided_stream *stream = &decided->streams[decided->stream_count];
	struct new_entry *entry = &decided->entries[decided->entry_count];

	if (request->loader.load(request->loader.self, 0, id, &stream->state, &stream->version, fault) != 0)
		return -1;
	if (stream->state == 0)
		stream->state = new_state(0);
	*sum_of(stream->state) += by;
	stream->name = arena_format(arena, "tally.counter/%.*s", SLICE_ARG(id));
	stream->written = true;
	stream->event_count = 1;
	*entry = (struct new_entry){ .kind = ENTRY_EVENT,
				     .stream = (uint32_t)decided->stream_count,
				     .schema_version = 1,
				     .type = SLICE("Added"),
				     .data = arena_format(arena, "{\"by\":%lld,\"sum\":%lld}", by,
							  *sum_of(stream->state)) };
	decided->stream_count++;
	decided->entry_count++;
	return 0;
}

static void
set_timer(const struct react_request *request, struct slice id, long long after, struct arena *arena,
	  struct decided *decided)
{
	decided->streams[0].name = arena_format(arena, "tally.counter/%.*s", SLICE_ARG(id));
	decided->stream_count = 1;
	decided->timers = arena_zero(arena, 1, sizeof(*decided->timers));
	decided->timers[0] = (struct decided_timer){ .name = SLICE("later"),
						     .due_us = request->context.now_us + after,
						     .data = SLICE("{}") };
	decided->timer_count = 1;
	decided->entries[0] = (struct new_entry){
		.kind = ENTRY_TIMER, .schema_version = 1, .type = SLICE("later"), .data = SLICE("{}")
	};
	decided->entry_count = 1;
}

static void
drop_states(struct decided *decided)
{
	for (size_t i = 0; i < decided->stream_count; i++)
		free(sum_of(decided->streams[i].state));
	*decided = (struct decided){ 0 };
}

static int
hear(const struct program *program, const struct react_request *request, struct slice type, struct arena *arena,
     struct decided *decided, struct fault *fault)
{
	struct slice data = request->message->data, id = SLICE_NONE, second;
	long long by = number_of(data, "by");
	struct json_value object, value;

	if (json_check(data, &object, fault) != 0)
		return -1;
	if (json_member(object, SLICE("id"), &value) && value.raw.size > 2)
		id = slice_from(value.raw.data + 1, value.raw.size - 2);
	if (slice_equal(type, SLICE("Bad"))) {
		if (!program->fixed)
			return fault_set(fault, FAULT_SCRIPT, "script_error", "tally.lua:7: bad message");
		by = 100;
	}
	if ((slice_equal(type, SLICE("Busy")) || slice_equal(type, SLICE("Bad"))) && rules_double_busy != 0) {
		rules_double_busy--;
		return fault_set(fault, FAULT_BUSY, "busy", "busy for now");
	}
	if (slice_equal(type, SLICE("Timer"))) {
		set_timer(request, id, by, arena, decided);
		return 0;
	}
	if (add(request, id, by, arena, decided, fault) != 0)
		return -1;
	if (slice_equal(type, SLICE("Two"))) {
		second = arena_format(arena, "%.*s-b", SLICE_ARG(id));
		if (add(request, second, by, arena, decided, fault) != 0)
			return -1;
		if (!program->many)
			return 0;
	}
	decided->entries[decided->entry_count++] =
		(struct new_entry){ .kind = ENTRY_MESSAGE,
				    .schema_version = 1,
				    .type = SLICE("Out"),
				    .topic = SLICE("out"),
				    .key = id,
				    .data = arena_format(arena, "{\"of\":\"%.*s\"}", SLICE_ARG(request->message->id)) };
	return 0;
}

/* "shop.order.Add.v1" is an Add. */
static struct slice
heard_type(const struct program *program, struct slice type)
{
	int heard = script_message_heard(program->messages, program->reactor.message_count, type);

	return heard >= 0 ? program->messages[heard] : type;
}

static int
react(struct script_machine *machine, const struct react_request *request, struct arena *arena, struct decided *decided,
      struct fault *fault)
{
	const struct program *program = container_of(machine->program, struct program, base);
	int result = 0;

	rules_double_calls++;
	decided->streams = arena_zero(arena, 2, sizeof(*decided->streams));
	decided->entries = arena_zero(arena, 3, sizeof(*decided->entries));
	if (request->cause == REACT_TIMER)
		result = add(request, request->id, 1000, arena, decided, fault);
	else if (request->cause == REACT_MESSAGE)
		result = hear(program, request, heard_type(program, request->message->type), arena, decided, fault);
	else if (number_of(request->event->data, "by") == 1) /* an own event of 1 is answered by one of 10 */
		result = add(request, SLICE("echo"), 10, arena, decided, fault);
	if (result != 0)
		drop_states(decided);
	return result;
}

static void
trouble(struct script_machine *machine, struct script_trouble *trouble, struct input_trouble *input)
{
	(void)machine;
	(void)trouble;
	(void)input;
}

const struct script_ops *
rules_double_ops(void)
{
	static const struct script_ops ops = { .load = load,
					       .unload = unload,
					       .open = machine_open,
					       .close = machine_close,
					       .initial = initial,
					       .fold = fold,
					       .encode = encode,
					       .decode = decode,
					       .release = release,
					       .held = held,
					       .react = react,
					       .trouble = trouble };

	return &ops;
}

struct ruleset *
rules_double_make(const char *words, uint32_t generation)
{
	static const struct script_options options;
	struct source_file *file;
	struct source_set sources = { .domain = SLICE("tally"), .count = 1 };
	struct ruleset *rules;
	struct arena arena;
	struct fault fault;

	arena_init(&arena, 1 << 20);
	file = arena_zero(&arena, 1, sizeof(*file));
	file->path = SLICE("tally.lua");
	file->bytes = arena_copy(&arena, slice_text(words));
	digest_of(file->bytes, &file->hash);
	sources.items = file;
	sources.hash = file->hash;
	if (ruleset_make(&arena, &sources, rules_double_ops(), &options, &rules, &fault) != 0)
		exit(1);
	ruleset_number(rules, generation);
	return rules;
}

struct domain *
rules_double_domain(const char *words)
{
	struct ruleset *rules = rules_double_make(words, 1);
	struct domain *domain;
	struct fault fault;

	if (domain_open("tally", rules, ruleset_hold(rules), &domain, &fault) != 0)
		exit(1);
	return domain;
}

void
rules_double_change(struct domain *domain, const char *words)
{
	struct ruleset *before = atomic_load(&domain->active);
	struct ruleset *rules = rules_double_make(words, before->generation + 1);

	pthread_mutex_lock(&domain->lock);
	atomic_store(&domain->active, rules);
	pthread_mutex_unlock(&domain->lock);
	ruleset_release(before);
}
