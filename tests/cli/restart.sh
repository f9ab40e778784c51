#!/bin/bash
# SPDX-License-Identifier: MIT
# What a restart serves: the rules that were active, whatever became of their folder, and whole rows, though a process
# ended while others were made.
. "$(dirname "$0")/lib.sh"

mkdir shop
basket shop
cat >shop/prices.lua <<'LUA'
local price = require "price"
return {
    name = "prices",
    tables = { Prices = { key = { "Id" }, columns = { Id = "text", Price = "integer" } } },
    on = { Put = function(view, data, meta)
        view.Prices:add({ Id = meta.stream_id }, { Price = price(data.price) })
    end },
}
LUA
cat >shop/queries.lua <<'LUA'
return { queries = { prices = { params = {}, run = function(view)
    local sum = 0
    for _, row in ipairs(view.Prices:find {}) do sum = sum + row.Price end
    return { sum = sum }
end } } }
LUA
echo 'return function(price) return price end' >shop/price.lua

# serve_shop [PROBE]
serve_shop() {
	rm -f data/moonlog.address
	MOONLOG_PROBE=${1:-none:1:fail} "$MOONLOG" serve --data data --listen 127.0.0.1:0 shop >daemon.out 2>daemon.err &
	DAEMON=$!
	for _ in $(seq 300); do [ -s data/moonlog.address ] && break; sleep 0.05; done
	ADDRESS=$(cat data/moonlog.address)
}
killed() {
	{ kill -KILL "$DAEMON"; wait "$DAEMON"; } 2>/dev/null
	DAEMON=
}
prices() { curl -s "http://$ADDRESS/queries/shop/prices?at_least=20"; }
metric() { curl -s "http://$ADDRESS/metrics" | sed -n "s/^moonlog_$1{domain=\"shop\"} //p"; }
# wait_build STATE: what the list says of the rows that are made beside.
wait_build() {
	for _ in $(seq 600); do
		"$MOONLOG" projection list --data data --json | grep -q "\"build\":.*\"state\":\"$1\"" && return
		sleep 0.05
	done
	fail "no build is $1"
}
# wait_prices SUM
wait_prices() {
	for _ in $(seq 600); do [ "$(prices)" = "{\"sum\":$1}" ] && break; sleep 0.05; done
	same "$2" "$(prices)" "{\"sum\":$1}"
}

serve_shop
for i in $(seq 20); do post "/commands/shop/basket/$i/Put" '{"price":1}' >>codes; done
same "commands" "$(grep -o 200 codes | wc -l)" 20
same "rows" "$(prices)" '{"sum":20}'

# Rows that could not be made: those of before are read, and so they are after a restart.
echo 'return function(price) assert(price ~= 1, "no ones") return 2 * price end' >shop/price.lua
expect 0 "taken without history" reload --data data --no-shadow
wait_build given_up
expect 0 "the list" projection list --data data
says "the list" '^shop.prices +live +20 of 20; build 1 by generation 2 was given up: projection prices stopped at 1: .*no ones'
for end in killed "stop 0 TERM"; do
	$end
	serve_shop
	same "rows after $end" "$(prices)" '{"sum":20}'
	same "the log after $end" "$(grep -c 'queries go on with the rows of rules before.*generation=1 active=2' daemon.err)" 1
	wait_build given_up
	same "ready after $end" "$(curl -s -o out -w '%{http_code}' "http://$ADDRESS/readyz")" 200
	same "rows beside it" "$(prices)" '{"sum":20}'
	same "rules that decide" "$(metric generation)" 2
	same "rules that are read" "$(metric queries_generation)" 1
done

# Killed while the right ones are made: those of before are read, until the others are.
echo 'return function(price) return 3 * price end' >shop/price.lua
killed
serve_shop build.begin:2:kill
wait_build given_up
"$MOONLOG" reload --data data --no-shadow >out 2>err
{ wait "$DAEMON"; } 2>/dev/null
serve_shop
same "the log after a kill" "$(grep -c 'queries go on with the rows of rules before.*generation=1 active=3' daemon.err)" 1
wait_prices 60 "rows that were made after all"
killed
serve_shop
same "nothing more to make" "$(grep -c 'queries go on' daemon.err)" 0
same "rows of the active rules" "$(prices)" '{"sum":60}'

# The folder is gone, or in part: what was active serves, and the log says so.
mv shop gone
killed
serve_shop
same "rows without a folder" "$(prices)" '{"sum":60}'
same "the log without a folder" "$(grep -c 'the folder cannot be read: the active rules serve.*domain=shop.*folder=shop' daemon.err)" 1
same "no change was refused" "$(metric reload_not_taken)" 0
expect 1 "a reload without a folder" reload --data data
says "a reload without a folder" '^detail: .*shop cannot be opened'
same "a change was refused" "$(metric reload_not_taken)" 1
expect 0 "the status" status --data data --json
says "the status" '"not_taken":\{"at":"20[^"]*","stage":"read","code":"config","detail":"[^"]*shop cannot be opened'
mkdir shop
killed
serve_shop
same "rows of an empty folder" "$(prices)" '{"sum":60}'
rmdir shop
mv gone shop
expect 0 "the folder is back" reload --data data
says "the folder is back" '^answer: unchanged'
same "nothing is refused any more" "$(metric reload_not_taken)" 0
stop 0 "TERM"
mv shop gone
expect 66 "a folder that the store does not know" serve --data other --listen 127.0.0.1:0 shop
expect 0 "verify" verify --data data
finish
