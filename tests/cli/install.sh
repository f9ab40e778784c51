#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs into a scratch prefix and uses what is there: the program, the library through pkg-config, the man page.
# Arguments: the binary, the source tree, the build folder, the C compiler and its flags.
BUILD=$(realpath "$3")
COMPILER=$4
FLAGS=${5:-}
. "$(dirname "$0")/lib.sh"

cmake --install "$BUILD" --prefix "$SCRATCH/usr" >out 2>err && pass || fail "cmake --install"
"$SCRATCH/usr/bin/moonlog" version >out 2>err && pass || fail "the installed program does not run"
MANUAL=$(find usr -name moonlog.1)
[ -n "$MANUAL" ] && pass || fail "no man page"
export PKG_CONFIG_PATH=$(dirname "$(find "$SCRATCH/usr" -name moonlog.pc)")
pkg-config --validate moonlog && pass || fail "moonlog.pc"
"$COMPILER" $FLAGS -o embed "$SOURCE/examples/embed.c" $(pkg-config --cflags --libs moonlog) >out 2>err && pass ||
	fail "embed.c does not compile with pkg-config"
./embed "$BANK" data >out 2>err && pass || fail "the installed library does not run"
says "embed" "^balances as of "
expect 0 "the store of an embedded engine" verify --data data
"${NM:-nm}" -g --defined-only "$(find usr -name libmoonlog.a)" | grep -vE '^$|moonlog\.o:| moonlog_' >out
same "the library exports moonlog_ names alone" "$(cat out)" ""
finish
