/* SPDX-License-Identifier: MIT */
/*
 * What happened, as an HTTP status: one table over fault classes, a few codes that say it better than their class, and
 * one switch over outcomes. A class without a row does not compile.
 */
#include "http/reply.h"

static const uint16_t fault_statuses[] = {
	[FAULT_NONE] = 500,   [FAULT_INPUT] = 400,   [FAULT_LIMIT] = 422,   [FAULT_SCRIPT] = 500, [FAULT_BUSY] = 503,
	[FAULT_AWAY] = 503,   [FAULT_UNKNOWN] = 503, [FAULT_TIMEOUT] = 504, [FAULT_FULL] = 507,   [FAULT_CORRUPT] = 500,
	[FAULT_CONFIG] = 500, [FAULT_MEMORY] = 503,  [FAULT_BUG] = 500,
};
_Static_assert(countof(fault_statuses) == FAULT_CLASSES, "every fault class has its status");

static const struct {
	enum fault_class class;
	const char *code;
	uint16_t status;
} code_statuses[] = {
	{ FAULT_LIMIT, "json_limit", 400 },  { FAULT_LIMIT, "body_too_large", 413 }, { FAULT_TIMEOUT, "not_yet", 503 },
	{ FAULT_SCRIPT, "time_limit", 503 }, { FAULT_SCRIPT, "memory_limit", 503 },
};

uint16_t
http_status_of_fault(const struct fault *fault)
{
	for (size_t i = 0; i < countof(code_statuses); i++) {
		if (code_statuses[i].class == fault->class && strcmp(code_statuses[i].code, fault->code) == 0)
			return code_statuses[i].status;
	}
	return (unsigned)fault->class < FAULT_CLASSES ? fault_statuses[fault->class] : 500;
}

uint16_t
http_status_of_outcome(const struct outcome *outcome, bool by_header)
{
	switch (outcome->kind) {
	case OUTCOME_ACCEPTED:
	case OUTCOME_REPEATED:
		return outcome->status != 0 ? outcome->status : 200;
	case OUTCOME_REFUSED:
		return outcome->status >= 400 && outcome->status <= 599 ? outcome->status : 422;
	case OUTCOME_CONFLICT:
		return by_header ? 412 : 409;
	case OUTCOME_MISMATCH:
		return 422;
	case OUTCOME_MISSING:
		return outcome->status >= 400 && outcome->status <= 599 ? outcome->status : 404;
	case OUTCOME_FAILED:
		return http_status_of_fault(&outcome->fault);
	}
	return 500;
}

static const struct {
	uint16_t status;
	const char *title;
} titles[] = {
	{ 100, "Continue" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 423, "Locked" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

const char *
http_status_title(uint16_t status)
{
	for (size_t i = 0; i < countof(titles); i++) {
		if (titles[i].status == status)
			return titles[i].title;
	}
	return status < 400 ? "OK" : status < 500 ? "Client Error" : "Server Error";
}
