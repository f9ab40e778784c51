/* SPDX-License-Identifier: MIT */
/* What the files of the memory room share. */
#ifndef MOONLOG_STORE_MEMORY_ROOM_H
#define MOONLOG_STORE_MEMORY_ROOM_H

#include <pthread.h>

#include "store/memory/table.h"
#include "store/store.h"

struct memory_stream {
	struct slice name;
	stream_version version;
	log_position *positions; /* of versions 1..version */
	size_t room;
};

struct memory_record {
	struct slice space;
	struct slice key;
	struct slice value;
	bool present;
};

struct memory_command {
	struct command_id id;
	struct fingerprint fingerprint;
	log_position first;
	log_position last;
	struct slice reply;
};

struct memory_store {
	struct store base;
	struct store_stats stats;
	const struct clock *clock;
	pthread_mutex_t lock;       /* over all below */
	struct arena arena;         /* names, entries, values: kept until the store closes */
	struct recorded_entry *log; /* position p at p - 1 */
	size_t log_count;
	size_t log_room;
	int64_t last_time;
	struct memory_table streams;
	struct memory_table records; /* by size of space, space, key */
	struct memory_table commands;
};

enum commit_result memory_commit(struct store *store, struct append **appends, size_t count, struct fault *fault);
/* The table's key of a record, in `arena`. data is NULL without memory. */
struct slice memory_record_name(struct arena *arena, struct slice space, struct slice key);

int memory_read_stream(struct store_reader *reader, struct slice stream, stream_version from, struct read_limit limit,
		       struct arena *arena, struct entries *entries, stream_version *version, struct fault *fault);
int memory_read_log(struct store_reader *reader, log_position after, const struct log_filter *filter,
		    struct read_limit limit, struct arena *arena, struct entries *entries, log_position *seen,
		    struct fault *fault);
int memory_position_at(struct store_reader *reader, int64_t wall_us, log_position *position, struct fault *fault);
int memory_list_streams(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
			struct arena *arena, struct slice **names, size_t *count, struct fault *fault);
int memory_list_types(struct store_reader *reader, struct slice domain, struct arena *arena, struct type_found **types,
		      size_t *count, struct fault *fault);
int memory_list_generations(struct store_reader *reader, struct arena *arena, uint32_t **generations, size_t *count,
			    struct fault *fault);
int memory_read_record(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
		       struct slice *value, bool *found, struct fault *fault);
int memory_list_records(struct store_reader *reader, struct slice space, struct slice after, size_t limit,
			struct arena *arena, struct record **records, size_t *count, struct fault *fault);
int memory_list_spaces(struct store_reader *reader, struct slice prefix, struct slice after, size_t limit,
		       struct arena *arena, struct slice **spaces, size_t *count, struct fault *fault);
int memory_find_command(struct store_reader *reader, const struct command_id *id, const struct fingerprint *fingerprint,
			struct arena *arena, struct remembered *remembered, struct fault *fault);

#endif
