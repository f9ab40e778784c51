/* SPDX-License-Identifier: MIT */
/*
 * Promises: nothing leaves a state but through vm_protect, which turns every error, also one for memory, into a fault
 * with a place; the state stays usable. A missed door (an error outside of it) reaches the panic function and aborts:
 * a restart is the tested path, a jump out of a panic is not.
 *
 * Errors that carry a fault (vm_raise) travel as plain texts, because scripts may catch and print them; the fault is
 * recognised again by its text. Describing an error runs in the message handler, before the stack unwinds, with raw
 * access only and without taking memory from the state. For memory errors Lua calls no message handler: their place is
 * looked up when the heap refuses, before Lua knows.
 */
#include "script/lua/vm.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/locale.h"
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"
#include "script/lua/watchdog.h"

/* Instructions between looks at the clock where there is no watchdog. */
#define FALLBACK_STEPS 100

static const char key_killed = 0; /* in the registry: the text of a kill, made before memory can be out */

static int
panic(lua_State *L)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error value is no text";
	fprintf(stderr, "moonlog: Lua error outside of the protected door: %s\n", text);
	abort();
}

/* Lua moves its stack while an error ends a call and may be refused again, with nothing running: the first tells. */
static void
on_refusal(void *self)
{
	struct vm *vm = self;
	lua_State *L = atomic_load_explicit(&vm->running, memory_order_relaxed);
	lua_Debug ar;
	if (lua_getstack(L, 0, &ar))
		vm_place(L, &vm->refused);
}

static int
open_body(lua_State *L)
{
	sandbox_open(L);
	lua_pushliteral(L, "stopped: the call is over its time limit");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key_killed);
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
	new->alloc.owner = new;
	new->alloc.on_refusal = on_refusal;
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
	vm_empty(vm);
	free(vm);
}

void
vm_empty(struct vm *vm)
{
	vm->spent = true;
	if (vm->L == NULL)
		return;
	lua_close(vm->L);
	vm->L = NULL;
	alloc_fini(&vm->alloc);
}

/* ---- kills ---- */

_Noreturn void
vm_raise_killed(lua_State *L)
{
	struct vm *vm = vm_of(L);
	luaL_checkstack(L, 1, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key_killed);
	if (!vm->kill_told)
		vm_describe(L); /* the first place is the one that tells: what is raised again further out is not */
	vm->kill_told = true;
	lua_error(L);
	abort(); /* lua_error does not return */
}

static void
on_killed(lua_State *L, lua_Debug *debug)
{
	(void)debug;
	vm_raise_killed(L);
}

/* Before each instruction, call and return from here on, so that nothing that catches the error can go on. */
void
vm_arm(lua_State *L)
{
	lua_sethook(L, on_killed, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

void
vm_kill(struct vm *vm)
{
	atomic_store(&vm->killed, true);
	vm_arm(atomic_load(&vm->running));
}

/* The processor's clock is a system call, the other is not. */
void
vm_look(lua_State *L)
{
	struct vm *vm = vm_of(L);
	int64_t now_ns = clock_mono_ns(clock_real()), limit_ns = (int64_t)vm->limit_ms * 1000000;
	if (vm->limit_ms == 0 || now_ns < vm->deadline_ns)
		return;
	if (now_ns < vm->deadline_ns + (WATCHDOG_PATIENCE - 1) * limit_ns &&
	    clock_thread_ns(clock_thread_self()) - vm->thread_ns < limit_ns)
		return;
	atomic_store(&vm->killed, true);
	vm_arm(L);
	vm_raise_killed(L);
}

static void
on_count(lua_State *L, lua_Debug *debug)
{
	(void)debug;
	vm_look(L);
}

static int
watch(struct vm *vm, uint32_t limit_ms, struct watchdog_outer *outer, struct fault *fault)
{
	vm->limit_ms = limit_ms;
	if (limit_ms == 0)
		return 0;
	if (!vm->hooked && watchdog_runs())
		return watchdog_enter(vm, limit_ms, outer, fault);
	if (!vm->hooked)
		lua_sethook(vm->L, on_count, LUA_MASKCOUNT, FALLBACK_STEPS);
	vm->hooked = true;
	vm->deadline_ns = clock_mono_ns(clock_real()) + (int64_t)limit_ms * 1000000;
	vm->thread_ns = clock_thread_ns(clock_thread_self());
	return 0;
}

/* The hook first, then the flag: else the next call would begin with what was left of this one. */
static void
unwatch(struct vm *vm, const struct watchdog_outer *outer)
{
	if (vm->limit_ms != 0 && !vm->hooked)
		watchdog_leave(outer);
	if (atomic_load_explicit(&vm->killed, memory_order_relaxed)) {
		lua_sethook(vm->L, vm->hooked ? on_count : NULL, vm->hooked ? LUA_MASKCOUNT : 0, FALLBACK_STEPS);
		atomic_store(&vm->killed, false);
	}
	vm->limit_ms = 0;
}

static int
put_place(const struct vm_trouble *trouble, struct fault *fault)
{
	if (trouble->file[0] != '\0')
		fault_prefix(fault, "%s:%d", trouble->file, trouble->line);
	return -1;
}

static int
placed_fault(const struct vm_trouble *trouble, const char *code, struct fault *fault)
{
	fault_set(fault, FAULT_SCRIPT, code, "%s", trouble->message);
	return put_place(trouble, fault);
}

static int
kill_fault(struct vm *vm, struct fault *fault)
{
	struct vm_trouble *trouble = &vm->trouble;
	vm->spent = true;
	if (!vm->kill_told) /* it ran in C, or was over already when it was told */
		memset(trouble, 0, sizeof *trouble);
	snprintf(trouble->message, sizeof trouble->message, "the call was stopped at its limit of %u ms", vm->limit_ms);
	return placed_fault(trouble, "time_limit", fault);
}

/* ---- the door ---- */

static int
on_error(lua_State *L)
{
	if (!vm_is_killed(L))
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
	struct vm_trouble *trouble = &vm->trouble;
	vm->spent = true;
	*trouble = vm->refused;
	size_t limit = vm->alloc.refusal == ALLOC_BLOCK_CAP  ? vm->alloc.block_bytes
		       : vm->alloc.refusal == ALLOC_POOL_CAP ? atomic_load(&vm->alloc.pool->cap_bytes)
							     : vm->alloc.cap_bytes;
	snprintf(trouble->message, sizeof trouble->message, "%s (limit %zu KiB)", reasons[vm->alloc.refusal],
		 limit >> 10);
	vm_excerpt_trouble(vm);
	return placed_fault(trouble, "memory_limit", fault);
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
	return put_place(trouble, fault);
}

/* Inside the limit: calls, and turns what went wrong into a fault. */
static int
call(struct vm *vm, lua_CFunction body, void *request, struct fault *fault)
{
	lua_State *L = atomic_load_explicit(&vm->running, memory_order_relaxed);
	if (atomic_load_explicit(&vm->killed, memory_order_relaxed))
		return kill_fault(vm, fault);
	vm->alloc.refusal = ALLOC_NOT_REFUSED;
	vm->refused.file[0] = vm->refused.traceback[0] = '\0';
	vm->refused.line = 0;
	if (!lua_checkstack(L, 4))
		return memory_fault(vm, fault);
	int top = lua_gettop(L);
	lua_pushcfunction(L, on_error);
	lua_pushcfunction(L, body);
	lua_pushlightuserdata(L, request);
	vm->raised.class = FAULT_NONE;
	locale_t before = locale_enter();
	int status = lua_pcall(L, 1, 0, top + 1);
	locale_leave(before);
	if (status != LUA_OK && status != LUA_ERRMEM && status != LUA_ERRRUN) {
		/* an error inside the message handler or, with the stack at its end, before it */
		memset(&vm->trouble, 0, sizeof vm->trouble);
		snprintf(vm->trouble.message, sizeof vm->trouble.message, "stack overflow while handling an error");
	}
	lua_settop(L, top);
	/* The flag decides, not the error that arrived here: a script may have caught the kill's and raised another. */
	if (atomic_load_explicit(&vm->killed, memory_order_relaxed))
		return kill_fault(vm, fault);
	if (status == LUA_OK)
		return 0;
	/* a coroutine or a rule may have caught the error and raised its text again */
	bool memory = vm->alloc.refusal != ALLOC_NOT_REFUSED && strcmp(vm->trouble.message, "not enough memory") == 0;
	return status == LUA_ERRMEM || memory ? memory_fault(vm, fault) : script_fault(vm, fault);
}

int
vm_protect_within(struct vm *vm, lua_CFunction body, void *request, uint32_t limit_ms, struct fault *fault)
{
	struct watchdog_outer outer;
	if (vm->depth > 0) {
		vm->depth++;
		int result = call(vm, body, request, fault);
		vm->depth--;
		return result;
	}
	vm->kill_told = false;
	if (watch(vm, limit_ms, &outer, fault) != 0)
		return -1;
	vm->depth++;
	int result = call(vm, body, request, fault);
	vm->depth--;
	unwatch(vm, &outer);
	return result;
}

int
vm_protect(struct vm *vm, lua_CFunction body, void *request, struct fault *fault)
{
	return vm_protect_within(vm, body, request, 0, fault);
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
