#!/bin/bash
# SPDX-License-Identifier: MIT
# History judges rules before they are taken: what differs is named, what is meant is accepted, the rest is refused.
. "$(dirname "$0")/lib.sh"

mkdir shop
cat >shop/basket.lua <<'LUA'
return {
    name = "basket",
    state_version = 1,
    initial = function() return { total = 0 } end,
    events = {
        Opened = { data = {}, apply = function(state) return state end },
        Put = {
            data = { price = "integer" },
            apply = function(state, data)
                state.total = state.total + data.price
                return state
            end,
        },
    },
    commands = {
        Open = { creates = true, data = {}, handle = function() return { { type = "Opened", data = {} } } end },
        Put = { data = { price = "integer" }, handle = function(_, data) return { { type = "Put", data = data } } end },
    },
}
LUA

# serve_shop [PROBE]
serve_shop() {
	rm -f data/moonlog.address
	MOONLOG_PROBE=${1:-none:1:fail} "$MOONLOG" serve --data data --listen 127.0.0.1:0 shop >daemon.out \
		2>daemon.err &
	DAEMON=$!
	for _ in $(seq 300); do [ -s data/moonlog.address ] && break; sleep 0.05; done
	ADDRESS=$(cat data/moonlog.address)
}

serve_shop
for i in $(seq 20); do
	post "/commands/shop/basket/$i/Open" '{}' >>codes
	post "/commands/shop/basket/$i/Put" "{\"price\":$i}" >>codes
done
same "commands" "$(grep -o 200 codes | wc -l)" 40
total() {
	curl -s "http://$ADDRESS/state/shop/basket/$1" |
		python3 -c 'import json,sys; print(json.load(sys.stdin)["state"]["total"])'
}

# A change that alters one stream of twenty is refused, with that stream, event and both states.
sed -i 's/state.total + data.price$/state.total + (data.price == 13 and 31 or data.price)/' shop/basket.lua
expect 1 "a planted change" reload --data data
says "a planted change" "^code: history_differs"
says "a planted change" "^detail: .*1 of 20 streams .*shop.basket/13 version 2 \(Put, position [0-9]+\)"
says "a planted change" "^ +total: 13$"
says "a planted change" "^ +total: 31$"
same "the old rules go on" "$(total 13)" 13
expect 1 "a plan of it" plan --data data --json
is_json "a plan of it"

# Declared by a raised state_version it still wants the plan that showed it.
sed -i 's/state_version = 1/state_version = 2/' shop/basket.lua
expect 1 "declared" reload --data data
says "declared" "^detail: .*--accept [0-9a-f]{12}"
PLAN=$(sed -n 's/.*--accept \([0-9a-f]*\).*/\1/p' out err | head -1)
expect 1 "another plan" reload --data data --accept 0123456789ab
says "another plan" "^code: other_plan"
expect 0 "accepted" reload --data data --accept "$PLAN"
says "accepted" "^answer: done"
same "the new rules" "$(total 13)" 31
expect 0 "rollback" rollback shop --data data
same "the old rules again" "$(total 13)" 13

# Rules that fail on what is recorded.
sed -i 's/state_version = 2/state_version = 3/' shop/basket.lua
sed -i 's/data.price == 13 and 31 or data.price/assert(data.price ~= 7, "seven") and data.price/' shop/basket.lua
expect 1 "rules that fail" reload --data data
says "rules that fail" "^detail: .*shop.basket/7 version 2.*basket.lua:[0-9]+.*seven"
same "commands go on" "$(post /commands/shop/basket/7/Put '{"price":1}')" 200

# A change of commands alone is no question to history.
sed -i 's/assert(data.price ~= 7, "seven") and data.price/data.price/; s/(data.price)$/data.price/' shop/basket.lua
sed -i 's/state_version = 3/state_version = 1/' shop/basket.lua
sed -i 's/handle = function(_, data) return/handle = function(_, data)  return/' shop/basket.lua
expect 0 "commands alone" reload --data data --json
is_json "commands alone"

# What a changed projection would give: the rows that differ, with old and new; told, and no reason to refuse.
cat >shop/prices.lua <<'LUA'
return {
    name = "prices",
    tables = { Prices = { key = { "Id" }, columns = { Id = "text", Price = "integer" } } },
    on = {
        Put = function(view, data, meta)
            view.Prices:add({ Id = meta.stream_id }, { Price = data.price })
        end,
    },
}
LUA
expect 0 "a projection" reload --data data
says "a projection" "rows_differ: 20$"
sed -i 's/Price = data.price }/Price = data.price == 13 and 31 or data.price }/' shop/prices.lua
expect 0 "a plan of other rows" plan --data data
says "a plan of other rows" "^    asked: 20$"
says "a plan of other rows" "^ +rows_differ: 1$"
says "a plan of other rows" "^ +Id: 13$"
same "both rows" "$(grep -cE '^ +Price: (13|31)$' out)" 2
expect 0 "a plan of other rows" plan --data data --json
is_json "a plan of other rows"
sed -i 's/on = {/on = { -- nothing/' shop/prices.lua
expect 0 "other rows" reload --data data
says "other rows" "^ +rows_differ: 1$"
sed -i 's/-- nothing/-- but words/' shop/prices.lua
expect 0 "words" reload --data data
says "words" "^ +projections: \[\]$"
sed -i 's/view.Prices:add/assert(data.price ~= 7, "seven") view.Prices:add/' shop/prices.lua
expect 1 "a projection that fails" reload --data data
says "a projection that fails" "^code: projection_fails"
says "a projection that fails" "^detail: projection prices at shop.basket/7 version 2 .*--accept"
rm shop/prices.lua

# A type that was recorded and has no way any more.
sed -i 's/Put = {$/Laid = {/' shop/basket.lua
expect 1 "a type without a way" reload --data data
says "a type without a way" "^stage: catalogue"
says "a type without a way" "Put"
stop 0 "TERM"

# Killed at a step of a reload: after the restart one whole generation serves.
sed -i 's/Laid = {$/Put = {/; s/state.total + .*$/state.total + 2 * data.price/' shop/basket.lua
sed -i 's/state_version = 1/state_version = 9/' shop/basket.lua
for step in reload.prepare reload.before_commit commit.before_insert commit.before_sync commit.after_sync \
	reload.after_commit reload.adopt; do
	serve_shop "$step:1:kill"
	"$MOONLOG" reload --data data --no-shadow >out 2>err
	{ wait "$DAEMON"; } 2>/dev/null
	serve_shop
	case "$(total 3)" in
	3 | 6) pass ;;
	*) fail "killed at $step: total $(total 3)" ;;
	esac
	"$MOONLOG" rollback shop --data data >/dev/null 2>&1
	while [ "$(total 3)" != 3 ]; do "$MOONLOG" rollback shop --data data >/dev/null 2>&1 || break; done
	same "rolled back after $step" "$(total 3)" 3
	stop 0 "TERM after $step"
done

# Generations that decided nothing go: killed at a step of that, each is whole or gone.
cat >undecided.lua <<'LUA'
return { data = "data", listen = "127.0.0.1:0", domains = { "shop" }, reload = { keep_undecided = 2 } }
LUA
serve_undecided() {
	rm -f data/moonlog.address
	MOONLOG_PROBE=${1:-none:1:fail} "$MOONLOG" serve --config undecided.lua >daemon.out 2>daemon.err &
	DAEMON=$!
	for _ in $(seq 300); do [ -s data/moonlog.address ] && break; sleep 0.05; done
	ADDRESS=$(cat data/moonlog.address)
}
generations() { "$MOONLOG" generation list --data data | wc -l; }
NUMBER=0
reload_anew() {
	NUMBER=$((NUMBER + 1))
	echo "-- number $NUMBER" >shop/number.lua
	echo "return { title = 'number $NUMBER' }" >>shop/number.lua
	"$MOONLOG" reload --data data --no-shadow >out 2>err
}
serve_undecided
for _ in $(seq 8); do reload_anew; done
same "a command of one" "$(post /commands/shop/basket/7/Put '{"price":1}')" 200
DECIDED=$("$MOONLOG" generation list --data data | sed -n 's/^ *\([0-9]*\) .* active$/\1/p')
for _ in $(seq 8); do reload_anew; done
BEFORE=$(generations)
stop 0 "TERM before pruning"
for step in prune.before_commit:1 commit.before_insert:2 commit.before_sync:2 commit.after_sync:2 \
	prune.after_commit:1; do
	serve_undecided "$step:kill"
	reload_anew
	{ wait "$DAEMON"; } 2>/dev/null
	for number in $("$MOONLOG" generation list --data data | awk '{ print $1 }'); do
		expect 0 "generation $number after $step" generation show "$number" --data data
	done
	expect 0 "verify after $step" verify --data data
done
serve_undecided
reload_anew
if [ "$(generations)" -lt "$((BEFORE - 8))" ]; then pass; else fail "of $BEFORE generations $(generations) stay"; fi
expect 0 "one that decided" generation show "$DECIDED" number.lua --data data
says "one that decided" "number 8"
expect 0 "rollback" rollback shop --data data
stop 0 "TERM after pruning"
expect 0 "verify" verify --data data
finish
