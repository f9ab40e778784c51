/* SPDX-License-Identifier: MIT */
/* `test`: gives the test kit the folders' sources and rows in memory; what busted says is printed by the kit. */
#include <stdlib.h>

#include "core/domain.h"
#include "daemon/verb.h"
#include "script/lua/kit.h"
#include "view/memory/view_memory.h"

#define SOURCES_MAX ((size_t)256 << 20)

/* A view in memory with one open batch: the kit writes into it and reads from it. */
static int
rows_open(void *self, const struct table *tables, size_t count, struct kit_rows *rows, struct fault *fault)
{
	struct view *view = NULL;
	uint16_t *numbers = calloc(count + 1, sizeof(*numbers));
	uint8_t hash[32] = { 0 };

	(void)self;
	if (numbers == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for rows");
	for (size_t i = 0; i < count; i++)
		numbers[i] = (uint16_t)i;
	int result = view_memory_open(tables, count, &view, fault);
	if (result == 0)
		result = view_define(view, SLICE("specs"), hash, numbers, count, fault);
	if (result == 0)
		result = view_begin(view, fault);
	free(numbers);
	if (result != 0) {
		view_close(view);
		return -1;
	}
	*rows = (struct kit_rows){ view_rows(view), view };
	return 0;
}

static void
rows_close(void *self, struct kit_rows *rows)
{
	struct view *view = rows->self;

	(void)self;
	view_rollback(view);
	view_close(view);
}

static int
run(struct call *call, const struct kit_folder *folders, size_t count)
{
	struct kit_options options = {
		.folders = folders, .folder_count = count, .rows_open = rows_open, .rows_close = rows_close
	};
	int argc = (int)(call->word_count - call->rest_at);
	char **argv = calloc((size_t)argc + 1, sizeof(*argv));

	if (argv == NULL)
		return 2;
	/* The words are argv's own text: busted's part of it goes on as it came. */
	memcpy(argv, call->words + call->rest_at, (size_t)argc * sizeof(*argv));
	int result = moon_run_specs(argc, argv, &options);
	free(argv);
	return result;
}

enum exit_code
verb_test(struct call *call)
{
	static const enum exit_code codes[] = { EXIT_DONE, EXIT_FAILED, EXIT_BAD_DATA };
	const char *here = ".";
	const char *const *paths = call->rest_at > 0 ? call->words : &here;
	size_t count = call->rest_at > 0 ? call->rest_at : 1;
	struct kit_folder *folders = calloc(count, sizeof(*folders));
	struct source_set *sources = calloc(count, sizeof(*sources));
	struct arena arena;
	struct fault fault;
	enum exit_code code = EXIT_STORE_FAILED;

	arena_init(&arena, SOURCES_MAX);
	for (size_t i = 0; folders != NULL && sources != NULL && i < count; i++) {
		if (domain_read_folder(paths[i], &arena, &sources[i], &fault) != 0) {
			code = exit_say(&fault);
			goto out;
		}
		folders[i] = (struct kit_folder){ paths[i], &sources[i] };
	}
	if (folders != NULL && sources != NULL)
		code = codes[run(call, folders, count) % 3];
out:
	arena_fini(&arena);
	free(folders);
	free(sources);
	return code;
}
