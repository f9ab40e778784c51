#!/bin/bash
# SPDX-License-Identifier: MIT
# A folder's specs are run before its rules are taken, beside the commands; one that fails refuses them.
. "$(dirname "$0")/lib.sh"

mkdir -p shop/spec
cat >shop/basket.lua <<'LUA'
return {
    name = "basket",
    initial = function() return { total = 0 } end,
    events = {
        Put = {
            data = { price = "integer" },
            apply = function(state, data)
                state.total = state.total + data.price
                return state
            end,
        },
    },
    commands = {
        Put = {
            anywhere = true, data = { price = "integer" },
            handle = function(_, data) return { { type = "Put", data = data } } end,
        },
    },
}
LUA
cat >shop/spec/basket_spec.lua <<'LUA'
describe("basket", function()
    local basket = moonlog.aggregate "shop.basket"
    it("adds prices up", function()
        basket:given { { type = "Put", data = { price = 2 } }, { type = "Put", data = { price = 3 } } }
              :expect_state { total = 5 }
    end)
end)
LUA
expect 0 "the specs by hand" test shop

serve_shop() {
	rm -f data/moonlog.address
	"$MOONLOG" serve --data data --listen 127.0.0.1:0 --set reload.specs_seconds="$1" shop >daemon.out 2>daemon.err &
	DAEMON=$!
	for _ in $(seq 300); do [ -s data/moonlog.address ] && break; sleep 0.05; done
	ADDRESS=$(cat data/moonlog.address)
}
serve_shop 60
same "a command" "$(post /commands/shop/basket/1/Put '{"price":7}')" 200

# lives PID: also not as what its parent has not yet heard of.
lives() { grep -qs '^State:[[:space:]]*[RSDT]' "/proc/$1/status"; }

change() { sed -i "s/^return {.*/return { -- $1/" shop/basket.lua; }

change one
expect 0 "specs that pass" reload --data data --json
says "specs that pass" '"answer":"done"'
says "specs that pass" '"specs":\{"result":"passed","passed":1,"failed":0\}'
is_json "specs that pass"
change two
expect 0 "a plan runs them too" plan --data data --json
says "a plan runs them too" '"specs":\{"result":"passed"'

# The fold is spoilt: history is never asked, the spec stands against it with its place.
sed -i 's/state.total + data.price/state.total + 2 * data.price/' shop/basket.lua
expect 1 "a spec that fails" reload --data data
says "a spec that fails" '^answer: refused$'
says "a spec that fails" '^stage: specs$'
says "a spec that fails" '^code: specs_failed$'
says "a spec that fails" '^detail: 1 of 1 specs fail; the first: FAILED basket adds prices up \(.*shop/spec/basket_spec.lua:[0-9]+\)'
same "the old rules go on" "$(curl -s "http://$ADDRESS/state/shop/basket/1" | grep -c '"total":7')" 1
expect 1 "history has its say without them" reload --data data --no-specs
says "history has its say without them" '^code: history_differs$'
sed -i 's/state.total + 2 \* data.price/state.total + data.price/' shop/basket.lua
change three
expect 0 "taken without specs" reload --data data --no-specs --json
silent "taken without specs" '"specs"'

# What was tested is what is taken.
mv shop/spec/basket_spec.lua kept_spec.lua
cat >shop/spec/sly_spec.lua <<'LUA'
it("changes the rules", function() os.execute("sed -i 's/-- .*/-- sly/' shop/basket.lua") end)
LUA
change four
expect 1 "a folder that changes" reload --data data
says "a folder that changes" '^code: folder_changed$'
rm shop/spec/sly_spec.lua
expect 0 "an empty folder" reload --data data --json
says "an empty folder" '"specs":\{"result":"none"\}'
stop 0 "TERM"

# A spec that never ends, and leaves a process behind, is stopped; commands are answered meanwhile, and so is TERM.
cat >shop/spec/endless_spec.lua <<'LUA'
it("never ends", function()
    os.execute("sleep 300 & echo $! >left")
    while true do end
end)
LUA
serve_shop 2
change five
"$MOONLOG" reload --data data >endless.out 2>&1 &
RELOAD=$!
for _ in $(seq 200); do [ -s left ] && break; sleep 0.05; done
same "a command while specs run" "$(post /commands/shop/basket/1/Put '{"price":1}')" 200
wait "$RELOAD"
same "the reload's exit code" $? 1
cp endless.out out
says "an endless spec" '^code: specs_too_long$'
if lives "$(cat left)"; then fail "what a spec started outlives it"; else pass; fi
stop 0 "TERM after it"
rm -f left
serve_shop 600
"$MOONLOG" reload --data data >endless.out 2>&1 &
RELOAD=$!
for _ in $(seq 200); do [ -s left ] && break; sleep 0.05; done
stop 0 "TERM while specs run"
wait "$RELOAD"
if lives "$(cat left)"; then fail "specs outlive the daemon"; else pass; fi

# Without busted the answer says so, and the rules are taken.
rm shop/spec/endless_spec.lua
mv kept_spec.lua shop/spec/basket_spec.lua
export LUA_PATH=/nowhere/?.lua LUA_PATH_5_4=/nowhere/?.lua
expect 69 "no busted" test shop
says "no busted" "busted for Lua 5.4 is not installed"
serve_shop 60
change six
expect 0 "rules without busted" reload --data data --json
says "rules without busted" '"specs":\{"result":"not run","reason":"moonlog test: busted for Lua 5.4 is not installed'
stop 0 "TERM"
finish
