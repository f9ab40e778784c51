#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the daemon does when the disk fails it.

  fault.py eio    --binary B --domain D --shim S.so   a sync fails once: unknown, not attempted, exit 70, then told
  fault.py enospc --binary B --domain D               the disk is full: 507, nothing lost, reads go on, writes resume
  fault.py wal    --binary B --domain D --load L      long readers beside writers: the log stays below 64 MB
"""
import argparse, http.client, json, os, shutil, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))
from crash import Daemon, Failure, get, run  # noqa: E402


def post(port, path, body, key=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read()
    return response.status, json.loads(text) if text else None


def must(condition, what):
    if not condition:
        raise Failure(what)


def open_account(port, number, balance=0):
    status, answer = post(port, "/api/accounts", {"accountNumber": number, "accountName": "n", "ownerName": "o",
                                                  "initialBalance": balance}, "open-" + number)
    must(status == 201, f"opening {number}: {status} {answer}")
    return answer["accountId"]


def eio(options, scratch):
    data, control = os.path.join(scratch, "data"), os.path.join(scratch, "control")
    os.mkdir(data, 0o700)
    failing = {"LD_PRELOAD": os.path.realpath(options.shim), "MOONLOG_FAULT_CONTROL": control,
               "MOONLOG_FAULT_SUFFIX": "moonlog.db-wal"}
    daemon = Daemon(options.binary, data, options.domain, failing)
    daemon.start()
    accounts = [open_account(daemon.port, f"e{i}") for i in range(16)]
    answers = {}

    def deposit(number, delay):
        time.sleep(delay)
        try:
            answers[number] = post(daemon.port, f"/api/accounts/{accounts[number]}/deposit", {"amount": 5}, f"d{number}")
        except (OSError, http.client.HTTPException) as error:
            answers[number] = (0, {"code": f"no answer: {error}"})
    with open(control + ".new", "w") as file:
        file.write("0 400")
    os.rename(control + ".new", control)
    # The first is inside the commit whose sync fails after 400 ms; the others queue behind it meanwhile.
    threads = [threading.Thread(target=deposit, args=(n, 0 if n == 0 else 0.15)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    code = daemon.process.wait(timeout=20)
    must(code == 70, f"the daemon ended with {code}, not 70")
    codes = {n: (status, answer.get("code")) for n, (status, answer) in answers.items()}
    must(codes[0] == (503, "outcome_unknown"), f"the command in flight was answered {codes[0]}")
    for number in range(1, 16):
        must(codes[number] == (503, "not_attempted"), f"a queued command was answered {codes[number]}")

    daemon = Daemon(options.binary, data, options.domain)
    daemon.start()
    for number in range(16):
        status, answer = post(daemon.port, f"/api/accounts/{accounts[number]}/deposit", {"amount": 5}, f"d{number}")
        must(status == 200, f"asked again: {status} {answer}")
        account = json.loads(get(daemon.port, f"/api/accounts/{accounts[number]}")[1])
        must((account["balance"], account["version"]) == (5, 2), f"after asking again: {account}")
    daemon.stop()
    run([options.binary, "verify", "--data", data])
    print("a failed sync: 1 unknown, 15 not attempted, exit 70; after the restart every command is there exactly once")


def enospc(options, scratch):
    disk = os.path.join(scratch, "disk")
    os.mkdir(disk)
    run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk])
    daemon = None
    try:
        data, ballast = os.path.join(disk, "data"), os.path.join(disk, "ballast")
        os.mkdir(data, 0o700)
        daemon = Daemon(options.binary, data, options.domain)
        daemon.log = os.path.join(scratch, "log")
        daemon.start()
        account = open_account(daemon.port, "f1", 1)
        balance, refused = 100, None
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
            except OSError:
                pass
        for number in range(4000):
            status, answer = post(daemon.port, f"/api/accounts/{account}/deposit", {"amount": 1}, f"full{number}")
            if status != 200:
                refused = (number, status, answer)
                break
            balance += 100
        must(refused is not None, "4,000 deposits went through on a full disk")
        number, status, answer = refused
        must((status, answer["code"]) == (507, "disk_full"), f"on a full disk: {status} {answer}")
        status, text = get(daemon.port, f"/api/accounts/{account}")
        must(status == 200 and round(json.loads(text)["balance"] * 100) == balance, f"reads on a full disk: {status} {text}")
        for again in range(3):
            post(daemon.port, f"/api/accounts/{account}/deposit", {"amount": 1}, f"full{number}")
        os.unlink(ballast)
        status, answer = post(daemon.port, f"/api/accounts/{account}/deposit", {"amount": 1}, f"full{number}")
        must(status == 200, f"with space again: {status} {answer}")
        balance += 100
        must(round(answer["balance"] * 100) == balance, f"the balance is {answer}, not {balance}")
        daemon.stop()
        daemon = None
        run([options.binary, "verify", "--data", data])
        log = open(os.path.join(scratch, "log")).read()
        for line in ("the store takes no commits for now", "the store takes commits again"):
            must(log.count(line) == 1, f"{log.count(line)} times in the log, not once: {line}")
        print(f"a full disk: 507 after {number} deposits, reads went on, writes resumed alone, nothing lost")
    finally:
        if daemon is not None:
            daemon.kill()
        subprocess.run(["umount", "-l", disk], check=False)


def wal(options, scratch):
    """verify and GET /log run over and over while 32 connections write as fast as they can."""
    data, ids, body = (os.path.join(scratch, name) for name in ("data", "ids", "body"))
    os.mkdir(data, 0o700)
    with open(body, "w") as file:
        json.dump({"amount": 1, "description": "x" * 100}, file)
    daemon = Daemon(options.binary, data, options.domain)
    daemon.start()
    run([options.load, str(daemon.port), "32", "2000", "open", ids, "w"])
    writer = subprocess.Popen([options.load, str(daemon.port), "32", "10", "deposit", ids, body],
                              stdout=subprocess.PIPE, text=True)
    reads, largest, trouble = {"verify": 0, "log": 0}, 0, []

    def repeat(name, command):
        while writer.poll() is None:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                trouble.append(f"{name}: {done.stdout[-500:]} {done.stderr[-500:]}")
                return
            reads[name] += 1
    readers = [threading.Thread(target=repeat, args=arguments) for arguments in (
        ("verify", [options.binary, "verify", "--data", data]),
        ("log", ["curl", "-sSf", "-o", "/dev/null", "-H", "Accept: application/x-ndjson",
                 f"http://127.0.0.1:{daemon.port}/log"]))]
    for reader in readers:
        reader.start()
    while writer.poll() is None:
        largest = max(largest, os.path.getsize(os.path.join(data, "moonlog.db-wal")))
        time.sleep(0.01)
    for reader in readers:
        reader.join()
    must(not trouble, f"while writers ran: {trouble}")
    must(writer.returncode == 0, "some deposits were not answered 200")
    must(reads["verify"] > 0 and reads["log"] > 0, f"the readers did not come round: {reads}")
    must(largest < 64 << 20, f"the write-ahead log grew to {largest} bytes")
    daemon.stop()
    print(f"{writer.stdout.read().split()[0]} writes a second beside {reads}: the write-ahead log grew to "
          f"{largest / (1 << 20):.1f} MiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("eio", "enospc", "wal"))
    parser.add_argument("--binary", required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--shim")
    parser.add_argument("--load")
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="moonlog-fault-")
    try:
        {"eio": eio, "enospc": enospc, "wal": wal}[options.what](options, scratch)
    except Failure as failure:
        print(f"FAILED: {failure}\nwhat is left: {scratch}", file=sys.stderr)
        return 1
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
