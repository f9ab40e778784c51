/* SPDX-License-Identifier: MIT */
/*
 * Promises: nothing leaves a state but through vm_protect, which turns every error, also one for memory, into a fault
 * with a place; the state stays usable. A missed door (an error outside of it) reaches the panic function and aborts:
 * a restart is the tested path, a jump out of a panic is not.
 *
 * Errors that carry a fault (vm_raise) travel as plain texts, because scripts may catch and print them; the fault is
 * recognised again by its text. Describing an error runs in the message handler, before the stack unwinds, with raw
 * access only and without taking memory from the state. For memory errors Lua calls no message handler: they have no
 * place.
 */
#include "script/lua/vm.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/lua/lib.h"
#include "script/lua/sandbox.h"

static int
panic(lua_State *L)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error value is no text";
	fprintf(stderr, "moonlog: Lua error outside of the protected door: %s\n", text);
	abort();
}

static int
open_body(lua_State *L)
{
	sandbox_open(L);
	return 0;
}

static void
limits_default(struct vm_limits *limits)
{
	if (limits->heap_bytes == 0)
		limits->heap_bytes = VM_HEAP_BYTES;
	if (limits->block_bytes == 0)
		limits->block_bytes = VM_BLOCK_BYTES;
	if (limits->subject_bytes == 0)
		limits->subject_bytes = VM_SUBJECT_BYTES;
	if (limits->pattern_steps == 0)
		limits->pattern_steps = VM_PATTERN_STEPS;
}

int
vm_new(const struct vm_limits *limits, const struct vm_host *host, struct alloc_pool *pool, struct vm **vm,
       struct fault *fault)
{
	struct vm *new = calloc(1, sizeof *new);
	if (new == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a Lua state");
	if (limits != NULL)
		new->limits = *limits;
	limits_default(&new->limits);
	if (host != NULL)
		new->host = *host;
	alloc_init(&new->alloc, new->limits.heap_bytes, new->limits.block_bytes, pool);
	new->L = lua_newstate(alloc_lua, &new->alloc);
	if (new->L == NULL) {
		alloc_fini(&new->alloc);
		free(new);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a Lua state");
	}
	*(struct vm **)lua_getextraspace(new->L) = new;
	lua_atpanic(new->L, panic);
	atomic_store(&new->running, new->L);
	if (vm_protect(new, open_body, NULL, fault) != 0) {
		vm_free(new);
		return -1;
	}
	*vm = new;
	return 0;
}

void
vm_free(struct vm *vm)
{
	if (vm == NULL)
		return;
	lua_close(vm->L);
	alloc_fini(&vm->alloc);
	free(vm);
}

static int
on_error(lua_State *L)
{
	vm_describe(L);
	return 1;
}

static int
memory_fault(struct vm *vm, struct fault *fault)
{
	static const char *const reasons[] = {
		[ALLOC_NOT_REFUSED] = "the state is out of memory",
		[ALLOC_HEAP_CAP] = "the script needs more memory than a state may have",
		[ALLOC_BLOCK_CAP] = "the script made a single value that is too large",
		[ALLOC_POOL_CAP] = "all scripts together need more memory than they may have",
		[ALLOC_SYSTEM] = "the system has no more memory",
	};
	vm->spent = true;
	memset(&vm->trouble, 0, sizeof vm->trouble);
	size_t limit = vm->alloc.refusal == ALLOC_BLOCK_CAP ? vm->alloc.block_bytes : vm->alloc.cap_bytes;
	snprintf(vm->trouble.message, sizeof vm->trouble.message, "%s (limit %zu KiB)", reasons[vm->alloc.refusal],
		 limit >> 10);
	return fault_set(fault, FAULT_SCRIPT, "memory_limit", "%s", vm->trouble.message);
}

static int
script_fault(struct vm *vm, struct fault *fault)
{
	const struct vm_trouble *trouble = &vm->trouble;
	bool carried = vm->raised.class != FAULT_NONE &&
		       strncmp(trouble->message, vm->raised.text, sizeof trouble->message - 1) == 0;
	if (fault == NULL)
		return -1;
	if (carried)
		*fault = vm->raised;
	else
		fault_set(fault, FAULT_SCRIPT, "script_error", "%s", trouble->message);
	if (trouble->file[0] != '\0')
		fault_prefix(fault, "%s:%d", trouble->file, trouble->line);
	return -1;
}

int
vm_protect(struct vm *vm, lua_CFunction body, void *request, struct fault *fault)
{
	lua_State *L = atomic_load_explicit(&vm->running, memory_order_relaxed);
	if (!lua_checkstack(L, 4))
		return memory_fault(vm, fault);
	int top = lua_gettop(L);
	lua_pushcfunction(L, on_error);
	lua_pushcfunction(L, body);
	lua_pushlightuserdata(L, request);
	vm->alloc.refusal = ALLOC_NOT_REFUSED;
	vm->raised.class = FAULT_NONE;
	int status = lua_pcall(L, 1, 0, top + 1);
	if (status != LUA_OK && status != LUA_ERRMEM && status != LUA_ERRRUN) {
		/* an error inside the message handler or, with the stack at its end, before it */
		memset(&vm->trouble, 0, sizeof vm->trouble);
		snprintf(vm->trouble.message, sizeof vm->trouble.message, "stack overflow while handling an error");
	}
	lua_settop(L, top);
	if (status == LUA_OK)
		return 0;
	/* a coroutine or a rule may have caught the error and raised its text again */
	bool memory = vm->alloc.refusal != ALLOC_NOT_REFUSED && strcmp(vm->trouble.message, "not enough memory") == 0;
	return status == LUA_ERRMEM || memory ? memory_fault(vm, fault) : script_fault(vm, fault);
}

void
vm_raise(lua_State *L, const struct fault *fault)
{
	struct vm *vm = vm_of(L);
	vm->raised = *fault;
	/* a message that vm_describe cuts must still be recognised */
	vm->raised.text[sizeof vm->trouble.message - 1] = '\0';
	lib_one_line(vm->raised.text);
	luaL_where(L, 1);
	lua_pushstring(L, vm->raised.text);
	lua_concat(L, 2);
	lua_error(L);
	abort(); /* lua_error does not return */
}

void
vm_fail(lua_State *L, enum fault_class class, const char *code, const char *format, ...)
{
	struct fault fault;
	char text[sizeof fault.text];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fault_set(&fault, class, code, "%s", text);
	vm_raise(L, &fault);
}

static int
collect_body(lua_State *L)
{
	bool *ended = vm_request(L);
	*ended = lua_gc(L, LUA_GCSTEP, 0) != 0;
	return 0;
}

bool
vm_collect_step(struct vm *vm)
{
	bool ended = false;
	return vm_protect(vm, collect_body, &ended, NULL) == 0 && ended;
}

size_t
vm_bytes(const struct vm *vm)
{
	return vm->alloc.used_bytes;
}
