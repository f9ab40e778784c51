/* SPDX-License-Identifier: MIT */
/* Filling and wording faults. Texts that do not fit are cut, never overrun; control characters become blanks. */
#include "base/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of scripts and clients reach terminals through faults: only line breaks and tabs of an excerpt may pass. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\n' && *text != '\t') || *text == 0x7f)
			*text = ' ';
}

const char *
fault_class_name(enum fault_class of)
{
	static const char *const names[] = {
		[FAULT_NONE] = "none",       [FAULT_INPUT] = "input",     [FAULT_LIMIT] = "limit",
		[FAULT_SCRIPT] = "script",   [FAULT_BUSY] = "busy",       [FAULT_AWAY] = "away",
		[FAULT_UNKNOWN] = "unknown", [FAULT_TIMEOUT] = "timeout", [FAULT_FULL] = "full",
		[FAULT_CORRUPT] = "corrupt", [FAULT_CONFIG] = "config",   [FAULT_MEMORY] = "memory",
		[FAULT_BUG] = "bug",
	};
	static_assert(countof(names) == FAULT_CLASSES, "every class has a name");

	return of < FAULT_CLASSES ? names[of] : "bug";
}

void
fault_clear(struct fault *fault)
{
	if (fault == NULL)
		return;
	fault->class = FAULT_NONE;
	fault->native = 0;
	fault->file = NULL;
	fault->line = 0;
	fault->code[0] = fault->text[0] = '\0';
}

int
fault_set_at(struct fault *fault, enum fault_class class, const char *code, const char *file, int line,
	     const char *format, ...)
{
	va_list args;

	if (fault == NULL)
		return -1;
	fault_clear(fault);
	fault->class = class;
	fault->file = file;
	fault->line = line;
	snprintf(fault->code, sizeof(fault->code), "%s", code != NULL ? code : fault_class_name(class));
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	make_printable(fault->text);
	return -1;
}

int
fault_prefix(struct fault *fault, const char *format, ...)
{
	char prefix[256], text[sizeof(fault->text)];
	va_list args;

	if (fault == NULL)
		return -1;
	va_start(args, format);
	vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
	make_printable(prefix);
	memcpy(text, fault->text, sizeof(text));
	int size = snprintf(fault->text, sizeof(fault->text), "%s: ", prefix);
	if (size > 0 && (size_t)size < sizeof(fault->text))
		snprintf(fault->text + size, sizeof(fault->text) - (size_t)size, "%.*s",
			 (int)(sizeof(fault->text) - (size_t)size - 1), text);
	return -1;
}

int
fault_errno(struct fault *fault, enum fault_class otherwise, int number, const char *format, ...)
{
	enum fault_class class = otherwise;
	char text[300];
	va_list args;

	if (number == ENOSPC || number == EDQUOT)
		class = FAULT_FULL;
	else if (number == ENOMEM)
		class = FAULT_MEMORY;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fault_set(fault, class, class == FAULT_FULL ? "disk_full" : NULL, "%s: %s", text, strerror(number));
	if (fault != NULL)
		fault->native = number;
	return -1;
}

void
fault_broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
	abort();
}
