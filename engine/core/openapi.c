/* SPDX-License-Identifier: MIT */
/*
 * Joins what each domain says about its routes with the engine's own, into one OpenAPI 3.1 document. The domains'
 * parts come checked and finished from the script room; two domains that claim one path keep the first.
 */
#include "base/json.h"
#include "core/inside.h"

static const char own_paths[] =
	"\"/commands/{domain}/{aggregate}/{id}/{command}\":{\"post\":{\"tags\":[\"engine\"],\"summary\":\"Run a "
	"command\","
	"\"parameters\":[{\"$ref\":\"#/components/parameters/domain\"},{\"$ref\":\"#/components/parameters/"
	"aggregate\"},"
	"{\"$ref\":\"#/components/parameters/id\"},{\"$ref\":\"#/components/parameters/command\"},"
	"{\"$ref\":\"#/components/parameters/idempotencyKey\"},{\"$ref\":\"#/components/parameters/ifMatch\"}],"
	"\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\"}}}},"
	"\"responses\":{\"200\":{\"description\":\"accepted\"},\"4XX\":{\"$ref\":\"#/components/responses/"
	"problem\"}}}},"
	"\"/streams/{stream}\":{\"get\":{\"tags\":[\"engine\"],\"summary\":\"A page of a stream's "
	"events\",\"parameters\":["
	"{\"name\":\"stream\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
	"{\"name\":\"from\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1}},"
	"{\"$ref\":\"#/components/parameters/limit\"}],\"responses\":{\"200\":{\"description\":\"events, oldest "
	"first\"},"
	"\"404\":{\"$ref\":\"#/components/responses/problem\"}}}},"
	"\"/log\":{\"get\":{\"tags\":[\"engine\"],\"summary\":\"A page of the log, or its events as they "
	"come\",\"parameters\":["
	"{\"name\":\"after\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":0}},"
	"{\"$ref\":\"#/components/parameters/limit\"}],\"responses\":{\"200\":{\"description\":\"entries by "
	"position\"}}}},"
	"\"/state/{domain}/{aggregate}/{id}\":{\"get\":{\"tags\":[\"engine\"],\"summary\":\"A stream's "
	"state\",\"parameters\":["
	"{\"$ref\":\"#/components/parameters/domain\"},{\"$ref\":\"#/components/parameters/aggregate\"},"
	"{\"$ref\":\"#/components/parameters/id\"},"
	"{\"name\":\"at\",\"in\":\"query\",\"description\":\"a version or a "
	"time\",\"schema\":{\"type\":\"string\"}}],"
	"\"responses\":{\"200\":{\"description\":\"the "
	"state\"},\"404\":{\"$ref\":\"#/components/responses/problem\"}}}},"
	"\"/views/{domain}/{table}\":{\"get\":{\"tags\":[\"engine\"],\"summary\":\"Rows of a read model; any "
	"column filters\",\"parameters\":["
	"{\"$ref\":\"#/components/parameters/domain\"},"
	"{\"name\":\"table\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
	"{\"name\":\"order\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}},"
	"{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":\"integer\"}},"
	"{\"name\":\"offset\",\"in\":\"query\",\"schema\":{\"type\":\"integer\"}}],"
	"\"responses\":{\"200\":{\"description\":\"the "
	"rows\"},\"404\":{\"$ref\":\"#/components/responses/problem\"}}}},"
	"\"/queries/{domain}/{query}\":{\"get\":{\"tags\":[\"engine\"],\"summary\":\"A domain's "
	"query\",\"parameters\":["
	"{\"$ref\":\"#/components/parameters/domain\"},"
	"{\"name\":\"query\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
	"{\"name\":\"at_least\",\"in\":\"query\",\"description\":\"log position to wait "
	"for\",\"schema\":{\"type\":\"integer\"}}],"
	"\"responses\":{\"200\":{\"description\":\"the "
	"answer\"},\"4XX\":{\"$ref\":\"#/components/responses/problem\"}}}},"
	"\"/healthz\":{\"get\":{\"tags\":[\"engine\"],\"summary\":\"Is the process alive\",\"responses\":{\"200\":"
	"{\"description\":\"yes\"}}}},"
	"\"/readyz\":{\"get\":{\"tags\":[\"engine\"],\"summary\":\"May it be sent requests\",\"responses\":{\"200\":"
	"{\"description\":\"yes\"},\"503\":{\"description\":\"not now\"}}}}";

static const char own_components[] =
	"\"parameters\":{"
	"\"domain\":{\"name\":\"domain\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
	"\"aggregate\":{\"name\":\"aggregate\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
	"\"id\":{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\",\"maxLength\":200}"
	"},"
	"\"command\":{\"name\":\"command\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}},"
	"\"limit\":{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":"
	"1000}},"
	"\"idempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"schema\":{\"type\":\"string\"}},"
	"\"ifMatch\":{\"name\":\"If-Match\",\"in\":\"header\",\"schema\":{\"type\":\"string\"}}},"
	"\"responses\":{\"problem\":{\"description\":\"why "
	"not\",\"content\":{\"application/problem+json\":{\"schema\":"
	"{\"$ref\":\"#/components/schemas/problem\"}}}}}";

static const char own_schemas[] =
	"\"problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\"],\"properties\":{"
	"\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
	"\"detail\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"}}}";

static bool
earlier_has(struct ruleset *const *rules, size_t before, struct slice key)
{
	struct json_value item;

	for (size_t i = 0; i < before; i++) {
		struct json_value whole = { JSON_OBJECT, rules[i]->program->openapi }, paths;

		if (json_member(whole, SLICE("paths"), &paths) && json_member(paths, key, &item))
			return true;
	}
	return false;
}

/* The members of one part of every domain's document, a comma before each. */
static void
write_parts(struct ruleset *const *rules, size_t count, struct slice part, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		struct json_value whole = { JSON_OBJECT, rules[i]->program->openapi }, members, item;
		struct json_iter iter;
		struct slice key;

		if (whole.raw.size == 0 || !json_member(whole, part, &members))
			continue;
		json_iter(&iter, members);
		while (json_next(&iter, &key, &item)) {
			if (earlier_has(rules, i, key))
				continue;
			buf_text(out, ",\"");
			buf_add(out, key);
			buf_text(out, "\":");
			buf_add(out, item.raw);
		}
	}
}

void
openapi_write(struct engine *engine, struct buf *out)
{
	struct ruleset *rules[DOMAIN_MAX] = { NULL };
	size_t count = engine->domain_count;

	for (size_t i = 0; i < count; i++)
		rules[i] = domain_hold_rules(engine->domains[i]);
	buf_text(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"moonlog\",\"version\":\"" MOONLOG_VERSION
		      "\"},\"paths\":{");
	buf_text(out, own_paths);
	write_parts(rules, count, SLICE("paths"), out);
	buf_text(out, "},\"components\":{");
	buf_text(out, own_components);
	buf_text(out, ",\"schemas\":{");
	buf_text(out, own_schemas);
	write_parts(rules, count, SLICE("schemas"), out);
	buf_text(out, "}}}");
	for (size_t i = 0; i < count; i++)
		ruleset_release(rules[i]);
}
