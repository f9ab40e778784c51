-- SPDX-License-Identifier: MIT
---@meta moonlog
-- luacheck: ignore
-- Definitions for editors (LuaLS): put this folder into "workspace.library" of .luarc.json. Never run.

-- "string?" or { type = "string", optional = true, ... }; { array = ... }, { map = ... }, { fields = ... }
---@alias moonlog.Schema string|table
---@alias moonlog.Fields table<string, moonlog.Schema>

---@class moonlog.Refusal
---@field code string snake_case
---@field message? string
---@field status? integer 400 to 499; 422 unless said
---@field details? table

---@class moonlog.Event
---@field type string
---@field data? table
---@field stream? moonlog.Loaded what ctx:load gave; the command's own stream unless said

---@class moonlog.Message
---@field type string
---@field data? table
---@field key? string the stream's id unless said
---@field headers? table<string, string>

---@class moonlog.Meta
---@field id string
---@field type string
---@field stream string
---@field stream_id string
---@field version integer
---@field position integer
---@field time integer microseconds since 1970
---@field piece integer of the recorded event, where upcasters made several of it: 1 to pieces
---@field pieces integer

-- Of a message of others.
---@class moonlog.MessageMeta
---@field id string unique with source
---@field type string
---@field source string
---@field subject string the foreign stream's id; may be ""
---@field topic string
---@field key string
---@field time integer microseconds since 1970
---@field stream_version integer of the foreign stream; 0: not said
---@field correlation_id string

---@class moonlog.Loaded
---@field id string
---@field exists boolean
---@field version integer
---@field state table

---@class moonlog.Ctx
---@field id string of the stream; not in queries
---@field stream string
---@field version integer before the command
---@field caller string
---@field correlation_id string
---@field settings table
local ctx = {}
---Microseconds since 1970.
---@return integer
function ctx:now() end
---@return string
function ctx:uuid() end
---A float from 0 to below 1, or an integer from m to n.
---@param m? integer
---@param n? integer
---@return number
function ctx:random(m, n) end
---@param level "debug"|"info"|"warn"|"error"
---@param text any
function ctx:log(level, text) end
---Another stream's state, to decide by or to record events in; command handlers only.
---@param aggregate string
---@param id string
---@return moonlog.Loaded
function ctx:load(aggregate, id) end
---A unique key, part of the same commit; command handlers only.
---@param name string
---@param key string|integer
---@param refusal? moonlog.Refusal
function ctx:reserve(name, key, refusal) end
---@param name string
---@param key string|integer
function ctx:release(name, key) end

---Sets a timer of the stream, or moves it; part of the same commit; command handlers only.
---@param name string
---@param when { after?: number, at?: integer, data?: table } seconds from now, or microseconds since 1970
function ctx:timer(name, when) end
---@param name string
function ctx:cancel(name) end

---@class moonlog.Publish
---@field topic string
---@field map? fun(data: table, meta: moonlog.Meta, state: table): moonlog.Message|moonlog.Message[]|nil

-- An event that an upcaster gives. `version` is that of the shape that data has; 1 unless said.
---@class moonlog.Piece
---@field type string
---@field version? integer
---@field data? table

-- Data of the next version; or a list of events of the same aggregate; or false: it is nothing today.
---@alias moonlog.Upcast fun(data: table, meta: moonlog.Meta): table|moonlog.Piece[]|false

---@class moonlog.EventRule
---@field version? integer
---@field data? moonlog.Fields
---@field apply fun(state: table, data: table, meta: moonlog.Meta): table
---@field upcast? table<integer, moonlog.Upcast> from this version on
---@field publish? moonlog.Publish
---@field summary? string

-- A type that is only recorded: what its events are today. The last step gives a list or false.
---@class moonlog.RetiredRule
---@field upcast table<integer, moonlog.Upcast>
---@field summary? string

---@class moonlog.Command
---@field data? moonlog.Fields
---@field handle fun(state: table, data: table, ctx: moonlog.Ctx): moonlog.Event[]?, table?, moonlog.Refusal?
---@field reply? moonlog.Schema
---@field creates? boolean
---@field anywhere? boolean
---@field summary? string

---@class moonlog.Aggregate
---@field name string
---@field state_version? integer
---@field snapshot? { every?: integer, seconds?: integer }
---@field initial fun(): table
---@field events table<string, moonlog.EventRule>
---@field retired? table<string, moonlog.RetiredRule>
---@field commands? table<string, moonlog.Command>
---@field timers? table<string, string> timer -> command
---@field summary? string

-- What a document's command gives: what is not said stays as it is.
---@class moonlog.Saved
---@field state? table
---@field messages? moonlog.Outgoing[]

---@class moonlog.Outgoing: moonlog.Message
---@field topic string

---@class moonlog.DocumentCommand
---@field data? moonlog.Fields
---@field handle fun(state: table, data: table, ctx: moonlog.Ctx): moonlog.Saved?, table?, moonlog.Refusal?
---@field reply? moonlog.Schema
---@field creates? boolean
---@field anywhere? boolean
---@field summary? string

-- Current state that is not event-sourced.
---@class moonlog.Document
---@field name string
---@field document moonlog.Fields schema of the state
---@field version? integer of that schema
---@field upcast? table<integer, moonlog.Upcast>
---@field initial fun(): table
---@field commands table<string, moonlog.DocumentCommand>
---@field timers? table<string, string> timer -> command
---@field summary? string

-- What something that reacts wants; each has one of command, message, timer, cancel, event, compensate, undo, complete.
---@class moonlog.Action
---@field command? string "aggregate.Command"
---@field id? string|integer of its stream; a command that creates may go without
---@field data? table
---@field refused? fun(refusal: moonlog.Refusal): moonlog.Action[]?
---@field message? string its type
---@field topic? string
---@field key? string
---@field headers? table<string, string>
---@field timer? string processes: a name of `timers`
---@field after? number seconds
---@field at? integer microseconds since 1970
---@field cancel? string processes: a name of `timers`
---@field event? string processes: one of its own
---@field compensate? { command: string, id?: string|integer, data?: table } processes
---@field undo? boolean processes: runs what `compensate` pushed, last first
---@field complete? boolean processes: hears nothing more, its timers go

---@class moonlog.Again
---@field retry number seconds: nothing was done, call me again then

---@alias moonlog.Heard moonlog.MessageMeta|moonlog.Meta
---@alias moonlog.React fun(data: any, meta: moonlog.Heard, ctx: moonlog.Ctx): moonlog.Action[]?, moonlog.Again?
---@alias moonlog.Actions moonlog.Action[]
---@alias moonlog.ProcessReact fun(state: table, data, meta: moonlog.Heard, ctx: moonlog.Ctx): moonlog.Actions?, table?

---@class moonlog.Reactor
---@field name string
---@field topics? string[] whose messages it hears; none: only events of the own domain
---@field on_failure? "park"|"skip"|"halt"
---@field attempts? integer
---@field inbox? boolean
---@field versions? "ignore"|"hold"|"skip"
---@field react table<string, moonlog.React|{ data?: moonlog.Fields, handle: moonlog.React }>
---@field summary? string

---@class moonlog.Process
---@field name string
---@field correlate string|table<string|integer, string|fun(data: table, meta: table): string|integer>
---@field starts string[]
---@field topics? string[]
---@field on_failure? "park"|"skip"|"halt"
---@field attempts? integer
---@field inbox? boolean
---@field versions? "ignore"|"hold"|"skip"
---@field state_version? integer
---@field snapshot? { every?: integer, seconds?: integer }
---@field initial fun(): table
---@field events table<string, moonlog.EventRule>
---@field retired? table<string, moonlog.RetiredRule>
---@field react table<string, moonlog.ProcessReact|{ data?: moonlog.Fields, handle: moonlog.ProcessReact }>
---@field timers? table<string, moonlog.ProcessReact>
---@field summary? string

---@class moonlog.Find
---@field where? table<string, any> a value, or { operator, value }
---@field order? string|string[] "-Name" for descending
---@field limit? integer
---@field offset? integer

---@class moonlog.ViewTable
local rows = {}
---@param key any
---@return table?
function rows:get(key) end
---@param row table
function rows:put(row) end
---@param row table
function rows:insert(row) end
---@param key any
---@param changes table
---@return boolean found
function rows:update(key, changes) end
---@param key any
---@param amounts table<string, number>
function rows:add(key, amounts) end
---@param key any
---@return boolean found
function rows:delete(key) end
---@param where table<string, any>
---@return integer removed
function rows:delete_where(where) end
---@param options? moonlog.Find
---@return table[]
function rows:find(options) end
---@param options? moonlog.Find
---@return integer
function rows:count(options) end

---@class moonlog.Table
---@field key string[]
---@field columns table<string, string|table>
---@field indexes? table[]
---@field stream_column? string the column that holds the id of the one stream a row comes from

---@class moonlog.Projection
---@field name string
---@field tables table<string, moonlog.Table>
---@field on table<string, fun(view: table<string, moonlog.ViewTable>, data: table, meta: moonlog.Heard)>
---@field topics? string[] fed by their messages instead of the domain's events
---@field summary? string

---@class moonlog.Query
---@field params? moonlog.Fields
---@field returns? moonlog.Schema
---@field run fun(view: table<string, moonlog.ViewTable>, params: table, ctx: moonlog.Ctx): any, moonlog.Refusal?
---@field summary? string

---@class moonlog.Route
---@field [1] "GET"|"POST"|"PUT"|"DELETE"|"PATCH"
---@field [2] string
---@field command? string "aggregate.Command"
---@field query? string
---@field state? string
---@field history? string
---@field health? boolean
---@field text? string
---@field content_type? string
---@field status? integer
---@field location? string
---@field id? string
---@field reply? fun(reply: table, meta: { id: string, stream: string, version: integer }): table?, moonlog.Refusal?
---@field returns? moonlog.Schema
---@field summary? string

---@class moonlog.Domain
---@field title? string
---@field description? string
---@field settings? table
---@field routes? moonlog.Route[]
---@field queries? table<string, moonlog.Query>
