/* SPDX-License-Identifier: MIT */
/*
 * Promises: a call that is past its limit is condemned within two ticks; no call is condemned for another's time; the
 * signal reaches only threads that run scripts, and does nothing there outside of the call that it was meant for.
 *
 * A thread that calls scripts has a slot for life. `call` counts up at each beginning and end and is odd in between, so
 * that "this call" has a name: the watchdog writes it into `condemned` before it signals, and the handler compares. A
 * signal that comes late finds another number and is forgotten.
 *
 * The watchdog sees a call first at most a tick after its beginning and samples the thread's processor clock then.
 * Calls are far shorter than a tick as a rule, so no call reads a clock for it. When nothing ran for a while it
 * sleeps; the next call wakes it, by the usual exchange: the call stores `call` and then looks at `asleep`, the
 * watchdog stores `asleep` and then looks at all `call`s.
 *
 * A call that goes on is signalled again, after ever longer pauses: setting a hook walks all frames of a deep stack,
 * and signals that come faster than they are handled would leave the call no time to end.
 *
 * A slot stays on the list for ever and is used again after its thread has ended: the list can be walked under its lock
 * while threads come and go, and pthread_kill never meets a thread that is gone.
 */
#include "script/lua/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "script/lua/lua_room.h"
#include "script/lua/vm.h"

#define TICK_NS     ((int64_t)5 * 1000 * 1000)
#define AGAIN_NS    (4 * TICK_NS)
#define QUIET_TICKS 20

struct slot {
	_Atomic uint64_t call; /* odd: inside */
	_Atomic uint64_t condemned;
	_Atomic(struct vm *) vm;
	_Atomic uint32_t limit_ms;
	struct slot *next;
	int unblocked; /* the signal that its thread takes */
	/* under the lock */
	bool used;
	pthread_t thread;
	int thread_clock;
	/* the watchdog's */
	uint64_t seen;
	int64_t seen_ns;
	int64_t seen_thread_ns;
	int64_t told_ns; /* when it was signalled last; 0: not yet */
	int64_t again_ns;
};

static struct {
	pthread_mutex_t lock; /* slots and starting; never held while Lua runs */
	struct slot *slots;
	pthread_key_t key;
	bool has_key;
	unsigned started;
	_Atomic int signal; /* 0: no watchdog */
	struct sigaction before;
	pthread_t thread;
	struct mailbox box;
	_Atomic bool asleep;
} watchdog = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Read by the handler: nothing may be allocated for it there. */
static _Thread_local struct slot *own __attribute__((tls_model("initial-exec")));

/* ---- the signalled thread ---- */

static void
on_signal(int number)
{
	int before = errno;
	struct slot *slot = own;

	(void)number;
	if (slot != NULL && atomic_load(&slot->condemned) == atomic_load(&slot->call))
		vm_kill(atomic_load(&slot->vm));
	errno = before;
}

static void
thread_ends(void *self)
{
	struct slot *slot = self;

	pthread_mutex_lock(&watchdog.lock);
	own = NULL;
	slot->used = false;
	pthread_mutex_unlock(&watchdog.lock);
}

static void
unblock(struct slot *slot)
{
	sigset_t set;

	slot->unblocked = atomic_load(&watchdog.signal);
	sigemptyset(&set);
	sigaddset(&set, slot->unblocked);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static struct slot *
slot_take(void)
{
	struct slot *slot;

	pthread_mutex_lock(&watchdog.lock);
	slot = watchdog.slots;
	while (slot != NULL && slot->used)
		slot = slot->next;
	if (slot == NULL && (slot = calloc(1, sizeof *slot)) != NULL) {
		slot->next = watchdog.slots;
		watchdog.slots = slot;
	}
	if (slot != NULL) {
		slot->used = true;
		slot->unblocked = 0;
		slot->thread = pthread_self();
		slot->thread_clock = clock_thread_self();
	}
	pthread_mutex_unlock(&watchdog.lock);
	if (slot == NULL || pthread_setspecific(watchdog.key, slot) != 0)
		return NULL;
	own = slot;
	return slot;
}

static void
publish(struct slot *slot, struct vm *vm, uint32_t limit_ms)
{
	atomic_store_explicit(&slot->vm, vm, memory_order_relaxed);
	atomic_store_explicit(&slot->limit_ms, limit_ms, memory_order_relaxed);
	atomic_store(&slot->call, (atomic_load_explicit(&slot->call, memory_order_relaxed) + 1) | 1);
	if (atomic_load(&watchdog.asleep) && atomic_exchange(&watchdog.asleep, false))
		mailbox_nudge(&watchdog.box);
}

int
watchdog_enter(struct vm *vm, uint32_t limit_ms, struct watchdog_outer *outer, struct fault *fault)
{
	struct slot *slot = own;

	if (slot == NULL && (slot = slot_take()) == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to watch a thread");
	if (slot->unblocked != atomic_load_explicit(&watchdog.signal, memory_order_relaxed))
		unblock(slot);
	*outer = (struct watchdog_outer){ 0 };
	if ((atomic_load_explicit(&slot->call, memory_order_relaxed) & 1) != 0)
		*outer = (struct watchdog_outer){ atomic_load_explicit(&slot->vm, memory_order_relaxed),
						  atomic_load_explicit(&slot->limit_ms, memory_order_relaxed) };
	publish(slot, vm, limit_ms);
	return 0;
}

void
watchdog_leave(const struct watchdog_outer *outer)
{
	struct slot *slot = own;

	atomic_store_explicit(&slot->call, atomic_load_explicit(&slot->call, memory_order_relaxed) + 1,
			      memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (outer->vm != NULL)
		publish(slot, outer->vm, outer->limit_ms);
}

/* ---- the watchdog's thread ---- */

/* Is the call that runs there past its limit? */
static bool
is_over(const struct slot *slot, int64_t now_ns, int64_t limit_ns)
{
	int64_t passed_ns = now_ns - slot->seen_ns;

	if (passed_ns < limit_ns)
		return false;
	return passed_ns >= WATCHDOG_PATIENCE * limit_ns ||
	       clock_thread_ns(slot->thread_clock) - slot->seen_thread_ns >= limit_ns - TICK_NS;
}

/* Gives true while a call runs there. */
static bool
look_at(struct slot *slot, int64_t now_ns)
{
	uint64_t call = atomic_load(&slot->call);
	int64_t limit_ns = (int64_t)atomic_load(&slot->limit_ms) * 1000000;

	if ((call & 1) == 0)
		return false;
	if (call != slot->seen) {
		slot->seen = call;
		slot->seen_ns = now_ns;
		slot->told_ns = 0;
		slot->again_ns = AGAIN_NS;
		slot->seen_thread_ns = clock_thread_ns(slot->thread_clock);
	} else if (now_ns - slot->told_ns >= slot->again_ns && is_over(slot, now_ns, limit_ns)) {
		slot->again_ns = slot->told_ns != 0 ? 2 * slot->again_ns : AGAIN_NS;
		slot->told_ns = now_ns;
		atomic_store(&slot->condemned, call);
		pthread_kill(slot->thread, atomic_load(&watchdog.signal));
	}
	return true;
}

static bool
look_around(void)
{
	int64_t now_ns = clock_mono_ns(clock_real());
	bool busy = false;

	pthread_mutex_lock(&watchdog.lock);
	for (struct slot *slot = watchdog.slots; slot != NULL; slot = slot->next)
		if (slot->used)
			busy |= look_at(slot, now_ns);
	pthread_mutex_unlock(&watchdog.lock);
	return busy;
}

static void *
watchdog_main(void *self)
{
	unsigned quiet = 0;

	(void)self;
	pthread_setname_np(pthread_self(), "watchdog");
	while (!mailbox_is_closed(&watchdog.box)) {
		quiet = look_around() ? 0 : quiet + 1;
		if (quiet < QUIET_TICKS) {
			mailbox_wait(&watchdog.box, TICK_NS);
			continue;
		}
		atomic_store(&watchdog.asleep, true);
		if (!look_around())
			mailbox_wait(&watchdog.box, -1);
		atomic_store(&watchdog.asleep, false);
		quiet = 0;
	}
	return NULL;
}

/* ---- starting and stopping ---- */

static int
take_signal(int number, struct fault *fault)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigfillset(&action.sa_mask);
	if (sigaction(number, NULL, &watchdog.before) != 0)
		return fault_set(fault, FAULT_CONFIG, "bad_signal", "%d is no signal for the watchdog", number);
	if (watchdog.before.sa_handler != SIG_DFL && watchdog.before.sa_handler != SIG_IGN)
		return fault_set(fault, FAULT_CONFIG, "signal_taken", "signal %d has a handler already", number);
	if (sigaction(number, &action, NULL) != 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "signal %d cannot be taken for the watchdog", number);
	return 0;
}

/* Under the lock. */
static int
start(int number, struct fault *fault)
{
	sigset_t set;
	int error;

	if (!watchdog.has_key && pthread_key_create(&watchdog.key, thread_ends) != 0)
		return fault_set(fault, FAULT_MEMORY, "memory", "no key for the watchdog's threads");
	watchdog.has_key = true;
	if (take_signal(number, fault) != 0)
		return -1;
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (own != NULL)
		own->unblocked = 0;
	mailbox_init(&watchdog.box, 0, NULL);
	atomic_store(&watchdog.asleep, false);
	atomic_store(&watchdog.signal, number);
	error = pthread_create(&watchdog.thread, NULL, watchdog_main, NULL);
	if (error == 0)
		return 0;
	atomic_store(&watchdog.signal, 0);
	mailbox_fini(&watchdog.box);
	sigaction(number, &watchdog.before, NULL);
	return fault_errno(fault, FAULT_MEMORY, error, "the watchdog's thread cannot be started");
}

int
moon_watchdog_start(int number, struct fault *fault)
{
	int result = 0;

	pthread_mutex_lock(&watchdog.lock);
	if (watchdog.started == 0)
		result = start(number, fault);
	else if (number != atomic_load(&watchdog.signal))
		result = fault_set(fault, FAULT_CONFIG, "signal_taken", "the watchdog uses signal %d already",
				   atomic_load(&watchdog.signal));
	watchdog.started += result == 0;
	pthread_mutex_unlock(&watchdog.lock);
	return result;
}

void
moon_watchdog_stop(void)
{
	bool last;

	pthread_mutex_lock(&watchdog.lock);
	must(watchdog.started > 0);
	last = --watchdog.started == 0;
	pthread_mutex_unlock(&watchdog.lock);
	if (!last)
		return;
	mailbox_close(&watchdog.box);
	pthread_join(watchdog.thread, NULL);
	mailbox_fini(&watchdog.box);
	sigaction(atomic_load(&watchdog.signal), &watchdog.before, NULL);
	atomic_store(&watchdog.signal, 0);
}

bool
watchdog_runs(void)
{
	return atomic_load_explicit(&watchdog.signal, memory_order_relaxed) != 0;
}
