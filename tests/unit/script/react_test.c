/* SPDX-License-Identifier: MIT */
/* What reactors, process managers, timers and documents decide. */
#include "support/check.h"
#include "unit/script/domain.h"

static const struct domain_file shop[] = {
	{ "stock.lua",
	  "return { name = 'stock', document = { left = 'integer', price = 'money?' },\n"
	  "  initial = function() return { left = 10 } end,\n"
	  "  timers = { recount = 'Recount' },\n"
	  "  commands = {\n"
	  "    Reserve = { anywhere = true, data = { quantity = { type = 'integer', minimum = 1 }, order = 'string?' "
	  "},\n"
	  "      handle = function(state, data, ctx)\n"
	  "        if data.quantity > state.left then\n"
	  "          ctx:timer('recount', { after = 60 })\n"
	  "          return nil, { code = 'insufficient_stock', message = 'only ' .. state.left } end\n"
	  "        state.left = state.left - data.quantity\n"
	  "        if state.left == 0 then ctx:timer('recount', { after = 60, data = { why = 'empty' } }) end\n"
	  "        return { state = state, messages = { { type = 'IS_Decreased', topic = 'pay', data = { left = "
	  "state.left },\n"
	  "          key = data.order } } }, { left = state.left } end },\n"
	  "    Ping = { anywhere = true, handle = function(state)\n"
	  "        return { messages = { { type = 'IS_Pong', topic = 'pay' } } } end },\n"
	  "    Recount = { data = { why = 'string?' }, handle = function(state, data)\n"
	  "        state.left = 10 return { state = state } end },\n"
	  "    Bad = { anywhere = true, data = { how = 'string' }, handle = function(state, data, ctx)\n"
	  "        if data.how == 'list' then return { { type = 'Saved', data = {} } } end\n"
	  "        if data.how == 'state' then return { state = { left = 1.5 } } end\n"
	  "        if data.how == 'topic' then return { messages = { { type = 'X' } } } end\n"
	  "        if data.how == 'timer' then ctx:timer('away', { after = 1 }) end\n"
	  "        if data.how == 'when' then ctx:timer('recount', {}) end\n"
	  "        return {} end },\n"
	  "  } }\n" },
	{ "note.lua",
	  "return { name = 'note', initial = function() return { texts = json.array {} } end,\n"
	  "  events = { Written = { version = 2, data = { text = 'string' },\n"
	  "      upcast = { [1] = function(d) return { { type = 'Written', version = 2, data = { text = d.t .. '1' } "
	  "},\n"
	  "                                            { type = 'Written', version = 2, data = { text = d.t .. '2' } } "
	  "} end },\n"
	  "      apply = function(s, d) s.texts[#s.texts + 1] = d.text return s end } },\n"
	  "  commands = { Write = { creates = true, data = { text = 'string' }, handle = function(s, d, ctx)\n"
	  "        ctx:reserve('text', d.text)\n"
	  "        return { { type = 'Written', data = d } }, { n = #s.texts } end },\n"
	  "    Add = { data = { text = 'string' }, handle = function(s, d, ctx)\n"
	  "        if #s.texts > 2 then return nil, { code = 'full' } end\n"
	  "        return { { type = 'Written', data = { text = d.text .. ctx.id .. ctx.version } } } end } } }\n" },
	{ "reservations.lua",
	  "return { name = 'reservations', topics = { 'orders' }, on_failure = 'skip', attempts = 5, inbox = false,\n"
	  "  versions = 'hold',\n"
	  "  react = {\n"
	  "    IE_OrderPlaced = function(data, meta, ctx)\n"
	  "      return { { command = 'stock.Reserve', id = 'main', data = { quantity = data.n, order = meta.key },\n"
	  "          refused = function(refusal) return { { message = 'IS_Refused', topic = 'out',\n"
	  "            data = { code = refusal.code, of = meta.subject } } } end },\n"
	  "        { command = 'stock.Reserve', id = 'main', data = { quantity = 1 } },\n"
	  "        { message = 'IS_Done', topic = 'out', headers = { a = 'b' } } } end,\n"
	  "    IE_Typed = { data = { amount = 'money' }, handle = function(data)\n"
	  "      return { { message = 'IS_Typed', topic = 'out', key = 'k', data = data } } end },\n"
	  "    IE_Note = function(data, meta, ctx)\n"
	  "      return { { command = 'note.Write', id = 'n', data = { text = 'a' } },\n"
	  "        { command = 'note.Add', id = 'n', data = { text = 'b' } },\n"
	  "        { command = 'note.Write', id = 'n', data = { text = 'c' } },\n"
	  "        { command = 'note.Write', data = { text = ctx:load('note', 'other').state.texts[1] } } } end,\n"
	  "    IE_How = function(data)\n"
	  "      if data.how == 'retry' then return nil, { retry = 1.5 } end\n"
	  "      if data.how == 'none' then return end\n"
	  "      if data.how == 'unknown' then return { { command = 'stock.Nope', id = 'x' } } end\n"
	  "      if data.how == 'data' then return { { command = 'stock.Reserve', id = 'x', data = { quantity = 0 } } "
	  "} end\n"
	  "      if data.how == 'event' then return { { event = 'Started' } } end\n"
	  "      if data.how == 'field' then return { { command = 'stock.Ping', id = 'x', dta = 1 } } end\n"
	  "      if data.how == 'kind' then return { { comand = 'stock.Ping' } } end\n"
	  "      if data.how == 'id' then return { { command = 'stock.Ping', id = 'a b' } } end\n"
	  "    end,\n"
	  "    ['note.Written'] = function(data, meta)\n"
	  "      return { { message = 'IS_Heard', topic = 'out', data = { text = data.text, piece = meta.piece } } } "
	  "end,\n"
	  "  } }\n" },
	{ "checkout.lua",
	  "return { name = 'checkout', correlate = { 'order', ['note.Written'] = 'meta.stream_id',\n"
	  "    IE_Odd = function(data) return data.a .. '-' .. data.b end },\n"
	  "  starts = { 'IE_OrderPlaced' }, topics = { 'orders', 'pay' },\n"
	  "  initial = function() return { step = 'none' } end,\n"
	  "  events = { Started = { data = { n = 'integer' }, apply = function(s, d)\n"
	  "      return { step = 'started', n = d.n } end },\n"
	  "    Paid = { data = {}, apply = function(s) s.step = 'paid' return s end } },\n"
	  "  react = {\n"
	  "    IE_OrderPlaced = function(state, data, meta, ctx)\n"
	  "      if data.quiet then return { { message = 'IS_Quiet', topic = 'out' } } end\n"
	  "      return { { event = 'Started', data = { n = data.n } },\n"
	  "        { compensate = { command = 'stock.Reserve', id = 'main', data = { quantity = 1 } } },\n"
	  "        { compensate = { command = 'stock.Reserve', id = 'main', data = { quantity = 2 } } },\n"
	  "        { timer = 'expire', after = 30 * 86400, data = { n = data.n } },\n"
	  "        { message = 'IS_Begun', topic = 'out', data = { id = ctx.id, step = state.step } } } end,\n"
	  "    IE_Paid = function(state) return { { event = 'Paid' }, { cancel = 'expire' }, { complete = true } } "
	  "end,\n"
	  "    IE_Failed = function(state) return { { undo = true }, { complete = true } } end,\n"
	  "    IE_Odd = function(state) return { { event = 'Paid' } } end,\n"
	  "    ['note.Written'] = function(state, data) return { { message = 'IS_Note', topic = 'out', data = state } "
	  "} end },\n"
	  "  timers = { expire = function(state, data, meta, ctx)\n"
	  "      return { { message = 'IS_Expired', topic = 'out', data = { n = data.n, step = state.step, type = "
	  "meta.type } },\n"
	  "        { timer = 'expire', at = ctx:now() + 5 } } end } }\n" },
	{ NULL, NULL },
};

static struct domain d;

static void
open_shop(void)
{
	if (domain_load(&d, shop) != 0)
		CHECK_FAIL("%s", d.fault.text);
}

static uint16_t
reactor(const char *name)
{
	int number = script_find_reactor(d.program, slice_text(name));
	CHECK(number >= 0);
	return (uint16_t)number;
}

static int
hear(const char *name, const char *type, const char *data, struct decided *out)
{
	const struct react_message message = { .type = slice_text(type),
					       .id = SLICE("m1"),
					       .subject = SLICE("o/1"),
					       .topic = SLICE("orders"),
					       .key = SLICE("o1"),
					       .data = slice_text(data) };
	return domain_react(
		&d, &(struct react_request){ .cause = REACT_MESSAGE, .reactor = reactor(name), .message = &message },
		out);
}

static void
heard(const char *name, const char *type, const char *data, struct decided *out)
{
	if (hear(name, type, data, out) != 0)
		CHECK_FAIL("%s", d.fault.text);
}

TEST(program_lists_what_reacts)
{
	open_shop();
	const struct script_reactor *r = &d.program->reactors[reactor("reservations")];
	CHECK_INT(d.program->reactor_count, 2);
	CHECK_INT(r->aggregate, -1);
	CHECK_INT(r->topic_count, 1);
	CHECK_SLICE(r->topics[0], "orders");
	CHECK_INT(r->message_count, 4);
	CHECK_INT(r->event_count, 1);
	CHECK_SLICE(r->events[0], "note.Written");
	CHECK_INT(r->failure, REACT_SKIP);
	CHECK_INT(r->versions, REACT_VERSIONS_HELD);
	CHECK_INT(r->attempts, 5);
	CHECK(!r->inbox);
	const struct script_reactor *p = &d.program->reactors[reactor("checkout")];
	CHECK(p->inbox && p->failure == REACT_PARK && p->aggregate >= 0);
	CHECK(d.program->aggregates[p->aggregate].process);
	CHECK_INT(d.program->aggregates[p->aggregate].event_count, 6);
	CHECK(d.program->aggregates[script_find_aggregate(d.program, SLICE("stock"))].document);
	domain_close(&d);
}

TEST(documents_are_their_newest_event)
{
	struct decided out;
	open_shop();
	struct attempt reserve = { .command = "stock.Reserve", .body = "{\"quantity\":10,\"order\":\"o1\"}" };
	CHECK(domain_decide(&d, &reserve, &out) == 0 || (fprintf(stderr, "%s\n", d.fault.text), 0));
	CHECK_INT(out.entry_count, 3);
	CHECK_SLICE(out.entries[0].type, "Saved");
	CHECK_SLICE(out.entries[0].data, "{\"left\":0}");
	CHECK_INT(out.entries[1].kind, ENTRY_MESSAGE);
	CHECK_SLICE(out.entries[1].type, "IS_Decreased");
	CHECK_SLICE(out.entries[1].topic, "pay");
	CHECK_SLICE(out.entries[1].key, "o1");
	CHECK_INT(out.entries[2].kind, ENTRY_TIMER);
	CHECK_SLICE(out.entries[2].type, "recount");
	CHECK_SLICE(out.entries[2].data, "{\"at\":61000000,\"data\":{\"why\":\"empty\"}}");
	CHECK_INT(out.timer_count, 1);
	CHECK_INT(out.timers[0].due_us, 61000000);
	CHECK_SLICE(out.timers[0].data, "{\"why\":\"empty\"}");
	CHECK_SLICE(out.reply, "{\"left\":0}");
	CHECK_SLICE(domain_state(&d, 0, out.streams[0].state), "{\"left\":0}");
	reserve.state = "{\"left\":1}", reserve.version = 7;
	CHECK_INT(domain_decide(&d, &reserve, &out), 0);
	CHECK_INT(out.decision, DECISION_REFUSED);
	CHECK_INT(out.entry_count + out.timer_count, 0); /* refused: the timer it set is not */
	const struct attempt ping = { .command = "stock.Ping", .state = "{\"left\":1}", .version = 7 };
	CHECK_INT(domain_decide(&d, &ping, &out), 0);
	CHECK_INT(out.entry_count, 1);
	CHECK(!out.streams[0].written && out.streams[0].event_count == 0);
	struct recorded_entry saved = domain_entry("bank.stock/a", 8, "Saved", "{\"left\":3}");
	script_state state;
	size_t folded;
	CHECK_INT(script_initial(d.machine, 0, &state, &d.fault), 0);
	uint16_t stock = (uint16_t)script_find_aggregate(d.program, SLICE("stock"));
	CHECK_INT(script_fold(d.machine, stock, state, &saved, 1, &folded, &d.fault), 0);
	CHECK_SLICE(domain_state(&d, stock, state), "{\"left\":3}");
	domain_close(&d);
}

static void
bad_document(const char *how, const char *text)
{
	struct decided out;
	char body[60];
	snprintf(body, sizeof body, "{\"how\":\"%s\"}", how);
	const struct attempt attempt = { .command = "stock.Bad", .body = body };
	CHECK_INT(domain_decide(&d, &attempt, &out), -1);
	CHECK_TEXT(d.fault.code, "bad_result");
	if (strstr(d.fault.text, text) == NULL)
		CHECK_FAIL("%s: %s", how, d.fault.text);
}

TEST(documents_refuse_what_they_cannot_be)
{
	open_shop();
	bad_document("list", "stock.lua:18: what a document's command gives has a field '[number]'");
	bad_document("state", "left: ");
	bad_document("topic", "message X: topic is a text of");
	bad_document("timer", "stock.lua:22: stock declares no timer 'away'");
	bad_document("when", "stock.lua:23: timer recount: either after = seconds or at = microseconds");
	domain_close(&d);
}

TEST(commands_of_a_reaction_see_those_before)
{
	struct decided out;
	open_shop();
	heard("reservations", "IE_OrderPlaced", "{\"n\":4}", &out);
	CHECK_INT(out.stream_count, 2);
	CHECK_SLICE(out.streams[0].name, "bank.stock/main");
	CHECK_INT(out.streams[0].event_count, 2);
	CHECK(out.streams[0].written);
	CHECK_SLICE(out.streams[1].name, "bank.reservations/o1");
	CHECK(!out.streams[1].written && out.streams[1].event_count == 0 && out.streams[1].state == 0);
	CHECK_INT(out.entry_count, 5);
	CHECK_SLICE(out.entries[0].data, "{\"left\":6}");
	CHECK_SLICE(out.entries[1].key, "o1");
	CHECK_SLICE(out.entries[2].data, "{\"left\":5}");
	CHECK_SLICE(out.entries[4].type, "IS_Done");
	CHECK_INT(out.entries[4].stream, 1);
	CHECK_SLICE(out.entries[4].headers, "{\"a\":\"b\"}");
	CHECK_INT(out.refused, 0);
	uint16_t stock = (uint16_t)script_find_aggregate(d.program, SLICE("stock"));
	CHECK_SLICE(domain_state(&d, stock, out.streams[0].state), "{\"left\":5}");
	d.others[0].id = "main", d.others[0].state = "{\"left\":0}", d.others[0].version = 3;
	heard("reservations", "shop.order.IE_OrderPlaced.v12", "{\"n\":4}", &out);
	CHECK_INT(out.entry_count, 2);
	CHECK_SLICE(out.entries[0].data, "{\"code\":\"insufficient_stock\",\"of\":\"o/1\"}");
	CHECK_INT(out.refused, 1); /* the second one, which nobody answers */
	CHECK_SLICE(out.code, "insufficient_stock");
	CHECK_INT(out.timer_count, 0);
	CHECK_TEXT(d.said, "2 bank: stock.Reserve of main was refused: insufficient_stock: only 0");
	heard("reservations", "IE_Nobody", "{}", &out);
	CHECK_INT(out.stream_count + out.entry_count, 0);
	domain_close(&d);
}

TEST(reactions_create_load_and_reserve)
{
	struct decided out;
	open_shop();
	d.others[0].id = "other", d.others[0].state = "{\"texts\":[\"o\"]}", d.others[0].version = 3;
	heard("reservations", "IE_Note", "{}", &out);
	CHECK_INT(out.refused, 1); /* the second Write: the stream is there by then */
	CHECK_SLICE(out.code, "stream_exists");
	CHECK_INT(out.entry_count, 3);
	CHECK_SLICE(out.entries[1].data, "{\"text\":\"bn1\"}");
	CHECK_SLICE(out.entries[2].data, "{\"text\":\"o\"}");
	CHECK_INT(out.reservation_count, 2);
	CHECK_SLICE(out.reservations[0].key, "a");
	CHECK_SLICE(out.streams[out.reservations[0].stream].name, "bank.note/n");
	CHECK_INT(out.reservations[1].stream, out.entries[2].stream);
	CHECK_INT(out.streams[0].version, 3); /* of what ctx:load read */
	domain_close(&d);
}

TEST(messages_have_schemas)
{
	struct decided out;
	open_shop();
	heard("reservations", "IE_Typed", "{\"amount\":5.25,\"unknown\":[1]}", &out);
	CHECK_SLICE(out.entries[0].data, "{\"amount\":525}");
	CHECK_SLICE(out.entries[0].key, "k");
	CHECK_INT(hear("reservations", "IE_Typed", "{\"amount\":\"x\"}", &out), -1);
	CHECK_INT(d.fault.class, FAULT_INPUT);
	CHECK_INT(hear("reservations", "IE_Note", "{", &out), -1);
	CHECK_INT(d.fault.class, FAULT_INPUT);
	CHECK_TEXT(d.fault.code, "bad_json");
	domain_close(&d);
}

static void
bad_reaction(const char *how, const char *code, const char *text)
{
	struct decided out;
	char body[60];
	snprintf(body, sizeof body, "{\"how\":\"%s\"}", how);
	CHECK_INT(hear("reservations", "IE_How", body, &out), -1);
	CHECK_INT(d.fault.class, FAULT_SCRIPT);
	CHECK_TEXT(d.fault.code, code);
	CHECK_INT(out.stream_count, 0);
	if (strstr(d.fault.text, text) == NULL)
		CHECK_FAIL("%s: %s", how, d.fault.text);
}

TEST(reactions_fail_with_place_and_reason)
{
	struct decided out;
	open_shop();
	bad_reaction("retry", "retry", "wants to be called again in 1.5 s");
	CHECK_INT(d.fault.native, 1500);
	bad_reaction("unknown", "bad_result", "reservations.lua:17: the domain has no command 'stock.Nope'");
	bad_reaction("data", "bad_result", "command Reserve: quantity: ");
	bad_reaction("event", "bad_result", "'event' is for process managers");
	bad_reaction("field", "bad_result", "has a field 'dta'");
	bad_reaction("kind", "bad_result", "an action has one of command, message");
	bad_reaction("id", "bad_result", "id is the id of a stream");
	heard("reservations", "IE_How", "{\"how\":\"none\"}", &out);
	CHECK_INT(out.entry_count, 0);
	domain_close(&d);
}

TEST(own_events_are_heard_in_pieces)
{
	struct decided out;
	open_shop();
	struct recorded_entry entry = domain_entry("bank.note/x", 1, "Written", "{\"t\":\"a\"}");
	const struct react_request request = { .cause = REACT_EVENT,
					       .reactor = reactor("reservations"),
					       .event = &entry };
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_INT(out.entry_count, 2);
	CHECK_SLICE(out.entries[0].data, "{\"piece\":1,\"text\":\"a1\"}");
	CHECK_SLICE(out.entries[1].data, "{\"piece\":2,\"text\":\"a2\"}");
	CHECK_SLICE(out.streams[0].name, "bank.reservations/x");
	entry.type = SLICE("Unknown");
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_INT(out.stream_count, 0);
	domain_close(&d);
}

#define STARTED                                                                                                        \
	"{\"_process\":{\"compensations\":[{\"command\":\"stock.Reserve\",\"data\":{\"quantity\":1},"                  \
	"\"id\":\"main\"},{\"command\":\"stock.Reserve\",\"data\":{\"quantity\":2},\"id\":\"main\"}]},\"n\":3,"        \
	"\"step\":\"started\"}"

TEST(a_process_begins_and_remembers)
{
	struct decided out;
	open_shop();
	heard("checkout", "IE_Paid", "{\"order\":\"o1\"}", &out);
	CHECK_INT(out.entry_count, 0); /* does not begin one */
	heard("checkout", "IE_OrderPlaced", "{\"order\":\"o1\",\"n\":3}", &out);
	CHECK_INT(out.entry_count, 5);
	CHECK_SLICE(out.streams[0].name, "bank.checkout/o1");
	CHECK_INT(out.streams[0].event_count, 3);
	CHECK_SLICE(out.entries[0].type, "Started");
	CHECK_SLICE(out.entries[1].type, "CompensationPushed");
	CHECK_SLICE(out.entries[3].data, "{\"at\":2592001000000,\"data\":{\"n\":3}}");
	CHECK_SLICE(out.entries[4].data, "{\"id\":\"o1\",\"step\":\"none\"}");
	CHECK_INT(out.entries[4].stream, 0);
	uint16_t checkout = (uint16_t)script_find_aggregate(d.program, SLICE("checkout"));
	CHECK_SLICE(domain_state(&d, checkout, out.streams[0].state), STARTED);
	heard("checkout", "IE_OrderPlaced", "{\"order\":7,\"quiet\":true}", &out);
	CHECK_SLICE(out.streams[0].name, "bank.checkout/7");
	CHECK_SLICE(out.entries[0].type, "ProcessStarted");
	CHECK_SLICE(out.entries[0].data, "{\"by\":\"IE_OrderPlaced\"}");
	CHECK_INT(hear("checkout", "IE_OrderPlaced", "{}", &out), -1);
	CHECK_TEXT(d.fault.code, "no_correlation");
	domain_close(&d);
}

TEST(a_process_undoes_completes_and_hears_no_more)
{
	struct decided out;
	open_shop();
	uint16_t checkout = (uint16_t)script_find_aggregate(d.program, SLICE("checkout"));
	d.others[0].id = "o1", d.others[0].state = STARTED, d.others[0].version = 3;
	d.others[1].id = "main", d.others[1].state = "{\"left\":2}", d.others[1].version = 3;
	heard("checkout", "IE_Failed", "{\"order\":\"o1\"}", &out);
	CHECK_INT(out.stream_count, 2);
	CHECK_SLICE(out.entries[0].data, "{\"left\":0}"); /* last first: 2, and then there is none left for 1 */
	CHECK_INT(out.refused, 1);
	CHECK_SLICE(out.entries[3].type, "CompensationsRun");
	CHECK_SLICE(out.entries[3].data, "{\"count\":2,\"refused\":1}");
	CHECK_SLICE(out.entries[4].type, "ProcessCompleted");
	CHECK_INT(out.entries[5].kind, ENTRY_TIMER);
	CHECK_SLICE(out.entries[5].data, "{\"cancel\":true}");
	struct slice ended = domain_state(&d, checkout, out.streams[0].state);
	CHECK_SLICE(ended, "{\"_process\":{\"completed\":true},\"n\":3,\"step\":\"started\"}");
	heard("checkout", "IE_Paid", "{\"order\":\"o1\"}", &out);
	CHECK_INT(out.entry_count, 4);
	CHECK_SLICE(domain_state(&d, checkout, out.streams[0].state),
		    "{\"_process\":{\"compensations\":[{\"command\":\"stock.Reserve\",\"data\":{\"quantity\":1},\"id\":"
		    "\"main\"},"
		    "{\"command\":\"stock.Reserve\",\"data\":{\"quantity\":2},\"id\":\"main\"}],\"completed\":true},"
		    "\"n\":3,"
		    "\"step\":\"paid\"}");
	d.others[0].state = "{\"_process\":{\"completed\":true},\"n\":3,\"step\":\"started\"}";
	heard("checkout", "IE_Paid", "{\"order\":\"o1\"}", &out);
	CHECK_INT(out.entry_count, 0);
	struct recorded_entry entry = domain_entry("bank.note/o1", 1, "Written", "{\"text\":\"a\"}");
	entry.schema_version = 2;
	d.others[0].state = STARTED;
	const struct react_request request = { .cause = REACT_EVENT, .reactor = reactor("checkout"), .event = &entry };
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_SLICE(out.entries[0].data, "{\"n\":3,\"step\":\"started\"}"); /* what the engine keeps is out of sight */
	domain_close(&d);
}

TEST(timers_fire)
{
	struct decided out;
	open_shop();
	uint16_t checkout = (uint16_t)script_find_aggregate(d.program, SLICE("checkout"));
	uint16_t stock = (uint16_t)script_find_aggregate(d.program, SLICE("stock"));
	d.others[0].id = "o1", d.others[0].state = STARTED, d.others[0].version = 3;
	struct react_request request = { .cause = REACT_TIMER,
					 .aggregate = checkout,
					 .id = SLICE("o1"),
					 .timer = SLICE("expire"),
					 .data = SLICE("{\"n\":3}") };
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_SLICE(out.entries[0].data, "{\"n\":3,\"step\":\"started\",\"type\":\"expire\"}");
	CHECK_SLICE(out.entries[1].data, "{\"at\":1000005,\"data\":{}}");
	request.id = SLICE("nobody");
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_INT(out.entry_count, 0);
	request.timer = SLICE("gone");
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_INT(out.stream_count, 0);
	d.others[1].id = "main", d.others[1].state = "{\"left\":0}", d.others[1].version = 3;
	request = (struct react_request){ .cause = REACT_TIMER,
					  .aggregate = stock,
					  .id = SLICE("main"),
					  .timer = SLICE("recount"),
					  .data = SLICE("{\"why\":\"empty\"}") };
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_SLICE(out.entries[0].data, "{\"left\":10}");
	request.id = SLICE("nobody");
	CHECK_INT(domain_react(&d, &request, &out), 0);
	CHECK_INT(out.entry_count, 0);
	CHECK_INT(out.refused, 1);
	CHECK_SLICE(out.code, "no_such_stream");
	domain_close(&d);
}

TEST(types_of_messages)
{
	const struct slice types[] = { SLICE("OrderPlaced"), SLICE("order.OrderPlaced"), SLICE("shop.order.X"),
				       SLICE("a.b.C.v2") };
	CHECK_INT(script_message_heard(types, 4, SLICE("OrderPlaced")), 0);
	CHECK_INT(script_message_heard(types, 4, SLICE("shop.order.OrderPlaced.v1")), 1);
	CHECK_INT(script_message_heard(types, 1, SLICE("shop.order.OrderPlaced.v10")), 0);
	CHECK_INT(script_message_heard(types, 4, SLICE("shop.order.X.v1")), 2);
	CHECK_INT(script_message_heard(types, 4, SLICE("a.b.C.v2")), 3);
	CHECK_INT(script_message_heard(types, 4, SLICE("a.b.C.v3")), -1);
	CHECK_INT(script_message_heard(types, 4, SLICE("shop.order.OrderPlaced")), -1);
	CHECK_INT(script_message_heard(types, 4, SLICE("shop.order.OrderPlaced.v")), -1);
	CHECK_INT(script_message_heard(types, 4, SLICE("shop.order.OrderPlaced.v1x")), -1);
	CHECK_INT(script_message_heard(types, 4, SLICE("")), -1);
}

TEST_MAIN()
