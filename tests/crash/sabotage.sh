#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Do the crash tests notice? Builds the daemon with syncs off, and one that answers before the commit, and wants both
# crash tests to fail on each. Run by hand and by run.sh --whole; needs a configured release build for its options.
set -u
cd "$(dirname "$0")/../.." || exit 1
missed=0
for kind in no_sync answer_first; do
	build=build/sabotage-$kind
	cmake --preset release -B $build -DMOONLOG_TESTS=ON -DMOONLOG_SABOTAGE=$kind >/dev/null &&
		ninja -C $build moonlog crash_images crash_recorder crash_replay >/dev/null || exit 2
	# Transfers load streams, and a build that answers before the commit cannot load what it has not committed:
	# leave the finding to the ledger.
	tools="--kinds deposit,withdraw --binary $build/moonlog --domain domains/banking --seed 1
		--recorder $build/tests/crash/libcrash_recorder.so --images $build/tests/crash/crash_images"
	for test in "kill --cycles 30" "power --count 200 --commands 600"; do
		if timeout 300 python3 tests/crash/crash.py $test $tools >$build/crash.log 2>&1; then
			echo "MISSED $kind: crash.py $test succeeds on it"
			missed=$((missed + 1))
		else
			echo "noticed $kind: crash.py $test: $(grep -m1 -E 'FAILED|acknowledged up to' $build/crash.log | cut -c1-150)"
		fi
	done
done
[ $missed -eq 0 ]
