/* SPDX-License-Identifier: MIT */
/*
 * Reads a domain's folder once, whole, and makes a program of it. What is read is what runs, what is hashed and what
 * is kept in the store: a file edited a moment later cannot matter.
 *
 * Names that start with a dot are passed over (editors leave such files), and so is spec/ at the top. Links are
 * followed for files only, so a folder cannot contain itself. Fails with the path at fault and leaves nothing behind.
 */
#include "core/domain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

#define FOLDER_DEPTH 16

struct reading {
	struct arena *arena;
	struct source_file *items;
	size_t count;
	size_t room;
};

static int
read_whole(int fd, size_t size, struct arena *arena, struct slice *bytes, struct fault *fault)
{
	char *data = arena_alloc(arena, size + 1);
	size_t got = 0;

	if (data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a source of %zu bytes", size);
	while (got < size) {
		ssize_t n = read(fd, data + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_errno(fault, FAULT_CONFIG, errno, "reading failed");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*bytes = slice_from(data, got);
	return 0;
}

/* A name goes into records, lists and messages of one line. */
static bool
nameable(const char *name)
{
	for (size_t i = 0; name[i] != '\0'; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return json_utf8(slice_text(name));
}

static int
add_file(struct reading *reading, int folder, const char *name, const char *path, struct fault *fault)
{
	struct stat status;
	struct source_file *source;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result = -1;

	if (fd < 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be opened", path);
	if (!nameable(path)) {
		fault_set(fault, FAULT_CONFIG, "bad_folder", "the name of a file is no text in UTF-8: %s", path);
		goto out;
	}
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		fault_set(fault, FAULT_CONFIG, "bad_folder", "%s is no file", path);
		goto out;
	}
	if (status.st_size > DOMAIN_FILE_MAX) {
		fault_set(fault, FAULT_LIMIT, "source_too_large", "%s has %lld bytes, more than %d", path,
			  (long long)status.st_size, DOMAIN_FILE_MAX);
		goto out;
	}
	if (reading->count == reading->room) {
		fault_set(fault, FAULT_LIMIT, "too_many_sources", "more than %d files", DOMAIN_FILES_MAX);
		goto out;
	}
	source = &reading->items[reading->count];
	source->path = arena_copy(reading->arena, slice_text(path));
	if (source->path.data == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for %s", path);
		goto out;
	}
	if (read_whole(fd, (size_t)status.st_size, reading->arena, &source->bytes, fault) != 0) {
		fault_prefix(fault, "%s", path);
		goto out;
	}
	digest_of(source->bytes, &source->hash);
	reading->count++;
	result = 0;
out:
	close(fd);
	return result;
}

static bool
ends_with_lua(const char *name)
{
	size_t size = strlen(name);

	return size > 4 && strcmp(name + size - 4, ".lua") == 0;
}

static int read_folder(struct reading *reading, int folder, const char *prefix, unsigned depth, struct fault *fault);

static int
read_item(struct reading *reading, int folder, const char *prefix, const char *name, unsigned depth,
	  struct fault *fault)
{
	char path[1024];
	struct stat status;
	int below;

	if (name[0] == '.')
		return 0;
	if (snprintf(path, sizeof(path), "%s%s", prefix, name) >= (int)sizeof(path) - 1)
		return fault_set(fault, FAULT_CONFIG, "bad_folder", "the path %s... is too long", prefix);
	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be read", path);
	if (!S_ISDIR(status.st_mode))
		return ends_with_lua(name) ? add_file(reading, folder, name, path, fault) : 0;
	if (depth == 0 && strcmp(name, "spec") == 0)
		return 0;
	if (depth == FOLDER_DEPTH)
		return fault_set(fault, FAULT_CONFIG, "bad_folder", "%s lies deeper than %d folders", path,
				 FOLDER_DEPTH);
	below = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (below < 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be opened", path);
	strcat(path, "/");
	return read_folder(reading, below, path, depth + 1, fault);
}

/* Takes `folder` over, also on failure. */
static int
read_folder(struct reading *reading, int folder, const char *prefix, unsigned depth, struct fault *fault)
{
	DIR *directory = fdopendir(folder);
	struct dirent *entry;
	int result = 0;

	if (directory == NULL) {
		fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be read", prefix);
		close(folder);
		return -1;
	}
	while (result == 0 && (entry = readdir(directory)) != NULL)
		result = read_item(reading, folder, prefix, entry->d_name, depth, fault);
	closedir(directory);
	return result;
}

static int
by_path(const void *a, const void *b)
{
	return slice_compare(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

static void
hash_set(struct source_set *sources)
{
	struct digest_state state;

	digest_init(&state);
	for (size_t i = 0; i < sources->count; i++) {
		digest_add_slice(&state, sources->items[i].path);
		digest_add(&state, sources->items[i].hash.bytes, DIGEST_SIZE);
	}
	digest_end(&state, &sources->hash);
}

/* The last word of the path as a person gave it, "banking/" and "." included. */
static int
folder_name(const char *folder, struct arena *arena, struct slice *name, struct fault *fault)
{
	char *whole = realpath(folder, NULL);
	struct slice word;

	if (whole == NULL)
		return fault_errno(fault, FAULT_CONFIG, errno, "the domain's folder %s cannot be opened", folder);
	word = slice_text(strrchr(whole, '/') + 1);
	if (!stream_word_ok(word)) {
		fault_set(fault, FAULT_CONFIG, "bad_domain_name",
			  "%s: a domain's folder is named by a small letter, then small letters, digits and _", folder);
		free(whole);
		return -1;
	}
	*name = arena_copy(arena, word);
	free(whole);
	return name->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a name");
}

int
domain_read_folder(const char *folder, struct arena *arena, struct source_set *sources, struct fault *fault)
{
	struct reading reading = { .arena = arena, .room = DOMAIN_FILES_MAX };
	int fd;

	if (folder_name(folder, arena, &sources->domain, fault) != 0)
		return -1;
	reading.items = arena_zero(arena, DOMAIN_FILES_MAX, sizeof(*reading.items));
	if (reading.items == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for sources");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fault_errno(fault, FAULT_CONFIG, errno, "the domain's folder %s cannot be opened", folder);
	if (read_folder(&reading, fd, "", 0, fault) != 0)
		return fault_prefix(fault, "%s", folder);
	if (reading.count == 0)
		return fault_set(fault, FAULT_CONFIG, "bad_folder", "%s holds no .lua file", folder);
	qsort(reading.items, reading.count, sizeof(*reading.items), by_path);
	sources->items = reading.items;
	sources->count = reading.count;
	hash_set(sources);
	return 0;
}

int
domain_load(const char *folder, const struct script_ops *script, const struct script_options *options,
	    struct ruleset **rules, struct fault *fault)
{
	struct source_set sources = { 0 };
	struct arena arena;

	*rules = NULL;
	arena_init(&arena, (size_t)1 << 30);
	if (domain_read_folder(folder, &arena, &sources, fault) != 0) {
		arena_fini(&arena);
		return -1;
	}
	return ruleset_make(&arena, &sources, script, options, rules, fault);
}

int
domain_open(const char *folder, struct ruleset *rules, struct ruleset *asked, struct domain **domain,
	    struct fault *fault)
{
	struct domain *made = calloc(1, sizeof(*made));

	*domain = NULL;
	if (made == NULL || (made->folder = strdup(folder)) == NULL) {
		free(made);
		ruleset_release(rules);
		ruleset_release(asked);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a domain");
	}
	/* The name outlives the rules that the domain begins with. */
	must(rules->sources.domain.size <= sizeof(made->word));
	memcpy(made->word, rules->sources.domain.data, rules->sources.domain.size);
	made->name = slice_from(made->word, rules->sources.domain.size);
	must(pthread_mutex_init(&made->lock, NULL) == 0);
	breaker_init(&made->breaker);
	told_init(&made->told);
	atomic_init(&made->active, rules);
	made->asked = asked;
	if (asked != rules)
		past_add(&made->past, ruleset_hold(asked));
	*domain = made;
	return 0;
}

void
domain_drop(struct aside *aside)
{
	readside_close(aside->readside);
	ruleset_release(aside->rules);
	*aside = (struct aside){ 0 };
}

void
domain_close(struct domain *domain)
{
	if (domain == NULL)
		return;
	domain_drop(&domain->building);
	domain_drop(&domain->kept);
	domain_drop(&domain->leaving);
	told_fini(&domain->told);
	readside_close(domain->live);
	past_free(&domain->past);
	ruleset_release(domain->asked);
	ruleset_release(atomic_load(&domain->active));
	breaker_fini(&domain->breaker);
	pthread_mutex_destroy(&domain->lock);
	free(domain->folder);
	free(domain);
}

struct ruleset *
domain_hold_rules(struct domain *domain)
{
	struct ruleset *rules;

	pthread_mutex_lock(&domain->lock);
	rules = ruleset_hold(atomic_load(&domain->active));
	pthread_mutex_unlock(&domain->lock);
	return rules;
}

void
domain_hold_asked(struct domain *domain, struct ruleset **rules, struct readside **readside)
{
	pthread_mutex_lock(&domain->lock);
	*rules = ruleset_hold(domain->asked);
	*readside = domain->live != NULL ? readside_hold(domain->live) : NULL;
	pthread_mutex_unlock(&domain->lock);
}

void
domain_note_change(struct domain *domain, int64_t now_us, const char *stage, const struct fault *fault)
{
	pthread_mutex_lock(&domain->lock);
	domain->not_taken = fault == NULL ? (struct not_taken){ 0 } : (struct not_taken){ now_us, stage, *fault };
	pthread_mutex_unlock(&domain->lock);
}

struct not_taken
domain_not_taken(struct domain *domain)
{
	struct not_taken not_taken;

	pthread_mutex_lock(&domain->lock);
	not_taken = domain->not_taken;
	pthread_mutex_unlock(&domain->lock);
	return not_taken;
}

uint32_t
domain_asked_generation(struct domain *domain)
{
	uint32_t generation;

	pthread_mutex_lock(&domain->lock);
	generation = domain->asked->generation;
	pthread_mutex_unlock(&domain->lock);
	return generation;
}

struct readside *
domain_hold_aside(struct domain *domain, const struct aside *place, int64_t *since_ns)
{
	struct readside *readside;

	pthread_mutex_lock(&domain->lock);
	readside = place->readside != NULL ? readside_hold(place->readside) : NULL;
	*since_ns = place->since_ns;
	pthread_mutex_unlock(&domain->lock);
	return readside;
}

static void
wake(const struct readside *readside)
{
	if (readside != NULL && readside->projector != NULL)
		projector_wake(readside->projector);
}

void
domain_wake(struct domain *domain)
{
	pthread_mutex_lock(&domain->lock);
	wake(domain->live);
	wake(domain->building.readside);
	wake(domain->kept.readside);
	wake(domain->leaving.readside);
	pthread_mutex_unlock(&domain->lock);
}
