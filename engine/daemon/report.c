/* SPDX-License-Identifier: MIT */
/* Findings come in the order of files and lines; a note is no fault, so its place is enough. */
#include "daemon/report.h"

#include "base/json.h"
#include "core/domain.h"
#include "http/server.h"

#define SOURCES_MAX ((size_t)256 << 20)

static const char *const severities[] = {
	[FINDING_ERROR] = "error", [FINDING_WARNING] = "warning", [FINDING_NOTE] = "note"
};

/* Such a route loads, and no request ever comes to it. */
static void
find_shadowed(struct report *report)
{
	const struct script_program *program = report->program;

	for (size_t i = 0; program != NULL && i < program->route_count; i++) {
		const struct script_route *route = &program->routes[i];
		struct finding finding = { .severity = FINDING_WARNING, .code = "route_shadowed" };

		if (!http_owns_path(route->path))
			continue;
		finding.text =
			arena_format(&report->arena, "route %.*s %.*s of %.*s: the daemon answers this path itself",
				     SLICE_ARG(route->method), SLICE_ARG(route->path), SLICE_ARG(program->domain));
		findings_add(&report->findings, &finding);
	}
}

int
report_open(struct report *report, const char *folder, const struct script_options *options, struct fault *fault)
{
	*report = (struct report){ .folder = folder };
	arena_init(&report->arena, SOURCES_MAX);
	report->findings.arena = &report->arena;
	if (domain_read_folder(folder, &report->arena, &report->sources, fault) != 0)
		return -1;
	if (moon_check(&report->sources, options, &report->findings, &report->program, fault) != 0)
		return -1;
	find_shadowed(report);
	return 0;
}

void
report_close(struct report *report)
{
	if (report->program != NULL)
		script_unload(report->program);
	arena_fini(&report->arena);
	*report = (struct report){ 0 };
}

size_t
report_faults(const struct report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->findings.count; i++)
		count += report->findings.items[i].severity != FINDING_NOTE;
	return count;
}

static void
write_finding(const struct report *report, const struct finding *finding, struct buf *out)
{
	size_t size = strlen(report->folder);

	while (size > 1 && report->folder[size - 1] == '/')
		size--;
	if (finding->line != 0)
		buf_format(out, "%.*s/%.*s:%d: ", (int)size, report->folder, SLICE_ARG(finding->file), finding->line);
	if (finding->severity != FINDING_ERROR)
		buf_format(out, "%s: ", severities[finding->severity]);
	buf_format(out, "%.*s\n", SLICE_ARG(finding->text));
	if (finding->excerpt.size != 0 && finding->severity != FINDING_NOTE)
		buf_format(out, "%.*s\n", SLICE_ARG(finding->excerpt));
}

void
report_text(const struct report *report, bool notes, struct buf *out)
{
	for (size_t i = 0; i < report->findings.count; i++) {
		if (notes || report->findings.items[i].severity != FINDING_NOTE)
			write_finding(report, &report->findings.items[i], out);
	}
}

static void
write_finding_json(const struct finding *finding, struct buf *out)
{
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

void
report_json(const struct report *report, struct buf *out)
{
	buf_text(out, "{\"folder\":");
	json_quote(out, slice_text(report->folder));
	buf_text(out, ",\"findings\":[");
	for (size_t i = 0; i < report->findings.count; i++) {
		if (i != 0)
			buf_byte(out, ',');
		write_finding_json(&report->findings.items[i], out);
	}
	buf_format(out, "],\"ok\":%s}\n", report_faults(report) == 0 ? "true" : "false");
}
