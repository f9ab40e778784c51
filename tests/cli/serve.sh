#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon from outside: start, story, reading beside it, its socket, a second daemon, stopping.
. "$(dirname "$0")/lib.sh"

start data
same "ready" "$(curl -s -o answer -w '%{http_code}' "http://$ADDRESS/readyz")" 200
same "socket is private" "$(stat -c %a data/moonlog.sock)" 600
same "data is private" "$(stat -c %a data)" 700
PROJECTION=banking.reports
expect 0 "rebuild over an empty log" projection rebuild $PROJECTION --data data
same "account 1" "$(account 1)" 200
same "account 2" "$(account 2)" 200
same "deposit" "$(deposit 1 25.50)" 200
same "overdraft" "$(post /commands/banking/account/1/WithdrawMoney '{"amount":9999}')" 422

expect 75 "a second daemon" serve --data data --listen 127.0.0.1:0 "$BANK"
says "a second daemon" "$DAEMON|another process"

# Reading beside the daemon.
expect 0 "stream list" stream list --data data
says "stream list" ' 2  banking.account/1$'
expect 0 "stream list --json" stream list banking.account/2 --data data --json
same "stream list --json" "$(cat out)" '{"stream":"banking.account/2","version":1}'
expect 0 "stream list --limit" stream list --data data --limit 1
same "stream list --limit" "$(wc -l <out)" 1
expect 0 "stream show" stream show banking.account/1 --data data
says "stream show" ' MoneyDeposited '
expect 0 "stream show --from" stream show banking.account/1 --from 2 --data data --json
is_json "stream show --from"
same "stream show --from" "$(wc -l <out)" 1
expect 66 "stream show of nothing" stream show banking.account/9 --data data
expect 65 "stream show of a bad name" stream show nonsense --data data
expect 0 "stream tail" stream tail --once --lines 2 --data data
same "stream tail" "$(wc -l <out)" 2
expect 0 "stream tail of a prefix" stream tail banking.account/2 --once --data data --json
is_json "stream tail of a prefix"
silent "stream tail of a prefix" 'banking.account/1"'

# A tail follows.
"$MOONLOG" stream tail banking.account/2 --data data --json >tail.out 2>tail.err &
TAIL=$!
same "deposit to 2" "$(deposit 2 1)" 200
for _ in $(seq 100); do grep -q MoneyDeposited tail.out && break; sleep 0.05; done
kill "$TAIL"
wait "$TAIL" 2>/dev/null
grep -q MoneyDeposited tail.out && pass || fail "the tail does not follow"

expect 0 "state" state banking.account/1 --data data
says "state" '^balance: 12550$'
expect 0 "state --at version" state banking.account/1 --at 1 --data data --json
is_json "state --at version"
says "state --at version" '"version":1.*"balance":10000'
expect 0 "state --at time" state banking.account/1 --at "$(date -u +%Y-%m-%dT%H:%M:%SZ -d '+1 hour')" --data data
says "state --at time" 'version 2'
expect 66 "state before the stream" state banking.account/1 --at 2001-01-01 --data data
expect 66 "state beyond the stream" state banking.account/1 --at 9 --data data
says "state beyond the stream" 'banking.account/1 has versions 1 to 2, not 9$'
mkdir broken
cp -r "$BANK" broken/banking
sed -i 's/apply = move,/apply = function() error("no luck") end,/' broken/banking/account.lua
expect 65 "state by rules that fail" state banking.account/1 --data data --domain broken/banking
says "state by rules that fail" '^moonlog: banking.account/1 version 2: account.lua:[0-9]+: no luck$'
expect 2 "state before the first event" state banking.account/1 --at 0 --data data
says "state before the first event" '^moonlog: --at 0: versions begin with 1.*banking.account/1 has 1 to 2$'
expect 2 "state at nonsense" state banking.account/1 --at nonsense --data data
expect 66 "state of nothing" state banking.account/9 --data data

expect 0 "status" status --data data
says "status" "^pid: $DAEMON$"
expect 0 "status --json" status --data data --json
is_json "status --json"
expect 0 "projection list" projection list --data data
says "projection list" '^banking\.[a-z]+ +(live|catching_up) '
expect 0 "try" try --data data banking.account/1 WithdrawMoney '{"amount":5}'
says "try" 'MoneyWithdrawn'
expect 1 "try a refusal" try --data data banking.account/1 WithdrawMoney '{"amount":9999}'
says "try a refusal" 'insufficient_funds'
expect 0 "a trial records nothing" stream show banking.account/1 --data data
silent "a trial records nothing" 'MoneyWithdrawn'
expect 0 "verify beside the daemon" verify --data data
says "verify beside the daemon" '^verified: '

expect 0 "projection rebuild" projection rebuild "$PROJECTION" --data data
says "projection rebuild" "^$PROJECTION +live "
expect 0 "projection rebuild --json" projection rebuild "$PROJECTION" --data data --json
is_json "projection rebuild --json"
expect 0 "rebuild of a stream" projection rebuild "$PROJECTION" --data data --stream banking.account/1
says "rebuild of a stream" "^rebuilt the rows of 1: [0-9]+ events, ([0-9]+) rows before, \1 now$"
expect 0 "rebuild by a key" projection rebuild "$PROJECTION" --data data --key '{"AccountId":"1"}' --json
is_json "rebuild by a key"
says "rebuild by a key" '"rebuilt":"rebuilt the rows of 1: '
expect 1 "rebuild by no key" projection rebuild "$PROJECTION" --data data --key '{"TransactionId":"none"}'
says "rebuild by no key" '^not rebuilt: Transactions has no row of this key'
expect 65 "rebuild of another's stream" projection rebuild "$PROJECTION" --data data --stream shop.order/1
expect 65 "rebuild by a wrong key" projection rebuild "$PROJECTION" --data data --key '{"No":1}'
expect 65 "rebuild by no JSON" projection rebuild "$PROJECTION" --data data --key 'x'
expect 2 "rebuild by both" projection rebuild "$PROJECTION" --data data --key '{}' --stream 1
expect 65 "rebuild of nothing" projection rebuild banking.nothing --data data
expect 2 "rebuild of nonsense" projection rebuild nothing --data data
expect 65 "retry of what runs" projection retry "$PROJECTION" --data data

expect 0 "backup beside the daemon" backup copy.db --data data
expect 73 "backup over something" backup copy.db --data data
expect 73 "backup into nothing" backup nowhere/copy.db --data data

# Many at once while it stops: every answer is whole.
for i in $(seq 20); do
	curl -s -o "late$i" -w '%{http_code}\n' -H 'Content-Type: application/json' -d '{"amount":1}' \
		"http://$ADDRESS/commands/banking/account/1/DepositMoney" >"code$i" &
	LATE[i]=$!
done
kill -HUP "$DAEMON"
stop 0 "TERM"
for i in $(seq 20); do
	wait "${LATE[i]}" 2>/dev/null
	case $(cat "code$i") in 200 | 503 | 000) ;; *) fail "an answer while stopping: $(cat "code$i")" ;; esac
done
grep -q 'SIGHUP: the domains' daemon.err && pass || fail "HUP is not logged"
grep -qE '^ts=[^ ]+ level=info msg=listening address=127\.0\.0\.1:[0-9]+ ' daemon.err && pass || fail "no line of listening"
[ -e data/moonlog.address ] && fail "the address is left behind" || pass

# Without a daemon.
expect 69 "status without a daemon" status --data data
says "status without a daemon" "^daemon: not running$"
expect 0 "projection list without a daemon" projection list --data data
says "projection list without a daemon" '^banking\.[a-z]+ +not running'
expect 0 "projection rebuild without a daemon" projection rebuild "$PROJECTION" --data data --domain "$BANK"
says "projection rebuild without a daemon" " live "
expect 0 "try without a daemon" try --data data --domain "$BANK" banking.account/1 WithdrawMoney '{"amount":5}'
says "try without a daemon" 'MoneyWithdrawn'
expect 0 "backup without a daemon" backup copy2.db --data data --json
is_json "backup without a daemon"
expect 0 "verify without a daemon" verify --data data --json
is_json "verify without a daemon"

# Again: what was written is there; JSON lines; the admin socket stops it.
start data --log-format json
same "deposit after the restart" "$(deposit 1 1)" 200
curl -s --unix-socket data/moonlog.sock -X POST http://moonlog/admin/stop >out
same "stop by the socket" "$(cat out)" '{"stopping":true}'
wait "$DAEMON"
same "code after a stop by the socket" "$?" 0
DAEMON=
tail -1 daemon.err | python3 -c 'import json,sys; json.load(sys.stdin)' && pass || fail "a log line is no JSON"

# Killed, then started: the lock is free, the socket is replaced.
start data
{ kill -KILL "$DAEMON"; wait "$DAEMON"; } 2>/dev/null
DAEMON=
start data
stop 0 "TERM after a kill"
expect 0 "verify after a kill" verify --data data
# Started without standard input, output and error: no file of the store takes their place.
"$MOONLOG" serve --data closed --listen 127.0.0.1:0 "$BANK" <&- >&- 2>&- &
DAEMON=$!
for _ in $(seq 300); do [ -s closed/moonlog.address ] && break; sleep 0.05; done
kill -HUP "$DAEMON"
kill -USR1 "$DAEMON"
kill -USR2 "$DAEMON"
expect 0 "reload of a daemon without standard error" reload --data closed
same "the lock names its process and no more" "$(cat closed/moonlog.lock)" "$DAEMON"
stop 0 "TERM without standard error"

# Few descriptors: clients beyond them are told so, and what opens files goes on.
(ulimit -n 400; exec "$MOONLOG" serve --data few --listen 127.0.0.1:0 "$BANK" 2>few.err) &
DAEMON=$!
for _ in $(seq 300); do [ -s few/moonlog.address ] && break; sleep 0.05; done
python3 - "$(cat few/moonlog.address)" <<'END' >few.out &
import os, socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
held = [socket.create_connection((host, int(port)), 10) for _ in range(250)]
served = 0
for each in held:
    try:
        each.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        served += each.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        pass
print(served, flush=True)
while not os.path.exists("few.done"):
    time.sleep(0.05)
END
HOLDER=$!
for _ in $(seq 300); do [ -s few.out ] && break; sleep 0.05; done
same "connections for which there are descriptors" "$(cat few.out)" 144
expect 0 "reload while all connections are taken" reload --data few
expect 0 "backup while all connections are taken" backup few.copy --data few
touch few.done
wait "$HOLDER"
stop 0 "TERM with few descriptors"
"$MOONLOG" stream list --data data >&- 2>err
same "a list that cannot be written" $? 70
says "a list that cannot be written" "standard output cannot be written"
# A domain's limits count for whoever loads its rules; a broken one is told by its folder, and one that is not served.
mkdir slow
echo 'while true do end' >slow/loop.lua
echo 'return { domain_limits = { slow = { load_ms = 20 }, absent = { load_ms = 20 } } }' >limits.lua
expect 1 "check by a domain's limit" check --config limits.lua slow
says "check by a domain's limit" '^slow/loop.lua:1: .* limit of 20 ms$'
expect 65 "rules that do not load" serve --config limits.lua --data young --listen 127.0.0.1:0 "$BANK" slow
says "rules that do not load" '^moonlog: slow: loop.lua:1: .* limit of 20 ms$'
: >daemon.err
start young --config limits.lua
same "a domain that is not served" "$(grep -c 'not served" key=domain_limits domain=' daemon.err)" 2
stop 0 "TERM of limits"
expect 0 "check by a configuration without a store" check --config limits.lua "$BANK"

finish
