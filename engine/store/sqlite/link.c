/* SPDX-License-Identifier: MIT */
/*
 * Every statement of the room stands here, beside each other, with its table layouts in schema.c.
 * Fails: SQLite's result codes become fault classes in one place, link_fault.
 */
#include "store/sqlite/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/sqlite/block.h"

#define ENTRY_COLUMNS      "position, stream, version, type, at, part, command, digest, link, meta, data"
#define ENTRY_COLUMNS_OF_E "e.position, stream, version, type, at, part, command, digest, link, meta, data"
#define NARROW_COLUMNS     "position, stream, version, at, part, command, link"

static const char *const sources[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_INSERT_ENTRY] = "INSERT INTO entries(" ENTRY_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[SQL_INSERT_BARE] = "INSERT INTO bares(number, position, at, seal, command) VALUES(?,?,?,?,?)",
	[SQL_INSERT_STREAM] = "INSERT INTO streams(id, name, seal) VALUES(?,?,?)",
	[SQL_INSERT_TYPE] = "INSERT INTO types(id, kind, name, schema_version, generation, topic) VALUES(?,?,?,?,?,?)",
	[SQL_PUT_RECORD] = "INSERT INTO records(space, key, seal, value) VALUES(?1,?2,?3,?4)"
			   " ON CONFLICT(space, key) DO UPDATE SET seal = ?3, value = ?4",
	[SQL_REMOVE_RECORD] = "DELETE FROM records WHERE space = ? AND key = ?",
	[SQL_GET_RECORD] = "SELECT space, key, seal, value FROM records WHERE (space, key) >= (?,?)"
			   " ORDER BY space, key LIMIT 1",
	[SQL_RECORD_BEFORE] = "SELECT space, key, seal, value FROM records WHERE (space, key) < (?,?)"
			      " ORDER BY space DESC, key DESC LIMIT 1",
	[SQL_LIST_RECORDS] = "SELECT space, key, seal, value FROM records WHERE (space, key) > (?,?)"
			     " ORDER BY space, key",
	[SQL_NEXT_SPACE] = "SELECT space, key, seal, value FROM records WHERE space > ? AND space >= ?"
			   " ORDER BY space, key LIMIT 1",
	[SQL_ENTRY_AT] = "SELECT " ENTRY_COLUMNS " FROM entries WHERE position = ?",
	/* The join as it stands: the places first. */
	[SQL_ENTRIES_AT] =
		"SELECT " ENTRY_COLUMNS_OF_E " FROM places(?) p CROSS JOIN entries e ON e.position = p.position",
	[SQL_ENTRIES_AFTER] = "SELECT " ENTRY_COLUMNS " FROM entries WHERE position > ? ORDER BY position",
	[SQL_HEAD] = "SELECT max(position) FROM entries",
	[SQL_LAST_STREAM] = "SELECT max(id) FROM streams",
	[SQL_LAST_BARE] = "SELECT max(number) FROM bares",
	[SQL_NARROW_AT] = "SELECT " NARROW_COLUMNS " FROM entries WHERE position = ?",
	[SQL_BARE_AT] = "SELECT position, at, seal, command FROM bares WHERE number = ?",
	[SQL_TAIL_ENTRIES] = "SELECT " NARROW_COLUMNS " FROM entries WHERE position > ? ORDER BY position",
	[SQL_WALK_ENTRIES] = "SELECT " NARROW_COLUMNS " FROM entries WHERE position > ? ORDER BY position",
	[SQL_TAIL_BARES] = "SELECT number, position, at, seal, command FROM bares WHERE number > ? ORDER BY number",
	[SQL_TAIL_STREAMS] = "SELECT id, name, seal FROM streams WHERE id > ? ORDER BY id",
	[SQL_STREAM_NAME] = "SELECT name, seal FROM streams WHERE id = ?",
	/* A name that is not what was written comes first, wherever it would stand: it may be one that is asked for. */
	[SQL_LIST_STREAMS] = "SELECT name, id, seal IS NOT name_seal(id, name) AS wrong FROM streams"
			     " WHERE wrong OR (name > ?1 AND name >= ?2 AND substr(name, 1, ?3) = ?2)"
			     " ORDER BY wrong DESC, name LIMIT ?4",
	[SQL_COUNT_STREAMS] = "SELECT count(*), ifnull(max(id), 0), ifnull(sum(id), 0) FROM streams",
	[SQL_TYPES] = "SELECT id, kind, name, schema_version, generation, topic FROM types ORDER BY id",
	[SQL_KNOWN_TYPES] = "SELECT aggregate, type, schema_version, newest, seal FROM catalogue"
			    " WHERE ?1 = '' OR (aggregate > ?1 || '.' AND aggregate < ?1 || '/')",
	/* The same from the log itself; ENTRY_EVENT is 1. */
	[SQL_SCAN_TYPES] =
		"SELECT substr(s.name, 1, instr(s.name, '/') - 1) AS aggregate, t.name, t.schema_version,"
		" max(e.position) FROM entries e JOIN streams s ON s.id = e.stream JOIN types t ON t.id = e.type"
		" WHERE t.kind = 1 AND (?1 = '' OR (s.name > ?1 || '.' AND s.name < ?1 || '/')) GROUP BY 1, 2, 3",
	[SQL_PUT_KNOWN_TYPE] = "REPLACE INTO catalogue(aggregate, type, schema_version, newest, seal)"
			       " VALUES(?,?,?,?,?)",
	[SQL_STREAM_BLOCK] = "SELECT stream, version, block FROM stream_lookup WHERE segment = ?"
			     " AND (stream, version) <= (?,?)"
			     " ORDER BY stream DESC, version DESC LIMIT 1",
	[SQL_HASH_BLOCK] = "SELECT prefix, block FROM hash_index WHERE segment = ? AND kind = ? AND prefix <= ?"
			   " ORDER BY prefix DESC LIMIT 1",
	[SQL_PUT_STREAM_KEY] = "REPLACE INTO stream_index(segment, stream, version, number) VALUES(?,?,?,?)",
	[SQL_PUT_STREAM_BLOCK] = "REPLACE INTO stream_blocks(number, block) VALUES(?,?)",
	[SQL_PUT_HASH_BLOCK] = "REPLACE INTO hash_index(kind, segment, prefix, block) VALUES(?,?,?,?)",
	[SQL_PUT_SEGMENT] = "REPLACE INTO segments(number, ranges, names, streams, commands, seal) VALUES(?,?,?,?,?,?)",
	[SQL_SEGMENTS] = "SELECT number, ranges, names, streams, commands, seal FROM segments ORDER BY number",
	[SQL_SEGMENT] = "SELECT number, ranges, names, streams, commands, seal FROM segments WHERE number = ?",
	[SQL_DROP_HASH_BLOCKS] = "DELETE FROM hash_index WHERE kind = ?1 AND segment = ?2 AND prefix IN"
				 " (SELECT prefix FROM hash_index WHERE kind = ?1 AND segment = ?2 LIMIT ?3)",
	[SQL_DROP_HASHES] = "DELETE FROM hash_index WHERE kind IN (0, 1) AND segment = ?",
	[SQL_DROP_STREAM_KEYS] = "DELETE FROM stream_index WHERE segment = ?",
	[SQL_DROP_STREAM_BLOCKS] = "DELETE FROM stream_blocks WHERE number >= ?1 " STREAM_BLOCK_SHIFT
				   " AND number < (?1 + 1) " STREAM_BLOCK_SHIFT,
	[SQL_ALL_RECORDS] = "SELECT space, key, seal, value FROM records WHERE (space, key) > (?,?)"
			    " ORDER BY space, key LIMIT 1024",
	[SQL_ALL_STREAM_BLOCKS] =
		"SELECT stream, version, block FROM stream_lookup WHERE segment = ? ORDER BY stream, version",
	[SQL_ALL_HASH_BLOCKS] = "SELECT prefix, block FROM hash_index WHERE kind = ? AND segment = ? ORDER BY prefix",
};

const char *
link_path(const char *path, char plain[LINK_PATH_SIZE])
{
	if (strncmp(path, "file:", 5) != 0)
		return path;
	snprintf(plain, LINK_PATH_SIZE, "./%s", path);
	return plain;
}

int
link_open(struct link *link, const char *path, int flags, struct fault *fault)
{
	char plain[LINK_PATH_SIZE];

	*link = (struct link){ 0 };
	if (sqlite3_open_v2(link_path(path, plain), &link->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
			    NULL) != SQLITE_OK) {
		link_fault(link, path, fault);
		link_close(link);
		return -1;
	}
	sqlite3_extended_result_codes(link->db, 1);
	sqlite3_busy_timeout(link->db, 2000);
	sqlite3_wal_autocheckpoint(link->db, 0);
	sqlite3_db_config(link->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(link->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(link->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return 0;
}

void
link_close(struct link *link)
{
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(link->statements[i]);
	sqlite3_close(link->db);
	*link = (struct link){ 0 };
}

sqlite3_stmt *
link_use(struct link *link, enum link_sql sql, struct fault *fault)
{
	sqlite3_stmt **statement = &link->statements[sql];

	if (*statement == NULL &&
	    sqlite3_prepare_v3(link->db, sources[sql], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) != SQLITE_OK) {
		/* The statements are constant: what they do not fit is not what was written. */
		link_fault(link, "prepare", fault);
		if (fault != NULL && fault->class == FAULT_BUG) {
			fault->class = FAULT_CORRUPT;
			snprintf(fault->code, sizeof(fault->code), "store_corrupt");
		}
		return NULL;
	}
	return *statement;
}

int
link_step(struct link *link, sqlite3_stmt *statement, struct fault *fault)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE) {
		sqlite3_reset(statement);
		return 0;
	}
	link_fault(link, "step", fault);
	sqlite3_reset(statement);
	return -1;
}

int
link_run(struct link *link, enum link_sql sql, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, sql, fault);

	if (statement == NULL)
		return -1;
	return link_step(link, statement, fault) < 0 ? -1 : 0;
}

int
link_exec(struct link *link, const char *sql, struct fault *fault)
{
	return sqlite3_exec(link->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : link_fault(link, sql, fault);
}

int
link_fault(struct link *link, const char *doing, struct fault *fault)
{
	int code = link->db != NULL ? sqlite3_extended_errcode(link->db) : SQLITE_NOMEM;
	int number = link->db != NULL ? sqlite3_system_errno(link->db) : 0;
	const char *text = link->db != NULL ? sqlite3_errmsg(link->db) : "out of memory";
	enum fault_class class = FAULT_BUG;
	const char *name = "store_error";

	switch (code & 0xff) {
	case SQLITE_FULL:
		class = FAULT_FULL;
		name = "disk_full";
		break;
	case SQLITE_NOMEM:
		class = FAULT_MEMORY;
		name = "memory";
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_INTERRUPT:
		class = FAULT_BUSY;
		name = "store_busy";
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		class = FAULT_CORRUPT;
		name = "store_corrupt";
		break;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_PROTOCOL:
		class = number == ENOSPC || number == EDQUOT ? FAULT_FULL : FAULT_AWAY;
		name = class == FAULT_FULL ? "disk_full" : "store_io";
		break;
	case SQLITE_TOOBIG:
		class = FAULT_LIMIT;
		name = "too_large";
		break;
	default:
		break;
	}
	fault_set(fault, class, name, "store: %s: %s%s%s", doing, text, number != 0 ? ": " : "",
		  number != 0 ? strerror(number) : "");
	if (fault != NULL)
		fault->native = code;
	return -1;
}
