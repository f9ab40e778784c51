# SPDX-License-Identifier: MIT
# What the black-box tests of the command line share. A script sources it, runs its checks and ends with `finish`.
# Arguments of every script: the binary, the source tree.

set -u
MOONLOG=$(realpath "$1")
SOURCE=$(realpath "$2")
BANK=$SOURCE/domains/banking
[ -x "$MOONLOG" ] || { echo "$1 is no program" >&2; exit 1; }
SCRATCH=$(mktemp -d)
DAEMON=
PASSED=0
FAILED=0
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:exitcode=99"
unset MOONLOG_CONFIG MOONLOG_DATA MOONLOG_LISTEN

clean_up() {
	[ -n "$DAEMON" ] && kill -KILL "$DAEMON" 2>/dev/null
	rm -rf "$SCRATCH"
}
trap clean_up EXIT
cd "$SCRATCH" || exit 1

pass() { PASSED=$((PASSED + 1)); }

fail() {
	FAILED=$((FAILED + 1))
	echo "FAILED $1" >&2
	sed 's/^/    /' "$SCRATCH/out" "$SCRATCH/err" 2>/dev/null | head -20 >&2
}

# basket FOLDER: an aggregate whose events are prices.
basket() {
	cat >"$1/basket.lua" <<'LUA'
return {
    name = "basket", initial = function() return { total = 0 } end,
    events = { Put = { data = { price = "integer" }, apply = function(state, data)
        state.total = state.total + data.price
        return state
    end } },
    commands = { Put = { anywhere = true, data = { price = "integer" }, handle = function(_, data)
        return { { type = "Put", data = data } }
    end } },
}
LUA
}

# expect CODE TITLE COMMAND...: runs moonlog, keeps its output in $SCRATCH/out and err, checks the exit code.
expect() {
	local wanted=$1 title=$2 got
	shift 2
	"$MOONLOG" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
	got=$?
	if [ "$got" -eq "$wanted" ]; then pass; else fail "$title: exit code $got, not $wanted"; fi
}

# says TITLE PATTERN: the last output or complaint matches an extended pattern.
says() {
	if cat "$SCRATCH/out" "$SCRATCH/err" | grep -qE -- "$2"; then pass; else fail "$1: nothing says \"$2\""; fi
}

# silent TITLE PATTERN: neither does.
silent() {
	if cat "$SCRATCH/out" "$SCRATCH/err" | grep -qE -- "$2"; then fail "$1: something says \"$2\""; else pass; fi
}

# same TITLE GOT WANTED
same() {
	if [ "$2" = "$3" ]; then pass; else fail "$1: \"$2\", not \"$3\""; fi
}

# is_json TITLE: every line of the last output is JSON.
is_json() {
	if [ -s "$SCRATCH/out" ] && python3 -c 'import json,sys
for line in open(sys.argv[1]): json.loads(line)' "$SCRATCH/out" 2>>"$SCRATCH/err"; then pass; else fail "$1: no JSON"; fi
}

# start DIR [ARGUMENTS...]: a daemon with the bank, and its ADDRESS.
start() {
	local data=$1
	shift
	rm -f "$data/moonlog.address"
	"$MOONLOG" serve --data "$data" --listen 127.0.0.1:0 "$@" "$BANK" >>"$SCRATCH/daemon.out" 2>>"$SCRATCH/daemon.err" &
	DAEMON=$!
	for _ in $(seq 300); do
		[ -s "$data/moonlog.address" ] && break
		kill -0 "$DAEMON" 2>/dev/null || break
		sleep 0.05
	done
	ADDRESS=$(cat "$data/moonlog.address" 2>/dev/null)
	if [ -n "$ADDRESS" ]; then pass; else fail "the daemon did not start"; cat "$SCRATCH/daemon.err" >&2; fi
}

# stop CODE TITLE: TERM, and the exit code.
stop() {
	local got
	kill -TERM "$DAEMON"
	wait "$DAEMON"
	got=$?
	DAEMON=
	if [ "$got" -eq "$1" ]; then pass; else fail "$2: the daemon ended with $got, not $1"; cat "$SCRATCH/daemon.err" >&2; fi
}

# post PATH BODY [HEADER...]: prints the status, keeps the body in $SCRATCH/answer.
post() {
	local path=$1 body=$2
	shift 2
	local headers=()
	for header in "$@"; do headers+=(-H "$header"); done
	curl -s -o "$SCRATCH/answer" -w '%{http_code}' -H 'Content-Type: application/json' "${headers[@]}" \
		-d "$body" "http://$ADDRESS$path"
}

# account NUMBER: opens an account through the /commands route under the id NUMBER.
account() {
	post "/commands/banking/account/$1/CreateAccount" \
		"{\"accountNumber\":\"$1\",\"accountName\":\"n$1\",\"ownerName\":\"o\",\"initialBalance\":100.00}"
}

deposit() {
	post "/commands/banking/account/$1/DepositMoney" "{\"amount\":$2}"
}

finish() {
	echo "$PASSED passed, $FAILED failed"
	[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
	exit
}
