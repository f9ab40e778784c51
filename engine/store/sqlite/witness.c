/* SPDX-License-Identifier: MIT */
/*
 * The line has a fixed size and a check of its own and is rewritten in place: in idle moments, at close, and after
 * commits at most ten times a second; never before what it names is durable. It is not synced: a power cut may leave it
 * older, empty or damaged. Opening the store then writes it anew; verify says so until then.
 * Fails: a witness that cannot be written is left as it is: it then proves less, never something false.
 */
#include "store/sqlite/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_SIZE   88 /* "position " 20 digits " link " 32 hex " check " 8 hex ... newline */
#define INTERVAL_NS 100000000

static void
format(char line[LINE_SIZE + 1], log_position position, const struct check *link)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * CHECK_SIZE + 1] = "", body[72];

	for (int i = 0; i < CHECK_SIZE; i++) {
		hex[2 * i] = digits[link->bytes[i] >> 4];
		hex[2 * i + 1] = digits[link->bytes[i] & 15];
	}
	snprintf(body, sizeof(body), "position %020llu link %s", (unsigned long long)position, hex);
	snprintf(line, LINE_SIZE + 1, "%s check %08x", body, (unsigned)(uint32_t)slice_hash(slice_text(body), 7));
	for (size_t i = strlen(line); i < LINE_SIZE - 1; i++)
		line[i] = ' ';
	line[LINE_SIZE - 1] = '\n';
	line[LINE_SIZE] = '\0';
}

/* Whether these bytes are a whole line. */
static bool
parse(const char line[LINE_SIZE + 1], struct witness *witness)
{
	char again[LINE_SIZE + 1], hex[2 * CHECK_SIZE + 1];
	unsigned long long position;

	if (sscanf(line, "position %20llu link %32[0-9a-f]", &position, hex) != 2 || strlen(hex) != 2 * CHECK_SIZE)
		return false;
	for (int i = 0; i < CHECK_SIZE; i++) {
		unsigned byte;

		sscanf(hex + 2 * i, "%2x", &byte);
		witness->link.bytes[i] = (uint8_t)byte;
	}
	witness->position = position;
	format(again, witness->position, &witness->link);
	return memcmp(line, again, LINE_SIZE) == 0;
}

int
sqlite_witness_read(const char *directory, struct witness *witness, struct fault *fault)
{
	char path[4096], line[LINE_SIZE + 1] = "";
	ssize_t size;
	int fd, result = 0;

	*witness = (struct witness){ .lacks = "there is none" };
	snprintf(path, sizeof(path), "%s/witness", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	size = pread(fd, line, LINE_SIZE, 0);
	if (size < 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	close(fd);
	witness->present = size == LINE_SIZE && parse(line, witness);
	witness->written = size > 0 && !witness->present;
	witness->lacks = witness->present ? NULL : size == 0 ? "it is empty" : "its line is damaged";
	return result;
}

int
sqlite_witness_compare(struct link *link, const struct witness *witness, char text[200], struct fault *fault)
{
	sqlite3_stmt *statement;
	struct slice stored;
	int stepped, answer = 0;

	if (!witness->present || witness->position == 0)
		return 0;
	statement = link_use(link, SQL_NARROW_AT, fault);
	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, witness->position);
	stepped = link_step(link, statement, fault);
	if (stepped < 0)
		return -1;
	stored = stepped > 0 ? link_slice(statement, 6) : SLICE_NONE;
	if (stepped == 0) {
		answer = 1;
		snprintf(text, 200, "the witness knows position %llu, which the log does not have",
			 (unsigned long long)witness->position);
	} else if (stored.size < CHECK_SIZE || memcmp(stored.data, witness->link.bytes, CHECK_SIZE) != 0) {
		answer = 1;
		snprintf(text, 200, "the witness knows another link at position %llu than the log has",
			 (unsigned long long)witness->position);
	}
	sqlite3_reset(statement);
	return answer;
}

int
sqlite_witness_make(const char *directory, log_position position, const struct check *link, struct fault *fault)
{
	char path[4096], line[LINE_SIZE + 1];
	int fd, result = 0;

	snprintf(path, sizeof(path), "%s/witness", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	format(line, position, link);
	if (write(fd, line, LINE_SIZE) != LINE_SIZE || fsync(fd) != 0)
		result = fault_errno(fault, FAULT_AWAY, errno, "%s", path);
	close(fd);
	return result;
}

void
sqlite_witness_write(struct sqlite_store *store)
{
	char line[LINE_SIZE + 1];

	if (store->witness_fd < 0 || store->witnessed == store->end.head)
		return;
	format(line, store->end.head, &store->end.link);
	if (pwrite(store->witness_fd, line, LINE_SIZE, 0) == LINE_SIZE)
		store->witnessed = store->end.head;
}

void
sqlite_witness_due(struct sqlite_store *store)
{
	int64_t now = clock_mono_ns(store->clock);

	if (store->witness_ns != 0 && now - store->witness_ns < INTERVAL_NS)
		return;
	store->witness_ns = now;
	sqlite_witness_write(store);
}
