/* SPDX-License-Identifier: MIT */
/*
 * The file as a whole: whose it is, another name for it, its removal.
 *
 * A read model is marked by application_id, its version is user_version; a file with other marks is never written to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view/sqlite/inside.h"
#include "view/sqlite/view_sqlite.h"

#define APPLICATION_ID 0x6d6c7677 /* "mlvw" */
#define FILE_VERSION   1
#define PATH_SIZE      4096

int
view_sqlite_make_folder(const char *path, struct fault *fault)
{
	char folder[4096];
	const char *end = strrchr(path, '/');
	if (end == NULL || end == path)
		return 0;
	if ((size_t)(end - path) >= sizeof(folder))
		return fault_set(fault, FAULT_CONFIG, "bad_path", "%s: too long", path);
	memcpy(folder, path, (size_t)(end - path));
	folder[end - path] = '\0';
	if (mkdir(folder, 0700) == 0 || errno == EEXIST)
		return 0;
	return fault_errno(fault, FAULT_CONFIG, errno, "%s: cannot make this folder", folder);
}

static int
read_integer(struct view_sqlite_connection *connection, const char *sql, int64_t *integer, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*integer = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : view_sqlite_fault(connection, code, fault);
}

int
view_sqlite_check_file(struct view_sqlite_connection *connection, const char *path, bool *empty, struct fault *fault)
{
	int64_t application, version, objects;
	if (read_integer(connection, "PRAGMA application_id", &application, fault) != 0 ||
	    read_integer(connection, "PRAGMA user_version", &version, fault) != 0 ||
	    read_integer(connection, "SELECT count(*) FROM sqlite_master", &objects, fault) != 0)
		return -1;
	*empty = application == 0 && version == 0 && objects == 0;
	if (!*empty && application != APPLICATION_ID)
		return fault_set(fault, FAULT_CONFIG, "not_a_view", "%s: a database of another program", path);
	if (version > FILE_VERSION)
		return fault_set(fault, FAULT_CONFIG, "newer_view",
				 "%s: made by a newer moonlog (file version %lld, this one knows %d); "
				 "delete this file, it is rebuilt from the log",
				 path, (long long)version, FILE_VERSION);
	connection->known = true;
	return 0;
}

int
view_sqlite_mark_file(struct view_sqlite_connection *connection, struct fault *fault)
{
	char mark[100];
	snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
		 FILE_VERSION);
	return view_sqlite_execute(connection, mark, fault);
}

/* All that the WAL holds goes into the file: from then on the file alone is whole. */
static int
fold_wal(struct view_sqlite_connection *connection, struct fault *fault)
{
	int code = sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return code == SQLITE_OK ? 0 : view_sqlite_fault(connection, code, fault);
}

int
view_sqlite_rename(const char *from, const char *to, struct fault *fault)
{
	struct view_sqlite_connection *connection = calloc(1, sizeof(*connection));
	bool empty;
	if (connection == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to rename %s", from);
	if (view_sqlite_connect(connection, from, SQLITE_OPEN_READWRITE, fault) != 0) {
		free(connection);
		return -1;
	}
	int result = view_sqlite_check_file(connection, from, &empty, fault);
	if (result == 0)
		result = fold_wal(connection, fault);
	view_sqlite_disconnect(connection);
	free(connection);
	if (result == 0 && rename(from, to) != 0)
		result = fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be renamed to %s", from, to);
	/* What another program that looks at the file keeps there says nothing any more. */
	return result == 0 ? view_sqlite_remove(from, fault) : -1;
}

static int
remove_names(const char *path, const char *const ends[], size_t count, struct fault *fault)
{
	char name[PATH_SIZE];
	for (size_t i = 0; i < count; i++) {
		int size = snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		if (size < 0 || size >= PATH_SIZE)
			return fault_set(fault, FAULT_CONFIG, "bad_path", "%s: too long", path);
		if (unlink(name) != 0 && errno != ENOENT)
			return fault_errno(fault, FAULT_CONFIG, errno, "%s cannot be removed", name);
	}
	return 0;
}

int
view_sqlite_remove(const char *path, struct fault *fault)
{
	static const char *const ends[] = { "", "-wal", "-shm", ".part", ".part-wal", ".part-shm" };
	return remove_names(path, ends, countof(ends), fault);
}

int
view_sqlite_remove_part(const char *path, struct fault *fault)
{
	static const char *const ends[] = { ".part", ".part-wal", ".part-shm" };
	return remove_names(path, ends, countof(ends), fault);
}
