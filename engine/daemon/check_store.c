/* SPDX-License-Identifier: MIT */
/* The store is read beside the daemon. Findings go among the others, without a file. */
#include "daemon/check_store.h"

#include <stdio.h>
#include <unistd.h>

#include "core/catalogue.h"
#include "core/determinism.h"
#include "daemon/reading.h"
#include "view/memory/view_memory.h"

bool
check_store_wanted(const struct call *call, const struct config *config)
{
	bool told = call->setting_count != 0 || call->config_file != NULL;

	return call_has(call, OPTION_HISTORY) || (told && config_given(config, CONFIG_DATA));
}

static void
add(struct findings *findings, const char *code, const char *text)
{
	const struct finding finding = { .severity = FINDING_ERROR, .code = code, .text = slice_text(text) };

	findings_add(findings, &finding);
}

static void
unread(void *self, const struct catalogue_finding *finding)
{
	add(self, "history_unread", finding->text);
}

#define SHOWN_MAX 20 /* differences that are told in detail: a leak shows in each stream */

struct talk {
	struct findings *findings;
	uint64_t found;
	bool terminal;
	bool told;
};

static void
differs(void *self, const struct determinism_finding *finding)
{
	static const char *const codes[] = { [DIFFERS_STATE] = "state_differs",
					     [DIFFERS_PIECES] = "pieces_differ",
					     [DIFFERS_ROWS] = "rows_differ",
					     [RULES_FAIL] = "rules_fail" };
	struct talk *talk = self;
	char text[900];

	if (++talk->found > SHOWN_MAX)
		return;
	snprintf(text, sizeof(text), "%.*s version %llu (position %llu), %.*s%s%.*s: %s", SLICE_ARG(finding->stream),
		 (unsigned long long)finding->version, (unsigned long long)finding->position, SLICE_ARG(finding->type),
		 finding->projection.size != 0 ? ", projection " : "", SLICE_ARG(finding->projection), finding->text);
	add(talk->findings, codes[finding->what], text);
}

static void
progress(void *self, log_position at, log_position head)
{
	struct talk *talk = self;

	if (!talk->terminal)
		return;
	talk->told = true;
	fprintf(stderr, "\rfolding twice: %llu of %llu entries ", (unsigned long long)at, (unsigned long long)head);
}

static int
check_history(struct store *store, const struct script_program *program, const struct script_options *options,
	      struct findings *findings, struct fault *fault)
{
	struct talk talk = { .findings = findings, .terminal = isatty(STDERR_FILENO) != 0 };
	char more[80];
	struct determinism check = { .store = store,
				     .program = program,
				     .options = options,
				     .open_view = view_memory_open,
				     .threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
				     .found = differs,
				     .progress = progress,
				     .self = &talk };
	int result = determinism_check(&check, fault);

	if (talk.told)
		fputc('\n', stderr);
	if (talk.found > SHOWN_MAX) {
		snprintf(more, sizeof(more), "%llu more differences are not shown",
			 (unsigned long long)(talk.found - SHOWN_MAX));
		add(findings, "history_more", more);
	}
	if (result == 0)
		fprintf(stderr, "history of %.*s: %llu streams, %llu events folded twice, %llu projected twice: %s\n",
			SLICE_ARG(program->domain), (unsigned long long)check.streams, (unsigned long long)check.events,
			(unsigned long long)check.projected,
			check.findings != 0  ? "not equal"
			: check.streams != 0 ? "equal"
					     : "the store has nothing of this domain");
	return result;
}

int
check_store(const struct call *call, const struct script_program *program, const struct script_options *options,
	    struct findings *findings, struct fault *fault)
{
	struct catalogue_report report = { .found = unread, .self = findings };
	struct reading reading;
	int result = reading_open(call, &reading, fault);

	if (result == 0) {
		result = catalogue_check(reading.reader, program, options, &report, fault);
		if (result != 0 && report.findings != 0)
			result = 0; /* they are told one by one */
		else if (result == 0 && call_has(call, OPTION_HISTORY))
			result = check_history(reading.store, program, options, findings, fault);
	}
	reading_close(&reading);
	return result;
}
