/* SPDX-License-Identifier: MIT */
/* A small bank: what decisions, folds, projections, queries and routes give. */
#include "base/json.h"
#include "support/check.h"
#include "unit/script/domain.h"
#include "unit/script/rows.h"

static const struct domain_file bank[] = {
	{ "account.lua",
	  "local text = require 'lib.text'\n"
	  "return {\n"
	  "    name = 'account', state_version = 2,\n"
	  "    initial = function() return { status = 'none', balance = 0, tags = json.array {} } end,\n"
	  "    events = {\n"
	  "        Opened = { data = { owner = 'string', currency = 'string' },\n"
	  "            apply = function(state, data) state.status = 'active'; state.owner = data.owner\n"
	  "                state.currency = data.currency; return state end },\n"
	  "        Deposited = { version = 2, data = { amount = 'money', currency = 'string', note = 'string?' },\n"
	  "            upcast = { [1] = function(data) data.currency = 'EUR'; return data end },\n"
	  "            apply = function(state, data) state.balance = state.balance + data.amount; return state end,\n"
	  "            publish = { topic = 'money' } },\n"
	  "        Noted = { data = { at = 'time?' }, apply = function(state, data, meta) state.at = meta.time return "
	  "state end,\n"
	  "            publish = { topic = 'notes', map = function(data, meta, state)\n"
	  "                if data.at == 51 then local all = {} for i = 1, 51 do all['h' .. i] = 'x' end "
	  "return { type = 'Many', headers = all } end "
	  "if data.at == 52 then return { type = 'Odd', key = '\\xff' } end "
	  "                return { { type = 'Note', data = { id = meta.stream_id, version = meta.version, at = "
	  "state.at } },\n"
	  "                         { type = 'More', key = 'k', headers = { a = 'b' } } } end } },\n"
	  "    },\n"
	  "    commands = {\n"
	  "        Open = { creates = true, data = { owner = { type = 'string', max_length = 10 } },\n"
	  "            handle = function(state, data, ctx)\n"
	  "                ctx:reserve('owner', data.owner, { code = 'owner_taken', message = 'one each' })\n"
	  "                return { { type = 'Opened', data = { owner = text.trim(data.owner), currency = "
	  "ctx.settings.currency } } }\n"
	  "            end },\n"
	  "        Deposit = { data = { amount = { type = 'money', minimum = 1 }, note = 'string?' },\n"
	  "            reply = { balance = 'money' },\n"
	  "            handle = function(state, data, ctx)\n"
	  "                if state.status ~= 'active' then return nil, { code = 'inactive', message = 'not open', "
	  "details = { id = ctx.id } } end\n"
	  "                state.status = 'spoilt'\n"
	  "                return { { type = 'Deposited', data = { amount = data.amount, currency = 'EUR', note = "
	  "data.note } } },\n"
	  "                       { balance = state.balance + data.amount }\n"
	  "            end },\n"
	  "        Move = { data = { to = 'string', amount = 'money' },\n"
	  "            handle = function(state, data, ctx)\n"
	  "                local other = ctx:load('account', data.to)\n"
	  "                if not other.exists then return nil, { code = 'no_target', status = 404 } end\n"
	  "                assert(ctx:load('account', data.to) == other)\n"
	  "                other.state.balance = -1\n"
	  "                return { { type = 'Deposited', data = { amount = -data.amount, currency = 'EUR' } },\n"
	  "                         { type = 'Deposited', data = { amount = data.amount, currency = 'EUR' }, stream = "
	  "other } }\n"
	  "            end },\n"
	  "        Note = { data = {}, handle = function(_, _, ctx) ctx:log('warn', 'noted by ' .. ctx.caller)\n"
	  "            return { { type = 'Noted', data = { at = ctx:now() } } } end },\n"
	  "        Fail = { data = { how = 'string' }, handle = function(state, data, ctx)\n"
	  "            if data.how == 'headers' then return { { type = 'Noted', data = { at = 51 } } } end "
	  "            if data.how == 'raise' then\n"
	  "                error('out of luck') end\n"
	  "            if data.how == 'nothing' then return end\n"
	  "            if data.how == 'map' then return { type = 'Opened' } end\n"
	  "            if data.how == 'type' then return { { type = 'Unknown' } } end\n"
	  "            if data.how == 'data' then return { { type = 'Deposited', data = { amount = 1.5, currency = "
	  "'EUR' } } } end\n"
	  "            if data.how == 'field' then return { { type = 'Opened', dta = {} } } end\n"
	  "            if data.how == 'many' then local t = {} for i = 1, 1001 do t[i] = { type = 'Noted' } end return "
	  "t end\n"
	  "            if data.how == 'status' then return nil, { code = 'x', status = 200 } end\n"
	  "            if data.how == 'code' then return nil, { code = 'Not Snake' } end\n"
	  "            if data.how == 'both' then return { { type = 'Noted' } }, nil, { code = 'failed_anyway' } end\n"
	  "            if data.how == 'reply' then return {}, { f = print } end\n"
	  "            if data.how == 'ids' then return {}, { a = ctx:uuid(), b = ctx:uuid(), c = ctx:random(1, 6), d "
	  "= ctx:random() } end\n"
	  "            if data.how == 'caught' then pcall(ctx.load, ctx, 'account', 'away') end\n"
	  "            if data.how == 'require' then require 'lib.text' end\n"
	  "            if data.how == 'reserve' then ctx:reserve('owner', '\\xff') end\n"
	  "            if data.how == 'key' then return { { type = 'Noted', data = { at = 52 } } } end\n"
	  "            return {} end },\n"
	  "    },\n"
	  "}\n" },
	{ "domain.lua",
	  "return { settings = { currency = 'EUR', limits = { most = 5 } }, title = 'The bank', routes = {\n"
	  "  { 'POST', '/accounts', command = 'account.Open', status = 201, location = '/accounts/{id}',\n"
	  "    reply = function(reply, meta) return { id = meta.id, version = meta.version } end },\n"
	  "  { 'POST', '/accounts/{id}/deposit', command = 'account.Deposit',\n"
	  "    reply = function(reply, meta) return { balance = reply.balance, version = meta.version } end,\n"
	  "    returns = { balance = 'money', version = 'integer' } },\n"
	  "  { 'POST', '/accounts/{id}/move/{to}', command = 'account.Move' },\n"
	  "  { 'GET', '/accounts/{id}', state = 'account', returns = { balance = 'money', id = 'string' },\n"
	  "    reply = function(state, meta)\n"
	  "        if state.status == 'none' then return nil, { code = 'gone', status = 404 } end\n"
	  "        state.status = 'changed'\n"
	  "        return { balance = state.balance, id = meta.id } end },\n"
	  "  { 'GET', '/accounts/{id}/history', history = 'account' },\n"
	  "  { 'GET', '/rich/{least}', query = 'rich' },\n"
	  "  { 'GET', '/health', health = true },\n"
	  "  { 'GET', '/', text = 'hello' },\n"
	  "} }\n" },
	{ "lib/text.lua", "return { trim = function(s) return (s:gsub('^%s+', '')) end }\n" },
	{ "queries.lua",
	  "return { queries = {\n"
	  "  all = { run = function(view) return { rows = view.Balances:find {}, count = view.Balances:count() } end "
	  "},\n"
	  "  rich = { params = { least = 'money', owner = 'string?' }, run = function(view, params, ctx)\n"
	  "      if params.least > 100000 then return nil, { code = 'nobody', message = 'none so rich', status = 404 } "
	  "end\n"
	  "      return view.Balances:find { where = { Balance = { '>=', params.least }, Owner = params.owner } } end "
	  "},\n"
	  "  writes = { run = function(view) view.Balances:put { Id = 'x' } return {} end },\n"
	  "  keeps = { run = function(view) return { a = view.Balances:get('a') or json.null, ok = pcall(function() "
	  "return view.Nope end) } end },\n"
	  "} }\n" },
	{ "reports.lua",
	  "return { name = 'reports',\n"
	  "  tables = { Balances = { key = { 'Id' }, columns = { Id = 'text', Owner = { type = 'text', max_length = 5 "
	  "},\n"
	  "      Balance = 'money', Currency = 'text', At = 'time?', More = 'json?' }, indexes = { { 'Owner', unique = "
	  "true } } } },\n"
	  "  on = {\n"
	  "    Opened = function(view, data, meta)\n"
	  "        view.Balances:insert { Id = meta.stream_id, Owner = data.owner, Balance = 0, Currency = "
	  "data.currency, More = { 1, 'x' } } end,\n"
	  "    ['account.Deposited'] = function(view, data, meta)\n"
	  "        view.Balances:add(meta.stream_id, { Balance = data.amount })\n"
	  "        view.Balances:update({ Id = meta.stream_id }, { At = meta.time, Currency = data.currency }) end,\n"
	  "    ['bank.account.Noted'] = function(view, data, meta) view.Balances:delete_where { Balance = 0 } end,\n"
	  "  } }\n" },
	{ NULL, NULL },
};

static struct domain d;

static void
open_bank(void)
{
	if (domain_load(&d, bank) != 0)
		CHECK_FAIL("%s", d.fault.text);
}

#define ACTIVE "{\"balance\":500,\"currency\":\"EUR\",\"owner\":\"ada\",\"status\":\"active\",\"tags\":[]}"

TEST(program_lists_what_it_has)
{
	open_bank();
	CHECK_INT(d.program->aggregate_count, 1);
	CHECK_SLICE(d.program->aggregates[0].name, "account");
	CHECK_INT(d.program->aggregates[0].event_count, 3);
	CHECK_INT(d.program->aggregates[0].state_version, 2);
	CHECK(d.program->multi_stream);
	CHECK(d.program->aggregates[0].meta_matters);
	CHECK_INT(d.program->route_count, 8);
	CHECK_SLICE(d.program->routes[1].id_param, "id");
	CHECK_SLICE(d.program->routes[5].id_param, "");
	CHECK_INT(d.program->routes[0].status, 201);
	CHECK_SLICE(d.program->settings, "{\"currency\":\"EUR\",\"limits\":{\"most\":5}}");
	CHECK_INT(d.program->table_count, 1);
	struct json_value value;
	CHECK_INT(json_check(d.program->openapi, &value, &d.fault), 0);
	CHECK(memmem(d.program->openapi.data, d.program->openapi.size, "/accounts/{id}/deposit", 22) != NULL);
	domain_close(&d);
}

TEST(accepts_and_folds)
{
	struct decided out;
	open_bank();
	const struct attempt open = { .command = "account.Open", .body = "{\"owner\":\" ada\"}", .route = 1 };
	CHECK(domain_decide(&d, &open, &out) == 0 || (fprintf(stderr, "%s\n", d.fault.text), 0));
	CHECK_INT(out.decision, DECISION_ACCEPTED);
	CHECK_INT(out.status, 201);
	CHECK_SLICE(out.reply, "{\"id\":\"a\",\"version\":1}");
	CHECK_INT(out.entry_count, 1);
	CHECK_SLICE(out.entries[0].data, "{\"currency\":\"EUR\",\"owner\":\"ada\"}");
	CHECK_SLICE(out.entries[0].topic, "");
	CHECK_INT(out.stream_count, 1);
	CHECK_SLICE(out.streams[0].name, "bank.account/a");
	CHECK(out.streams[0].written && !out.streams[0].meta_touched);
	CHECK_SLICE(domain_state(&d, 0, out.streams[0].state),
		    "{\"balance\":0,\"currency\":\"EUR\",\"owner\":\"ada\",\"status\":\"active\",\"tags\":[]}");
	CHECK_INT(out.reservation_count, 1);
	CHECK_SLICE(out.reservations[0].name, "owner");
	CHECK_SLICE(out.reservations[0].key, " ada");
	CHECK_SLICE(out.reservations[0].code, "owner_taken");
	domain_close(&d);
}

TEST(money_is_exact_at_the_edge_and_integer_inside)
{
	struct decided out;
	open_bank();
	struct attempt deposit = { .command = "account.Deposit",
				   .state = ACTIVE,
				   .version = 3,
				   .route = 2,
				   .body = "{\"amount\": 5.25, \"expectedVersion\": 3}",
				   .lift = true };
	CHECK_INT(domain_decide(&d, &deposit, &out), 0);
	CHECK_SLICE(out.entries[0].data, "{\"amount\":525,\"currency\":\"EUR\"}");
	CHECK_SLICE(out.entries[0].topic, "money");
	CHECK_INT(out.entries[0].schema_version, 2);
	CHECK_SLICE(out.reply, "{\"balance\":10.25,\"version\":4}");
	CHECK(out.has_expected && out.expected.kind == EXPECTED_EXACTLY && out.expected.version == 3);
	/* the handler spoilt its own state, not the one that was folded */
	CHECK_SLICE(domain_state(&d, 0, out.streams[0].state),
		    "{\"balance\":1025,\"currency\":\"EUR\",\"owner\":\"ada\",\"status\":\"active\",\"tags\":[]}");
	deposit.lift = false;
	CHECK_INT(domain_decide(&d, &deposit, &out), -1);
	CHECK_TEXT(d.fault.code, "unknown_field");
	deposit.body = "{\"amount\": 5.255}";
	CHECK_INT(domain_decide(&d, &deposit, &out), -1);
	CHECK_INT(d.fault.class, FAULT_INPUT);
	CHECK_TEXT(d.fault.code, "bad_money");
	struct script_trouble trouble;
	struct input_trouble input;
	script_trouble(d.machine, &trouble, &input);
	CHECK_SLICE(input.field, "amount");
	CHECK(input.has_offset && input.offset == 11);
	/* the state comes back untouched */
	CHECK_INT(out.stream_count, 1);
	CHECK_SLICE(domain_state(&d, 0, out.streams[0].state), ACTIVE);
	domain_close(&d);
}

TEST(refuses)
{
	struct decided out;
	open_bank();
	const struct attempt deposit = { .command = "account.Deposit", .body = "{\"amount\":1}" };
	CHECK_INT(domain_decide(&d, &deposit, &out), 0);
	CHECK_INT(out.decision, DECISION_REFUSED);
	CHECK_SLICE(out.code, "inactive");
	CHECK_SLICE(out.message, "not open");
	CHECK_SLICE(out.details, "{\"id\":\"a\"}");
	CHECK_INT(out.status, 422);
	CHECK_INT(out.entry_count, 0);
	const struct attempt both = {
		.command = "account.Fail", .body = "{\"how\":\"both\"}", .state = ACTIVE, .version = 1
	};
	CHECK_INT(domain_decide(&d, &both, &out), 0);
	CHECK_INT(out.decision, DECISION_REFUSED);
	CHECK_SLICE(out.code, "failed_anyway");
	CHECK_INT(out.entry_count, 3);
	domain_close(&d);
}

TEST(several_streams)
{
	struct decided out;
	open_bank();
	d.others[0].id = "b", d.others[0].state = ACTIVE, d.others[0].version = 7;
	d.others[1].id = "away", d.others[1].version = 1;
	const struct script_param to = { SLICE("to"), SLICE("b") };
	struct attempt move = { .command = "account.Move",
				.state = ACTIVE,
				.version = 2,
				.body = "{\"amount\":1}",
				.params = &to,
				.param_count = 1,
				.route = 3 };
	CHECK(domain_decide(&d, &move, &out) == 0 || (fprintf(stderr, "%s\n", d.fault.text), 0));
	CHECK_INT(out.stream_count, 2);
	CHECK_SLICE(out.streams[1].name, "bank.account/b");
	CHECK_INT(out.streams[1].version, 7);
	CHECK_INT(out.entries[1].stream, 1);
	CHECK_INT(out.streams[1].event_count, 1);
	CHECK_SLICE(domain_state(&d, 0, out.streams[1].state),
		    "{\"balance\":600,\"currency\":\"EUR\",\"owner\":\"ada\",\"status\":\"active\",\"tags\":[]}");
	move.params = NULL, move.param_count = 0;
	move.body = "{\"amount\":1,\"to\":\"nobody\"}";
	CHECK_INT(domain_decide(&d, &move, &out), 0);
	CHECK_SLICE(out.code, "no_target");
	CHECK_INT(out.status, 404);
	CHECK_INT(out.stream_count, 2);
	CHECK(!out.streams[1].written && out.streams[1].version == 0);
	script_state_release(d.machine, out.streams[1].state);
	move.body = "{\"amount\":1,\"to\":\"away\"}";
	CHECK_INT(domain_decide(&d, &move, &out), -1);
	CHECK_INT(d.fault.class, FAULT_AWAY);
	const struct attempt caught = { .command = "account.Fail", .body = "{\"how\":\"caught\"}" };
	CHECK_INT(domain_decide(&d, &caught, &out), -1);
	CHECK_INT(d.fault.class, FAULT_AWAY);
	domain_close(&d);
}

TEST(messages_and_meta)
{
	struct decided out;
	open_bank();
	const struct attempt note = { .command = "account.Note", .state = ACTIVE, .version = 4 };
	CHECK(domain_decide(&d, &note, &out) == 0 || (fprintf(stderr, "%s\n", d.fault.text), 0));
	CHECK_INT(out.entry_count, 3);
	CHECK_SLICE(out.entries[0].topic, "");
	CHECK_INT(out.entries[1].kind, ENTRY_MESSAGE);
	CHECK_SLICE(out.entries[1].data, "{\"at\":1000000,\"id\":\"a\",\"version\":5}");
	CHECK_SLICE(out.entries[1].topic, "notes");
	CHECK_SLICE(out.entries[2].key, "k");
	CHECK_SLICE(out.entries[2].headers, "{\"a\":\"b\"}");
	CHECK(out.streams[0].meta_touched);
	CHECK_TEXT(d.said, "2 bank: noted by ada");
	domain_close(&d);
}

static void
fails(const char *how, const char *code, const char *text)
{
	struct decided out;
	char body[60];
	snprintf(body, sizeof body, "{\"how\":\"%s\"}", how);
	const struct attempt attempt = { .command = "account.Fail", .state = ACTIVE, .version = 1, .body = body };
	CHECK_INT(domain_decide(&d, &attempt, &out), -1);
	CHECK_INT(d.fault.class, FAULT_SCRIPT);
	CHECK_TEXT(d.fault.code, code);
	if (strstr(d.fault.text, text) == NULL)
		CHECK_FAIL("%s: \"%s\" lacks \"%s\"", how, d.fault.text, text);
}

TEST(bad_results_name_the_rule)
{
	open_bank();
	fails("raise", "script_error", "account.lua:45: out of luck");
	fails("nothing", "bad_result", "account.lua:43: the handler returns nothing");
	fails("map", "bad_result", "no list");
	fails("type", "bad_result", "aggregate account declares no event 'Unknown'");
	fails("data", "bad_result", "event Deposited: amount");
	fails("field", "bad_result", "an event has a field 'dta'");
	fails("many", "bad_result", "more than 1000 events");
	fails("status", "bad_result", "400 to 499");
	fails("code", "bad_result", "field 'code' is wrong");
	fails("reply", "bad_result", "the answer: a function");
	fails("headers", "bad_result", "message Many: 51 headers; 50 are allowed");
	fails("require", "script_error", "only while files are loaded");
	fails("reserve", "script_error", "the key is not UTF-8");
	fails("key", "bad_result", "message Odd: key is not UTF-8");
	domain_close(&d);
}

TEST(a_failure_shows_its_line)
{
	struct script_trouble trouble;
	struct input_trouble input;
	open_bank();
	fails("raise", "script_error", "");
	script_trouble(d.machine, &trouble, &input);
	CHECK_SLICE(trouble.file, "account.lua");
	CHECK_INT(trouble.line, 45);
	CHECK_SLICE(trouble.message, "out of luck");
	CHECK(memmem(trouble.excerpt.data, trouble.excerpt.size, "error('out of luck')", 20) != NULL);
	fails("type", "bad_result", "");
	script_trouble(d.machine, &trouble, &input);
	CHECK_SLICE(trouble.file, "account.lua");
	CHECK_INT(trouble.line, 43);
	domain_close(&d);
}

TEST(objects_of_a_call_die_with_it)
{
	static const struct domain_file files[] = {
		{ "keeper.lua",
		  "local kept, meta_kept\n"
		  "return { name = 'keeper', initial = function() return {} end,\n"
		  "  events = { Kept = { data = {}, apply = function(s, _, meta) meta_kept = meta return s end } },\n"
		  "  commands = {\n"
		  "    Keep = { creates = true, handle = function(_, _, ctx) kept = ctx return { { type = 'Kept' } } "
		  "end },\n"
		  "    Use = { data = { what = 'string' }, handle = function(_, data, ctx)\n"
		  "      if data.what == 'meta' then return {}, { x = meta_kept.type } end\n"
		  "      if data.what == 'write' then ctx.id = 'b' end\n"
		  "      if data.what == 'dot' then ctx.now() end\n"
		  "      if data.what == 'none' then return {}, { x = ctx.nothing } end\n"
		  "      if data.what == 'metatable' then return {}, { x = tostring(getmetatable(ctx)) } end\n"
		  "      if data.what == 'coroutine' then\n"
		  "        local c = coroutine.wrap(function() return ctx:load('keeper', 'b').exists end)\n"
		  "        return {}, { x = c() } end\n"
		  "      if data.what == 'circle' then local t = {} t.t = t return {}, t end\n"
		  "      if data.what == 'deep' then local function f() return 1 + f() end return {}, { x = f() } end\n"
		  "      if data.what == 'caught' then pcall(ctx.load, ctx, 'nothing', 'b') return {}, { x = 1 } end\n"
		  "      if data.what == 'large' then return { { type = 'Kept', data = { x = 1 } } } end\n"
		  "      return {} end } } }\n" },
		{ NULL, NULL },
	};
	static const struct {
		const char *what, *answer;
	} cases[] = {
		{ "meta", "outside of the call" },  { "write", "read-only" }, { "dot", "needs the colon" },
		{ "none", "ctx has no 'nothing'" }, { "coroutine", NULL },    { "circle", "in a circle" },
		{ "deep", "stack overflow" },       { "caught", NULL },       { "large", "event Kept: x" },
	};
	struct decided out;
	if (domain_load(&d, files) != 0)
		CHECK_FAIL("%s", d.fault.text);
	const struct attempt keep = { .command = "keeper.Keep" };
	CHECK_INT(domain_decide(&d, &keep, &out), 0);
	for (size_t i = 0; i < countof(cases); i++) {
		char body[60];
		snprintf(body, sizeof body, "{\"what\":\"%s\"}", cases[i].what);
		const struct attempt use = { .command = "keeper.Use", .body = body, .state = "{}", .version = 1 };
		int result = domain_decide(&d, &use, &out);
		if (result == 0 && cases[i].answer == NULL)
			continue;
		if (result == 0 || cases[i].answer == NULL || strstr(d.fault.text, cases[i].answer) == NULL)
			CHECK_FAIL("%s: %s", cases[i].what, result != 0 ? d.fault.text : "accepted");
	}
	domain_close(&d);
}

TEST(a_machine_survives_its_memory_limit)
{
	static const struct domain_file files[] = {
		{ "glutton.lua",
		  "return { name = 'glutton', initial = function() return { n = 0 } end, events = {}, commands = {\n"
		  "  Eat = { handle = function() local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100) .. i end end },\n"
		  "  Work = { data = { n = 'integer' }, handle = function(s, d) local t = {} for i = 1, d.n do t[i] = "
		  "{ i } end\n"
		  "    return {}, { n = #t } end } } }\n" },
		{ NULL, NULL },
	};
	struct decided out;
	CHECK_INT(domain_load(&d, files), 0);
	const struct attempt eat = { .command = "glutton.Eat", .state = "{}", .version = 1 };
	const struct attempt work = {
		.command = "glutton.Work", .state = "{}", .version = 1, .body = "{\"n\":100000}"
	};
	for (int i = 0; i < 3; i++) {
		CHECK_INT(domain_decide(&d, &eat, &out), -1);
		CHECK_TEXT(d.fault.code, "memory_limit");
		CHECK_INT(domain_decide(&d, &work, &out), 0);
		CHECK_SLICE(out.reply, "{\"n\":100000}");
	}
	domain_close(&d);
}

TEST(chance_follows_the_seed)
{
	struct decided first, second;
	open_bank();
	const struct attempt attempt = { .command = "account.Fail", .body = "{\"how\":\"ids\"}" };
	CHECK_INT(domain_decide(&d, &attempt, &first), 0);
	CHECK_INT(domain_decide(&d, &attempt, &second), 0);
	CHECK(first.reply.size > 80 && slice_equal(first.reply, second.reply));
	domain_close(&d);
}

TEST(folds_recorded_events)
{
	script_state state;
	size_t folded;
	open_bank();
	struct recorded_entry entries[4] = {
		domain_entry("bank.account/a", 1, "Opened", "{\"currency\":\"EUR\",\"owner\":\"ada\"}"),
		domain_entry("bank.account/a", 2, "Deposited", "{\"amount\":700}"),
		domain_entry("bank.account/a", 0, "Note", "{}"),
		domain_entry("bank.account/a", 3, "Noted", "{}"),
	};
	entries[2].kind = ENTRY_MESSAGE;
	CHECK_INT(script_initial(d.machine, 0, &state, &d.fault), 0);
	CHECK_INT(script_fold(d.machine, 0, state, entries, 4, &folded, &d.fault), 0);
	CHECK_INT(folded, 4);
	CHECK_SLICE(domain_state(&d, 0, state),
		    "{\"at\":5000000,\"balance\":700,\"currency\":\"EUR\",\"owner\":\"ada\","
		    "\"status\":\"active\",\"tags\":[]}");
	entries[1].type = SLICE("Vanished");
	CHECK_INT(script_fold(d.machine, 0, state, entries, 4, &folded, &d.fault), -1);
	CHECK_INT(folded, 1);
	CHECK_TEXT(d.fault.code, "unknown_event");
	CHECK(strstr(d.fault.text, "bank.account/a") != NULL && strstr(d.fault.text, "Vanished") != NULL);
	entries[1].type = SLICE("Deposited");
	entries[1].schema_version = 3;
	CHECK_INT(script_fold(d.machine, 0, state, entries, 4, &folded, &d.fault), -1);
	CHECK_TEXT(d.fault.code, "newer_event");
	entries[1].data = SLICE("{\"amount\":");
	CHECK_INT(script_fold(d.machine, 0, state, entries, 4, &folded, &d.fault), -1);
	CHECK_INT(d.fault.class, FAULT_CORRUPT);
	script_state_release(d.machine, state);
	domain_close(&d);
}

static void
query(const struct rows *rows, const char *name, const struct script_param *params, size_t count, const char *wanted)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	const struct query_request request = { .query = (uint16_t)script_find_query(d.program, slice_text(name)),
					       .params = params,
					       .param_count = count,
					       .rows = &rows->port };
	int result = script_query(d.machine, &request, &out, &d.fault);
	struct slice got = arena_copy(&d.arena, buf_slice(&out));
	buf_fini(&out);
	if (result != 0)
		got = slice_text(d.fault.text);
	CHECK_SLICE(got, wanted);
}

TEST(projects_and_queries)
{
	struct rows rows;
	size_t done;
	open_bank();
	rows_init(&rows, d.program->tables, d.program->table_count);
	struct recorded_entry entries[5] = {
		domain_entry("bank.account/a", 1, "Opened", "{\"currency\":\"EUR\",\"owner\":\"ada\"}"),
		domain_entry("bank.account/a", 2, "Deposited", "{\"amount\":700}"),
		domain_entry("shop.account/a", 2, "Deposited", "{\"amount\":700}"),
		domain_entry("bank.account/b", 1, "Opened", "{\"currency\":\"JPY\",\"owner\":\"bob\"}"),
		domain_entry("bank.account/b", 2, "Unknown", "{}"),
	};
	if (script_project(d.machine, 0, &rows.port, entries, 5, &done, &d.fault) != 0)
		CHECK_FAIL("%s", d.fault.text);
	CHECK_INT(done, 5);
	/* columns in the order of their names: At Balance Currency Id More Owner */
	CHECK_SLICE(rows_text(&rows, 0), "5000000|700|EUR|a|[1,\"x\"]|ada;-|0|JPY|b|[1,\"x\"]|bob;");
	query(&rows, "all", NULL, 0,
	      "{\"count\":2,\"rows\":[{\"At\":\"1970-01-01T00:00:05.000000Z\",\"Balance\":7.00,\"Currency\":\"EUR\","
	      "\"Id\":\"a\","
	      "\"More\":[1,\"x\"],\"Owner\":\"ada\"},{\"Balance\":0,\"Currency\":\"JPY\",\"Id\":\"b\",\"More\":[1,"
	      "\"x\"],"
	      "\"Owner\":\"bob\"}]}");
	const struct script_param params[] = { { SLICE("least"), SLICE("1.00") }, { SLICE("owner"), SLICE("nobody") } };
	query(&rows, "rich", params, 2, "[]");
	const struct script_param most = { SLICE("least"), SLICE("5000") };
	query(&rows, "rich", &most, 1, "none so rich");
	CHECK_TEXT(d.fault.code, "nobody");
	CHECK_INT(d.fault.class, FAULT_INPUT);
	CHECK_INT(d.fault.native, 404);
	query(&rows, "writes", NULL, 0, "queries.lua:6: a query cannot change rows");
	entries[0].data = SLICE("{\"currency\":\"EUR\",\"owner\":\"much too long\"}");
	CHECK_INT(script_project(d.machine, 0, &rows.port, entries, 5, &done, &d.fault), -1);
	CHECK_INT(done, 0);
	CHECK(strstr(d.fault.text, "reports.lua:6: Balances.Owner: a text of 13 characters, at most 5 fit") != NULL);
	entries[0].data = SLICE("{\"currency\":\"EUR\",\"owner\":\"ada\"}");
	CHECK_INT(script_project(d.machine, 0, &rows.port, entries, 5, &done, &d.fault), -1);
	CHECK_TEXT(d.fault.code, "duplicate_row");
	rows_fini(&rows);
	domain_close(&d);
}

TEST(states_and_events_on_the_wire)
{
	struct buf out;
	script_state state;
	open_bank();
	buf_init(&out, 1 << 20);
	CHECK_INT(script_decode(d.machine, 0, SLICE(ACTIVE), &state, &d.fault), 0);
	struct show_request show = { .id = SLICE("a"), .version = 3, .state = state, .route = &d.program->routes[3] };
	CHECK_INT(script_show(d.machine, &show, &out, &d.fault), 0);
	CHECK_SLICE(buf_slice(&out), "{\"balance\":5.00,\"id\":\"a\"}");
	CHECK_SLICE(domain_state(&d, 0, state), ACTIVE);
	buf_clear(&out);
	show.route = NULL;
	CHECK_INT(script_show(d.machine, &show, &out, &d.fault), 0);
	CHECK_SLICE(buf_slice(&out), ACTIVE);
	buf_clear(&out);
	script_state_release(d.machine, state);
	CHECK_INT(script_initial(d.machine, 0, &show.state, &d.fault), 0);
	show.route = &d.program->routes[3];
	CHECK_INT(script_show(d.machine, &show, &out, &d.fault), -1);
	CHECK_TEXT(d.fault.code, "gone");
	CHECK_INT(d.fault.native, 404);
	struct recorded_entry entry =
		domain_entry("bank.account/a", 2, "Deposited", "{\"amount\":700,\"currency\":\"EUR\"}");
	struct arena arena;
	struct script_pieces pieces;
	arena_init(&arena, 1 << 20);
	CHECK_INT(script_upcast(d.machine, 0, &entry, UPCAST_WIRE, &arena, &pieces, &d.fault), 0);
	CHECK_SLICE(pieces.items[0].data, "{\"amount\":7.00,\"currency\":\"EUR\"}");
	entry.data = SLICE("{\"amount\":700}");
	CHECK_INT(script_upcast(d.machine, 0, &entry, UPCAST_WIRE, &arena, &pieces, &d.fault), 0);
	CHECK_SLICE(pieces.items[0].data, "{\"amount\":7.00,\"currency\":\"EUR\"}"); /* version 1, upcast */
	entry.type = SLICE("Forgotten");
	CHECK_INT(script_upcast(d.machine, 0, &entry, UPCAST_WIRE, &arena, &pieces, &d.fault), -1);
	CHECK_TEXT(d.fault.code, "unknown_event");
	arena_fini(&arena);
	buf_fini(&out);
	domain_close(&d);
}

TEST_MAIN()
