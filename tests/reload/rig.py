# SPDX-License-Identifier: MIT
"""What the proofs of reloading share: a domain that can be written in variants, a daemon over it, its own socket, a
closed loop of commands and what it saw."""
import array, http.client, json, os, re, signal, socket, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))
from crash import Daemon, Failure, get  # noqa: E402

ACCOUNT = """-- SPDX-License-Identifier: MIT
local VARIANT = %(variant)s
return {
    name = "account",
    state_version = %(state_version)d,
    initial = function() return { balance = 0, seen = 0 } end,
    events = {
        Opened = { data = { by = "string" }, apply = function(state) return state end },
        Moved = {
            data = { by = "string", amount = "integer" },
            apply = function(state, data)
                %(fold)s
                state.seen = state.seen + 1
                return state
            end,
        },
    },
    commands = {
        Open = {
            creates = true, data = {},
            handle = function(_, _, ctx)
                return { { type = "Opened", data = { by = VARIANT or ctx.settings.variant } } }
            end,
        },
        Deposit = {
            anywhere = true,
            data = { amount = "integer" },
            handle = function(state, data, ctx)
                local by = VARIANT or ctx.settings.variant
                return { { type = "Moved", data = { by = by, amount = data.amount } } },
                       { balance = state.balance + data.amount, by = by }
            end,
        },
        Transfer = {
            data = { amount = "integer", to = "string" },
            handle = function(state, data, ctx)
                local by = VARIANT or ctx.settings.variant
                local target = ctx:load("account", data.to)
                return { { type = "Moved", data = { by = by, amount = -data.amount } },
                         { type = "Moved", data = { by = by, amount = data.amount }, stream = target } },
                       { balance = state.balance - data.amount, by = by }
            end,
        },
    },
}
"""
SAME_FOLD = {"A": "state.balance = state.balance + data.amount",
             "B": "local sum = data.amount; sum = sum + state.balance; state.balance = sum"}
VISITS = """-- SPDX-License-Identifier: MIT
return {
    name = "visits",
    initial = function() return { count = 0, last = "" } end,
    events = {
        Visited = {
            data = { by = "string" },
            apply = function(state, data)
                %s
                state.last = data.by
                return state
            end,
        },
    },
    commands = {
        Visit = {
            anywhere = true, data = { by = "string", times = "integer" },
            handle = function(_, data)
                local events = {}
                for i = 1, data.times do events[i] = { type = "Visited", data = { by = data.by } } end
                return events
            end,
        },
    },
}
"""
COUNTS = {"A": "state.count = state.count + 1",
          "B": "local count = 1; count = count + state.count; state.count = count"}
ROWS = """-- SPDX-License-Identifier: MIT
return {
    name = "rows",
    tables = { Rows = { key = { "Id" }, columns = { Id = "text", Total = "integer" } } },
    on = { ["account.Moved"] = function(view, data, meta) view.Rows:add({ Id = meta.stream_id }, { Total = %s }) end },
}
"""
QUERIES = """-- SPDX-License-Identifier: MIT
local function rows(view) return view.Rows:find { order = { "Id" }, limit = 1000 } end
return { queries = { rows = { params = {}, run = rows } } }
"""
DOMAIN = """-- SPDX-License-Identifier: MIT
return { settings = { variant = "%s" } }
"""


def write(path, text):
    """Whole or not at all: a reload reads what is there."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


class Bank:
    """A folder of rules. `handler`: the variants differ in the handlers' and the fold's text, so that cached states are
    dropped; `settings`: in a setting that handlers read, so that states move to the new machines."""

    def __init__(self, folder, mode):
        self.folder, self.mode = folder, mode
        os.makedirs(folder, exist_ok=True)
        self.take("A")

    def take(self, variant, fold=None, state_version=1):
        text = self.mode == "handler"
        write(os.path.join(self.folder, "account.lua"),
              ACCOUNT % {"variant": json.dumps(variant) if text else "nil", "state_version": state_version,
                         "fold": fold or SAME_FOLD[variant if text else "A"]})
        write(os.path.join(self.folder, "domain.lua"), DOMAIN % variant)

    def take_visits(self, variant):
        """Also an aggregate whose fold differs in text."""
        write(os.path.join(self.folder, "visits.lua"), VISITS % COUNTS[variant])

    def take_rows(self, amount):
        """Also a read model, which adds up `amount`."""
        write(os.path.join(self.folder, "rows.lua"), ROWS % amount)
        write(os.path.join(self.folder, "queries.lua"), QUERIES)


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("moonlog", timeout=300)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(daemon, path, **body):
    """The report of one domain, from the daemon's own socket."""
    connection = Socket(os.path.join(daemon.data, "moonlog.sock"))
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        text = connection.getresponse().read()
    finally:
        connection.close()
    try:
        return json.loads(text)[0]
    except (ValueError, KeyError):
        raise Failure(f"{path} {body} was answered {text[:400]}")


def reload(daemon, wanted="done", **body):
    report = ask(daemon, "/admin/reload", **body)
    if report["answer"] != wanted:
        raise Failure(f"a reload was answered {json.dumps(report)[:600]}, not {wanted}")
    return report


def start(binary, scratch, domain, name="data", environment=None, options=("--workers", "2")):
    data = os.path.join(scratch, name)
    os.makedirs(data, mode=0o700, exist_ok=True)
    daemon = Daemon(binary, data, domain, environment, options)
    daemon.start()
    return daemon


class Load:
    """A closed loop of connections that sends random lines of a file until it is ended."""

    def __init__(self, tool, daemon, scratch, lines, connections, seconds=3600, name="load"):
        path, self.series = os.path.join(scratch, name), os.path.join(scratch, name + ".series")
        write(path, "".join(f"{target}\t{json.dumps(body)}\n" for target, body in lines))
        self.process = subprocess.Popen(
            [tool, str(daemon.port), str(connections), str(seconds), "lines", path, self.series],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self):
        """What it counted; `statuses` by number."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        out, err = self.process.communicate(timeout=600)
        counts = {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", out)}
        if "rate" not in counts:
            raise Failure(f"the load ended with {self.process.returncode}: {out} {err[:600]}")
        statuses = {int(key[1:]): int(value) for key, value in counts.items() if re.fullmatch(r"s\d+", key)}
        return counts, statuses, err

    def answers(self):
        """(when, how long) of each answer, in ns of the monotonic clock, in order of coming."""
        numbers = array.array("q")
        with open(self.series, "rb") as file:
            numbers.frombytes(file.read())
        return list(zip(numbers[0::2], numbers[1::2]))


def wait_for_load(daemon, seconds=20):
    """Until commands are answered: the log grows."""
    before, deadline = head(daemon), time.monotonic() + seconds
    while head(daemon) == before:
        if time.monotonic() > deadline:
            raise Failure("the load sends nothing")
        time.sleep(0.01)


def head(daemon):
    return int(re.search(r"^moonlog_log_head ([\d.e+]+)$", get(daemon.port, "/metrics")[1].decode(), re.M).group(1))


def each_once(tool, daemon, scratch, lines, connections=16):
    """Sends every line once; all must be taken."""
    load = Load(tool, daemon, scratch, lines, connections, 0, "once")
    counts, statuses, err = load.wait()
    if statuses != {200: len(lines)}:
        raise Failure(f"of {len(lines)} commands {statuses} were answered: {err[:600]}")


def deposit(account, amount):
    return f"/commands/storm/account/{account}/Deposit", {"amount": amount}


def transfer(account, to, amount):
    return f"/commands/storm/account/{account}/Transfer", {"amount": amount, "to": str(to)}


def open_accounts(tool, daemon, count, scratch):
    each_once(tool, daemon, scratch, [(f"/commands/storm/account/{number}/Open", {}) for number in range(count)])


def memory_kb(daemon):
    """Private and resident."""
    text = open(f"/proc/{daemon.process.pid}/status").read()
    return tuple(int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1)) for name in ("RssAnon", "VmRSS"))


def whole_log(daemon):
    """Every entry, as `GET /log` gives it."""
    after = 0
    while True:
        status, text = get(daemon.port, f"/log?after={after}&limit=1000")
        if status != 200:
            raise Failure(f"GET /log was answered {status} {text[:300]}")
        page = json.loads(text)
        yield from page["entries"]
        if page["next"] == after:
            return
        after = page["next"]
