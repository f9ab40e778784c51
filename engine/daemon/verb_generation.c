/* SPDX-License-Identifier: MIT */
/* `generation list|show|diff`: the rules that decided any event, as the store keeps them. Reads beside the daemon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "core/generation.h"
#include "daemon/print.h"
#include "daemon/reading.h"

#define OUT_MAX   ((size_t)256 << 20)
#define PAGE      200
#define PATH_SIZE 256

/* ---- list ---- */

static int
add_info(const struct call *call, struct reading *reading, const struct generation_info *info, struct buf *out,
	 struct fault *fault)
{
	struct active active;

	if (call->word_count != 0 && !slice_equal(info->domain, slice_text(call->words[0])))
		return 0;
	if (generation_active(reading->reader, info->domain, &reading->arena, &active, fault) != 0)
		return -1;
	const char *mark = active.generation == info->number ? "active"
			   : active.previous == info->number ? "previous"
							     : "";
	if (call_has(call, OPTION_JSON)) {
		buf_format(out, "{\"generation\":%u,\"domain\":\"%.*s\",\"made\":\"%.*s\",\"files\":%zu,\"hash\":\"",
			   info->number, SLICE_ARG(info->domain), SLICE_ARG(info->made), info->files);
		buf_hex(out, info->hash.bytes, DIGEST_SIZE);
		buf_format(out, "\",\"state\":\"%s\"}\n", mark);
		return 0;
	}
	buf_format(out, "%6u %-20.*s %.*s %3zu files ", info->number, SLICE_ARG(info->domain), SLICE_ARG(info->made),
		   info->files);
	buf_hex(out, info->hash.bytes, 6);
	buf_format(out, "%s%s\n", mark[0] != '\0' ? " " : "", mark);
	return 0;
}

static int
list(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault)
{
	uint32_t after = 0;
	size_t count;

	do {
		struct generation_info *infos;

		arena_clear(&reading->arena);
		if (generation_list(reading->reader, after, PAGE, &reading->arena, &infos, &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++)
			if (add_info(call, reading, &infos[i], out, fault) != 0)
				return -1;
		if (count != 0)
			after = infos[count - 1].number;
		print_out(out);
	} while (count == PAGE);
	return 0;
}

/* ---- show ---- */

static int
read_number(const char *word, uint32_t *number, struct fault *fault)
{
	uint64_t wide;

	if (!slice_to_u64(slice_text(word), &wide) || wide == 0 || wide > UINT32_MAX)
		return fault_set(fault, FAULT_INPUT, "usage", "\"%s\" is no generation: a number from 1", word);
	*number = (uint32_t)wide;
	return 0;
}

static int
show_file(const struct source_set *sources, const char *path, struct buf *out, struct fault *fault)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (!slice_equal(sources->items[i].path, slice_text(path)))
			continue;
		buf_add(out, sources->items[i].bytes);
		return 0;
	}
	return fault_set(fault, FAULT_INPUT, "no_such_file", "the generation has no file %s", path);
}

static void
show_files(const struct call *call, uint32_t number, const struct source_set *sources, struct buf *out)
{
	bool json = call_has(call, OPTION_JSON);

	if (json)
		buf_format(out, "{\"generation\":%u,\"domain\":\"%.*s\",\"files\":[", number,
			   SLICE_ARG(sources->domain));
	for (size_t i = 0; i < sources->count; i++) {
		const struct source_file *source = &sources->items[i];

		if (!json) {
			buf_hex(out, source->hash.bytes, 6);
			buf_format(out, " %8zu %.*s\n", source->bytes.size, SLICE_ARG(source->path));
			continue;
		}
		json_comma(out);
		buf_text(out, "{\"path\":");
		json_quote(out, source->path);
		buf_text(out, ",\"hash\":\"");
		buf_hex(out, source->hash.bytes, DIGEST_SIZE);
		buf_text(out, "\",\"text\":");
		json_quote(out, source->bytes);
		buf_byte(out, '}');
	}
	if (json)
		buf_text(out, "]}\n");
}

static int
show(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault)
{
	struct source_set sources;
	uint32_t number;

	if (read_number(call->words[0], &number, fault) != 0 ||
	    generation_read(reading->reader, number, &reading->arena, &sources, fault) != 0)
		return -1;
	if (call->word_count == 2)
		return show_file(&sources, call->words[1], out, fault);
	show_files(call, number, &sources, out);
	return 0;
}

/* ---- diff: by the system's diff, over copies ---- */

static int
put_copy(const char *folder, const char *side, const struct source_file *source, char path[PATH_SIZE],
	 struct fault *fault)
{
	FILE *file;
	bool written;

	snprintf(path, PATH_SIZE, "%s/%s", folder, side);
	file = fopen(path, "we");
	if (file == NULL)
		return fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	written = source == NULL || source->bytes.size == 0 ||
		  fwrite(source->bytes.data, source->bytes.size, 1, file) == 1;
	if (fclose(file) != 0 || !written)
		return fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	return 0;
}

static int
run_diff(const char *name_a, const char *name_b, const char *a, const char *b, struct fault *fault)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execlp("diff", "diff", "-u", "--label", name_a, "--label", name_b, a, b, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return fault_errno(fault, FAULT_AWAY, errno, "diff cannot be run");
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return fault_set(fault, FAULT_AWAY, "no_diff", "diff (package diffutils) cannot be run");
	return 0;
}

static const struct source_file *
find_source(const struct source_set *sources, struct slice path)
{
	for (size_t i = 0; i < sources->count; i++)
		if (slice_equal(sources->items[i].path, path))
			return &sources->items[i];
	return NULL;
}

static int
diff_file(const char *folder, const uint32_t numbers[2], struct slice path, const struct source_file *a,
	  const struct source_file *b, struct fault *fault)
{
	char paths[2][PATH_SIZE], names[2][PATH_SIZE];
	int result;

	if (a != NULL && b != NULL && memcmp(&a->hash, &b->hash, sizeof(a->hash)) == 0)
		return 0;
	if (put_copy(folder, "a", a, paths[0], fault) != 0 || put_copy(folder, "b", b, paths[1], fault) != 0)
		return -1;
	snprintf(names[0], PATH_SIZE, "%u/%.*s", numbers[0], SLICE_ARG(path));
	snprintf(names[1], PATH_SIZE, "%u/%.*s", numbers[1], SLICE_ARG(path));
	fflush(stdout);
	result = run_diff(a != NULL ? names[0] : "/dev/null", b != NULL ? names[1] : "/dev/null", paths[0], paths[1],
			  fault);
	unlink(paths[0]);
	unlink(paths[1]);
	return result;
}

static int
diff_sets(const uint32_t numbers[2], const struct source_set sets[2], struct fault *fault)
{
	char folder[] = "/tmp/moonlog-diff-XXXXXX";
	int result = 0;

	if (mkdtemp(folder) == NULL)
		return fault_errno(fault, FAULT_AWAY, errno, "%s", folder);
	for (size_t i = 0; result == 0 && i < sets[0].count; i++) {
		const struct source_file *a = &sets[0].items[i];

		result = diff_file(folder, numbers, a->path, a, find_source(&sets[1], a->path), fault);
	}
	for (size_t i = 0; result == 0 && i < sets[1].count; i++) {
		const struct source_file *b = &sets[1].items[i];

		if (find_source(&sets[0], b->path) == NULL)
			result = diff_file(folder, numbers, b->path, NULL, b, fault);
	}
	rmdir(folder);
	return result;
}

static int
diff(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault)
{
	struct source_set sets[2];
	uint32_t numbers[2];

	(void)out;
	for (size_t i = 0; i < 2; i++)
		if (read_number(call->words[i], &numbers[i], fault) != 0 ||
		    generation_read(reading->reader, numbers[i], &reading->arena, &sets[i], fault) != 0)
			return -1;
	return diff_sets(numbers, sets, fault);
}

/* ---- the verbs ---- */

static enum exit_code
run(struct call *call,
    int (*work)(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault))
{
	struct reading reading = { 0 };
	struct fault fault;
	struct buf out;
	enum exit_code code = EXIT_DONE;

	buf_init(&out, OUT_MAX);
	if (reading_open(call, &reading, &fault) != 0 || work(call, &reading, &out, &fault) != 0)
		code = exit_say(&fault);
	else
		print_out(&out);
	reading_close(&reading);
	buf_fini(&out);
	return code;
}

enum exit_code
verb_generation_list(struct call *call)
{
	return run(call, list);
}

enum exit_code
verb_generation_show(struct call *call)
{
	return run(call, show);
}

enum exit_code
verb_generation_diff(struct call *call)
{
	return run(call, diff);
}
