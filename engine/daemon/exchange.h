/* SPDX-License-Identifier: MIT */
/*
 * The form in which a log travels between stores (docs/INTERFACES.md): one JSON object a line. Every line ends with
 * "check", a hash of the check before and of the line, so that a changed, lost or moved line is known at that line.
 *
 *   {"moonlog_export":1,...}      the head
 *   {"source":hash,"text":...}    one file of rules
 *   {"generation":3,...}          which files decided the entries of this number
 *   {"stream":...,"data":...}     an entry
 *   {"unique":set,"key":...}      a unique key and the stream that holds it
 *   {"end":true,...}              the end
 */
#ifndef MOONLOG_DAEMON_EXCHANGE_H
#define MOONLOG_DAEMON_EXCHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "model/entry.h"

#define EXCHANGE_LINE_MAX ((size_t)16 << 20)

/* The check of the last line. */
struct exchange {
	struct check check;
	uint64_t lines;
};

enum exchange_kind {
	EXCHANGE_HEAD,
	EXCHANGE_SOURCE,
	EXCHANGE_GENERATION,
	EXCHANGE_ENTRY,
	EXCHANGE_UNIQUE,
	EXCHANGE_END
};

/* What a line says; which fields are filled depends on its kind. Slices borrow from line and arena. */
struct exchange_line {
	enum exchange_kind kind;
	struct recorded_entry entry; /* ENTRY; HEAD: position and link are those of the entry before the first */
	struct slice text;           /* SOURCE: the file; UNIQUE: the set's name, "banking.accountNumber" */
	struct digest hash;          /* SOURCE, GENERATION */
	struct slice key;            /* UNIQUE */
	struct slice stream;         /* UNIQUE */
	uint64_t number;             /* GENERATION; HEAD: of the form; END: entries */
	struct slice domain;         /* GENERATION */
	struct json_value sources;   /* GENERATION: [{"hash","path"}] */
	bool upcast;                 /* HEAD */
};

/* Closes a line that was begun at `start` of `out` (an object without its last bracket). */
void exchange_close(struct exchange *exchange, size_t start, struct buf *out);
/* The whole line of an entry. Fails: INPUT "not_text" for a key or actor that JSON cannot hold. */
int exchange_entry(struct exchange *exchange, const struct recorded_entry *entry, struct buf *out, struct fault *fault);
/*
 * The line of a piece of an event, `piece` of `pieces` from 1, as rules of today see it: without digest and link, which
 * are of the recorded bytes. For people and tools: no import takes it.
 */
int exchange_piece(struct exchange *exchange, const struct recorded_entry *entry, size_t piece, size_t pieces,
		   struct buf *out, struct fault *fault);

/* Of a line in a foreign form: it only goes into the check. */
void exchange_foreign(struct exchange *exchange, struct slice line);
/*
 * Reads a line: its check, its fields, none unknown, none twice, none missing; an entry's digest. Fails: INPUT
 * "bad_export" without the line's number.
 */
int exchange_read(struct exchange *exchange, struct slice line, struct arena *arena, struct exchange_line *read,
		  struct fault *fault);

#endif
