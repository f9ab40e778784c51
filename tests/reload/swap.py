#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A projection changes while it is read and written.

  swap.py --binary B --load L [--events 1000000] [--accounts 500] [--connections 8] [--pollers 2] [--seed N]

The projection `sums` keeps what each account got and, in a row of another table, what all got; by the rules "two"
accounts whose number ends in 0 get twice as much. Its query names the rules by which it runs. Readers that poll it
check every answer: rows, total and the query itself are of one definition, the accounts' sums are the total, and
nobody sees the log go backwards. Under a closed loop of commands:

  reload     "two" is made beside; the rows that differ are counted, and are the ones that must
  rollback   the next answer is "one", up to date; and back; and back
  rebuild    no row differs

`counts`, another projection that does not change, is copied; afterwards every sum is what its counts say.
"""
import argparse, json, os, random, shutil, sys, tempfile, threading, time

from rig import Failure, Load, Socket, each_once, get, head, reload, start, wait_for_load, write

ACCOUNT = """-- SPDX-License-Identifier: MIT
return {
    name = "account",
    initial = function() return {} end,
    events = { Got = { data = { amount = "integer" }, apply = function(state) return state end } },
    commands = {
        Get = { anywhere = true, data = {}, handle = function() return { { type = "Got", data = { amount = 1 } } } end },
        Fill = {
            anywhere = true, data = { count = "integer" },
            handle = function(_, data)
                local events = {}
                for i = 1, data.count do events[i] = { type = "Got", data = { amount = 1 } } end
                return events
            end,
        },
    },
}
"""
SUMS = """-- SPDX-License-Identifier: MIT
local function worth(id, amount) %s return amount end
return {
    name = "sums",
    tables = {
        Sums = { key = { "Id" }, columns = { Id = "text", By = "text", Sum = "integer" } },
        Total = { key = { "Id" }, columns = { Id = "text", By = "text", Sum = "integer", Events = "integer" } },
    },
    on = {
        ["account.Got"] = function(view, data, meta)
            local got = worth(meta.stream_id, data.amount)
            local row = view.Sums:get { Id = meta.stream_id } or { Sum = 0 }
            local all = view.Total:get { Id = "all" } or { Sum = 0, Events = 0 }
            view.Sums:put { Id = meta.stream_id, By = meta.stream_id:sub(-1) == "0" and "%s" or "any", Sum = row.Sum + got }
            view.Total:put { Id = "all", By = "%s", Sum = all.Sum + got, Events = all.Events + 1 }
        end,
    },
}
"""
COUNTS = """-- SPDX-License-Identifier: MIT
return {
    name = "counts",
    tables = { Counts = { key = { "Id" }, columns = { Id = "text", Events = "integer" } } },
    on = {
        ["account.Got"] = function(view, _, meta)
            local row = view.Counts:get { Id = meta.stream_id } or { Events = 0 }
            view.Counts:put { Id = meta.stream_id, Events = row.Events + 1 }
        end,
    },
}
"""
DOMAIN = """-- SPDX-License-Identifier: MIT
local function all(view)
    return { by = "%s", total = view.Total:get { Id = "all" }, rows = view.Sums:find { order = { "Id" }, limit = 1000 } }
end
local function counts(view) return view.Counts:find { order = { "Id" }, limit = 1000 } end
return { queries = { all = { params = {}, run = all }, counts = { params = {}, run = counts } } }
"""
TWICE = 'if id:sub(-1) == "0" then amount = 2 * amount end'


def take(folder, by):
    write(os.path.join(folder, "account.lua"), ACCOUNT)
    write(os.path.join(folder, "sums.lua"), SUMS % (TWICE if by == "two" else "", by, by))
    write(os.path.join(folder, "counts.lua"), COUNTS)
    write(os.path.join(folder, "domain.lua"), DOMAIN % by)


def admin(daemon, method, path, **body):
    connection = Socket(os.path.join(daemon.data, "moonlog.sock"))
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise Failure(f"{method} {path} was answered {response.status} {text[:400]}")
    return json.loads(text)


def query(daemon, name, at_least=0):
    status, text = get(daemon.port, f"/queries/swap/{name}?at_least={at_least}&wait_ms=20000")
    if status != 200:
        raise Failure(f"query {name} was answered {status} {text[:300]}")
    return json.loads(text)


def check(answer):
    """Whole, of one definition. Gives its name and how many events it stands for."""
    by, total, rows = answer["by"], answer["total"], answer["rows"]
    if total["By"] != by or {row["By"] for row in rows if row["Id"][-1] == "0"} - {by}:
        raise Failure(f"an answer of \"{by}\" mixes definitions: {json.dumps(answer)[:600]}")
    if sum(row["Sum"] for row in rows) != total["Sum"] or (by == "one" and total["Sum"] != total["Events"]):
        raise Failure(f"an answer of \"{by}\" does not add up: {json.dumps(answer)[:600]}")
    return by, total["Events"]


class Poller(threading.Thread):
    """Reads as fast as it can; a read that fails, mixes or goes back ends it with a complaint."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.served, self.ended, self.complaint = daemon, False, None
        self.seen, self.longest, self.events = {}, 0, 0
        self.start()

    def run(self):
        try:
            while not self.ended:
                began = time.monotonic()
                by, events = check(query(self.served, "all"))
                self.longest = max(self.longest, time.monotonic() - began)
                if events < self.events:
                    raise Failure(f"the log goes back for a reader: {self.events} events, then {events}")
                self.events = events
                self.seen[by] = self.seen.get(by, 0) + 1
        except Exception as complaint:
            self.complaint = complaint

    def end(self):
        self.ended = True
        self.join()
        if self.complaint:
            raise Failure(str(self.complaint))


def wait_ended(daemon, pollers, number, seconds=1200):
    """The report of a build, once it has ended; readers and readiness are looked at meanwhile."""
    deadline, stages = time.monotonic() + seconds, []
    while True:
        told, = admin(daemon, "GET", "/admin/builds")
        for report in told["ended"]:
            if report["build"] == number:
                if report["result"] != "live":
                    raise Failure(f"build {number}: {json.dumps(report)[:600]}")
                return report, stages, told
        if told.get("building", {}).get("state") not in stages[-1:]:
            stages.append(told.get("building", {}).get("state"))
        if get(daemon.port, "/readyz")[0] != 200:
            raise Failure(f"not ready while a read model is made: {told}")
        for poller in pollers:
            if poller.complaint:
                raise Failure(str(poller.complaint))
        if time.monotonic() > deadline:
            raise Failure(f"build {number} does not end: {told}")
        time.sleep(0.02)


def want(what, got, wanted):
    if got != wanted:
        raise Failure(f"{what} is {got}, not {wanted}")


def go_back(daemon, by):
    """The very next answer is of the old definition, and stands at least where any did before."""
    before = check(query(daemon, "all"))[1]
    began = time.monotonic()
    admin(daemon, "POST", "/admin/rollback", domain="swap")
    took, at = time.monotonic() - began, head(daemon)
    got, events = check(query(daemon, "all"))
    want("the rules after rollback", got, by)
    if events < before:
        raise Failure(f"rollback to \"{by}\" shows {events} events after {before}")
    began = time.monotonic()
    got, events = check(query(daemon, "all", at))
    if got != by or events < at:
        raise Failure(f"rollback to \"{by}\": {events} events by \"{got}\" at {at}")
    return took, time.monotonic() - began


def check_differing(report, accounts):
    changed = len([account for account in accounts if account[-1] == "0"])
    tables = {table["table"]: table for table in report["tables"]}
    want("the projections made", report["projections"], ["sums"])
    want("the rows that differ", report["rows_differ"], changed + 1)
    want("the changed sums", tables["Sums"]["changed"], changed)
    want("the samples", len(tables["Sums"]["samples"]), min(5, changed))
    for sample in tables["Sums"]["samples"]:
        want("a sample", sample["after"]["Sum"], 2 * sample["before"]["Sum"])
    want("the changed total", tables["Total"]["changed"], 1)


def check_sums(daemon, by):
    at = head(daemon)
    counts = {row["Id"]: row["Events"] for row in query(daemon, "counts", at)}
    want("the events counted", sum(counts.values()), at)
    answer = query(daemon, "all", at)
    want("the rules", check(answer), (by, at))
    for row in answer["rows"]:
        want(f"the sum of {row['Id']}", row["Sum"], counts[row["Id"]] * (2 if by == "two" and row["Id"][-1] == "0" else 1))


def swap(options, scratch):
    chance, folder = random.Random(options.seed), os.path.join(scratch, "swap")
    accounts = [str(number) for number in range(options.accounts)]
    os.makedirs(folder)
    take(folder, "one")
    daemon = start(options.binary, scratch, folder)
    share = min(1000, max(1, options.events // options.accounts))
    try:
        each_once(options.load, daemon, scratch,
                  [(f"/commands/swap/account/{accounts[number % len(accounts)]}/Fill", {"count": share})
                   for number in range(options.events // share)])
        query(daemon, "all", head(daemon))
        filled = head(daemon)
        lines = [(f"/commands/swap/account/{chance.choice(accounts)}/Get", {}) for _ in range(20000)]
        load = Load(options.load, daemon, scratch, lines, options.connections)
        wait_for_load(daemon)
        pollers = [Poller(daemon) for _ in range(options.pollers)]
        take(folder, "two")
        began = time.monotonic()
        reload(daemon, shadow=False)
        report, stages, told = wait_ended(daemon, pollers, 1)
        took = time.monotonic() - began
        check_differing(report, accounts)
        want("the kept generation", told["kept"]["generation"], 1)
        want("the rules after the reload", check(query(daemon, "all"))[0], "two")
        backs = [go_back(daemon, by) for by in ("one", "two", "one", "two")]
        began = time.monotonic()
        number = admin(daemon, "POST", "/admin/rebuild", domain="swap", projection="sums")["build"]
        rebuilt, _, _ = wait_ended(daemon, pollers, number)
        rebuild_took = time.monotonic() - began
        want("rows that differ after a rebuild", rebuilt["rows_differ"], 0)
        for poller in pollers:
            poller.end()
        counts, statuses, err = load.end()
        if set(statuses) != {200}:
            raise Failure(f"commands were answered {statuses}: {err[:400]}")
        check_sums(daemon, "two")
        go_back(daemon, "one")
        check_sums(daemon, "one")
        answers = {by: sum(poller.seen.get(by, 0) for poller in pollers) for by in ("one", "two")}
        if min(answers.values()) == 0:
            raise Failure(f"readers did not see both: {answers}")
        print(f"{filled} events, then {counts['rate']:.0f} commands/s (p99 {counts['p99'] / 1000:.1f} ms) up to "
              f"{head(daemon)}: swapped in {took:.1f} s ({', '.join(filter(None, stages))}), compared at "
              f"{report['position']}, {report['rows_differ']} rows differ of "
              f"{sum(table['rows_before'] for table in report['tables'])}; rebuilt in {rebuild_took:.1f} s, 0 differ; "
              f"{sum(answers.values())} answers, all whole: {answers}, the longest "
              f"{max(poller.longest for poller in pollers) * 1000:.0f} ms; rollbacks in "
              f"{', '.join(f'{1000 * back[0]:.0f}' for back in backs)} ms, the head read after another "
              f"{', '.join(f'{1000 * back[1]:.0f}' for back in backs)} ms")
        daemon.stop()
    finally:
        daemon.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--pollers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="moonlog-swap-")
    try:
        swap(options, scratch)
    except Failure as failure:
        print(f"FAILED: {failure} (seed {options.seed})")
        for name in os.listdir(scratch):
            if name.endswith(".log"):
                print(open(os.path.join(scratch, name)).read()[-3000:])
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
