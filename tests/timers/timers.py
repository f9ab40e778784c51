#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Durable timers in the real daemon: many that wait cost nothing, each fires once, and moved clocks move none.

  timers.py cost   --binary B --load L [--timers 100000]   a wake-up and a restart beside many and beside few
  timers.py kills  --binary B --load L [--timers 100000] [--kills 20] [--seed 1]   all come due, kill -9 while they fire
  timers.py clock  --binary B                              the wall clock is moved by days, while it runs and between

The wall clock is moved by libfaketime (Debian's faketime), which leaves the monotonic clock alone. Without it kills and
clock are skipped (77).
"""
import argparse, glob, http.client, json, os, random, re, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from crash import Daemon, Failure, get  # noqa: E402

SKIP = 77
DAY = 86400
ALARM = """-- SPDX-License-Identifier: MIT
return {
    name = "alarm", initial = function() return { rang = 0 } end,
    events = {
        Wound = { data = { after = "number" }, apply = function(state) return state end },
        Rang = { data = {}, apply = function(state) state.rang = state.rang + 1 return state end },
    },
    timers = { bell = "Ring" },
    commands = {
        Wind = { anywhere = true, data = { after = "number" },
                 handle = function(_, data, ctx)
                     ctx:timer("bell", { after = data.after })
                     return { { type = "Wound", data = data } }
                 end },
        Ring = { data = {}, handle = function() return { { type = "Rang", data = {} } } end },
    },
}
"""


class Missing(Exception):
    pass


def library():
    """The one for programs with threads."""
    for again in (False, True):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if found:
            return found[0]
        if again or os.geteuid() != 0:
            raise Missing("no libfaketime; as root: apt-get install faketime")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": dict(os.environ, DEBIAN_FRONTEND="noninteractive")}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "faketime"], **quiet)
    return None


class Clock:
    """The wall clock of a daemon. It is looked at anew every second."""

    def __init__(self, scratch):
        self.path = os.path.join(scratch, "clock")
        self.move(0)
        self.environment = {"LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_CACHE_DURATION": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}

    def move(self, seconds):
        with open(self.path + ".new", "w") as file:
            file.write(f"{seconds:+d}\n")
        os.rename(self.path + ".new", self.path)


class Story:
    def __init__(self, options, scratch, clock=None):
        self.options, self.scratch = options, scratch
        self.folder, data = os.path.join(scratch, "alarms"), os.path.join(scratch, "data")
        os.mkdir(self.folder)
        os.mkdir(data, 0o700)
        with open(os.path.join(self.folder, "alarm.lua"), "w") as file:
            file.write(ALARM)
        self.daemon = Daemon(options.binary, data, self.folder, clock.environment if clock else None,
                             ["--workers", "2", "--log-level", "warn"])

    def wind(self, stream, after):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
        connection.request("POST", f"/commands/alarms/alarm/{stream}/Wind", json.dumps({"after": after}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Failure(f"Wind: {answer.status} {body[:300]!r}")
        return int(answer.getheader("Moonlog-Position"))

    def wind_many(self, prefix, count, after):
        lines = os.path.join(self.scratch, "lines")
        with open(lines, "w") as file:
            for i in range(count):
                file.write(f"/commands/alarms/alarm/{prefix}{i}/Wind\t{{\"after\": {after}}}\n")
        done = subprocess.run([self.options.load, str(self.daemon.port), "32", "0", "lines", lines,
                               os.path.join(self.scratch, "series")], capture_output=True, text=True)
        if f"answers={count} bad=0" not in done.stdout:
            raise Failure(f"timers cannot be set: {done.stdout} {done.stderr[-500:]}")

    def rang(self, stream):
        status, body = get(self.daemon.port, f"/state/alarms/alarm/{stream}")
        if status != 200:
            raise Failure(f"state of {stream}: {status}")
        return json.loads(body)["state"]["rang"]

    def fired(self):
        """Since the daemon's start."""
        _, body = get(self.daemon.port, "/metrics")
        return int(re.search(r'moonlog_timers_fired_total\{domain="alarms"\} (\d+)', body.decode()).group(1))

    def wait(self, what, holds, seconds=30):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise Failure(f"after {seconds} s not yet: {what}")
            time.sleep(0.02)

    def time_of(self, position):
        _, body = get(self.daemon.port, f"/log?after={position - 1}&limit=1")
        return json.loads(body)["entries"][0]["time"]

    def rings(self):
        """How often each stream rang, by the log itself."""
        found, after = {}, 0
        while True:
            _, body = get(self.daemon.port, f"/log?limit=1000&after={after}")
            page = json.loads(body)
            for entry in page["entries"]:
                if entry["type"] == "Rang":
                    found[entry["stream"]] = found.get(entry["stream"], 0) + 1
            if not page["entries"]:
                return found
            after = page["entries"][-1]["position"]


# ---- many that wait ----


def thread_ns(pid, name):
    """Processor time of a thread."""
    for task in glob.glob(f"/proc/{pid}/task/*"):
        if open(task + "/comm").read().strip() == name:
            return int(open(task + "/schedstat").read().split()[0])
    raise Failure(f"there is no thread {name}")


def wake_up_cost(story, prefix, count=100):
    """Processor time of the thread that fires, a timer, one wake-up each."""
    before = story.fired()
    story.wind("first" + prefix, 0.01)  # the rules' machine is opened, pages are in memory
    story.wait("the first timer fires", lambda: story.fired() == before + 1)
    begin = thread_ns(story.daemon.process.pid, "reacting")
    for i in range(count):
        story.wind(f"{prefix}{i}", 0.01)
        story.wait("a timer fires", lambda: story.fired() == before + 2 + i)
    return (thread_ns(story.daemon.process.pid, "reacting") - begin) / count / 1000


def restart_cost(story):
    """Seconds after a kill until a command is answered, by the clock and of processor time."""
    story.daemon.kill()
    begin = time.monotonic()
    story.daemon.start()
    story.wind("after-restart", 10 * DAY)
    took = time.monotonic() - begin
    fields = open(f"/proc/{story.daemon.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return took, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(options, scratch):
    story = Story(options, scratch)
    story.daemon.start()
    story.wind_many("few", 100, 30 * DAY)
    few_us, few_start = wake_up_cost(story, "a"), restart_cost(story)
    story.wind_many("many", options.timers, 30 * DAY)
    many_us, many_start = wake_up_cost(story, "b"), restart_cost(story)
    again_us = wake_up_cost(story, "c")
    story.daemon.stop()
    print(f"cost: a wake-up that fires one timer takes {few_us:.0f} us of processor beside 100 pending, {many_us:.0f} us beside "
          f"{options.timers} ({again_us:.0f} us after a restart); kill -9 to the first command's answer {few_start[0]:.2f} s "
          f"({few_start[1]:.2f} s of processor) and {many_start[0]:.2f} s ({many_start[1]:.2f} s)")
    # A scan of 100,000 rows takes tens of milliseconds; a deeper tree, some microseconds.
    if min(many_us, again_us) > 1.7 * few_us + 100:
        raise Failure("a wake-up costs more beside more timers")
    if many_start[1] > 2 * few_start[1] + 0.4:
        raise Failure("a restart costs more beside more timers")


# ---- kills ----


def kills(options, scratch):
    clock, chance = Clock(scratch), random.Random(options.seed)
    story = Story(options, scratch, clock)
    story.daemon.start()
    story.wind_many("t", options.timers, 30 * DAY)
    if story.fired() != 0:
        raise Failure("timers fired that are due in a month")
    story.daemon.stop()
    clock.move(31 * DAY)
    killed, begin = 0, time.monotonic()
    story.daemon.start()
    while killed < options.kills and listed(story) != 0:
        # Some of them before anything could fire, some within a commit.
        wanted = chance.randrange(0, max(2, options.timers // options.kills // 2))
        story.wait("timers fire", lambda: story.fired() >= wanted or listed(story) == 0, 120)
        time.sleep(chance.uniform(0, 0.02))
        story.daemon.kill()
        killed += 1
        story.daemon.start()
    if killed < options.kills // 2:
        raise Failure(f"all fired before {killed + 1} kills")
    story.wait("all have fired", lambda: listed(story) == 0, 600)
    rings = story.rings()
    story.daemon.stop()
    twice = [stream for stream, count in rings.items() if count != 1]
    if twice or len(rings) != options.timers:
        raise Failure(f"{len(twice)} streams rang more than once ({twice[:3]}), {options.timers - len(rings)} never")
    print(f"kills: {options.timers} timers that a month made due fired once each through {killed} kills, in "
          f"{time.monotonic() - begin:.1f} s")


def listed(story):
    done = subprocess.run([story.options.binary, "timer", "list", "--limit", "1", "--data", story.daemon.data],
                          capture_output=True, text=True)
    return len(done.stdout.splitlines())


# ---- clocks ----


def clock_story(options, scratch):
    clock = Clock(scratch)
    story = Story(options, scratch, clock)
    story.daemon.start()
    start = story.time_of(story.wind("probe", 90 * DAY))
    story.wind("tomorrow", DAY)
    story.wind("soon", 4)
    begin = time.monotonic()
    clock.move(2 * DAY)
    story.wait("the daemon sees two days later", lambda: story.time_of(story.wind("probe", 90 * DAY))[:10] >= later(start, 2), 10)
    story.wait("a timer of 4 s fires", lambda: story.rang("soon") == 1)
    took = time.monotonic() - begin
    if not 3.5 < took < 9:
        raise Failure(f"a timer of 4 s fired after {took:.1f} s: the wall clock moved it")
    # Set after the jump: by the same clock.
    begin = time.monotonic()
    story.wind("forward", 3)
    story.wait("a timer set after the jump fires", lambda: story.rang("forward") == 1)
    forward = time.monotonic() - begin
    clock.move(-2 * DAY)
    # What is recorded keeps to the later time, so nothing tells when the library has looked; it does so every second.
    time_out = time.monotonic() + 3
    while time.monotonic() < time_out:
        story.wind("probe", 90 * DAY)
        time.sleep(0.2)
    begin = time.monotonic()
    story.wind("backward", 3)
    story.wait("a timer set after the jump back fires", lambda: story.rang("backward") == 1)
    backward = time.monotonic() - begin
    for name, one in (("forward", forward), ("backward", backward)):
        if not 2.5 < one < 8:
            raise Failure(f"a timer of 3 s, set after the clock was moved {name}, fired after {one:.1f} s")
    if story.rang("tomorrow") != 0:
        raise Failure("a timer of tomorrow fired because the wall clock was moved while the daemon ran")
    restarts(story, clock)
    story.daemon.stop()
    print(f"clock: moved by two days forward and back beside a running daemon, timers of 4, 3 and 3 s fired after {took:.1f}, "
          f"{forward:.1f} and {backward:.1f} s, one of tomorrow did not; across restarts the wall clock counts, never before "
          "what was recorded last")


def later(text, days):
    return time.strftime("%Y-%m-%d", time.gmtime(time.mktime(time.strptime(text[:10], "%Y-%m-%d")) - time.timezone + days * DAY))


def restarts(story, clock):
    story.daemon.kill()
    clock.move(3 * DAY)
    story.daemon.start()
    story.wait("what fell due while nobody ran fires at the start", lambda: story.rang("tomorrow") == 1, 10)
    story.wind("short", 4)
    story.wind("week", 7 * DAY)
    position = story.wind("probe", 90 * DAY)
    last = story.time_of(position)
    story.daemon.kill()
    clock.move(-5 * DAY)
    begin = time.monotonic()
    story.daemon.start()
    story.wait("a timer fires although the wall clock went back by eight days", lambda: story.rang("short") == 1, 30)
    took = time.monotonic() - begin
    if took < 2.5 or story.rang("week") != 0:
        raise Failure(f"after a clock that went back a timer of 4 s fired after {took:.1f} s, one of a week {story.rang('week')} times")
    if story.time_of(story.wind("probe", 90 * DAY)) < last:
        raise Failure("an entry was recorded before the last one")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("story", choices=("cost", "kills", "clock"))
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load")
    parser.add_argument("--timers", type=int, default=100000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.load is None and options.story != "clock":
        parser.error(f"{options.story} wants --load")
    options.binary = os.path.abspath(options.binary)
    scratch = tempfile.mkdtemp(prefix="moonlog-timers-")
    try:
        {"cost": cost, "kills": kills, "clock": clock_story}[options.story](options, scratch)
    except Missing as missing:
        print(f"SKIPPED: {missing}")
        sys.exit(SKIP)
    except Failure as failure:
        print(f"FAILED: {failure} (seed {options.seed})")
        log = os.path.join(scratch, "data.log")
        if os.path.exists(log):
            print(open(log, errors="replace").read()[-3000:])
        sys.exit(1)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
