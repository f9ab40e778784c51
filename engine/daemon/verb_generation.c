/* SPDX-License-Identifier: MIT */
/* `generation list|show|diff`: the rules that decided any event, as the store keeps them. Reads beside the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "core/generation.h"
#include "daemon/print.h"
#include "daemon/reading.h"

#define OUT_MAX    ((size_t)256 << 20)
#define PAGE       200
#define READ_BYTES ((size_t)65536)
#define PATH_SIZE  256

/* ---- list ---- */

static int
add_info(const struct call *call, struct reading *reading, const struct generation_info *info, struct buf *out,
	 struct fault *fault)
{
	struct active active;

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
	size_t count, shown = 0;

	do {
		struct generation_info *infos;

		arena_clear(&reading->arena);
		if (generation_list(reading->reader, after, PAGE, &reading->arena, &infos, &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			if (call->word_count != 0 && !slice_equal(infos[i].domain, slice_text(call->words[0])))
				continue;
			shown++;
			if (add_info(call, reading, &infos[i], out, fault) != 0)
				return -1;
		}
		if (count != 0)
			after = infos[count - 1].number;
		print_out(out);
	} while (count == PAGE);
	if (shown == 0 && call->word_count != 0)
		return fault_set(fault, FAULT_INPUT, "no_such_generation", "the store knows no domain \"%s\"",
				 call->words[0]);
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
show_file(const struct call *call, uint32_t number, const struct source_set *sources, struct buf *out,
	  struct fault *fault)
{
	struct source_set one = { .domain = sources->domain, .count = 1 };

	for (size_t i = 0; one.items == NULL && i < sources->count; i++)
		if (slice_equal(sources->items[i].path, slice_text(call->words[1])))
			one.items = &sources->items[i];
	if (one.items == NULL)
		return fault_set(fault, FAULT_INPUT, "no_such_file", "the generation has no file %s", call->words[1]);
	if (call_has(call, OPTION_JSON))
		show_files(call, number, &one, out);
	else
		buf_add(out, one.items->bytes);
	return 0;
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
		return show_file(call, number, &sources, out, fault);
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
read_all(int from, struct buf *out, struct fault *fault)
{
	for (;;) {
		ssize_t got = buf_reserve(out, READ_BYTES) ? read(from, out->data + out->size, READ_BYTES) : -1;

		if (out->failed)
			return fault_set(fault, FAULT_LIMIT, "limit", "the difference is too long to show");
		if (got < 0 && errno != EINTR)
			return fault_errno(fault, FAULT_AWAY, errno, "diff cannot be read");
		if (got == 0)
			return 0;
		out->size += got > 0 ? (size_t)got : 0;
	}
}

static int
run_diff(const char *const names[2], char paths[2][PATH_SIZE], struct buf *out, struct fault *fault)
{
	int ends[2], status, result;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return fault_errno(fault, FAULT_AWAY, errno, "diff cannot be run");
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execlp("diff", "diff", "-u", "--label", names[0], "--label", names[1], paths[0], paths[1],
		       (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	result = child > 0 ? read_all(ends[0], out, fault) : 0;
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return fault_errno(fault, FAULT_AWAY, errno, "diff cannot be run");
	if (result == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) > 1))
		return fault_set(fault, FAULT_AWAY, "no_diff", "diff (package diffutils) cannot be run");
	return result;
}

static const struct source_file *
find_source(const struct source_set *sources, struct slice path)
{
	for (size_t i = 0; i < sources->count; i++)
		if (slice_equal(sources->items[i].path, path))
			return &sources->items[i];
	return NULL;
}

/* Two sets of files, and the folder for copies of two of them. */
struct comparing {
	const struct call *call;
	uint32_t numbers[2];
	struct source_set sets[2];
	char folder[32];
	struct buf *out;
};

static void
put_hash(struct buf *out, const char *key, const struct source_file *source)
{
	if (source == NULL)
		return;
	json_key(out, key);
	buf_byte(out, '"');
	buf_hex(out, source->hash.bytes, DIGEST_SIZE);
	buf_byte(out, '"');
}

static void
put_difference(const struct comparing *comparing, struct slice path, const struct source_file *const sides[2],
	       struct slice text)
{
	struct buf *out = comparing->out;

	if (!call_has(comparing->call, OPTION_JSON)) {
		buf_add(out, text);
		return;
	}
	json_comma(out);
	buf_text(out, "{\"path\":");
	json_quote(out, path);
	json_put_text(out, "way", slice_text(sides[0] == NULL ? "added" : sides[1] == NULL ? "removed" : "changed"));
	put_hash(out, "before", sides[0]);
	put_hash(out, "after", sides[1]);
	json_put_text(out, "diff", text);
	buf_byte(out, '}');
}

static int
diff_file(const struct comparing *comparing, struct slice path, struct fault *fault)
{
	const struct source_file *const sides[2] = { find_source(&comparing->sets[0], path),
						     find_source(&comparing->sets[1], path) };
	char paths[2][PATH_SIZE], labels[2][PATH_SIZE];
	const char *names[2];
	struct buf text;
	int result;

	if (sides[0] != NULL && sides[1] != NULL && memcmp(&sides[0]->hash, &sides[1]->hash, DIGEST_SIZE) == 0)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		snprintf(labels[i], PATH_SIZE, "%u/%.*s", comparing->numbers[i], SLICE_ARG(path));
		names[i] = sides[i] != NULL ? labels[i] : "/dev/null";
		if (put_copy(comparing->folder, i == 0 ? "a" : "b", sides[i], paths[i], fault) != 0)
			return -1;
	}
	buf_init(&text, OUT_MAX);
	result = run_diff(names, paths, &text, fault);
	if (result == 0)
		put_difference(comparing, path, sides, buf_slice(&text));
	buf_fini(&text);
	unlink(paths[0]);
	unlink(paths[1]);
	return result;
}

static int
diff_sets(struct comparing *comparing, struct fault *fault)
{
	const struct source_set *sets = comparing->sets;
	int result = 0;

	snprintf(comparing->folder, sizeof(comparing->folder), "/tmp/moonlog-diff-XXXXXX");
	if (mkdtemp(comparing->folder) == NULL)
		return fault_errno(fault, FAULT_AWAY, errno, "%s", comparing->folder);
	for (size_t i = 0; result == 0 && i < sets[0].count; i++)
		result = diff_file(comparing, sets[0].items[i].path, fault);
	for (size_t i = 0; result == 0 && i < sets[1].count; i++)
		if (find_source(&sets[0], sets[1].items[i].path) == NULL)
			result = diff_file(comparing, sets[1].items[i].path, fault);
	rmdir(comparing->folder);
	return result;
}

static int
diff(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault)
{
	struct comparing comparing = { .call = call, .out = out };
	const struct source_set *sets = comparing.sets;
	bool json = call_has(call, OPTION_JSON);

	for (size_t i = 0; i < 2; i++)
		if (read_number(call->words[i], &comparing.numbers[i], fault) != 0 ||
		    generation_read(reading->reader, comparing.numbers[i], &reading->arena, &comparing.sets[i],
				    fault) != 0)
			return -1;
	if (!slice_equal(sets[0].domain, sets[1].domain))
		return fault_set(fault, FAULT_INPUT, "usage",
				 "generation %u is of %.*s, %u of %.*s: nothing to compare", comparing.numbers[0],
				 SLICE_ARG(sets[0].domain), comparing.numbers[1], SLICE_ARG(sets[1].domain));
	if (json)
		buf_format(out, "{\"domain\":\"%.*s\",\"before\":%u,\"after\":%u,\"files\":[",
			   SLICE_ARG(sets[0].domain), comparing.numbers[0], comparing.numbers[1]);
	if (diff_sets(&comparing, fault) != 0)
		return -1;
	if (json)
		buf_text(out, "]}\n");
	return 0;
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
