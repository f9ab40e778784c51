/* SPDX-License-Identifier: MIT */
/* `new NAME`: writes a domain's folder. Never over anything that is there. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "daemon/refresh.h"
#include "daemon/template.h"
#include "daemon/verb.h"
#include "model/stream.h"

#define PATH_SIZE 4096
#define FILE_MAX  ((size_t)1 << 16)
#define MARK      "@DOMAIN@"

static int
make_folder(const char *path, struct fault *fault)
{
	/* Sources are for reading: only the data directory is nobody else's business. */
	if (mkdir(path, 0755) == 0)
		return 0;
	return fault_set(fault, FAULT_CONFIG, "cannot_create", "%s: %s", path, strerror(errno));
}

static void
fill(const char *text, struct slice domain, struct buf *out)
{
	const char *mark;

	while ((mark = strstr(text, MARK)) != NULL) {
		buf_add(out, slice_from(text, (size_t)(mark - text)));
		buf_add(out, domain);
		text = mark + sizeof(MARK) - 1;
	}
	buf_text(out, text);
}

static int
write_file(const char *path, const struct buf *bytes, struct fault *fault)
{
	FILE *file = fopen(path, "wxe");

	if (file == NULL)
		return fault_set(fault, FAULT_CONFIG, "cannot_create", "%s: %s", path, strerror(errno));
	bool written = fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
	written = fchmod(fileno(file), 0644) == 0 && written;
	if (fclose(file) != 0 || !written)
		return fault_set(fault, FAULT_CONFIG, "cannot_create", "%s: %s", path, strerror(errno));
	return 0;
}

static int
make_domain(const char *folder, struct slice domain, struct fault *fault)
{
	char path[PATH_SIZE];
	struct buf bytes;
	int result = -1;

	buf_init(&bytes, FILE_MAX);
	if (make_folder(folder, fault) != 0)
		goto out;
	snprintf(path, sizeof(path), "%s/spec", folder);
	if (make_folder(path, fault) != 0)
		goto out;
	for (size_t i = 0; i < template_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, template_files[i].path);
		buf_clear(&bytes);
		fill(template_files[i].text, domain, &bytes);
		if (write_file(path, &bytes, fault) != 0)
			goto out;
		printf("wrote %s\n", path);
	}
	result = refresh_editor(folder, fault);
out:
	buf_fini(&bytes);
	return result;
}

enum exit_code
verb_new(struct call *call)
{
	const char *folder = call->words[0], *slash = strrchr(folder, '/');
	struct slice domain = slice_text(slash != NULL ? slash + 1 : folder);
	struct fault fault;

	if (strlen(folder) > PATH_SIZE - 64 || !stream_word_ok(domain)) {
		fault_set(
			&fault, FAULT_INPUT, "usage",
			"\"%.*s\" is no name of a domain: a lower-case letter, then letters, digits and _, 63 at most",
			SLICE_ARG(domain));
		return exit_say(&fault);
	}
	umask(022);
	if (make_domain(folder, domain, &fault) != 0)
		return exit_say(&fault);
	printf("\nmoonlog check %s\nmoonlog test %s\nmoonlog dev %s\n", folder, folder, folder);
	return EXIT_DONE;
}
