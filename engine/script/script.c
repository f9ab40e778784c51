/* SPDX-License-Identifier: MIT */
/*
 * The script's door: each call checks what its caller must have got right - indexes, pointers, counts - and
 * goes through the room's table of functions. A broken check is a bug of ours and ends the process; author's
 * mistakes never get here, they come back from the room as faults.
 */
#include "script/script.h"

static void
check_aggregate(const struct script_machine *machine, uint16_t aggregate)
{
	must(machine != NULL);
	must(aggregate < machine->program->aggregate_count);
}

int
script_load(const struct script_ops *ops, const struct source_set *sources, const struct script_options *options,
	    struct script_program **program, struct fault *fault)
{
	must(ops != NULL && sources != NULL && options != NULL && program != NULL);
	must(sources->items != NULL || sources->count == 0);
	*program = NULL;
	return ops->load(sources, options, program, fault);
}

void
script_unload(struct script_program *program)
{
	if (program != NULL)
		program->ops->unload(program);
}

int
script_open(const struct script_program *program, const struct script_options *options, struct script_machine **machine,
	    struct fault *fault)
{
	must(program != NULL && options != NULL && machine != NULL);
	*machine = NULL;
	return program->ops->open(program, options, machine, fault);
}

void
script_close(struct script_machine *machine)
{
	if (machine != NULL)
		machine->ops->close(machine);
}

int
script_initial(struct script_machine *machine, uint16_t aggregate, script_state *state, struct fault *fault)
{
	check_aggregate(machine, aggregate);
	*state = 0;
	return machine->ops->initial(machine, aggregate, state, fault);
}

int
script_fold(struct script_machine *machine, uint16_t aggregate, script_state state,
	    const struct recorded_entry *entries, size_t count, size_t *folded, struct fault *fault)
{
	check_aggregate(machine, aggregate);
	must(state != 0 && folded != NULL);
	must(entries != NULL || count == 0);
	*folded = 0;
	return count == 0 ? 0 : machine->ops->fold(machine, aggregate, state, entries, count, folded, fault);
}

int
script_encode(struct script_machine *machine, uint16_t aggregate, script_state state, struct buf *out,
	      struct fault *fault)
{
	check_aggregate(machine, aggregate);
	must(state != 0 && out != NULL);
	return machine->ops->encode(machine, aggregate, state, out, fault);
}

int
script_decode(struct script_machine *machine, uint16_t aggregate, struct slice bytes, script_state *state,
	      struct fault *fault)
{
	check_aggregate(machine, aggregate);
	*state = 0;
	return machine->ops->decode(machine, aggregate, bytes, state, fault);
}

void
script_state_release(struct script_machine *machine, script_state state)
{
	must(machine != NULL);
	if (state != 0)
		machine->ops->release(machine, state);
}

bool
script_state_held(const struct script_machine *machine, script_state state)
{
	must(machine != NULL && state != 0);
	return machine->ops->held(machine, state);
}

int
script_decide(struct script_machine *machine, const struct decide_request *request, struct arena *arena,
	      struct decided *decided, struct fault *fault)
{
	must(request != NULL && arena != NULL && decided != NULL);
	check_aggregate(machine, request->aggregate);
	must(request->command < machine->program->aggregates[request->aggregate].command_count);
	must(request->params != NULL || request->param_count == 0);
	*decided = (struct decided){ 0 };
	return machine->ops->decide(machine, request, arena, decided, fault);
}

int
script_react(struct script_machine *machine, const struct react_request *request, struct arena *arena,
	     struct decided *decided, struct fault *fault)
{
	must(machine != NULL && request != NULL && arena != NULL && decided != NULL);
	if (request->cause == REACT_TIMER)
		check_aggregate(machine, request->aggregate);
	else
		must(request->reactor < machine->program->reactor_count);
	must(request->cause != REACT_EVENT || (request->event != NULL && request->event->kind == ENTRY_EVENT));
	must(request->cause != REACT_MESSAGE || request->message != NULL);
	*decided = (struct decided){ 0 };
	return machine->ops->react(machine, request, arena, decided, fault);
}

int
script_project(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
	       const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault)
{
	must(machine != NULL && projection < machine->program->projection_count);
	must(rows != NULL && rows->writable && done != NULL);
	must(entries != NULL || count == 0);
	*done = 0;
	return count == 0 ? 0 : machine->ops->project(machine, projection, rows, entries, count, done, fault);
}

int
script_project_messages(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
			const struct react_message *messages, size_t count, size_t *done, struct fault *fault)
{
	must(machine != NULL && projection < machine->program->projection_count);
	must(rows != NULL && rows->writable && done != NULL);
	must(messages != NULL || count == 0);
	*done = 0;
	return count == 0 ? 0 : machine->ops->project_messages(machine, projection, rows, messages, count, done, fault);
}

int
script_query(struct script_machine *machine, const struct query_request *request, struct buf *out, struct fault *fault)
{
	must(machine != NULL && request != NULL && out != NULL);
	must(request->query < machine->program->query_count);
	must(request->rows != NULL || machine->program->table_count == 0);
	must(request->params != NULL || request->param_count == 0);
	return machine->ops->query(machine, request, out, fault);
}

int
script_show(struct script_machine *machine, const struct show_request *request, struct buf *out, struct fault *fault)
{
	must(request != NULL && out != NULL && request->state != 0);
	check_aggregate(machine, request->aggregate);
	must(request->route == NULL || request->route->target == TARGET_STATE);
	return machine->ops->show(machine, request, out, fault);
}

int
script_upcast(struct script_machine *machine, uint16_t aggregate, const struct recorded_entry *entry, unsigned flags,
	      struct arena *arena, struct script_pieces *pieces, struct fault *fault)
{
	check_aggregate(machine, aggregate);
	must(entry != NULL && entry->kind == ENTRY_EVENT && arena != NULL && pieces != NULL);
	*pieces = (struct script_pieces){ 0 };
	return machine->ops->upcast(machine, aggregate, entry, flags, arena, pieces, fault);
}

bool
script_path(const struct script_program *program, uint16_t aggregate, struct slice type, uint32_t schema_version)
{
	must(program != NULL && aggregate < program->aggregate_count);
	return program->ops->path(program, aggregate, type, schema_version);
}

uint64_t
script_order(struct script_machine *machine)
{
	must(machine != NULL);
	return machine->ops->order(machine);
}

void
script_trouble(struct script_machine *machine, struct script_trouble *trouble, struct input_trouble *input)
{
	must(machine != NULL);
	*trouble = (struct script_trouble){ 0 };
	*input = (struct input_trouble){ 0 };
	machine->ops->trouble(machine, trouble, input);
}

bool
script_tidy(struct script_machine *machine)
{
	must(machine != NULL);
	return machine->ops->tidy(machine);
}

int
script_find_aggregate(const struct script_program *program, struct slice name)
{
	for (size_t i = 0; i < program->aggregate_count; i++)
		if (slice_equal(program->aggregates[i].name, name))
			return (int)i;
	return -1;
}

int
script_find_command(const struct script_aggregate *aggregate, struct slice name)
{
	for (size_t i = 0; i < aggregate->command_count; i++)
		if (slice_equal(aggregate->commands[i].name, name))
			return (int)i;
	return -1;
}

int
script_find_query(const struct script_program *program, struct slice name)
{
	for (size_t i = 0; i < program->query_count; i++)
		if (slice_equal(program->queries[i].name, name))
			return (int)i;
	return -1;
}

int
script_find_projection(const struct script_program *program, struct slice name)
{
	for (size_t i = 0; i < program->projection_count; i++)
		if (slice_equal(program->projections[i].name, name))
			return (int)i;
	return -1;
}

int
script_find_reactor(const struct script_program *program, struct slice name)
{
	for (size_t i = 0; i < program->reactor_count; i++)
		if (slice_equal(program->reactors[i].name, name))
			return (int)i;
	return -1;
}

/* "a.b.Event.v1" -> "a.b.Event"; empty for what is no such type. */
static struct slice
without_version(struct slice type)
{
	size_t dots = 0, last = 0;

	for (size_t i = 0; i < type.size; i++) {
		last = type.data[i] == '.' ? i : last;
		dots += type.data[i] == '.';
	}
	if (dots != 3 || last + 2 > type.size - 1 || type.data[last + 1] != 'v')
		return SLICE_NONE;
	for (size_t i = last + 2; i < type.size; i++)
		if (type.data[i] < '0' || type.data[i] > '9')
			return SLICE_NONE;
	return slice_from(type.data, last);
}

static int
find_type(const struct slice *types, size_t count, struct slice type)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(types[i], type))
			return (int)i;
	return -1;
}

int
script_message_heard(const struct slice *types, size_t count, struct slice type)
{
	int found = find_type(types, count, type);
	struct slice rest = without_version(type);

	while (found < 0 && rest.size > 0) {
		const char *dot = memchr(rest.data, '.', rest.size);
		found = find_type(types, count, rest);
		rest = dot == NULL ? SLICE_NONE : slice_from(dot + 1, (size_t)(rest.data + rest.size - dot) - 1);
	}
	return found;
}
