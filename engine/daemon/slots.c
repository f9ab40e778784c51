/* SPDX-License-Identifier: MIT */
/*
 * Names, links and removal of read-model files.
 *
 * The link holds a bare file name, so that a data directory can be moved. It is made under another name and renamed
 * over the old one. SQLite resolves links before it names -wal and -shm, so everybody who opens the link shares the
 * slot's own. Nothing here is synced: a read model is made anew from the log.
 */
#include "daemon/slots.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view/sqlite/view_sqlite.h"

static int
too_long(const char *data, struct fault *fault)
{
	return fault_errno(fault, FAULT_CONFIG, ENAMETOOLONG, "%s", data);
}

int
slots_path(const char *data, struct slice domain, unsigned slot, char path[SLOTS_PATH_SIZE], struct fault *fault)
{
	int size = snprintf(path, SLOTS_PATH_SIZE, "%s/views/%.*s.%u.db", data, SLICE_ARG(domain), slot);

	must(slot < VIEW_SLOTS_MAX);
	return size > 0 && size < SLOTS_PATH_SIZE ? 0 : too_long(data, fault);
}

static int
link_path(const char *data, struct slice domain, const char *end, char path[SLOTS_PATH_SIZE], struct fault *fault)
{
	int size = snprintf(path, SLOTS_PATH_SIZE, "%s/views/%.*s.db%s", data, SLICE_ARG(domain), end);

	return size > 0 && size < SLOTS_PATH_SIZE ? 0 : too_long(data, fault);
}

/* The slot that a link's text names; -1 for any other text. */
static int
slot_of(struct slice domain, const char *text)
{
	char wanted[STREAM_WORD_MAX + 20];

	for (unsigned slot = 0; slot < VIEW_SLOTS_MAX; slot++) {
		snprintf(wanted, sizeof(wanted), "%.*s.%u.db", SLICE_ARG(domain), slot);
		if (strcmp(wanted, text) == 0)
			return (int)slot;
	}
	return -1;
}

/* A file without a link to it: of an older moonlog, or put there by hand. */
static int
take_over(const char *data, struct slice domain, char path[SLOTS_PATH_SIZE], struct fault *fault)
{
	char slot[SLOTS_PATH_SIZE];

	if (slots_path(data, domain, 0, slot, fault) != 0 || slots_remove(data, domain, 0, fault) != 0 ||
	    view_sqlite_rename(path, slot, fault) != 0)
		return -1;
	return slots_point(data, domain, 0, fault);
}

int
slots_look(const char *data, struct slice domain, struct view_slots *slots, char path[SLOTS_PATH_SIZE],
	   struct fault *fault)
{
	char text[STREAM_WORD_MAX + 20];
	struct stat status;
	ssize_t size = -1;

	*slots = (struct view_slots){ .live = -1 };
	if (link_path(data, domain, "", path, fault) != 0)
		return -1;
	bool there = lstat(path, &status) == 0;
	if (there && S_ISREG(status.st_mode) && take_over(data, domain, path, fault) != 0)
		return -1;
	if (there)
		size = readlink(path, text, sizeof(text) - 1);
	if (size > 0) {
		text[size] = '\0';
		slots->live = slot_of(domain, text);
	}
	if (there && slots->live < 0)
		return fault_set(fault, FAULT_CONFIG, "bad_view_link",
				 "%s: is no link of moonlog's to a read model; delete it, the read model is rebuilt",
				 path);
	for (unsigned slot = 0; slot < VIEW_SLOTS_MAX; slot++) {
		if (slots_path(data, domain, slot, path, fault) != 0)
			return -1;
		if (there && access(path, F_OK) == 0)
			slots->present |= UINT32_C(1) << slot;
		else if (slots_remove(data, domain, slot, fault) != 0)
			return -1;
	}
	return 0;
}

int
slots_point(const char *data, struct slice domain, unsigned slot, struct fault *fault)
{
	char name[STREAM_WORD_MAX + 20], path[SLOTS_PATH_SIZE], fresh[SLOTS_PATH_SIZE];

	must(slot < VIEW_SLOTS_MAX);
	snprintf(name, sizeof(name), "%.*s.%u.db", SLICE_ARG(domain), slot);
	if (link_path(data, domain, "", path, fault) != 0 || link_path(data, domain, ".new", fresh, fault) != 0)
		return -1;
	unlink(fresh);
	if (symlink(name, fresh) != 0 || rename(fresh, path) != 0) {
		fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be made a link to %s", path, name);
		unlink(fresh);
		return -1;
	}
	return 0;
}

int
slots_remove(const char *data, struct slice domain, unsigned slot, struct fault *fault)
{
	char path[SLOTS_PATH_SIZE];

	if (slots_path(data, domain, slot, path, fault) != 0)
		return -1;
	return view_sqlite_remove(path, fault);
}
