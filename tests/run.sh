#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and tests everything; the last line counts: "N passed, N failed".
#
#   tests/run.sh             all stages
#   tests/run.sh --quick     only the suites, under ASan and UBSan
#   tests/run.sh --whole     crash tests (300 kills, 2,000 power losses) and reloads (2,000) at full length
#   tests/run.sh --fuzz N    N seconds a fuzzer instead of 60
#   tests/run.sh --only S    only the stage S (packages always); --list names them
#
# A part that cannot run is counted as skipped and named; with CI=true it is a failure.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
. cmake/packages.sh

STAGES="asan release specs clang tsan lint fuzz quickstart"
TEST_PACKAGES="lua5.4 lua-busted lua-check universal-ctags clang clang-format libclang-rt-14-dev curl sqlite3 python3
	procps util-linux man-db openjdk-17-jre-headless maven kcat faketime"
only="" crash=short fuzz_seconds=60 jobs=2
while [ $# -gt 0 ]; do
	case $1 in
	--quick) only=asan ;;
	--whole) crash=whole ;;
	--fuzz) fuzz_seconds=${2:?--fuzz wants seconds}; shift ;;
	--only) only=${2:?--only wants a stage}; shift ;;
	--list) echo "$STAGES"; exit 0 ;;
	*) echo "run.sh: unknown option $1; see the head of the file" >&2; exit 2 ;;
	esac
	shift
done

passed=0 failed=0 skipped=0 complaints=()
logs=build/logs
mkdir -p $logs
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

pass() { passed=$((passed + ${1:-1})); }
fail() { failed=$((failed + 1)); complaints+=("FAILED $1"); echo "FAILED $1"; }
skip() {
	if [ "${CI:-}" = true ]; then fail "$1 (skipped, and CI skips nothing)"; return; fi
	skipped=$((skipped + 1)); complaints+=("skipped $1"); echo "skipped $1"
}

# build PRESET TARGET... -- OPTION...: configures when options change, builds. What fails to build is shown; the rest is
# still tested.
build() {
	local preset=$1 targets=() log=$logs/build-$1.log
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do targets+=("$1"); shift; done
	[ $# -gt 0 ] && shift
	if ! { cmake --preset "$preset" -DMOONLOG_TESTS=ON "$@" && cmake --build --preset "$preset" -j $jobs \
		${targets[@]:+--target "${targets[@]}"} -- -k 0; } >"$log" 2>&1; then
		grep -E -A8 'error|FAILED|Error' "$log" | head -60
		fail "build of $preset ($log)"
		return 1
	fi
}

# suites PRESET CTEST_OPTION...: runs ctest, prints what failed, counts.
suites() {
	local preset=$1 report
	shift
	report=$PWD/$logs/$preset-$only.xml
	rm -f "$report"
	(cd "build/$preset" && $wrap ctest --output-on-failure -j $jobs --output-junit "$report" "$@") |
		tee "$logs/ctest-$preset.log" |
		grep -v -E '^ +Start +[0-9]+:|/(MinSizeRel|RelWithDebInfo|Deployment|Development|Release|Debug)/|^work/'
	count_junit "$report" "$preset"
}
wrap=""

count_junit() {
	local head name
	if ! head=$(grep -m1 -A8 '<testsuite' "$1" 2>/dev/null | tr '\n\t' '  '); then
		fail "ctest of $2 gave no report"
		return
	fi
	number() { sed -n "s/.*[^a-z]$1=\"\([0-9]*\)\".*/\1/p" <<<"$head"; }
	local tests failures skips
	tests=$(number tests) failures=$(number failures) skips=$(($(number skipped) + $(number disabled)))
	pass $((tests - failures - skips))
	for name in $(sed -n 's/.*<testcase name="\([^"]*\)".*status="fail".*/\1/p' "$1"); do fail "$2: $name"; done
	# What could not be built did not merely sit out.
	local missing
	missing=$(grep -B1 'message="Unable to find executable' "$1" | sed -n 's/.*<testcase name="\([^"]*\)".*/\1/p')
	for name in $missing; do fail "$2: $name was not built"; done
	for name in $(sed -n 's/.*<testcase name="\([^"]*\)".*status="\(notrun\|disabled\)".*/\1/p' "$1"); do
		grep -qx "$name" <<<"$missing" || skip "$2: $name"
	done
	[ "$tests" -gt 0 ] || fail "$2: no test ran"
}

stage_asan() {
	build asan
	suites asan
}

# What a sanitizer cannot carry (preloaded shims) or hides (timing) runs on the release build too.
stage_release() {
	build release -- -DMOONLOG_CRASH=$crash
	suites release -LE 'house|fuzz'
	if [ $crash = whole ]; then
		if tests/crash/sabotage.sh; then pass; else fail "crash tests that miss a sabotaged build"; fi
	fi
}

stage_specs() {
	local domain log=$logs/specs.log count
	if ! build/release/moonlog help 2>/dev/null | grep -q '^ *test'; then
		skip "specs: this binary has no test verb"
		return
	fi
	for domain in domains/*/; do
		[ -d "$domain/spec" ] || continue
		if build/release/moonlog test "${domain%/}" >"$log" 2>&1; then
			count=$(grep -oE '[0-9]+ (passed|success)' "$log" | tail -1 | grep -oE '^[0-9]+')
			tail -1 "$log"
			if [ "${count:-0}" -gt 0 ]; then pass "$count"; else fail "specs of $domain: none ran"; fi
		else
			tail -40 "$log"
			fail "specs of $domain"
		fi
	done
}

# The other compiler's opinion of every file.
stage_clang() {
	build clang && pass
}

stage_tsan() {
	local names threads='threads|tsan|contract|store'
	cmake --preset tsan -DMOONLOG_TESTS=ON >$logs/configure-tsan.log 2>&1
	names=$(cd build/tsan && ctest -N -FA . -L "$threads" | sed -n 's/^ *Test *#[0-9]*: /test_/p')
	[ -n "$names" ] || { fail "tsan: no suite is labelled $threads"; return; }
	# The sanitizer wants an address space without surprises.
	wrap="setarch $(uname -m) -R"
	build tsan $names
	suites tsan -L "$threads"
	wrap=""
}

stage_lint() {
	local files
	# Hostile scripts are wrong on purpose.
	files=$(find domains lua tests examples -name '*.lua' -not -path 'tests/fuzz/*' -not -path 'tests/hostile/*')
	if [ -z "$files" ]; then
		fail "luacheck: saw no file"
	elif luacheck -q $files; then
		pass
	else
		fail "luacheck"
	fi
}

stage_fuzz() {
	local targets target pids=() found=tests/fuzz/found
	cmake --preset fuzz -DMOONLOG_TESTS=ON >$logs/configure-fuzz.log 2>&1
	targets=$(ninja -C build/fuzz -t targets all 2>/dev/null |
		sed -n 's/^\(fuzz_[a-z0-9_]*\): phony$/\1/p' | sort -u)
	[ -n "$targets" ] || { fail "fuzz: no target"; return; }
	build fuzz $targets
	mkdir -p $found
	echo "$fuzz_seconds s each:" $targets
	for target in $targets; do
		mkdir -p "build/fuzz/corpus/$target"
		"build/fuzz/tests/fuzz/$target" -max_total_time="$fuzz_seconds" -timeout=25 -rss_limit_mb=2048 \
			-print_final_stats=1 -artifact_prefix="$found/$target-" "build/fuzz/corpus/$target" \
			>"$logs/$target.log" 2>&1 &
		pids+=("$!")
	done
	for target in $targets; do
		if wait "${pids[0]}"; then
			echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$target.log") runs"
			pass
		else
			tail -30 "$logs/$target.log"
			fail "$target (input kept in $found)"
		fi
		pids=("${pids[@]:1}")
	done
}

stage_quickstart() {
	if examples/quickstart.sh --once >$logs/quickstart.log 2>&1; then
		pass
	else
		tail -30 $logs/quickstart.log
		fail "quickstart"
	fi
}

if ! need_packages $BUILD_PACKAGES $TEST_PACKAGES; then
	echo "0 passed, 1 failed"
	exit 1
fi
for stage in $STAGES; do
	if [ -n "$only" ] && [ "$only" != "$stage" ]; then continue; fi
	echo "=== $stage"
	begin=$SECONDS
	"stage_$stage"
	echo "=== $stage took $((SECONDS - begin)) s"
done

[ $((passed + failed)) -gt 0 ] || fail "nothing ran (--only $only?)"
for complaint in ${complaints[@]:+"${complaints[@]}"}; do echo "$complaint"; done
if [ $skipped -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ]
