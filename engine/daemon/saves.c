/* SPDX-License-Identifier: MIT */
/*
 * inotify. Editors save in many ways - over the file, beside it and renamed, with backups - so every sign of a change
 * of a .lua file counts, and a change is told once QUIET_MS went by without a sign; under a steady stream of signs
 * (a checkout) after BURST_MS all the same. When the kernel's queue ran over, all folders count as changed.
 *
 * A folder that is removed or moved away has changed, and has again when one stands at its path: no sign tells that, so
 * it is looked for every GONE_MS.
 */
#include "daemon/saves.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define QUIET_MS  60
#define BURST_MS  1000
#define GONE_MS   200
#define PLACE_MAX 4096 /* folders looked at, with those below */
#define PATH_SIZE 4096
#define SIGNS     (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR)
#define GOING     (IN_DELETE_SELF | IN_MOVE_SELF)

struct place {
	int watch;
	unsigned folder;
	char *path;
};

struct saves {
	int notify_fd;
	int end_fd;
	const char *const *folders;
	size_t count;
	uint64_t gone; /* of them, as bits: none stands at their path */
	struct place places[PLACE_MAX];
	size_t place_count;
};

static int
add_place(struct saves *saves, const char *path, unsigned folder, struct fault *fault)
{
	uint32_t going = path == saves->folders[folder] ? GOING : 0;
	int watch = inotify_add_watch(saves->notify_fd, path, SIGNS | going);

	if (watch < 0)
		return fault_errno(fault, errno == ENOENT || errno == ENOTDIR ? FAULT_CONFIG : FAULT_AWAY, errno, "%s",
				   path);
	for (size_t i = 0; i < saves->place_count; i++) {
		if (saves->places[i].watch == watch)
			return 0;
	}
	char *copy = saves->place_count < PLACE_MAX ? strdup(path) : NULL;
	if (copy == NULL)
		return fault_set(fault, FAULT_LIMIT, "too_many_folders", "%s: more than %d folders to look at", path,
				 PLACE_MAX);
	saves->places[saves->place_count++] = (struct place){ watch, folder, copy };
	return 0;
}

/* A folder and all below it. One that went away meanwhile is no fault: its going is a sign of its own. */
static int
add_tree(struct saves *saves, const char *path, unsigned folder, struct fault *fault)
{
	char below[PATH_SIZE];
	struct dirent *entry;
	struct stat info;
	int result = add_place(saves, path, folder, fault);
	DIR *directory = result == 0 ? opendir(path) : NULL;

	while (directory != NULL && result == 0 && (entry = readdir(directory)) != NULL) {
		int size = snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] == '.' || size >= (int)sizeof(below) || lstat(below, &info) != 0 ||
		    !S_ISDIR(info.st_mode))
			continue;
		result = add_tree(saves, below, folder, fault);
	}
	if (directory != NULL)
		closedir(directory);
	return result;
}

int
saves_open(const char *const *folders, size_t count, struct saves **saves, struct fault *fault)
{
	struct saves *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to look at folders");
	new->folders = folders;
	new->count = count;
	new->notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	new->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (count > SAVES_FOLDERS_MAX) {
		fault_set(fault, FAULT_LIMIT, "too_many_folders", "more than %d folders", SAVES_FOLDERS_MAX);
		goto fail;
	}
	if (new->notify_fd < 0 || new->end_fd < 0) {
		fault_errno(fault, FAULT_AWAY, errno, "changes of files cannot be followed");
		goto fail;
	}
	for (size_t i = 0; i < count; i++) {
		if (add_tree(new, folders[i], (unsigned)i, fault) != 0)
			goto fail;
	}
	*saves = new;
	return 0;
fail:
	saves_close(new);
	return -1;
}

void
saves_close(struct saves *saves)
{
	if (saves == NULL)
		return;
	if (saves->notify_fd >= 0)
		close(saves->notify_fd);
	if (saves->end_fd >= 0)
		close(saves->end_fd);
	for (size_t i = 0; i < saves->place_count; i++)
		free(saves->places[i].path);
	free(saves);
}

static void
drop_tree(struct saves *saves, unsigned folder)
{
	for (size_t i = saves->place_count; i > 0; i--) {
		struct place *place = &saves->places[i - 1];

		if (place->folder != folder)
			continue;
		inotify_rm_watch(saves->notify_fd, place->watch); /* fails when it went by itself */
		free(place->path);
		*place = saves->places[--saves->place_count];
	}
}

/* Which of those that were gone are there again, as bits. */
static uint64_t
find_gone(struct saves *saves)
{
	uint64_t found = 0;
	struct fault fault;

	for (unsigned i = 0; i < saves->count; i++) {
		if ((saves->gone >> i & 1) == 0)
			continue;
		if (add_tree(saves, saves->folders[i], i, &fault) == 0)
			found |= UINT64_C(1) << i;
		else
			drop_tree(saves, i);
	}
	saves->gone &= ~found;
	return found;
}

static bool
is_rule(const char *name)
{
	size_t size = strlen(name);

	return name[0] != '.' && size > 4 && strcmp(name + size - 4, ".lua") == 0;
}

/* Which folder an event is about, as a bit; 0: none of our business. */
static uint64_t
read_sign(struct saves *saves, const struct inotify_event *sign)
{
	char path[PATH_SIZE];
	struct fault fault;

	if ((sign->mask & IN_Q_OVERFLOW) != 0)
		return saves->count < 64 ? (UINT64_C(1) << saves->count) - 1 : UINT64_MAX;
	for (size_t i = 0; i < saves->place_count; i++) {
		struct place place = saves->places[i];
		if (place.watch != sign->wd)
			continue;
		if ((sign->mask & GOING) != 0) {
			drop_tree(saves, place.folder);
			saves->gone |= UINT64_C(1) << place.folder;
			return UINT64_C(1) << place.folder;
		}
		if ((sign->mask & IN_IGNORED) != 0) {
			free(saves->places[i].path);
			saves->places[i] = saves->places[--saves->place_count];
			return 0;
		}
		bool folder = (sign->mask & IN_ISDIR) != 0;
		if (sign->len == 0 || sign->name[0] == '.' || (!folder && !is_rule(sign->name)))
			return 0;
		if (folder && (sign->mask & (IN_CREATE | IN_MOVED_TO)) != 0 &&
		    snprintf(path, sizeof(path), "%s/%s", place.path, sign->name) < (int)sizeof(path))
			add_tree(saves, path, place.folder, &fault);
		/* A new file says so again when it is whole; a link or a folder does not. */
		return UINT64_C(1) << place.folder;
	}
	return 0;
}

static uint64_t
read_signs(struct saves *saves)
{
	_Alignas(struct inotify_event) char bytes[16384];
	uint64_t changed = 0;
	ssize_t size;

	while ((size = read(saves->notify_fd, bytes, sizeof(bytes))) > 0) {
		for (char *at = bytes; at < bytes + size;) {
			const struct inotify_event *sign = (const struct inotify_event *)(void *)at;
			changed |= read_sign(saves, sign);
			at += sizeof(*sign) + sign->len;
		}
	}
	return changed;
}

uint64_t
saves_wait(struct saves *saves)
{
	struct pollfd polls[2] = { { saves->notify_fd, POLLIN, 0 }, { saves->end_fd, POLLIN, 0 } };
	uint64_t changed = 0;
	int64_t first_ns = 0;

	for (;;) {
		int ready = poll(polls, 2, changed != 0 ? QUIET_MS : saves->gone != 0 ? GONE_MS : -1);
		if (ready > 0 && (polls[1].revents & POLLIN) != 0)
			return 0;
		if (ready > 0)
			changed |= read_signs(saves);
		uint64_t found = find_gone(saves);
		changed |= found;
		if (found != 0)
			ready = 1; /* it may not be whole yet */
		int64_t now_ns = clock_mono_ns(clock_real());
		if (changed != 0 && first_ns == 0)
			first_ns = now_ns;
		if (changed != 0 && (ready == 0 || now_ns - first_ns > BURST_MS * INT64_C(1000000)))
			return changed;
	}
}

void
saves_end(struct saves *saves)
{
	uint64_t one = 1;
	ssize_t written = write(saves->end_fd, &one, sizeof(one));

	(void)written; /* full: it was told already */
}
