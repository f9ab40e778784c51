#!/bin/bash
# SPDX-License-Identifier: MIT
# Stores that are not well: restored, damaged, of another program, of a later version. What is stored stays as it was.
. "$(dirname "$0")/lib.sh"

start data
for i in $(seq 30); do account "$i" >/dev/null; done
same "deposit" "$(deposit 3 5)" 200
stop 0 "TERM"

# Other programs read what is to be sent with the sqlite3 shell.
same "the outbox" "$(sqlite3 data/moonlog.db "select aggregatetype, aggregateid, Topic, Key, ProcessedAt is null, length(id)
	from outbox where Message like '%accountNumber%\"3\"%' order by position limit 1")" "banking.account|3|banking-events|3|1|36"
expect 0 "backup" backup copy.db --data data
expect 0 "restore" restore copy.db --data restored
same "a restored log is the same" "$("$MOONLOG" stream tail --once --lines 1000 --json --data restored | sha256sum)" \
	"$("$MOONLOG" stream tail --once --lines 1000 --json --data data | sha256sum)"
expect 0 "verify of the restored" verify --data restored
expect 73 "restore over a store" restore copy.db --data restored
expect 66 "restore of nothing" restore nowhere.db --data other
expect 66 "restore of a folder" restore data --data other
says "restore of a folder" '^moonlog: data is a folder, not a backup$'
expect 65 "restore of something else" restore "$BANK/account.lua" --data other
start restored
same "a restored store is served" "$(deposit 3 5)" 200
stop 0 "TERM of the restored"

# Read models beside a store of another history are made anew, however far they had come.
start data
same "another history" "$(deposit 4 7)" 200
stop 0 "TERM of the other history"
rm -r restored/views
cp -r data/views restored/views
: >daemon.err
start restored
same "more of it" "$(deposit 5 9)" 200
rows() { curl -s "http://$ADDRESS/views/banking/Balances?limit=1000&at_least=$1&wait_ms=20000"; }
HEAD=$("$MOONLOG" stream tail --once --lines 1 --json --data restored | sed 's/.*"position":\([0-9]*\).*/\1/')
rows "$HEAD" >got
stop 0 "TERM of the mixed"
same "a projection of another history" "$(grep -c 'another history of the log, rebuilding' daemon.err)" \
	"$(sqlite3 data/views/banking.db 'select count(*) from moonlog_checkpoints')"
rm -r restored/views
start restored
rows "$HEAD" >wanted
stop 0 "TERM of the replayed"
same "rows of another history" "$(cmp got wanted && wc -l <got)" "$(wc -l <wanted)"

# Long streams have snapshots, written beside the commands of others.
start long --set limits.snapshot_events=10
account 1 >/dev/null
for i in $(seq 24); do deposit 1 1 >/dev/null; done
stop 0 "TERM with snapshots"
same "a snapshot" "$(sqlite3 long/moonlog.db "select count(*), max(substr(value, 1, 7)) from records where space = 'snapshot/banking.account'")" \
	"1|1 20 1 "
same "no longer log for it" "$("$MOONLOG" stream show banking.account/1 --data long | wc -l)" 25
expect 0 "verify with a snapshot" verify --data long
start long --set limits.snapshot_events=0 --set limits.snapshot_check_ms=1
deposit 1 1 >/dev/null
for _ in $(seq 200); do
	curl -s "http://$ADDRESS/metrics" | grep -qE '^moonlog_snapshots_checked_total [1-9]' && break
	sleep 0.05
done
same "it is compared with a replay" "$(curl -s "http://$ADDRESS/metrics" | grep -cE '^moonlog_snapshots_checked_total [1-9]|^moonlog_snapshots_wrong_total 0$')" 2
stop 0 "TERM after a comparison"

# One whose bytes somebody changed is reported and removed too; those behind it are still compared.
start long --set limits.snapshot_events=10 --set limits.snapshot_check_ms=1
account 2 >/dev/null
for i in $(seq 12); do deposit 2 1 >/dev/null; done
metric() { curl -s "http://$ADDRESS/metrics" | sed -n "s/^moonlog_snapshots_$1_total //p"; }
for _ in $(seq 200); do [ "$(metric written)" != 0 ] && break; sleep 0.05; done
sqlite3 long/moonlog.db ".timeout 5000" \
	"update records set value = cast(replace(value, ':', ';') as blob) where space = 'snapshot/banking.account' and cast(key as text) = '1'"
for _ in $(seq 200); do [ "$(metric wrong)" != 0 ] && break; sleep 0.05; done
same "a damaged snapshot is told" "$(metric wrong) $(grep -c 'snapshot was wrong and is removed" stream=banking.account/1 ' daemon.err)" "1 1"
CHECKED=$(metric checked)
for _ in $(seq 200); do [ "$(metric checked)" -gt "$CHECKED" ] && break; sleep 0.05; done
same "the one behind it is compared" "$([ "$(metric checked)" -gt "$CHECKED" ] && echo yes)" yes
same "the damaged one is gone" "$(sqlite3 long/moonlog.db "select key from records where space = 'snapshot/banking.account'")" 2
stop 0 "TERM after a damaged snapshot"
expect 0 "verify after a damaged snapshot" verify --data long

# A byte inside an event changes.
cp -r data bent
python3 - bent/moonlog.db <<'END' && pass || fail "no byte to bend was found"
import sys
name = sys.argv[1]
data = bytearray(open(name, "rb").read())
at = data.find(b'"accountNumber":"17"')
if at < 0: sys.exit(1)
data[at + 17] = ord("9")
open(name, "wb").write(data)
END
SUM=$(sha256sum <bent/moonlog.db)
expect 1 "verify of a bent byte" verify --data bent
says "verify of a bent byte" 'content: banking\.account/17 position [0-9]+'
says "verify of a bent byte" '^NOT verified: '
expect 1 "verify --json of a bent byte" verify --data bent --json
is_json "verify --json of a bent byte"
expect 65 "reading a bent byte" stream show banking.account/17 --data bent
says "reading a bent byte" "banking.account/17"
same "reading changes nothing" "$(sha256sum <bent/moonlog.db)" "$SUM"
expect 65 "a backup is verified" backup bent.db --data bent

# A directory named as an URI is a directory; backup and restore take such a name too.
mkdir uri && cd uri
start "file:data?mode=memory"
same "an account in it" "$(account 1)" 200
expect 0 "backup of it" backup file:copy.db --data "file:data?mode=memory"
stop 0 "TERM of it"
expect 0 "restore to it" restore file:copy.db --data file:restored
for name in "file:data?mode=memory" file:restored; do
	expect 0 "verify of $name" verify --data "$name"
	same "the store lies in $name" "$(sqlite3 "$PWD/$name/moonlog.db" "select count(*) from entries where version = 1")" 1
done
same "read models lie in it" "$(test -s "file:data?mode=memory/views/banking.db" && echo yes)" yes
same "nothing lies beside" "$(find . -mindepth 1 -maxdepth 1 | wc -l)" 3
cd ..

# Files of others and of later versions.
mkdir foreign text newer
sqlite3 foreign/moonlog.db 'create table t(a); insert into t values (1)'
echo "hello, world; this is no database at all" >text/moonlog.db
cp data/moonlog.db newer/moonlog.db
[ -e data/witness ] && cp data/witness newer/
sqlite3 newer/moonlog.db "pragma user_version = $(($(sqlite3 newer/moonlog.db 'pragma user_version') + 1))"
for kind in foreign text newer; do
	SUM=$(sha256sum <$kind/moonlog.db)
	expect 65 "serve a $kind file" serve --data $kind --listen 127.0.0.1:0 "$BANK"
	says "serve a $kind file" "$kind/moonlog.db|$kind"
	expect 65 "read a $kind file" stream list --data $kind
	same "a $kind file stays as it was" "$(sha256sum <$kind/moonlog.db)" "$SUM"
done

# A witness that is damaged, empty or gone vouches for nothing: verify says so, and the next start writes it anew.
for kind in garbage empty none directory; do
	rm -rf blind && cp -r restored blind && rm blind/witness
	case $kind in
	garbage) head -c 88 /dev/urandom >blind/witness ;;
	empty) : >blind/witness ;;
	directory) mkdir blind/witness ;;
	esac
	expect 1 "verify with a witness: $kind" verify --data blind
	says "verify with a witness: $kind" '^tail: position [0-9]+: .*witness: (its line is damaged|it is empty|there is none|Is a dir)'
	same "verify with a witness: $kind is one finding" "$(grep -c . out)" 2
done
rmdir blind/witness && head -c 88 /dev/urandom >blind/witness
start blind
stop 0 "TERM with a damaged witness"
same "a damaged witness is logged" "$(grep -c 'witness of the log.s end was damaged' daemon.err)" 1
expect 0 "verify after a start" verify --data blind

# A store whose last entry is gone.
cp -r data short
sqlite3 short/moonlog.db 'delete from entries where position = (select max(position) from entries)'
expect 65 "serve a store without its end" serve --data short --listen 127.0.0.1:0 "$BANK"
says "serve a store without its end" "short: the end of the log is lost: .* remove the file witness"

# Places where nothing can be made.
touch file
expect 73 "data below a file" serve --data file/data --listen 127.0.0.1:0 "$BANK"
expect 78 "a port that is taken" serve --data taken --listen 127.0.0.1:1x "$BANK"
finish
