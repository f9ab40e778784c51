#!/bin/bash
# SPDX-License-Identifier: MIT
# Logs that travel: export and import, killed, cut, bent, and from other programs. [I1] [I2] [I4]
. "$(dirname "$0")/lib.sh"

# log_of DIR: everything the log holds, ids and links with it.
log_of() { "$MOONLOG" stream tail --once --lines 1000000 --json --data "$1" | sha256sum; }

# rewrite FILE: python on standard input changes `lines` (objects without their check); every check is made anew.
rewrite() {
	python3 -c 'import hashlib, json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
for line in lines: del line["check"]
exec(sys.stdin.read())
check = bytes(16)
for line in lines:
    body = json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
    check = hashlib.sha256(check + len(body).to_bytes(8, "little") + body).digest()[:16]
    print(body.decode() + ",\"check\":\"" + check.hex() + "\"}")' "$1"
}

start data
for i in $(seq 12); do account "$i" >/dev/null; deposit "$i" "$i" >/dev/null; done
"$MOONLOG" export --data data >live.ndjson || fail "export beside the daemon"
stop 0 "TERM"
expect 0 "export" export --data data
is_json "export"
cp out whole.ndjson
same "beside the daemon the same" "$(grep -c '"stream"' live.ndjson)" "$(grep -c '"stream"' whole.ndjson)"

expect 0 "import" import whole.ndjson --data copy
says "import" '^imported 48 entries$'
expect 0 "verify of an import" verify --data copy
same "ids, times and links are kept" "$(log_of copy)" "$(log_of data)"
expect 0 "import again" import whole.ndjson --data copy
says "import again" '^imported 0 entries, 48 were there'
same "import again changes nothing" "$(log_of copy)" "$(log_of data)"
"$MOONLOG" import - --data piped <whole.ndjson >out 2>err || fail "import of standard input"
same "standard input too" "$(log_of piped)" "$(log_of data)"

# States, rows and unique keys are those of the source.
for stream in 3 7; do
	same "state $stream" "$("$MOONLOG" state banking.account/$stream --data copy --json)" \
		"$("$MOONLOG" state banking.account/$stream --data data --json)"
done
rows() {
	start "$1"
	for path in /api/reports/balances /api/reports/transactions/3; do
		curl -sf "http://$ADDRESS$path?at_least=48" || fail "$path"
	done
}
rows data >rows.data
stop 0 "TERM of the source"
rows copy >rows.copy
same "read models" "$(cat rows.copy)" "$(cat rows.data)"
[ -s rows.copy ] || fail "no rows"
same "a unique key came along" "$(post /commands/banking/account/new/CreateAccount \
	'{"accountNumber":"3","accountName":"n","ownerName":"o","initialBalance":1.00}')" 409
same "the import goes on living" "$(deposit 3 5)" 200
expect 66 "import of a folder" import copy --data other
says "import of a folder" '^moonlog: copy is a folder'
[ -e other ] && fail "import of a folder: it made a store" || pass
expect 66 "import with a map that is a folder" import whole.ndjson --map copy --data other
expect 75 "import beside a daemon" import whole.ndjson --data copy
stop 0 "TERM of the copy"

# Parts.
expect 0 "export of a stream" export --data data --stream banking.account/1
same "only that stream" "$(grep -c '^{"stream"' out)" "$(grep -c '^{"stream":"banking.account/1"' out)"
same "one key" "$(grep -c '^{"unique"' out)" 1
cp out one.ndjson
expect 0 "import of a stream" import one.ndjson --data one
expect 0 "verify" verify --data one
expect 0 "its state" state banking.account/1 --data one --json
expect 66 "export of no stream" export --data data --stream banking.account/nobody
says "export of no stream" 'there is no stream banking.account/nobody'
same "a domain that is not there" "$("$MOONLOG" export --data data --domain shop | grep -c '^{"stream"')" 0
expect 0 "the rest" export --data data --after 42
cp out rest.ndjson
expect 65 "a rest without its beginning" import rest.ndjson --data rest
says "a rest without its beginning" 'line [0-9]+: version [0-9]+ of banking.account/11: the stream is at version 0'
expect 0 "behind other entries" import one.ndjson --data mixed
"$MOONLOG" export --data data --stream banking.account/3 >two.ndjson
expect 0 "another stream behind it" import two.ndjson --data mixed
expect 0 "verify of a mixture" verify --data mixed
expect 0 "origin" stream show banking.account/3 --data mixed --json
says "the id it had" "\"imported_id\":\"$(grep -m1 '^{"stream"' two.ndjson | sed 's/.*"id":"\([^"]*\)".*/\1/')\""
"$MOONLOG" export --data data --stream banking.account/12 >late.ndjson
expect 0 "later first" import late.ndjson --data turned
expect 0 "earlier behind it" import one.ndjson --data turned
expect 0 "verify of turned times" verify --data turned
expect 0 "the time it had" stream show banking.account/1 --data turned --json
says "the time it had" '"imported_time":"20'

# What would break a promise is refused by its line, and nothing of the file is taken.
refused() {
	local title=$1 file=$2 pattern=$3
	rm -rf no
	expect 65 "$title" import "$file" --data no
	says "$title" "$pattern"
	same "$title: nothing is taken" "$([ -e no/moonlog.db ] && "$MOONLOG" stream list --data no | wc -l || echo 0)" 0
}
sed '20s/"type":"\(.\)/"type":"x\1/' whole.ndjson >bent.ndjson
refused "a bent line" bent.ndjson 'line 20: wrong check'
sed 20d whole.ndjson >missing.ndjson
refused "a missing line" missing.ndjson 'line 20: wrong check'
head -30 whole.ndjson >cut.ndjson
refused "a cut file" cut.ndjson 'line 30: the file was cut: the end of the export is missing'
head -c 9000 whole.ndjson >cut.ndjson
refused "a cut line" cut.ndjson 'line [0-9]+: the file was cut: its last line has no end'
echo '[x for x in lines if "stream" in x][9]["colour"] = "red"' | rewrite whole.ndjson >colour.ndjson
refused "an unknown field" colour.ndjson 'line [0-9]+: unknown field "colour"'
echo '[x for x in lines if "stream" in x][9]["data"]["amount"] = 7' | rewrite whole.ndjson >amount.ndjson
refused "a changed amount under new checks" amount.ndjson 'line [0-9]+: the content does not give its digest'
echo '[x for x in lines if "stream" in x][9]["stream"] = "Banking/1"' | rewrite whole.ndjson >name.ndjson
refused "a bad name" name.ndjson 'line [0-9]+: .*Banking/1'
echo '[x for x in lines if "stream" in x][9]["time"] = "2999-01-01T00:00:00Z"' | rewrite whole.ndjson >time.ndjson
refused "a time to come" time.ndjson 'line [0-9]+: the time lies in the future'
echo 'lines[0]["moonlog_export"] = 2' | rewrite whole.ndjson >form.ndjson
refused "a later form" form.ndjson 'line 1: the export is of a later form'
refused "no export" "$BANK/account.lua" 'line 1: '
echo 'at = [x for x in lines if "stream" in x and x.get("version") == 2][0]; at["version"] = 4' |
	rewrite whole.ndjson >gap.ndjson
rm -rf gap
expect 65 "a gap in versions" import gap.ndjson --data gap
says "a gap in versions" 'line [0-9]+: version 4 of banking.account/1: the stream is at version 1'
expect 0 "verify of what came before the gap" verify --data gap
expect 65 "the same streams twice" import live.ndjson --data data
says "the same streams twice" 'line [0-9]+: version 1 of banking.account/1: the stream is at version 2'
expect 66 "a file that is not there" import nowhere.ndjson --data no

# A log of another program.
cat >map.lua <<'END'
local names = { PostLikeEvent = "PostLiked" }
return function(record)
    if record.EventType == "Ping" then return nil end
    if record.EventType == "Broken" then error("no such thing") end
    return {
        stream = "posts.post/" .. record.AggregateIdentifier,
        type = names[record.EventType] or record.EventType:gsub("Event$", ""),
        version = 1,
        number = record.Version + 1,
        time = record.TimeStamp,
        id = record.Id,
        data = record.EventData,
    }
end
END
legacy() {
	python3 - "$1" <<'END'
import json, sys
for i in range(int(sys.argv[1])):
    print(json.dumps({"Id": "legacy-%d" % i, "TimeStamp": "2021-05-%02dT10:00:%02d.%06dZ" % (1 + i // 30000, i // 1000 % 60, i % 1000),
        "AggregateIdentifier": "p%d" % (i % 50), "AggregateType": "Post", "Version": i // 50,
        "EventType": "PostLikeEvent", "EventData": {"b": i, "a": "ä"}}))
END
}
legacy 500 >legacy.ndjson
expect 0 "a legacy log" import --map map.lua legacy.ndjson --data legacy
says "a legacy log" 'imported 500 entries'
expect 0 "verify of it" verify --data legacy
expect 0 "an event of it" stream show posts.post/p3 --data legacy --json
says "its shape" '"type":"PostLiked".*"time":"2021-05-01T10:00:00.000003Z".*"causation_id":"legacy-3".*"data":\{"a":"ä","b":3\}'
(cat legacy.ndjson; echo '{"EventType":"Ping"}'; echo '{"EventType":"Broken"}') >broken.ndjson
expect 65 "a record that the map refuses" import --map map.lua broken.ndjson --data broken
says "a record that the map refuses" 'line 502: map.lua:4: no such thing'
same "nothing was taken" "$([ -e broken ] && echo there)" ""
sed -i 's/number = .*/number = record.Version + 2,/' map.lua
expect 65 "numbers that leave a gap" import --map map.lua legacy.ndjson --data gaps
says "numbers that leave a gap" 'line 1: version 2 of posts.post/p0: the stream is at version 0'
sed -i 's/number = .*/nomber = 1,/' map.lua
expect 65 "a misspelt field" import --map map.lua legacy.ndjson --data gaps
says "a misspelt field" 'line 1: .*unknown field "nomber"'
sed -i 's/nomber = .*/number = record.Version + 1,/' map.lua
sed 's/type = /type = "a." .. /' map.lua >dotted.lua
expect 65 "a type that no rules can declare" import --map dotted.lua legacy.ndjson --data dotted
says "a type that no rules can declare" "line 1: .*the type is a name as rules declare it"
sed 's/id = record.Id,/&\n unique = { name = record.AggregateIdentifier, row = record.Version },/' map.lua >keys.lua
head -1 legacy.ndjson >first.ndjson
expect 0 "unique keys" import --map keys.lua first.ndjson --data keys
expect 0 "export of them" export --data keys
says "a text" '^\{"unique":"posts.name","key":"p0","stream":"posts.post/p0"'
says "an integer" '^\{"unique":"posts.row","key":"0","stream":"posts.post/p0"'
head -3 legacy.ndjson | sed 's/"Version": 0/"Version": 0, "x": 1/' >three.ndjson
expect 65 "a key that another stream holds" import --map keys.lua three.ndjson --data taken
says "a key that another stream holds" 'line 2: the unique key "0" is held by another stream here'
sed 's/row = record.Version/row = 0.5/' keys.lua >half.lua
expect 65 "a key of half a number" import --map half.lua first.ndjson --data half
says "a key of half a number" 'line 1: what the function gave: a unique key is text or an integer'
sed '1,/function(record)/s/function(record).*/function(record) while true do pcall(string.rep, "x") end/' map.lua >endless.lua
grep -q 'while true' endless.lua && pass || fail "an endless map is made"
expect 65 "a map that does not end" import --map endless.lua first.ndjson --data endless
says "a map that does not end" 'line 1: .*endless.lua:[0-9]+: .*(stopped|limit|250)'
echo 'while true do end' >stuck.lua
expect 65 "a map that does not load" import --map stuck.lua first.ndjson --data endless
says "a map that does not load" 'stuck.lua:1'
echo 'return { }' >table.lua
expect 65 "a map that is no function" import --map table.lua legacy.ndjson --data gaps
says "a map that is no function" 'table.lua must return a function'

# Killed at several places, an import goes on and ends like one that was never killed. The file comes through a pipe,
# so that each time it is in the middle for certain.
sed 's/id = .*/&\n unique = record.Version == 0 and { name = record.AggregateIdentifier } or nil,/' map.lua >kept.lua
legacy 20000 >large.ndjson
expect 0 "never killed" import --map kept.lua large.ndjson --data never
mkfifo pipe
for lines in 3000 9000 15000; do
	"$MOONLOG" import --map kept.lua - --data killed <pipe >/dev/null 2>"$SCRATCH/err" &
	child=$!
	exec 3>pipe
	head -$lines large.ndjson >&3
	for _ in $(seq 600); do
		head=$("$MOONLOG" status --data killed --json 2>/dev/null | sed -n 's/.*"head":\([0-9]*\).*/\1/p')
		[ "${head:-0}" -gt $((lines - 3000)) ] && break
		kill -0 $child 2>/dev/null || break
		sleep 0.05
	done
	kill -KILL $child
	wait $child 2>/dev/null
	exec 3>&-
	if [ "${head:-0}" -gt $((lines - 3000)) ] && [ "$head" -lt 20000 ]; then pass; else fail "not killed in the middle: ${head:-}"; fi
done
expect 0 "goes on" import --map kept.lua large.ndjson --data killed
says "goes on" 'imported [0-9]+ entries, [0-9]+ were there from before'
expect 0 "verify" verify --data killed
same "as if never killed" "$(log_of killed)" "$(log_of never)"
same "unique keys too" "$("$MOONLOG" export --data killed | grep -c '^{"unique"')" 50
# A progress bar stays in its one line, however narrow the terminal.
python3 - "$MOONLOG" 30 >bar <<'END' 2>err || fail "import on a terminal"
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 20, int(sys.argv[2]), 0, 0))
    os.execv(sys.argv[1], [sys.argv[1], "import", "--map", "kept.lua", "large.ndjson", "--data", "barred"])
said = b""
try:
    while more := os.read(terminal, 65536):
        said += more
except OSError:
    pass
lines = [line for line in said.decode().replace("\n", "\r").replace("\x1b[K", "").split("\r") if "[" in line]
print(len(lines) > 0, max(map(len, lines), default=0) < int(sys.argv[2]), os.waitpid(child, 0)[1])
END
same "a bar in its line" "$(cat bar)" "True True 0"
sed '5s/legacy-4/legacy-x/' large.ndjson >other.ndjson
expect 65 "another file under the same first line" import --map kept.lua other.ndjson --data killed
says "another file" 'up to here the file is not the one that was imported before'
finish
