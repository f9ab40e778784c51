/* SPDX-License-Identifier: MIT */
/*
 * `projection list|builds|rebuild|retry|skip`. Orders go through the door; then the list is asked again and again until
 * the projection stands where the order wanted it; of a rebuild, what is told of read models that are being made.
 * Without a daemon the list is read from the read models themselves.
 */
#include <stdio.h>
#include <time.h>

#include "daemon/building.h"
#include "daemon/client.h"
#include "daemon/door.h"
#include "daemon/print.h"
#include "daemon/reading.h"
#include "daemon/rules.h"
#include "view/sqlite/view_sqlite.h"

#define OUT_MAX   ((size_t)16 << 20)
#define POLL_NS   100000000L
#define PATH_SIZE 4096

/* One projection of the list. */
struct shown {
	struct slice domain;
	struct slice name;
	struct slice state;
	struct slice reason;      /* raw JSON, like the next two */
	struct slice rebuilt;     /* what the last rebuild of a part came to */
	struct slice not_rebuilt; /* or why it was not done */
	uint64_t position;
	uint64_t head;
	uint64_t rate;
	uint64_t poison;
	int64_t behind_us;
	struct json_value build; /* an object where rows are, or were last, made beside */
};

static struct slice
member_text(struct json_value object, const char *key)
{
	struct json_value member;

	if (!json_member(object, slice_text(key), &member))
		return SLICE_NONE;
	if (member.kind == JSON_STRING)
		return slice_from(member.raw.data + 1, member.raw.size - 2);
	return member.raw;
}

static uint64_t
member_number(struct json_value object, const char *key)
{
	uint64_t number = 0;

	if (!slice_to_u64(member_text(object, key), &number))
		return 0;
	return number;
}

static struct shown
read_shown(struct json_value item)
{
	struct shown shown = {
		.domain = member_text(item, "domain"),
		.name = member_text(item, "name"),
		.state = member_text(item, "state"),
		.reason = member_text(item, "reason"),
		.rebuilt = member_text(item, "rebuilt"),
		.not_rebuilt = member_text(item, "not_rebuilt"),
		.position = member_number(item, "position"),
		.head = member_number(item, "head"),
		.rate = member_number(item, "rate"),
		.poison = member_number(item, "poison"),
	};

	shown.behind_us = (int64_t)member_number(item, "behind_us");
	if (!json_member(item, SLICE("build"), &shown.build))
		shown.build.kind = JSON_NULL;
	return shown;
}

static bool
state_is(const struct shown *shown, const char *state)
{
	return slice_equal(shown->state, slice_text(state));
}

/* ---- list ---- */

/* Rows that are being made beside, or that were given up: what is read is not what the rules of now would give. */
static void
print_build(struct json_value build, struct buf *out)
{
	struct slice state = member_text(build, "state"), left = member_text(build, "seconds_left");

	if (slice_equal(state, SLICE("live")) || slice_equal(state, SLICE("replaced")))
		return;
	buf_format(out, "; build %llu by generation %llu ", (unsigned long long)member_number(build, "build"),
		   (unsigned long long)member_number(build, "generation"));
	if (slice_equal(state, SLICE("given_up"))) {
		buf_format(out, "was given up: %.*s", SLICE_ARG(member_text(build, "reason")));
		return;
	}
	buf_format(out, "%.*s", SLICE_ARG(state));
	if (member_text(build, "position").size != 0)
		buf_format(out, ": %llu of %llu", (unsigned long long)member_number(build, "position"),
			   (unsigned long long)member_number(build, "head"));
	if (member_number(build, "rate") != 0)
		buf_format(out, ", %llu a second", (unsigned long long)member_number(build, "rate"));
	if (left.size != 0)
		buf_format(out, ", %.*s s left", SLICE_ARG(left));
}

static void
print_shown(const struct shown *shown, struct buf *out)
{
	char name[2 * STREAM_WORD_MAX + 2];

	snprintf(name, sizeof(name), "%.*s.%.*s", SLICE_ARG(shown->domain), SLICE_ARG(shown->name));
	buf_format(out, "%-32s %-12.*s %llu of %llu", name, SLICE_ARG(shown->state),
		   (unsigned long long)shown->position, (unsigned long long)shown->head);
	if (shown->behind_us > 0)
		buf_format(out, ", %.1f s behind", (double)shown->behind_us / 1e6);
	if (state_is(shown, "stopped"))
		buf_format(out, ", at %llu: %.*s", (unsigned long long)shown->poison, SLICE_ARG(shown->reason));
	else if (shown->reason.size != 0)
		buf_format(out, ", waits: %.*s", SLICE_ARG(shown->reason));
	if (shown->build.kind == JSON_OBJECT)
		print_build(shown->build, out);
	buf_byte(out, '\n');
}

static int
print_list(const struct call *call, struct slice answer, struct fault *fault)
{
	struct json_value list, item;
	struct json_iter iter;
	struct slice key;
	struct buf out;

	if (json_check(answer, &list, fault) != 0)
		return -1;
	buf_init(&out, OUT_MAX);
	json_iter(&iter, list);
	while (json_next(&iter, &key, &item)) {
		struct shown shown = read_shown(item);
		if (call_has(call, OPTION_JSON))
			buf_format(&out, "%.*s\n", SLICE_ARG(item.raw));
		else
			print_shown(&shown, &out);
	}
	print_out(&out);
	buf_fini(&out);
	return 0;
}

static void
add_checkpoint(const struct reading *reading, struct slice domain, struct slice name,
	       const struct view_checkpoint *checkpoint, struct buf *out)
{
	json_comma(out);
	buf_text(out, "{\"domain\":");
	json_quote(out, domain);
	json_key(out, "name");
	json_quote(out, name);
	buf_format(out, ",\"state\":\"%s\",\"position\":%llu,\"head\":%llu",
		   checkpoint->stopped ? "stopped" : "not running", (unsigned long long)checkpoint->position,
		   (unsigned long long)store_head(reading->store));
	if (checkpoint->stopped) {
		buf_format(out, ",\"poison\":%llu", (unsigned long long)checkpoint->poison);
		json_key(out, "reason");
		json_quote(out, checkpoint->reason);
	}
	buf_byte(out, '}');
}

/* The checkpoints of one domain, from its read model; a model that was never made stands at 0. */
static int
add_domain(struct reading *reading, struct slice domain, struct buf *out, struct fault *fault)
{
	struct rules rules;
	struct view *view = NULL;
	char path[PATH_SIZE];
	int result = -1;

	if (rules_find(&rules, &reading->config, reading->reader, domain, fault) != 0)
		goto out;
	const struct script_program *program = rules.program;
	snprintf(path, sizeof(path), "%s/views/%.*s.db", reading->directory, SLICE_ARG(domain));
	if (view_sqlite_open(path, true, program->tables, program->table_count, &view, fault) != 0)
		view = NULL;
	for (size_t i = 0; i < program->projection_count; i++) {
		struct view_checkpoint checkpoint = { 0 };
		bool found;
		if (view != NULL &&
		    view_checkpoint(view, program->projections[i].name, &rules.arena, &checkpoint, &found, fault) != 0)
			goto out;
		add_checkpoint(reading, domain, program->projections[i].name, &checkpoint, out);
	}
	result = 0;
out:
	view_close(view);
	rules_close(&rules);
	return result;
}

static int
list_here(struct reading *reading, struct buf *out, struct fault *fault)
{
	struct slice *domains;
	size_t count;

	if (reading_open_config(reading, fault) != 0 ||
	    rules_domains(reading->reader, &reading->arena, &domains, &count, fault) != 0)
		return -1;
	buf_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (add_domain(reading, domains[i], out, fault) != 0)
			return -1;
	}
	buf_byte(out, ']');
	return 0;
}

enum exit_code
verb_projection_list(struct call *call)
{
	struct reading reading = { 0 };
	struct fault fault;
	const char *directory;
	struct buf answer;
	enum exit_code code = EXIT_DONE;
	int result = -1;

	buf_init(&answer, OUT_MAX);
	if (call_config(call, &reading.config, &fault) == 0 && call_data(&reading.config, &directory, &fault) == 0)
		result = client_reaches(directory)
				 ? client_ask(directory, "GET", "/admin/projections", SLICE_NONE, &answer, &fault)
				 : list_here(&reading, &answer, &fault);
	if (result != 0 || print_list(call, buf_slice(&answer), &fault) != 0)
		code = exit_say(&fault);
	reading_close(&reading);
	buf_fini(&answer);
	return code;
}

/* ---- builds ---- */

static int
print_builds(const struct call *call, struct slice answer, struct fault *fault)
{
	struct json_value list, item;
	struct json_iter iter;
	struct slice key;
	struct buf out;

	if (json_check(answer, &list, fault) != 0)
		return -1;
	buf_init(&out, OUT_MAX);
	json_iter(&iter, list);
	while (json_next(&iter, &key, &item)) {
		if (call_has(call, OPTION_JSON))
			buf_format(&out, "%.*s\n", SLICE_ARG(item.raw));
		else
			print_json_text(item, &out);
	}
	print_out(&out);
	buf_fini(&out);
	return 0;
}

enum exit_code
verb_projection_builds(struct call *call)
{
	struct config config = { 0 };
	const char *directory;
	struct fault fault;
	struct buf answer;
	int result = -1;

	buf_init(&answer, OUT_MAX);
	if (call_config(call, &config, &fault) == 0 && call_data(&config, &directory, &fault) == 0)
		result = client_ask(directory, "GET", "/admin/builds", SLICE_NONE, &answer, &fault);
	if (result == 0)
		result = print_builds(call, buf_slice(&answer), &fault);
	config_fini(&config);
	buf_fini(&answer);
	return result == 0 ? EXIT_DONE : exit_say(&fault);
}

/* ---- orders ---- */

struct ordering {
	const struct call *call;
	struct door door;
	struct slice domain;
	struct slice name;
	const char *verb;
	struct buf answer;
};

static int
parse_target(struct ordering *order, struct fault *fault)
{
	const char *text = order->call->words[0], *dot = strchr(text, '.');

	if (dot == NULL || dot == text || dot[1] == '\0' || strpbrk(text, "/ ?#%") != NULL)
		return fault_set(fault, FAULT_INPUT, "usage", "\"%s\" is not DOMAIN.PROJECTION", text);
	order->domain = slice_from(text, (size_t)(dot - text));
	order->name = slice_text(dot + 1);
	return 0;
}

static int
find_shown(struct ordering *order, struct shown *shown, struct fault *fault)
{
	struct json_value list, item;
	struct json_iter iter;
	struct slice key;

	buf_clear(&order->answer);
	if (door_ask(&order->door, "GET", "/admin/projections", SLICE_NONE, &order->answer, fault) != 0 ||
	    json_check(buf_slice(&order->answer), &list, fault) != 0)
		return -1;
	json_iter(&iter, list);
	while (json_next(&iter, &key, &item)) {
		*shown = read_shown(item);
		if (slice_equal(shown->domain, order->domain) && slice_equal(shown->name, order->name))
			return 0;
	}
	return fault_set(fault, FAULT_INPUT, "no_such_projection", "there is no projection %s", order->call->words[0]);
}

static void
show_progress(const struct ordering *order, const struct shown *shown)
{
	uint64_t left = shown->head > shown->position ? shown->head - shown->position : 0;

	print_progress("%s %s: %llu of %llu entries (%llu %%), %llu a second, %llu s left", order->verb,
		       order->call->words[0], (unsigned long long)shown->position, (unsigned long long)shown->head,
		       (unsigned long long)(shown->head != 0 ? shown->position * 100 / shown->head : 100),
		       (unsigned long long)shown->rate,
		       (unsigned long long)(shown->rate != 0 ? left / shown->rate : 0));
}

/* Until it is live again, or stopped. */
static int
wait_for(struct ordering *order, struct shown *shown, struct fault *fault)
{
	struct timespec pause = { .tv_nsec = POLL_NS };

	for (;;) {
		if (find_shown(order, shown, fault) != 0)
			return -1;
		if (state_is(shown, "live") || state_is(shown, "stopped"))
			break;
		show_progress(order, shown);
		nanosleep(&pause, NULL);
	}
	print_progress("%s", "");
	return 0;
}

static bool
is_part(const struct ordering *order)
{
	return order->call->values[OPTION_STREAM] != NULL || order->call->values[OPTION_KEY] != NULL;
}

/* The body of an order for a part; empty for any other. */
static int
write_part(const struct ordering *order, struct buf *body, struct fault *fault)
{
	const char *stream = order->call->values[OPTION_STREAM], *key = order->call->values[OPTION_KEY];
	struct json_value value;

	if (stream != NULL && key != NULL)
		return fault_set(fault, FAULT_INPUT, "usage", "--stream and --key cannot be given together");
	if (key != NULL && json_check(slice_text(key), &value, fault) != 0)
		return fault_prefix(fault, "--key");
	if (stream != NULL) {
		buf_text(body, "{\"stream\":");
		json_quote(body, slice_text(stream));
		buf_byte(body, '}');
	} else if (key != NULL) {
		buf_format(body, "{\"key\":%s}", key);
	}
	return 0;
}

static int
give(struct ordering *order, struct fault *fault)
{
	char path[256];
	struct buf body;
	int size = snprintf(path, sizeof(path), "/admin/projections/%.*s/%.*s/%s", SLICE_ARG(order->domain),
			    SLICE_ARG(order->name), order->verb);

	if (size < 0 || (size_t)size >= sizeof(path))
		return fault_set(fault, FAULT_INPUT, "usage", "the name is too long");
	buf_init(&body, (size_t)1 << 20);
	int result = write_part(order, &body, fault);
	if (result == 0)
		result = door_ask(&order->door, "POST", path, buf_slice(&body), &order->answer, fault);
	buf_fini(&body);
	return result;
}

/* What became of a part, as text. */
static void
print_part(const struct ordering *order, const struct shown *shown, struct buf *out)
{
	struct slice note = shown->not_rebuilt.size != 0 ? shown->not_rebuilt : shown->rebuilt;

	if (!is_part(order) || note.size == 0)
		return;
	/* The text stands between its quotes. */
	struct json_value text = { JSON_STRING, slice_from(note.data - 1, note.size + 2) };
	buf_text(out, shown->not_rebuilt.size != 0 ? "not rebuilt: " : "");
	json_decode(text, out);
	buf_byte(out, '\n');
}

static void
print_order(const struct ordering *order, const struct shown *shown)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	if (call_has(order->call, OPTION_JSON)) {
		buf_text(&out, "{\"projection\":");
		json_quote(&out, slice_text(order->call->words[0]));
		buf_format(&out, ",\"order\":\"%s\"", order->verb);
		if (shown != NULL)
			buf_format(&out, ",\"state\":\"%.*s\",\"position\":%llu", SLICE_ARG(shown->state),
				   (unsigned long long)shown->position);
		if (shown != NULL && is_part(order) && shown->rebuilt.size != 0)
			buf_format(&out, ",\"rebuilt\":\"%.*s\"", SLICE_ARG(shown->rebuilt));
		if (shown != NULL && is_part(order) && shown->not_rebuilt.size != 0)
			buf_format(&out, ",\"not_rebuilt\":\"%.*s\"", SLICE_ARG(shown->not_rebuilt));
		buf_text(&out, "}\n");
	} else if (shown != NULL) {
		print_shown(shown, &out);
		print_part(order, shown, &out);
	} else {
		buf_format(&out, "%s of %s is ordered\n", order->verb, order->call->words[0]);
	}
	print_out(&out);
	buf_fini(&out);
}

static enum exit_code
run(struct call *call, const char *verb)
{
	struct ordering order = { .call = call, .verb = verb };
	struct config config;
	struct shown shown;
	struct fault fault;
	enum exit_code code = EXIT_DONE;
	bool wait = !call_has(call, OPTION_NO_WAIT);

	buf_init(&order.answer, OUT_MAX);
	if (call_config(call, &config, &fault) != 0 || parse_target(&order, &fault) != 0 ||
	    door_open(&order.door, &config, DOOR_ORDERS, &fault) != 0 || find_shown(&order, &shown, &fault) != 0 ||
	    give(&order, &fault) != 0 || (wait && wait_for(&order, &shown, &fault) != 0)) {
		code = exit_say(&fault);
	} else {
		print_order(&order, wait ? &shown : NULL);
		bool failed = state_is(&shown, "stopped") || (is_part(&order) && shown.not_rebuilt.size != 0);
		code = wait && failed ? EXIT_FAILED : EXIT_DONE;
	}
	door_close(&order.door);
	config_fini(&config);
	buf_fini(&order.answer);
	return code;
}

/* ---- rebuild: rows beside the ones that are read ---- */

static int
give_rebuild(struct ordering *order, uint64_t *number, struct fault *fault)
{
	struct json_value answer;
	struct buf body;
	int result;

	buf_init(&body, 4096);
	buf_text(&body, "{\"domain\":");
	json_quote(&body, order->domain);
	json_key(&body, "projection");
	json_quote(&body, order->name);
	buf_byte(&body, '}');
	buf_clear(&order->answer);
	result = door_ask(&order->door, "POST", "/admin/rebuild", buf_slice(&body), &order->answer, fault);
	buf_fini(&body);
	if (result != 0 || json_check(buf_slice(&order->answer), &answer, fault) != 0)
		return -1;
	*number = member_number(answer, "build");
	return 0;
}

static void
print_rebuilt(const struct ordering *order, const struct shown *shown, const struct building_end *end)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	if (call_has(order->call, OPTION_JSON)) {
		buf_text(&out, "{\"projection\":");
		json_quote(&out, slice_text(order->call->words[0]));
		buf_format(&out, ",\"order\":\"rebuild\",\"result\":\"%s\",\"state\":\"%.*s\",\"position\":%llu",
			   end->live ? "live" : "given_up", SLICE_ARG(shown->state),
			   (unsigned long long)shown->position);
		if (end->compared)
			buf_format(&out, ",\"rows_differ\":%llu", (unsigned long long)end->rows_differ);
		if (end->reason[0] != '\0') {
			json_key(&out, "reason");
			json_quote(&out, slice_text(end->reason));
		}
		buf_text(&out, "}\n");
	} else {
		print_shown(shown, &out);
		if (end->compared)
			buf_format(&out, "rows that differ: %llu\n", (unsigned long long)end->rows_differ);
		if (end->reason[0] != '\0')
			buf_format(&out, "%s%s\n", end->live ? "" : "not rebuilt: ", end->reason);
	}
	print_out(&out);
	buf_fini(&out);
}

static enum exit_code
rebuild_whole(struct call *call)
{
	struct ordering order = { .call = call, .verb = "rebuild" };
	struct building_end end = { .live = true };
	struct config config;
	struct shown shown;
	struct fault fault;
	uint64_t number;
	int result = -1;
	bool wait = true;

	buf_init(&order.answer, OUT_MAX);
	if (call_config(call, &config, &fault) == 0 && parse_target(&order, &fault) == 0 &&
	    door_open(&order.door, &config, DOOR_ORDERS, &fault) == 0 && give_rebuild(&order, &number, &fault) == 0) {
		/* Without a daemon nobody else would go on with it. */
		wait = !order.door.remote || !call_has(call, OPTION_NO_WAIT);
		result = !wait ? 0 : building_wait(&order.door, order.domain, number, call->words[0], &end, &fault);
	}
	if (result == 0 && wait)
		result = find_shown(&order, &shown, &fault);
	if (result == 0 && wait)
		print_rebuilt(&order, &shown, &end);
	else if (result == 0)
		print_order(&order, NULL);
	door_close(&order.door);
	config_fini(&config);
	buf_fini(&order.answer);
	return result != 0 ? exit_say(&fault) : end.live ? EXIT_DONE : EXIT_FAILED;
}

enum exit_code
verb_projection_rebuild(struct call *call)
{
	if (call->values[OPTION_STREAM] != NULL || call->values[OPTION_KEY] != NULL)
		return run(call, "rebuild");
	return rebuild_whole(call);
}

enum exit_code
verb_projection_retry(struct call *call)
{
	return run(call, "retry");
}

enum exit_code
verb_projection_skip(struct call *call)
{
	return run(call, "skip");
}
