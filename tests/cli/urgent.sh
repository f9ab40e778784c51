#!/bin/bash
# SPDX-License-Identifier: MIT
# What goes first: a rollback and the daemon's end wait for nobody's history or specs; no SIGHUP is lost.
. "$(dirname "$0")/lib.sh"

mkdir -p shop/spec
basket shop
"$MOONLOG" serve --data data --listen 127.0.0.1:0 --set reload.specs_seconds=60 shop >daemon.out 2>daemon.err &
DAEMON=$!
for _ in $(seq 300); do [ -s data/moonlog.address ] && break; sleep 0.05; done
ADDRESS=$(cat data/moonlog.address)
for i in $(seq 100); do post "/commands/shop/basket/$i/Put" '{"price":1}' >>codes; done
same "commands" "$(grep -o 200 codes | wc -l)" 100

# Specs that say that they have begun, and with an argument wait for a file of that name.
write_spec() {
	cat >shop/spec/basket_spec.lua <<LUA
local function there(name)
    local file = io.open(name)
    return file ~= nil and file:close()
end
describe("basket", function()
    it("waits", function()
        io.open("begun", "w"):close()
        repeat until "$1" == "" or there("$1")
    end)
end)
LUA
	rm -f begun
}
# wait_for FILE [PATTERN]
wait_for() {
	for _ in $(seq 1200); do grep -qs -- "${2:-}" "$1" && return; [ -z "${2:-}" ] && [ -e "$1" ] && return; sleep 0.05; done
	fail "$1 is not there${2:+, or does not say $2}"
}
cp shop/basket.lua plain.lua
another() { { cat plain.lua; echo "-- $1"; } >shop/basket.lua; }
another one
expect 0 "a generation before" reload --data data

# Specs that do not end: the rollback is answered, and who waited learns why he got nothing.
write_spec never
another two
"$MOONLOG" reload --data data >waited 2>&1 &
ASKED=$!
wait_for begun
expect 0 "a rollback beside specs" rollback shop --data data
says "a rollback beside specs" "^answer: done"
same "a rollback of nothing in particular" "$(curl -s -X POST --unix-socket data/moonlog.sock http://moonlog/admin/rollback |
	grep -c '"status":400.*which domain goes back')" 1
expect 2 "history and no history" reload --all --no-shadow --data data
wait "$ASKED"
same "the reload that waited" "$?" 1
same "its reason" "$(grep '^code:' waited)" "code: broken_off"
same "its detail" "$(grep -c '^detail: a rollback goes first: nothing was changed; ask again' waited)" 1

# The same beside a long history, for which the specs are over soon.
write_spec ""
sed 's/state.total = /for _ = 1, 3000000 do state.total = state.total end state.total = /' plain.lua >shop/basket.lua
"$MOONLOG" plan --all --data data >waited 2>&1 &
ASKED=$!
wait_for begun
expect 0 "a rollback beside history" rollback shop --data data
wait "$ASKED"
same "the plan that waited" "$(grep '^code:' waited)" "code: broken_off"

# A change that is saved while another one is looked at, each with its signal: the newer one is taken in the end.
write_spec go
another three
kill -HUP "$DAEMON"
wait_for begun
another four
write_spec ""
kill -HUP "$DAEMON"
for _ in $(seq 1200); do [ "$(grep -c SIGHUP daemon.err)" = 2 ] && break; sleep 0.05; done
touch go
wait_for daemon.err 'code=folder_changed'
for _ in $(seq 1200); do
	NEWEST=$("$MOONLOG" generation list --data data | awk '/ active$/ { print $1 }')
	"$MOONLOG" generation show "$NEWEST" basket.lua --data data | grep -q '^-- four$' && break
	sleep 0.05
done
same "what the second signal was about" "$("$MOONLOG" generation show "$NEWEST" basket.lua --data data | tail -1)" "-- four"

# TERM does not wait for history either, and what was asked is not taken after it.
write_spec ""
sed 's/state.total = /for _ = 1, 3000000 do state.total = state.total end state.total = /' plain.lua >shop/basket.lua
"$MOONLOG" reload --all --data data >waited 2>&1 &
ASKED=$!
wait_for begun
stop 0 "TERM beside history"
wait "$ASKED"
same "the reload that the end met" "$(grep '^code:' waited)" "code: draining"
same "rules after it" "$(grep -c 'rules changed' daemon.err)" 4

# Under "warn" a signal's answer is the log: it names what block would refuse.
rm -f shop/spec/basket_spec.lua data/moonlog.address
"$MOONLOG" serve --data data --listen 127.0.0.1:0 --set reload.policy=warn shop >daemon.out 2>daemon.err &
DAEMON=$!
for _ in $(seq 300); do [ -s data/moonlog.address ] && break; sleep 0.05; done
sed 's/+ data.price/+ 2 * data.price/' plain.lua >shop/basket.lua
expect 0 "a plan under warn" plan --data data
says "a plan under warn" '^  warned: .*100 of 100 streams would have another state; the newest: shop.basket/100 version 1'
same "the log of a plan" "$(grep -c 'history speaks against' daemon.err)" 0
kill -HUP "$DAEMON"
wait_for daemon.err 'rules changed'
cp daemon.err err
says "the log of a signal" 'taken although history speaks against them" domain=shop code=history_differs text=.*shop.basket/100'
stop 0 "TERM under warn"
finish
