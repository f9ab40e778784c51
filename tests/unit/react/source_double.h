/* SPDX-License-Identifier: MIT */
/* A source of topic "in" whose messages and lanes a test writes down. */
#ifndef MOONLOG_TESTS_REACT_SOURCE_DOUBLE_H
#define MOONLOG_TESTS_REACT_SOURCE_DOUBLE_H

#include "bus/source.h"

#define DOUBLE_LANES    4
#define DOUBLE_MESSAGES 4096

/* What the broker has; outlives the sources that are opened over it. */
struct source_broker {
	struct broker_lane {
		struct broker_message {
			char type[16], id[24], key[24], data[64];
			unsigned version; /* of the foreign stream named by the key; 0: not said */
			/* Where not 0: its id, its key, its value are of so many bytes; so many more headers. */
			size_t id_size, key_size, value_size, more_headers;
			const char *trace; /* NULL: none */
		} messages[DOUBLE_MESSAGES];
		size_t count;
		uint64_t first; /* offsets before it are gone */
	} lanes[DOUBLE_LANES];
	size_t lane_count;
	struct source_double *source; /* the open one */
	bool away;
	bool silent; /* nothing is told, and nothing comes */
};

struct source_maker source_double(struct source_broker *broker);
/* Ends up at the next offset of lane `lane`. */
void broker_add(struct source_broker *broker, unsigned lane, const char *type, const char *id, const char *key,
		long long by);
/* The same, with a version of the stream `key`. */
void broker_add_version(struct source_broker *broker, unsigned lane, const char *type, const char *id, const char *key,
			long long by, unsigned version);
/* The lane is taken from the open source, and given back at the next call. */
void broker_rebalance(struct source_broker *broker, unsigned lane);
/* What the source was told last of the lane; 0: nothing. */
uint64_t broker_told(const struct source_broker *broker, unsigned lane);

#endif
