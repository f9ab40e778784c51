/* SPDX-License-Identifier: MIT */
/* `editor`: each file is written under another name and moved into place: an editor that watches sees whole files. */
#include "daemon/refresh.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/verb.h"
#include "script/lua/editor.h"

#define PATH_SIZE 4096
#define FILE_MAX  ((size_t)1 << 20)

/* What is there now; SLICE_NONE data when there is nothing. */
static int
read_now(const char *path, struct buf *bytes, bool *there, struct fault *fault)
{
	char chunk[8192];
	size_t size;
	FILE *file = fopen(path, "re");

	buf_clear(bytes);
	*there = file != NULL;
	if (file == NULL)
		return errno == ENOENT ? 0
				       : fault_set(fault, FAULT_CONFIG, "cannot_read", "%s: %s", path, strerror(errno));
	while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(bytes, slice_from(chunk, size));
	fclose(file);
	return 0;
}

static int
replace(const char *path, struct slice bytes, struct fault *fault)
{
	char fresh[PATH_SIZE + 8];

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	FILE *file = fopen(fresh, "we");
	if (file == NULL)
		return fault_set(fault, FAULT_CONFIG, "cannot_create", "%s: %s", fresh, strerror(errno));
	bool written = fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
	written = fclose(file) == 0 && written;
	if (written && rename(fresh, path) == 0)
		return 0;
	fault_set(fault, FAULT_CONFIG, "cannot_create", "%s: %s", path, strerror(errno));
	unlink(fresh);
	return -1;
}

static bool
has_mark(const struct buf *bytes)
{
	return memmem(bytes->data, bytes->size, EDITOR_MARK, strlen(EDITOR_MARK)) != NULL;
}

static int
refresh_one(const char *folder, const struct editor_file *file, struct buf *now, struct buf *want, struct fault *fault)
{
	char path[PATH_SIZE];
	bool there;

	snprintf(path, sizeof(path), "%s/%s", folder, file->path);
	buf_clear(want);
	file->write(want);
	if (want->failed)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for %s", path);
	if (read_now(path, now, &there, fault) != 0)
		return -1;
	bool same = there && slice_equal(buf_slice(now), buf_slice(want));
	if (same || (there && file->settings && !has_mark(now))) {
		printf("kept  %s\n", path);
		return 0;
	}
	if (replace(path, buf_slice(want), fault) != 0)
		return -1;
	printf("wrote %s\n", path);
	return 0;
}

int
refresh_editor(const char *folder, struct fault *fault)
{
	size_t count;
	const struct editor_file *files = editor_files(&count);
	struct buf now, want;
	char path[PATH_SIZE];
	int result = 0;

	if (strlen(folder) > PATH_SIZE - 64)
		return fault_set(fault, FAULT_INPUT, "usage", "the folder's name is too long");
	snprintf(path, sizeof(path), "%s/.luals", folder);
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return fault_set(fault, FAULT_CONFIG, errno == ENOENT ? "no_such_folder" : "cannot_create", "%s: %s",
				 path, strerror(errno));
	buf_init(&now, FILE_MAX);
	buf_init(&want, FILE_MAX);
	for (size_t i = 0; i < count && result == 0; i++)
		result = refresh_one(folder, &files[i], &now, &want, fault);
	buf_fini(&now);
	buf_fini(&want);
	return result;
}

enum exit_code
verb_editor(struct call *call)
{
	struct fault fault;

	for (size_t i = 0; i < call->word_count; i++) {
		if (refresh_editor(call->words[i], &fault) != 0)
			return exit_say(&fault);
	}
	return EXIT_DONE;
}
