#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bank and the posts in their split form over Kafka answer as the one-daemon forms do, once caught up; kcat reads what
they publish, and what kcat sends in CloudEvents form is taken.

  split.py --binary B --kafka ADDRESS|of-the-rig
"""
import argparse, json, os, random, shutil, subprocess, sys, tempfile, time, uuid
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from crash import Failure  # noqa: E402
from saga import DOMAINS, Service  # noqa: E402


def wait_equal(what, one, other, patience=30):
    deadline = time.monotonic() + patience
    while True:
        wanted, got = one(), other()
        if wanted == got:
            return wanted
        if time.monotonic() > deadline:
            raise Failure(f"{what} differ after {patience} s:\n  {json.dumps(wanted)[:600]}\n  {json.dumps(got)[:600]}")
        time.sleep(0.1)


def answer(service, path):
    status, body = service.ask("GET", path)
    return status, body


def bank_story(service, chance):
    ids = []
    for number in range(10):
        status, opened = service.ask("POST", "/api/accounts", {
            "accountNumber": f"n{number}", "accountName": f"account {number}", "ownerName": "Ada", "initialBalance": number * 10,
            **({"currency": "JPY"} if number == 7 else {})}, key=f"open-{number}")
        if status != 201:
            raise Failure(f"open: {status} {opened}")
        ids.append(opened["accountId"])
    for number in range(200):
        account, kind = chance.choice(ids), chance.random()
        if kind < 0.5:
            service.ask("POST", f"/api/accounts/{account}/deposit", {"amount": chance.randint(1, 50)}, key=f"d{number}")
        elif kind < 0.8:
            service.ask("POST", f"/api/accounts/{account}/withdraw", {"amount": chance.randint(1, 50)}, key=f"w{number}")
        elif kind < 0.95:
            service.ask("POST", f"/api/accounts/{account}/transfer",
                        {"toAccountId": chance.choice(ids), "amount": chance.randint(1, 20)}, key=f"t{number}")
        else:
            service.ask("POST", f"/api/accounts/{account}/{chance.choice(['freeze', 'unfreeze'])}", {}, key=f"f{number}")
    return ids


def posts_story(service, chance):
    ids = []
    for number in range(10):
        status, made = service.ask("POST", "/api/v1/NewPost", {"author": f"author {number % 3}", "message": f"m{number}"},
                                   key=f"post-{number}")
        if status != 201:
            raise Failure(f"NewPost: {status} {made}")
        ids.append(made["id"])
    for number in range(150):
        post, kind = chance.choice(ids), chance.random()
        if kind < 0.4:
            service.ask("PUT", f"/api/v1/LikePost/{post}", {}, key=f"l{number}")
        elif kind < 0.8:
            service.ask("PUT", f"/api/v1/AddComment/{post}", {"comment": f"c{number}", "username": "ada"}, key=f"c{number}")
        elif kind < 0.95:
            service.ask("PUT", f"/api/v1/EditMessage/{post}", {"message": f"e{number}", "username": "author 0"}, key=f"e{number}")
        else:
            service.ask("DELETE", f"/api/v1/DeletePost/{post}", {"username": "author 1"}, key=f"x{number}")
    return ids


def kcat(options, *arguments, text=None):
    done = subprocess.run(["kcat", "-b", options.kafka, *arguments], input=text, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failure(f"kcat {arguments}: {done.stderr}")
    return done.stdout


def kcat_reads(options, ids):
    read = kcat(options, "-C", "-t", "banking-events", "-e", "-q", "-J")
    seen = {}
    for line in read.splitlines():
        record = json.loads(line)
        headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
        if headers.get("ce_specversion") != "1.0" or headers.get("ce_subject") != record["key"]:
            raise Failure(f"a message without the attributes of a CloudEvent, or with another key: {line[:500]}")
        if headers["ce_id"] in seen:
            raise Failure(f"the id {headers['ce_id']} came twice")
        seen[headers["ce_id"]] = record["key"]
    if set(seen.values()) != set(ids):
        raise Failure("kcat reads messages of other accounts than were opened")
    return len(seen)


def kcat_sends(options, reports):
    account = str(uuid.uuid4())
    data = {"AccountId": account, "Version": 1, "AccountNumber": "by kcat", "AccountName": "A by kcat", "OwnerName": "kcat",
            "Currency": "EUR", "InitialBalance": "0.00"}
    attributes = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/kcat", "type": "AccountCreatedEvent",
                  "subject": account}
    headers = [part for name, value in attributes.items() for part in ("-H", f"ce_{name}={value}")]
    for _ in range(2):  # its repeat has no effect
        kcat(options, "-P", "-t", "banking-events", "-k", account, *headers, "-H", "content-type=application/json",
             text=json.dumps(data))
    structured = {**attributes, "id": str(uuid.uuid4()), "type": "AccountBalanceUpdatedEvent",
                  "datacontenttype": "application/json",
                  "data": {**data, "Version": 2, "PreviousBalance": "0.00", "NewBalance": "3.50", "Transaction": {
                      "TransactionId": str(uuid.uuid4()), "Amount": "3.50", "Description": "from outside",
                      "CreatedAt": "2026-01-01T00:00:00Z"}}}
    kcat(options, "-P", "-t", "banking-events", "-k", account, "-H", "content-type=application/cloudevents+json",
         text=json.dumps(structured))
    wait_equal("the account that kcat sent", lambda: [3.5], lambda: [
        row["currentBalance"] for row in answer(reports, "/api/reports/balances?accountNumber=by%20kcat")[1]])


def story(options, scratch):
    chance = random.Random(options.seed)
    shutil.copytree(DOMAINS, os.path.join(scratch, "domains"))
    places = SimpleNamespace(binary=options.binary, kafka=options.kafka)
    services = {name: Service(places, scratch, name, [name]) for name in ("banking", "bankreports", "posts", "postlookup")}
    for service in services.values():
        service.start()
    accounts = bank_story(services["banking"], chance)
    posts_story(services["posts"], chance)
    for name in ("bankreports", "postlookup"):
        services[name].kill()
    paths = ["/api/reports/balances", *(f"/api/reports/transactions/{account}" for account in accounts)]
    for path in paths:
        wait_equal(path, lambda: answer(services["banking"], path), lambda: answer(services["bankreports"], path))
    for path in ("/api/v1/PostLookup", "/api/v1/PostLookup/withComments", "/api/v1/PostLookup/withLikes/3",
                 "/api/v1/PostLookup/byAuthor/author%202"):
        wait_equal(path, lambda: answer(services["posts"], path), lambda: answer(services["postlookup"], path))
    count = kcat_reads(options, accounts)
    kcat_sends(options, services["bankreports"])
    for service in services.values():
        service.daemon.stop()
    print(f"split: bank and posts answer as in one daemon; kcat read {count} messages, and its own were taken")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    if options.kafka == "of-the-rig":
        options.kafka = os.environ["MOONLOG_KAFKA"]
    scratch = tempfile.mkdtemp(prefix="moonlog-split-")
    try:
        story(options, scratch)
    except Failure as failure:
        print(f"FAILED: {failure}")
        for name in sorted(os.listdir(scratch)):
            if name.endswith(".log"):
                print(f"--- {name}\n{open(os.path.join(scratch, name), errors='replace').read()[-2000:]}")
        sys.exit(1)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
