/* SPDX-License-Identifier: MIT */
/* Small enough to be read in a minute, whole enough to be served: tests/cli runs its spec and its routes. */
#include "daemon/template.h"

#include "base/slice.h"

static const char domain_lua[] =
	"---@type moonlog.Domain\n"
	"return {\n"
	"    settings = { title_length = 100 },\n"
	"\n"
	"    routes = {\n"
	"        { \"POST\", \"/@DOMAIN@/items\", command = \"item.CreateItem\", status = 201,\n"
	"          reply = function(reply, meta) return { id = meta.id, version = meta.version } end },\n"
	"        { \"POST\", \"/@DOMAIN@/items/{id}/rename\", command = \"item.RenameItem\",\n"
	"          reply = function(reply, meta) return { id = meta.id, version = meta.version } end },\n"
	"        { \"GET\", \"/@DOMAIN@/items/{id}\", state = \"item\" },\n"
	"        { \"GET\", \"/@DOMAIN@/items\", query = \"items\" },\n"
	"    },\n"
	"}\n";

static const char item_lua[] =
	"---@type moonlog.Aggregate\n"
	"return {\n"
	"    name = \"item\",\n"
	"    initial = function() return { title = \"\" } end,\n"
	"\n"
	"    events = {\n"
	"        ItemCreated = {\n"
	"            data = { title = \"string\" },\n"
	"            apply = function(state, data) state.title = data.title; return state end,\n"
	"        },\n"
	"        ItemRenamed = {\n"
	"            data = { title = \"string\" },\n"
	"            apply = function(state, data) state.title = data.title; return state end,\n"
	"        },\n"
	"    },\n"
	"\n"
	"    commands = {\n"
	"        CreateItem = {\n"
	"            creates = true,\n"
	"            data = { title = { type = \"string\", min_length = 1, max_length = 100 } },\n"
	"            handle = function(state, data, ctx)\n"
	"                return { { type = \"ItemCreated\", data = { title = data.title } } }\n"
	"            end,\n"
	"        },\n"
	"        RenameItem = {\n"
	"            data = { title = { type = \"string\", min_length = 1, max_length = 100 } },\n"
	"            handle = function(state, data, ctx)\n"
	"                if data.title == state.title then\n"
	"                    return nil, { code = \"same_title\", message = \"the item has this title already\" }\n"
	"                end\n"
	"                return { { type = \"ItemRenamed\", data = { title = data.title } } }\n"
	"            end,\n"
	"        },\n"
	"    },\n"
	"}\n";

static const char items_lua[] =
	"---@type moonlog.Projection\n"
	"return {\n"
	"    name = \"items\",\n"
	"\n"
	"    tables = {\n"
	"        Items = {\n"
	"            key = { \"Id\" },\n"
	"            columns = { Id = \"text\", Title = \"text\", Changed = \"time\" },\n"
	"            indexes = { { \"Title\" } },\n"
	"        },\n"
	"    },\n"
	"\n"
	"    on = {\n"
	"        [\"item.ItemCreated\"] = function(view, data, meta)\n"
	"            view.Items:put { Id = meta.stream_id, Title = data.title, Changed = meta.time }\n"
	"        end,\n"
	"        [\"item.ItemRenamed\"] = function(view, data, meta)\n"
	"            view.Items:update({ Id = meta.stream_id }, { Title = data.title, Changed = meta.time })\n"
	"        end,\n"
	"    },\n"
	"}\n";

static const char queries_lua[] =
	"---@type moonlog.Queries\n"
	"return {\n"
	"    queries = {\n"
	"        items = {\n"
	"            params = { limit = { type = \"integer\", minimum = 1, maximum = 1000, default = 100 } },\n"
	"            run = function(view, params)\n"
	"                return view.Items:find { order = { \"Title\" }, limit = params.limit }\n"
	"            end,\n"
	"        },\n"
	"    },\n"
	"}\n";

static const char item_spec_lua[] = "describe(\"item\", function()\n"
				    "    local item = moonlog.aggregate \"@DOMAIN@.item\"\n"
				    "\n"
				    "    it(\"is created with a title\", function()\n"
				    "        item:given {}\n"
				    "            :when { type = \"CreateItem\", data = { title = \"first\" } }\n"
				    "            :expect { { type = \"ItemCreated\", data = { title = \"first\" } } }\n"
				    "    end)\n"
				    "\n"
				    "    it(\"gets another title\", function()\n"
				    "        item:given { { type = \"ItemCreated\", data = { title = \"first\" } } }\n"
				    "            :when { type = \"RenameItem\", data = { title = \"second\" } }\n"
				    "            :expect_state { title = \"second\" }\n"
				    "    end)\n"
				    "\n"
				    "    it(\"refuses the title it has\", function()\n"
				    "        item:given { { type = \"ItemCreated\", data = { title = \"first\" } } }\n"
				    "            :when { type = \"RenameItem\", data = { title = \"first\" } }\n"
				    "            :expect_refusal \"same_title\"\n"
				    "    end)\n"
				    "end)\n";

static const char items_spec_lua[] = "describe(\"items\", function()\n"
				     "    local items = moonlog.projection \"@DOMAIN@.items\"\n"
				     "\n"
				     "    it(\"keeps the newest title of each item\", function()\n"
				     "        items:at \"2026-01-01T00:00:00Z\"\n"
				     "            :given {\n"
				     "                { type = \"ItemCreated\", data = { title = \"first\" } },\n"
				     "                { type = \"ItemRenamed\", data = { title = \"second\" } },\n"
				     "            }\n"
				     "            :expect_row(\"Items\", { Id = \"1\" }, { Title = \"second\" })\n"
				     "            :expect_count(\"Items\", 1)\n"
				     "    end)\n"
				     "end)\n";

static const char readme_md[] =
	"# @DOMAIN@\n"
	"\n"
	"| file | what |\n"
	"|---|---|\n"
	"| `item.lua` | the aggregate: its events, its commands, what they decide |\n"
	"| `items.lua` | a projection: events become rows |\n"
	"| `queries.lua` | questions about the rows |\n"
	"| `domain.lua` | settings and HTTP routes |\n"
	"| `spec/` | what must be so |\n"
	"| `.luarc.json`, `.luacheckrc`, `.luals/` | for editors and luacheck; `moonlog editor` refreshes them |\n"
	"\n"
	"Three commands, from this folder's parent:\n"
	"\n"
	"    moonlog check @DOMAIN@     # what is wrong with the rules, as file:line\n"
	"    moonlog test @DOMAIN@      # the specs; with --watch again after each save\n"
	"    moonlog dev @DOMAIN@       # serve it, and take each saved change while it runs\n"
	"\n"
	"Then:\n"
	"\n"
	"    curl -d '{\"title\":\"first\"}' -H 'Content-Type: application/json' "
	"http://127.0.0.1:8080/@DOMAIN@/items\n"
	"    curl http://127.0.0.1:8080/@DOMAIN@/items\n";

const struct template_file template_files[] = {
	{ "domain.lua", domain_lua },
	{ "item.lua", item_lua },
	{ "items.lua", items_lua },
	{ "queries.lua", queries_lua },
	{ "spec/item_spec.lua", item_spec_lua },
	{ "spec/items_spec.lua", items_spec_lua },
	{ "README.md", readme_md },
};
const size_t template_count = countof(template_files);
