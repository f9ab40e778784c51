/* SPDX-License-Identifier: MIT */
/* `check`: loads each folder as the daemon would and reports what is wrong. */
#include <stdio.h>

#include "daemon/print.h"
#include "daemon/rules.h"
#include "daemon/verb.h"

#define OUT_MAX ((size_t)1 << 20)

static void
print_result(const struct call *call, const char *folder, const struct rules *rules, const struct fault *fault)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	if (call_has(call, OPTION_JSON)) {
		buf_text(&out, "{\"folder\":");
		json_quote(&out, slice_text(folder));
		buf_format(&out, ",\"ok\":%s", fault == NULL ? "true" : "false");
		if (fault != NULL) {
			json_key(&out, "code");
			json_quote(&out, slice_text(fault->code));
			json_key(&out, "text");
			json_quote(&out, slice_text(fault->text));
		}
		buf_text(&out, "}\n");
	} else if (fault != NULL) {
		buf_format(&out, "%s\n", fault->text);
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
