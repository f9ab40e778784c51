/* SPDX-License-Identifier: MIT */
/*
 * The authors' schema vocabulary (docs/INTERFACES.md), compiled once a program into a tree of C values without any Lua
 * in it, so that every state of every thread shares it; then bytes to Lua values and Lua values to canonical bytes,
 * checked on the way. A tree is read-only after schema_compile and lives in the arena that was given.
 */
#ifndef MOONLOG_SCRIPT_LUA_SCHEMA_H
#define MOONLOG_SCRIPT_LUA_SCHEMA_H

#include <lua.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fault.h"
#include "script/script.h"

enum schema_type {
	SCHEMA_ANY,
	SCHEMA_STRING,
	SCHEMA_INTEGER,
	SCHEMA_NUMBER,
	SCHEMA_BOOLEAN,
	SCHEMA_MONEY,
	SCHEMA_TIME,
	SCHEMA_UUID,
	SCHEMA_OBJECT, /* with fields: exactly these; without: any object */
	SCHEMA_ARRAY,
	SCHEMA_MAP
};

enum schema_format {
	SCHEMA_FORMAT_NONE,
	SCHEMA_FORMAT_EMAIL,
	SCHEMA_FORMAT_UUID,
	SCHEMA_FORMAT_DATE,     /* 2026-11-21 */
	SCHEMA_FORMAT_DATE_TIME /* ISO 8601; stays text, unlike the type "time" */
};

#define SCHEMA_FIELDS_MAX 256
#define SCHEMA_MONEY_MAX  32 /* money fields of one object */

struct schema_field;

struct schema {
	enum schema_type type;
	enum schema_format format;
	bool optional;
	bool has_minimum;
	bool has_maximum;
	bool open; /* SCHEMA_OBJECT without fields */
	union schema_bound {
		int64_t integer; /* INTEGER, MONEY (minor units), TIME (us) */
		double number;   /* NUMBER */
	} minimum, maximum;
	uint64_t length_min;   /* characters of strings, elements of arrays and maps */
	uint64_t length_max;   /* UINT64_MAX: none */
	struct slice pattern;  /* a Lua pattern that must match somewhere; empty: none */
	struct slice currency; /* MONEY: name of the sibling field, "currency" unless said; or a code such as "EUR" */
	struct slice preset;   /* default, as canonical stored bytes; empty: none */
	const struct slice *choices; /* enum: texts, or integers as digits */
	size_t choice_count;
	const struct schema *element;      /* ARRAY, MAP */
	const struct schema_field *fields; /* OBJECT, sorted bytewise by name */
	size_t field_count;
};

struct schema_field {
	struct slice name;
	struct schema schema;
};

/* Money and times differ: decimals and ISO 8601 text on the WIRE (requests, replies), integers when STORED. */
enum schema_mode { SCHEMA_WIRE, SCHEMA_STORED };

/*
 * A member of the outermost object that is taken out instead of being refused, unless the schema declares it: a
 * version, or "any", "no_stream", "stream_exists".
 */
struct schema_lift {
	struct slice name; /* "expectedVersion" */
	bool found;
	struct expected expected;
};

/* A context of zeros reads the wire with no extras. */
struct schema_context {
	enum schema_mode mode;
	struct slice currency; /* of money without a sibling that names one: the domain's setting; empty: "EUR" */
	/* schema_read: texts that become members of the outermost object; bytes that have them must say the same. */
	const struct script_param *params;
	size_t param_count;
	bool params_known;        /* schema_read: one that no field wants is refused by its name */
	bool tolerant;            /* schema_read: unknown fields are passed over */
	struct schema_lift *lift; /* schema_read; may be NULL */
};

/* What does not fit, for the client: "amount: at most 2 decimals in EUR (offset 11)". */
struct schema_trouble {
	char code[40];    /* bad_json, json_limit, unknown_field, missing_field, bad_type, bad_value, bad_money */
	char path[160];   /* "items[2].price", from 0 in what was read, from 1 in a Lua value; "" for the whole */
	int64_t offset;   /* in the bytes that were read; -1: a parameter, or writing */
	char reason[240]; /* without path */
};

/* class, code and one line from a trouble. Gives -1. */
int schema_fault(const struct schema_trouble *trouble, enum fault_class class, struct fault *fault);

/*
 * Compiles the table or text at `index` as one schema ("string?", { type = ... }), or with schema_compile_fields as the
 * fields of an object ({ amount = "money", ... }; nil gives an object without fields, all refused). `where` is for
 * messages: "account.lua: commands.DepositMoney.data". Inside vm_protect. Fails: SCRIPT "bad_schema".
 */
int schema_compile(lua_State *L, int index, struct arena *arena, const char *where, struct schema **schema,
		   struct fault *fault);
int schema_compile_fields(lua_State *L, int index, struct arena *arena, const char *where, struct schema **schema,
			  struct fault *fault);

/*
 * Pushes the value of `bytes`, checked: unknown fields refused, missing ones named, defaults filled, null in an
 * optional field left out. No bytes at all read as {} where an object is wanted. Inside vm_protect.
 * Fails with nothing pushed.
 */
int schema_read(lua_State *L, const struct schema *schema, struct slice bytes, const struct schema_context *context,
		struct schema_trouble *trouble);
/* The same for a plain text (path and query parameters): a scalar schema decides how it is understood. */
int schema_read_text(lua_State *L, const struct schema *schema, struct slice text, const struct schema_context *context,
		     struct schema_trouble *trouble);
/* Appends the canonical bytes of the Lua value at `index`, checked the same way; out is as before on failure. */
int schema_write(lua_State *L, int index, const struct schema *schema, const struct schema_context *context,
		 struct buf *out, struct schema_trouble *trouble);

/* Member of an object schema; NULL when there is none. */
const struct schema *schema_member(const struct schema *object, struct slice name);

#endif
