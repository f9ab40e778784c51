/* SPDX-License-Identifier: MIT */
/*
 * One Lua state with its heap, its sandbox and its one protected door. A state belongs to one thread at a time and is
 * never shared; what is loaded into it and called in it is the business of the files above (load, program, call, bind).
 *
 * Entry discipline: outside vm_protect nobody calls a Lua function that can allocate, raise or run a metamethod.
 * Inside it, everything may: an error ends the protected function and comes back as a fault.
 */
#ifndef MOONLOG_SCRIPT_LUA_VM_H
#define MOONLOG_SCRIPT_LUA_VM_H

#include <lua.h>
#include <stdatomic.h>

#include "base/fault.h"
#include "script/lua/alloc.h"

#define VM_HEAP_BYTES    ((size_t)64 << 20)
#define VM_BLOCK_BYTES   ((size_t)16 << 20)
#define VM_PATTERN_STEPS 1000000
#define VM_SUBJECT_BYTES ((size_t)1 << 20)
#define VM_FRAMES_MAX    20

/* Zero in a size means the default above. */
struct vm_limits {
	size_t heap_bytes;    /* of one state */
	size_t block_bytes;   /* of one string, table part or buffer */
	size_t subject_bytes; /* of a string searched by a pattern */
	uint32_t pattern_steps;
};

/* What the sandbox needs from whoever made the state. Every function may be NULL. `self` goes to the first two. */
struct vm_host {
	/* One call of `print`: its arguments, a tab between, no line end. */
	void (*print)(void *self, struct slice text);
	/* The text of a chunk by its name without "@"; SLICE_NONE when unknown. For excerpts; must not touch Lua. */
	struct slice (*source)(void *self, struct slice chunk);
	/* `require` as a Lua C function (one string argument, one result); NULL: require raises. */
	lua_CFunction require;
	void *self;
};

/* The last error that left the state, for people. Filled by vm_protect; empty (file "" and line 0) when unknown. */
struct vm_trouble {
	char file[160]; /* chunk name as loaded, "bank/account.lua" */
	int line;
	char message[512];    /* without place */
	char excerpt[512];    /* the line, its number before it, and a line with a caret below; "" when unknown */
	char traceback[2048]; /* "file:line" a frame, innermost first, a line end after each; no values */
};

struct vm {
	lua_State *L; /* the main thread */
	struct alloc alloc;
	struct vm_limits limits;
	struct vm_host host;
	void *owner; /* for the files above; untouched here */
	struct vm_trouble trouble;
	struct vm_trouble refused;  /* where memory was refused last in this call: place and traceback */
	struct fault raised;        /* what vm_raise last carried */
	bool spent;                 /* killed, or out of memory: to be made anew */
	lua_CFunction stock_format; /* the packaged string.format behind our checks */
	unsigned depth;             /* doors open, one in the other */
	/*
	 * The watchdog's place: whether the call that runs must end, and the coroutine that runs now, since a hook
	 * belongs to one coroutine.
	 */
	atomic_bool killed;
	_Atomic(lua_State *) running;
	bool kill_told;    /* vm->trouble says where it was killed */
	uint32_t limit_ms; /* of the outermost call; 0: none */
	/* without a watchdog: the same by a count hook */
	bool hooked;
	int64_t deadline_ns;
	int64_t thread_ns; /* processor time at its beginning */
};

/* A state with the sandbox ready. `pool` (process-wide cap) may be NULL. Fails: MEMORY; a broken sandbox is a BUG. */
int vm_new(const struct vm_limits *limits, const struct vm_host *host, struct alloc_pool *pool, struct vm **vm,
	   struct fault *fault);
void vm_free(struct vm *vm);
/* Gives a spent state's memory back before another takes its place; vm_free may follow, and looks at trouble. */
void vm_empty(struct vm *vm);

/* From any C function that Lua called, also in a coroutine. */
static inline struct vm *
vm_of(lua_State *L)
{
	return *(struct vm **)lua_getextraspace(L);
}

/*
 * The one protected door: calls body(L) with `request` as light userdata at index 1 (read it by vm_request) on an
 * otherwise empty frame; results on the stack are dropped, so answers go through the request. Gives 0, or -1 with
 * *fault (code "script_error", "memory_limit" or what vm_raise carried; class SCRIPT unless raised otherwise; file
 * and line in the text) and vm->trouble. May be nested.
 */
int vm_protect(struct vm *vm, lua_CFunction body, void *request, struct fault *fault);
/*
 * The same within a limit (0: none), as watchdog.h measures it. Past it the call ends with SCRIPT "time_limit", whatever
 * the script catches, and the state is spent. Of nested calls the outermost's limit counts.
 */
int vm_protect_within(struct vm *vm, lua_CFunction body, void *request, uint32_t limit_ms, struct fault *fault);
static inline void *
vm_request(lua_State *L)
{
	return lua_touserdata(L, 1);
}

/*
 * Raises `fault` as a Lua error (its text, with the place of the calling Lua line before it). Class and code come out
 * of vm_protect unless the script caught the error. For C functions that Lua calls, and for bodies of vm_protect.
 */
_Noreturn void vm_raise(lua_State *L, const struct fault *fault);
/* The same from parts: vm_fail(L, FAULT_SCRIPT, "bad_result", "...", ...). Formats as printf does. */
_Noreturn void vm_fail(lua_State *L, enum fault_class class, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Condemns the call that runs, on its own thread: also from a signal handler there. */
void vm_kill(struct vm *vm);
/* The same for a coroutine that runs from here on; for whoever switches coroutines. */
void vm_arm(lua_State *L);
_Noreturn void vm_raise_killed(lua_State *L);
/* Looks at the clock where no watchdog does. */
void vm_look(lua_State *L);
static inline bool
vm_is_killed(lua_State *L)
{
	return atomic_load_explicit(&vm_of(L)->killed, memory_order_relaxed);
}
/* For loops in C that run no Lua: raises when the call is condemned. */
static inline void
vm_check(lua_State *L)
{
	if (vm_is_killed(L))
		vm_raise_killed(L);
	if (vm_of(L)->hooked)
		vm_look(L);
}

/* A bounded step of the collector, for idle moments. true when a cycle ended. Not inside vm_protect. */
bool vm_collect_step(struct vm *vm);
/* Bytes the state holds now. */
size_t vm_bytes(const struct vm *vm);

/*
 * Fills vm->trouble for the error value on top of the stack of L, at its raise (message handler) or after. Never runs
 * a metamethod. Exposed for loaders that get an error from sandbox_load instead of raising it.
 */
void vm_describe(lua_State *L);
/* Where L is now, as place and traceback; its other texts empty. Changes nothing in L, takes no memory. */
void vm_place(lua_State *L, struct vm_trouble *trouble);
/* Fills the excerpt for the place and the message that vm->trouble has. Touches no Lua. */
void vm_excerpt_trouble(struct vm *vm);
/*
 * The line with its number before it and a caret below: at `column` (from 0), or with SIZE_MAX under the name that
 * `message` has in quotes. "" when there is no such line. Touches no Lua.
 */
void vm_excerpt(struct slice source, int number, const char *message, size_t column, char *text, size_t size);

#endif
