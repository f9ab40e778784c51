#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The HTTP interface as a client meets it, on the real daemon with the bank.

  api.py --binary B --domain D [WORD]     runs the cases whose name contains WORD
"""
import argparse, http.client, json, os, shutil, socket, sys, tempfile, threading, time, urllib.parse, uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))
from crash import Daemon  # noqa: E402

PORT = None


class Wrong(Exception):
    pass


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.bytes = response.read()

    @property
    def json(self):
        return json.loads(self.bytes)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.bytes[:600]!r}"


def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    connection.request(method, path, body, sent)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def same(got, wanted, what=""):
    if got != wanted:
        raise Wrong(f"{what} is {got!r}, not {wanted!r}")


def problem(answer, status, code=None):
    if answer.status != status:
        raise Wrong(f"not {status}: {answer}")
    same(answer.headers["content-type"], "application/problem+json", "the content type")
    same(answer.json["status"], status, "status")
    if code is not None:
        same(answer.json["code"], code, "code")
    return answer.json


def number():
    return "n" + uuid.uuid4().hex[:12]


def account(balance=100):
    answer = ask("POST", "/api/accounts", {"accountNumber": number(), "accountName": "name", "ownerName": "owner",
                                           "initialBalance": balance})
    same(answer.status, 201, f"opening: {answer}")
    return answer.json["accountId"]


def deposit(which, amount, **headers):
    return ask("POST", f"/api/accounts/{which}/deposit", {"amount": amount}, **headers)


# ---- commands ----

def case_opening_names_its_place():
    answer = ask("POST", "/api/accounts", {"accountNumber": number(), "accountName": "n", "ownerName": "o",
                                           "initialBalance": 5})
    same(answer.status, 201, str(answer))
    same(answer.headers["location"], f"/api/accounts/{answer.json['accountId']}")
    same(answer.headers["etag"], '"1"')
    same(answer.headers["content-type"], "application/json")
    same(answer.headers["x-content-type-options"], "nosniff")
    if int(answer.headers["moonlog-position"]) < 1:
        raise Wrong(str(answer))
    same(ask("GET", answer.headers["location"]).status, 200)


def case_a_command_has_a_path_of_its_own():
    which = account()
    answer = ask("POST", f"/commands/banking/account/{which}/DepositMoney", {"amount": 20})
    same(answer.status, 200, str(answer))
    same(answer.headers["etag"], '"2"')
    same(ask("GET", f"/api/accounts/{which}").json["balance"], 120)
    problem(ask("POST", f"/commands/banking/account/{which}/Nonsense", {}), 404)
    problem(ask("POST", f"/commands/banking/nothing/{which}/DepositMoney", {}), 404)
    problem(ask("POST", f"/commands/nowhere/account/{which}/DepositMoney", {}), 404)
    problem(ask("POST", f"/commands/banking/account/{which}", {}), 404, "no_such_resource")
    problem(ask("POST", f"/commands/banking/account/{which}/DepositMoney/x", {}), 404, "no_such_resource")
    problem(ask("POST", "/commands/banking/account/a%2Fb/DepositMoney", {"amount": 1}), 400)


def case_a_dry_run_changes_nothing():
    which = account()
    answer = ask("POST", f"/commands/banking/account/{which}/DepositMoney?dry_run=true", {"amount": 20})
    same(answer.status, 200, str(answer))
    same([event["type"] for event in answer.json["events"]][0], "MoneyDeposited")
    same(ask("GET", f"/api/accounts/{which}").json["balance"], 100)


def case_a_missing_stream_is_404():
    problem(deposit("nobody", 5), 404, "no_such_stream")
    problem(ask("GET", "/api/accounts/nobody"), 404, "no_such_stream")
    problem(ask("GET", "/state/banking/account/nobody"), 404, "no_such_stream")
    problem(ask("GET", "/streams/banking.account/nobody"), 404, "no_such_stream")


def case_a_refusal_is_422_with_its_code():
    body = problem(ask("POST", f"/api/accounts/{account(5)}/withdraw", {"amount": 10}), 422)
    same(body["code"], "insufficient_funds")


def case_bad_input_is_400_with_its_place():
    which = account()
    body = problem(ask("POST", f"/api/accounts/{which}/deposit", '{"amount": 5,,}', Content_Type="application/json"), 400)
    if "offset" not in body:
        raise Wrong(f"no offset: {body}")
    body = problem(deposit(which, "many"), 400)
    same(body.get("field"), "amount")
    problem(ask("POST", f"/api/accounts/{which}/deposit", {"amount": 5, "colour": "red"}), 400)
    problem(ask("POST", f"/api/accounts/{which}/deposit"), 400)
    problem(ask("POST", f"/api/accounts/{which}/deposit?amount=5", {}), 400, "unknown_parameter")
    same(ask("GET", f"/api/accounts/{which}").json["version"], 1)


def case_a_body_must_be_json():
    which = account()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        answer = ask("POST", f"/api/accounts/{which}/deposit", '{"amount": 5}', Content_Type=kind)
        problem(answer, 415, "unsupported_media_type")
    for coding in ("gzip", "br, gzip"):
        answer = ask("POST", f"/api/accounts/{which}/deposit", {"amount": 5}, Content_Encoding=coding)
        problem(answer, 415, "unsupported_media_type")
    same(ask("POST", f"/api/accounts/{which}/deposit", {"amount": 5}, Content_Encoding="identity").status, 200)
    for site in ("cross-site", "same-site"):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        connection.request("POST", f"/api/accounts/{which}/deposit", b'{"amount": 5}', {"Sec-Fetch-Site": site})
        problem(Answer(connection.getresponse()), 415)
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        same(ask("POST", f"/api/accounts/{which}/deposit", '{"amount": 5}', Content_Type=kind).status, 200)
    same(ask("GET", f"/api/accounts/{which}").json["version"], 4)


def case_if_match_compares_versions():
    which = account()
    same(deposit(which, 5, If_Match='"1"').status, 200)
    body = problem(deposit(which, 5, If_Match='"1"'), 412, "version_conflict")
    same((body["version"], body["stream"]), (2, f"banking.account/{which}"))
    problem(deposit(which, 5, If_Match='W/"2"'), 412)
    problem(deposit(which, 5, If_Match='2'), 400, "bad_precondition")
    problem(deposit(which, 5, If_Match='"2", "3"'), 400, "bad_precondition")
    same(deposit(which, 5, If_Match='*').status, 200)
    problem(deposit(which, 5, If_None_Match='*'), 412)
    same(ask("GET", f"/api/accounts/{which}").json["version"], 3)


def case_an_expectation_in_the_body_is_409():
    which = account()
    answer = ask("POST", f"/api/accounts/{which}/deposit", {"amount": 5, "expectedVersion": 7})
    problem(answer, 409, "version_conflict")
    same(ask("POST", f"/api/accounts/{which}/deposit", {"amount": 5, "expectedVersion": 1}).status, 200)
    for word, status in (("any", 200), ("stream_exists", 200), ("no_stream", 409), ("never", 400)):
        same(ask("POST", f"/api/accounts/{which}/deposit", {"amount": 5, "expectedVersion": word}).status, status)


def case_the_same_key_gives_the_first_answer():
    which = account()
    first = deposit(which, 5, Idempotency_Key="k1-" + which)
    again = deposit(which, 5, Idempotency_Key="k1-" + which)
    same((again.status, again.bytes), (first.status, first.bytes))
    same((first.headers.get("idempotency-replayed"), again.headers.get("idempotency-replayed")), (None, "true"))
    same(again.headers["etag"], first.headers["etag"])
    same(again.headers["moonlog-position"], first.headers["moonlog-position"])
    problem(deposit(which, 6, Idempotency_Key="k1-" + which), 422, "idempotency_key_reused")
    same(ask("GET", f"/api/accounts/{which}").json["balance"], 105)


def case_the_same_key_opens_one_account():
    body = {"accountNumber": number(), "accountName": "n", "ownerName": "o", "initialBalance": 5}
    first, again = (ask("POST", "/api/accounts", body, Idempotency_Key=body["accountNumber"]) for _ in range(2))
    same((first.status, again.status), (201, 201))
    same(first.json, again.json)
    same(again.headers["location"], first.headers["location"])


def case_a_key_is_visible_characters():
    which = account()
    for key in ("", "a b", "x" * 256, "\u00e9"):
        problem(deposit(which, 5, Idempotency_Key=key), 400, "bad_idempotency_key")
    same(deposit(which, 5, Idempotency_Key="x" * 255).status, 200)


def case_trace_and_correlation_are_kept():
    which = account()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = deposit(which, 5, traceparent=trace, X_Correlation_ID="case-7")
    same((answer.headers["traceparent"], answer.headers["x-correlation-id"]), (trace, "case-7"))
    events = ask("GET", f"/streams/banking.account/{which}?from=2").bytes.decode()
    if trace not in events or "case-7" not in events:
        raise Wrong(events)
    answer = deposit(which, 5, traceparent="00-000")
    same((answer.status, answer.headers.get("traceparent")), (200, None))
    problem(deposit(which, 5, X_Correlation_ID="a b"), 400, "bad_header")
    problem(deposit(which, 5, X_Correlation_ID="a", Correlation_ID="b"), 400, "bad_header")


# ---- reads ----

def case_a_state_at_a_version_and_at_a_time():
    which = account()
    deposit(which, 5)
    between = ask("GET", f"/streams/banking.account/{which}").json["events"][-1]["time"]
    deposit(which, 7)
    now = ask("GET", f"/state/banking/account/{which}")
    same((now.status, now.headers["etag"], now.headers["cache-control"]), (200, '"3"', "no-store"))
    for at in ("2", between):
        then = ask("GET", f"/state/banking/account/{which}?at={at}")
        same((then.status, then.json["version"]), (200, 2), str(then))
    problem(ask("GET", f"/state/banking/account/{which}?at=9"), 404, "no_such_version")
    problem(ask("GET", f"/state/banking/account/{which}?at=2001-01-01T00:00:00Z"), 404, "no_such_version")
    problem(ask("GET", f"/state/banking/account/{which}-none?at=2"), 404, "no_such_stream")
    problem(ask("GET", f"/state/banking/account/{which}?at=0"), 400, "bad_parameter")
    problem(ask("GET", f"/state/banking/account/{which}?at=soon"), 400, "bad_parameter")
    problem(ask("GET", f"/state/banking/account/{which}?att=1"), 400, "unknown_parameter")
    problem(ask("GET", "/state/banking/account"), 404, "no_such_resource")
    same(ask("GET", f"/state/banking/account/{which}", If_None_Match='"3"').status, 304)
    same(ask("GET", f"/state/banking/account/{which}", If_None_Match='"2"').status, 200)


def case_a_stream_comes_in_pages():
    which = account()
    for _ in range(4):
        deposit(which, 1)
    page = ask("GET", f"/streams/banking.account/{which}?limit=2").json
    same([event["version"] for event in page["events"]], [1, 2])
    same((page["next"], page["version"]), (3, 5))
    page = ask("GET", f"/streams/banking.account/{which}?from=4&limit=10").json
    same(([event["version"] for event in page["events"]], page["next"]), ([4, 5], None))
    lines = ask("GET", f"/streams/banking.account/{which}", Accept="application/x-ndjson")
    same(lines.headers["content-type"], "application/x-ndjson")
    same(len(lines.bytes.decode().strip().split("\n")), 5)
    for query in ("limit=0", "limit=1001", "limit=x", "from=-1", "limit=1&limit=2", "=1"):
        problem(ask("GET", f"/streams/banking.account/{which}?{query}"), 400, "bad_parameter")
    problem(ask("GET", "/streams/nonsense"), 400, "bad_stream_name")


def case_a_history_begins_after_a_version():
    which = account()
    deposit(which, 1)
    deposit(which, 1)
    same([e["version"] for e in ask("GET", f"/api/accounts/{which}/history").json], [1, 2, 3])
    same([e["version"] for e in ask("GET", f"/api/accounts/{which}/history?fromVersion=2").json], [3])
    problem(ask("GET", f"/api/accounts/{which}/history?fromVersion=x"), 400, "bad_parameter")


def case_a_query_waits_for_what_was_written():
    which = account(0)
    for amount in range(1, 20):
        position = deposit(which, amount).headers["moonlog-position"]
        answer = ask("GET", f"/api/reports/transactions/{which}?at_least={position}")
        same((answer.status, len(answer.json)), (200, amount), str(answer))
        answer = ask("GET", f"/queries/banking/transactions?id={which}", Moonlog_At_Least=position)
        same((answer.status, len(answer.json)), (200, amount), str(answer))
        if int(answer.headers["moonlog-position"]) < int(position):
            raise Wrong(str(answer))
    begin = time.monotonic()
    problem(ask("GET", "/api/reports/balances?at_least=999999999&wait_ms=200"), 503, "not_yet")
    if not 0.15 < time.monotonic() - begin < 3:
        raise Wrong(f"waited {time.monotonic() - begin} s")
    problem(ask("GET", "/api/reports/balances?at_least=x"), 400, "bad_parameter")
    problem(ask("GET", "/queries/banking/nothing"), 404)
    answer = problem(ask("GET", "/queries/banking/balances?ownrName=Ada"), 400, "unknown_parameter")
    same(answer["detail"], "ownrName: there is no such parameter")
    problem(ask("GET", "/api/reports/balances?ownrName=Ada"), 400, "unknown_parameter")
    problem(ask("GET", "/queries/nowhere/balances"), 404)


def case_a_table_is_read_by_filters_in_an_order_in_pages():
    owner = "owner of " + number()
    for balance in (3, 1, 2):
        position = ask("POST", "/api/accounts", {"accountNumber": number(), "accountName": f"n{balance}",
                                                 "ownerName": owner, "initialBalance": balance}).headers["moonlog-position"]
    path = f"/views/banking/Balances?OwnerName={urllib.parse.quote(owner)}&at_least={position}"
    answer = ask("GET", path + "&order=-CurrentBalance")
    same(answer.status, 200, str(answer))
    same([row["CurrentBalance"] for row in answer.json["rows"]], [300, 200, 100])
    same(answer.json["next"], None)
    if int(answer.headers["moonlog-position"]) < int(position):
        raise Wrong(str(answer))
    row = answer.json["rows"][0]
    same((row["AccountName"], row["Currency"], row["Status"]), ("n3", "EUR", "active"))
    time.strptime(row["LastUpdated"], "%Y-%m-%dT%H:%M:%S.%fZ")
    page = ask("GET", path + "&order=CurrentBalance&limit=2").json
    same(([row["CurrentBalance"] for row in page["rows"]], page["next"]), ([100, 200], 2))
    page = ask("GET", path + "&order=CurrentBalance&limit=2&offset=2").json
    same(([row["CurrentBalance"] for row in page["rows"]], page["next"]), ([300], None))
    same(len(ask("GET", path + "&CurrentBalance=200").json["rows"]), 1)
    same(ask("GET", path + "&LastUpdated=2001-01-01T00:00:00Z").json["rows"], [])
    problem(ask("GET", path + "&OwnrName=x"), 400, "unknown_parameter")
    for wrong in ("CurrentBalance=many", "LastUpdated=now", "order=Nothing", "order=,", "limit=0", "limit=1001", "offset=x",
                  "offset=99999999999"):
        problem(ask("GET", path + "&" + wrong), 400, "bad_parameter")
    problem(ask("GET", "/views/banking/Nothing"), 404, "no_such_table")
    problem(ask("GET", "/views/nowhere/Balances"), 404, "no_such_domain")
    problem(ask("GET", "/views/banking"), 404, "no_such_resource")
    problem(ask("GET", "/views/banking/Balances?at_least=999999999&wait_ms=50"), 503, "not_yet")
    problem(ask("POST", "/views/banking/Balances", {}), 405)


# ---- the log ----

def case_the_log_comes_in_pages():
    which = account()
    page = ask("GET", "/log?after=0&limit=1")
    same((page.status, len(page.json["entries"])), (200, 1), str(page))
    same(page.json["entries"][0]["position"], 1)
    same(page.json["next"], 1)
    head = page.json["head"]
    same(ask("GET", f"/log?after={head}").json["entries"], [])
    same(ask("GET", "/log?domain=nowhere").json["entries"], [])
    published = ask("GET", "/log?published=true&limit=1000").json["entries"]
    same([entry for entry in published if not entry.get("topic")], [])
    same(published, [entry for entry in ask("GET", "/log?limit=1000").json["entries"] if entry.get("topic")])
    same(len(published) > 0, True)
    same(ask("GET", "/log?published", Accept="application/x-ndjson").bytes.count(b"\n") >= len(published), True)
    problem(ask("GET", "/log?published=maybe"), 400, "bad_parameter")
    problem(ask("GET", "/log?domain=No"), 400, "bad_parameter")
    for limit in ("0", "5000", "x", "18446744073709551616"):
        problem(ask("GET", f"/log?limit={limit}"), 400, "bad_parameter")
    problem(ask("GET", "/log", Accept="text/html"), 406, "not_acceptable")
    deposit(which, 1)


def case_the_whole_log_comes_as_lines():
    account()
    head = ask("GET", "/log?limit=1").json["head"]
    answer = ask("GET", "/log", Accept="application/x-ndjson")
    positions = [json.loads(line)["position"] for line in answer.bytes.decode().split("\n") if line]
    same(positions[:head], list(range(1, head + 1)))
    answer = ask("GET", f"/log?after={head - 1}", Accept="application/x-ndjson")
    same(json.loads(answer.bytes.decode().split("\n")[0])["position"], head)


def read_events(lines, count):
    events, event = [], {}
    while len(events) < count:
        line = lines.readline().decode().rstrip("\n")
        if line == "" and "id" in event:
            events.append(event)
            event = {}
        elif ": " in line and not line.startswith(":"):
            name, value = line.split(": ", 1)
            event[name] = value
    return events


def case_the_log_is_followed_by_events():
    which = account()
    head = ask("GET", "/log?limit=1").json["head"]
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    connection.request("GET", "/log", headers={"Accept": "text/event-stream", "Last-Event-ID": str(head)})
    response = connection.getresponse()
    same((response.status, response.getheader("content-type")), (200, "text/event-stream"))
    for round_number in range(5):
        positions = [int(deposit(which, 1).headers["moonlog-position"]) for _ in range(3)]
        events = read_events(response, 3 * 2)
        ids = [int(event["id"]) for event in events]
        same(ids, list(range(head + 1, head + 7)))
        same(ids[-1], positions[-1])
        same(json.loads(events[0]["data"])["position"], ids[0])
        same(json.loads(events[0]["data"])["type"], events[0]["event"])
        head = ids[-1]
    connection.close()


def case_who_follows_the_log_sets_no_limit():
    for path, kind in (("/log?follow=true&limit=1", "application/json"), ("/log?limit=1", "text/event-stream")):
        problem(ask("GET", path, Accept=kind), 400, "bad_parameter")


def case_many_follow_the_log():
    which = account()
    head = ask("GET", "/log?limit=1").json["head"]
    followers = []
    for _ in range(20):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        connection.request("GET", f"/log?after={head}&follow", headers={"Accept": "text/event-stream"})
        followers.append((connection, connection.getresponse()))
    followers[3][0].close()
    for _ in range(10):
        deposit(which, 1)
    for i, (connection, response) in enumerate(followers):
        if i != 3:
            same([int(event["id"]) for event in read_events(response, 20)], list(range(head + 1, head + 21)))
            connection.close()


# ---- the rest ----

def case_paths_and_methods():
    problem(ask("GET", "/nowhere"), 404, "no_such_resource")
    answer = ask("DELETE", "/api/accounts")
    problem(answer, 405, "method_not_allowed")
    same(answer.headers["allow"], "POST")
    problem(ask("GET", "/commands/banking/account/x/DepositMoney"), 405)
    problem(ask("POST", "/log", {}), 405)
    answer = ask("HEAD", f"/api/accounts/{account()}")
    same((answer.status, answer.bytes), (200, b""))
    if int(answer.headers["content-length"]) < 50:
        raise Wrong(str(answer))
    same(ask("GET", "/").status, 200)


def case_a_problem_is_utf8_wherever_its_text_is_cut():
    for name in ("\u00e4" * 400, "a" + "\u00e4" * 400, "\U0001f600" * 200):
        body = json.dumps({name: 1}, ensure_ascii=False).encode()
        answer = ask("POST", "/api/accounts", body, Content_Type="application/json")
        if "offset" not in problem(answer, 400):
            raise Wrong(str(answer))


def case_the_server_tells_about_itself():
    same(ask("GET", "/healthz").json, {"status": "ok"})
    answer = ask("GET", "/health")
    same(sorted(answer.json), ["environment", "service", "status", "timestamp"])
    same((answer.status, answer.json["status"], answer.json["service"]), (200, "Healthy", "banking"))
    same(ask("GET", "/readyz").status, 200)
    metrics = ask("GET", "/metrics").bytes.decode()
    for name in ("moonlog_http_connections ", 'moonlog_http_answers_total{class="2xx"} '):
        if name not in metrics:
            raise Wrong(metrics)
    same(ask("GET", "/openapi.json").json["openapi"][:3], "3.1")
    topics = ask("GET", "/asyncapi.json").json
    same((topics["asyncapi"], "banking-events" in topics["channels"]), ("3.0.0", True))
    same([text for text in references(topics) if not resolves(topics, text)], [])
    schemas = topics["components"]["schemas"]  # an event is recorded, and sent, in minor units
    same(schemas["banking.account.event.MoneyDeposited"]["properties"]["amount"]["type"], "integer")
    same(schemas["banking.account.DepositMoney"]["properties"]["amount"]["type"], "number")


def references(value):
    if isinstance(value, dict):
        return [value["$ref"]] if "$ref" in value else [text for each in value.values() for text in references(each)]
    return [text for each in value for text in references(each)] if isinstance(value, list) else []


def resolves(document, reference):
    for part in reference[2:].split("/"):
        document = document.get(part, {})
    return document != {}


def case_a_client_that_leaves_early_harms_nobody():
    which = account()
    body = b'{"amount": 1}'
    request = (f"POST /api/accounts/{which}/deposit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", PORT)) as client:
            client.sendall(request)
    deadline = time.monotonic() + 60
    while ask("GET", f"/api/accounts/{which}").json["version"] < 201 and time.monotonic() < deadline:
        pass
    same(ask("GET", f"/api/accounts/{which}").json["balance"], 300)


def case_many_clients_at_once():
    accounts = [account() for _ in range(8)]
    failures = []

    def work(which):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        for _ in range(50):
            connection.request("POST", f"/api/accounts/{which}/deposit", '{"amount": 1}',
                               {"Content-Type": "application/json"})
            answer = Answer(connection.getresponse())
            if answer.status != 200:
                failures.append(answer)
    threads = [threading.Thread(target=work, args=(which,)) for which in accounts for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(failures, [])
    for which in accounts:
        same(ask("GET", f"/api/accounts/{which}").json["balance"], 300)


# ---- limits that need an engine behind them: on a daemon whose limits are small ----

SMALL = {"MOONLOG_HTTP_WRITE_STALL_MS": "500", "MOONLOG_HTTP_COMMANDS_IN_FLIGHT": "2",
         "MOONLOG_HTTP_READS_IN_FLIGHT": "2"}


def burst(requests):
    """All at once, each on a connection of its own; gives the answers."""
    clients = [socket.create_connection(("127.0.0.1", PORT), timeout=20) for _ in requests]
    for client, request in zip(clients, requests):
        client.sendall(request)
    answers = []
    for client in clients:
        response = http.client.HTTPResponse(client)
        response.begin()
        answers.append(Answer(response))
        client.close()
    return answers


def check_burst(answers):
    good = [answer for answer in answers if answer.status == 200]
    for answer in answers:
        if answer.status != 200:
            problem(answer, 503, "too_many_in_flight")
            same(answer.headers["retry-after"], "1")
    return len(good), len(answers) - len(good)


def small_commands_in_flight_are_limited():
    which = account()
    body = b'{"amount": 1}'
    request = (f"POST /api/accounts/{which}/deposit HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    good = bad = 0
    while bad == 0 or good == 0:
        some = check_burst(burst([request + body] * 60))
        good, bad = good + some[0], bad + some[1]
    same(ask("GET", f"/api/accounts/{which}").json["balance"], 100 + good)


def small_reads_in_flight_are_limited():
    request = b"GET /api/reports/balances HTTP/1.1\r\nHost: a\r\n\r\n"
    good = bad = 0
    while bad == 0 or good == 0:
        some = check_burst(burst([request] * 60))
        good, bad = good + some[0], bad + some[1]


def metric(name):
    for line in ask("GET", "/metrics").bytes.decode().split("\n"):
        if line.startswith(name + " "):
            return float(line.split(" ")[1])
    raise Wrong(f"no {name}")


def small_followers_that_stop_reading_are_dropped():
    which = account()
    clients = []
    for accept in ("text/event-stream", "application/x-ndjson"):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", PORT))
        client.sendall(f"GET /log HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n".encode())
        clients.append(client)
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    body = json.dumps({"amount": 1, "description": "x" * 250})
    deadline = time.monotonic() + 60
    while metric("moonlog_http_timed_out_total") < 1 and time.monotonic() < deadline:
        for _ in range(500):
            connection.request("POST", f"/api/accounts/{which}/deposit", body, {"Content-Type": "application/json"})
            same(Answer(connection.getresponse()).status, 200)
    for client in clients:
        client.settimeout(10)
        heard = b""
        try:
            while piece := client.recv(65536):
                heard = (heard + piece)[-100:]
        except OSError:
            heard += b"reset"
        client.close()
    if metric("moonlog_http_timed_out_total") < 1:
        raise Wrong("nobody was dropped")
    same(ask("GET", f"/api/accounts/{which}").status, 200)


def run_cases(options, prefix, environment):
    global PORT
    scratch = tempfile.mkdtemp(prefix="moonlog-api-")
    data = os.path.join(scratch, "data")
    os.mkdir(data, 0o700)
    daemon = Daemon(options.binary, data, options.domain, environment)
    passed = failed = 0
    try:
        daemon.start()
        PORT = daemon.port
        for name, case in list(globals().items()):
            if not name.startswith(prefix) or options.word not in name:
                continue
            try:
                case()
                passed += 1
            except Exception as error:  # noqa: BLE001 - each case is judged alone
                failed += 1
                print(f"FAILED {name}: {type(error).__name__}: {error}", file=sys.stderr)
        daemon.stop()
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.kill()
        if failed:
            print(open(data + ".log").read()[-3000:], file=sys.stderr)
        shutil.rmtree(scratch)
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("word", nargs="?", default="")
    options = parser.parse_args()
    runs = [run_cases(options, "case_", {}), run_cases(options, "small_", SMALL)]
    passed, failed = (sum(column) for column in zip(*runs))
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
