#!/bin/bash
# SPDX-License-Identifier: MIT
# The command line without any store: help, version, wrong lines, configuration, new, check, test, try.
. "$(dirname "$0")/lib.sh"

expect 2 "no verb"
says "no verb" "no command is given"
expect 2 "unknown verb" sereve
says "unknown verb" 'did you mean "serve"'
expect 2 "unknown option" serve --lisen x
says "unknown option" 'did you mean "listen"'
expect 0 "help" help
for verb in serve dev new editor test record check try "stream list" "stream show" "stream tail" state "projection list" "projection builds" "projection rebuild" \
	"projection retry" "projection skip" status backup restore verify config version help; do
	says "help names $verb" "^  $verb "
	grep -qE "^\.(B|BI|BR) \"?${verb}\"?( |$)" "$SOURCE/docs/moonlog.1" && pass || fail "the man page lacks $verb"
	"$MOONLOG" help $verb | grep -q '^usage: moonlog ' && pass || fail "no help for $verb"
done
expect 0 "help of two words" stream show --help
says "help of two words" "usage: moonlog stream show STREAM"
expect 0 "help of the configuration" help config
says "help of the configuration" '^ +reload.warn_domains .*\(none\)$'
silent "help of the configuration" '\(null\)| $'
expect 2 "help of nothing" help nothing
expect 0 "version" version
says "version" '^moonlog [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 "--version" --version
expect 0 "version --json" version --json
is_json "version --json"

# Configuration: sources, and every kind of wrong line.
cat >good.lua <<'END'
return {
    data = "d",
    log = { level = "warn" },
    http = { body = "2MiB" },
}
END
expect 0 "config" config --config good.lua --workers 3
says "file" '^log.level = "warn" +-- good.lua:3$'
says "flag" '^workers = 3 +-- --workers$'
says "default" '^readers = 2 +-- default$'
says "bytes" '^http.body = 2097152 '
MOONLOG_LOG_LEVEL=error MOONLOG_CONFIG=good.lua expect 0 "environment" config
says "environment over file" '^log.level = "error" +-- MOONLOG_LOG_LEVEL$'
expect 0 "config --json" config --json --config good.lua
is_json "config --json"
wrong() {
	printf '%s' "$2" >wrong.lua
	expect 78 "$1" config --config wrong.lua
	says "$1" "$3"
}
wrong "unknown key" $'return {\n lisen = "x" }' 'wrong.lua:2: lisen: unknown key; did you mean "listen"'
wrong "wrong type" $'return {\n\n workers = "two" }' 'wrong.lua:3: workers: expected an integer, got text'
wrong "out of range" $'return { workers = 100 }' 'wrong.lua:1: workers: expected an integer from 0 to 64'
wrong "no Lua" $'return {\n data = }' "wrong.lua:2: unexpected symbol"
wrong "no table" 'return 5' 'wrong.lua: the file must return a table'
expect 78 "missing configuration" config --config nowhere.lua
says "missing configuration" "nowhere.lua: no such file"
expect 2 "wrong flag" config --workers many
expect 2 "unknown setting" config --set limits.attempt=3
says "unknown setting" 'did you mean "limits.attempts"'
MOONLOG_READERS=x expect 78 "wrong variable" config
says "wrong variable" 'MOONLOG_READERS: expected an integer'

# The page of keys is the program's: names and defaults.
"$MOONLOG" config --json | python3 -c '
import json, re, sys
rows = [line.split(" | ") for line in open(sys.argv[1]) if line.startswith("| `")]
page = {row[0][2:].strip("` "): row[2].strip() for row in rows if len(row) == 5}
units = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
for key, told in json.load(sys.stdin).items():
    value = told["value"]
    shown = page.get(key)
    if shown is None: print("docs/INTERFACES.md lacks", key); continue
    sized = re.fullmatch("([0-9]+)(KiB|MiB|GiB)", shown)
    if sized: shown = str(int(sized[1]) * units[sized[2]])
    if isinstance(value, list): value = value[0]
    value = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if value != shown: print("docs/INTERFACES.md:", key, "is", value, "not", shown)
' "$SOURCE/docs/INTERFACES.md" >out 2>err
same "keys in docs/INTERFACES.md" "$(cat out err)" ""

# A new domain can be checked, tested and tried.
expect 0 "new" new shop
expect 73 "new over something" new shop
says "new over something" "shop: File exists"
expect 2 "new with a bad name" new Shop-1
expect 73 "new where nothing can be made" new nowhere/shop
expect 0 "check" check shop "$BANK"
expect 0 "check --json" check --json shop
is_json "check --json"
"$MOONLOG" new shaded >out || fail "new"
sed -i 's#routes = {#&\n        { "GET", "/log", health = true }, { "GET", "/views/{id}", state = "item" },#' shaded/domain.lua
expect 1 "routes that no request comes to" check shaded
says "routes that no request comes to" '^warning: route GET /log of shaded: the daemon answers this path itself$'
says "routes that no request comes to" '^warning: route GET /views/\{id\} of shaded: '
expect 0 "test" test shop
says "test" "4 passed, 0 failed"
(cd shop && luacheck -q --no-color .) >out 2>err
same "luacheck of a new domain" "$(cat out err)" "Total: 0 warnings / 0 errors in 6 files"

# What editors are told is made from the allow-list; the repository holds the same.
same "definitions in the repository" "$(diff shop/.luals/library.lua "$SOURCE/lua/moonlog/library.lua" 2>&1)" ""
same "luacheck standard in the repository" "$(diff shop/.luals/luacheck.lua "$SOURCE/lua/moonlog/luacheck.lua" 2>&1)" ""
for file in shop/.luals/*.lua; do luac5.4 -p "$file" >>out 2>&1 || fail "$file is no Lua"; done
python3 -m json.tool shop/.luarc.json >/dev/null 2>err && pass || fail ".luarc.json is no JSON"
printf 'return { f = function() return os.time(), jsn, json.encod end }\n' >shop/extra.lua
(cd shop && luacheck -q --no-color extra.lua) >out 2>err
says "luacheck knows the sandbox" "accessing undefined variable .*os"
says "luacheck knows the sandbox" "accessing undefined variable .*jsn"
says "luacheck knows the sandbox" "accessing undefined field .*encod"
rm shop/extra.lua
echo >>shop/.luals/library.lua
echo '{}' >shop/.luarc.json
sed -i 's/^std = .*/std = "lua54"/' shop/.luacheckrc
expect 0 "editor" editor shop
says "editor replaces what it made" "^wrote shop/.luals/library.lua"
says "editor replaces what it made" "^wrote shop/.luacheckrc"
says "editor leaves settings alone" "^kept  shop/.luarc.json"
same "editor replaces what it made" "$(diff shop/.luals/library.lua "$SOURCE/lua/moonlog/library.lua" 2>&1)" ""
# Every word of the test kit has a definition.
words=$(cd "$SOURCE/lua/moonlog" && grep -ohE '^function [A-Z][A-Za-z]*:[a-z_]+' ./*.lua | tr 'A-Z' 'a-z'
	sed -n '/^return {/,$s/^    \([a-z]*\) = .*/moonlog.\1/p' "$SOURCE/lua/moonlog/kit.lua")
same "words of the kit were found" "$(grep -c . <<<"$words" | grep -cE '^[0-9]{2,}$')" 1
same "words of the kit without a definition" "$(while read -r word; do
	grep -qE "^(function )?${word#function }( =|\()" shop/.luals/words.lua || echo "$word"
done <<<"$words")" ""
expect 66 "editor of nothing" editor nowhere
expect 66 "check of nothing" check nowhere
mkdir broken && printf 'return {\n  name = "a",\n  events = 5,\n  initial = function() return {} end,\n}\n' >broken/a.lua
expect 1 "check of broken rules" check broken
says "check of broken rules" '^broken/a.lua:[0-9]+: '
printf 'return {\n' >broken/b.lua
printf 'return { routes = { { "POST", "/x", command = "a.C" } } }\n' >broken/c.lua
expect 1 "check of several broken files" check broken
says "check of several broken files" '^broken/a.lua:[0-9]+: '
says "check of several broken files" '^broken/b.lua:[0-9]+: '
silent "check tells no consequences" '^broken/c.lua:'
expect 1 "check --json of broken rules" check --json broken
is_json "check --json of broken rules"
mkdir -p failing/spec && cp shop/*.lua failing/
sed 's/same_title/other_title/; s/"shop\./"failing./' shop/spec/item_spec.lua >failing/spec/item_spec.lua
expect 1 "a spec that fails" test failing

expect 0 "try" try --domain shop shop.item/1 CreateItem '{"title":"a"}'
says "try" 'shop.item/1  ItemCreated  \{"title":"a"\}'
expect 0 "try --json" try --json --domain shop shop.item/1 CreateItem '{"title":"a"}'
is_json "try --json"
expect 1 "try without a stream" try --domain shop shop.item/1 RenameItem '{"title":"a"}'
says "try without a stream" "no_such_stream"
expect 65 "try with a wrong field" try --domain shop shop.item/1 CreateItem '{"titel":"a"}'
says "try with a wrong field" "titel"
expect 65 "try with bad JSON" try --domain shop shop.item/1 CreateItem '{"title"'
expect 65 "try with a bad stream" try --domain shop shop CreateItem '{}'
expect 2 "try without rules" try shop.item/1 CreateItem '{}'

# Arguments that name nothing.
expect 2 "no data" stream list
expect 66 "no store" stream list --data nowhere
expect 66 "verify of nothing" verify --data nowhere
expect 66 "status of nothing" status --data nowhere
[ -e nowhere ] && fail "a reading verb made a directory" || pass
expect 2 "serve without domains" serve --data d
expect 78 "serve off loopback" serve --data d --listen 0.0.0.0:0 shop
says "serve off loopback" "--allow-plaintext-off-loopback"
expect 78 "serve at nonsense" serve --data d --listen nonsense shop
expect 65 "serve broken rules" serve --data d2 --listen 127.0.0.1:0 broken
says "serve broken rules" '[ab].lua:[0-9]+: '
if command -v man >/dev/null; then
	man --warnings -E UTF-8 -l -Tutf8 -Z "$SOURCE/docs/moonlog.1" >/dev/null 2>err
	same "man page" "$(cat err)" ""
fi
finish
