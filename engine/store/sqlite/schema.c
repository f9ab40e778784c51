/* SPDX-License-Identifier: MIT */
/*
 * The tables. `entries` is the log: append-only, clustered by position; names and types are small integers. Nothing in
 * the path of a commit is indexed by chance-ordered keys: what looks up by stream or command id is written later,
 * sorted, a segment of the log at a time (README.md). `user_version` is the schema's; a later one is refused, an
 * earlier one is brought up to date by whoever may write.
 * Fails: CONFIG "not_a_store", "newer_store"; as SQL does.
 */
#include <stdio.h>

#include "store/sqlite/catalogue.h"
#include "store/sqlite/room.h"

#define APPLICATION_ID 0x6d6f6f6e /* "moon" */
#define SCHEMA_VERSION 4

/* The kinds of events that the log holds: derived. Since schema 2. */
#define CATALOGUE                                                                                                      \
	"CREATE TABLE catalogue(aggregate TEXT NOT NULL, type TEXT NOT NULL, schema_version INTEGER NOT NULL,"         \
	" newest INTEGER NOT NULL, seal INTEGER NOT NULL, PRIMARY KEY(aggregate, type, schema_version)) WITHOUT "      \
	"ROWID;"

/*
 * What is to be sent, for other programs: Debezium's columns and those of an Outbox table in one view, since names of
 * views must differ by more than their case. The id is entry_id's. A message's key and headers lie in `meta` behind up
 * to four other parts (row_put_meta); the walk goes from part to part, a bit of the mask each. What the relay has
 * confirmed is its hint, so ProcessedAt is when a row was known to be out, and comes a little late. Since schema 3.
 */
#define OUTBOX_DIGIT(at, n) "instr('0123456789ABCDEF', substr(hex(substr(meta, " at ", 1)), " n ", 1)) - 1"
#define OUTBOX_BYTE(at)     "((" OUTBOX_DIGIT(at, "1") ") * 16 + " OUTBOX_DIGIT(at, "2") ")"
#define OUTBOX_MORE(at, a, b, c)                                                                                       \
	"CASE WHEN " OUTBOX_BYTE(at) " < 128 THEN " a " WHEN " OUTBOX_BYTE(at "+1") " < 128 THEN " b " ELSE " c " END"
#define OUTBOX_WIDTH OUTBOX_MORE("at", "1", "2", "3")
#define OUTBOX_LENGTH                                                                                                  \
	"(" OUTBOX_BYTE("at") " & 127) + (" OUTBOX_BYTE("at+1") " & 127) * (" OUTBOX_MORE(                             \
		"at", "0", "128", "128") ") + " OUTBOX_BYTE("at+2") " * (" OUTBOX_MORE("at", "0", "0", "16384") ")"
#define OUTBOX_PART(bit)                                                                                               \
	"(WITH RECURSIVE walk(bit, at) AS (SELECT 1, 2 UNION ALL SELECT bit * 2, CASE WHEN " OUTBOX_BYTE(              \
		"1") " & bit THEN at + " OUTBOX_WIDTH " + " OUTBOX_LENGTH " ELSE at END FROM walk WHERE bit < 32)"     \
		     " SELECT CAST(substr(meta, at + " OUTBOX_WIDTH ", " OUTBOX_LENGTH ") AS TEXT) FROM walk"          \
		     " WHERE bit = " bit " AND " OUTBOX_BYTE("1") " & bit)"
#define OUTBOX_TIME "strftime('%Y-%m-%dT%H:%M:%fZ', ms / 1000.0, 'unixepoch')"
#define OUTBOX                                                                                                         \
	"DROP VIEW IF EXISTS outbox;"                                                                                  \
	"CREATE VIEW outbox AS SELECT lower(printf('%08x-%04x-7%s-%s%s-%s', ms >> 16, ms & 65535, substr(h, 2, 3),"    \
	" substr('89ab89ab89ab89ab', instr('0123456789ABCDEF', substr(h, 5, 1)), 1), substr(h, 6, 3),"                 \
	" substr(h, 9, 12))) AS id,"                                                                                   \
	" substr(stream, 1, instr(stream, '/') - 1) AS aggregatetype,"                                                 \
	" substr(stream, instr(stream, '/') + 1) AS aggregateid, type, data AS payload, " OUTBOX_TIME " AS timestamp," \
	" topic AS Topic, position, CASE WHEN meta IS NULL THEN substr(stream, instr(stream, '/') + 1) ELSE"           \
	" coalesce(" OUTBOX_PART("16") ", substr(stream, instr(stream, '/') + 1)) END AS Key, data AS Message,"        \
				       " CASE WHEN meta IS NOT NULL THEN " OUTBOX_PART(                                \
					       "32") " END AS Headers, " OUTBOX_TIME " AS CreatedAt,"                  \
						     " CASE WHEN position <= json_extract(hint, '$.position') THEN "   \
						     "json_extract(hint, '$.at') END AS ProcessedAt"                   \
						     " FROM (SELECT e.position, s.name AS stream, t.name AS type, "    \
						     "t.topic, e.data, e.meta, hex(e.link) AS h,"                      \
						     " (e.at + 1767225600000000) / 1000 AS ms,"                        \
						     " (SELECT CAST(value AS TEXT) FROM records WHERE space = "        \
						     "'relay' AND key = CAST('hint' AS BLOB)) AS hint"                 \
						     " FROM entries e JOIN streams s ON s.id = e.stream JOIN types t " \
						     "ON t.id = e.type WHERE t.topic <> '');"

/*
 * Which streams a segment has where. The keys are a table of their own, so small that a reader keeps it, and a block
 * lies by number: with the blocks beside the keys a page leads to four others, and a lookup reads three of them. Since
 * schema 4.
 */
#define STREAM_INDEX                                                                                                   \
	"CREATE TABLE stream_index(segment INTEGER NOT NULL, stream INTEGER NOT NULL, version INTEGER NOT NULL,"       \
	" number INTEGER NOT NULL, PRIMARY KEY(segment, stream, version)) WITHOUT ROWID;"                              \
	"CREATE TABLE stream_blocks(number INTEGER PRIMARY KEY, block BLOB NOT NULL);"                                 \
	"CREATE VIEW stream_lookup AS SELECT segment, stream, version, block"                                          \
	" FROM stream_index LEFT JOIN stream_blocks USING (number);"

#define MOVE_STREAM_INDEX                                                                                              \
	"ALTER TABLE stream_index RENAME TO stream_index_3;" STREAM_INDEX                                              \
	"INSERT INTO stream_index SELECT segment, stream, version, (segment " STREAM_BLOCK_SHIFT ")"                   \
	" + row_number() OVER (PARTITION BY segment ORDER BY stream, version) FROM stream_index_3;"                    \
	"INSERT INTO stream_blocks SELECT i.number, o.block FROM stream_index_3 o JOIN stream_index i"                 \
	" USING (segment, stream, version);"                                                                           \
	"DROP TABLE stream_index_3;"

static const char tables[] =
	"CREATE TABLE entries("
	" position INTEGER PRIMARY KEY,"
	" stream INTEGER NOT NULL,"  /* streams.id */
	" version INTEGER NOT NULL," /* 0: not an event */
	" type INTEGER NOT NULL,"    /* types.id */
	" at INTEGER NOT NULL,"      /* microseconds since 2026-01-01T00:00:00Z */
	" part INTEGER NOT NULL,"    /* 0: a commit of one; else its size * 1024 + offset in it */
	" command BLOB,"             /* command id (16), fingerprint (8), reply; on a commit's first entry */
	" digest BLOB NOT NULL,"
	" link BLOB NOT NULL," /* the link (16), the row's seal (3) */
	" meta BLOB,"          /* provenance, key, headers, where they differ from the defaults */
	" data TEXT NOT NULL);"
	/* Remembered commands whose commit has no entry. */
	"CREATE TABLE bares(number INTEGER PRIMARY KEY, position INTEGER NOT NULL, at INTEGER NOT NULL,"
	" seal INTEGER NOT NULL, command BLOB NOT NULL);"
	"CREATE TABLE streams(id INTEGER PRIMARY KEY, name TEXT NOT NULL, seal INTEGER NOT NULL);"
	"CREATE TABLE types(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,"
	" schema_version INTEGER NOT NULL, generation INTEGER NOT NULL, topic TEXT NOT NULL);"
	"CREATE TABLE records(space TEXT NOT NULL, key BLOB NOT NULL, seal INTEGER NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY(space, key)) WITHOUT ROWID;"
	/* The index of sealed segments: derived, can be dropped and made anew. */
	"CREATE TABLE segments(number INTEGER PRIMARY KEY, ranges BLOB NOT NULL, names BLOB, streams BLOB,"
	" commands BLOB, seal INTEGER NOT NULL);" STREAM_INDEX
	"CREATE TABLE hash_index(kind INTEGER NOT NULL, segment INTEGER NOT NULL, prefix INTEGER NOT NULL,"
	" block BLOB NOT NULL, PRIMARY KEY(kind, segment, prefix)) WITHOUT ROWID;" CATALOGUE
	"CREATE TABLE settings(name TEXT PRIMARY KEY, value) WITHOUT ROWID;" OUTBOX;

static int
ask(struct link *link, const char *sql, int64_t *number, struct fault *fault)
{
	sqlite3_stmt *statement;
	int stepped;

	*number = 0;
	if (sqlite3_prepare_v2(link->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return link_fault(link, sql, fault);
	stepped = sqlite3_step(statement);
	if (stepped == SQLITE_ROW)
		*number = sqlite3_column_int64(statement, 0);
	else if (stepped != SQLITE_DONE)
		link_fault(link, sql, fault);
	sqlite3_finalize(statement);
	return stepped == SQLITE_ROW || stepped == SQLITE_DONE ? 0 : -1;
}

/* A wrong seed would make every stream look absent. */
static int64_t
seed_check(int64_t seed)
{
	return (int64_t)(slice_hash(slice_from(&seed, sizeof(seed)), 5) >> 1);
}

int
sqlite_schema_check(struct link *link, bool *empty, uint64_t *seed, struct fault *fault)
{
	int64_t application, version, things, number, check;

	*empty = false;
	if (ask(link, "SELECT count(*) FROM sqlite_schema", &things, fault) != 0 ||
	    ask(link, "PRAGMA application_id", &application, fault) != 0 ||
	    ask(link, "PRAGMA user_version", &version, fault) != 0) {
		if (fault->native == SQLITE_NOTADB)
			return fault_set(fault, FAULT_CONFIG, "not_a_store", "the file is not a moonlog store");
		return -1;
	}
	*empty = things == 0 && application == 0;
	if (*empty)
		return 0;
	if (application != APPLICATION_ID)
		return fault_set(fault, FAULT_CONFIG, "not_a_store", "the file is a database of another program");
	if (version > SCHEMA_VERSION)
		return fault_set(fault, FAULT_CONFIG, "newer_store",
				 "the store has schema %lld; this program knows up to %d", (long long)version,
				 SCHEMA_VERSION);
	if (ask(link, "SELECT value FROM settings WHERE name = 'seed'", &number, fault) != 0 ||
	    ask(link, "SELECT value FROM settings WHERE name = 'seed_check'", &check, fault) != 0)
		return -1;
	*seed = (uint64_t)number;
	if (check != seed_check(number))
		return fault_set(fault, FAULT_CORRUPT, "settings_mismatch",
				 "the store's settings are not what was written");
	return 0;
}

static int
make_tables(struct link *link, const struct entropy *entropy, struct fault *fault)
{
	char sql[300];
	int64_t seed;

	entropy_fill(entropy, &seed, sizeof(seed));
	snprintf(sql, sizeof(sql),
		 "INSERT INTO settings VALUES('seed', %lld), ('seed_check', %lld);"
		 "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 (long long)seed, (long long)seed_check(seed), APPLICATION_ID, SCHEMA_VERSION);
	if (link_exec(link, "BEGIN IMMEDIATE", fault) != 0)
		return -1;
	if (link_exec(link, tables, fault) != 0 || link_exec(link, sql, fault) != 0 ||
	    link_exec(link, "COMMIT", fault) != 0) {
		link_exec(link, "ROLLBACK", NULL);
		return -1;
	}
	return 0;
}

/* Of an older store: what it lacks. */
static int
upgrade(struct link *link, struct fault *fault)
{
	int64_t version;

	if (ask(link, "PRAGMA user_version", &version, fault) != 0)
		return -1;
	if (version >= SCHEMA_VERSION)
		return 0;
	if (link_exec(link, "BEGIN IMMEDIATE", fault) != 0)
		return -1;
	if ((version < 2 && (link_exec(link, CATALOGUE, fault) != 0 || catalogue_make(link, fault) != 0)) ||
	    link_exec(link, OUTBOX, fault) != 0 || link_exec(link, MOVE_STREAM_INDEX, fault) != 0 ||
	    link_exec(link, "PRAGMA user_version = 4; COMMIT", fault) != 0) {
		link_exec(link, "ROLLBACK", NULL);
		return -1;
	}
	return 0;
}

int
sqlite_schema_look(struct link *link, struct fault *fault)
{
	int64_t version;

	if (ask(link, "PRAGMA user_version", &version, fault) != 0)
		return -1;
	if (version >= 4)
		return 0;
	return link_exec(link,
			 /* First, because a change of it drops what is temporary. */
			 "PRAGMA temp_store = MEMORY;"
			 "CREATE TEMP VIEW stream_lookup AS SELECT segment, stream, version, block"
			 " FROM main.stream_index",
			 fault);
}

int
sqlite_schema_make(struct link *link, bool no_sync, const struct entropy *entropy, uint64_t *seed, struct fault *fault)
{
#ifdef MOONLOG_SABOTAGE_NO_SYNC
	no_sync = true; /* a build that must fail tests/crash */
#endif
	char sql[64];
	bool empty;

	snprintf(sql, sizeof(sql), "PRAGMA page_size = %d", SQLITE_ROOM_PAGE);
	if (sqlite_schema_check(link, &empty, seed, fault) != 0)
		return -1;
	if (empty && link_exec(link, sql, fault) != 0)
		return -1;
	if (link_exec(link, "PRAGMA journal_mode = WAL", fault) != 0 ||
	    link_exec(link, no_sync ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = FULL", fault) != 0 ||
	    link_exec(link, "PRAGMA mmap_size = 0; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY", fault) != 0)
		return -1;
	if (!empty)
		return upgrade(link, fault);
	return make_tables(link, entropy, fault) != 0 ? -1 : sqlite_schema_check(link, &empty, seed, fault);
}
