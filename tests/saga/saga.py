#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The order saga through kills: every order ends, stock adds up, nothing is paid twice, statistics equal the orders.

  saga.py --binary B [--kafka ADDRESS|of-the-rig] [--orders 1000] [--kills 20] [--seed 1]

Without --kafka all domains live in one daemon and speak along its log; with it orders, stock, payments and the
statistics are daemons with a store each, and every one of them is killed --kills times.
"""
import argparse, http.client, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from crash import Daemon, Failure  # noqa: E402

DOMAINS = os.path.join(HERE, "..", "..", "domains")
PRODUCTS = 5


class Service:
    """A daemon that is killed now and then; its port may differ after each start."""

    def __init__(self, options, scratch, name, domains):
        self.name, self.lock = name, threading.Lock()
        self.data = os.path.join(scratch, name)
        os.mkdir(self.data, 0o700)
        folders = [os.path.join(scratch, "domains", domain) for domain in domains]
        extra = ["--workers", "2"]
        if options.kafka:
            extra += ["--bus", "kafka", "--set", f"kafka.brokers={options.kafka}", "--set", f"kafka.service={name}"]
        self.daemon = Daemon(options.binary, self.data, folders[0], options=[*extra, *folders[1:]])
        self.kills = 0

    def start(self):
        self.daemon.start()

    def kill(self):
        self.daemon.kill()
        self.kills += 1
        self.daemon.start()

    def ask(self, method, path, body=None, key=None, patience=60):
        """Until it answers: a daemon that is being killed does not, and one that is starting may say 503."""
        deadline = time.monotonic() + patience
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=10)
                headers = {"Content-Type": "application/json"} if body is not None else {}
                if key:
                    headers["Idempotency-Key"] = key
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                answer = connection.getresponse()
                text = answer.read()
                connection.close()
                if answer.status not in (409, 500, 503) or "not_yet" in text.decode(errors="replace"):
                    return answer.status, json.loads(text) if text else None
                reason = f"{answer.status} {text[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                reason = repr(error)
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} does not answer {method} {path}: {reason}")
            time.sleep(0.02)


class Client(threading.Thread):
    def __init__(self, number, options, service, count):
        super().__init__(daemon=True)
        self.chance = random.Random(options.seed * 100 + number)
        self.number, self.service, self.count = number, service, count
        self.orders, self.changes, self.trouble = [], 0, None

    def place(self, number):
        chance = self.chance
        wanted = chance.sample(range(1, PRODUCTS + 1), chance.randint(1, 3))
        items = [{"productId": str(product), "quantity": chance.randint(1, 3),
                  "unitPrice": 9000 if chance.random() < 0.05 else chance.choice([1.5, 2, 12.25])} for product in wanted]
        if chance.random() < 0.03:
            items[0]["productId"] = "unknown"
        status, answer = self.service.ask("POST", "/api/order/PlaceOrder", {"customerId": f"c{self.number}", "items": items},
                                          key=f"{self.number}-{number}")
        if status != 201:
            raise Failure(f"PlaceOrder: {status} {answer}")
        self.orders.append(answer["orderNo"])
        return answer["orderNo"], items

    def change(self, order, items, number):
        chance, key = self.chance, f"{self.number}-{number}-change"
        if chance.random() < 0.5:
            product = {"productId": str(chance.randint(1, PRODUCTS)), "quantity": 1, "unitPrice": 3}
            status, answer = self.service.ask("POST", "/api/order/AddProduct", {"orderNo": order, "product": product}, key)
        else:
            status, answer = self.service.ask("POST", "/api/order/RemoveProduct", {
                "orderNo": order, "productId": items[0]["productId"], "quantity": 1}, key)
        if status not in (200, 422):
            raise Failure(f"a change of {order}: {status} {answer}")
        self.changes += status == 200

    def run(self):
        try:
            for number in range(self.count):
                order, items = self.place(number)
                if self.chance.random() < 0.3:
                    self.change(order, items, number)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self.trouble = error


def prepare(options, scratch):
    """The shipped domains with enough in stock that most orders succeed, and some do not."""
    shutil.copytree(DOMAINS, os.path.join(scratch, "domains"))
    counts = ", ".join(f'["{product}"] = {options.orders * 2 if product > 1 else options.orders // 4}'
                       for product in range(1, PRODUCTS + 1))
    with open(os.path.join(scratch, "domains", "stock", "seed.lua"), "w") as file:
        file.write(f"return {{ {counts} }}\n")
    if options.kafka:
        orders = Service(options, scratch, "orders", ["orders"])
        return {"orders": orders, "stock": Service(options, scratch, "stock", ["stock"]),
                "payments": Service(options, scratch, "payments", ["payments"]),
                "reports": Service(options, scratch, "reports", ["orderreports"])}
    one = Service(options, scratch, "all", ["orders", "orderreports", "stock", "payments"])
    return {"orders": one, "reports": one, "stock": one, "payments": one}


def all_pages(service, path):
    found = []
    while True:
        status, page = service.ask("GET", f"{path}?limit=1000&offset={len(found)}")
        if status != 200:
            raise Failure(f"{path}: {status} {page}")
        found += page
        if len(page) < 1000:
            return found


def wait_for_end(services, orders, patience):
    deadline = time.monotonic() + patience
    while True:
        found = all_pages(services["orders"], "/orders")
        waiting = [order for order in found if order["status"] == "Suspend"]
        if len(found) >= orders and not waiting:
            return
        if time.monotonic() > deadline:
            raise Failure(f"after {patience} s {len(waiting)} of {len(found)} orders wait: {waiting[:3]}")
        time.sleep(0.1)


def check(services, placed):
    orders = {order["orderNo"]: order for order in all_pages(services["orders"], "/orders")}
    if set(orders) != set(placed):
        raise Failure(f"{len(placed)} orders were placed, {len(orders)} are there")
    sold, counted, failed = {}, {}, 0
    for number, order in orders.items():
        _, state = services["orders"].ask("GET", f"/order/{number}")
        if order["status"] == "Suspend" or state["status"] != order["status"] or state["pending"]:
            raise Failure(f"order {number} has not ended: {state}")
        if state["status"] == "Failed":
            failed += 1
            continue
        for line in state["products"]:
            sold[line["productId"]] = sold.get(line["productId"], 0) + line["quantity"]
            key = (line["productId"], f"{line['unitPrice']:.2f}")
            counted[key] = counted.get(key, 0) + line["quantity"]
    check_stock(services, sold)
    check_payments(services, orders)
    check_statistics(services, orders, counted, failed)
    return len(orders) - failed, failed


def check_stock(services, sold):
    deadline = time.monotonic() + 60
    while True:  # the last order's end may still be on its way to the stock
        _, products = services["stock"].ask("GET", "/stock/All")
        if all(product["held"] == 0 for product in products) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for product in products:
        held = sold.get(product["productId"], 0)
        if product["initialQuantity"] != product["remainingQuantity"] + held or product["sold"] != held or product["held"]:
            raise Failure(f"{product} although successful orders hold {held}")


def check_payments(services, orders):
    payments = {}
    for payment in all_pages(services["payments"], "/payment/All"):
        if payment["orderNo"] in payments:
            raise Failure(f"two payments of {payment['orderNo']}")
        payments[payment["orderNo"]] = payment
    for number, order in orders.items():
        status = payments.get(number, {"status": "none"})["status"]
        if (order["status"] == "Successed") != (status == "paid"):
            raise Failure(f"order {number} is {order['status']}, its payment {status}")
        _, page = services["payments"].ask("GET", f"/streams/payments.payment/{number}")
        paid = [entry for entry in (page.get("events") or page.get("entries") or []) if entry["data"]["status"] == "paid"]
        if len(paid) > 1:
            raise Failure(f"order {number} was paid {len(paid)} times")


def check_statistics(services, orders, counted, failed):
    wanted = {"totalOrderCount": len(orders), "totalSuccessedOrderCount": len(orders) - failed,
              "totalFailedOrderCount": failed}
    asked_statistics(services, wanted, counted)
    service = services["reports"]
    done = subprocess.run([service.daemon.binary, "projection", "rebuild", "orderreports.statistics", "--data", service.data],
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Failure(f"the statistics are not made anew: {done.stdout}{done.stderr}")
    asked_statistics(services, wanted, counted)


def asked_statistics(services, wanted, counted):
    deadline = time.monotonic() + 60
    while True:
        _, statistic = services["reports"].ask("GET", "/api/report/StatisticOfAllOrders")
        if statistic == wanted or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if statistic != wanted:
        raise Failure(f"the statistic of orders is {statistic}, not {wanted}")
    _, answer = services["reports"].ask("GET", "/report/StatisticOfAllProducts")
    found = {(product["productId"], detail["unitPrice"]): detail["quantity"]
             for product in answer["productHistories"] for detail in product["productDetails"]}
    if found != counted:
        raise Failure(f"the statistic of products is {found}, not {counted}")


def killer(services, options, done):
    chance = random.Random(options.seed)
    kinds = list({id(service): service for service in services.values()}.values())
    left = {service.name: options.kills for service in kinds}
    while any(left.values()) and not done.is_set():
        service = chance.choice([service for service in kinds if left[service.name]])
        left[service.name] -= 1
        service.kill()
        done.wait(chance.uniform(0.05, options.pace))
    return left


def story(options, scratch):
    services = prepare(options, scratch)
    kinds = list({id(service): service for service in services.values()}.values())
    for service in kinds:
        service.start()
    clients = [Client(number, options, services["orders"], options.orders // 4) for number in range(4)]
    begin = time.monotonic()
    for client in clients:
        client.start()
    done = threading.Event()
    left = killer(services, options, done)
    for client in clients:
        client.join()
        if client.trouble:
            raise client.trouble
    if any(left.values()):
        raise Failure(f"kills that did not happen: {left}")
    placed = [order for client in clients for order in client.orders]
    wait_for_end(services, len(placed), options.patience)
    took = time.monotonic() - begin
    successful, failed = check(services, placed)
    for service in kinds:
        service.daemon.stop()
        verified = subprocess.run([options.binary, "verify", "--data", service.data], capture_output=True, text=True)
        if verified.returncode != 0:
            raise Failure(f"verify of {service.name}: {verified.stdout} {verified.stderr}")
    kills = ", ".join(f"{service.name} {service.kills}" for service in kinds)
    changes = sum(client.changes for client in clients)
    print(f"saga: {len(placed)} orders ended in {took:.1f} s through kills ({kills}): {successful} successful, {failed} failed, "
          f"{changes} changes; stock, payments and statistics agree")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--kafka")
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between kills at most")
    parser.add_argument("--patience", type=float, default=240)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    if options.kafka == "of-the-rig":
        options.kafka = os.environ["MOONLOG_KAFKA"]
    scratch = tempfile.mkdtemp(prefix="moonlog-saga-")
    try:
        story(options, scratch)
    except Failure as failure:
        print(f"FAILED: {failure} (seed {options.seed})")
        for name in sorted(os.listdir(scratch)):
            if name.endswith(".log"):
                print(f"--- {name}\n{open(os.path.join(scratch, name), errors='replace').read()[-2000:]}")
        sys.exit(1)
    finally:
        if not options.keep:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
