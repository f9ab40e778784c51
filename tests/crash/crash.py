#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills the daemon again and again under writers that keep a ledger, and cuts its power.

  crash.py kill  --binary B --domain D [--cycles 300] [--writers 8] [--seed N] [--replay R]
  crash.py power --binary B --domain D --recorder R.so --images I [--count 2000] [--commands 1500] [--seed N]

kill: each cycle starts the daemon on the same data, lets the writers run for 5 to 500 ms and sends SIGKILL. What had no
answer is sent again with the same Idempotency-Key. Then every account must stand exactly where the ledger of
acknowledged writes says: nothing missing, nothing doubled. At the end the log must be without gaps, `verify` clean and
the read model equal to a replay. SIGKILL keeps the page cache, so with --recorder every third kill also loses what was
written but never synced, as a power cut may.

power: runs the daemon once under a recorder of its writes, syncs and acknowledgements; `images` builds what a power cut
at random moments leaves, and opens each.
"""
import argparse, http.client, json, os, random, shutil, signal, subprocess, sys, tempfile, threading, time


class Failure(Exception):
    pass


class Daemon:
    """Two workers unless told otherwise, so that commands of different streams meet on any machine."""

    def __init__(self, binary, data, domain, environment=None, options=("--workers", "2")):
        self.options = list(options)
        self.binary, self.data, self.domain = binary, data, domain
        self.environment = dict(os.environ, **(environment or {}))
        self.process, self.port, self.log = None, None, data + ".log"

    def start(self):
        address = os.path.join(self.data, "moonlog.address")
        if os.path.exists(address):
            os.unlink(address)
        log = open(self.log, "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", self.data, "--listen", "127.0.0.1:0", *self.options, self.domain],
            stdout=log, stderr=log, env=self.environment)
        log.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"the daemon ended with {self.process.returncode}; see {self.log}")
            try:
                text = open(address).read().strip()
                if text:
                    self.port = int(text.split("\n")[0].rsplit(":", 1)[1])
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                    connection.request("GET", "/healthz")
                    if connection.getresponse().status == 200:
                        return
            except (OSError, ValueError, IndexError):
                pass
            time.sleep(0.005)
        raise Failure("the daemon did not come up within 20 s")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def record(self, recorder, path):
        """The next start runs under the recorder."""
        self.environment.update({"LD_PRELOAD": os.path.realpath(recorder), "MOONLOG_RECORD_LOG": path,
                                 "MOONLOG_RECORD_DIR": os.path.realpath(self.data) + "/"})

    def record_no_more(self):
        self.environment.pop("LD_PRELOAD", None)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=30) != 0:
            raise Failure(f"the daemon stopped with {self.process.returncode}")


class Writer(threading.Thread):
    """Owns two accounts; every operation is decided here, so the ledger knows what each balance must be."""

    def __init__(self, number, seed, kinds):
        super().__init__(daemon=True)
        self.number, self.chance = number, random.Random(seed * 1000 + number)
        self.ids = [None, None]
        self.balance, self.version = [0, 0], [0, 0]
        self.pending = None           # (key, method, path, body, effect): sent, not answered
        self.sent = self.acknowledged = self.unknown = 0
        self.trouble = None
        self.kinds = kinds

    def next_operation(self):
        self.sent += 1
        key = f"w{self.number}-{self.sent}-{self.chance.random()}"
        for which in (0, 1):
            if self.ids[which] is None:
                return (key, "/api/accounts", {"accountNumber": f"{self.number}-{which}", "accountName": "n",
                                               "ownerName": "o", "initialBalance": 100}, ("open", which, 10000))
        which, amount = self.chance.randrange(2), self.chance.randrange(1, 500)
        kind = self.chance.choice(self.kinds)
        if kind != "deposit" and amount > self.balance[which]:
            kind = "deposit"
        body = {"amount": amount / 100}
        if kind == "transfer":
            body["toAccountId"] = self.ids[1 - which]
        return (key, f"/api/accounts/{self.ids[which]}/{kind}", body, (kind, which, amount))

    def apply(self, effect, status, answer):
        kind, which, amount = effect
        wanted = 201 if kind == "open" else 200
        if status != wanted:
            raise Failure(f"writer {self.number}: {effect} was answered {status} {answer}")
        if kind == "open":
            self.ids[which] = answer["accountId"]
        self.balance[which] += -amount if kind in ("withdraw", "transfer") else amount
        self.version[which] += 1
        if kind == "transfer":
            self.balance[1 - which] += amount
            self.version[1 - which] += 1
            got = round(answer["fromAccountNewBalance"] * 100), round(answer["toAccountNewBalance"] * 100)
            must = self.balance[which], self.balance[1 - which]
        elif kind == "open":
            return
        else:
            got = round(answer["balance"] * 100), answer["version"]
            must = self.balance[which], self.version[which]
        if got != must:
            raise Failure(f"writer {self.number}: {effect} answered {got}, the ledger says {must}")

    def ask(self, connection, operation):
        key, path, body, effect = operation
        connection.request("POST", path, json.dumps(body),
                           {"Content-Type": "application/json", "Idempotency-Key": key})
        response = connection.getresponse()
        text = response.read()
        if response.status in (503, 429):
            return False
        self.apply(effect, response.status, json.loads(text))
        self.acknowledged += 1
        return True

    def work(self, port, stop):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not stop.is_set():
            if self.pending is None:
                self.pending = self.next_operation()
            try:
                if self.ask(connection, self.pending):
                    self.pending = None
            except (OSError, http.client.HTTPException):
                self.unknown += 1
                return
            except Failure as failure:
                self.trouble = str(failure)
                return


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


def run_writers(daemon, writers, seconds, end):
    stop = threading.Event()
    threads = [threading.Thread(target=w.work, args=(daemon.port, stop)) for w in writers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    end()
    stop.set()
    for thread in threads:
        thread.join()
    for writer in writers:
        if writer.trouble:
            raise Failure(writer.trouble)


def settle(daemon, writers):
    """Sends again what had no answer, then compares every account with the ledger."""
    for writer in writers:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
        while writer.pending is not None and not writer.ask(connection, writer.pending):
            time.sleep(0.05)
        writer.pending = None
        for which in (0, 1):
            if writer.ids[which] is None:
                continue
            status, text = get(daemon.port, f"/api/accounts/{writer.ids[which]}")
            account = json.loads(text)
            must = (200, writer.balance[which], writer.version[which])
            if (status, round(account.get("balance", -1) * 100), account.get("version")) != must:
                raise Failure(f"account {writer.ids[which]}: the ledger says {must}, the daemon {status} {text}")


def check_log(port):
    """Positions 1..h and versions 1..n without gaps."""
    after, versions, events = 0, {}, 0
    while True:
        status, text = get(port, f"/log?after={after}&limit=1000")
        if status != 200:
            raise Failure(f"GET /log: {status} {text}")
        entries = json.loads(text)["entries"]
        if not entries:
            return events
        for entry in entries:
            if entry["position"] != after + 1:
                raise Failure(f"position {after + 1} is missing: {entry['position']} comes next")
            after = entry["position"]
            if entry.get("version"):
                events += 1
                if entry["version"] != versions.get(entry["stream"], 0) + 1:
                    raise Failure(f"{entry['stream']}: version {entry['version']} follows {versions.get(entry['stream'])}")
                versions[entry["stream"]] = entry["version"]


def wait_for(what, holds, patience=40):
    deadline = time.monotonic() + patience
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise Failure(f"not within {patience} s: {what}")
        time.sleep(0.05)
    return found


def wait_for_reports(port, writers):
    known = {w.ids[i]: w.balance[i] for w in writers for i in (0, 1) if w.ids[i]}
    deadline = time.monotonic() + 30
    while True:
        status, text = get(port, "/api/reports/balances?limit=1000")
        rows = {row["accountId"]: round(row["currentBalance"] * 100) for row in json.loads(text)} if status == 200 else {}
        if rows == known:
            return
        if time.monotonic() > deadline:
            raise Failure(f"the read model does not come to the ledger's balances: {status} {text[:500]}")
        time.sleep(0.05)


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def kill(options, scratch):
    data = os.path.join(scratch, "data")
    os.mkdir(data, 0o700)
    daemon = Daemon(options.binary, data, options.domain)
    chance = random.Random(options.seed)
    writers = [Writer(n, options.seed, options.kinds.split(",")) for n in range(options.writers)]
    base, record, cuts = os.path.join(scratch, "base"), os.path.join(scratch, "record"), 0
    for cycle in range(options.cycles):
        cut = options.recorder is not None and cycle % 3 == 2
        if cut:
            shutil.rmtree(base, ignore_errors=True)
            shutil.copytree(data, base, ignore=shutil.ignore_patterns("*.sock", "*-shm"))
            daemon.record(options.recorder, record)
        daemon.start()
        settle(daemon, writers)
        run_writers(daemon, writers, chance.uniform(0.005, 0.5), daemon.kill)
        if cut:
            run([options.images, record, os.path.realpath(data) + "/", data, "drop", base])
            daemon.record_no_more()
            cuts += 1
        if (cycle + 1) % 50 == 0:
            print(f"  {cycle + 1} kills, {sum(w.acknowledged for w in writers)} acknowledged", flush=True)
    daemon.start()
    settle(daemon, writers)
    events = check_log(daemon.port)
    if events != sum(sum(w.version) for w in writers):
        raise Failure(f"the log holds {events} events, the ledger {sum(sum(w.version) for w in writers)}")
    wait_for_reports(daemon.port, writers)
    daemon.stop()
    run([options.binary, "verify", "--data", data])
    if options.replay:
        run([options.replay, data, options.domain])
    print(f"kill -9: {options.cycles} kills ({cuts} of them lost what was not synced), {sum(w.acknowledged for w in writers)} acknowledged, "
          f"{sum(w.unknown for w in writers)} without an answer and asked again, {events} events: "
          "nothing missing, nothing doubled")


def power(options, scratch):
    data, record = os.path.join(scratch, "data"), os.path.join(scratch, "record")
    os.mkdir(data, 0o700)
    prefix = os.path.realpath(data) + "/"
    daemon = Daemon(options.binary, os.path.realpath(data), options.domain)
    daemon.record(options.recorder, record)
    writers = [Writer(n, options.seed, options.kinds.split(",")) for n in range(options.writers)]
    daemon.start()

    def enough():
        deadline = time.monotonic() + 120
        while sum(w.acknowledged for w in writers) < options.commands and time.monotonic() < deadline:
            if any(w.trouble for w in writers):
                return
            time.sleep(0.01)
        daemon.kill()
    run_writers(daemon, writers, 0, enough)
    output = run([options.images, record, prefix, os.path.join(scratch, "image"), str(options.count), str(options.seed)])
    print(output, end="")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("kill", "power"))
    parser.add_argument("--binary", required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kinds", default="deposit,deposit,withdraw,transfer")
    parser.add_argument("--replay")
    parser.add_argument("--recorder")
    parser.add_argument("--images")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--commands", type=int, default=1500)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="moonlog-crash-")
    print(f"seed {options.seed}", flush=True)
    try:
        (kill if options.what == "kill" else power)(options, scratch)
    except Failure as failure:
        print(f"FAILED: {failure}\nwhat is left: {scratch}", file=sys.stderr)
        return 1
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
