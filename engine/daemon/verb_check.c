/* SPDX-License-Identifier: MIT */
/*
 * `check`: loads each folder as the daemon would and reports what is wrong with it, in the form editors jump from.
 * Loading ends at its first finding; so the file that it lies in is left out and the rest is loaded again, which gives
 * the first finding of every file. What only says that something of a left-out file is missing is not told.
 */

#include "core/domain.h"
#include "daemon/print.h"
#include "daemon/verb.h"
#include "script/lua/lua_room.h"

#define OUT_MAX     ((size_t)4 << 20)
#define SOURCES_MAX ((size_t)256 << 20)

/* "account.lua:12: reason", with the excerpt in the lines below. */
struct finding {
	struct slice file; /* empty: not in one file */
	uint64_t line;
	struct slice text;
	struct slice excerpt;
};

/* One folder; what is found is printed at its end. */
struct checking {
	const struct call *call;
	const char *folder;
	struct arena arena;
	struct source_set sources;
	struct source *items;
	size_t found;
	struct buf out;
};

static struct finding
read_finding(const struct fault *fault)
{
	struct slice rest = slice_text(fault->text);
	struct finding finding = { .text = rest };
	const char *end = memchr(rest.data, '\n', rest.size), *first, *second;

	if (end != NULL) {
		finding.text.size = (size_t)(end - rest.data);
		finding.excerpt = slice_from(end + 1, rest.size - finding.text.size - 1);
	}
	first = memchr(finding.text.data, ':', finding.text.size);
	second = first != NULL ? strstr(first + 1, ": ") : NULL;
	if (strcmp(fault->code, "bad_rules") != 0 || second == NULL ||
	    !slice_to_u64(slice_from(first + 1, (size_t)(second - first - 1)), &finding.line))
		return finding;
	finding.file = slice_from(finding.text.data, (size_t)(first - finding.text.data));
	finding.text = slice_from(second + 2, (size_t)(finding.text.data + finding.text.size - second - 2));
	return finding;
}

static void
print_finding_json(struct checking *checking, const struct fault *fault, const struct finding *finding)
{
	struct buf *out = &checking->out;

	buf_text(out, checking->found != 0 ? ",{\"code\":" : "{\"code\":");
	json_quote(out, slice_text(fault->code));
	if (finding->line != 0) {
		json_key(out, "file");
		json_quote(out, finding->file);
		json_key(out, "line");
		buf_u64(out, finding->line);
	}
	json_key(out, "text");
	json_quote(out, finding->text);
	json_key(out, "excerpt");
	json_quote(out, finding->excerpt);
	buf_byte(out, '}');
}

static void
print_finding(struct checking *checking, const struct fault *fault, const struct finding *finding)
{
	size_t size = strlen(checking->folder);

	if (call_has(checking->call, OPTION_JSON)) {
		print_finding_json(checking, fault, finding);
		return;
	}
	while (size > 1 && checking->folder[size - 1] == '/')
		size--;
	if (finding->line != 0)
		buf_format(&checking->out, "%.*s/%.*s:%llu: ", (int)size, checking->folder, SLICE_ARG(finding->file),
			   (unsigned long long)finding->line);
	buf_format(&checking->out, "%.*s\n", SLICE_ARG(finding->text));
	if (finding->excerpt.size != 0)
		buf_format(&checking->out, "%.*s\n", SLICE_ARG(finding->excerpt));
}

/* false when there is no such file, so that loading again would find the same. */
static bool
leave_out(struct checking *checking, struct slice file)
{
	size_t kept = 0;

	for (size_t i = 0; i < checking->sources.count; i++) {
		if (!slice_equal(checking->items[i].path, file))
			checking->items[kept++] = checking->items[i];
	}
	bool left_out = kept < checking->sources.count;
	checking->sources.count = kept;
	return left_out && kept > 0;
}

static bool
is_consequence(const struct finding *finding)
{
	static const char *const signs[] = { "the domain has no ", "has no command " };

	for (size_t i = 0; i < countof(signs); i++) {
		if (memmem(finding->text.data, finding->text.size, signs[i], strlen(signs[i])) != NULL)
			return true;
	}
	return false;
}

static void
print_well(struct checking *checking, const struct script_program *program)
{
	if (!call_has(checking->call, OPTION_JSON))
		buf_format(&checking->out, "%s: well; %zu aggregates, %zu projections, %zu queries, %zu routes\n",
			   checking->folder, program->aggregate_count, program->projection_count, program->query_count,
			   program->route_count);
}

static void
check_sources(struct checking *checking)
{
	struct script_options options = { .development = true };

	for (;;) {
		struct script_program *program = NULL;
		struct fault fault;
		if (script_load(moon_ops(), &checking->sources, &options, &program, &fault) == 0) {
			if (checking->found == 0)
				print_well(checking, program);
			script_unload(program);
			return;
		}
		struct finding finding = read_finding(&fault);
		if (checking->found == 0 || !is_consequence(&finding)) {
			print_finding(checking, &fault, &finding);
			checking->found++;
		}
		if (!leave_out(checking, finding.file))
			return;
	}
}

static int
read_sources(struct checking *checking, struct fault *fault)
{
	if (domain_read_folder(checking->folder, &checking->arena, &checking->sources, fault) != 0)
		return -1;
	checking->items = arena_zero(&checking->arena, checking->sources.count + 1, sizeof(*checking->items));
	if (checking->items == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the sources of %s", checking->folder);
	for (size_t i = 0; i < checking->sources.count; i++)
		checking->items[i] = checking->sources.items[i];
	checking->sources.items = checking->items;
	return 0;
}

static enum exit_code
check_folder(const struct call *call, const char *folder)
{
	struct checking checking = { .call = call, .folder = folder };
	bool json = call_has(call, OPTION_JSON);
	struct fault fault;
	enum exit_code code = EXIT_DONE;

	arena_init(&checking.arena, SOURCES_MAX);
	buf_init(&checking.out, OUT_MAX);
	if (read_sources(&checking, &fault) != 0) {
		code = exit_say(&fault);
		goto out;
	}
	if (json) {
		buf_text(&checking.out, "{\"folder\":");
		json_quote(&checking.out, slice_text(folder));
		buf_text(&checking.out, ",\"findings\":[");
	}
	check_sources(&checking);
	if (json)
		buf_format(&checking.out, "],\"ok\":%s}\n", checking.found == 0 ? "true" : "false");
	print_out(&checking.out);
	code = checking.found == 0 ? EXIT_DONE : EXIT_FAILED;
out:
	arena_fini(&checking.arena);
	buf_fini(&checking.out);
	return code;
}

enum exit_code
verb_check(struct call *call)
{
	enum exit_code worst = EXIT_DONE;

	for (size_t i = 0; i < call->word_count; i++) {
		enum exit_code code = check_folder(call, call->words[i]);
		worst = code > worst ? code : worst;
	}
	return worst;
}
