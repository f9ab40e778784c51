/* SPDX-License-Identifier: MIT */
/* First the checks of load time, which go on behind each finding; then each file that ran is read as text. */
#include "script/lua/check.h"

#include <stdlib.h>

#include "base/suggest.h"
#include "script/lua/lint.h"
#include "script/lua/machine.h"

static bool
known(const struct slice *names, size_t count, struct slice name, char *hint, size_t size)
{
	struct suggest suggest;
	suggest_start(&suggest, name);
	for (size_t i = 0; i < count; i++) {
		if (slice_equal(names[i], name))
			return true;
		suggest_try(&suggest, names[i].data);
	}
	suggest_text(&suggest, hint, size);
	return false;
}

static bool
type_known(void *self, struct slice type, char *hint, size_t size)
{
	const struct findings *findings = self;
	return known(findings->types, findings->type_count, type, hint, size);
}

static bool
command_known(void *self, struct slice command, char *hint, size_t size)
{
	const struct findings *findings = self;
	return known(findings->commands, findings->command_count, command, hint, size);
}

static bool
table_known(void *self, struct slice table, char *hint, size_t size)
{
	const struct findings *findings = self;
	return known(findings->tables, findings->table_count, table, hint, size);
}

/* As view.c has them. */
static bool
method_known(void *self, struct slice method, char *hint, size_t size)
{
	static const char *const methods[] = { "get",    "put",          "insert", "update", "add",
					       "delete", "delete_where", "find",   "count" };
	struct slice names[countof(methods)];
	(void)self;
	for (size_t i = 0; i < countof(methods); i++)
		names[i] = slice_text(methods[i]);
	return known(names, countof(methods), method, hint, size);
}

static bool
has_finding(const struct findings *findings, struct slice file, const char *code)
{
	for (size_t i = 0; i < findings->count; i++)
		if (slice_equal(findings->items[i].file, file) && strcmp(findings->items[i].code, code) == 0)
			return true;
	return false;
}

static void
read_texts(const struct source_set *sources, struct findings *findings)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct lint lint = { .findings = findings,
					   .source = &sources->items[i],
					   .type_known = findings->types != NULL ? type_known : NULL,
					   .command_known = findings->commands != NULL ? command_known : NULL,
					   .table_known = findings->tables != NULL ? table_known : NULL,
					   .method_known = method_known,
					   .self = findings };
		/* A text that does not compile, or has said by itself what it lacks. */
		if (!has_finding(findings, lint.source->path, "load_error"))
			lint_file(&lint);
	}
}

static int
by_place(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int order = slice_compare(x->file, y->file);
	if (order == 0)
		order = (x->line > y->line) - (x->line < y->line);
	return order != 0 ? order : slice_compare(x->text, y->text);
}

int
moon_check(const struct source_set *sources, const struct script_options *options, struct findings *findings,
	   struct script_program **program, struct fault *fault)
{
	if (moon_load_all(sources, options, findings, program, fault) != 0)
		return -1;
	read_texts(sources, findings);
	if (findings->errors > 0 && *program != NULL) {
		script_unload(*program);
		*program = NULL;
	}
	if (findings->count > 0)
		qsort(findings->items, findings->count, sizeof *findings->items, by_place);
	if (!findings->lost)
		return 0;
	if (*program != NULL)
		script_unload(*program);
	*program = NULL;
	return fault_set(fault, FAULT_MEMORY, "memory", "more findings than can be kept");
}
