/* SPDX-License-Identifier: MIT */
/* `status`: what the daemon says of itself; without one, what the store holds. */
#include "daemon/client.h"
#include "daemon/print.h"
#include "daemon/reading.h"

#define OUT_MAX ((size_t)16 << 20)

static int
store_status(struct reading *reading, struct buf *out, struct fault *fault)
{
	if (reading_open_config(reading, fault) != 0)
		return -1;
	const struct store_stats *stats = reading->store->stats;
	buf_text(out, "{\"daemon\":\"not running\",\"data\":");
	json_quote(out, slice_text(reading->directory));
	buf_format(out, ",\"head\":%llu", (unsigned long long)store_head(reading->store));
	if (stats != NULL)
		buf_format(out, ",\"bytes_on_disk\":%llu", (unsigned long long)stats->bytes_on_disk);
	buf_byte(out, '}');
	return 0;
}

static int
print_status(const struct call *call, struct buf *answer, struct fault *fault)
{
	struct json_value value;
	struct buf text;

	if (call_has(call, OPTION_JSON)) {
		buf_byte(answer, '\n');
		print_out(answer);
		return 0;
	}
	if (json_check(buf_slice(answer), &value, fault) != 0)
		return -1;
	buf_init(&text, OUT_MAX);
	print_json_text(value, &text);
	print_out(&text);
	buf_fini(&text);
	return 0;
}

enum exit_code
verb_status(struct call *call)
{
	struct reading reading = { 0 };
	struct fault fault;
	const char *directory;
	struct buf answer;
	enum exit_code code = EXIT_DONE;
	int result = -1;

	buf_init(&answer, OUT_MAX);
	if (call_config(call, &reading.config, &fault) == 0 && call_data(&reading.config, &directory, &fault) == 0) {
		if (client_reaches(directory)) {
			result = client_ask(directory, "GET", "/admin/status", SLICE_NONE, &answer, &fault);
		} else {
			result = store_status(&reading, &answer, &fault);
			code = EXIT_UNREACHABLE;
		}
	}
	if (result != 0 || print_status(call, &answer, &fault) != 0)
		code = exit_say(&fault);
	reading_close(&reading);
	buf_fini(&answer);
	return code;
}
