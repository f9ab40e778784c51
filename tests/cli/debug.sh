#!/bin/bash
# SPDX-License-Identifier: MIT
# A stream event by event, and the first event after which something holds.
. "$(dirname "$0")/lib.sh"

# A domain whose events have come through two versions.
mkdir ledger
cat >ledger/book.lua <<'END'
return {
    name = "book",
    initial = function() return { balance = 0, lines = json.array{} } end,
    events = {
        Opened = { data = { owner = "string" }, apply = function(state, data) state.owner = data.owner; return state end },
        Booked = {
            version = 3,
            data = { amount = "integer", currency = "string", note = "string?" },
            upcast = {
                [1] = function(data) return { amount = data.value } end,
                [2] = function(data) data.currency = "EUR"; return data end,
            },
            apply = function(state, data)
                state.balance = state.balance + data.amount
                if data.note == "fail" then error("this note cannot be folded") end
                if data.note then state.lines[#state.lines + 1] = { note = data.note } end
                return state
            end,
        },
    },
    commands = {},
}
END
cat >ledger/list.lua <<'END'
return {
    name = "list",
    tables = { Totals = { key = { "book" }, columns = { book = "text", total = "integer", bookings = "integer" } } },
    on = {
        ["book.Booked"] = function(view, data, meta)
            view.Totals:add({ book = meta.stream }, { total = data.amount, bookings = 1 })
        end,
    },
}
END
expect 0 "the domain" check ledger
cat >map.lua <<'END'
return function(record)
    return { stream = "ledger.book/" .. record.book, type = record.type, version = record.version or 1,
             data = record.data, time = record.time }
end
END
event() { echo "{\"book\":\"$1\",\"type\":\"$2\",\"version\":$3,\"data\":$4,\"time\":\"2026-01-01T00:00:0$5Z\"}"; }
(
	event a Opened 1 '{"owner":"ada"}' 1
	event a Booked 1 '{"value":5}' 2
	event a Booked 3 '{"amount":-7,"currency":"USD","note":"x"}' 3
	event a Booked 2 '{"amount":10}' 4
	event b Booked 3 '{"amount":1,"currency":"EUR","note":"fail"}' 5
) >small.ndjson
expect 0 "import" import --map map.lua small.ndjson --data data

expect 0 "debug" debug ledger.book/a ledger --data data
says "each event" '^ledger.book/a version 4: Booked$'
says "what was recorded" '^  raw +v1 \{"value":5\}$'
says "the first step" '^  upcast +Booked v1 -> Booked v2 \{"amount":5\}$'
says "the second step" '^ +Booked v2 -> Booked v3 \{"amount":5,"currency":"EUR"\}$'
says "the state before" '^  state +- balance: 5$'
says "the state after" '^ +\+ balance: -2$'
says "what came into a list" '^ +\+ lines\[1\]: \{"note":"x"\}$'
says "a new row" '^  rows +list.Totals new$'
says "a changed row" '^ +- total: 5$'
says "a changed row" '^ +\+ total: -2$'
silent "no colour off a terminal" $'\033'
expect 0 "debug --at" debug ledger.book/a ledger --data data --at 3 --json
is_json "debug --at"
same "its JSON" "$(python3 -c '
import json
event = json.load(open("out"))
print(event["version"], event["steps"], event["pieces"][0]["data"]["amount"], event["before"]["balance"], event["after"]["balance"],
      event["difference"][0], event["rows"][0]["after"]["total"], event["messages"])')" \
	"3 [] -7 5 -2 {'path': 'balance', 'before': 5, 'after': -2} -2 []"
expect 0 "debug at a time" debug ledger.book/a ledger --data data --at 2026-01-01T00:00:02.5Z
says "debug at a time" 'version 2: Booked'
silent "debug at a time" 'version [134]'
expect 0 "debug of a stretch" debug ledger.book/a ledger --data data --from 2 --to 3
same "debug of a stretch" "$(grep -c ' version ' out)" 2
says "rows know what came before" '^ +- total: 5$'
expect 65 "an event that cannot be folded" debug ledger.book/b ledger --data data
says "it is shown all the same" '^  raw +v3 \{"amount":1'
says "why" 'state +FAILED: .*book.lua:[0-9]+: this note cannot be folded'
expect 2 "choices that exclude each other" debug ledger.book/a ledger --data data --at 2 --from 1
expect 66 "a stream that is not there" debug ledger.book/c ledger --data data
expect 66 "a version that is not there" debug ledger.book/a ledger --data data --at 9
expect 2 "another domain's folder" debug ledger.book/a "$BANK" --data data
expect 65 "rules that nobody gave" debug ledger.book/a --data data

expect 0 "bisect" debug ledger.book/a ledger --data data --bisect 'state.balance < 0'
says "bisect" '^ledger.book/a version 3: Booked$'
same "one event" "$(grep -c ' version ' out)" 1
expect 0 "bisect by event and time" debug ledger.book/a ledger --data data --json \
	--bisect 'event.type == "Booked" and event.data.value == nil and meta.time > time.parse("2026-01-01T00:00:03Z")'
says "bisect by event and time" '"version":4,'
expect 1 "bisect that finds nothing" debug ledger.book/a ledger --data data --bisect 'state.balance > 100'
says "bisect that finds nothing" 'none of the versions 1 to 4'
expect 65 "bisect that fails" debug ledger.book/a ledger --data data --bisect 'state.nothing < 0'
says "bisect that fails" 'version 1: expression:1: attempt to compare nil with number'
expect 65 "bisect that is no Lua" debug ledger.book/a ledger --data data --bisect 'state.'
expect 65 "bisect of nothing" debug ledger.book/a ledger --data data --bisect ''
says "bisect of nothing" 'the expression is empty'
expect 1 "bisect changes no state" debug ledger.book/a ledger --data data --bisect '(function() state.balance = -50 end)()'
says "bisect changes no state" 'none of the versions'
expect 65 "bisect is in the sandbox" debug ledger.book/a ledger --data data --bisect 'os.time() > 0'

# A long stream whose balance falls below zero for one event only: what is asked is not monotone.
python3 - >long.ndjson <<'END'
import json
for i in range(1, 100001):
    amount = -1000000 if i == 61803 else 1000001 if i == 61804 else 1
    print(json.dumps({"book": "long", "type": "Booked", "version": 3, "data": {"amount": amount, "currency": "EUR"},
                      "time": 1700000000000000 + i * 1000000}))
END
expect 0 "a long stream" import --map map.lua long.ndjson --data long
expect 0 "bisect of it" debug ledger.book/long ledger --data long --json --bisect 'state.balance < 0'
says "the one event" '"version":61803,'
says "its state" '"after":\{"balance":-938198,'
expect 1 "bisect after it" debug ledger.book/long ledger --data long --from 61804 --bisect 'state.balance < 0'
expect 0 "the end of it" debug ledger.book/long ledger --data long --at 100000 --json
says "the end of it" '"after":\{"balance":99999,'
says "rows are not made of so many" '"rows":null'

# A fold that counts calls depends on what its machine folded before: it shows in each stream.
mkdir -p leaky/ledger && cp ledger/*.lua leaky/ledger
sed -i -e 's/^return {/local calls = 0\nreturn {/' leaky/ledger/book.lua \
	-e 's/apply = function(state, data)/&\n calls = calls + 1 state.calls = calls/'
for book in $(seq 1 30); do event "b$book" Opened 1 '{"owner":"ada"}' 1; done >books.ndjson
expect 0 "thirty streams" import --map map.lua books.ndjson --data books
expect 0 "history of a fold" check --history --data books ledger
expect 1 "history of a leak" check --history --data books leaky/ledger
says "a leak is named" '^ledger.book/b[0-9]+ version 1 \(position [0-9]+\), Opened: the state after it'
says "as often as it takes" '^[0-9]+ more differences are not shown$'
expect 1 "a leak in one stream alone" check --history --data long leaky/ledger
says "it is named" '^ledger.book/long version 1 \(position 1\)'
cp -r ledger unseen
expect 0 "history of nothing" check --history --data books unseen
says "history of nothing" 'the store has nothing of this domain$'
finish
