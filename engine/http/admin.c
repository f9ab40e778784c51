/* SPDX-License-Identifier: MIT */
/*
 * The daemon's own socket: a table of verbs that the daemon brings. Quick ones run on the loop; slow ones on
 * the helper thread that the table names, so that who waits for history is in nobody's way; they come back through
 * the same mailbox as the engine's answers. The socket's file mode is the access control; nothing of this is reachable
 * from the public listeners.
 */
#include <pthread.h>

#include "http/conn.h"
#include "http/handlers.h"
#include "http/reply.h"

static int
run_verb(struct http_request *request)
{
	const struct http_admin_verb *verb = request->ask.job.verb;
	struct http_admin_call call = { .path = request->path,
					.query = request->query,
					.body = request->body,
					.out = &request->text,
					.status = 200 };
	int rc = verb->run(verb->self, &call, &request->ask.job.fault);
	request->ask.job.status = rc == 0 ? call.status : 0;
	return rc;
}

static void
answer_verb(struct http_request *request)
{
	if (request->ask.job.status == 0)
		http_reply_fault(request, &request->ask.job.fault);
	else
		http_reply_json(request, request->ask.job.status);
	http_conn_send(request);
}

static void *
help(void *self)
{
	struct http_helper *helper = self;
	struct mail *mail;
	while ((mail = mailbox_wait(&helper->jobs, -1)) != NULL) {
		for (struct mail *next; mail != NULL; mail = next) {
			next = mail->next;
			struct http_request *request = container_of(mail, struct http_request, ask.mail);
			run_verb(request);
			must(mailbox_give(&helper->http->box, &request->ask.mail));
		}
	}
	return NULL;
}

static bool
helper_runs(struct http_helper *helper)
{
	if (!helper->runs)
		helper->runs = pthread_create(&helper->thread, NULL, help, helper) == 0;
	return helper->runs;
}

static void
give_to_helper(struct http_request *request, struct http_helper *helper)
{
	request->inside = true;
	request->inside_count = NULL;
	request->answered = answer_verb;
	if (helper_runs(helper) && mailbox_give(&helper->jobs, &request->ask.mail))
		return;
	request->inside = false;
	http_reply_error(request, 503, "queue_full", "too many orders are waiting");
	http_conn_send(request);
}

static const struct http_admin_verb *
find_verb(const struct http *http, const struct http_request *request, bool *path_exists)
{
	for (size_t i = 0; i < http->verb_count; i++) {
		const struct http_admin_verb *verb = &http->verbs[i];
		struct slice path = slice_text(verb->path);
		bool here = path.size > 0 && path.data[path.size - 1] == '/' ? slice_starts_with(request->path, path)
									     : slice_equal(request->path, path);
		*path_exists = *path_exists || here;
		if (here && slice_equal(slice_text(verb->method), request->method_text))
			return verb;
	}
	return NULL;
}

void
http_admin(struct http_request *request)
{
	bool path_exists = false;
	const struct http_admin_verb *verb = find_verb(request->http, request, &path_exists);
	if (verb == NULL) {
		if (path_exists)
			http_reply_error(request, 405, "method_not_allowed", "this order does not take this method");
		else
			http_reply_error(request, 404, "no_such_order", "the daemon knows no such order");
		http_conn_send(request);
		return;
	}
	memset(&request->ask.job, 0, sizeof(request->ask.job));
	request->ask.job.verb = verb;
	buf_clear(&request->text);
	if (verb->helper != 0) {
		must(verb->helper <= HTTP_HELPERS);
		give_to_helper(request, &request->http->helpers[verb->helper - 1]);
		return;
	}
	run_verb(request);
	answer_verb(request);
}

void
http_admin_stop(struct http *http)
{
	for (size_t i = 0; i < HTTP_HELPERS; i++) {
		struct http_helper *helper = &http->helpers[i];

		if (!helper->runs)
			continue;
		mailbox_close(&helper->jobs);
		pthread_join(helper->thread, NULL);
		helper->runs = false;
	}
}
