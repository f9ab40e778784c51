/* SPDX-License-Identifier: MIT */
/*
 * HTTP's bounds as one table, so that defaults, configuration and documentation cannot drift apart. A value outside its
 * range is refused with the range in the text; nothing is clamped silently.
 */
#include "http/limits.h"

#define LIMIT(field, fallback, least, most, meaning)                                                                   \
	{                                                                                                              \
#field, offsetof(struct http_limits, field), fallback, least, most, meaning                            \
	}
#define KIB 1024ULL
#define MIB (1024ULL * 1024)

const struct http_limit http_limits_table[] = {
	LIMIT(request_line, 4 * KIB, 64, 64 * KIB, "bytes of the request line"),
	LIMIT(header_block, 16 * KIB, 256, 64 * KIB, "bytes of all header lines"),
	LIMIT(header_count, 64, 1, HTTP_FIELDS_MAX, "header lines"),
	LIMIT(body, 1 * MIB, 0, 8 * MIB, "bytes of a request's body"),
	LIMIT(header_ms, 5000, 10, 600000, "from first byte to end of head"),
	LIMIT(body_ms, 10000, 10, 600000, "for the body"),
	LIMIT(body_ms_each_64k, 1000, 0, 600000, "more for each 64 KiB of it"),
	LIMIT(body_rate, 1 * KIB, 0, 1 * MIB, "bytes a second a body must come with"),
	LIMIT(body_rate_after_ms, 5000, 10, 600000, "before that rate is looked at"),
	LIMIT(write_stall_ms, 10000, 10, 600000, "a reply may move no byte"),
	LIMIT(idle_ms, 30000, 10, 3600000, "between requests"),
	LIMIT(requests_per_connection, 1000, 1, 1000000000, "requests on one connection"),
	LIMIT(connections, 10240, 1, 1000000, "open connections"),
	LIMIT(connections_per_address, 256, 1, 1000000, "open connections of one address"),
	LIMIT(commands_in_flight, 256, 1, 100000, "commands given and not yet answered"),
	LIMIT(reads_in_flight, 256, 1, 100000, "reads given and not yet answered"),
	LIMIT(bodies_held, 256 * MIB, 1 * MIB, 65536 * MIB, "bytes of large requests being received, in all"),
	LIMIT(subscriber_bytes, 1 * MIB, 4 * KIB, 64 * MIB, "kept for one follower of the log"),
};
const size_t http_limits_count = countof(http_limits_table);

static uint64_t *
limit_place(struct http_limits *limits, const struct http_limit *limit)
{
	return (uint64_t *)(void *)((char *)limits + limit->offset);
}

void
http_limits_defaults(struct http_limits *limits)
{
	for (size_t i = 0; i < http_limits_count; i++)
		*limit_place(limits, &http_limits_table[i]) = http_limits_table[i].fallback;
}

int
http_limits_set(struct http_limits *limits, struct slice name, uint64_t value, struct fault *fault)
{
	for (size_t i = 0; i < http_limits_count; i++) {
		const struct http_limit *limit = &http_limits_table[i];
		if (!slice_equal(slice_text(limit->name), name))
			continue;
		if (value < limit->least || value > limit->most)
			return fault_set(fault, FAULT_CONFIG, "bad_limit", "http.%s must be %llu to %llu, not %llu",
					 limit->name, (unsigned long long)limit->least, (unsigned long long)limit->most,
					 (unsigned long long)value);
		*limit_place(limits, limit) = value;
		return 0;
	}
	return fault_set(fault, FAULT_CONFIG, "unknown_limit", "there is no HTTP limit named \"%.*s\"",
			 SLICE_ARG(name));
}
