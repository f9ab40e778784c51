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
collect_body(lua_State *L)
{
	lua_gc(L, LUA_GCCOLLECT, 0);
	return 0;
}

/* What filled the heap is garbage now: the next call must not fail for it. */
static void
recover_heap(struct moon_machine *machine)
{
	const struct vm_trouble trouble = machine->vm->trouble;
	vm_protect(machine->vm, collect_body, NULL, NULL);
	machine->vm->trouble = trouble;
}

int
moon_protect(struct moon_machine *machine, lua_CFunction body, void *request, struct fault *fault)
{
	machine->raised.class = FAULT_NONE;
	machine->has_input = false;
	if (vm_protect(machine->vm, body, request, fault) == 0)
		return 0;
	if (!was_raised(machine)) {
		machine->has_input = false;
		if (fault != NULL && strcmp(fault->code, "memory_limit") == 0)
			recover_heap(machine);
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
	if (machine->handlers == NULL || machine->views == NULL || machine->row_tables == NULL)
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
	vm_describe(L);
	return 1;
}

/* A file that fails is told, and the next one runs; a module that does not compile fails in each file that needs it. */
static void
try_file(lua_State *L, struct moon_machine *machine, uint16_t source)
{
	const struct vm_trouble *trouble = &machine->vm->trouble;
	int top = lua_gettop(L);
	lua_pushcfunction(L, describe);
	lua_pushcfunction(L, run_file_body);
	lua_pushlightuserdata(L, machine);
	lua_pushinteger(L, source);
	int status = lua_pcall(L, 2, 0, top + 1);
	if (status != LUA_OK && status != LUA_ERRRUN)
		lua_error(L);
	machine->require_depth = 0;
	if (status == LUA_ERRRUN)
		findings_add(machine->program->findings, &(struct finding){
								 .severity = FINDING_ERROR,
								 .code = "load_error",
								 .file = slice_text(trouble->file),
								 .line = trouble->line,
								 .text = slice_text(trouble->message),
								 .excerpt = slice_text(trouble->excerpt),
							 });
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
	new->needs = needs;
	arena_init(&new->arena, (size_t)16 << 20);
	buf_init(&new->scratch, (size_t)16 << 20);
	const struct vm_limits limits = { .heap_bytes = options->heap_bytes };
	const struct vm_host host = {
		.print = host_print, .source = host_source, .require = moon_require, .self = new
	};
	if (vm_new(&limits, &host, NULL, &new->vm, fault) != 0)
		goto out;
	new->vm->owner = new;
	new->loading = true;
	if (moon_protect(new, run_files_body, new, fault) != 0)
		goto out;
	new->loading = false;
	*machine = new;
	return 0;
out:
	if (new->vm != NULL)
		*trouble = new->vm->trouble;
	moon_machine_free(new);
	return -1;
}

void
moon_machine_free(struct moon_machine *machine)
{
	vm_free(machine->vm);
	arena_fini(&machine->arena);
	buf_fini(&machine->scratch);
	free(machine->handlers);
	free(machine->views);
	free(machine->row_tables);
	free(machine);
}

/* ---- operations ---- */

static int
bind_body(lua_State *L)
{
	moon_machine_bind(L, vm_request(L));
	return 0;
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
	moon_machine_free(container_of(machine, struct moon_machine, door));
}

static void
machine_release(struct script_machine *machine, script_state state)
{
	moon_state_drop(container_of(machine, struct moon_machine, door), state);
}

static void
machine_trouble(struct script_machine *door, struct script_trouble *trouble, struct input_trouble *input)
{
	const struct moon_machine *machine = container_of(door, struct moon_machine, door);
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

static bool
machine_tidy(struct script_machine *machine)
{
	return !vm_collect_step(container_of(machine, struct moon_machine, door)->vm);
}

const struct script_ops *
moon_ops(void)
{
	static const struct script_ops ops = {
		.load = moon_load,
		.unload = moon_unload,
		.open = machine_open,
		.close = machine_close,
		.initial = moon_initial,
		.fold = moon_fold,
		.encode = moon_encode,
		.decode = moon_decode,
		.release = machine_release,
		.decide = moon_decide,
		.project = moon_project,
		.query = moon_query,
		.show = moon_show,
		.upcast = moon_upcast,
		.path = moon_path,
		.trouble = machine_trouble,
		.tidy = machine_tidy,
	};
	return &ops;
}
