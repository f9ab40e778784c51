#!/bin/bash
# SPDX-License-Identifier: MIT
# Projections that stop, orders to them, a daemon that is told everything by a file, impatient operators.
. "$(dirname "$0")/lib.sh"

"$MOONLOG" new shop >out || fail "new"
# A projection that cannot take one title until its settings allow it.
python3 - <<'END'
text = open("shop/items.lua").read()
text = text.replace('[\"item.ItemCreated\"] = function(view, data, meta)\n',
                    '[\"item.ItemCreated\"] = function(view, data, meta)\n            if data.title == "bad" then error("not this one") end\n')
open("shop/items.lua", "w").write(text)
END
mkdir etc
cat >etc/moonlog.lua <<'END'
return {
    data = "../data",
    listen = { "127.0.0.1:0", "[::1]:0" },
    domains = { "../shop" },
    drain_seconds = 1,
}
END

# serve_file: a daemon by its file alone.
serve_file() {
	rm -f data/moonlog.address
	"$MOONLOG" serve --config etc/moonlog.lua "$@" >>daemon.out 2>>daemon.err &
	DAEMON=$!
	for _ in $(seq 200); do
		[ -s data/moonlog.address ] && break
		kill -0 "$DAEMON" 2>/dev/null || break
		sleep 0.05
	done
	ADDRESS=$(cat data/moonlog.address)
	[ -n "$ADDRESS" ] && pass || fail "the daemon did not start by its file"
}

# stands STATE: waits until the projection does.
stands() {
	for _ in $(seq 100); do
		"$MOONLOG" projection list --config etc/moonlog.lua >out 2>err
		grep -qE "^shop.items +$1( |$)" out && break
		sleep 0.05
	done
	says "the projection stands $1" "^shop.items +$1( |$)"
}

serve_file
same "one" "$(post /shop/items '{"title":"one"}')" 201
stands "live +1 of 1"
same "bad" "$(post /shop/items '{"title":"bad"}')" 201
stands "stopped"
says "why it stopped" 'at 2: .*items.lua:[0-9]+: .*not this one'
same "commands go on" "$(post /shop/items '{"title":"two"}')" 201
same "not ready" "$(curl -s -o answer -w '%{http_code}' "http://$ADDRESS/readyz")" 503
expect 1 "retry" projection retry shop.items --config etc/moonlog.lua
says "retry" "^shop.items +stopped "
expect 0 "retry without waiting" projection retry shop.items --config etc/moonlog.lua --no-wait
stands "stopped"
expect 0 "skip" projection skip shop.items --config etc/moonlog.lua
says "skip" "^shop.items +live +3 of 3"
same "rows" "$(curl -s "http://$ADDRESS/shop/items?at_least=3" |
	python3 -c 'import json,sys; print(*[r["Title"] for r in json.load(sys.stdin)])')" "one two"
# A rebuild beside meets it again: what is read stays.
expect 1 "a rebuild meets it again" projection rebuild shop.items --config etc/moonlog.lua
says "a rebuild meets it again" "^shop.items +live +3 of 3"
says "a rebuild meets it again" "^not rebuilt: projection items stopped at 2: .*not this one"
expect 0 "builds" projection builds --config etc/moonlog.lua --json
is_json "builds"
says "builds" '"build":1,"result":"given_up","generation":1,"projections":\["items"\].*"reason":"projection items stopped at 2'
expect 0 "list of one not rebuilt" projection list --config etc/moonlog.lua --json
says "list of one not rebuilt" '"state":"live".*"build":\{"build":1,"state":"given_up","generation":1,"reason":"projection items stopped'
same "rows as before" "$(curl -s "http://$ADDRESS/shop/items?at_least=3" |
	python3 -c 'import json,sys; print(*[r["Title"] for r in json.load(sys.stdin)])')" "one two"
same "ready" "$(curl -s -o answer -w '%{http_code}' "http://$ADDRESS/readyz")" 200
stop 0 "TERM"
expect 69 "builds without a daemon" projection builds --config etc/moonlog.lua
expect 1 "a rebuild without a daemon" projection rebuild shop.items --config etc/moonlog.lua --no-wait
says "a rebuild without a daemon" "^not rebuilt: projection items stopped at 2: "

# Without any rows a start meets it too.
rm -rf data/views
serve_file
stands "stopped"
stop 0 "TERM after it met the event again"

expect 0 "a stopped one without a daemon" projection list --config etc/moonlog.lua --json
is_json "a stopped one without a daemon"
says "a stopped one without a daemon" '"state":"stopped","position":1,"head":3,"poison":2'
expect 0 "skip without a daemon" projection skip shop.items --config etc/moonlog.lua
says "skip without a daemon" "^shop.items +live +3 of 3"

# titles POSITION: of the rows, once they stand there.
titles() {
	curl -s "http://$ADDRESS/shop/items?at_least=$1" |
		python3 -c 'import json,sys; print(*[r["Title"] for r in json.load(sys.stdin)])'
}

# A repaired rule: a restart serves what was active; a reload takes the folder, and its rows are made anew.
sed -i '/not this one/d' shop/items.lua
serve_file
cp daemon.err err
says "the folder differs" "the folder differs from the active rules"
same "rows of the rules before" "$(titles 3)" "one two"
expect 0 "plan" plan shop --config etc/moonlog.lua
says "plan" "^answer: planned"
expect 0 "reload" reload --config etc/moonlog.lua
says "reload" "^answer: done"
for _ in $(seq 100); do [ "$(titles 3)" = "bad one two" ] && break; sleep 0.05; done
same "rows of the repaired rule" "$(titles 3)" "bad one two"
for _ in $(seq 100); do
	"$MOONLOG" projection builds --config etc/moonlog.lua --json >out 2>err
	grep -q '"result":"live"' out && break
	sleep 0.05
done
says "what a build came to" '"live":\{"generation":2,"position":3\},"kept":\{"generation":1,"position":3,"until":"2'
says "what a build came to" '"rows_differ":1,.*"new":1,"changed":0,"samples":\[\{"kind":"new","key":\{"Id":"'
says "what a build came to" '"after":\{.*"Title":"bad"'
expect 0 "reload again" reload shop --config etc/moonlog.lua
says "reload again" "^answer: unchanged"
expect 0 "rollback" rollback shop --config etc/moonlog.lua
same "rows of the rules before, again" "$(titles 3)" "one two"
kill -HUP "$DAEMON"
for _ in $(seq 100); do [ "$(titles 3)" = "bad one two" ] && break; sleep 0.05; done
same "rows after HUP" "$(titles 3)" "bad one two"
expect 0 "generation list" generation list shop --config etc/moonlog.lua
says "generation list" "^ +2 shop .* active$"
expect 0 "generation show" generation show 1 items.lua --config etc/moonlog.lua
says "generation show" "not this one"
expect 66 "generation show of none" generation show 99 --config etc/moonlog.lua
says "generation show of none" '^moonlog: the store has no generation 99$'
expect 66 "generation diff with none" generation diff 1 99 --config etc/moonlog.lua
expect 2 "generation show 0" generation show 0 --config etc/moonlog.lua
expect 0 "generation diff" generation diff 1 2 --config etc/moonlog.lua
says "generation diff" "^-.*not this one"
expect 0 "generation diff as JSON" generation diff 1 2 --json --config etc/moonlog.lua
is_json "generation diff as JSON"
says "generation diff as JSON" '^\{"domain":"shop","before":1,"after":2,"files":\[\{"path":"items.lua","way":"changed","before":"[0-9a-f]{64}"'
says "generation diff as JSON" '"diff":"--- 1/items.lua.*-.*not this one'
expect 0 "a file as JSON" generation show 1 items.lua --json --config etc/moonlog.lua
is_json "a file as JSON"
says "a file as JSON" '^\{"generation":1,"domain":"shop","files":\[\{"path":"items.lua"'
expect 66 "generations of no domain" generation list nobody --config etc/moonlog.lua
says "generations of no domain" '^moonlog: the store knows no domain "nobody"$'
echo 'x =' >>shop/items.lua
expect 1 "reload of what does not load" reload --config etc/moonlog.lua
says "reload of what does not load" "^detail: items.lua:[0-9]+: "
sed -i '/^x =/d' shop/items.lua

# A request that never ends is cut after drain_seconds.
exec 3<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS##*:}"
printf 'POST /shop/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"ti' >&3
stop 0 "TERM with a request that never ends"
exec 3>&-

# A second TERM does not wait.
serve_file --drain-seconds 60
exec 3<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS##*:}"
printf 'POST /shop/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"ti' >&3
curl -s -o answer "http://$ADDRESS/healthz"
kill -TERM "$DAEMON"
for _ in $(seq 100); do grep -q 'msg=stopping' daemon.err && curl -s "http://$ADDRESS/healthz" >answer || break; sleep 0.05; done
stop 1 "a second TERM"
exec 3>&-

# Killed: what was answered can be read without any daemon.
serve_file
same "three" "$(post /shop/items '{"title":"three"}')" 201
{ kill -KILL "$DAEMON"; wait "$DAEMON"; } 2>/dev/null
DAEMON=
expect 0 "reading after a kill" stream tail --once --config etc/moonlog.lua --json
same "reading after a kill" "$(wc -l <out)" 4
expect 69 "status after a kill" status --config etc/moonlog.lua
expect 0 "verify after a kill" verify --config etc/moonlog.lua

# Read models can be deleted or damaged: they are made anew.
rm -rf data/views
serve_file
stands "live +4 of 4"
stop 0 "TERM after views were deleted"
dd if=/dev/zero of=data/views/shop.db bs=1 seek=4096 count=4096 conv=notrunc 2>/dev/null
serve_file
stands "live +4 of 4"
same "rows after damage" "$(curl -s "http://$ADDRESS/shop/items?at_least=4" | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')" 4
stop 0 "TERM after views were damaged"

# Also while they are read: whoever meets the damage says so, and others are made beside.
serve_file
stands "live +4 of 4"
python3 - "data/views/$(readlink data/views/shop.db)" <<'END'
import os, sys
with open(sys.argv[1], "r+b") as file:
    file.seek(4096)
    file.write(b"\xff" * (os.path.getsize(sys.argv[1]) - 4096))
END
same "rows whose file was damaged" "$(curl -s -o answer -w '%{http_code}' "http://$ADDRESS/shop/items?at_least=4")" 500
for _ in $(seq 100); do [ "$(curl -s -o answer -w '%{http_code}' "http://$ADDRESS/shop/items")" = 200 ] && break; sleep 0.05; done
same "rows after damage while they were read" "$(python3 -c 'import json; print(len(json.load(open("answer"))))')" 4
cp daemon.err err
says "damage while rows are read" "the read model is damaged: its rows are made anew beside it"
stop 0 "TERM after views were damaged while they were read"

# A reactor that cannot be opened, here for a damaged record of its own, is told with the reason.
"$MOONLOG" new ear >out || fail "new"
echo "return { name = 'taker', topics = { 'numbers' }, react = { Sent = function() return {} end } }" >ear/taker.lua
# reactor STATE: waits until readiness says so, and keeps it in $SCRATCH/answer.
reactor() {
	for _ in $(seq 200); do
		READY=$(curl -s -o answer -w '%{http_code}' "http://$ADDRESS/readyz")
		grep -q "\"reactor\":\"taker\",\"state\":\"$1\"" answer && break
		sleep 0.05
	done
	cp answer out
}
start heard ear
reactor running
same "ready with a reactor" "$READY" 200
curl -s "http://$ADDRESS/metrics" >out
says "a figure of one that is open" '^moonlog_consumer_unopened\{domain="ear",reactor="taker"\} 0$'
stop 0 "TERM with a reactor"
sqlite3 heard/moonlog.db "insert into records(space, key, seal, value) values ('parked/ear.taker', x'00', 0, x'00')"
start heard ear
reactor unopened
same "not ready without a reactor" "$READY" 503
says "readiness names it" '"reactor":"taker","state":"unopened","since":"2[^"]*","reason":"[^"]*record'
expect 0 "status names it" status --data heard
says "status names it" 'unopened'
curl -s "http://$ADDRESS/metrics" >out
says "a figure of it" '^moonlog_consumer_unopened\{domain="ear",reactor="taker"\} 1$'
silent "what is not known of it" '^moonlog_dead_letters\{domain="ear",reactor="taker"\}'
stop 0 "TERM without a reactor"
sqlite3 heard/moonlog.db "delete from records where space = 'parked/ear.taker'"
start heard ear
reactor running
same "ready with it again" "$READY" 200
stop 0 "TERM with it again"

# A handler that takes too long each time waits and tries again, and says so where one looks.
"$MOONLOG" new slow >out || fail "new"
sed -i 's/^.*"item.ItemCreated"\] = function.*$/&\n            while data.title == "slow" do end/' slow/items.lua
BANK=$PWD/slow
start slowly --set limits.projection_ms=10
same "slow" "$(post /slow/items '{"title":"slow"}')" 201
for _ in $(seq 100); do
	"$MOONLOG" projection list --data slowly >out 2>err
	grep -q waits out && break
	sleep 0.05
done
says "what it waits for" '^slow.items .* waits: .*items.lua:[0-9]+: '
curl -s "http://$ADDRESS/readyz" >out
says "readiness says it too" '"name":"items","state":"[a-z_]*","position":0,.*"reason":"[^"]*items.lua:[0-9]+: '
stop 0 "TERM with a slow one"

# A directory whose name is too long for a socket.
LONG=$(printf 'x%.0s' $(seq 120))
expect 78 "a long name" serve --data "$LONG" --listen 127.0.0.1:0 shop
says "a long name" "moonlog.sock"
finish
