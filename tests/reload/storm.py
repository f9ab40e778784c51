#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules change while clients send as many commands as the machine takes.

  storm.py --binary B --load L [--reloads 2000] [--connections 32] [--modes handler,settings] [--shadow 60] [--seed N]

Reloads without shadow, back to back, between two variants of a domain; each event says in its data which variant
decided it. Afterwards: no answer but 200, and 409 of a transfer that lost its streams too often; each entry of the log
names the generation of the variant in its data; each commit is of one generation, with both its events; as many commits
as answers; states as a ledger of the log says. Memory after the last is within a tenth of that after the first
twentieth (a hundred of 2,000), beyond what the same commands cost without reloads where the log is as long: the store
keeps the index of its open segment in memory, and two while one is sealed. And a fifth as many reloads without commands
cost nothing.

--shadow N: N reloads at one a second, history asked each time, in turns with the same load without reloads.
"""
import argparse, json, os, random, shutil, statistics, sys, tempfile, time

from rig import (Bank, Failure, Load, deposit, each_once, get, head, memory_kb, open_accounts, reload, start,
                 transfer, wait_for_load, whole_log)

def mixed_lines(accounts, chance, transfers=0.3, count=20000):
    lines = []
    for _ in range(count):
        one, other = chance.sample(range(accounts), 2)
        lines.append(deposit(one, chance.randrange(1, 100)) if chance.random() >= transfers else
                     transfer(one, other, chance.randrange(1, 100)))
    return lines


def check_answers(statuses, err):
    odd = {status: count for status, count in statuses.items() if status not in (200, 409)}
    if odd:
        raise Failure(f"answers that a reload must not cause: {odd}: {err[:800]}")
    if statuses.get(409, 0) * 50 > statuses.get(200, 0):
        raise Failure(f"too many lost comparisons: {statuses}")


def check_log(daemon, variant_of, answered):
    """Generation and variant of every entry; commits whole; gives what each account must hold."""
    commits, balances, seen = {}, {}, {}
    for entry in whole_log(daemon):
        account, by = entry["stream"].rsplit("/", 1)[1], entry["data"]["by"]
        if variant_of.get(entry["generation"]) != by:
            raise Failure(f"position {entry['position']}: variant {by} decided it, generation {entry['generation']} "
                          f"is {variant_of.get(entry['generation'])}")
        commits.setdefault(entry.get("commit_first", entry["position"]), []).append(entry)
        seen[by] = seen.get(by, 0) + 1
        balances[account] = balances.get(account, 0) + entry["data"].get("amount", 0)
    for first, entries in commits.items():
        if len({entry["generation"] for entry in entries}) != 1 or len(entries) != entries[0].get("commit_size", 1):
            raise Failure(f"the commit at {first} mixes generations or is not whole")
        if len(entries) == 2 and sum(entry["data"]["amount"] for entry in entries) != 0:
            raise Failure(f"the transfer at {first} gives and takes different amounts")
    if len(commits) != answered:
        raise Failure(f"{answered} commands were accepted and {len(commits)} commits are recorded")
    if len(seen) < 2 or min(seen.values()) * 20 < max(seen.values()):
        raise Failure(f"the variants hardly took turns: {seen}")
    return balances, seen


def check_states(daemon, balances, chance):
    for account in chance.sample(sorted(balances), min(200, len(balances))):
        state = json.loads(get(daemon.port, f"/state/storm/account/{account}")[1])["state"]
        if state["balance"] != balances[account]:
            raise Failure(f"account {account} holds {state['balance']}, its events say {balances[account]}")


def warm(options, scratch, daemon, lines):
    """Caches fill before the reloads begin."""
    if options.warm == 0:
        return 0
    load = Load(options.load, daemon, scratch, lines, options.connections)
    while head(daemon) < options.warm:
        time.sleep(0.1)
    counts, statuses, err = load.end()
    check_answers(statuses, err)
    return statuses[200]


def alternate(bank, daemon, generations, count):
    took, memory, heads = [], [], []
    for number in range(count):
        variant = "AB"[number % 2]
        bank.take(variant)
        began = time.monotonic()
        generation = reload(daemon, shadow=False)["generation"]
        took.append(time.monotonic() - began)
        if generations.get(generation) != variant:
            raise Failure(f"reload {number} of {variant} gave generation {generation} of {generations}")
        memory.append(memory_kb(daemon))
        heads.append(head(daemon))
    return took, memory, heads


def middle(memory):
    """Private and resident; of many, since a reload's machines come and go."""
    return [statistics.median(part) for part in zip(*memory)]


def control(options, scratch, bank, lines, windows):
    """The same commands without reloads: private and resident memory while the log is as long as in each window."""
    bank.take("A")
    daemon = start(options.binary, scratch, bank.folder, bank.mode + "_control")
    alone = [[] for _ in windows]
    try:
        open_accounts(options.load, daemon, options.accounts, scratch)
        load = Load(options.load, daemon, scratch, lines, options.connections)
        while (now := head(daemon)) < windows[-1][1] or not alone[-1]:
            for (low, high), memory in zip(windows, alone):
                if low <= now <= high or (now > high and not memory):
                    memory.append(memory_kb(daemon))
            time.sleep(0.01)
        load.end()
        daemon.stop()
    finally:
        daemon.kill()
    return [middle(memory) for memory in alone]


def check_growth(mode, windows, reloaded, alone, all_of_it):
    """Within a tenth of what it was, beyond what the log's growth costs without any reload."""
    for number, what in enumerate(("private", "resident")):
        (first, last), (a, b) = [[at[number] for at in both] for both in (reloaded, alone)]
        beyond = (last - first - max(0, b - a)) / first
        print(f"{mode}: {what} {first / 1024:.1f} -> {last / 1024:.1f} MB with reloads, {a / 1024:.1f} -> "
              f"{b / 1024:.1f} MB without, at {windows} entries: {beyond:+.1%} by reloads")
        if beyond > 0.1:
            raise Failure(f"memory grows with reloads: {all_of_it[::max(1, len(all_of_it) // 40)]}")


def check_memory(when, first, last, all_of_it, bound):
    if any(after > before * bound for before, after in zip(first, last)):
        raise Failure(f"memory grows {when}: {first} {last} {all_of_it[::max(1, len(all_of_it) // 20)]}")


def storm(options, scratch, mode):
    chance = random.Random(options.seed)
    bank = Bank(os.path.join(scratch, "storm"), mode)
    daemon = start(options.binary, scratch, bank.folder, mode)
    early = max(options.reloads // 20, 10)
    try:
        open_accounts(options.load, daemon, options.accounts, scratch)
        lines = mixed_lines(options.accounts, chance)
        warmed = warm(options, scratch, daemon, lines)
        load = Load(options.load, daemon, scratch, lines, options.connections)
        wait_for_load(daemon)
        bank.take("B")
        generations = {1: "A", reload(daemon, shadow=False)["generation"]: "B"}
        took, memory, heads = alternate(bank, daemon, generations, options.reloads)
        counts, statuses, err = load.end()
        check_answers(statuses, err)
        quiet = alternate(bank, daemon, generations, options.reloads // 10 * 2)[1]
        balances, seen = check_log(daemon, generations, statuses[200] + warmed + options.accounts)
        check_states(daemon, balances, chance)
        first, last = middle(memory[early // 2:early]), middle(memory[-early // 2:])
        if len(quiet) >= 20:
            half, end = middle(quiet[:len(quiet) // 2]), middle(quiet[-len(quiet) // 4:])
            check_memory("without commands", half, end, quiet, 1.1)
        print(f"{mode}: {options.reloads} reloads, median {statistics.median(took) * 1000:.1f} ms, "
              f"max {max(took) * 1000:.1f} ms; {counts['rate']:.0f} commands/s, p99 {counts['p99'] / 1000:.1f} ms, "
              f"{statuses}; events {seen}; private {first[0] / 1024:.1f} -> {last[0] / 1024:.1f} MB, "
              f"resident {first[1] / 1024:.1f} -> {last[1] / 1024:.1f} MB")
        daemon.stop()
        if options.control:
            windows = [(heads[early // 2], heads[early - 1]), (heads[-early // 2], heads[-1])]
            alone = control(options, scratch, bank, lines, windows)
            check_growth(mode, windows, (first, last), alone, list(zip(heads, memory)))
    finally:
        daemon.kill()


def measure(options, scratch, daemon, lines, during):
    """Commands a second while `during` runs."""
    load = Load(options.load, daemon, scratch, lines, options.connections)
    wait_for_load(daemon)
    during()
    counts, statuses, err = load.end()
    check_answers(statuses, err)
    return counts["rate"]


def shadowed(options, scratch):
    """Without reloads, with ten at one a second (or one after the other, where one takes longer: history is asked at
    low priority), without, with ... : each turn beside the two around it. The fold that changes is that of an aggregate
    with history and no commands now; that all states of streams in use are made anew when it is theirs is no question
    of shadow, and can be seen with --own-fold."""
    chance = random.Random(options.seed)
    bank = Bank(os.path.join(scratch, "storm"), "handler")
    change = bank.take if options.own_fold else bank.take_visits
    bank.take_visits("A")
    daemon = start(options.binary, scratch, bank.folder, "shadow")
    took, asked, ratios = [], [], []

    def reloads():
        for number in range(10):
            began = time.monotonic()
            change("BA"[number % 2])
            history = reload(daemon, partial=True)["report"]["history"]
            if history["asked"] == 0 or history["differing"] != 0:
                raise Failure(f"history was not asked or differs: {history}")
            asked.append(history["events"])
            took.append(time.monotonic() - began)
            time.sleep(max(0, options.seconds / 10 - took[-1]))

    try:
        lines = mixed_lines(options.accounts * 5, chance, 0.1)
        each_once(options.load, daemon, scratch, [deposit(account, 1) for account in range(options.accounts * 5)])
        each_once(options.load, daemon, scratch,
                  [(f"/commands/storm/visits/{number}/Visit", {"by": "somebody", "times": 20})
                   for number in range(options.accounts)])
        before = measure(options, scratch, daemon, lines, lambda: time.sleep(options.seconds))
        for part in range(options.shadow // 10):
            beside = measure(options, scratch, daemon, lines, reloads)
            after = measure(options, scratch, daemon, lines, lambda: time.sleep(options.seconds))
            ratios.append((2 * beside / (before + after), beside, (before + after) / 2))
            before = after
        daemon.stop()
    finally:
        daemon.kill()
    ratio = statistics.median(one[0] for one in ratios)
    pace = len(took) / sum(max(one, options.seconds / 10) for one in took)
    print(f"shadow: {len(took)} reloads at {pace:.2f} a second, each "
          f"{statistics.median(took) * 1000:.0f} ms for {statistics.median(asked):.0f} events folded by both; "
          f"{statistics.median(one[1] for one in ratios):.0f} commands/s of "
          f"{statistics.median(one[2] for one in ratios):.0f}: {ratio:.2f} "
          f"[{min(ratios)[0]:.2f} .. {max(ratios)[0]:.2f}]")
    if options.share and ratio < options.share:
        raise Failure(f"reloads with shadow leave {ratio:.2f} of the throughput")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--reloads", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--modes", default="handler,settings")
    parser.add_argument("--warm", type=int, default=300000, help="entries of the log before the reloads begin")
    parser.add_argument("--control", type=int, default=1, help="0: memory is looked at without commands only")
    parser.add_argument("--shadow", type=int, default=60, help="reloads with shadow, tens; 0: none")
    parser.add_argument("--own-fold", action="store_true", help="shadow of the aggregate that the commands are of")
    parser.add_argument("--seconds", type=float, default=10, help="of each of their turns")
    parser.add_argument("--share", type=float, default=0.8, help="of the throughput; 0: not looked at")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="moonlog-storm-")
    try:
        for mode in filter(None, options.modes.split(",")):
            storm(options, scratch, mode)
        if options.shadow:
            shadowed(options, scratch)
    except Failure as failure:
        print(f"FAILED: {failure} (seed {options.seed})")
        for name in os.listdir(scratch):
            if name.endswith(".log"):
                print(open(os.path.join(scratch, name)).read()[-2000:])
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
