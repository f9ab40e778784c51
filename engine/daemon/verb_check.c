/* SPDX-License-Identifier: MIT */
/*
 * `check`: what can be said about each folder's rules without running them on data. Errors and warnings make the exit
 * code 1; notes do not.
 */

#include "daemon/check_store.h"
#include "daemon/print.h"
#include "daemon/report.h"
#include "daemon/setup.h"
#include "daemon/verb.h"

#define OUT_MAX ((size_t)4 << 20)

static void
write_text(const struct report *report, struct buf *out)
{
	const struct script_program *program = report->program;

	report_text(report, true, out);
	if (report_faults(report) == 0)
		buf_format(out, "%s: well; %zu aggregates, %zu projections, %zu reactors, %zu queries, %zu routes\n",
			   report->folder, program->aggregate_count, program->projection_count, program->reactor_count,
			   program->query_count, program->route_count);
}

static enum exit_code
check_folder(const struct call *call, const struct config *config, const struct script_options *options,
	     const char *folder)
{
	struct report report;
	struct buf out;
	struct fault fault;
	enum exit_code code;

	buf_init(&out, OUT_MAX);
	if (report_open(&report, folder, options, &fault) != 0 ||
	    (report.program != NULL && check_store_wanted(call, config) &&
	     check_store(call, report.program, options, &report.findings, &fault) != 0)) {
		code = exit_say(&fault);
	} else {
		if (call_has(call, OPTION_JSON))
			report_json(&report, &out);
		else
			write_text(&report, &out);
		print_out(&out);
		code = report_faults(&report) == 0 ? EXIT_DONE : EXIT_FAILED;
	}
	report_close(&report);
	buf_fini(&out);
	return code;
}

enum exit_code
verb_check(struct call *call)
{
	enum exit_code worst = EXIT_DONE;
	struct script_options options;
	struct config config;
	struct fault fault;

	if (call_config(call, &config, &fault) != 0) {
		worst = exit_say(&fault);
		config_fini(&config);
		return worst;
	}
	setup_script(&config, &options);
	options.development = true;
	for (size_t i = 0; i < call->word_count; i++) {
		enum exit_code code = check_folder(call, &config, &options, call->words[i]);
		worst = code > worst ? code : worst;
	}
	config_fini(&config);
	return worst;
}
