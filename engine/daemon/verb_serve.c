/* SPDX-License-Identifier: MIT */
/*
 * The daemon. The main thread opens everything in order, then only waits for a reason to stop; HTTP's loop has a thread
 * of its own. Stopping goes the other way round: no new connection, what is inside is answered, the engine is drained,
 * then closed, then the rest. A store that can take no more commits ends the daemon with 70 in the same order.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/probe.h"
#include "daemon/admin_reload.h"
#include "daemon/brokers.h"
#include "daemon/floors.h"
#include "daemon/listen.h"
#include "daemon/serve.h"
#include "daemon/setup.h"
#include "daemon/signals.h"

#define PATH_SIZE        4096
#define DESCRIPTORS_OURS 256 /* stores, read models, sockets of our own */

struct daemon {
	struct config config;
	const char *directory;
	struct signals signals;
	struct brokers brokers;
	struct wire wire;
	struct http *http;
	struct admin admin;
	const struct serve_hooks *hooks;
	bool told; /* of being ready */
	pthread_t loop;
	bool looping;
	char address_path[PATH_SIZE];
	uint64_t most_connections; /* as many as there are descriptors for */
};

static void
on_fatal(void *self, const struct fault *fault)
{
	struct daemon *daemon = self;

	log_fault(LOG_ERROR, "the store takes no more commits", fault);
	signals_tell(&daemon->signals, SIGNALS_FATAL);
}

static void
on_asked(void *self)
{
	struct daemon *daemon = self;

	signals_tell(&daemon->signals, SIGNALS_ASKED);
}

static void *
loop_main(void *self)
{
	http_run(self);
	return NULL;
}

static int
read_environment(const struct call *call, struct fault *fault)
{
	const char *probe = getenv("MOONLOG_PROBE"), *stray;
	size_t at = 0;

	if (probe != NULL && probe_setup(probe) != 0)
		return fault_set(fault, FAULT_CONFIG, "bad_configuration", "MOONLOG_PROBE: cannot be understood");
	while ((stray = config_stray(call->environment, &at)) != NULL)
		log_line(LOG_WARN, "a variable means nothing",
			 log_slice("variable", slice_from(stray, strcspn(stray, "="))));
	return 0;
}

/* Each connection is a descriptor, and most shells begin with 1,024. Where the system gives fewer, connections are the
 * ones to do without: a reload, a backup and the read models that it makes open files, too. */
static void
raise_descriptors(struct daemon *daemon)
{
	const struct config *config = &daemon->config;
	rlim_t wanted = DESCRIPTORS_OURS, connections = 0;
	struct rlimit limit;

	for (size_t i = 0; i < http_limits_count; i++) {
		if (strcmp(http_limits_table[i].name, "connections") == 0)
			connections = (rlim_t)config_integer(config, CONFIG_HTTP + i);
	}
	wanted += connections;
	daemon->most_connections = connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= wanted)
		return;
	daemon->most_connections =
		limit.rlim_cur > DESCRIPTORS_OURS * 4 / 3 ? limit.rlim_cur - DESCRIPTORS_OURS : limit.rlim_cur / 4 + 1;
	log_line(LOG_WARN, "fewer file descriptors than http.connections wants: fewer connections are taken",
		 log_int("descriptors", (int64_t)limit.rlim_cur), log_int("wanted", (int64_t)wanted),
		 log_int("connections", (int64_t)daemon->most_connections));
}

/* A daemon that was killed left its address behind; we hold its lock now. */
static void
forget_address(struct daemon *daemon)
{
	snprintf(daemon->address_path, sizeof(daemon->address_path), "%s/moonlog.address", daemon->directory);
	unlink(daemon->address_path);
}

/* Written under another name first: whoever sees the file sees a whole line. */
static int
write_address(struct daemon *daemon, struct fault *fault)
{
	char fresh[PATH_SIZE + 8];

	snprintf(fresh, sizeof(fresh), "%s.new", daemon->address_path);
	FILE *file = fopen(fresh, "we");
	if (file == NULL)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s", fresh);
	bool written = fprintf(file, "%s\n", http_address(daemon->http)) > 0;
	written = fclose(file) == 0 && written;
	if (!written || rename(fresh, daemon->address_path) != 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s", daemon->address_path);
	return 0;
}

static int
open_http(struct daemon *daemon, struct fault *fault)
{
	const struct config_value *listen = &daemon->config.values[CONFIG_LISTEN];
	bool development = config_integer(&daemon->config, CONFIG_DEVELOPMENT) != 0;
	struct http_options options = {
		.engine = daemon->wire.engine,
		.clock = clock_real(),
		.entropy = entropy_real(),
		.environment = slice_text(development ? "development" : "production"),
	};
	char path[PATH_SIZE];

	setup_http(&daemon->config, &options.limits);
	options.limits.connections = daemon->most_connections;
	if (http_open(&options, &daemon->http, fault) != 0)
		return -1;
	for (size_t i = 0; i < listen->item_count; i++) {
		if (http_listen(daemon->http, listen->items[i], fault) != 0)
			return -1;
	}
	daemon->admin = (struct admin){
		.engine = daemon->wire.engine,
		.address = http_address(daemon->http),
		.started_ns = clock_mono_ns(clock_real()),
		.stop = on_asked,
		.self = daemon,
	};
	admin_open(&daemon->admin);
	snprintf(path, sizeof(path), "%s/moonlog.sock", daemon->directory);
	return http_listen_admin(daemon->http, path, daemon->admin.verbs, ADMIN_VERBS, fault);
}

static int
start(struct daemon *daemon, const struct call *call, struct fault *fault)
{
	struct wire_options options;

	/* Before anything is made: a wrong command line leaves no directory behind. */
	if (daemon->config.values[CONFIG_DOMAINS].item_count == 0)
		return fault_set(fault, FAULT_CONFIG, "usage", "no domain is given: name at least one folder");
	if (call_data(&daemon->config, &daemon->directory, fault) != 0 || floors_check(fault) != 0 ||
	    listen_check(&daemon->config, fault) != 0 || read_environment(call, fault) != 0 ||
	    signals_open(&daemon->signals, fault) != 0)
		return -1;
	setup_wire(&daemon->config, &options);
	brokers_setup(&daemon->brokers, &daemon->config, &options);
	options.data = daemon->directory;
	options.fatal = on_fatal;
	options.self = daemon;
	raise_descriptors(daemon);
	if (wire_open(&daemon->wire, &options, fault) != 0)
		return -1;
	forget_address(daemon);
	if (setup_domains(&daemon->config, &daemon->wire, fault) != 0 ||
	    engine_start(daemon->wire.engine, fault) != 0 || open_http(daemon, fault) != 0)
		return -1;
	if (pthread_create(&daemon->loop, NULL, loop_main, daemon->http) != 0)
		return fault_set(fault, FAULT_MEMORY, "memory", "no thread for HTTP");
	daemon->looping = true;
	if (write_address(daemon, fault) != 0)
		return -1;
	log_line(LOG_INFO, "listening", log_text("address", http_address(daemon->http)),
		 log_text("data", daemon->directory), log_int("pid", getpid()),
		 log_int("head", (int64_t)engine_head(daemon->wire.engine)));
	if (daemon->hooks == NULL || daemon->hooks->ready == NULL)
		return 0;
	daemon->told = true;
	return daemon->hooks->ready(daemon->hooks->self, daemon->wire.engine, http_address(daemon->http), fault);
}

static enum exit_code
wait_for_end(struct daemon *daemon)
{
	for (;;) {
		switch (signals_wait(&daemon->signals)) {
		case SIGNALS_HANGUP:
			log_line(LOG_INFO, "SIGHUP: the domains' folders are looked at", log_int("pid", getpid()));
			admin_reload_all(daemon->wire.engine);
			continue;
		case SIGNALS_FATAL:
			return EXIT_STORE_FAILED;
		case SIGNALS_STOP:
		case SIGNALS_ASKED:
			return EXIT_DONE;
		}
	}
}

static void
stop(struct daemon *daemon)
{
	int64_t grace_ns = config_integer(&daemon->config, CONFIG_DRAIN_SECONDS) * 1000000000;
	int64_t deadline_ns = clock_mono_ns(clock_real()) + grace_ns;

	signals_second_ends();
	if (daemon->told && daemon->hooks->stopping != NULL)
		daemon->hooks->stopping(daemon->hooks->self);
	if (daemon->wire.engine != NULL)
		engine_hurry(daemon->wire.engine);
	if (daemon->looping) {
		http_stop(daemon->http, (unsigned)(grace_ns / 1000000));
		pthread_join(daemon->loop, NULL);
	}
	if (daemon->wire.engine != NULL && !engine_drain(daemon->wire.engine, deadline_ns))
		log_line(LOG_WARN, "stopping with work undone", log_int("drain_seconds", grace_ns / 1000000000));
	if (daemon->http != NULL)
		http_admin_stop(daemon->http); /* its orders use the engine and the store */
	wire_close(&daemon->wire);
	brokers_close(&daemon->brokers);
	if (daemon->http != NULL)
		http_close(daemon->http);
	if (daemon->address_path[0] != '\0')
		unlink(daemon->address_path);
}

enum exit_code
serve_run(struct call *call, const struct serve_hooks *hooks)
{
	struct daemon daemon = { .signals = { -1, -1, -1 }, .hooks = hooks };
	struct fault fault;
	enum exit_code code;

	if (call_config(call, &daemon.config, &fault) != 0) {
		code = exit_say(&fault);
		goto out;
	}
	setup_log(&daemon.config);
	if (start(&daemon, call, &fault) == 0) {
		code = wait_for_end(&daemon);
		log_line(LOG_INFO, "stopping", log_int("code", code));
	} else {
		code = exit_say(&fault);
	}
	stop(&daemon);
	/* The store may also fail while the last commands are drained. */
	if (atomic_load(&daemon.signals.told) == SIGNALS_FATAL)
		code = EXIT_STORE_FAILED;
	signals_close(&daemon.signals);
out:
	config_fini(&daemon.config);
	return code;
}

enum exit_code
verb_serve(struct call *call)
{
	call_domains(call);
	return serve_run(call, NULL);
}
