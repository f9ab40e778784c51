/* SPDX-License-Identifier: MIT */
/*
 * A table of client addresses with open connections, chained, made with the first connection. An IPv6 client counts by
 * its /64, since that is what one customer is given. Fails by refusing the connection.
 */
#include "http/address.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BUCKETS 1024

struct http_address_count {
	struct http_address_count *next;
	uint8_t key[9]; /* family, then 4 or 8 bytes */
	uint64_t open;
};

static size_t
bucket_of(const uint8_t key[9])
{
	return slice_hash(slice_from(key, 9), 0) % BUCKETS;
}

static void
key_of(const struct sockaddr *from, uint8_t key[9])
{
	memset(key, 0, 9);
	key[0] = (uint8_t)from->sa_family;
	if (from->sa_family == AF_INET)
		memcpy(key + 1, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	else if (from->sa_family == AF_INET6)
		memcpy(key + 1, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 8);
}

struct http_address_count *
http_address_take(struct http *http, const struct sockaddr *from)
{
	uint8_t key[9];
	if (http->addresses == NULL)
		http->addresses = calloc(BUCKETS, sizeof(*http->addresses));
	if (http->addresses == NULL)
		return NULL;
	key_of(from, key);
	struct http_address_count **first = &http->addresses[bucket_of(key)], *count = *first;
	while (count != NULL && memcmp(count->key, key, sizeof(key)) != 0)
		count = count->next;
	if (count == NULL) {
		count = calloc(1, sizeof(*count));
		if (count == NULL)
			return NULL;
		memcpy(count->key, key, sizeof(key));
		count->next = *first;
		*first = count;
	}
	if (count->open >= http->options.limits.connections_per_address)
		return NULL;
	count->open++;
	return count;
}

void
http_address_release(struct http *http, struct http_address_count *count)
{
	if (count == NULL || --count->open > 0)
		return;
	struct http_address_count **at = &http->addresses[bucket_of(count->key)];
	while (*at != count)
		at = &(*at)->next;
	*at = count->next;
	free(count);
}

void
http_address_fini(struct http *http)
{
	free(http->addresses);
	http->addresses = NULL;
}
