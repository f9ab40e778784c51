#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A daemon whose projection and reactor hear a topic says so when they cannot, and since when: the broker is killed,
hangs, was not there at the start, or a copy of the store has put them out of their groups. Old rows are not for a
moment called live meanwhile, and all goes on by itself.

  away.py --binary B        a broker of its own is started for it (broker.py)
"""
import argparse, json, os, shutil, signal, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from broker import Broker, Missing, SKIP  # noqa: E402
from crash import Daemon, Failure, get, wait_for  # noqa: E402

RULES = {
    "seen.lua": """return { name = "seen", topics = { "told" },
        tables = { Seen = { key = { "Name" }, columns = { Name = "text" } } },
        on = { Told = function(view, data) view.Seen:put { Name = data.name } end } }""",
    "heard.lua": """return { name = "heard", topics = { "told" }, react = { Told = function() return {} end } }""",
}


class Story:
    def __init__(self, options, scratch, broker):
        self.options, self.broker, self.lines = options, broker, 0
        folder, data = os.path.join(scratch, "reports"), os.path.join(scratch, "data")
        os.mkdir(folder)
        os.mkdir(data, 0o700)
        for name, text in RULES.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        self.daemon = self.beside(data, folder)

    def beside(self, data, folder):
        return Daemon(self.options.binary, data, folder, options=[
            "--workers", "1", "--bus", "kafka", "--set", f"kafka.brokers={self.broker.address}"])

    def copied(self):
        """A copy of the store puts the first out of its groups for good; once it has gone the first hears again."""
        self.daemon.stop()
        shutil.copytree(self.daemon.data, self.daemon.data + "-copy", ignore=shutil.ignore_patterns("*.sock", "*.lock"))
        other = self.beside(self.daemon.data + "-copy", self.daemon.domain)
        self.daemon.start()
        self.check_back("beside its copy")
        other.start()
        wait_for("one is put out by its copy", lambda: "away" in self.states())
        other.kill()
        wait_for("both hear again", lambda: self.states() == ("live", "running"), patience=120)

    def kcat(self, *arguments, text=None):
        done = subprocess.run(["kcat", "-b", self.broker.address, *arguments], input=text, capture_output=True, text=True,
                              timeout=60)
        return done.returncode == 0

    def tell(self, name):
        wait_for("kcat", lambda: self.kcat("-P", "-t", "told", "-H", "type=Told", text=json.dumps({"name": name}) + "\n"))
        wait_for(f"the row of {name}", lambda: name in get(self.daemon.port, "/views/reports/Seen")[1].decode())

    def ready(self):
        status, body = get(self.daemon.port, "/readyz")
        if status not in (200, 503):
            raise Failure(f"/readyz: {status} {body}")
        return json.loads(body)

    def states(self):
        ready = self.ready()
        return tuple(each["state"] for kind in ("projections", "reactors") for each in ready[kind])

    def log(self):
        with open(self.daemon.data + ".log", errors="replace") as file:
            return file.read()

    def check_away(self, what):
        """Until both say it; then not for a moment anything else."""
        wait_for(f"both are away: {what}", lambda: self.states() == ("away", "away"), patience=25)
        since, end = self.ready()["projections"][0]["away_since"], time.monotonic() + 3
        while time.monotonic() < end:
            ready = self.ready()
            projection, reactor = ready["projections"][0], ready["reactors"][0]
            if projection["state"] != "away" or projection["away_since"] != since or "broker" not in projection["reason"]:
                raise Failure(f"{what}: the projection says {projection}")
            if reactor["state"] != "away" or "broker" not in reactor["reason"] or reactor["behind"] is not None:
                raise Failure(f"{what}: the reactor says {reactor}")
            if ready["status"] != "ready" or projection["behind_us"] <= 0:
                raise Failure(f"{what}: {ready}")
            time.sleep(0.05)
        metrics = get(self.daemon.port, "/metrics")[1].decode()
        for figure in ('moonlog_projection_away{domain="reports",projection="seen"} 1',
                       'moonlog_consumer_away{domain="reports",reactor="heard"} 1'):
            if figure not in metrics:
                raise Failure(f"{what}: the metrics lack {figure}")
        listed = subprocess.run([self.options.binary, "projection", "list", "--data", self.daemon.data], capture_output=True,
                                text=True, timeout=60).stdout
        if " away " not in listed or "waits: no broker" not in listed:
            raise Failure(f"{what}: projection list says {listed}")

    def check_back(self, what):
        wait_for(f"both are back: {what}", lambda: self.states() == ("live", "running"))
        lines = self.log().count('msg="messages wait"')
        if lines > self.lines + 5:
            raise Failure(f"{what}: {lines - self.lines} lines about messages that wait")
        self.lines = lines
        projection = self.ready()["projections"][0]
        if "reason" in projection or "away_since" in projection or projection["behind_us"] != 0:
            raise Failure(f"{what}: it is back and says {projection}")


def story(options, scratch, broker):
    it = Story(options, scratch, broker)
    wait_for("the topic", lambda: it.kcat("-P", "-t", "told", text="{}\n"))
    it.daemon.start()
    it.tell("first")
    it.check_back("before anything")
    broker.kill()
    it.check_away("killed")
    broker.restart()
    it.check_back("killed")  # though nothing was sent
    it.tell("second")
    os.kill(broker.process.pid, signal.SIGSTOP)
    it.check_away("hangs")
    os.kill(broker.process.pid, signal.SIGCONT)
    it.check_back("hangs")
    it.tell("third")
    if it.log().count("a projection hears its topics again") != 2:
        raise Failure("the log does not say twice that it hears again")
    it.copied()
    it.tell("after its copy")
    broker.kill()
    it.daemon.stop()
    it.daemon.start()
    it.check_away("not there at the start")
    broker.restart()
    it.check_back("not there at the start")
    it.tell("fourth")
    it.daemon.stop()
    print("away: killed, hanging, put out by a copy and not there at the start: shown with cause and since when, live again by itself")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    scratch = tempfile.mkdtemp(prefix="moonlog-away-")
    broker = None
    try:
        broker = Broker(properties=["auto.create.topics.enable=true"])
        broker.start()
        story(options, scratch, broker)
    except Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(SKIP)
    except Failure as failure:
        print(f"FAILED: {failure}")
        log = os.path.join(scratch, "data.log")
        if os.path.exists(log):
            print(open(log, errors="replace").read()[-3000:])
        sys.exit(1)
    finally:
        if broker:
            broker.close()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
