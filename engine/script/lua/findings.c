/* SPDX-License-Identifier: MIT */
/* A list of findings: each once, copied. */
#include <string.h>

#include "script/lua/check.h"
#include "script/lua/vm.h"

#define FINDINGS_MAX 1000

static bool
same_finding(const struct finding *a, const struct finding *b)
{
	return a->line == b->line && slice_equal(a->file, b->file) && slice_equal(a->text, b->text);
}

static bool
make_room(struct findings *findings)
{
	if (findings->count < findings->room)
		return true;
	size_t room = findings->room == 0 ? 32 : findings->room * 2;
	struct finding *more = room <= FINDINGS_MAX ? arena_zero(findings->arena, room, sizeof *more) : NULL;
	if (more == NULL)
		return false;
	if (findings->count > 0)
		memcpy(more, findings->items, findings->count * sizeof *more);
	findings->items = more;
	findings->room = room;
	return true;
}

void
findings_add(struct findings *findings, const struct finding *finding)
{
	for (size_t i = 0; i < findings->count; i++)
		if (same_finding(&findings->items[i], finding))
			return;
	struct finding copy = *finding;
	copy.file = arena_copy(findings->arena, finding->file);
	copy.text = arena_copy(findings->arena, finding->text);
	copy.excerpt = arena_copy(findings->arena, finding->excerpt);
	if (!make_room(findings) || (finding->text.size > 0 && copy.text.data == NULL)) {
		findings->lost = true;
		return;
	}
	findings->items[findings->count++] = copy;
	findings->errors += finding->severity == FINDING_ERROR;
}

void
findings_trouble(struct findings *findings, const char *code, const struct vm_trouble *trouble)
{
	findings_add(findings, &(struct finding){ .severity = FINDING_ERROR,
						  .code = code,
						  .file = slice_text(trouble->file),
						  .line = trouble->line,
						  .text = slice_text(trouble->message),
						  .excerpt = slice_text(trouble->excerpt) });
}
