/* SPDX-License-Identifier: MIT */
/*
 * Promises: a machine is a Lua state where a program's files have run once and every handler is reachable by number;
 * every entry from outside is protected and leaves a fault with the class, code and place that its cause deserves.
 *
 * Handlers are looked up once, by the path that the checks of load time wrote down: evaluating the same files
 * gives the same tables, and where it does not (a module that counts its evaluations, say) opening fails
 * instead of calling something else.
 */
#include "script/lua/machine.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "script/lua/check.h"
#include "script/lua/lua_room.h"

static void
host_print(void *self, struct slice text)
{
	const struct moon_machine *machine = self;
	if (machine->options.say != NULL)
		machine->options.say(machine->options.say_self, LOG_INFO, machine->program->door.domain, text);
}

static struct slice
host_source(void *self, struct slice chunk)
{
	const struct moon_machine *machine = self;
	int at = moon_source_find(&machine->program->sources, chunk);
	return at < 0 ? SLICE_NONE : machine->program->sources.items[at].bytes;
}

int
moon_source_find(const struct source_set *sources, struct slice path)
{
	for (size_t i = 0; i < sources->count; i++)
		if (slice_equal(sources->items[i].path, path))
			return (int)i;
	return -1;
}

struct slice
moon_keep(lua_State *L, struct arena *arena, struct slice bytes)
{
	struct slice copy = arena_copy(arena, bytes);
	if (copy.data == NULL)
		moon_fail(L, 0, FAULT_MEMORY, "memory", "no memory for %zu bytes", bytes.size);
	return copy;
}

void *
moon_alloc(lua_State *L, struct arena *arena, size_t count, size_t size)
{
	void *memory = arena_zero(arena, count > 0 ? count : 1, size);
	if (memory == NULL)
		moon_fail(L, 0, FAULT_MEMORY, "memory", "no memory for %zu values", count);
	return memory;
}

static int machine_renew(struct moon_machine *machine, struct fault *fault);

/* ---- errors ---- */

/* Raises what machine->raised holds, with a place before it where there is one. */
static _Noreturn void
raise_text(lua_State *L, struct moon_machine *machine, uint32_t handler)
{
	if (handler > 0 && handler <= machine->program->handler_count) {
		const struct moon_handler *rule = &machine->program->handlers[handler];
		struct slice file = machine->program->sources.items[rule->source].path;
		lua_pushfstring(L, "%s:%d: ", file.data, rule->line);
	} else if (machine->raised.class != FAULT_INPUT) {
		luaL_where(L, 1);
	} else {
		lua_pushliteral(L, "");
	}
	lua_pushstring(L, machine->raised.text);
	lua_concat(L, 2);
	lua_error(L);
	abort(); /* lua_error does not return */
}

void
moon_fail(lua_State *L, uint32_t handler, enum fault_class class, const char *code, const char *format, ...)
{
	struct moon_machine *machine = moon_machine_of(L);
	char text[sizeof machine->raised.text];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fault_set(&machine->raised, class, code, "%s", text);
	raise_text(L, machine, handler);
}

void
moon_fail_fault(lua_State *L, const struct fault *fault)
{
	struct moon_machine *machine = moon_machine_of(L);
	machine->raised = *fault;
	raise_text(L, machine, 0);
}

void
moon_fail_input(lua_State *L, const struct schema_trouble *trouble)
{
	struct moon_machine *machine = moon_machine_of(L);
	if (trouble != &machine->input)
		machine->input = *trouble;
	machine->has_input = true;
	schema_fault(trouble, FAULT_INPUT, &machine->raised);
	raise_text(L, machine, 0);
}

/*
 * Is the error that left the state the one that moon_fail raised? A script may have caught that one and raised
 * another.
 */
static bool
was_raised(const struct moon_machine *machine)
{
	const char *text = machine->raised.text, *left = machine->vm->trouble.message;
	return machine->raised.class != FAULT_NONE && strncmp(text, left, sizeof machine->vm->trouble.message - 1) == 0;
}

static int
protect(struct moon_machine *machine, lua_CFunction body, void *request, struct fault *fault)
{
	machine->raised.class = FAULT_NONE;
	machine->has_input = false;
	if (vm_protect_within(machine->vm, body, request, machine->limit_ms, fault) == 0)
		return 0;
	if (!was_raised(machine)) {
		machine->has_input = false;
		return -1;
	}
	const struct vm_trouble *trouble = &machine->vm->trouble;
	if (fault != NULL) {
		*fault = machine->raised;
		if (trouble->file[0] != '\0' && fault->class != FAULT_INPUT)
			fault_prefix(fault, "%s:%d", trouble->file, trouble->line);
	}
	return -1;
}

int
moon_protect(struct moon_machine *machine, lua_CFunction body, void *request, struct fault *fault)
{
	if (machine->vm->spent && machine->vm->depth == 0 && machine_renew(machine, fault) != 0)
		return -1;
	return protect(machine, body, request, fault);
}

/* ---- opening ---- */

static void
push_step(lua_State *L, const struct moon_step *step)
{
	if (step->name.data != NULL) {
		lua_pushlstring(L, step->name.data, step->name.size);
		lua_rawget(L, -2);
	} else {
		lua_rawgeti(L, -1, step->index);
	}
	lua_remove(L, -2);
}

static int
bind_handler(lua_State *L, const struct moon_machine *machine, uint32_t number)
{
	const struct moon_handler *handler = &machine->program->handlers[number];
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->modules);
	lua_rawgeti(L, -1, handler->source + 1);
	lua_remove(L, -2);
	for (unsigned i = 0; i < handler->depth; i++) {
		if (lua_type(L, -1) != LUA_TTABLE)
			break;
		if (sandbox_thaw(L, -1))
			lua_remove(L, -2);
		push_step(L, &handler->path[i]);
	}
	if (lua_type(L, -1) != LUA_TFUNCTION)
		moon_fail(L, number, FAULT_SCRIPT, "bad_rules",
			  "a handler is no function this time: the file must give the same table each time it runs");
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int
ref_settings(lua_State *L, const struct moon_machine *machine)
{
	struct fault fault;
	if (json_read(L, machine->program->door.settings, NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
	sandbox_freeze_deep(L);
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

void
moon_machine_bind(lua_State *L, struct moon_machine *machine)
{
	const struct moon_program *program = machine->program;
	machine->handlers = calloc(program->handler_count + 1, sizeof *machine->handlers);
	machine->views = calloc(program->door.projection_count + 1, sizeof *machine->views);
	machine->row_tables = calloc(program->door.table_count + 1, sizeof *machine->row_tables);
	machine->column_names = calloc(program->door.table_count + 1, sizeof *machine->column_names);
	if (machine->handlers == NULL || machine->views == NULL || machine->row_tables == NULL ||
	    machine->column_names == NULL)
		moon_fail(L, 0, FAULT_MEMORY, "memory", "no memory for the handlers");
	for (uint32_t i = 1; i <= program->handler_count; i++)
		machine->handlers[i] = bind_handler(L, machine, i);
	machine->settings = ref_settings(L, machine);
	moon_ctx_open(L, machine);
	moon_meta_open(L, machine);
	moon_views_open(L, machine);
}

static int
run_file_body(lua_State *L)
{
	struct moon_machine *machine = lua_touserdata(L, 1);
	moon_source_run(L, machine, (uint16_t)lua_tointeger(L, 2));
	return 0;
}

static int
describe(lua_State *L)
{
	if (!vm_is_killed(L)) /* it has told its place */
		vm_describe(L);
	return 1;
}

/* A file that fails is told, and the next one runs; a module that does not compile fails in each file that needs it. */
static void
try_file(lua_State *L, struct moon_machine *machine, uint16_t source)
{
	int top = lua_gettop(L);
	lua_pushcfunction(L, describe);
	lua_pushcfunction(L, run_file_body);
	lua_pushlightuserdata(L, machine);
	lua_pushinteger(L, source);
	int status = lua_pcall(L, 2, 0, top + 1);
	if ((status != LUA_OK && status != LUA_ERRRUN) || vm_is_killed(L))
		lua_error(L);
	machine->require_depth = 0;
	if (status == LUA_ERRRUN)
		findings_trouble(machine->program->findings, "load_error", &machine->vm->trouble);
	lua_settop(L, top);
}

static int
run_files_body(lua_State *L)
{
	struct moon_machine *machine = vm_request(L);
	lua_newtable(L);
	machine->modules = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	machine->states = luaL_ref(L, LUA_REGISTRYINDEX);
	for (uint16_t i = 0; i < machine->program->sources.count; i++) {
		if (machine->program->findings != NULL) {
			try_file(L, machine, i);
			continue;
		}
		moon_source_run(L, machine, i);
		lua_pop(L, 1);
	}
	return 0;
}

/* The heaps of all machines of the process. */
static struct alloc_pool pool = { .cap_bytes = SIZE_MAX };

/* Memory has no place of its own: it is the file's that was running. */
static void
name_file(const struct moon_machine *machine, struct fault *fault)
{
	struct vm_trouble *trouble = &machine->vm->trouble;
	if (fault == NULL || fault->class != FAULT_SCRIPT || trouble->file[0] != '\0' || machine->require_depth == 0)
		return;
	uint16_t source = machine->require_stack[machine->require_depth - 1];
	snprintf(trouble->file, sizeof trouble->file, "%.*s", SLICE_ARG(machine->program->sources.items[source].path));
	trouble->line = 1;
	fault_prefix(fault, "%s:%d", trouble->file, trouble->line);
}

/* A new Lua state in the place of the one before, its files run. */
static int
open_state(struct moon_machine *machine, struct fault *fault)
{
	const struct vm_limits limits = { .heap_bytes = machine->options.heap_bytes };
	const struct vm_host host = {
		.print = host_print, .source = host_source, .require = moon_require, .self = machine
	};
	struct vm *new;
	if (vm_new(&limits, &host, &pool, &new, fault) != 0)
		return -1;
	vm_free(machine->vm);
	machine->vm = new;
	new->owner = machine;
	machine->epoch++;
	machine->require_depth = 0;
	machine->loading = true;
	int result = protect(machine, run_files_body, machine, fault);
	machine->loading = false;
	if (result != 0)
		name_file(machine, fault);
	return result;
}

static void
limits_replace(struct script_limits *limits, const struct script_limits *by)
{
	limits->command_ms = by->command_ms != 0 ? by->command_ms : limits->command_ms;
	limits->apply_ms = by->apply_ms != 0 ? by->apply_ms : limits->apply_ms;
	limits->projection_ms = by->projection_ms != 0 ? by->projection_ms : limits->projection_ms;
	limits->query_ms = by->query_ms != 0 ? by->query_ms : limits->query_ms;
	limits->load_ms = by->load_ms != 0 ? by->load_ms : limits->load_ms;
}

static struct script_limits
limits_of(const struct script_options *options, struct slice domain)
{
	struct script_limits limits = SCRIPT_LIMITS;
	limits_replace(&limits, &options->limits);
	for (size_t i = 0; i < options->domain_limit_count; i++)
		if (slice_equal(options->domain_limits[i].domain, domain))
			limits_replace(&limits, &options->domain_limits[i].limits);
	return limits;
}

int
moon_machine_new(struct moon_program *program, const struct script_options *options, bool *needs,
		 struct moon_machine **machine, struct vm_trouble *trouble, struct fault *fault)
{
	struct moon_machine *new = calloc(1, sizeof *new);
	if (new == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a machine");
	new->door.ops = moon_ops();
	new->door.program = &program->door;
	new->program = program;
	new->options = *options;
	new->options.limits = limits_of(options, program->door.domain);
	new->limit_ms = new->options.limits.load_ms;
	new->needs = needs;
	arena_init(&new->arena, (size_t)16 << 20);
	buf_init(&new->scratch, (size_t)16 << 20);
	if (options->pool_bytes != 0)
		atomic_store(&pool.cap_bytes, options->pool_bytes);
	if (open_state(new, fault) == 0) {
		*machine = new;
		return 0;
	}
	if (new->vm != NULL)
		*trouble = new->vm->trouble;
	moon_machine_free(new);
	return -1;
}

static void
drop_handlers(struct moon_machine *machine)
{
	free(machine->handlers);
	free(machine->views);
	free(machine->row_tables);
	free(machine->column_names);
	machine->handlers = machine->views = machine->row_tables = machine->column_names = NULL;
}

void
moon_machine_free(struct moon_machine *machine)
{
	vm_free(machine->vm);
	arena_fini(&machine->arena);
	buf_fini(&machine->scratch);
	drop_handlers(machine);
	free(machine);
}

static int
bind_body(lua_State *L)
{
	moon_machine_bind(L, vm_request(L));
	return 0;
}

/* The old state goes first: the process may have no memory for both. When this fails the next call tries again. */
static int
machine_renew(struct moon_machine *machine, struct fault *fault)
{
	uint32_t limit_ms = machine->limit_ms;
	vm_empty(machine->vm);
	drop_handlers(machine);
	machine->limit_ms = machine->options.limits.load_ms;
	int result = open_state(machine, fault);
	if (result == 0)
		result = protect(machine, bind_body, machine, fault);
	machine->limit_ms = limit_ms;
	if (result == 0)
		return 0;
	machine->vm->spent = true;
	return fault_prefix(fault, "the state of the rules cannot be made anew");
}

/* ---- operations ---- */

static struct moon_machine *
machine_of(struct script_machine *door)
{
	return container_of(door, struct moon_machine, door);
}

static int
machine_open(const struct script_program *door, const struct script_options *options, struct script_machine **machine,
	     struct fault *fault)
{
	struct moon_program *program = container_of(door, struct moon_program, door);
	struct moon_machine *new;
	struct vm_trouble trouble;
	if (moon_machine_new(program, options, NULL, &new, &trouble, fault) != 0)
		return -1;
	if (moon_protect(new, bind_body, new, fault) != 0) {
		moon_machine_free(new);
		return -1;
	}
	*machine = &new->door;
	return 0;
}

static void
machine_close(struct script_machine *machine)
{
	moon_machine_free(machine_of(machine));
}

static void
machine_release(struct script_machine *machine, script_state state)
{
	moon_state_drop(machine_of(machine), state);
}

static bool
machine_held(const struct script_machine *machine, script_state state)
{
	return moon_state_held(container_of(machine, const struct moon_machine, door), state);
}

static void
machine_trouble(struct script_machine *door, struct script_trouble *trouble, struct input_trouble *input)
{
	const struct moon_machine *machine = machine_of(door);
	const struct vm_trouble *last = &machine->vm->trouble;
	*trouble = (struct script_trouble){
		.file = slice_text(last->file),
		.line = last->line,
		.message = slice_text(last->message),
		.excerpt = slice_text(last->excerpt),
		.traceback = slice_text(last->traceback),
	};
	if (!machine->has_input)
		return;
	input->field = slice_text(machine->input.path);
	input->has_offset = machine->input.offset >= 0;
	input->offset = input->has_offset ? (size_t)machine->input.offset : 0;
}

/* A state that is spent is replaced now rather than by the next call, which would wait for it. */
static bool
machine_tidy(struct script_machine *door)
{
	struct moon_machine *machine = machine_of(door);
	if (machine->vm->spent)
		return machine_renew(machine, NULL) == 0;
	return !vm_collect_step(machine->vm);
}

/* Which limit an operation has; nested in another one it runs within that one's. */
static int
machine_initial(struct script_machine *door, uint16_t aggregate, script_state *state, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.apply_ms;
	return moon_initial(door, aggregate, state, fault);
}

static int
machine_fold(struct script_machine *door, uint16_t aggregate, script_state state, const struct recorded_entry *entries,
	     size_t count, size_t *folded, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.apply_ms;
	return moon_fold(door, aggregate, state, entries, count, folded, fault);
}

static int
machine_encode(struct script_machine *door, uint16_t aggregate, script_state state, struct buf *out,
	       struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.apply_ms;
	return moon_encode(door, aggregate, state, out, fault);
}

static int
machine_decode(struct script_machine *door, uint16_t aggregate, struct slice bytes, script_state *state,
	       struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.apply_ms;
	return moon_decode(door, aggregate, bytes, state, fault);
}

static int
machine_decide(struct script_machine *door, const struct decide_request *request, struct arena *arena,
	       struct decided *decided, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.command_ms;
	return moon_decide(door, request, arena, decided, fault);
}

static int
machine_react(struct script_machine *door, const struct react_request *request, struct arena *arena,
	      struct decided *decided, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.command_ms;
	return moon_react(door, request, arena, decided, fault);
}

static int
machine_project_messages(struct script_machine *door, uint16_t projection, const struct row_port *rows,
			 const struct react_message *messages, size_t count, size_t *done, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.projection_ms;
	return moon_project_messages(door, projection, rows, messages, count, done, fault);
}

static int
machine_project(struct script_machine *door, uint16_t projection, const struct row_port *rows,
		const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.projection_ms;
	return moon_project(door, projection, rows, entries, count, done, fault);
}

static int
machine_query(struct script_machine *door, const struct query_request *request, struct buf *out, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.query_ms;
	return moon_query(door, request, out, fault);
}

static int
machine_show(struct script_machine *door, const struct show_request *request, struct buf *out, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.query_ms;
	return moon_show(door, request, out, fault);
}

static int
machine_upcast(struct script_machine *door, uint16_t aggregate, const struct recorded_entry *entry, unsigned flags,
	       struct arena *arena, struct script_pieces *pieces, struct fault *fault)
{
	machine_of(door)->limit_ms = machine_of(door)->options.limits.query_ms;
	return moon_upcast(door, aggregate, entry, flags, arena, pieces, fault);
}

const struct script_ops *
moon_ops(void)
{
	static const struct script_ops ops = {
		.load = moon_load,
		.unload = moon_unload,
		.open = machine_open,
		.close = machine_close,
		.initial = machine_initial,
		.fold = machine_fold,
		.encode = machine_encode,
		.decode = machine_decode,
		.release = machine_release,
		.held = machine_held,
		.decide = machine_decide,
		.react = machine_react,
		.project = machine_project,
		.project_messages = machine_project_messages,
		.query = machine_query,
		.show = machine_show,
		.upcast = machine_upcast,
		.path = moon_path,
		.order = moon_order,
		.trouble = machine_trouble,
		.tidy = machine_tidy,
	};
	return &ops;
}
