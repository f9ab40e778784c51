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
kill "$WATCHER"
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
expect 0 "record with the rules in the store" record banking.account/1 --data data
finish
