#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A daemon that has nothing but a projection fed by a topic, against the real broker [I6]: kill -9 at random and at each
step neither loses nor doubles a row; a message at fault stops it alone; rows are made anew; repeats upstream are known.

  topics.py --binary B [--messages 3000] [--kills 8] [--seed 1]     under broker.py with
"""
import argparse, http.client, json, os, random, shutil, sqlite3, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from crash import Daemon, Failure, get, wait_for  # noqa: E402

SENDER = """return {
    name = "sender", initial = function() return {} end,
    events = { Counted = { data = { key = "string", number = "integer" }, publish = { topic = "TOPIC" },
                           apply = function(state) return state end } },
    commands = { Count = { anywhere = true, data = { key = "string", number = "integer" },
                           handle = function(_, data) return { { type = "Counted", data = data } } end } },
}
"""
# A number that does not follow on the one before it is at fault: nothing can be lost or doubled unseen.
SUMS = """return {
    name = "sums", topics = { "TOPIC" },
    tables = { Sum = { key = { "Key" }, columns = { Key = "text", Count = "integer", Last = "integer" } } },
    on = { Counted = function(view, data)
        local last = view.Sum:get(data.key)
        if data.number ~= (last and last.Last or 0) + 1 then
            error("not the next: " .. data.key .. " " .. data.number)
        end
        view.Sum:put { Key = data.key, Count = (last and last.Count or 0) + 1, Last = data.number }
    end },
}
"""
MENDED = SUMS.replace('error("not the next: " .. data.key .. " " .. data.number)', "return")
OTHER = """return {
    name = "other", topics = { "TOPIC" },
    tables = { All = { key = { "Name" }, columns = { Name = "text", Count = "integer" } } },
    on = { Counted = function(view) view.All:add("all", { Count = 1 }) end,
           Told = function(view) view.All:add("told", { Count = 1 }) end },
}
"""
DOMAIN = """return {
    routes = { { "GET", "/sums", query = "sums" }, { "GET", "/all", query = "all" } },
    queries = {
        sums = { params = {}, run = function(view)
            local found = json.array {}
            for i, row in ipairs(view.Sum:find { order = "Key", limit = 1000 }) do
                found[i] = { row.Key, row.Count, row.Last }
            end
            return found
        end },
        all = { params = {}, run = function(view)
            local all, told = view.All:get "all", view.All:get "told"
            return { all = all and all.Count or 0, told = told and told.Count or 0 }
        end },
    },
}
"""
KEYS = [f"k{number}" for number in range(12)]


class Story:
    def __init__(self, options, scratch):
        self.options, self.scratch, self.chance = options, scratch, random.Random(options.seed)
        self.topic = f"counted-{os.getpid()}-{int(time.time())}"
        self.sent = dict.fromkeys(KEYS, 0)
        self.sender = self.daemon("sender", {"sender.lua": SENDER}, ["--set", "kafka.partitions=3"])
        self.reports = self.daemon("reports", {"domain.lua": DOMAIN, "sums.lua": SUMS, "other.lua": OTHER},
                                   ["--set", "limits.projection_batch=40", "--set", "reload.keep_seconds=1"])

    def daemon(self, name, files, extra):
        folder, data = (os.path.join(self.scratch, kind + name) for kind in ("", "data-"))
        os.mkdir(folder)
        os.mkdir(data, 0o700)
        for file, text in files.items():
            self.write(name, file, text)
        return Daemon(self.options.binary, data, folder, options=[
            "--workers", "1", "--bus", "kafka", "--set", f"kafka.brokers={self.options.kafka}",
            "--set", f"kafka.service={name}-{os.getpid()}", *extra])

    def write(self, domain, file, text):
        with open(os.path.join(self.scratch, domain, file), "w") as out:
            out.write(text.replace("TOPIC", self.topic))

    # ---- asking ----

    def kcat(self, *arguments, text):
        done = subprocess.run(["kcat", "-P", "-b", self.options.kafka, "-t", self.topic, *arguments], input=text,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Failure(f"kcat {arguments}: {done.stderr}")

    def send(self, count):
        lines = []
        for _ in range(count):
            key = self.chance.choice(KEYS)
            self.sent[key] += 1
            lines.append(f"{key}|" + json.dumps({"key": key, "number": self.sent[key]}))
        self.kcat("-K", "|", "-H", "type=Counted", text="\n".join(lines) + "\n")

    def count_by_sender(self):
        """A message of ours among those of kcat; the first makes the topic."""
        self.sent["own"] = self.sent.get("own", 0) + 1
        connection = http.client.HTTPConnection("127.0.0.1", self.sender.port, timeout=30)
        connection.request("POST", "/commands/sender/sender/own/Count", json.dumps({"key": "own", "number": self.sent["own"]}),
                           {"Content-Type": "application/json"})
        if connection.getresponse().status != 200:
            raise Failure("the sender refuses to count")

    def ask(self, path):
        status, body = get(self.reports.port, path)
        return json.loads(body) if status in (200, 503) else None

    def projection(self, name="sums"):
        return next(each for each in self.ask("/readyz")["projections"] if each["name"] == name)

    def wanted(self):
        return [[key, count, count] for key, count in sorted(self.sent.items()) if count]

    def wait_rows(self, what, wanted=None):
        wanted = wanted or self.wanted()
        try:
            wait_for(what, lambda: self.ask("/sums") == wanted)
        except Failure as failure:
            raise Failure(f"{failure}: {self.ask('/sums')} and not {wanted}; {self.ask('/readyz')}") from None

    def order(self, *arguments, expected=0):
        try:
            done = subprocess.run([self.options.binary, *arguments, "--data", self.reports.data], capture_output=True,
                                  text=True, timeout=60)
        except subprocess.TimeoutExpired:
            raise Failure(f"moonlog {' '.join(arguments)} does not end: {self.ask('/readyz')}") from None
        if done.returncode not in (0, expected):
            raise Failure(f"moonlog {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def log(self):
        with open(self.reports.data + ".log", errors="replace") as file:
            return file.read()

    # ---- stories ----

    def kills(self):
        def send_all():
            try:
                for _ in range(30):
                    self.send(self.options.messages // 30)
            except Exception as error:  # noqa: BLE001 - told by the main thread
                self.trouble = error

        self.trouble = None
        sender = threading.Thread(target=send_all)
        sender.start()
        for _ in range(self.options.kills):
            time.sleep(self.chance.uniform(0.05, 0.5))
            self.reports.kill()
            self.reports.start()
        sender.join()
        if self.trouble:
            raise self.trouble
        self.wait_rows("all rows after kills")
        for probe in ("feed.before_commit", "view.before_commit", "feed.after_commit"):
            self.reports.stop()
            self.reports.environment["MOONLOG_PROBE"] = f"{probe}:3:kill"
            self.reports.start()
            self.send(400)
            if wait_for(f"death at {probe}", lambda: self.reports.process.poll() is not None) and \
                    self.reports.process.returncode == 0:
                raise Failure(f"the daemon did not die at {probe}")
            self.reports.environment.pop("MOONLOG_PROBE")
            self.reports.start()
            self.wait_rows(f"all rows after {probe}")
        wait_for("the other one has heard all", lambda: self.ask("/all")["all"] == sum(self.sent.values()))
        lines = self.log().count("msg=message ")
        if lines < 2 * sum(self.sent.values()) * 0.9:
            raise Failure(f"{lines} lines of messages for two projections of {sum(self.sent.values())}")
        wait_for("it is live", lambda: self.projection()["state"] == "live" and self.ask("/readyz")["status"] == "ready")

    def poison(self):
        before = self.ask("/all")["all"]
        self.kcat("-K", "|", "-H", "type=Counted", text='k1|{"key":"k1","number":1000000}\n')
        stopped = wait_for("it stops", lambda: (p := self.projection())["state"] == "stopped" and p)
        if not stopped["reason"].startswith(f"{self.topic}/") or f"/{stopped['poison']}: Counted: " not in stopped["reason"] \
                or "sums.lua:7" not in stopped["reason"]:
            raise Failure(f"the reason does not say where and why: {stopped}")
        self.send(60)
        wait_for("the other one goes on", lambda: self.ask("/all")["all"] == before + 61)
        if get(self.reports.port, "/readyz")[0] != 503:
            raise Failure("ready although a projection is stopped")
        self.reports.kill()
        self.reports.start()
        if self.projection()["reason"] != stopped["reason"] or self.projection()["poison"] != stopped["poison"]:
            raise Failure(f"a restart has another reason: {self.projection()}")
        self.order("projection", "retry", "reports.sums", expected=1)  # it stops again
        wait_for("it stops again", lambda: self.log().count("projection stopped at a message") == 2)
        wait_for("it says so", lambda: self.projection()["state"] == "stopped")
        self.order("projection", "skip", "reports.sums")
        self.wait_rows("rows after a skip")
        self.kcat("-H", "ce_specversion=0.3", text="no event\n")
        for name in ("sums", "other"):  # what is no message is none for anybody
            wait_for(f"{name} stops", lambda: "specversion" in self.projection(name).get("reason", ""))
            self.order("projection", "skip", f"reports.{name}")
        self.send(20)
        self.wait_rows("rows after two skips")

    def anew(self):
        self.write("reports", "sums.lua", MENDED)
        self.order("reload", "reports")
        wait_for("it is read beside", lambda: "the new read model is read" in self.log())
        # The mended rules pass over both faults by themselves, so that the topic can be read from its beginning.
        self.wait_rows("the same rows, made anew beside")

    def repeats(self):
        def tell(position, second, number):
            self.kcat("-p", "0", *(part for name, value in {
                "specversion": "1.0", "id": f"{position}-{second}", "source": "/other/store", "type": "Told",
                "sequence": f"{position:020}-0000", "time": f"2026-01-01T00:00:{second:02}Z"}.items()
                for part in ("-H", f"ce_{name}={value}")), text="{}\n")
            wait_for(f"told {number}", lambda: self.ask("/all")["told"] == number)

        tell(7, 1, 1)
        tell(9, 2, 2)
        self.reports.kill()
        self.reports.start()
        for position, second in ((7, 1), (9, 2)):
            tell(position, second, 2)
        tell(10, 3, 3)
        tell(8, 4, 4)  # a store that was put back, and goes on from there
        tell(8, 4, 4)
        wait_for("repeats are told", lambda: self.log().count("result=repeated") == 3)
        self.told_by_another(5, "ce_specversion=1.0", "ce_id=x", "ce_source=/shop", "ce_type=Told")
        self.told_by_another(6, "type=Told", "id=x")

    def told_by_another(self, number, *headers):
        """Its repeats are known by its id alone, whatever partition they come by."""
        for again in range(4):
            self.kcat("-p", str(again % 3), *(part for each in headers for part in ("-H", each)), text="{}\n")
            if again == 1:
                wait_for("it is told again", lambda: self.log().count("result=repeated") == 3 * (number - 4) + 1)
                self.reports.kill()
                self.reports.start()
        wait_for("its repeats are told", lambda: self.log().count("result=repeated") == 3 * (number - 3))
        if self.ask("/all")["told"] != number:
            raise Failure(f"a message of another program was told {self.ask('/all')['told'] - number + 1} times")

    def gone(self):
        self.reports.stop()
        views = os.path.join(self.reports.data, "views")
        for file in os.listdir(views):
            if not file.endswith(".db"):
                continue
            rows = sqlite3.connect(os.path.join(views, file))
            rows.execute("UPDATE moonlog_checkpoints SET position = position + 1000 WHERE projection LIKE 'sums@%/0'")
            rows.commit()
            rows.close()
        self.reports.start()
        wait_for("its place is gone", lambda: "offset_gone" in self.projection().get("reason", ""))
        self.order("projection", "rebuild", "reports.sums")


def story(options, scratch):
    it = Story(options, scratch)
    it.sender.start()
    it.count_by_sender()
    wait_for("the topic", lambda: it.topic in subprocess.run(["kcat", "-L", "-b", options.kafka], capture_output=True,
                                                              text=True, timeout=60).stdout)
    it.reports.start()
    it.kills()
    it.poison()
    it.anew()
    it.repeats()
    it.gone()
    it.wait_rows("rows made anew")
    it.send(50)
    it.wait_rows("and it goes on")
    it.reports.stop()
    it.sender.stop()
    print(f"topics: {sum(it.sent.values())} messages, each once, through {options.kills} kills and a death at each step; stops, "
          "skips, repeats and rows made anew")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--kafka", default=os.environ.get("MOONLOG_KAFKA"))
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    scratch = tempfile.mkdtemp(prefix="moonlog-topics-")
    try:
        story(options, scratch)
    except Failure as failure:
        print(f"FAILED: {failure} (seed {options.seed})")
        for name in sorted(os.listdir(scratch)):
            if name.endswith(".log"):
                text = "".join(line for line in open(os.path.join(scratch, name), errors="replace")
                               if "msg=message " not in line)
                print(f"--- {name}\n{text[-3000:]}")
        sys.exit(1)
    finally:
        if not options.keep:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
