/* SPDX-License-Identifier: MIT */
/* Names are not looked up: what is not certainly this machine counts as beyond it. */
#include "daemon/listen.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool
is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static int
check_one(const char *address, bool allowed, struct fault *fault)
{
	const char *colon = strrchr(address, ':');
	char host[256];
	uint64_t port;

	if (colon == NULL || colon == address || (size_t)(colon - address) >= sizeof(host) ||
	    !slice_to_u64(slice_text(colon + 1), &port) || port > 65535)
		return fault_set(fault, FAULT_CONFIG, "bad_address", "listen: \"%s\" is not HOST:PORT", address);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	size_t size = strlen(host);
	if (host[0] == '[' && host[size - 1] == ']') {
		memmove(host, host + 1, size - 2);
		host[size - 2] = '\0';
	}
	if (is_loopback(host) || allowed)
		return 0;
	return fault_set(
		fault, FAULT_CONFIG, "off_loopback",
		"listen: %s can be reached from other machines, and nothing is encrypted or authenticated; put a "
		"proxy in front, or say --allow-plaintext-off-loopback",
		address);
}

int
listen_check(const struct config *config, struct fault *fault)
{
	const struct config_value *listen = &config->values[CONFIG_LISTEN];

	for (size_t i = 0; i < listen->item_count; i++) {
		if (check_one(listen->items[i], config_integer(config, CONFIG_ALLOW_PLAINTEXT) != 0, fault) != 0)
			return -1;
	}
	return 0;
}
