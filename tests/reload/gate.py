#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""History as the gate, and the way back.

  gate.py --binary B --load L [--streams 100000] [--rollbacks 40]

A change of rules that alters one of so many streams is refused with that stream, event and both states named; the
corrected rules pass, all of history asked. Then rollbacks under a closed loop of commands: how much longer than usual
was nothing answered around each?
"""
import argparse, json, os, random, re, shutil, statistics, sys, tempfile, time

from rig import Bank, Failure, Load, deposit, each_once, get, reload, ask, start, wait_for_load

MARK = 424242
PLANTED = ("state.balance = state.balance + data.amount; "
           f"if data.amount == {MARK} then state.balance = state.balance - 1 end")


def fill(options, daemon, scratch, planted):
    each_once(options.load, daemon, scratch, [deposit(number, number % 100) for number in range(options.streams)])
    # One at a time, for their order: versions 2 and 3.
    for amount in (MARK, 5):
        each_once(options.load, daemon, scratch, [deposit(planted, amount)], 1)


def want(what, got, wanted):
    if got != wanted:
        raise Failure(f"{what} is {got}, not {wanted}")


def check_gate(options, bank, daemon, planted):
    bank.take("A", PLANTED)
    report = reload(daemon, "refused", all=True)
    history = report["report"]["history"]
    want("the code", report["code"], "history_differs")
    for key, wanted in (("streams", options.streams), ("differing", 1)):
        want(f"\"{key}\"", history[key], wanted)
    difference, = history["differences"]
    name = f"storm.account/{planted}"
    want("the stream", difference["stream"], name)
    want("the version", difference["version"], 2)
    want("the position", difference["position"], options.streams + 1)
    want("the type", difference["type"], "Moved")
    want("balances before and after", [difference[side]["balance"] for side in ("before", "after")],
         [planted % 100 + MARK, planted % 100 + MARK - 1])
    if name not in report["detail"] or "version 2" not in report["detail"]:
        raise Failure(f"the detail does not name the event: {report['detail']}")
    refused_ms = history["took_ms"]
    state = json.loads(get(daemon.port, f"/state/storm/account/{planted}")[1])["state"]
    want("the balance by the old rules", state["balance"], planted % 100 + MARK + 5)

    bank.take("B")
    history = reload(daemon, all=True)["report"]["history"]
    want("streams asked", (history["asked"], history["streams"]), (options.streams, options.streams))
    want("streams that differ", history["differing"], 0)
    want("events asked", history["events"], options.streams + 2)
    print(f"gate: 1 of {options.streams} streams found in {refused_ms} ms; {history['events']} events of all streams "
          f"asked in {history['took_ms']} ms")


def gap_ms(times, begin, end):
    """The longest time without an answer that touches the window."""
    inside = [at for at in times if begin <= at <= end]
    if not inside:
        return None
    before = max((at for at in times if at < begin), default=begin)
    after = min((at for at in times if at > end), default=end)
    edges = [before, *inside, after]
    return max(later - earlier for earlier, later in zip(edges, edges[1:])) / 1e6


def check_rollback(options, daemon, scratch):
    chance = random.Random(1)
    lines = [deposit(chance.randrange(options.streams), 1) for _ in range(20000)]
    load = Load(options.load, daemon, scratch, lines, 8)
    wait_for_load(daemon)
    windows = []
    for _ in range(options.rollbacks):
        time.sleep(0.15)
        began = time.monotonic_ns()
        report = ask(daemon, "/admin/rollback", domain="storm")
        ended = time.monotonic_ns()
        want("the answer of a rollback", report["answer"], "done")
        windows.append((began, ended))
    time.sleep(0.2)
    counts, statuses, err = load.end()
    want("statuses under rollback", list(statuses), [200])
    times = [at for at, _ in load.answers()]
    slack = 5_000_000
    beside, usual = [], []
    for began, ended in windows:
        length = ended - began + slack
        near = [at for at in times if began - 3 * length - 300_000_000 < at < ended + 300_000_000]
        beside.append(gap_ms(near, began, began + length))
        # The same length of time shortly before.
        usual.append(gap_ms(near, began - 2 * length, began - length))
    beside, usual = [gap for gap in beside if gap is not None], [gap for gap in usual if gap is not None]
    if len(beside) * 2 < len(windows) or len(usual) * 2 < len(windows):
        raise Failure("the load was hardly answered")
    took = [(ended - began) / 1e6 for began, ended in windows]
    inside = [int(us) / 1000 for us in re.findall(r"rules changed.*took_us=(\d+)", open(daemon.data + ".log").read())]
    inside = inside[-options.rollbacks:]
    longer = statistics.median(beside) - statistics.median(usual)
    print(f"rollback: {len(windows)} under {counts['rate']:.0f} commands/s; asked and answered in "
          f"{statistics.median(took):.1f} ms, in the engine {statistics.median(inside):.1f} ms; longest time without "
          f"an answer {statistics.median(beside):.1f} ms "
          f"beside, {statistics.median(usual):.1f} ms before: {longer:.1f} ms more (medians)")
    if longer >= 10:
        raise Failure("a rollback keeps commands waiting for 10 ms and more")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--streams", type=int, default=100000)
    parser.add_argument("--rollbacks", type=int, default=40)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="moonlog-gate-")
    bank, daemon = Bank(os.path.join(scratch, "storm"), "handler"), None
    planted = options.streams // 3
    try:
        daemon = start(options.binary, scratch, bank.folder)
        fill(options, daemon, scratch, planted)
        check_gate(options, bank, daemon, planted)
        if options.rollbacks:
            check_rollback(options, daemon, scratch)
        daemon.stop()
    except Failure as failure:
        print(f"FAILED: {failure}")
        return 1
    finally:
        if daemon is not None:
            daemon.kill()
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
