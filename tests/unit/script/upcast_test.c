/* SPDX-License-Identifier: MIT */
/* What recorded events are under the rules of today: renames, splits, drops; one chain for folds, rows, readers. */
#include "support/check.h"
#include "unit/script/domain.h"
#include "unit/script/rows.h"

/* Old posts: Posted 1 {Text} -> Posted 2 {text} -> Posted 3 {text, tags}; PostLike 1 {who} -> 2 {user} -> PostLiked;
 * Moved 1 {from, to} -> Left and Entered 1 -> Entered 2; Pinged is nothing today. */
static const struct domain_file posts[] = {
	{ "post.lua",
	  "local function add(state, text) state.log = state.log .. text .. ';' return state end\n"
	  "return { name = 'post', initial = function() return { log = '' } end,\n"
	  "  events = {\n"
	  "    Posted = { version = 3, data = { text = 'string', tags = { array = 'string' } },\n"
	  "      upcast = { [1] = function(data) return { text = data.Text } end,\n"
	  "                 [2] = function(data, meta) data.tags = json.array { meta.type } return data end },\n"
	  "      apply = function(state, data) return add(state, data.text .. #data.tags) end },\n"
	  "    PostLiked = { data = { user = 'string' },\n"
	  "      apply = function(state, data, meta) return add(state, meta.type .. ':' .. data.user) end },\n"
	  "    Left = { data = { room = 'string' },\n"
	  "      apply = function(state, data, meta) return add(state, 'left ' .. data.room .. meta.piece .. '/' .. "
	  "meta.pieces) end },\n"
	  "    Entered = { version = 2, data = { room = 'string', warm = 'boolean' },\n"
	  "      upcast = { [1] = function(data) data.warm = true return data end },\n"
	  "      apply = function(state, data, meta) return add(state, 'entered ' .. data.room .. tostring(data.warm) "
	  ".. meta.piece .. '/' .. meta.pieces) end },\n"
	  "    Shared = { data = { list = { array = 'integer' } },\n"
	  "      apply = function(state, data) data.list[1] = 7 state.shared = data.list return state end },\n"
	  "    Priced = { version = 2, data = { amount = 'money' }, apply = function(state) return state end,\n"
	  "      upcast = { [1] = function(data) return { amount = data.Amount } end } },\n"
	  "    Gap = { version = 3, data = {}, upcast = { [1] = function(data) return data end },\n"
	  "      apply = function(state) return state end },\n"
	  "  },\n"
	  "  retired = {\n"
	  "    PostLike = { upcast = { [1] = function(data) return { user = data.who } end,\n"
	  "                            [2] = function(data) return { { type = 'PostLiked', data = data } } end } },\n"
	  "    Moved = { upcast = { [1] = function(data) return { { type = 'Left', data = { room = data.from } },\n"
	  "                                                       { type = 'Entered', data = { room = data.to } } } "
	  "end } },\n"
	  "    Pinged = { upcast = { [1] = function() return false end } },\n"
	  "    Twice = { upcast = { [1] = function(data) return { { type = 'Shared', data = data }, { type = 'Shared', "
	  "data = data } } end } },\n"
	  "    Round = { upcast = { [1] = function(data) return { { type = 'Round2', data = data } } end } },\n"
	  "    Round2 = { upcast = { [1] = function(data) return { { type = 'Round', data = data } } end } },\n"
	  "    Bad = { upcast = { [1] = function(data)\n"
	  "      if data.how == 'nil' then return nil end\n"
	  "      if data.how == 'data' then return data end\n"
	  "      if data.how == 'type' then return { { type = 'Nothing' } } end\n"
	  "      if data.how == 'field' then return { { type = 'Left', dta = {} } } end\n"
	  "      if data.how == 'version' then return { { type = 'Left', version = 2 } } end\n"
	  "      if data.how == 'itself' then return { { type = 'Bad' } } end\n"
	  "      if data.how == 'mixed' then return { { type = 'Left' }, more = 1 } end\n"
	  "      if data.how == 'list' then return { { type = 'Left', data = { 1, 2 } } } end\n"
	  "      if data.how == 'value' then return { { type = 'Left', data = { f = print } } } end\n"
	  "      if data.how == 'piece' then return { 'Left' } end\n"
	  "      if data.how == 'many' then local t = {} for i = 1, 1001 do t[i] = { type = 'Left' } end return t end\n"
	  "      if data.how == 'schema' then return { { type = 'Left', data = { rom = 'x' } } } end\n"
	  "      error('out of luck') end } },\n"
	  "  },\n"
	  "}\n" },
	{ "rooms.lua",
	  "return { name = 'rooms', tables = { Rooms = { key = { 'Room' }, columns = { Room = 'text', Last = 'text', "
	  "Piece = 'integer' } } },\n"
	  "  on = { Left = function(view, data, meta) view.Rooms:put { Room = data.room, Last = meta.type, Piece = "
	  "meta.piece } end,\n"
	  "         Entered = function(view, data, meta) if data.room == 'cursed' then error('cursed') end\n"
	  "           view.Rooms:put { Room = data.room, Last = meta.type, Piece = meta.piece } end } }\n" },
	{ NULL, NULL },
};

static struct domain d;
static struct arena arena;

static void
open_posts(void)
{
	CHECK_INT(domain_load(&d, posts), 0);
	CHECK_TEXT(d.fault.text, "");
	arena_init(&arena, 1 << 24);
}

static void
close_posts(void)
{
	arena_fini(&arena);
	domain_close(&d);
}

static struct recorded_entry
event(const char *type, uint32_t version, const char *data)
{
	struct recorded_entry entry = domain_entry("posts.post/a", 1, type, data);
	entry.stream = arena_format(&arena, "%.*s.post/a", SLICE_ARG(d.program->domain));
	entry.schema_version = version;
	return entry;
}

/* "Type version data;" a piece. */
static struct slice
pieces_of(struct recorded_entry entry, unsigned flags)
{
	struct script_pieces pieces;
	struct buf out;
	buf_init(&out, 1 << 20);
	if (script_upcast(d.machine, 0, &entry, flags, &arena, &pieces, &d.fault) != 0)
		buf_format(&out, "%s", d.fault.code);
	for (size_t i = 0; i < pieces.count; i++)
		buf_format(&out, "%.*s %u %.*s;", SLICE_ARG(pieces.items[i].type), pieces.items[i].schema_version,
			   SLICE_ARG(pieces.items[i].data));
	struct slice text = arena_copy(&arena, buf_slice(&out));
	buf_fini(&out);
	return text;
}

static struct slice
fold(const struct recorded_entry *entries, size_t count)
{
	script_state state;
	size_t folded;
	CHECK_INT(script_initial(d.machine, 0, &state, &d.fault), 0);
	struct slice text = SLICE_NONE;
	if (script_fold(d.machine, 0, state, entries, count, &folded, &d.fault) == 0)
		text = domain_state(&d, 0, state);
	script_state_release(d.machine, state);
	return text;
}

TEST(fields_types_and_numbers_of_events_change_along_one_chain)
{
	open_posts();
	CHECK_SLICE(pieces_of(event("Posted", 3, "{\"tags\":[],\"text\":\"a\"}"), 0),
		    "Posted 3 {\"tags\":[],\"text\":\"a\"};");
	CHECK_SLICE(pieces_of(event("Posted", 2, "{\"text\":\"a\"}"), 0),
		    "Posted 3 {\"tags\":[\"Posted\"],\"text\":\"a\"};");
	CHECK_SLICE(pieces_of(event("Posted", 1, "{\"Text\":\"a\"}"), 0),
		    "Posted 3 {\"tags\":[\"Posted\"],\"text\":\"a\"};");
	CHECK_SLICE(pieces_of(event("PostLike", 1, "{\"who\":\"ada\"}"), 0), "PostLiked 1 {\"user\":\"ada\"};");
	CHECK_SLICE(pieces_of(event("PostLike", 2, "{\"user\":\"ada\"}"), 0), "PostLiked 1 {\"user\":\"ada\"};");
	CHECK_SLICE(pieces_of(event("Moved", 1, "{\"from\":\"x\",\"to\":\"y\"}"), 0),
		    "Left 1 {\"room\":\"x\"};Entered 2 {\"room\":\"y\",\"warm\":true};");
	CHECK_SLICE(pieces_of(event("Pinged", 1, "{}"), 0), "");
	CHECK_SLICE(pieces_of(event("Priced", 1, "{\"Amount\":250}"), UPCAST_WIRE), "Priced 2 {\"amount\":2.50};");
	CHECK_SLICE(pieces_of(event("Priced", 1, "{\"Amount\":\"x\"}"), UPCAST_WIRE), "Priced 2 {\"amount\":\"x\"};");
	close_posts();
}

TEST(folds_see_the_pieces_in_order)
{
	open_posts();
	const struct recorded_entry entries[] = {
		event("Posted", 1, "{\"Text\":\"a\"}"),
		event("PostLike", 1, "{\"who\":\"ada\"}"),
		event("Moved", 1, "{\"from\":\"x\",\"to\":\"y\"}"),
		event("Pinged", 1, "{}"),
		event("PostLiked", 1, "{\"user\":\"bob\"}"),
	};
	CHECK_SLICE(fold(entries, 5), "{\"log\":\"a1;PostLiked:ada;left x1/2;entered ytrue2/2;PostLiked:bob;\"}");
	close_posts();
}

TEST(pieces_share_no_table)
{
	open_posts();
	struct recorded_entry twice = event("Twice", 1, "{\"list\":[1,2]}");
	CHECK_SLICE(pieces_of(twice, 0), "Shared 1 {\"list\":[1,2]};Shared 1 {\"list\":[1,2]};");
	CHECK_SLICE(fold(&twice, 1), "{\"log\":\"\",\"shared\":[7,2]}");
	close_posts();
}

TEST(projections_see_pieces_and_take_an_entry_whole_or_not)
{
	struct rows rows;
	size_t done;
	open_posts();
	rows_init(&rows, d.program->tables, d.program->table_count);
	struct recorded_entry entries[] = { event("Moved", 1, "{\"from\":\"x\",\"to\":\"y\"}"),
					    event("Pinged", 1, "{}"), event("Entered", 1, "{\"room\":\"z\"}"),
					    event("Moved", 1, "{\"from\":\"y\",\"to\":\"cursed\"}") };
	CHECK_INT(script_project(d.machine, 0, &rows.port, entries, 3, &done, &d.fault), 0);
	CHECK_INT(done, 3);
	CHECK_SLICE(rows_text(&rows, 0), "Left|1|x;Entered|2|y;Entered|1|z;");
	CHECK_INT(script_project(d.machine, 0, &rows.port, entries, 4, &done, &d.fault), -1);
	CHECK_INT(done, 3); /* the entry, not its first piece */
	rows_fini(&rows);
	close_posts();
}

TEST(steps_are_shown_on_request)
{
	struct script_pieces pieces;
	open_posts();
	struct recorded_entry entry = event("Moved", 1, "{\"from\":\"x\",\"to\":\"y\"}");
	CHECK_INT(script_upcast(d.machine, 0, &entry, UPCAST_STEPS, &arena, &pieces, &d.fault), 0);
	CHECK_INT(pieces.step_count, 2);
	CHECK_SLICE(pieces.steps[0].type, "Moved");
	CHECK_INT(pieces.steps[0].schema_version, 1);
	CHECK(pieces.steps[0].parent == SIZE_MAX);
	CHECK_INT(pieces.steps[0].count, 2);
	CHECK_SLICE(pieces.steps[0].results[1].data, "{\"room\":\"y\"}");
	CHECK_INT(pieces.steps[0].results[1].schema_version, 1);
	CHECK_SLICE(pieces.steps[1].type, "Entered");
	CHECK_INT(pieces.steps[1].parent, 0);
	CHECK_INT(pieces.steps[1].place, 1);
	CHECK_SLICE(pieces.steps[1].results[0].data, "{\"room\":\"y\",\"warm\":true}");
	entry = event("Posted", 1, "{\"Text\":\"a\"}");
	CHECK_INT(script_upcast(d.machine, 0, &entry, UPCAST_STEPS, &arena, &pieces, &d.fault), 0);
	CHECK_INT(pieces.step_count, 2);
	CHECK_INT(pieces.steps[1].parent, 0);
	CHECK_SLICE(pieces.steps[0].results[0].data, "{\"text\":\"a\"}");
	entry = event("Pinged", 1, "{}");
	CHECK_INT(script_upcast(d.machine, 0, &entry, UPCAST_STEPS, &arena, &pieces, &d.fault), 0);
	CHECK_INT(pieces.step_count, 1);
	CHECK_INT(pieces.steps[0].count, 0);
	entry = event("Posted", 1, "{\"Text\":5}"); /* the fold would fail, the chain does not */
	CHECK_INT(script_upcast(d.machine, 0, &entry, UPCAST_STEPS | UPCAST_CHECKED, &arena, &pieces, &d.fault), -1);
	CHECK_TEXT(d.fault.code, "bad_upcast");
	CHECK(strstr(d.fault.text, "upcasters give Posted: text") != NULL);
	CHECK_INT(pieces.step_count, 2);
	close_posts();
}

TEST(a_chain_without_an_end_is_stopped)
{
	open_posts();
	CHECK_SLICE(pieces_of(event("Round", 1, "{}"), 0), "upcast_circle");
	CHECK(strstr(d.fault.text, "1000 steps and no end") != NULL);
	CHECK_SLICE(pieces_of(event("Bad", 1, "{\"how\":\"itself\"}"), 0), "upcast_circle");
	close_posts();
}

static void
refuses(const char *data, const char *text)
{
	CHECK_SLICE(pieces_of(event("Bad", 1, data), UPCAST_CHECKED | UPCAST_STEPS), d.fault.code);
	if (strstr(d.fault.text, text) == NULL)
		CHECK_TEXT(d.fault.text, text);
}

TEST(what_an_upcaster_may_not_give_is_named)
{
	open_posts();
	refuses("{\"how\":\"nil\"}",
		"post.lua:31: upcast[1] of Bad gives nothing, not the data, a list of events, or false");
	refuses("{\"how\":\"data\"}", "Bad is retired: its last upcast gives a list of events");
	refuses("{\"how\":\"type\"}", "piece 1: aggregate post has no event 'Nothing'");
	refuses("{\"how\":\"field\"}", "piece 1 has a field 'dta'; it has type, version and data");
	refuses("{\"how\":\"version\"}", "piece 1: Left has versions 1 to 1");
	refuses("{\"how\":\"mixed\"}", "neither data nor a list");
	refuses("{\"how\":\"list\"}", "piece 1, Left: data is no table of fields");
	refuses("{\"how\":\"value\"}", "piece 1, Left: f: ");
	refuses("{\"how\":\"piece\"}", "piece 1 is a string, not a table");
	refuses("{\"how\":\"many\"}", "at most 1000 events");
	refuses("{\"how\":\"schema\"}", "upcasters give Left: ");
	refuses("{}", "post.lua:44: out of luck");
	close_posts();
}

TEST(paths_are_known_before_anything_runs)
{
	open_posts();
	CHECK(script_path(d.program, 0, SLICE("Posted"), 1));
	CHECK(script_path(d.program, 0, SLICE("Posted"), 0));
	CHECK(script_path(d.program, 0, SLICE("Posted"), 3));
	CHECK(!script_path(d.program, 0, SLICE("Posted"), 4));
	CHECK(script_path(d.program, 0, SLICE("PostLike"), 2));
	CHECK(!script_path(d.program, 0, SLICE("PostLike"), 3));
	CHECK(!script_path(d.program, 0, SLICE("Gap"), 1));
	CHECK(!script_path(d.program, 0, SLICE("Gap"), 2));
	CHECK(script_path(d.program, 0, SLICE("Gap"), 3));
	CHECK(!script_path(d.program, 0, SLICE("Forgotten"), 1));
	CHECK_SLICE(pieces_of(event("Gap", 2, "{}"), 0), "no_upcast_path");
	CHECK_SLICE(pieces_of(event("Posted", 4, "{}"), 0), "newer_event");
	CHECK_SLICE(pieces_of(event("PostLike", 3, "{}"), 0), "newer_event");
	CHECK_SLICE(pieces_of(event("Forgotten", 1, "{}"), 0), "unknown_event");
	CHECK_SLICE(pieces_of(event("Posted", 1, "{"), 0), "bad_json");
	close_posts();
}

TEST_MAIN()
