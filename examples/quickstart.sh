#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A bank in one command: installs what is missing, builds, starts the daemon with domains/banking, plays a short story
# through its HTTP API and leaves it running. Started again it finds the running one and plays another story with it.
#
#   examples/quickstart.sh          leaves the daemon running, prints its address and how to stop it
#   examples/quickstart.sh --once   stops it again and exits 0 when everything was as it should be
#   examples/quickstart.sh --stop   stops the one that runs
set -eu -o pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh

data=build/quickstart/data log=build/quickstart/log pidfile=build/quickstart/pid address_file=build/quickstart/address
once=false started=false reply="" status=""

die() {
	echo "quickstart: $*" >&2
	[ -s $log ] && { echo "the end of $log:" >&2; tail -5 $log >&2; }
	if $once && $started; then
		started=false
		stop
	fi
	exit 1
}

running() {
	[ -s $pidfile ] || return 1
	case $(readlink "/proc/$(cat $pidfile)/exe" 2>/dev/null) in "$PWD/build/release/moonlog"*) return 0 ;; esac
	return 1
}

stop() {
	running || return 0
	kill -TERM "$(cat $pidfile)"
	for _ in $(seq 200); do
		running || break
		sleep 0.05
	done
	running && die "it does not stop"
	rm -f $pidfile $address_file
}

build() {
	need_packages $BUILD_PACKAGES curl
	mkdir -p build/quickstart
	echo "building build/release/moonlog"
	{
		[ -f build/release/CMakeCache.txt ] || cmake --preset release -DMOONLOG_TESTS=OFF
		cmake --build build/release --target moonlog
	} >build/quickstart/build.log 2>&1 || { tail -30 build/quickstart/build.log >&2; die "the build failed"; }
}

free_port() {
	local port
	for port in 8080 $(seq 8081 8180); do
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
	die "no free port from 8080 to 8180"
}

start() {
	local address
	address=127.0.0.1:$(free_port)
	mkdir -p $data
	nohup build/release/moonlog serve --data $data --listen "$address" domains/banking >$log 2>&1 </dev/null &
	echo $! >$pidfile
	started=true
	for _ in $(seq 200); do
		if curl -sf -o /dev/null "http://$address/readyz"; then
			echo "$address" >$address_file
			return
		fi
		running || { rm -f $pidfile; die "the daemon ended"; }
		sleep 0.05
	done
	die "the daemon is not ready after 10 s"
}

# call METHOD PATH [BODY]: shows the request and what came back; sets status and reply.
call() {
	local method=$1 path=$2 body=${3:-} options=(-s -w '\n%{http_code}' -X "$1")
	[ -n "$body" ] && options+=(-H 'Content-Type: application/json' -d "$body")
	reply=$(curl "${options[@]}" "http://$address$path") || die "no answer to $method $path"
	status=${reply##*$'\n'} reply=${reply%$'\n'*}
	local shown=$reply
	[ ${#shown} -gt 500 ] && shown="${shown:0:500} ..."
	printf '  %s %s %s\n    -> %s %s\n' "$method" "$path" "$body" "$status" "$shown"
}

want() {
	[ "$status" = "$1" ] || die "wanted status $1, got $status"
	[ -z "${2:-}" ] || case $reply in *"$2"*) ;; *) die "wanted $2 in the answer" ;; esac
}

# The text or number of a member, by name, from a flat answer.
member() {
	sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\)\"\{0,1\}.*/\1/p" <<<"$reply" | head -1
}

# await PATH TEXT: read models follow the log; asks again until the text is there.
await() {
	local _
	for _ in $(seq 100); do
		case $(curl -s "http://$address$1") in *"$2"*) return 0 ;; esac
		sleep 0.05
	done
	die "GET $1 does not show $2"
}

story() {
	local number ada bob
	number=$(($(date +%s) % 1000000)).$((RANDOM % 900 + 100))
	echo "Ada opens an account with 100.00"
	call POST /api/accounts \
		"{\"accountNumber\": \"A$number\", \"accountName\": \"Savings\", \"ownerName\": \"Ada\", \"initialBalance\": 100.00}"
	want 201
	ada=$(member accountId)
	[ -n "$ada" ] || die "the answer names no accountId"
	echo "Bob opens an empty one"
	call POST /api/accounts \
		"{\"accountNumber\": \"B$number\", \"accountName\": \"Wages\", \"ownerName\": \"Bob\", \"initialBalance\": 0}"
	want 201
	bob=$(member accountId)
	echo "Ada pays in 50.00"
	call POST "/api/accounts/$ada/deposit" '{"amount": 50.00, "description": "birthday"}'
	want 200 150
	echo "Ada cannot take out more than there is: a rule refuses it, nothing is recorded"
	call POST "/api/accounts/$ada/withdraw" '{"amount": 1000.00}'
	want 422 insufficient_funds
	echo "Ada sends Bob 30.00: one command, two streams, one transaction"
	call POST "/api/accounts/$ada/transfer" "{\"toAccountId\": \"$bob\", \"amount\": 30.00}"
	want 200
	echo "What happened to Ada's account, event by event"
	call GET "/api/accounts/$ada/history"
	want 200 MoneyDeposited
	echo "The read models: balances of all accounts, Bob's transactions"
	await /api/reports/balances "$bob"
	await "/api/reports/transactions/$bob" 30
	call GET /api/reports/balances
	want 200 "$ada"
	call GET "/api/reports/transactions/$bob"
	want 200
}

case ${1:-} in
"") ;;
--once) once=true ;;
--stop) stop; exit 0 ;;
*) echo "quickstart.sh: unknown option $1; see the head of the file" >&2; exit 2 ;;
esac

if running; then
	echo "the bank is running already"
else
	build
	start
fi
address=$(cat $address_file)
story
if $once; then
	$started && stop
	echo "done"
	exit 0
fi
cat <<END

The bank runs at http://$address (process $(cat $pidfile), its log: $log, its data: $data).
  curl -s http://$address/api/reports/balances
  build/release/moonlog stream list --data $data
  build/release/moonlog verify --data $data
  examples/quickstart.sh --stop
END
