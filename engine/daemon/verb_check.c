/* SPDX-License-Identifier: MIT */
/*
 * `check`: what can be said about each folder's rules without running them on data, in the form editors jump from.
 * Errors and warnings make the exit code 1; notes do not.
 */

#include "core/domain.h"
#include "daemon/print.h"
#include "daemon/verb.h"
#include "script/lua/check.h"
#include "script/lua/lua_room.h"

#define OUT_MAX     ((size_t)4 << 20)
#define SOURCES_MAX ((size_t)256 << 20)

static const char *const severities[] = {
	[FINDING_ERROR] = "error", [FINDING_WARNING] = "warning", [FINDING_NOTE] = "note"
};

/* One folder; what is found is printed at its end. */
struct checking {
	const struct call *call;
	const char *folder;
	struct arena arena;
	struct source_set sources;
	struct findings findings;
	struct script_program *program; /* NULL: it does not load */
	struct buf out;
};

static void
print_finding_json(struct checking *checking, const struct finding *finding)
{
	struct buf *out = &checking->out;

	buf_format(out, "{\"severity\":\"%s\",\"code\":\"%s\"", severities[finding->severity], finding->code);
	if (finding->line != 0) {
		json_key(out, "file");
		json_quote(out, finding->file);
		json_key(out, "line");
		buf_u64(out, (uint64_t)finding->line);
	}
	json_key(out, "text");
	json_quote(out, finding->text);
	json_key(out, "excerpt");
	json_quote(out, finding->excerpt);
	buf_byte(out, '}');
}

static void
print_finding(struct checking *checking, const struct finding *finding)
{
	size_t size = strlen(checking->folder);

	while (size > 1 && checking->folder[size - 1] == '/')
		size--;
	if (finding->line != 0)
		buf_format(&checking->out, "%.*s/%.*s:%d: ", (int)size, checking->folder, SLICE_ARG(finding->file),
			   finding->line);
	if (finding->severity != FINDING_ERROR)
		buf_format(&checking->out, "%s: ", severities[finding->severity]);
	buf_format(&checking->out, "%.*s\n", SLICE_ARG(finding->text));
	/* A note is no fault: its place is enough. */
	if (finding->excerpt.size != 0 && finding->severity != FINDING_NOTE)
		buf_format(&checking->out, "%.*s\n", SLICE_ARG(finding->excerpt));
}

static size_t
count_faults(const struct findings *findings)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->count; i++)
		count += findings->items[i].severity != FINDING_NOTE;
	return count;
}

static void
print_text(struct checking *checking)
{
	const struct script_program *program = checking->program;

	for (size_t i = 0; i < checking->findings.count; i++)
		print_finding(checking, &checking->findings.items[i]);
	if (count_faults(&checking->findings) == 0)
		buf_format(&checking->out, "%s: well; %zu aggregates, %zu projections, %zu queries, %zu routes\n",
			   checking->folder, program->aggregate_count, program->projection_count, program->query_count,
			   program->route_count);
}

static void
print_json(struct checking *checking)
{
	struct buf *out = &checking->out;

	buf_text(out, "{\"folder\":");
	json_quote(out, slice_text(checking->folder));
	json_key(out, "findings");
	for (size_t i = 0; i < checking->findings.count; i++) {
		buf_byte(out, i != 0 ? ',' : '[');
		print_finding_json(checking, &checking->findings.items[i]);
	}
	if (checking->findings.count == 0)
		buf_byte(out, '[');
	buf_format(out, "],\"ok\":%s}\n", count_faults(&checking->findings) == 0 ? "true" : "false");
}

static enum exit_code
check_folder(const struct call *call, const char *folder)
{
	struct checking checking = { .call = call, .folder = folder };
	struct script_options options = { .development = true };
	struct fault fault;
	enum exit_code code = EXIT_FAILED;

	arena_init(&checking.arena, SOURCES_MAX);
	buf_init(&checking.out, OUT_MAX);
	checking.findings.arena = &checking.arena;
	if (domain_read_folder(folder, &checking.arena, &checking.sources, &fault) != 0 ||
	    moon_check(&checking.sources, &options, &checking.findings, &checking.program, &fault) != 0) {
		code = exit_say(&fault);
		goto out;
	}
	if (call_has(call, OPTION_JSON))
		print_json(&checking);
	else
		print_text(&checking);
	print_out(&checking.out);
	if (count_faults(&checking.findings) == 0)
		code = EXIT_DONE;
out:
	if (checking.program != NULL)
		script_unload(checking.program);
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
