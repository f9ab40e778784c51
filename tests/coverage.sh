#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Branch coverage of store, codec and sandbox by the suites: builds the coverage preset, runs it, prints a line a file
# and one a group. Exits 1 when a group is below COVERAGE_MINIMUM percent of its branches (90).
set -eu -o pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh
need_packages $BUILD_PACKAGES lua5.4 lua-busted python3 universal-ctags gcovr

minimum=${COVERAGE_MINIMUM:-90}
build=build/coverage

cmake --preset coverage -DMOONLOG_TESTS=ON >/dev/null
cmake --build $build -j 2 -- -k 0 >$build/build.log 2>&1 || { grep -A5 'error' $build/build.log | head -40; exit 1; }
find $build -name '*.gcda' -delete
# A killed process writes no counts, so the crash tests would only cost time.
(cd $build && NTH_DENSE=${NTH_DENSE:-100} ctest -j 2 -LE 'crash|house|docs' --output-on-failure >ctest.log 2>&1) ||
	tail -40 $build/ctest.log
gcovr --root . --object-directory $build --exclude-unreachable-branches --exclude-throw-branches --csv \
	--filter 'engine/store/' --filter 'engine/base/json.c' --filter 'engine/script/lua/' >$build/coverage.csv

awk -F, -v minimum="$minimum" '
	function group(file) {
		if (file ~ /^engine\/store\//) return "store"
		if (file ~ /\/json[^\/]*\.c$/) return "codec"
		if (file ~ /\/(sandbox|allow|vm|alloc|pattern|lib_[a-z]+)\.c$/) return "sandbox"
		return ""
	}
	NR > 1 && group($1) != "" && $1 ~ /\.c$/ {
		g = group($1)
		lines[g] += $2; lines_hit[g] += $3; branches[g] += $5; branches_hit[g] += $6
		printf "%-8s %5.1f %% of %4d branches, %5.1f %% of %4d lines  %s\n", g, \
			$5 ? 100 * $6 / $5 : 100, $5, $2 ? 100 * $3 / $2 : 100, $2, $1 | "sort"
	}
	END {
		close("sort")
		bad = 0
		count = split("store codec sandbox", order, " ")
		for (i = 1; i <= count; i++) {
			g = order[i]
			share = branches[g] ? 100 * branches_hit[g] / branches[g] : 0
			printf "%s: %.1f %% of %d branches, %.1f %% of %d lines\n", g, share, branches[g], \
				lines[g] ? 100 * lines_hit[g] / lines[g] : 0, lines[g]
			if (share < minimum) bad = 1
		}
		if (bad) print "below " minimum " % of branches"
		exit bad
	}' $build/coverage.csv
