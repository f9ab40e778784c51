/* SPDX-License-Identifier: MIT */
#include "daemon/building.h"

#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "daemon/print.h"

#define OUT_MAX ((size_t)16 << 20)
#define POLL_NS 50000000L

static uint64_t
number_in(struct json_value object, const char *key)
{
	struct json_value member;
	uint64_t number = 0;

	if (!json_member(object, slice_text(key), &member) || !json_to_u64(member, &number))
		return 0;
	return number;
}

static struct slice
text_in(struct json_value object, const char *key)
{
	struct json_value member;

	if (!json_member(object, slice_text(key), &member) || member.kind != JSON_STRING)
		return SLICE_NONE;
	return slice_from(member.raw.data + 1, member.raw.size - 2);
}

/* What is told of one domain; false: nothing. */
static bool
find_domain(struct json_value list, struct slice domain, struct json_value *found)
{
	struct json_iter iter;
	struct slice key;

	json_iter(&iter, list);
	while (json_next(&iter, &key, found))
		if (slice_equal(text_in(*found, "domain"), domain))
			return true;
	return false;
}

static void
show(const char *title, struct json_value building)
{
	uint64_t position = number_in(building, "position"), head = number_in(building, "head");
	struct json_value member;
	char left[32] = "";

	if (json_member(building, SLICE("seconds_left"), &member))
		snprintf(left, sizeof(left), ", %llu s left", (unsigned long long)number_in(building, "seconds_left"));
	print_progress("rebuild %s: %.*s, %llu of %llu entries (%llu %%), %llu a second%s", title,
		       SLICE_ARG(text_in(building, "state")), (unsigned long long)position, (unsigned long long)head,
		       (unsigned long long)(head != 0 ? position * 100 / head : 100),
		       (unsigned long long)number_in(building, "rate"), left);
}

static void
read_end(struct json_value report, struct building_end *end)
{
	struct json_value member;
	struct buf reason;

	end->live = slice_equal(text_in(report, "result"), SLICE("live"));
	end->compared = json_member(report, SLICE("rows_differ"), &member);
	end->rows_differ = number_in(report, "rows_differ");
	snprintf(end->reason, sizeof(end->reason), "%s", end->live ? "" : "another build took its place");
	if (!json_member(report, SLICE("reason"), &member))
		return;
	buf_init(&reason, sizeof(end->reason));
	json_decode(member, &reason);
	snprintf(end->reason, sizeof(end->reason), "%.*s", SLICE_ARG(buf_slice(&reason)));
	buf_fini(&reason);
}

/* true when it has ended. `*number` becomes that of the one that took its place. */
static bool
look(struct json_value told, uint64_t *number, const char *title, struct building_end *end)
{
	struct json_value building, ended, report;
	bool making = json_member(told, SLICE("building"), &building);
	struct json_iter iter;
	struct slice key;

	if (making && number_in(building, "build") >= *number) {
		*number = number_in(building, "build");
		show(title, building);
		return false;
	}
	*end = (struct building_end){ .reason = "what came of it is not remembered any more" };
	if (!json_member(told, SLICE("ended"), &ended))
		return true;
	json_iter(&iter, ended);
	/* The newest stands first: one that took its place may have ended already. */
	while (json_next(&iter, &key, &report)) {
		bool replaced = slice_equal(text_in(report, "result"), SLICE("replaced"));

		if (number_in(report, "build") < *number)
			break;
		if (number_in(report, "build") == *number || !replaced)
			read_end(report, end);
		if (!replaced)
			break;
	}
	return true;
}

int
building_wait(struct door *door, struct slice domain, uint64_t number, const char *title, struct building_end *end,
	      struct fault *fault)
{
	struct timespec pause = { .tv_nsec = POLL_NS };
	struct json_value list, told;
	struct buf answer;
	bool ended = false;
	int result = 0;

	buf_init(&answer, OUT_MAX);
	while (result == 0 && !ended) {
		buf_clear(&answer);
		if (door_ask(door, "GET", "/admin/builds", SLICE_NONE, &answer, fault) != 0 ||
		    json_check(buf_slice(&answer), &list, fault) != 0)
			result = -1;
		else if (!find_domain(list, domain, &told))
			result = fault_set(fault, FAULT_INPUT, "no_such_domain", "there is no domain \"%.*s\"",
					   SLICE_ARG(domain));
		else
			ended = look(told, &number, title, end);
		if (result == 0 && !ended)
			nanosleep(&pause, NULL);
	}
	print_progress("%s", "");
	buf_fini(&answer);
	return result;
}
