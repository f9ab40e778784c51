#!/bin/bash
# SPDX-License-Identifier: MIT
# The authors' desk: what `test` can be asked, `record`, `dev`.
. "$(dirname "$0")/lib.sh"

expect 0 "new" new shop

# Forms of output, a filter, coverage.
expect 0 "junit" test shop --output junit
says "junit" "<testsuites .*tests='4'"
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' out 2>err && pass || fail "junit is no XML"
expect 0 "plain" test shop --output plain --filter "refuses"
says "plain" "^1 passed, 0 failed"
for form in plain junit; do
	expect 1 "a filter that chooses nothing, $form" test shop --output $form --filter "no such name"
	says "a filter that chooses nothing, $form" '^moonlog test: no spec is chosen by --filter no such name$'
done
expect 1 "tags that choose nothing" test shop --tags=none
says "tags that choose nothing" '^moonlog test: no spec is chosen by --tags=none$'
expect 0 "a list of none" test shop --filter "no such name" --list
expect 2 "another form" test shop --output tap
expect 0 "coverage" test shop --coverage
says "coverage" "100.0 %  shop/item.lua: [0-9]+ of [0-9]+ lines$"
says "coverage" "0.0 %  shop/queries.lua: 0 of 1 lines; missed 7"
expect 0 "enough coverage" test shop --coverage-min 50
expect 1 "too little coverage" test shop --coverage-min 99.5
says "too little coverage" "fewer lines ran than --coverage-min 99.5 wants"
expect 2 "coverage of nonsense" test shop --coverage-min much
expect 2 "coverage above all" test shop --coverage-min 101
cat >shop/helper.lua <<'END2'
local M = {}
function M.unused(a)
    local b = a
    return b
end
return M
END2
expect 0 "coverage of a function that nobody calls" test shop --coverage
says "coverage of a function that nobody calls" "0.0 %  shop/helper.lua: 0 of 2 lines; missed 3-4"
rm shop/helper.lua

# What a spec says wrongly, and what fails, is told at its own line, whichever word of the kit finds it.
mv shop/spec kept_spec
expect 1 "no specs" test shop
says "no specs" '^moonlog test: shop/spec: No such file or directory$'
mkdir shop/spec
echo 'return 1' >shop/spec/x_spec.lua
expect 1 "a file without specs" test shop
says "a file without specs" '^moonlog test: no spec was run$'
cat >shop/spec/x_spec.lua <<'END2'
local item, items = moonlog.aggregate "shop.item", moonlog.projection "shop.items"
local made = { { type = "ItemCreated", data = { title = "tea" } } }
it("3", function() item:given {}:when { type = "CreateItm" } end)
it("4", function() item:given { { type = "ItemCreated", data = { titel = 1 } } }:when { type = "RenameItem" } end)
it("5", function() item:given(made):expect() end)
it("6", function() item:at "noon":given(made):expect_state {} end)
it("7", function() moonlog.upcaster "shop.item":given_bytes { type = "Gone", json = "{}" }:expect {} end)
it("8", function() moonlog.upcaster "shop.item":given_bytes { type = "ItemCreated", version = 9, json = "{}" }:expect {} end)
it("9", function() items:given(made):expect_no_row("Items", { Idd = "1" }) end)
it("10", function() items:given(made):expect_row("Itms", "1", {}) end)
it("11", function() items:given { { type = "ItemCreated", data = {} } } end)
it("12", function() item:given {}:when { type = "CreateItem", data = { title = "tea" } }:expect_refusal() end)
it("13", function() items:given(made):expect_row("Items", "1", { Title = "coffee" }) end)
it("passes", function() items:given(made):expect_row("Items", "1", { Title = "tea" }):expect_no_row("Items", "2") end)
END2
expect 1 "specs that are wrong" test shop
for line in $(seq 3 13); do says "at line $line" "^    shop/spec/x_spec.lua:$line: [^:]"; done
silent "specs that are wrong" "moonlog/"
says "specs that are wrong" "x_spec.lua:9: Items has no column 'Idd'"
says "specs that are wrong" "^1 passed, 11 failed"
expect 1 "specs that are wrong, junit" test shop --output junit
says "specs that are wrong, junit" "<error>shop/spec/x_spec.lua:3: aggregate item has no command"

# Whatever specs say or print, junit is XML; helpers are found from outside the folder, too.
cat >shop/spec/x_spec.lua <<'END2'
local helper = require "spec.helper"
it("prints", function() print "<b>" io.write "<c>" io.stdout:write "<d>" assert.equals(5, helper.five) end)
it("raises bytes", function() error "\0\27[31m\xff" end)
END2
echo 'return { five = 5 }' >shop/spec/helper.lua
expect 1 "specs that print, junit" test shop --output junit
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' out 2>>err && pass || fail "junit of specs that print is no XML"
says "specs that print, junit" '^<testsuites .*tests=.2'
says "specs that print, junit" '^<b>$'
expect 1 "specs that print" test shop
says "specs that print" 'x_spec.lua:3: .000.027\[31m.255$'
says "specs that print" '^<b>$'
says "specs that print" '1 passed, 1 failed$'
rm shop/spec/helper.lua

# A spec that eats memory is stopped, and the next one runs.
cat >shop/spec/x_spec.lua <<'END2'
it("eats", function() local all = {} for i = 1, 1 << 20 do all[i] = ("x"):rep(1 << 20) .. i end end)
it("goes on", function() moonlog.aggregate "shop.item":given {}:expect_state { title = "" } end)
END2
expect 1 "a spec that eats memory" test shop
says "a spec that eats memory" '^    not enough memory$'
says "a spec that eats memory" '^1 passed, 1 failed$'
# One that never ends says where it is, when it is told to end.
printf 'it("never ends", function()\n  io.open("endless", "w"):close()\n  while true do end\nend)\n' >shop/spec/x_spec.lua
rm -f endless
"$MOONLOG" test shop >out 2>err &
RUN=$!
for _ in $(seq 200); do [ -e endless ] && break; sleep 0.05; done
kill -TERM "$RUN"
wait "$RUN"
same "a spec that never ends" $? 143
says "a spec that never ends" '^moonlog test: stopped at shop/spec/x_spec.lua:[23]$'
rm -f endless
rm -r shop/spec
mv kept_spec shop/spec

# --watch: again after a save.
"$MOONLOG" test shop --watch >watch.out 2>&1 &
WATCHER=$!
runs() {
	for _ in $(seq 200); do
		[ "$(grep -c -- '-- waiting' watch.out)" -ge "$1" ] && return 0
		sleep 0.05
	done
	return 1
}
runs 1 && pass || fail "test --watch does not run"
sed -i 's/same_title/other_title/' shop/item.lua
runs 2 && pass || fail "test --watch does not run again"
grep -q "^3 passed, 1 failed" watch.out && pass || fail "test --watch does not see the change"
sed -i 's/other_title/same_title/' shop/item.lua
runs 3 && pass || fail "test --watch does not run a third time"
echo 'io.open("endless", "w"):close() while true do end' >shop/spec/endless_spec.lua
for _ in $(seq 200); do [ -e endless ] && break; sleep 0.05; done
rm shop/spec/endless_spec.lua
runs 4 && pass || fail "test --watch does not run again while a spec never ends"
grep -q "^-- saved before the specs had ended" watch.out && pass || fail "test --watch does not tell why it begins anew"
rm -f endless
echo 'io.open("endless", "w"):close() while true do end' >shop/spec/endless_spec.lua
for _ in $(seq 200); do [ -e endless ] && break; sleep 0.05; done
RUN=$(pgrep -P "$WATCHER")
kill "$WATCHER"
for _ in $(seq 200); do grep -qs '^State:[[:space:]]*[RSDT]' "/proc/${RUN:-0}/status" || break; sleep 0.05; done
grep -qs '^State:[[:space:]]*[RSDT]' "/proc/${RUN:-self}/status" && fail "a run outlives its watcher" || pass
rm shop/spec/endless_spec.lua
wait "$WATCHER" 2>/dev/null

# A recorded stream becomes a spec that passes, and fails when the rules fold it to something else.
start data
account 1 >/dev/null
deposit 1 12.50 >/dev/null
deposit 1 7 >/dev/null
stop 0 "TERM"
cp -r "$BANK" banking
rm -r banking/spec
mkdir banking/spec
expect 0 "record" record banking.account/1 banking --data data
cp out banking/spec/recorded_spec.lua
says "record" '\{ type = "MoneyDeposited", data = \{ .*amount = 1250'
says "record" ":expect_state \{ "
expect 0 "the recorded spec" test banking
says "the recorded spec" "^1 passed, 0 failed"
sed -i 's/= data.transaction.closingBalance/& + 1/' banking/account.lua
expect 1 "the recorded spec under other rules" test banking
expect 66 "record of no stream" record banking.account/nobody banking --data data
expect 66 "record with a folder that is not there" record banking.account/1 nowhere --data data
expect 2 "record with another domain's folder" record banking.account/1 shop --data data
says "record with another domain's folder" 'shop is not the domain of banking.account/1'
expect 0 "record with the rules in the store" record banking.account/1 --data data

# dev: a save is taken while it runs; what is wrong is told, and the rules of before go on.
"$MOONLOG" dev shop --listen 127.0.0.1:0 >dev.out 2>dev.err &
DAEMON=$!
told() {
	for _ in $(seq 400); do
		grep -qE -- "$2" dev.out && { pass; return; }
		sleep 0.05
	done
	fail "$1: nothing says \"$2\""
	sed 's/^/    /' dev.out dev.err >&2
}
told "dev starts" "^http://127.0.0.1:[0-9]+ serves shop; data in .moonlog"
ADDRESS=$(cat .moonlog/moonlog.address)
same "dev serves" "$(post /shop/items '{"title":"first"}')" 201
ID=$(python3 -c 'import json; print(json.load(open("answer"))["id"])')
sed -i 's/the item has this title already/it is called so/' shop/item.lua
told "a change" "shop: taken as generation 2"
told "a change" "^  ~ file item.lua$"
same "the old rules' refusal" "$(post "/shop/items/$ID/rename" '{"title":"first"}')" 422
grep -q "it is called so" answer && pass || fail "dev does not take a saved change"
sed -i 's/apply = function(state, data) state.title/aply = function(state, data) state.title/' shop/item.lua
told "a mistake" "shop: not taken; the rules of before go on"
told "a mistake" "^shop/item.lua:9: events.ItemCreated: unknown field 'aply'; did you mean \"apply\"\?"
told "a mistake" "^    9 .*aply = function"
told "a mistake" "^ +\\| +\\^$"
same "the rules of before" "$(post /shop/items '{"title":"second"}')" 201
sed -i 's/aply = /apply = /' shop/item.lua
told "mended" "shop: well again, and the same as what runs"
STEP='version = 2, upcast = { [1] = function(data) return data end },'
sed -i "s/ItemRenamed = {/ItemRenamed = { $STEP/" shop/item.lua
told "mended" "shop: taken as generation 3"
told "mended" "^  ~ event item.ItemRenamed: version 1 to 2$"
told "mended" "^  ~ projection items: its rows are made anew$"
same "after it" "$(post "/shop/items/$ID/rename" '{"title":"third"}')" 200
mv shop away
told "its folder is gone" "^the domain's folder shop cannot be opened: No such file or directory$"
same "the rules of before" "$(post /shop/items '{"title":"fourth"}')" 201
mv away shop
for _ in $(seq 400); do [ "$(grep -c "shop: well again" dev.out)" -ge 2 ] && break; sleep 0.05; done
same "its folder is there again" "$(grep -c "shop: well again" dev.out)" 2
sed -i 's/it is called so/it has this title/' shop/item.lua
told "a change in it" "shop: taken as generation 4"
stop 0 "TERM to dev"
printf 'return {' >shop/item.lua
"$MOONLOG" dev shop --listen 127.0.0.1:0 >dev.out 2>dev.err &
DAEMON=$!
told "broken at the start" "shop: not taken; the next save is waited for"
kill "$DAEMON"
wait "$DAEMON" 2>/dev/null
DAEMON=
expect 66 "dev of nothing" dev nowhere
finish
