#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The relay of the real daemon against the real broker [I9] [I10].

  relay.py kills    --binary B ...   messages through kills of daemon and broker, each seen once, in order
  relay.py steps    the daemon dies once at each step of the protocol
  relay.py copies   two daemons that believe to own one log; a store restored from an old copy
  relay.py outage   the broker is away under an open load; afterwards the lag goes by itself
  relay.py hang     the brokers have lost the end of a transaction: its records are open for ever (KIP-664)

A broker of its own is started for it (broker.py).
"""
import argparse, http.client, json, os, random, re, shutil, signal, sqlite3, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from broker import Broker, Missing, SKIP  # noqa: E402
from crash import Daemon, Failure, get, wait_for  # noqa: E402
from raw import Client, Record  # noqa: E402

COUNTER = """-- SPDX-License-Identifier: MIT
return {
    name = "counter",
    initial = function() return { count = 0 } end,
    events = {
        Counted = { data = { number = "integer", mark = "string" }, publish = { topic = "counted" },
                    apply = function(state) state.count = state.count + 1 return state end },
    },
    commands = {
        Count = {
            anywhere = true, data = { mark = "string" },
            handle = function(state, data)
                return { { type = "Counted", data = { number = state.count + 1, mark = data.mark } } }
            end,
        },
    },
}
"""
STEPS = ("fence", "read_back", "read", "begin", "send", "commit", "settle", "hint")


class Rig:
    def __init__(self, options, scratch, broker, settings=()):
        self.options, self.scratch, self.broker, self.settings = options, scratch, broker, list(settings)
        self.folder = os.path.join(scratch, "counting")
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "counter.lua"), "w") as file:
            file.write(COUNTER)

    def daemon(self, name, probe=None):
        data = os.path.join(self.scratch, name)
        os.makedirs(data, 0o700, exist_ok=True)
        extra = ["--workers", "2", "--bus", "kafka", "--set", f"kafka.brokers={self.broker.address}",
                 *self.settings]
        return Daemon(self.options.binary, data, self.folder, {"MOONLOG_PROBE": probe} if probe else None, extra)

    def moonlog(self, *arguments):
        return subprocess.run([self.options.binary, *arguments], capture_output=True, text=True, timeout=120)

    def status(self, daemon):
        done = self.moonlog("relay", "status", "--json", "--data", daemon.data)
        try:
            return json.loads(done.stdout)  # also with the exit code that says it is stopped
        except ValueError:
            raise Failure(f"relay status: {done.stdout} {done.stderr}") from None

    def wait_out(self, daemon, seconds):
        """Until everything the log holds is confirmed by the broker."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                status = self.status(daemon)
                if status["position"] >= head(daemon):
                    return status
            except (Failure, OSError, http.client.HTTPException) as failure:
                status = failure
            if time.monotonic() > deadline:
                raise Failure(f"after {seconds} s the relay is not done: {status}")
            time.sleep(0.05)

    def records(self, topic, isolation="read_committed"):
        done = subprocess.run(["kcat", "-b", self.broker.address, "-C", "-t", topic, "-e", "-q", "-J", "-X",
                               f"isolation.level={isolation}"], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Failure(f"kcat: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def read(self, isolation="read_committed"):
        found = []
        for record in self.records("counted", isolation):
            headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
            found.append((record["partition"], record["key"], headers["ce_id"], json.loads(record["payload"]),
                          headers["ce_sequence"]))
        return found


def head(daemon):
    status, body = get(daemon.port, "/log?limit=1&after=0")
    if status != 200:
        raise Failure(f"GET /log: {status} {body[:200]}")
    return json.loads(body)["head"]


class Writer(threading.Thread):
    """Counts on its own keys; asks again, with the same key, whatever was not answered."""

    def __init__(self, number, daemon, count, salt):
        super().__init__(daemon=True)
        self.number, self.daemon, self.count, self.salt = number, daemon, count, salt
        self.done, self.trouble, self.halt = 0, None, False

    def run(self):
        try:
            connection = None
            while self.done < self.count and not self.halt:
                try:
                    if connection is None:
                        connection = http.client.HTTPConnection("127.0.0.1", self.daemon().port, timeout=10)
                    mark = f"{self.salt}{self.number}-{self.done}"
                    connection.request("POST", f"/commands/counting/counter/k{self.number}-{self.done % 5}/Count",
                                       json.dumps({"mark": mark}),
                                       {"Content-Type": "application/json", "Idempotency-Key": mark})
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status == 200:
                        self.done += 1
                    elif answer.status not in (409, 503):
                        raise Failure(f"{answer.status} {text[:300]!r}")
                    if answer.getheader("Connection") == "close":
                        connection = None
                except (OSError, http.client.HTTPException):
                    connection = None
                    time.sleep(0.02)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.trouble = error


def write(daemon, count, threads=4, salt=""):
    writers = [Writer(number, daemon, count // threads, salt) for number in range(threads)]
    for writer in writers:
        writer.start()
    return writers


def join(writers):
    for writer in writers:
        writer.join()
        if writer.trouble:
            raise writer.trouble


def events_of(daemon):
    found, after = [], 0
    while True:
        status, body = get(daemon.port, f"/log?limit=1000&after={after}")
        if status != 200:
            raise Failure(f"GET /log: {status}")
        page = json.loads(body)
        for entry in page["entries"]:
            if entry.get("topic") == "counted" or entry["type"] == "Counted":
                found.append((entry["stream"].split("/", 1)[1], entry["id"], entry["data"]))
        if page["next"] == after or not page["entries"] and page["next"] >= page["head"]:
            return found
        after = page["next"]


def check(rig, daemon, wanted=None):
    """What a read_committed reader sees is what the log holds, once each, in order per key."""
    log, seen = events_of(daemon), rig.read()
    ids = [record[2] for record in seen]
    if len(set(ids)) != len(ids):
        raise Failure(f"{len(ids) - len(set(ids))} messages were seen twice")
    if set(ids) != {event[1] for event in log}:
        missing = {event[1] for event in log} - set(ids)
        raise Failure(f"{len(missing)} of {len(log)} events were not seen, {len(set(ids)) - len(log) + len(missing)} are not in the log")
    last, places = {}, {}
    for partition, key, _, data, sequence in seen:
        if places.setdefault(key, partition) != partition:
            raise Failure(f"the key {key} is in two partitions")
        if data["number"] != last.get(key, 0) + 1:
            raise Failure(f"of {key} number {data['number']} follows {last.get(key, 0)}")
        last[key] = data["number"]
    if wanted is not None and len(seen) != wanted:
        raise Failure(f"{len(seen)} messages, not {wanted}")
    return len(seen)


def kills(options, scratch, broker):
    rig, chance = Rig(options, scratch, broker), random.Random(options.seed)
    daemon = rig.daemon("store")
    daemon.start()
    writers = write(lambda: daemon, options.messages)
    begin = time.monotonic()
    turns = ["daemon"] * options.kills + ["broker"] * options.broker_kills
    chance.shuffle(turns)
    for turn in turns:
        time.sleep(chance.uniform(0.05, options.pace))
        if turn == "daemon":
            daemon.kill()
            daemon.start()
        else:
            broker.kill()
            broker.restart()
    join(writers)
    status = rig.wait_out(daemon, 120)
    count = check(rig, daemon, options.messages // 4 * 4)
    ghosts = len(rig.read("read_uncommitted")) - count
    daemon.stop()
    print(f"kills: {count} messages, each seen once and in order, through {options.kills} kills of the daemon and "
          f"{options.broker_kills} of the broker in {time.monotonic() - begin:.0f} s; {ghosts} more only to read_uncommitted; "
          f"mark {status['position']}")


def steps(options, scratch, broker):
    rig = Rig(options, scratch, broker)
    total, died = 0, []
    for step in STEPS:
        for side in ("before", "after"):
            name = f"relay.{side}_{step}"
            daemon = rig.daemon("store", f"{name}:1:kill")
            try:
                daemon.start()
            except Failure:
                pass
            writers = write(lambda: daemon, 40, salt=name)
            deadline = time.monotonic() + 20
            while daemon.process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            if daemon.process.poll() is None:
                raise Failure(f"the daemon did not die at {name}")
            died.append(name)
            daemon.environment.pop("MOONLOG_PROBE")
            daemon.start()
            join(writers)
            rig.wait_out(daemon, 60)
            total = check(rig, daemon)
            daemon.stop()
    print(f"steps: died once at each of {len(died)} steps; {total} messages, each seen once and in order")


def stopped(rig, daemon, codes, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        status = rig.status(daemon)
        if status["state"] == "stopped" and status["code"] in codes:
            return status
        if time.monotonic() > deadline:
            raise Failure(f"the relay is not stopped as {codes}: {status}")
        time.sleep(0.1)


def backup(rig, daemon, name):
    path = os.path.join(rig.scratch, name)
    os.makedirs(path, 0o700)
    done = rig.moonlog("backup", "--data", daemon.data, os.path.join(path, "moonlog.db"))
    if done.returncode != 0:
        raise Failure(f"backup: {done.stdout} {done.stderr}")


def each_once_ids(rig):
    ids = [record[2] for record in rig.read()]
    if len(set(ids)) != len(ids):
        raise Failure("messages appear twice")
    return sorted(ids)


def put_out(rig, first):
    """A copy of what `first` runs on begins to publish; `first`, the older one, goes on with commands."""
    backup(rig, first, "twin")
    twin = rig.daemon("twin")
    twin.start()
    join(write(lambda: twin, 100, salt="twin"))
    rig.wait_out(twin, 60)
    join(write(lambda: first, 100, salt="first"))
    fenced = stopped(rig, first, ("other_publisher",))
    twin.stop()
    first.stop()
    return fenced


def copies(options, scratch, broker):
    rig = Rig(options, scratch, broker)
    first = rig.daemon("store")
    first.start()
    join(write(lambda: first, 400))
    rig.wait_out(first, 60)
    backup(rig, first, "copy")
    backup(rig, first, "old")
    backup(rig, first, "older")
    second = rig.daemon("copy")
    second.start()
    join(write(lambda: first, 800))  # the first half are repeats; the copy does not know the others
    # Both know one store's id: at most one of them may publish, and what it published is all that is there.
    deadline = time.monotonic() + 30
    losers = []
    while not losers:
        states = {name: rig.status(daemon) for name, daemon in (("first", first), ("second", second))}
        losers = [name for name, status in states.items() if status["state"] in ("stopped", "standby")]
        if not losers and time.monotonic() > deadline:
            raise Failure(f"both go on publishing: {states}")
        time.sleep(0.1)
    each_once_ids(rig)
    second.stop()
    rig.moonlog("relay", "resume", "--data", first.data)  # what it prints is the state before it takes over
    rig.wait_out(first, 60)
    check(rig, first)
    fenced = put_out(rig, first)
    ids = each_once_ids(rig)
    old = rig.daemon("old")
    old.start()
    behind = stopped(rig, old, ("store_behind", "store_diverged"))
    join([*write(lambda: old, 2000)])
    old.stop()
    old.start()
    diverged = stopped(rig, old, ("store_diverged",))
    old.stop()
    if each_once_ids(rig) != ids:
        raise Failure("a store that must not publish did")
    print(f"copies: of two owners {losers} stopped ({states[losers[0]]['reason']}); one whose copy publishes: "
          f"{fenced['code']}: {fenced['reason']}; restored from an old copy: "
          f"{behind['code']}: {behind['reason']}; after 1,000 more commands: {diverged['code']}")


def outage(options, scratch, broker):
    rig = Rig(options, scratch, broker)
    daemon = rig.daemon("store")
    daemon.start()
    body = os.path.join(scratch, "body")
    ids = os.path.join(scratch, "ids")
    with open(body, "w") as file:
        json.dump({"mark": "x" * 100}, file)
    with open(ids, "w") as file:
        file.write("".join(f"POSTS{i}\n" for i in range(500)))
    lines = os.path.join(scratch, "lines")
    with open(lines, "w") as file:
        for i in range(500):
            file.write(f"/commands/counting/counter/c{i}/Count\t{{\"mark\": \"{'x' * 100}\"}}\n")
    seconds = options.before + options.away + options.after
    series = os.path.join(scratch, "series")
    load = subprocess.Popen([options.load, str(daemon.port), "32", f"{seconds}@{options.rate}", "lines", lines, series],
                            stdout=subprocess.PIPE, text=True)
    time.sleep(options.before)
    broker.kill()
    time.sleep(options.away)
    lag = head(daemon) - rig.status(daemon)["position"]
    broker.restart()
    back = time.monotonic()
    while True:
        status = rig.status(daemon)
        left = head(daemon) - status["position"]
        if left < options.rate // 4:   # a quarter of a second of what goes on coming
            break
        if time.monotonic() - back > options.catch_up:
            raise Failure(f"{left} entries behind {options.catch_up} s after the broker came back ({lag} then)")
        time.sleep(0.1)
    took = time.monotonic() - back
    line = load.communicate()[0]
    if load.returncode != 0 or "bad=0" not in line:
        raise Failure(f"commands did not go on: {line}")
    rig.wait_out(daemon, 60)
    count = check(rig, daemon)
    daemon.stop()
    print(f"outage: {options.away} s without a broker under {options.rate} commands a second: {line.strip()}; {lag} entries waited, "
          f"caught up {took:.1f} s after it came back; {count} messages, each seen once")


class Hanging:
    """Copies of what the daemon sends, under its transactional id, in a transaction that no coordinator knows."""

    CONTROL = ("moonlog.relay-state", 0)

    def __init__(self, rig, daemon):
        self.rig, self.daemon, self.raw = rig, daemon, Client(rig.broker.address)
        self.store = self.newest_mark()["store"]
        self.producer, self.parts = None, []

    def newest_mark(self):
        return json.loads(self.rig.records(self.CONTROL[0])[-1]["payload"])

    def cut_off(self, salt, count=60, threads=4, later=0):
        """The daemon dies with `count` messages at the broker, not their mark, and `later` more in its log. Gives the
        messages by partition, and the mark."""
        rig, daemon = self.rig, self.daemon
        daemon.stop()
        daemon.environment["MOONLOG_PROBE"] = "relay.after_send:2:pause_ms=60000"  # the first is the claim
        daemon.start()
        wait_for("the relay runs", lambda: rig.status(daemon)["state"] == "running")
        rig.moonlog("relay", "pause", "--data", daemon.data)
        wait_for("the relay is paused", lambda: rig.status(daemon)["state"] == "paused")
        known = {record[2] for record in rig.read()}
        join(write(lambda: daemon, count, threads, salt))
        position = head(daemon)
        rig.moonlog("relay", "resume", "--data", daemon.data)

        def sent():
            found = [record for record in rig.records("counted", "read_uncommitted") if ce_id(record) not in known]
            return found if len(found) == count else None
        messages = wait_for("the messages are at the broker", sent)
        join(write(lambda: daemon, later, salt=f"later-{salt}"))
        daemon.kill()
        daemon.environment.pop("MOONLOG_PROBE")
        parts = {}
        for message in messages:
            headers = zip(message["headers"][::2], message["headers"][1::2])
            parts.setdefault(("counted", message["partition"]), []).append(
                Record(message["key"].encode(), message["payload"].encode(), list(headers)))
        return parts, self.mark_at(salt, position)

    def mark_at(self, salt, position=None):
        """What the relay would have written with the log up to a position; None: the newest mark again."""
        path = os.path.join(self.rig.scratch, salt)
        backup(self.rig, self.daemon, salt)
        with sqlite3.connect(os.path.join(path, "moonlog.db")) as store:
            links = dict(store.execute("SELECT position, lower(hex(substr(link, 1, 16))) FROM entries"))
        mark = self.newest_mark()
        if links[mark["position"]] != mark["link"]:
            raise Failure(f"the store's link at {mark['position']} is not the mark's")
        position = mark["position"] if position is None else position
        return dict(mark, position=position, link=links[position], at_us=int(time.time() * 1e6))

    def leave(self, parts, mark):
        """All of it hangs, also after a new producer of the same id has come."""
        name = f"moonlog.relay.{self.store}.0"
        value = json.dumps(mark, separators=(",", ":")).encode()
        parts = {**parts, self.CONTROL: [Record(f"{self.store}/0".encode(), value, [])]}
        self.producer = self.raw.fence(name)
        wait_for("what was open has ended", lambda: not any(self.raw.is_open(*part) for part in self.all()))
        for part, records in parts.items():
            self.raw.produce(name, *self.producer, *part, records)
        self.raw.fence(name)
        for part in parts:
            if not self.raw.is_open(*part):
                raise Failure(f"nothing hangs in {part}")
        self.parts = list(parts)

    def tear(self, salt, commit):
        """One partition's part of what hangs has an end: the relay stops, and guesses nothing. Gives its status."""
        self.leave(*self.cut_off(salt))
        self.end(self.parts[0], commit)
        self.daemon.start()
        status = stopped(self.rig, self.daemon, ("hung",))
        if "moonlog.relay-state" not in status["reason"] and "counted" not in status["reason"]:
            raise Failure(f"the reason names no topic: {status['reason']}")
        for part in self.parts[1:]:
            if not self.raw.is_open(*part):
                raise Failure(f"the end of {part} was guessed")
        return status

    def all(self):
        return [*(("counted", partition) for partition in range(3)), self.CONTROL]

    def end(self, part, commit):
        self.raw.mark_end(*self.producer, *part, commit)
        if self.raw.is_open(*part):
            raise Failure(f"it still hangs in {part}")

    def told(self):
        with open(self.daemon.log, errors="replace") as file:
            return file.read().count("a transaction hangs: its end was lost by the brokers; it is ended now")

    def gone(self, wanted, salt, told):
        """Every message was seen once, nothing is open, and it goes on. `told`: how often; None: it does not matter."""
        rig, daemon = self.rig, self.daemon
        rig.wait_out(daemon, 30)
        wait_for("no partition is open", lambda: not any(self.raw.is_open(*part) for part in self.all()), 10)
        check(rig, daemon, wanted)
        if told is not None and self.told() != told:
            raise Failure(f"{self.told()} times it is told that a transaction hangs, not {told}")
        join(write(lambda: daemon, 20, salt=f"after-{salt}"))
        status = rig.wait_out(daemon, 30)
        if status["state"] != "running":
            raise Failure(f"the relay does not run: {status}")
        return check(rig, daemon, wanted + 20)


def ce_id(record):
    return record["headers"][record["headers"].index("ce_id") + 1]


def hang(options, scratch, broker):
    rig = Rig(options, scratch, broker, ("--set", "kafka.partitions=3"))
    daemon = rig.daemon("store")
    daemon.start()
    join(write(lambda: daemon, 40))
    rig.wait_out(daemon, 60)
    count = check(rig, daemon, 40)
    hanging, took = Hanging(rig, daemon), []

    def gone(wanted, salt, told):
        began = time.monotonic()
        count = hanging.gone(wanted, salt, told)
        took.append(f"{salt} {time.monotonic() - began:.1f} s")
        return count

    parts, mark = hanging.cut_off("batch")
    if len(parts) != 3:
        raise Failure(f"the messages are in {len(parts)} partitions, not 3")
    hanging.leave(parts, mark)
    daemon.start()
    count = gone(count + 60, "batch", 1)

    # What the log holds behind it goes to other partitions too, where nothing hangs.
    parts, mark = hanging.cut_off("short", 2, 1, later=60)
    if len(parts) == 3:
        raise Failure("the messages are in all partitions")
    hanging.leave(parts, mark)
    daemon.start()
    count = gone(count + 62, "short", 2)

    daemon.stop()
    hanging.leave({}, hanging.mark_at("claim"))
    daemon.start()
    count = gone(count, "claim", 3)

    # The mark was undone and tells of nothing; its messages hang, and would count with the next ones of theirs.
    hanging.leave(*hanging.cut_off("parts"))
    hanging.end(hanging.CONTROL, False)
    daemon.start()
    count = gone(count + 60, "parts", 4)

    # One partition's part has got its end. Was it the end of all? Only a person can find out, who then ends the rest.
    torn = hanging.tear("torn", True)
    for part in hanging.parts[1:]:
        hanging.end(part, True)
    rig.moonlog("relay", "resume", "--data", daemon.data)
    count = gone(count + 60, "torn", 4)

    # Or all was undone, and he says from where on it is to be sent again.
    position = hanging.newest_mark()["position"]
    hanging.tear("undone", False)
    rig.moonlog("relay", "rebuild", "--from", str(position), "--data", daemon.data)
    count = gone(count + 60, "undone", None)
    daemon.stop()
    print(f"hang: {count} messages, each seen once and in order, through transactions that hung ({', '.join(took)}); "
          f"torn: {torn['reason']}")


PROPERTIES = {"hang": ["transaction.partition.verification.enable=false"]}  # takes what no coordinator knows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("story", choices=("kills", "steps", "copies", "outage", "hang"))
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load")
    parser.add_argument("--messages", type=int, default=10000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--broker-kills", type=int, default=10)
    parser.add_argument("--pace", type=float, default=1.5)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--before", type=int, default=5)
    parser.add_argument("--away", type=int, default=60)
    parser.add_argument("--after", type=int, default=40)
    parser.add_argument("--catch-up", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    scratch = tempfile.mkdtemp(prefix="moonlog-relay-")
    broker = None
    try:
        broker = Broker(properties=PROPERTIES.get(options.story, ()))
        broker.start()
        stories = {"kills": kills, "steps": steps, "copies": copies, "outage": outage, "hang": hang}
        stories[options.story](options, scratch, broker)
    except Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(SKIP)
    except Failure as failure:
        print(f"FAILED: {failure} (seed {options.seed})")
        for name in sorted(os.listdir(scratch)):
            if name.endswith(".log"):
                print(f"--- {name}\n{open(os.path.join(scratch, name), errors='replace').read()[-2500:]}")
        sys.exit(1)
    finally:
        if broker:
            broker.close()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
