/* SPDX-License-Identifier: MIT */
/*
 * The node is wrapped for the time of the ask: a copy goes in together with a lock, and comes back when it
 * is answered.
 */
#include "daemon/ask.h"

#include <pthread.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool open;
};

struct asked_command {
	struct engine_command command;
	struct gate gate;
};

struct asked_read {
	struct engine_read read;
	struct gate gate;
};

struct asked_reload {
	struct engine_reload reload;
	struct gate gate;
};

static void
gate_init(struct gate *gate)
{
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->opened, NULL);
	gate->open = false;
}

static void
gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->open = true;
	pthread_cond_signal(&gate->opened);
	pthread_mutex_unlock(&gate->lock);
}

static void
gate_pass(struct gate *gate, bool wait)
{
	pthread_mutex_lock(&gate->lock);
	while (wait && !gate->open)
		pthread_cond_wait(&gate->opened, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
	pthread_cond_destroy(&gate->opened);
	pthread_mutex_destroy(&gate->lock);
}

static void
command_done(struct engine_command *command)
{
	gate_open(&container_of(command, struct asked_command, command)->gate);
}

static void
read_done(struct engine_read *read)
{
	gate_open(&container_of(read, struct asked_read, read)->gate);
}

void
ask_execute(struct engine *engine, struct engine_command *command)
{
	struct asked_command asked = { .command = *command };

	asked.command.done = command_done;
	gate_init(&asked.gate);
	gate_pass(&asked.gate, engine_execute(engine, &asked.command));
	*command = asked.command;
}

void
ask_read(struct engine *engine, struct engine_read *read)
{
	struct asked_read asked = { .read = *read };

	asked.read.done = read_done;
	gate_init(&asked.gate);
	gate_pass(&asked.gate, engine_read(engine, &asked.read));
	*read = asked.read;
}

static void
reload_done(struct engine_reload *reload)
{
	gate_open(&container_of(reload, struct asked_reload, reload)->gate);
}

void
ask_reload(struct engine *engine, struct engine_reload *reload)
{
	struct asked_reload asked = { .reload = *reload };

	asked.reload.done = reload_done;
	gate_init(&asked.gate);
	gate_pass(&asked.gate, engine_reload(engine, &asked.reload));
	*reload = asked.reload;
}
