/* SPDX-License-Identifier: MIT */
/*
 * The loop: sockets by libevent, answers of the engine by one mailbox behind one eventfd (one write wakes for a whole
 * group commit's answers), deadlines by a coarse tick that walks all connections. Stopping is a state of the loop: no
 * more accepting, idle connections go at once, the others with their answer, the rest at the end of the grace time.
 */
#include "http/server.h"

#include <errno.h>
#include <event2/thread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "http/address.h"
#include "http/conn.h"
#include "http/handlers.h"

#define WATCH_NS ((int64_t)400 * 1000) /* a sync of a good disk and the way there */

const char *
http_date(struct http *http)
{
	int64_t second = clock_wall_us(http->options.clock) / 1000000;
	if (second != http->date_second) {
		time_t now = (time_t)second;
		struct tm parts;
		gmtime_r(&now, &parts);
		strftime(http->date, sizeof(http->date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
		http->date_second = second;
	}
	return http->date;
}

void
http_wake(struct http *http)
{
	uint64_t one = 1;
	if (!atomic_exchange(&http->awake, true))
		(void)!write(http->wake_fd, &one, sizeof(one));
}

static void
wake_for_mail(void *self)
{
	http_wake(self);
}

static void
wake_for_growth(void *self)
{
	struct http *http = self;
	atomic_store(&http->log_grew, true);
	http_wake(http);
}

static void
begin_drain(struct http *http)
{
	http->draining = true;
	http->drain_end_ns = http_now(http) + (int64_t)atomic_load(&http->stop_grace_ms) * 1000000;
	for (struct http_listener *listener = http->listeners; listener != NULL; listener = listener->next) {
		event_del(&listener->accept);
		close(listener->fd);
		listener->fd = -1;
		if (listener->path != NULL)
			unlink(listener->path);
	}
	http_follow_grown(http);
}

static void
deliver(struct http_request *request)
{
	request->inside = false;
	if (request->inside_count != NULL)
		(*request->inside_count)--;
	request->inside_count = NULL;
	if (request->conn == NULL)
		http_request_give_back(request);
	else
		request->answered(request);
}

static void
on_wake(evutil_socket_t fd, short what, void *self)
{
	uint64_t count;
	(void)what;
	(void)self;
	(void)!read(fd, &count, sizeof(count));
}

/* What others left for the loop. */
static void
look(struct http *http)
{
	for (struct mail *mail = mailbox_take(&http->box), *next; mail != NULL; mail = next) {
		next = mail->next;
		deliver(container_of(mail, struct http_request, ask.mail));
	}
	if (atomic_exchange(&http->log_grew, false))
		http_follow_grown(http);
	if (atomic_load(&http->stop) && !http->draining)
		begin_drain(http);
}

static void
on_tick(evutil_socket_t fd, short what, void *self)
{
	struct http *http = self;
	int64_t now = http_now(http);
	(void)fd;
	(void)what;
	http_conn_sweep(http, now);
	http_follow_keep_alive(http, now);
	if (http->accept_again_ns != 0 && now >= http->accept_again_ns && !http->draining) {
		http->accept_again_ns = 0;
		for (struct http_listener *listener = http->listeners; listener != NULL; listener = listener->next)
			event_add(&listener->accept, NULL);
	}
	if (http->draining && http->conns == NULL)
		http->ended = true;
}

static struct event_base *
make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;
	if (config != NULL) {
		/* Only the loop's own thread touches the base: others wake it through the eventfd. */
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	return base;
}

static int
add_events(struct http *http)
{
	struct timeval tick = { 0, HTTP_TICK_MS * 1000 };
	http->wake = event_new(http->base, http->wake_fd, EV_READ | EV_PERSIST, on_wake, http);
	http->tick = event_new(http->base, -1, EV_PERSIST, on_tick, http);
	if (http->wake == NULL || http->tick == NULL)
		return -1;
	return event_add(http->wake, NULL) == 0 && event_add(http->tick, &tick) == 0 ? 0 : -1;
}

int
http_open(const struct http_options *options, struct http **result, struct fault *fault)
{
	struct http *http = calloc(1, sizeof(*http));
	if (http == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the HTTP server");
	http->options = *options;
	if (http->options.limits.request_line == 0)
		http_limits_defaults(&http->options.limits);
	http->waker = (struct waker){ wake_for_mail, http };
	mailbox_init(&http->box, 0, &http->waker);
	spin_init(&http->spin, http->options.clock, WATCH_NS);
	for (size_t i = 0; i < HTTP_HELPERS; i++) {
		http->helpers[i].http = http;
		mailbox_init(&http->helpers[i].jobs, 64, NULL);
	}
	http->watch.waker = (struct waker){ wake_for_growth, http };
	http->dispatch = http_route;
	http->dispatch_admin = http_admin;
	http->base = make_base();
	http->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (http->base == NULL || http->wake_fd < 0 || add_events(http) != 0) {
		int number = errno;
		http_close(http);
		return fault_errno(fault, FAULT_AWAY, number, "the HTTP server's event loop");
	}
	*result = http;
	return 0;
}

const char *
http_address(const struct http *http)
{
	return http->address;
}

/* A lone command is answered about when its sync ends: worth watching for. With more, sockets are worth more. */
static void
watch_for_answer(struct http *http)
{
	if (http->commands_inside != 1 || http->reads_inside != 0 || !spin_watch(&http->spin, &http->box))
		return;
	spin_end(&http->spin);
	look(http);
}

/*
 * `awake` is taken back before the last look at the mail, so that what comes later wakes the loop and what came earlier
 * is seen.
 */
void
http_run(struct http *http)
{
	while (!http->ended) {
		watch_for_answer(http);
		atomic_store(&http->awake, false);
		bool more = mailbox_count(&http->box) != 0 || atomic_load(&http->log_grew) ||
			    (atomic_load(&http->stop) && !http->draining);
		event_base_loop(http->base, (more ? EVLOOP_NONBLOCK : EVLOOP_ONCE) | EVLOOP_NO_EXIT_ON_EMPTY);
		http_stir(http);
		if (mailbox_count(&http->box) != 0)
			spin_end(&http->spin);
		look(http);
	}
	if (http->watching)
		engine_watch_remove(http->options.engine, &http->watch);
	http->watching = false;
}

void
http_stop(struct http *http, unsigned grace_ms)
{
	uint64_t one = 1;
	int kept = errno;
	atomic_store(&http->stop_grace_ms, grace_ms);
	atomic_store(&http->stop, true);
	(void)!write(http->wake_fd, &one, sizeof(one));
	errno = kept;
}

static void
close_listeners(struct http *http)
{
	for (struct http_listener *listener = http->listeners, *next; listener != NULL; listener = next) {
		next = listener->next;
		if (listener->fd >= 0) {
			event_del(&listener->accept);
			close(listener->fd);
			if (listener->path != NULL)
				unlink(listener->path);
		}
		free(listener->path);
		free(listener);
	}
}

void
http_close(struct http *http)
{
	if (http == NULL)
		return;
	http_admin_stop(http);
	while (http->conns != NULL)
		http_conn_drop(http->conns);
	for (struct mail *mail = mailbox_take(&http->box), *next; mail != NULL; mail = next) {
		next = mail->next;
		deliver(container_of(mail, struct http_request, ask.mail));
	}
	for (struct http_request *request = http->pool, *next; request != NULL; request = next) {
		next = request->next_free;
		http_request_free(request);
	}
	close_listeners(http);
	http_address_fini(http);
	if (http->wake != NULL)
		event_free(http->wake);
	if (http->tick != NULL)
		event_free(http->tick);
	if (http->base != NULL)
		event_base_free(http->base);
	if (http->wake_fd >= 0)
		close(http->wake_fd);
	for (size_t i = 0; i < HTTP_HELPERS; i++)
		mailbox_fini(&http->helpers[i].jobs);
	mailbox_fini(&http->box);
	free(http);
}
