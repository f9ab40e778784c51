#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long a reload takes, from the request to the answer that every worker decides by the new rules.

  reload_bench.py --binary B [--lines 2000] [--reloads 20]

A domain of so many lines: aggregates of five events and five commands each, a projection and a query for each; reloads
without shadow alternate between two variants of one handler. Printed are medians, for it and for the bank's size of a
tenth, beside an fsync of a small file in the same folder.
"""
import argparse, os, re, shutil, statistics, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reload"))
from rig import Failure, reload, start, write  # noqa: E402

EVENT = """        Changed%(n)d = {
            data = { amount = "integer", note = "string?" },
            apply = function(state, data)
                state.total%(n)d = (state.total%(n)d or 0) + data.amount
                return state
            end,
        },
"""
COMMAND = """        Change%(n)d = {
            anywhere = true,
            data = { amount = { type = "integer", minimum = 1 }, note = "string?" },
            handle = function(state, data)
                if (state.total%(n)d or 0) + data.amount > 1000000 then
                    return nil, { code = "too_much", message = "%(variant)s" }
                end
                return { { type = "Changed%(n)d", data = { amount = data.amount, note = data.note } } },
                       { total = (state.total%(n)d or 0) + data.amount }
            end,
        },
"""
ROWS = """return {
    name = "%(name)s_rows",
    tables = { %(table)s = { key = { "Id" }, columns = { Id = "text", Total = "integer" } } },
    on = {
        ["%(name)s.Changed1"] = function(view, data, meta)
            view.%(table)s:add({ Id = meta.stream_id }, { Total = data.amount })
        end,
    },
}
"""
QUERIES = """return {
    queries = {
        %(name)s = { params = {}, run = function(view) return view.%(table)s:find { limit = 10 } end },
    },
    routes = {
        { "POST", "/%(name)s/{id}/change", command = "%(name)s.Change1" },
        { "GET", "/%(name)s", query = "%(name)s" },
    },
}
"""


def write_aggregate(folder, number, variant):
    name = f"thing{number}"
    text = f'return {{\n    name = "{name}",\n    initial = function() return {{}} end,\n    events = {{\n'
    text += "".join(EVENT % {"n": n} for n in range(1, 6)) + "    },\n    commands = {\n"
    text += "".join(COMMAND % {"n": n, "variant": variant} for n in range(1, 6)) + "    },\n}\n"
    write(os.path.join(folder, name + ".lua"), text)
    names = {"name": name, "table": name.capitalize()}
    write(os.path.join(folder, name + "_rows.lua"), ROWS % names)
    write(os.path.join(folder, name + "_queries.lua"), QUERIES % names)


def count_lines(folder):
    return sum(len(open(os.path.join(folder, name)).readlines()) for name in os.listdir(folder))


def sync_ms(folder):
    path = os.path.join(folder, "synced")
    took = []
    for _ in range(20):
        with open(path, "w") as file:
            began = time.monotonic()
            file.write("x" * 300)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
    return statistics.median(took) * 1000


def measure(options, scratch, lines):
    folder = os.path.join(scratch, f"d{lines}")
    os.mkdir(folder)
    number = 0
    while not os.listdir(folder) or count_lines(folder) < lines:
        number += 1
        write_aggregate(folder, number, "one")
    daemon = start(options.binary, scratch, folder, f"data{lines}")
    took = []
    try:
        for turn in range(options.reloads):
            write_aggregate(folder, 1, "two" if turn % 2 == 0 else "one")
            began = time.monotonic()
            reload(daemon, shadow=False)
            took.append((time.monotonic() - began) * 1000)
        daemon.stop()
    finally:
        daemon.kill()
    log = open(daemon.data + ".log").read()
    inside = [int(us) / 1000 for us in re.findall(r"rules changed.*took_us=(\d+)", log)]
    if len(inside) != options.reloads:
        raise Failure(f"{len(inside)} reloads are logged, not {options.reloads}")
    print(f"lines={count_lines(folder)} aggregates={number} reloads={options.reloads} "
          f"asked_ms={statistics.median(took):.1f} engine_ms={statistics.median(inside):.1f} "
          f"engine_least_ms={min(inside):.1f} engine_most_ms={max(inside):.1f} sync_ms={sync_ms(scratch):.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--reloads", type=int, default=20)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="moonlog-reload-", dir=os.environ.get("TMPDIR"))
    try:
        for lines in (options.lines // 10, options.lines):
            measure(options, scratch, lines)
    finally:
        shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
