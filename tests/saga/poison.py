#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A poison message parks its key alone; the rule is mended, the reload shows what would come of the parked messages, and
they drain in order while other keys never stalled. Timers are listed, fire once, and survive a kill.

  poison.py --binary B
"""
import argparse, http.client, json, os, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from crash import Daemon, Failure, get  # noqa: E402

SOURCE = """return {
    name = "source", initial = function() return {} end,
    events = { Sent = { data = { number = "integer" }, apply = function(state) return state end,
                        publish = { topic = "numbers" } } },
    commands = { Send = { anywhere = true, data = { number = "integer" },
                          handle = function(_, data) return { { type = "Sent", data = data } } end } },
}
"""
SINK = """return {
    name = "sink", initial = function() return { seen = json.array {}, rang = 0 } end,
    events = {
        Took = { data = { number = "integer" },
                 apply = function(state, data) state.seen[#state.seen + 1] = data.number return state end },
        Rang = { data = {}, apply = function(state) state.rang = state.rang + 1 return state end },
    },
    timers = { bell = "Ring" },
    commands = {
        Take = { anywhere = true, data = { number = "integer" },
                 handle = function(_, data) return { { type = "Took", data = data } } end },
        Wind = { anywhere = true, data = { after = "number" },
                 handle = function(_, data, ctx) ctx:timer("bell", { after = data.after }) return { { type = "Took", data = { number = 0 } } } end },
        Ring = { data = {}, handle = function() return { { type = "Rang", data = {} } } end },
    },
}
"""
REACTOR = """return {
    name = "taker", topics = { "numbers" }, on_failure = "park", attempts = 2,
    react = { Sent = function(data, meta)
        if data.number == %s then error("no such number") end
        return { { command = "sink.Take", id = meta.subject:match "/(.*)$" or meta.subject, data = { number = data.number } } }
    end },
}
"""


def post(port, path, body, key):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", "Idempotency-Key": key})
    answer = connection.getresponse()
    return answer.status, answer.read()


class Story:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.folders = [os.path.join(scratch, name) for name in ("sender", "taking")]
        for folder in self.folders:
            os.mkdir(folder)
        self.write(0, "source.lua", SOURCE)
        self.write(1, "sink.lua", SINK)
        self.write(1, "taker.lua", REACTOR % 3)
        data = os.path.join(scratch, "data")
        os.mkdir(data, 0o700)
        self.daemon = Daemon(options.binary, data, self.folders[0], options=["--workers", "2", self.folders[1]])

    def write(self, folder, name, text):
        with open(os.path.join(self.folders[folder], name), "w") as file:
            file.write("-- SPDX-License-Identifier: MIT\n" + text)

    def moonlog(self, *words, code=0):
        done = subprocess.run([self.options.binary, *words, "--data", self.daemon.data], capture_output=True, text=True)
        if done.returncode != code:
            raise Failure(f"moonlog {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def send(self, key, number):
        status, body = post(self.daemon.port, f"/commands/sender/source/{key}/Send", {"number": number}, f"{key}-{number}")
        if status != 200:
            raise Failure(f"Send: {status} {body}")

    def state(self, key):
        status, body = get(self.daemon.port, f"/state/taking/sink/{key}")
        return json.loads(body)["state"] if status == 200 else {"seen": [], "rang": 0}

    def wait(self, what, holds, seconds=20):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise Failure(f"after {seconds} s not yet: {what}")
            time.sleep(0.02)

    def poison(self):
        for number in range(1, 7):
            for key in ("a", "b"):
                if not (key == "b" and number == 3):
                    self.send(key, number)
        self.wait("key b goes on", lambda: self.state("b")["seen"] == [1, 2, 4, 5, 6])
        self.wait("key a is parked", lambda: len(self.moonlog("dlq", "list").splitlines()) == 4)
        if self.state("a")["seen"] != [1, 2]:
            raise Failure(f"key a went on behind its dead letter: {self.state('a')}")
        letters = [json.loads(line) for line in self.moonlog("dlq", "list", "--json").splitlines()]
        first = self.moonlog("dlq", "list", "taking.taker").split()[1]
        shown = json.loads(self.moonlog("dlq", "show", "taking.taker", first, "--json"))
        if shown != letters[0] or "no such number" not in json.dumps(shown):
            raise Failure(f"dlq show: {shown}")
        self.daemon.kill()
        self.daemon.start()
        again = json.loads(self.moonlog("dlq", "retry", "taking.taker", first))
        if again["settled"] != 0 or self.state("a")["seen"] != [1, 2]:
            raise Failure(f"retry with the same rules: {again} {self.state('a')}")
        return letters

    def mend(self):
        self.write(1, "taker.lua", REACTOR % 1000)
        planned = json.loads(self.moonlog("plan", "--json", "taking"))
        told = json.dumps(planned)
        if '"parked"' not in told or told.count('"done"') < 4:
            raise Failure(f"the plan does not tell what would come of the parked messages: {told[:1500]}")
        if self.state("a")["seen"] != [1, 2]:
            raise Failure("the rehearsal had an effect")
        self.moonlog("reload", "taking")
        self.wait("they drain in order", lambda: self.state("a")["seen"] == [1, 2, 3, 4, 5, 6])
        self.wait("no letter is left", lambda: self.moonlog("dlq", "list") == "")
        self.send("a", 7)
        self.wait("the key goes on", lambda: self.state("a")["seen"] == [1, 2, 3, 4, 5, 6, 7])

    def timers(self):
        for key, after in (("soon", 1.5), ("late", 100000)):
            status, body = post(self.daemon.port, f"/commands/taking/sink/{key}/Wind", {"after": after}, f"wind-{key}")
            if status != 200:
                raise Failure(f"Wind: {status} {body}")
        listed = [json.loads(line) for line in self.moonlog("timer", "list", "--json").splitlines()]
        if [timer["stream"] for timer in listed] != ["taking.sink/soon", "taking.sink/late"]:
            raise Failure(f"timer list: {listed}")
        self.daemon.kill()
        self.daemon.start()
        self.wait("the timer fires after the kill", lambda: self.state("soon")["rang"] == 1)
        self.daemon.kill()
        self.daemon.start()
        self.wait("one is left", lambda: len(self.moonlog("timer", "list").splitlines()) == 1)
        if self.state("soon")["rang"] != 1 or self.state("late")["rang"] != 0:
            raise Failure("a timer fired twice, or too early")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    scratch = tempfile.mkdtemp(prefix="moonlog-poison-")
    story = Story(options, scratch)
    try:
        story.daemon.start()
        letters = story.poison()
        story.mend()
        story.timers()
        story.daemon.stop()
        print(f"poison: {len(letters)} letters of one key, the other went on; mended, rehearsed, drained in order; timers fire once")
    except Failure as failure:
        print(f"FAILED: {failure}\n{open(story.daemon.data + '.log').read()[-3000:]}")
        sys.exit(1)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
