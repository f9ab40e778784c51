#!/bin/bash
# SPDX-License-Identifier: MIT
# Rules change, history stays: old events through upcasters, rules that cannot read them, a split under kill -9.
. "$(dirname "$0")/lib.sh"

BANK=$SCRATCH/shop # what `start` serves
mkdir shop

# rules RETIRED EVENTS: the aggregate's file.
rules() {
	cat >shop/guest.lua <<END2
local function moves(count)
    local list = {}
    for i = 1, count do list[i] = { type = "Moved", data = { number = i, from = "hall", to = "bar" } } end
    return list
end
return {
    name = "guest", initial = function() return { rooms = 0 } end,
    events = {
        Left = { data = { number = "integer", room = "string" }, apply = function(state) return state end },
        Entered = { data = { number = "integer", room = "string" },
                    apply = function(state) state.rooms = state.rooms + 1 return state end },
        Paused = { data = { number = "integer" }, apply = function(state) return state end },
        $2
    },
    $1
    commands = { Move = { anywhere = true, data = { count = "integer" },
                          handle = function(_, data) return moves(data.count) end } },
}
END2
}
cat >shop/places.lua <<'END2'
local function place(view, data, meta)
    view.Places:insert { Id = meta.version .. "/" .. meta.piece, Type = meta.type, Pieces = meta.pieces }
    view.Counts:add(meta.type, { Events = 1 })
end
return {
    name = "places",
    tables = { Places = { key = { "Id" }, columns = { Id = "text", Type = "text", Pieces = "integer" } },
               Counts = { key = { "Type" }, columns = { Type = "text", Events = "integer" } } },
    on = { Left = place, Entered = place, Paused = place },
}
END2
cat >shop/domain.lua <<'END2'
return { queries = { counts = { run = function(view)
    return { counts = view.Counts:find {}, places = view.Places:count() }
end } } }
END2

# counts: what the read model of the active rules holds once it has come to the end.
counts() {
	for _ in $(seq 600); do
		curl -sf "http://$ADDRESS/readyz" >/dev/null &&
			curl -sf --unix-socket data/moonlog.sock http://moonlog/admin/builds | grep -qv '"building":{' && break
		sleep 0.05
	done
	curl -s "http://$ADDRESS/queries/shop/counts?at_least=$1&wait_ms=30000" | python3 -c 'import json, sys
answer = json.load(sys.stdin)
print(*sorted("%s=%d" % (row["Type"], row["Events"]) for row in answer["counts"]), answer["places"])'
}

# killed TITLE COMMITS: the projection is made anew; the daemon dies of a probe before that commit of its rows.
killed() {
	MOONLOG_LIMITS_PROJECTION_BATCH=100 MOONLOG_PROBE=projector.before_commit:$2:kill start data
	"$MOONLOG" projection rebuild shop.places --data data --no-wait >"$SCRATCH/out" 2>"$SCRATCH/err"
	wait "$DAEMON"
	local got=$?
	DAEMON=
	if [ "$got" -eq 137 ]; then pass; else fail "$1: the daemon ended with $got"; fi
}

# 2,500 events of the old type.
rules "" 'Moved = { data = { number = "integer", from = "string", to = "string" }, apply = function(state) return state end },'
start data
for _ in 1 2 3 4 5; do same "moves" "$(post /commands/shop/guest/a/Move '{"count":500}')" 200; done
stop 0 "recording"
sum() { sqlite3 data/moonlog.db 'SELECT position, hex(digest), data FROM entries ORDER BY position' | sha256sum; }
RECORDED=$(sum)

# Rules that forgot the old type are refused by `check` and by the daemon, which leaves nothing behind.
rules "" ""
expect 1 "check of rules without a path" check --data data shop
says "check of rules without a path" 'guest.Moved 1, recorded last around position [0-9]+: the rules know no such event'
expect 1 "check --json" check --data data --json shop
is_json "check --json"
expect 1 "reload of rules without a path" reload --data data --domain shop --no-shadow
says "reload of rules without a path" 'history_unread|cannot read what is recorded'

# Upcasters that fail on what is recorded are refused with the event.
rules 'retired = { Moved = { upcast = { [1] = function(data) return { { type = "Left", data = { number = data.nr, room = data.from } } } end } } },' ""
expect 1 "check of upcasters that fail" check --data data shop
says "check of upcasters that fail" 'shop.guest/a version 2500 \(position 2500\), Moved 1: .*upcasters give Left: number'

# Two pieces; the daemon is killed while the projection is in the middle of the splits.
TWO='retired = { Moved = { upcast = { [1] = function(data)
        return { { type = "Left", data = { number = data.number, room = data.from } },
                 { type = "Entered", data = { number = data.number, room = data.to } } } end } } },'
rules "$TWO" ""
expect 0 "check of two pieces" check --data data --history shop
says "check of two pieces" '1 streams, 2500 events folded twice, 2500 projected twice: equal'
expect 0 "reload to two pieces" reload --data data --domain shop --no-shadow
killed "two pieces" 7
MOONLOG_LIMITS_PROJECTION_BATCH=100 start data
same "two pieces after a kill" "$(counts 2500)" "Entered=2500 Left=2500 5000"
same "a state through splits" "$(curl -s "http://$ADDRESS/state/shop/guest/a")" '{"stream":"shop.guest/a","version":2500,"state":{"rooms":2500}}'
same "recorded bytes over HTTP" "$(curl -s "http://$ADDRESS/streams/shop.guest/a?from=2500" | grep -o '"type":"[A-Za-z]*"' | tr '\n' ' ')" '"type":"Moved" '
curl -s "http://$ADDRESS/streams/shop.guest/a?from=2499&upcast=1" >out
same "pieces over HTTP" "$(python3 -c 'import json
for event in json.load(open("out"))["events"]: print(event["version"], event["type"], event["piece"], event["pieces"], event["data"]["room"], "digest" in event)' | tr '\n' ';')" \
	"2499 Left 1 2 hall False;2499 Entered 2 2 bar False;2500 Left 1 2 hall False;2500 Entered 2 2 bar False;"
same "pieces of the log" "$(curl -s -H 'Accept: application/x-ndjson' "http://$ADDRESS/log?upcast=1" | wc -l)" 5000
same "no pieces while following" "$(curl -s -o out -w '%{http_code}' "http://$ADDRESS/log?upcast=1&follow=true")" 400
stop 0 "two pieces"

# A kill while it is in the middle again, then three pieces, and a kill in the middle of those.
killed "two pieces again" 11
THREE='return { { type = "Paused", data = { number = data.number } },'
rules "${TWO/return \{/$THREE}" ""
grep -q Paused.*number shop/guest.lua && pass || fail "three pieces"
expect 0 "reload to three pieces" reload --data data --domain shop --no-shadow
killed "three pieces" 5
MOONLOG_LIMITS_PROJECTION_BATCH=100 start data
same "three pieces after kills" "$(counts 2500)" "Entered=2500 Left=2500 Paused=2500 7500"
stop 0 "three pieces"
same "recorded bytes are as they were" "$(sum)" "$RECORDED"

# An export as the rules of today see it; no import takes it.
expect 0 "export of pieces" export --data data --upcast
is_json "export of pieces"
cp out pieces.ndjson
same "three lines an event" "$(grep -c '^{"stream"' pieces.ndjson)" 7500
same "no rules and keys" "$(grep -cE '^{"(source|generation|unique)"' pieces.ndjson)" 0
same "no digest of other bytes" "$(grep -c '"digest"' pieces.ndjson)" 0
same "the head says so" "$(head -1 pieces.ndjson | grep -c '"upcast":true')" 1
same "the first event" "$(sed -n 2,4p pieces.ndjson | grep -oE '"type":"[A-Za-z]*"|"pieces?":[0-9]' | tr '\n' ' ')" \
	'"type":"Paused" "piece":1 "pieces":3 "type":"Left" "piece":2 "pieces":3 "type":"Entered" "piece":3 "pieces":3 '
expect 65 "import of pieces" import pieces.ndjson --data other
says "import of pieces" 'line 1: .*only an export without --upcast can be imported'
expect 0 "verify" verify --data data
finish
