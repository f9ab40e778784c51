#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bank over HTTP with its projections running, as ratios to references measured in turns with it.

  http_bench.py --build build/release [--rounds 5] [--seconds 2] [--only commands,log,replay,syncs,large] [--json FILE]
                [--events 3000000]

commands: also reads of streams; replay: the log of the bank through its Lua fold; large: a store of so many events in
a third as many streams (and one in a hundredth) read over HTTP, and started again after kill -9.

References: sq1, sq100 = raw sqlite3 with 1 and 100 rows a transaction; echo = a bare evhttp server that returns the
body. Every round measures each figure and its reference one after the other; what is printed are medians of the
rounds' ratios.
"""
import argparse, http.client, json, os, re, shutil, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from crash import Daemon, Failure, get  # noqa: E402


def line(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    found = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    if "rate" not in found:
        raise Failure(f"{command}: {done.stdout} {done.stderr}")
    figures = {name: float(value) for name, value in found.items()}
    if figures.get("bad"):
        raise Failure(f"{command}: {figures['bad']:.0f} answers were not 2xx: {done.stderr[:600]}")
    return figures


class Bench:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.tool = lambda name: os.path.join(options.build, "tests", "bench", name)
        self.rows, self.details = {}, {}
        self.body = os.path.join(scratch, "body")
        with open(self.body, "w") as file:
            json.dump({"amount": 5.25, "description": "paid in at the counter, " + "x" * 80}, file)

    def load(self, port, connections, seconds, *rest):
        return line([self.tool("bench_load"), port, connections, seconds, *rest])

    def sqlite(self, rows):
        return line([self.tool("bench_sqlite_reference"), "append", self.scratch, rows, self.options.seconds / 2])

    def note(self, name, value, detail):
        self.rows.setdefault(name, []).append(value)
        self.details.setdefault(name, []).append(detail)

    def start(self, name):
        data = os.path.join(self.scratch, name)
        os.mkdir(data, 0o700)
        daemon = Daemon(os.path.join(self.options.build, "moonlog"), data, self.options.domain,
                        options=())
        daemon.start()
        return daemon

    def open_accounts(self, daemon, count, prefix):
        ids = os.path.join(self.scratch, f"ids-{prefix}")
        self.load(daemon.port, 32, count, "open", ids, prefix)
        return ids

    def wait_for_lag(self, daemon):
        begin = time.monotonic()
        while True:
            status, _ = get(daemon.port, f"/api/reports/balances?limit=1&at_least={head(daemon)}&wait_ms=20000")
            if status == 200:
                return time.monotonic() - begin

    def commands(self):
        daemon = self.start("commands")
        echo = subprocess.Popen([self.tool("bench_echo"), "0"], stdout=subprocess.PIPE, text=True)
        try:
            echo_port = int(re.search(r"(\d+)\s*$", echo.stdout.readline()).group(1))
            ids = self.open_accounts(daemon, 20000, "s")
            long_ids = self.open_accounts(daemon, 20, "l")
            self.load(daemon.port, 32, 1.0 if self.options.short else 3.0, "deposit", long_ids, self.body)
            for _ in range(self.options.rounds):
                for connections in (1, 8, 32, 128):
                    seconds = self.options.seconds
                    sq1 = self.sqlite(1)
                    reference = self.load(echo_port, connections, seconds / 2, "post", "/", self.body)
                    ours = self.load(daemon.port, connections, seconds, "deposit", ids, self.body)
                    lag = self.wait_for_lag(daemon)
                    detail = f"{ours['rate']:.0f}/s p50 {ours['p50']:.0f} us p99 {ours['p99']:.0f} us"
                    self.note(f"commands, {connections} connections, of sq1", ours["rate"] / sq1["rate"], detail)
                    self.note(f"commands, {connections} connections, of echo", ours["rate"] / reference["rate"],
                              f"echo {reference['rate']:.0f}/s p50 {reference['p50']:.0f} us")
                    self.note(f"commands, {connections} connections, p99 ms", ours["p99"] / 1000, detail)
                    self.note(f"commands, {connections} connections, lag after s", lag, "")
                    if connections == 8:
                        grown = self.load(daemon.port, connections, seconds, "deposit", long_ids, self.body)
                        again = self.load(daemon.port, connections, seconds, "deposit", ids, self.body)
                        self.note("commands on 20 long streams, of short ones",
                                  grown["rate"] / ((ours["rate"] + again["rate"]) / 2), f"{grown['rate']:.0f}/s")
            self.reads(daemon, echo_port, long_ids, ids)
        finally:
            echo.kill()
            daemon.kill()

    def reads(self, daemon, echo_port, long_ids, ids):
        first = open(long_ids).readline().strip()
        for _ in range(self.options.rounds):
            echo = self.load(echo_port, 1, 0.5, "post", "/", self.body)
            hot = self.load(daemon.port, 1, 0.5, "get", f"/streams/banking.account/{first}?from=1&limit=100")
            cold = self.load(daemon.port, 1, 0.5, "each", "/streams/banking.account/", ids, "?from=1&limit=100")
            self.note("a recent stream of 100, p50 of echo's", hot["p50"] / echo["p50"], f"{hot['p50']:.0f} us")
            self.note("any short stream, p50 of echo's", cold["p50"] / echo["p50"], f"{cold['p50']:.0f} us")

    def log(self):
        daemon = self.start("log")
        try:
            ids = self.open_accounts(daemon, 5000, "g")
            self.load(daemon.port, 64, 5 if self.options.short else 20, "deposit", ids, self.body)
            entries = head(daemon)
            for _ in range(self.options.rounds):
                scan = line([self.tool("bench_sqlite_reference"), "scan", self.scratch, entries])
                read = line([self.tool("bench_drain"), daemon.port, "/log"])
                if read["lines"] != entries:
                    raise Failure(f"the log has {entries} entries and {read['lines']:.0f} came")
                self.note("whole log over HTTP, of the raw scan", read["rate"] / scan["rate"],
                          f"{read['rate']:.0f} entries/s, {read['bytes'] / entries:.0f} bytes an entry")
        finally:
            daemon.kill()

    def replay(self):
        """Both by processor time: one core against one core."""
        daemon = self.start("replay")
        try:
            ids = self.open_accounts(daemon, 5000, "r")
            self.load(daemon.port, 64, 5 if self.options.short else 20, "deposit", ids, self.body)
            entries = head(daemon)
        finally:
            daemon.stop()
        for _ in range(self.options.rounds):
            scan = line([self.tool("bench_sqlite_reference"), "scan", self.scratch, entries])
            fold = line([self.tool("bench_fold"), daemon.data, self.options.domain, "account"])
            self.note("replay through the fold, events of the raw scan's rows", fold["rate"] / scan["cpu_rate"],
                      f"{fold['rate']:.0f} events/s, {fold['events']:.0f} events of {fold['entries']:.0f} entries")

    def fill(self, name, events, streams):
        data, ids = os.path.join(self.scratch, name), os.path.join(self.scratch, name + ".ids")
        line([self.tool("bench_fill"), data, events, streams, ids])
        return Daemon(os.path.join(self.options.build, "moonlog"), data, self.options.domain, options=()), ids

    def large(self):
        events = self.options.events
        echo = subprocess.Popen([self.tool("bench_echo"), "0"], stdout=subprocess.PIPE, text=True)
        try:
            echo_port = int(re.search(r"(\d+)\s*$", echo.stdout.readline()).group(1))
            for streams in (events // 100, events // 3):
                daemon, ids = self.fill(f"large{streams}", events, streams)
                daemon.start()
                try:
                    self.wait_for_projections(daemon)
                    name = f"{events // streams} events"
                    self.read_any(daemon, echo_port, ids, f"any stream of {name} at {events} events, p50 of echo's")
                    if streams == events // 3:
                        self.kill_and_start(daemon, ids)
                finally:
                    daemon.kill()
                    shutil.rmtree(daemon.data)
        finally:
            echo.kill()

    def wait_for_projections(self, daemon):
        while True:
            text = get(daemon.port, "/readyz")[1].decode()
            if json.loads(text)["status"] == "ready":
                return
            time.sleep(0.2)

    def read_any(self, daemon, echo_port, ids, name):
        for _ in range(self.options.rounds):
            echo = self.load(echo_port, 1, 0.5, "post", "/", self.body)
            any_one = self.load(daemon.port, 1, 1, "each", "/streams/banking.account/", ids, "?from=1&limit=100")
            self.note(name, any_one["p50"] / echo["p50"],
                      f"{any_one['p50']:.0f} us, p99 {any_one['p99']:.0f} us; echo {echo['p50']:.0f} us")

    def kill_and_start(self, daemon, ids):
        """kill -9 under load; then the time from the start of the process to the answer of a command on an old stream."""
        accounts = open(ids).read().split()
        for number in range(self.options.rounds):
            load = subprocess.Popen([self.tool("bench_load"), str(daemon.port), "8", "60", "deposit", ids, self.body],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            before = head(daemon)
            while head(daemon) < before + 3000:
                time.sleep(0.02)
            daemon.kill()
            load.wait()
            took = self.first_answer(daemon, accounts[(number * 7919 + 13) % len(accounts)])
            self.note("after kill -9: s until an append to an old stream is answered", took, "")
            self.note("after kill -9: MB of private memory", private_mb(daemon), "")
            self.wait_for_projections(daemon)
            self.load(daemon.port, 8, 1, "deposit", ids, self.body)
            self.note("the same after a second of commands and reads", private_mb(daemon), "")

    def first_answer(self, daemon, account):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            daemon.port = free.getsockname()[1]
        begin = time.monotonic()
        with open(daemon.data + ".log", "ab") as log:
            daemon.process = subprocess.Popen([daemon.binary, "serve", "--data", daemon.data, "--listen",
                                               f"127.0.0.1:{daemon.port}", daemon.domain], stdout=log, stderr=log)
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
                connection.request("POST", f"/api/accounts/{account}/deposit", open(self.body).read(),
                                   {"Content-Type": "application/json", "Idempotency-Key": f"after-{time.time()}"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    return time.monotonic() - begin
                raise Failure(f"the first append was answered {answer.status} {text}")
            except OSError:
                if daemon.process.poll() is not None:
                    raise Failure(f"the daemon ended with {daemon.process.returncode}; see {daemon.data}.log")
                time.sleep(0.001)

    def syncs(self):
        daemon = self.start("syncs")
        try:
            ids = self.open_accounts(daemon, 2000, "y")
            for connections in (1, 8, 32):
                before = store_status(daemon)
                ours = self.load(daemon.port, connections, self.options.seconds, "deposit", ids, self.body)
                after = store_status(daemon)
                syncs = after["syncs"] - before["syncs"]
                appends = ours["rate"] * self.options.seconds
                self.note(f"syncs an append at {connections}" if connections == 1 else f"appends a sync at {connections}",
                          syncs / appends if connections == 1 else appends / syncs, f"{syncs:.0f} syncs")
        finally:
            daemon.kill()


def private_mb(daemon):
    text = open(f"/proc/{daemon.process.pid}/status").read()
    return int(re.search(r"^RssAnon:\s+(\d+)", text, re.M).group(1)) / 1024


def head(daemon):
    return store_status(daemon)["head"]


def store_status(daemon):
    text = get(daemon.port, "/metrics")[1].decode()
    value = lambda name: float(re.search(rf"^{name}(?:{{[^}}]*}})? ([\d.e+]+)$", text, re.M).group(1))
    return {"head": int(value("moonlog_log_head")), "syncs": value("moonlog_store_syncs_total")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--domain", default=os.path.join(HERE, "..", "..", "domains", "banking"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", default="commands,log,replay,syncs,large")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--events", type=int, default=3000000)
    parser.add_argument("--json")
    options = parser.parse_args()
    options.build = os.path.realpath(options.build)
    scratch = tempfile.mkdtemp(prefix="moonlog-bench-", dir=os.environ.get("TMPDIR"))
    bench = Bench(options, scratch)
    try:
        for part in options.only.split(","):
            getattr(bench, part)()
    finally:
        for name, values in bench.rows.items():
            print(f"{name:52} {statistics.median(values):8.2f}   [{min(values):.2f} .. {max(values):.2f}]  {bench.details[name][-1]}")
        if options.json:
            with open(options.json, "w") as file:
                json.dump({name: statistics.median(values) for name, values in bench.rows.items()}, file, indent=1)
        shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
