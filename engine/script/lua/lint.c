/* SPDX-License-Identifier: MIT */
/*
 * Promises: no false alarm about a name: every block, local and parameter is followed as Lua does it. Events are looked
 * for only where a table inside a command's `handle` has the shape of one; tables of a view only behind the parameter
 * that is one.
 *
 * A reader of Lua's grammar that keeps nothing but the scopes. The text compiles, so there are no errors to report;
 * depth is bounded by Lua's own limit, memory by LOCALS_MAX (200 locals a function, 200 levels at most).
 */
#include "script/lua/lint.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "script/lua/sandbox.h"

#define LOCALS_MAX 2000
#define NAMES_MAX  200 /* in one statement: Lua's own limit */

struct variable {
	struct slice name;
	struct token token;
	bool required; /* it holds a module */
	bool used;
	bool view; /* the first parameter of a projection's handler, or of a query's `run` */
};

struct reading {
	const struct lint *lint;
	struct tokens tokens;
	struct token now;
	struct token next;
	struct variable locals[LOCALS_MAX];
	size_t count;
	unsigned handles;   /* functions of that name around */
	unsigned functions; /* around */
	bool on;            /* in a projection's `on` */
	bool viewing;       /* the function that comes gets a view */
};

static void read_block(struct reading *r);
static void read_expression(struct reading *r);

/* ---- tokens ---- */

static void
advance(struct reading *r)
{
	r->now = r->next;
	r->next = token_next(&r->tokens);
}

static bool
at(const struct reading *r, const char *text)
{
	return token_is(&r->now, text);
}

static bool
take(struct reading *r, const char *text)
{
	bool is = at(r, text);
	if (is)
		advance(r);
	return is;
}

/* ---- findings ---- */

static void
tell(const struct reading *r, enum finding_severity severity, const char *code, const struct token *token,
     const char *text)
{
	token_tell(r->lint->findings, r->lint->source, token, severity, code, text);
}

static bool
global_known(struct slice name)
{
	size_t count;
	const struct sandbox_name *names = sandbox_names(&count);
	for (size_t i = 0; i < count; i++) {
		const char *shown = names[i].library[0] != '\0' ? names[i].library : names[i].name;
		if (slice_equal(name, slice_text(shown)))
			return true;
	}
	return slice_equal(name, SLICE("_ENV"));
}

/* ---- scopes ---- */

static struct variable *
find_local(struct reading *r, struct slice name)
{
	for (size_t i = r->count; i > 0; i--)
		if (slice_equal(r->locals[i - 1].name, name))
			return &r->locals[i - 1];
	return NULL;
}

static void
declare(struct reading *r, const struct token *token, bool required)
{
	if (r->count < LOCALS_MAX)
		r->locals[r->count++] = (struct variable){ .name = token->text, .token = *token, .required = required };
}

static void
leave_scope(struct reading *r, size_t mark)
{
	char text[160];
	while (r->count > mark) {
		const struct variable *variable = &r->locals[--r->count];
		if (!variable->required || variable->used)
			continue;
		snprintf(text, sizeof text, "the module in '%.*s' is not used", SLICE_ARG(variable->name));
		tell(r, FINDING_WARNING, "unused_require", &variable->token, text);
	}
}

/* The nearest of the names that can be used here. */
static void
nearest_name(const struct reading *r, struct slice name, char *hint, size_t size)
{
	size_t count;
	const struct sandbox_name *names = sandbox_names(&count);
	char near[64];
	struct suggest suggest;
	suggest_start(&suggest, name);
	for (size_t i = 0; i < count; i++)
		suggest_try(&suggest, names[i].library[0] != '\0' ? names[i].library : names[i].name);
	for (size_t i = r->count; i > 0; i--) {
		char local[64];
		snprintf(local, sizeof local, "%.*s", SLICE_ARG(r->locals[i - 1].name));
		suggest_try(&suggest, local);
		if (suggest.best != local)
			continue;
		snprintf(near, sizeof near, "%s", local);
		suggest.best = near;
	}
	suggest_text(&suggest, hint, size);
}

static void
use_name(struct reading *r, const struct token *token, bool written)
{
	struct variable *local = find_local(r, token->text);
	char hint[96], text[256];
	if (local != NULL) {
		local->used |= !written;
		return;
	}
	if (!written && global_known(token->text))
		return;
	if (written) {
		snprintf(text, sizeof text, "assignment to undeclared global '%.*s' (write 'local' before it)",
			 SLICE_ARG(token->text));
		tell(r, FINDING_ERROR, "global_write", token, text);
		return;
	}
	nearest_name(r, token->text, hint, sizeof hint);
	snprintf(text, sizeof text, "unknown global '%.*s'%s", SLICE_ARG(token->text), hint);
	tell(r, FINDING_ERROR, "unknown_global", token, text);
}

/* ---- expressions ---- */

static void
read_expressions(struct reading *r)
{
	do
		read_expression(r);
	while (take(r, ","));
}

/* From the parameters on; `self`: a method. */
static void
read_function(struct reading *r, bool method, const struct token *place)
{
	size_t mark = r->count;
	if (method) {
		struct token self = *place;
		self.text = SLICE("self");
		declare(r, &self, false);
	}
	for (take(r, "("); !at(r, ")") && r->now.kind != TOKEN_END; advance(r)) {
		if (r->now.kind != TOKEN_NAME)
			continue;
		declare(r, &r->now, false);
		r->locals[r->count - 1].view = r->viewing;
		r->viewing = false;
	}
	r->viewing = false;
	take(r, ")");
	r->functions++;
	read_block(r);
	r->functions--;
	if (r->lint->function != NULL)
		r->lint->function(r->lint->self, place->line, r->now.line);
	take(r, "end");
	leave_scope(r, mark);
}

/* What a table says of itself while it is read. */
struct shape {
	struct token type; /* of a literal `type = "..."` */
	bool typed;
	bool data;
	bool other;
};

static void
check_event(const struct reading *r, const struct shape *shape, bool element)
{
	char hint[160] = "", text[320];
	const struct lint *lint = r->lint;
	if (r->handles == 0 || !shape->typed || shape->other || (!shape->data && !element) ||
	    lint->type_known == NULL || lint->type_known(lint->self, shape->type.text, hint, sizeof hint))
		return;
	snprintf(text, sizeof text, "event '%.*s' is not declared%s", SLICE_ARG(shape->type.text), hint);
	tell(r, FINDING_ERROR, "undeclared_event", &shape->type, text);
}

/* command = "aggregate.Command" in what a handler returns; those of routes are looked at when they are loaded. */
static void
check_command(const struct reading *r)
{
	char hint[160] = "", text[320];
	const struct lint *lint = r->lint;
	const struct token *name = &r->now;
	const char *dot = name->text.size > 0 ? memchr(name->text.data, '.', name->text.size) : NULL;
	if (r->functions == 0 || name->kind != TOKEN_STRING || dot == NULL || token_is(&r->next, "..") ||
	    lint->command_known == NULL || lint->command_known(lint->self, name->text, hint, sizeof hint))
		return;
	snprintf(text, sizeof text, "the domain has no command '%.*s'%s", SLICE_ARG(name->text), hint);
	tell(r, FINDING_WARNING, "unknown_command", name, text);
}

/* view.Table, or the method behind it. */
static void
check_view(const struct reading *r, bool method)
{
	char hint[160] = "", text[320];
	const struct lint *lint = r->lint;
	bool (*is_known)(void *, struct slice, char *, size_t) = method ? lint->method_known : lint->table_known;
	if (is_known == NULL || is_known(lint->self, r->now.text, hint, sizeof hint))
		return;
	snprintf(text, sizeof text, "%s '%.*s'%s", method ? "a table of a view has no" : "the domain has no table",
		 SLICE_ARG(r->now.text), hint);
	tell(r, FINDING_WARNING, method ? "unknown_method" : "unknown_table", &r->now, text);
}

static void read_table(struct reading *r, bool element);

static void
read_field(struct reading *r, struct shape *shape)
{
	if (take(r, "[")) {
		read_expression(r);
		take(r, "]");
		take(r, "=");
		shape->other = true;
		r->viewing = r->on && r->functions == 0 && at(r, "function");
		read_expression(r);
		return;
	}
	if (r->now.kind != TOKEN_NAME || !token_is(&r->next, "=")) {
		shape->other = true;
		if (at(r, "{"))
			read_table(r, true);
		else
			read_expression(r);
		return;
	}
	bool command = at(r, "command"), type = at(r, "type"), handle = at(r, "handle") && !type, data = at(r, "data");
	bool on = at(r, "on") && r->functions == 0, run = at(r, "run") && r->functions == 0, outer = r->on;
	shape->data |= data;
	shape->other |= !type && !data && !at(r, "stream");
	advance(r);
	advance(r);
	if (command)
		check_command(r);
	if (type && r->now.kind == TOKEN_STRING) {
		shape->typed = true;
		shape->type = r->now;
	}
	handle = handle && at(r, "function");
	r->viewing = at(r, "function") && (run || (r->on && r->functions == 0));
	r->on |= on;
	r->handles += handle;
	read_expression(r);
	r->handles -= handle;
	r->on = outer;
}

static void
read_table(struct reading *r, bool element)
{
	struct shape shape = { 0 };
	for (take(r, "{"); !at(r, "}") && r->now.kind != TOKEN_END;) {
		read_field(r, &shape);
		if (!take(r, ","))
			take(r, ";");
	}
	take(r, "}");
	check_event(r, &shape, element);
}

static void
read_arguments(struct reading *r)
{
	if (take(r, "(")) {
		if (!at(r, ")"))
			read_expressions(r);
		take(r, ")");
	} else if (at(r, "{")) {
		read_table(r, false);
	} else {
		advance(r);
	}
}

/* A name or (expression) with what follows it. *plain: it is the name alone, not yet counted as used. */
static struct token
read_suffixed(struct reading *r, bool *plain)
{
	struct token name = r->now;
	const struct variable *local = find_local(r, name.text);
	bool view = name.kind == TOKEN_NAME && local != NULL && local->view, table = false;
	*plain = name.kind == TOKEN_NAME;
	if (take(r, "(")) {
		read_expression(r);
		take(r, ")");
	} else {
		advance(r);
	}
	for (;;) {
		bool suffix = at(r, ".") || at(r, "[") || at(r, ":") || at(r, "(") || at(r, "{") ||
			      r->now.kind == TOKEN_STRING;
		if (!suffix)
			return name;
		bool first = view && *plain, second = table;
		if (*plain)
			use_name(r, &name, false);
		*plain = false;
		table = first && at(r, ".");
		if (take(r, ".")) {
			if (first)
				check_view(r, false);
			advance(r);
		} else if (take(r, "[")) {
			read_expression(r);
			take(r, "]");
		} else {
			if (take(r, ":")) {
				if (second)
					check_view(r, true);
				advance(r);
			}
			read_arguments(r);
		}
	}
}

static void
read_simple(struct reading *r)
{
	bool plain;
	struct token place = r->now;
	if (take(r, "function")) {
		read_function(r, false, &place);
	} else if (at(r, "{")) {
		read_table(r, false);
	} else if (r->now.kind == TOKEN_NAME || at(r, "(")) {
		struct token name = read_suffixed(r, &plain);
		if (plain)
			use_name(r, &name, false);
	} else {
		advance(r); /* a number, a text, nil, true, false, ... */
	}
}

static bool
is_binary(const struct token *token)
{
	static const char *const operators[] = { "+",  "-",  "*",  "/", "//", "%", "^",  "..", "<",   "<=", ">",
						 ">=", "==", "~=", "&", "|",  "~", "<<", ">>", "and", "or" };
	for (size_t i = 0; i < countof(operators); i++)
		if (token->kind != TOKEN_NAME && token_is(token, operators[i]))
			return true;
	return false;
}

static void
read_expression(struct reading *r)
{
	do {
		while (take(r, "not") || take(r, "-") || take(r, "#") || take(r, "~"))
			;
		read_simple(r);
		if (!is_binary(&r->now))
			return;
		advance(r);
	} while (r->now.kind != TOKEN_END);
}

/* ---- statements ---- */

static void
read_scope(struct reading *r)
{
	size_t mark = r->count;
	read_block(r);
	leave_scope(r, mark);
}

static void
read_if(struct reading *r)
{
	do {
		read_expression(r);
		take(r, "then");
		read_scope(r);
	} while (take(r, "elseif"));
	if (take(r, "else"))
		read_scope(r);
	take(r, "end");
}

static void
read_for(struct reading *r)
{
	struct token names[NAMES_MAX];
	size_t count = 0, mark = r->count;
	do {
		if (count < countof(names))
			names[count++] = r->now;
		advance(r);
	} while (take(r, ","));
	advance(r); /* = or in */
	read_expressions(r);
	for (size_t i = 0; i < count; i++)
		declare(r, &names[i], false);
	take(r, "do");
	read_block(r);
	take(r, "end");
	leave_scope(r, mark);
}

static void
read_local(struct reading *r)
{
	struct token names[NAMES_MAX];
	size_t count = 0;
	if (take(r, "function")) {
		declare(r, &r->now, false);
		struct token place = r->now;
		advance(r);
		read_function(r, false, &place);
		return;
	}
	do {
		if (count < countof(names))
			names[count++] = r->now;
		advance(r);
		if (take(r, "<")) {
			advance(r);
			take(r, ">");
		}
	} while (take(r, ","));
	bool required = false;
	if (take(r, "=")) {
		required = count == 1 && at(r, "require") && find_local(r, r->now.text) == NULL;
		/* require "x".field holds no module any more, but is as unused */
		read_expressions(r);
	}
	for (size_t i = 0; i < count; i++)
		declare(r, &names[i], required);
}

/* function a.b:c() */
static void
read_named_function(struct reading *r)
{
	struct token name = r->now;
	bool plain = true, method = false;
	advance(r);
	while (at(r, ".") || at(r, ":")) {
		method = at(r, ":");
		plain = false;
		advance(r);
		advance(r);
	}
	use_name(r, &name, plain);
	read_function(r, method, &name);
}

/* A call, or an assignment. */
static void
read_other(struct reading *r)
{
	struct token names[NAMES_MAX];
	size_t count = 0;
	bool plain;
	do {
		struct token name = read_suffixed(r, &plain);
		if (plain && count < countof(names))
			names[count++] = name;
	} while (take(r, ","));
	if (take(r, "="))
		read_expressions(r);
	for (size_t i = 0; i < count; i++)
		use_name(r, &names[i], true);
}

static void
read_repeat(struct reading *r)
{
	size_t mark = r->count;
	read_block(r);
	take(r, "until");
	read_expression(r);
	leave_scope(r, mark);
}

static bool
block_ends(const struct reading *r)
{
	return r->now.kind == TOKEN_END || at(r, "end") || at(r, "else") || at(r, "elseif") || at(r, "until");
}

static void
read_statement(struct reading *r)
{
	if (take(r, "if")) {
		read_if(r);
	} else if (take(r, "while")) {
		read_expression(r);
		take(r, "do");
		read_scope(r);
		take(r, "end");
	} else if (take(r, "do")) {
		read_scope(r);
		take(r, "end");
	} else if (take(r, "for")) {
		read_for(r);
	} else if (take(r, "repeat")) {
		read_repeat(r);
	} else if (take(r, "function")) {
		read_named_function(r);
	} else if (take(r, "local")) {
		read_local(r);
	} else if (take(r, "return")) {
		if (!block_ends(r) && !at(r, ";"))
			read_expressions(r);
	} else if (take(r, "goto")) {
		advance(r);
	} else if (take(r, "::")) {
		advance(r);
		take(r, "::");
	} else if (!take(r, ";") && !take(r, "break")) {
		read_other(r);
	}
}

static void
read_block(struct reading *r)
{
	while (!block_ends(r)) {
		if (r->lint->statement != NULL)
			r->lint->statement(r->lint->self, r->now.line);
		read_statement(r);
	}
}

void
lint_file(const struct lint *lint)
{
	struct reading r = { .lint = lint, .tokens = { .source = lint->source->bytes, .line = 1 } };
	r.next = token_next(&r.tokens);
	advance(&r);
	while (r.now.kind != TOKEN_END) {
		read_block(&r);
		advance(&r); /* a stray `end`, in text that does not compile */
	}
	leave_scope(&r, 0);
}
