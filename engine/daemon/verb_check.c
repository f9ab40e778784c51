/* SPDX-License-Identifier: MIT */
/*
 * `check`: loads each folder as the daemon would and reports the first thing that is wrong with it, in the form editors
 * jump from: loading ends at the first finding, since what follows it is often only its consequence.
 */
#include <stdio.h>

#include "daemon/print.h"
#include "daemon/rules.h"
#include "daemon/verb.h"

#define OUT_MAX ((size_t)1 << 20)

/* "account.lua:12: reason", with the excerpt in the lines below. */
struct finding {
	struct slice file;
	uint64_t line; /* 0: unknown */
	struct slice text;
	struct slice excerpt;
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
print_finding_json(const struct fault *fault, struct buf *out)
{
	struct finding finding = read_finding(fault);

	buf_text(out, ",\"findings\":[{\"code\":");
	json_quote(out, slice_text(fault->code));
	if (finding.line != 0) {
		json_key(out, "file");
		json_quote(out, finding.file);
		json_key(out, "line");
		buf_u64(out, finding.line);
	}
	json_key(out, "text");
	json_quote(out, finding.text);
	json_key(out, "excerpt");
	json_quote(out, finding.excerpt);
	buf_text(out, "}]");
}

static void
print_finding(const char *folder, const struct fault *fault, struct buf *out)
{
	struct finding finding = read_finding(fault);
	size_t size = strlen(folder);

	while (size > 1 && folder[size - 1] == '/')
		size--;
	if (finding.line != 0)
		buf_format(out, "%.*s/%.*s:%llu: ", (int)size, folder, SLICE_ARG(finding.file),
			   (unsigned long long)finding.line);
	buf_format(out, "%.*s\n", SLICE_ARG(finding.text));
	if (finding.excerpt.size != 0)
		buf_format(out, "%.*s\n", SLICE_ARG(finding.excerpt));
}

static void
print_result(const struct call *call, const char *folder, const struct rules *rules, const struct fault *fault)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	if (call_has(call, OPTION_JSON)) {
		buf_text(&out, "{\"folder\":");
		json_quote(&out, slice_text(folder));
		buf_format(&out, ",\"ok\":%s", fault == NULL ? "true" : "false");
		if (fault != NULL)
			print_finding_json(fault, &out);
		buf_text(&out, "}\n");
	} else if (fault != NULL) {
		print_finding(folder, fault, &out);
	} else {
		const struct script_program *program = rules->program;
		buf_format(&out, "%s: well; %zu aggregates, %zu projections, %zu queries, %zu routes\n", folder,
			   program->aggregate_count, program->projection_count, program->query_count,
			   program->route_count);
	}
	print_out(&out);
	buf_fini(&out);
}

enum exit_code
verb_check(struct call *call)
{
	enum exit_code worst = EXIT_DONE;

	for (size_t i = 0; i < call->word_count; i++) {
		struct rules rules;
		struct fault fault;
		if (rules_from_folder(&rules, call->words[i], &fault) == 0) {
			print_result(call, call->words[i], &rules, NULL);
		} else if (fault.class == FAULT_SCRIPT || fault.class == FAULT_INPUT || fault.class == FAULT_LIMIT) {
			print_result(call, call->words[i], &rules, &fault);
			worst = worst == EXIT_DONE ? EXIT_FAILED : worst;
		} else {
			worst = exit_say(&fault);
		}
		rules_close(&rules);
	}
	return worst;
}
