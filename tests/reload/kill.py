#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 at every step of a reload, with three workers and commands under way, and while a read model is made.

  kill.py --binary B --load L [--rounds 3]

After each restart one whole generation serves: every state and every row is of the rules that the store says are
active; each entry of the log names the generation of the variant in its data; and the same reload is taken then.
"""
import argparse, http.client, json, os, random, shutil, signal, sys, tempfile, time

from rig import (Bank, Failure, Load, Socket, ask, deposit, each_once, get, head, reload, start, transfer,
                 wait_for_load, whole_log)

FOLDS = {"A": "state.balance = state.balance + data.amount", "B": "state.balance = state.balance + 2 * data.amount"}
ROWS = {"A": "data.amount", "B": "2 * data.amount"}
FACTOR = {"A": 1, "B": 2}
ACCOUNTS = 40
STEPS = ["reload.prepare:1", "reload.prepare:3", "reload.before_commit:1", "reload.after_commit:1", "reload.adopt:1",
         "reload.adopt:2", "reload.adopt:3"]
# Without commands: the live rows stand at the head, so what commits is the read model that is being made.
BUILD_STEPS = ["commit.before_insert:1", "commit.before_sync:1", "commit.after_sync:1", "build.begin:1",
               "projector.before_commit:1", "view.before_commit:1", "build.swap:1", "build.point:1"]
OPTIONS = ("--workers", "3")


def take(bank, variant):
    bank.take(variant, FOLDS[variant])
    bank.take_rows(ROWS[variant])


def killed(daemon, seconds=20):
    deadline = time.monotonic() + seconds
    while daemon.process.poll() is None:
        if time.monotonic() > deadline:
            raise Failure("the probe was never passed")
        time.sleep(0.005)
    if daemon.process.returncode != -signal.SIGKILL:
        raise Failure(f"the daemon ended with {daemon.process.returncode}")


def active_variant(daemon, generations):
    """By what a command answers now."""
    each = ask_status(daemon)
    variant = generations.get(each)
    if variant is None:
        raise Failure(f"generation {each} is active, known are {generations}")
    return variant


def ask_status(daemon):
    status = json.loads(get_admin(daemon, "/admin/status"))
    return next(domain["generation"] for domain in status["engine"]["domains"] if domain["name"] == "storm")


def get_admin(daemon, path):
    connection = Socket(os.path.join(daemon.data, "moonlog.sock"))
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def check_whole(daemon, generations, step):
    """Everything is of the active generation; gives its variant."""
    variant = active_variant(daemon, generations)
    sums = {}
    for entry in whole_log(daemon):
        if generations.get(entry["generation"]) != entry["data"]["by"]:
            raise Failure(f"{step}: position {entry['position']} by {entry['data']['by']} names generation "
                          f"{entry['generation']}")
        account = entry["stream"].rsplit("/", 1)[1]
        sums[account] = sums.get(account, 0) + entry["data"]["amount"] * FACTOR[variant]
    for account, wanted in sums.items():
        state = json.loads(get(daemon.port, f"/state/storm/account/{account}")[1])["state"]
        if state["balance"] != wanted:
            raise Failure(f"{step}: account {account} holds {state['balance']}, by variant {variant} it is {wanted}")
    rows = wait_for_rows(daemon, sums, step, variant)
    if len(rows) != ACCOUNTS:
        raise Failure(f"{step}: {len(rows)} rows")
    return variant


def wait_for_rows(daemon, sums, step, variant):
    """Rows follow; what they come to is of the active rules, and never anything else than one whole variant."""
    deadline = time.monotonic() + 30
    while True:
        status, text = get(daemon.port, f"/queries/storm/rows?at_least={head(daemon)}&wait_ms=20000")
        if status != 200:
            raise Failure(f"{step}: rows are answered {status} {text[:300]}")
        rows = {row["Id"]: row["Total"] for row in json.loads(text)}
        if rows == sums:
            return rows
        if rows != {account: amount * 2 if variant == "A" else amount // 2 for account, amount in sums.items()}:
            raise Failure(f"{step}: rows are a mixture: {rows}, by {variant} {sums}")
        if time.monotonic() > deadline:
            raise Failure(f"{step}: rows stay at {rows}, wanted {sums}")
        time.sleep(0.02)


def one(options, scratch, bank, data, step, generations, lines, loaded):
    """Starts by A, is killed on the way to B, starts again, and is A once more at the end."""
    daemon = start(options.binary, scratch, bank.folder, data, {"MOONLOG_PROBE": f"{step}:kill"}, OPTIONS)
    load = Load(options.load, daemon, scratch, lines, 16) if loaded else None
    if load is not None:
        wait_for_load(daemon)
    take(bank, "B")
    try:
        ask(daemon, "/admin/reload", domain="storm", shadow=False)
    except (OSError, http.client.HTTPException, Failure):
        pass  # the daemon is gone
    killed(daemon)
    if load is not None:
        load.process.wait()
        load.process.communicate()
    daemon = start(options.binary, scratch, bank.folder, data, None, OPTIONS)
    try:
        found = check_whole(daemon, generations, step)
        each_once(options.load, daemon, scratch, lines[:50], 4)
        check_whole(daemon, generations, step)
        report = ask(daemon, "/admin/reload", domain="storm", shadow=False)
        if report["answer"] != ("unchanged" if found == "B" else "done"):
            raise Failure(f"{step}: {found} serves, and the reload of B is answered {report}")
        check_whole(daemon, generations, step)
        take(bank, "A")
        reload(daemon, domain="storm", shadow=False)
        check_whole(daemon, generations, step)
        daemon.stop()
    finally:
        daemon.kill()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="moonlog-kill-")
    bank = Bank(os.path.join(scratch, "storm"), "handler")
    chance = random.Random(1)
    lines = []
    for _ in range(2000):
        pair = chance.sample(range(ACCOUNTS), 2)
        amount = chance.randrange(1, 9)
        lines.append(deposit(pair[0], amount) if chance.random() < 0.7 else transfer(*pair, amount))
    found = {}
    try:
        take(bank, "A")
        daemon = start(options.binary, scratch, bank.folder, "data", None, OPTIONS)
        each_once(options.load, daemon, scratch, [deposit(account, 1) for account in range(ACCOUNTS)])
        take(bank, "B")
        generations = {1: "A", reload(daemon, shadow=False)["generation"]: "B"}
        take(bank, "A")
        reload(daemon, shadow=False)
        check_whole(daemon, generations, "at first")
        daemon.stop()
        for _ in range(options.rounds):
            for step in STEPS:
                found[step] = one(options, scratch, bank, "data", step, generations, lines, True)
            for step in BUILD_STEPS:
                found[step] = one(options, scratch, bank, "data", step, generations, lines, False)
        print(f"kill: {options.rounds} times at each of {len(found)} steps; served afterwards: "
              + ", ".join(f"{step} {variant}" for step, variant in found.items()))
    except Failure as failure:
        print(f"FAILED: {failure}")
        for name in os.listdir(scratch):
            if name.endswith(".log"):
                print(open(os.path.join(scratch, name)).read()[-2000:])
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
