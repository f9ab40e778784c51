/* SPDX-License-Identifier: MIT */
#include "core/specs.h"

#include "base/json.h"

static const char *const results[] = {
	[SPECS_PASSED] = "passed", [SPECS_FAILED] = "failed", [SPECS_NONE] = "none", [SPECS_NOT_RUN] = "not run"
};

static void
write_member(const struct specs_run *run, struct buf *out)
{
	json_key(out, "specs");
	buf_format(out, "{\"result\":\"%s\"", results[run->result]);
	if (run->result == SPECS_PASSED || run->result == SPECS_FAILED)
		buf_format(out, ",\"passed\":%llu,\"failed\":%llu", (unsigned long long)run->passed,
			   (unsigned long long)run->failed);
	if (run->text[0] != '\0') {
		json_key(out, run->result == SPECS_FAILED ? "first" : "reason");
		json_quote(out, slice_text(run->text));
	}
	buf_byte(out, '}');
}

/* What was tested is what was loaded. */
static int
check_folder(const struct domain *domain, const struct source_set *sources, struct fault *fault)
{
	struct source_set now = { 0 };
	struct arena arena;
	int result;

	arena_init(&arena, (size_t)1 << 30);
	result = domain_read_folder(domain->folder, &arena, &now, fault);
	if (result == 0 && memcmp(&now.hash, &sources->hash, sizeof(now.hash)) != 0)
		result = fault_set(fault, FAULT_INPUT, "folder_changed",
				   "the folder was changed while its specs ran: ask again");
	arena_fini(&arena);
	return result;
}

int
specs_judge(const struct specs_runner *runner, const struct domain *domain, const struct source_set *sources,
	    const _Atomic unsigned *pressing, struct buf *out, struct fault *fault)
{
	struct specs_run run = { .folder = domain->folder, .pressing = pressing };

	if (runner->run(runner->self, &run, fault) != 0)
		return -1;
	write_member(&run, out);
	if (run.result == SPECS_FAILED)
		return fault_set(fault, FAULT_INPUT, "specs_failed", "%llu of %llu specs fail; the first: %s",
				 (unsigned long long)run.failed, (unsigned long long)(run.passed + run.failed),
				 run.text);
	return run.result == SPECS_PASSED ? check_folder(domain, sources, fault) : 0;
}
