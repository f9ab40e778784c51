-- SPDX-License-Identifier: MIT
---@meta moonlog.words
-- luacheck: ignore
-- Definitions for editors (LuaLS): the words of specs. Never run.

---@class moonlog.Given
---@field type string
---@field version? integer recorded in this version of its schema
---@field data? table
---@field json? string bytes as recorded, instead of data
---@field stream? string "domain.aggregate/id"
---@field at? string ISO 8601: when it was recorded

---@class moonlog.When
---@field type string
---@field data? table numbers as on the wire
---@field json? string bytes as sent
---@field id? string another stream's

-- What is not said is not looked at.
---@class moonlog.ExpectedTimer
---@field name string
---@field after? number seconds
---@field at? string ISO 8601
---@field data? table
---@field cancel? boolean

---@class moonlog.SpecMessage
---@field type string
---@field data? table
---@field json? string bytes as sent, instead of data
---@field id? string
---@field source? string
---@field subject? string
---@field topic? string
---@field key? string
---@field at? string ISO 8601
---@field correlation_id? string
---@field stream_version? integer

---@class moonlog.Result
local result = {}
---The whole list: types and data.
---@param events { type: string, data?: table, stream?: string }[]
---@return moonlog.Result
function result:expect(events) end
---@param types string[]
---@return moonlog.Result
function result:expect_events(types) end
---@param messages { type: string, data?: table, topic?: string }[]
---@return moonlog.Result
function result:expect_messages(messages) end
---@param timers moonlog.ExpectedTimer[] of the last command
---@return moonlog.Result
function result:expect_timers(timers) end
---@param reply table
---@return moonlog.Result
function result:expect_reply(reply) end
---@param state table
---@return moonlog.Result
function result:expect_state(state) end
---@param code? string
---@return moonlog.Result
function result:expect_refusal(code) end
---@param code? string
---@return moonlog.Result
function result:expect_error(code) end
---@return moonlog.Result
function result:expect_accepted() end
---@param amount string|number "90s", "15m", "1h", "2d", or seconds
---@return moonlog.Scenario
function result:advance(amount) end
---What ctx:uuid and ctx:random follow from.
---@param number integer
---@return moonlog.Scenario
function result:seed(number) end
---Another Lua state, with another order of hashing, gives the same.
---@return moonlog.Result
function result:expect_deterministic() end
---A state that was JSON between the events gives the same.
---@return moonlog.Result
function result:expect_survives_json() end
---@param time string
---@return moonlog.Scenario
function result:at(time) end
---@param caller string
---@return moonlog.Scenario
function result:as(caller) end
---@param name string
---@param key string
---@return moonlog.Result
function result:expect_reserved(name, key) end
---A next command on what the last one recorded.
---@param command moonlog.When
---@return moonlog.Result
function result:when(command) end

---@class moonlog.Scenario
local scenario = {}
---@param time string ISO 8601
---@return moonlog.Scenario
function scenario:at(time) end
---@param caller string
---@return moonlog.Scenario
function scenario:as(caller) end
---@param amount string|number "90s", "15m", "1h", "2d", or seconds
---@return moonlog.Scenario
function scenario:advance(amount) end
---What ctx:uuid and ctx:random follow from.
---@param number integer
---@return moonlog.Scenario
function scenario:seed(number) end
---Another Lua state, with another order of hashing, gives the same.
---@return moonlog.Scenario
function scenario:expect_deterministic() end
---A state that was JSON between the events gives the same.
---@return moonlog.Scenario
function scenario:expect_survives_json() end
---@param command moonlog.When
---@return moonlog.Result
function scenario:when(command) end
---@param state table
---@return moonlog.Scenario
function scenario:expect_state(state) end
---@param code? string
---@return moonlog.Scenario
function scenario:expect_error(code) end

---@class moonlog.AggregateWord
local aggregate = {}
---@param time string ISO 8601
---@return moonlog.AggregateWord
function aggregate:at(time) end
---@param events moonlog.Given[]
---@return moonlog.Scenario
function aggregate:given(events) end
---@param id string of the stream that commands go to
---@param streams table<string, moonlog.Given[]>
---@return moonlog.Scenario
function aggregate:given_streams(id, streams) end

---@class moonlog.Rows
local rows = {}
---@param name string
---@param expected table[]
---@return moonlog.Rows
function rows:expect_rows(name, expected) end
---@param name string
---@param count integer
---@return moonlog.Rows
function rows:expect_count(name, count) end
---@param name string
---@param key table
---@param fields table
---@return moonlog.Rows
function rows:expect_row(name, key, fields) end
---@param name string
---@param key table
---@return moonlog.Rows
function rows:expect_no_row(name, key) end
---@param code? string
---@return moonlog.Rows
function rows:expect_error(code) end
---All events delivered once more give the same rows.
---@return moonlog.Rows
function rows:twice() end
---@return moonlog.Rows
function rows:expect_deterministic() end

---@class moonlog.ProjectionWord
local projection = {}
---@param time string
---@return moonlog.ProjectionWord
function projection:at(time) end
---@param events moonlog.Given[]
---@return moonlog.Rows
function projection:given(events) end
---Of one that topics feed.
---@param messages moonlog.SpecMessage[]
---@return moonlog.Rows
function projection:given_messages(messages) end

---@class moonlog.Old
local old = {}
---What it is today, the whole list.
---@param events { type: string, data?: table, version?: integer }[]
---@return moonlog.Old
function old:expect(events) end
---@return moonlog.Old
function old:expect_dropped() end
---@param code? string
---@return moonlog.Old
function old:expect_error(code) end

---@class moonlog.UpcasterWord
local upcaster = {}
---@param event moonlog.Given as it was recorded
---@return moonlog.Old
function upcaster:given_bytes(event) end

---@class moonlog.QueryWord
local query = {}
---@param time string
---@return moonlog.QueryWord
function query:at(time) end
---@param events moonlog.Given[]
---@return moonlog.QueryWord
function query:given(events) end
---@param messages moonlog.SpecMessage[]
---@return moonlog.QueryWord
function query:given_messages(messages) end
---@param params table
---@return moonlog.QueryWord
function query:with(params) end
---@param answer any
---@return moonlog.QueryWord
function query:expect(answer) end
---@param code? string
---@return moonlog.QueryWord
function query:expect_refusal(code) end
---@param code? string
---@return moonlog.QueryWord
function query:expect_error(code) end

-- Of a reactor or process manager, which hears one thing after another; what is expected is of the last.
---@class moonlog.ReactionWord
local reaction = {}
---@param time string
---@return moonlog.ReactionWord
function reaction:at(time) end
---@param number integer
---@return moonlog.ReactionWord
function reaction:seed(number) end
---Events of any streams of the domain, each with its `stream`.
---@param events moonlog.Given[]
---@return moonlog.ReactionWord
function reaction:given(events) end
---@param message moonlog.SpecMessage
---@return moonlog.ReactionWord
function reaction:when_message(message) end
---It is recorded, then heard.
---@param event moonlog.Given
---@return moonlog.ReactionWord
function reaction:when_event(event) end
---What falls due meanwhile fires, in its order.
---@param amount string|number "90s", "15m", "1h", "2d", or seconds
---@return moonlog.ReactionWord
function reaction:advance(amount) end
---The whole list: types, or types and data.
---@param events (string|{ type: string, data?: table, stream?: string })[]
---@return moonlog.ReactionWord
function reaction:expect_events(events) end
---@param messages (string|{ type: string, data?: table, topic?: string, key?: string })[]
---@return moonlog.ReactionWord
function reaction:expect_messages(messages) end
---@param timers moonlog.ExpectedTimer[]
---@return moonlog.ReactionWord
function reaction:expect_timers(timers) end
---How many timers wait.
---@param count integer
---@return moonlog.ReactionWord
function reaction:expect_pending(count) end
---@return moonlog.ReactionWord
function reaction:expect_nothing() end
---A command was refused, and nothing answered that.
---@param code? string
---@return moonlog.ReactionWord
function reaction:expect_refused(code) end
---@param code? string
---@return moonlog.ReactionWord
function reaction:expect_error(code) end
---@param seconds? number
---@return moonlog.ReactionWord
function reaction:expect_retry(seconds) end
---Of the process that heard last, or of the one with this id.
---@param state table
---@param id? string
---@return moonlog.ReactionWord
function reaction:expect_state(state, id) end
---@param stream string "aggregate/id"
---@param state table
---@return moonlog.ReactionWord
function reaction:expect_state_of(stream, state) end
---@param id? string
---@return moonlog.ReactionWord
function reaction:expect_completed(id) end
---@param id? string
---@return moonlog.ReactionWord
function reaction:expect_running(id) end
---Another Lua state, with another order of hashing, gives the same.
---@return moonlog.ReactionWord
function reaction:expect_deterministic() end

---@class moonlog.Words
moonlog = {}
---@param name string "domain.aggregate"
---@return moonlog.AggregateWord
function moonlog.aggregate(name) end
---@param name string "domain.projection"
---@return moonlog.ProjectionWord
function moonlog.projection(name) end
---@param name string "domain.query"
---@return moonlog.QueryWord
function moonlog.query(name) end
---@param name string "domain.aggregate"
---@return moonlog.UpcasterWord
function moonlog.upcaster(name) end
---@param name string "domain.reactor"
---@return moonlog.ReactionWord
function moonlog.reactor(name) end
---@param name string "domain.process"
---@return moonlog.ReactionWord
function moonlog.process(name) end
---Canonical JSON, as the engine writes and reads it.
---@type { encode: (fun(value: any): string), decode: (fun(text: string): any), null: any }
moonlog.json = {}
