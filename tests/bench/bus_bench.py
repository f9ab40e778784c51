#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Messages on a real broker, as ratios to references measured in turns with them.

  bus_bench.py --build build/release [--rounds 3] [--messages 100000] [--only relay,consumer,readable] [--json FILE]

relay: a store with a backlog, drained by the relay of the real daemon, against a bare transactional producer of
librdkafka that sends the same bytes with as many messages a transaction (bench_kafka produce). Both are counted from
the end of their first transaction. consumer: a consumer whose Lua reactor gives a command for each message, inbox on,
against the store's own appends (bench_store: 100 appends of one event and one remembered id a group; and one append of
100 events) and against a bare consumer. readable: from a command's answer to its message in the hands of a
read_committed consumer, at 100 commands a second.

Processor time is of the whole process that is measured, the broker's not counted.
"""
import argparse, http.client, json, os, re, shutil, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "kafka"))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from broker import Broker, Missing, SKIP  # noqa: E402
from crash import Daemon, Failure, get  # noqa: E402

NOTE = "x" * 200
COUNTER = """-- SPDX-License-Identifier: MIT
return {
    name = "counter", initial = function() return { count = 0 } end,
    events = {
        Counted = { data = { number = "integer", mark = "string", note = "string" }, publish = { topic = "counted" },
                    apply = function(state) state.count = state.count + 1 return state end },
    },
    commands = {
        Count = { anywhere = true, data = { mark = "string" },
                  handle = function(state, data)
                      return { { type = "Counted", data = { number = state.count + 1, mark = data.mark, note = "%s" } } }
                  end },
    },
}
""" % NOTE
SINK = """-- SPDX-License-Identifier: MIT
return {
    name = "sink", initial = function() return { count = 0, last = 0 } end,
    events = {
        Took = { data = { number = "integer", mark = "string", note = "string" },
                 apply = function(state, data)
                     state.count, state.last = state.count + 1, data.number
                     return state
                 end },
    },
    commands = {
        Take = { anywhere = true, data = { number = "integer", mark = "string", note = "string" },
                 handle = function(state, data)
                     if data.number <= state.last then return nil, { code = "old" } end
                     return { { type = "Took", data = data } }
                 end },
    },
}
"""
TAKER = """-- SPDX-License-Identifier: MIT
return {
    name = "taker", topics = { "counted" },
    react = { Counted = function(data, meta)
        return { { command = "sink.Take", id = meta.subject, data = data } }
    end },
}
"""
STREAMS = 5000


def line(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{command}: {done.stdout} {done.stderr[-600:]}")
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", done.stdout)}


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def admin(daemon, path):
    connection = http.client.HTTPConnection("moonlog", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(os.path.join(daemon.data, "moonlog.sock"))
    connection.request("GET", path)
    body = json.loads(connection.getresponse().read())
    connection.close()
    return body


def drain(daemon, done, wanted, patience=300):
    """Rate from the first message that is done to the last, by the clock and by processor time."""
    first, deadline = None, time.monotonic() + patience
    while True:
        count, now = done(), time.monotonic()
        if first is None and count > 0:
            first = (count, now, cpu_seconds(daemon.process.pid))
        if count >= wanted:
            break
        if now > deadline:
            raise Failure(f"{count} of {wanted} messages after {patience} s")
        time.sleep(0.01)
    if first[0] >= wanted:
        raise Failure("all was done at once: too few messages")
    count = wanted - first[0]
    return {"rate": count / (now - first[1]), "cpu_rate": count / max(cpu_seconds(daemon.process.pid) - first[2], 0.01)}


class Bench:
    def __init__(self, options, scratch, broker):
        self.options, self.scratch, self.broker = options, scratch, broker
        self.rows, self.number = {}, 0
        self.write("counting", "counter.lua", COUNTER)
        self.write("taking", "sink.lua", SINK)
        self.write("taking", "taker.lua", TAKER)
        self.file = os.path.join(scratch, "messages")

    def write(self, folder, name, text):
        os.makedirs(os.path.join(self.scratch, folder), exist_ok=True)
        with open(os.path.join(self.scratch, folder, name), "w") as file:
            file.write(text)

    def tool(self, name):
        return os.path.join(self.options.build, "tests", "bench", name)

    def daemon(self, name, domain, *settings, copy=None):
        data = os.path.join(self.scratch, name)
        shutil.rmtree(data, ignore_errors=True)
        if copy:
            shutil.copytree(copy, data)
        else:
            os.mkdir(data, 0o700)
        flags = [flag for setting in ("log.level=warn", *settings) for flag in ("--set", setting)]
        return Daemon(os.path.join(self.options.build, "moonlog"), data, os.path.join(self.scratch, domain), options=flags)

    def kafka(self, service):
        return "bus=kafka", f"kafka.brokers={self.broker.address}", "kafka.partitions=4", f"kafka.service={service}"

    def fill(self):
        """The backlog: commands over HTTP, with nobody to send what they publish."""
        daemon, lines = self.daemon("full", "counting"), os.path.join(self.scratch, "lines")
        with open(lines, "w") as file:
            for i in range(self.options.messages):
                file.write(f"/commands/counting/counter/c{i % STREAMS}/Count\t{{\"mark\": \"m{i}\"}}\n")
        daemon.start()
        made = line([self.tool("bench_load"), daemon.port, 32, 0, "lines", lines, os.path.join(self.scratch, "series")])
        daemon.stop()
        if made["answers"] != self.options.messages or made["bad"]:
            raise Failure(f"the store could not be filled: {made}")

    def note(self, name, value):
        self.rows.setdefault(name, []).append(value)

    def relay_once(self):
        self.number += 1
        daemon = self.daemon("draining", "counting", *self.kafka(f"relay{self.number}"), copy=os.path.join(self.scratch, "full"))
        daemon.start()
        found = drain(daemon, lambda: admin(daemon, "/admin/relay")["sent"], self.options.messages)
        status = admin(daemon, "/admin/relay")
        # The claim and marks without messages are transactions too: the first is the claim.
        found["per"] = round(status["sent"] / (status["transactions"] - 1))
        daemon.stop()
        return found

    def relay(self):
        for i in range(self.options.rounds + 1):
            ours = self.relay_once()
            if i == 0:  # warms the broker up, and gives the bytes
                line([self.tool("bench_kafka"), "consume", self.broker.address, "counted", self.options.messages, self.file])
                continue
            bare = line([self.tool("bench_kafka"), "produce", self.broker.address, "counted", self.file, ours["per"],
                         f"bare{self.number}"])
            self.note("relay", ours["rate"] / bare["rate"])
            self.note("relay, by processor time", ours["cpu_rate"] / bare["cpu_rate"])
            self.note("relay, messages a second", ours["rate"])
            self.note("bare producer, messages a second", bare["rate"])
            self.note("messages a transaction", ours["per"])

    def consumer_once(self, count):
        self.number += 1
        daemon = self.daemon("taking-data", "taking", *self.kafka(f"taker{self.number}"))
        daemon.start()

        def taken():
            _, body = get(daemon.port, "/metrics")
            found = re.search(r"moonlog_messages_taken_total\{[^}]*\} (\d+)", body.decode())
            return int(found.group(1)) if found else 0

        found = drain(daemon, taken, count)
        daemon.stop()
        return found

    def consumer(self):
        if not os.path.exists(self.file):
            self.relay_once()
            line([self.tool("bench_kafka"), "consume", self.broker.address, "counted", self.options.messages, self.file])
        count = self.options.messages
        for i in range(self.options.rounds):
            ours = self.consumer_once(count)
            store = self.store()
            bare = line([self.tool("bench_kafka"), "consume", self.broker.address, "counted", count])
            self.note("consumer of the store's groups of 100 appends with ids", ours["rate"] / store["ids"])
            self.note("consumer of the store's appends of 100 events", ours["rate"] / store["batch"])
            self.note("consumer of a bare consumer", ours["rate"] / bare["rate"])
            self.note("consumer, messages a second", ours["rate"])
            self.note("consumer, messages a second of processor", ours["cpu_rate"])
            self.note("store, groups of 100 appends with ids, a second", store["ids"])
            self.note("store, appends of 100 events, events a second", store["batch"])

    def store(self):
        folder, found = os.path.join(self.scratch, "store"), {}
        os.makedirs(folder, exist_ok=True)
        for name, row in (("ids", "100 appends of 1, ids"), ("batch", "1 writer, batch of 100")):
            done = subprocess.run([self.tool("bench_store"), "append", folder, "1", "2", row], capture_output=True, text=True)
            found[name] = float(re.search(re.escape(row) + r" +(\d+)", done.stdout).group(1))
        return found

    def readable(self):
        daemon = self.daemon("readable", "counting", *self.kafka("readable"))
        daemon.start()
        subprocess.run([self.tool("bench_load"), str(daemon.port), "1", "2@100", "lines", self.one_line(),
                        os.path.join(self.scratch, "series")], check=True, capture_output=True)
        for _ in range(self.options.rounds):
            found = line([self.tool("bench_kafka"), "readable", self.broker.address, "counted", daemon.port,
                          "/commands/counting/counter/r", 1000, 100])
            self.note("answer to readable p50, ms", found["p50"] / 1000)
            self.note("answer to readable p99, ms", found["p99"] / 1000)
            self.note("the answer itself p50, ms", found["answer_p50"] / 1000)
        daemon.stop()

    def one_line(self):
        path = os.path.join(self.scratch, "line")
        with open(path, "w") as file:
            file.write("/commands/counting/counter/warm/Count\t{\"mark\": \"w\"}\n")
        return path

    def show(self):
        for name, values in self.rows.items():
            print(f"{name:60} {statistics.median(values):12.2f}   {min(values):.2f} to {max(values):.2f}")
        if self.options.json:
            with open(self.options.json, "w") as file:
                json.dump(self.rows, file, indent=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=100000)
    parser.add_argument("--only", default="relay,consumer,readable")
    parser.add_argument("--json")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    scratch = tempfile.mkdtemp(prefix="moonlog-bus-")
    broker = None
    try:
        broker = Broker().start()
        bench, parts = Bench(options, scratch, broker), options.only.split(",")
        if "relay" in parts or "consumer" in parts:
            bench.fill()
        for part in parts:
            getattr(bench, part)()
            sys.stdout.flush()
        bench.show()
    except Missing as missing:
        print(f"skipped: {missing}")
        sys.exit(SKIP)
    except Failure as failure:
        print(f"FAILED: {failure}")
        for name in sorted(os.listdir(scratch)):
            if name.endswith(".log"):
                print(f"--- {name}\n{open(os.path.join(scratch, name), errors='replace').read()[-1500:]}")
        sys.exit(1)
    finally:
        if broker:
            broker.close()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
