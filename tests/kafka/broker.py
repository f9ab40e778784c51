#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real Kafka broker of one node on loopback, in a temporary folder, for tests.

  broker.py fetch                       gets what is missing: packages (as root), the broker's jars by Maven
  broker.py start --folder F            starts one that outlives this command; F/address tells where. It ends by itself
                                        when the process that started it has ended (--owner PID to name another)
  broker.py stop --folder F             ends it
  broker.py with [--folder F] COMMAND   runs COMMAND with MOONLOG_KAFKA=host:port: of the broker in F, or of its own

Exit code 77: no broker can be had here, and why. As a module: Broker, with start, stop, kill, restart and address.
The jars lie in ${MOONLOG_CACHE:-~/.cache/moonlog}/kafka-VERSION, outside the repository; MOONLOG_KAFKA_LIB names a
folder that has them already.
"""
import argparse, base64, ctypes, fcntl, os, random, select, shutil, signal, socket, subprocess, sys, tempfile
import threading, time

VERSION = "4.3.1"
SKIP = 77
PACKAGES = ["openjdk-17-jre-headless", "maven"]

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>moonlog.test</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%s</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
""" % VERSION

# What differs from the defaults, each line for speed on one machine. The broker's session of 1 s lets it come back
# 3 s after a SIGKILL instead of 13; transactions that time out are looked for every 0.5 s instead of every 10 s.
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
log.retention.check.interval.ms=1000
num.partitions=1
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
initial.broker.registration.timeout.ms=20000
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
"""


class Missing(Exception):
    """No broker can be had here."""


def cache():
    base = os.environ.get("MOONLOG_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "moonlog")
    return os.path.join(base, "kafka-" + VERSION)


def quiet(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, **options)
    return done.returncode, done.stdout


def need(program, package):
    if shutil.which(program):
        return
    if os.geteuid() != 0:
        raise Missing(f"{program} is missing; as root: apt-get install {' '.join(PACKAGES)}")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    quiet(["apt-get", "update", "-qq"])
    code, text = quiet(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], env=environment)
    if code != 0 or not shutil.which(program):
        raise Missing(f"apt-get install {package} failed: {text.strip()[-300:]}")


def fetch():
    """The folder with the broker's jars, got when it is not there yet; one process at a time."""
    ready = os.environ.get("MOONLOG_KAFKA_LIB")
    if ready:
        need("java", PACKAGES[0])
        return ready
    folder = cache()
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        need("java", PACKAGES[0])
        lib = os.path.join(folder, "lib")
        if os.path.isdir(lib):
            return lib
        need("mvn", PACKAGES[1])
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            with open(os.path.join(scratch, "pom.xml"), "w") as file:
                file.write(POM)
            parts = os.path.join(scratch, "lib")
            code, text = quiet(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=" + parts,
                                "-DincludeScope=runtime"], cwd=scratch)
            if code != 0:
                raise Missing(f"Maven cannot get the broker {VERSION}: {text.strip()[-600:]}")
            os.rename(parts, lib)
    return lib


def free_ports(count):
    """Below the range that outgoing connections take: a port of that range may be taken while the broker is down,
    by a client that asks for it even by itself."""
    ports, low = [], 32768
    try:
        low = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
    except OSError:
        pass
    while len(ports) < count:
        port = random.randrange(max(10000, low - 12000), max(low, 12000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def die_with_parent():
    """For children of the main thread only: what the kernel calls the parent is a thread."""
    if threading.current_thread() is threading.main_thread():
        return lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    return None


class Broker:
    """One node. `folder`: where it lives; None: a temporary one, removed by close()."""

    def __init__(self, folder=None, properties=()):
        self.lib = fetch()
        self.temporary = folder is None
        self.folder = os.path.abspath(folder or tempfile.mkdtemp(prefix="moonlog-kafka-"))
        self.properties = list(properties)
        self.process = None
        self.port, self.controller = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"

    def java(self, *arguments, options=()):
        # Xshare:auto: without an archive of classes it starts all the same, slower.
        return ["java", *options, "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", self.lib + "/*", *arguments]

    def format(self):
        os.makedirs(self.folder, exist_ok=True)
        shutil.rmtree(os.path.join(self.folder, "data"), ignore_errors=True)
        settings = os.path.join(self.folder, "server.properties")
        with open(settings, "w") as file:
            file.write(PROPERTIES.format(port=self.port, controller=self.controller, folder=self.folder))
            file.write("".join(line + "\n" for line in self.properties))
        cluster = base64.urlsafe_b64encode(random.randbytes(16)).decode().rstrip("=")
        # An id that starts with a dash would be taken for an option.
        cluster = "m" + cluster[1:]
        code, text = quiet(self.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", settings))
        if code != 0:
            raise RuntimeError(f"the broker's folder cannot be formatted: {text.strip()[-600:]}")

    def start(self, timeout=180):
        if not os.path.isdir(os.path.join(self.folder, "data")):
            self.format()
        archive = os.path.join(os.path.dirname(self.lib), "classes.jsa")
        options = ["-XX:SharedArchiveFile=" + archive] if os.path.exists(archive) else []
        log = open(os.path.join(self.folder, "broker.log"), "ab")
        self.process = subprocess.Popen(self.java("kafka.Kafka", os.path.join(self.folder, "server.properties"),
                                                  options=options),
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                        preexec_fn=die_with_parent())
        log.close()
        deadline = time.monotonic() + timeout
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the broker did not start: {self.tail()}")
            time.sleep(0.02)
        return self

    def answers(self):
        """An ApiVersions request (key 18, version 0) is answered only once the broker serves."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"\x00\x00\x00\x0e\x00\x12\x00\x00\x00\x00\x00\x07\x00\x04test")
                head = b""
                while len(head) < 10:
                    more = connection.recv(10 - len(head))
                    if not more:
                        return False
                    head += more
                return head[4:10] == b"\x00\x00\x00\x07\x00\x00"
        except OSError:
            return False

    def tail(self):
        try:
            with open(os.path.join(self.folder, "broker.log"), errors="replace") as file:
                return "".join(file.readlines()[-15:]).strip()
        except OSError:
            return "no log"

    def end(self, number, timeout):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def stop(self):
        self.end(signal.SIGTERM, 30)

    def kill(self):
        self.end(signal.SIGKILL, 30)

    def restart(self):
        self.kill()
        return self.start()

    def close(self):
        self.kill()
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def skip(reason):
    print(f"SKIPPED: no Kafka broker: {reason}", file=sys.stderr)
    sys.exit(SKIP)


def put(folder, name, text):
    with open(os.path.join(folder, name + ".new"), "w") as file:
        file.write(text)
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


def get(folder, name):
    try:
        with open(os.path.join(folder, name)) as file:
            return file.read().strip()
    except OSError:
        return ""


def keep(folder, owner, ready):
    """Holds the broker until it is told to end or its owner has ended. Never returns."""
    broker = Broker(folder)
    try:
        broker.start()
        put(folder, "keeper", str(os.getpid()))
        put(folder, "address", broker.address)
        os.write(ready, b"+")
    except Exception as error:  # told to whoever waits
        os.write(ready, b"-" + str(error).encode())
        os._exit(1)
    os.close(ready)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        watch = [os.pidfd_open(broker.process.pid)]
        if owner:
            watch.append(os.pidfd_open(owner))
        select.select(watch, [], [])
    except ProcessLookupError:
        pass
    finally:
        put(folder, "address", "")
        broker.kill()
        shutil.rmtree(os.path.join(folder, "data"), ignore_errors=True)
        os._exit(0)


def start(options):
    folder = os.path.abspath(options.folder)
    stop(options)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    try:
        fetch()
    except Missing as missing:
        put(folder, "skipped", str(missing))
        skip(missing)
    owner = os.getppid() if options.owner is None else options.owner
    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.close(ready)
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        keep(folder, owner, told)
    os.close(told)
    answer = b""
    while True:
        more = os.read(ready, 4096)
        if not more:
            break
        answer += more
        if answer == b"+":
            break
    if answer != b"+":
        sys.exit(f"broker.py: {answer[1:].decode(errors='replace') or 'the broker did not start'}")
    print(f"broker {VERSION} at {get(folder, 'address')}")


def stop(options):
    folder = os.path.abspath(options.folder)
    keeper = get(folder, "keeper")
    if not keeper or not get(folder, "address"):
        return
    try:
        handle = os.pidfd_open(int(keeper))
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        select.select([handle], [], [], 30)
    except ProcessLookupError:
        pass


def run_with(options):
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not options.folder:
        try:
            with Broker() as broker:
                sys.exit(subprocess.call(command, env=dict(os.environ, MOONLOG_KAFKA=broker.address)))
        except Missing as missing:
            skip(missing)
    if get(options.folder, "skipped"):
        skip(get(options.folder, "skipped"))
    address = get(options.folder, "address")
    if not address:
        sys.exit(f"broker.py: no broker runs in {options.folder}")
    os.execvpe(command[0], command, dict(os.environ, MOONLOG_KAFKA=address))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch")
    for name in ("start", "stop"):
        verb = verbs.add_parser(name)
        verb.add_argument("--folder", required=True)
        verb.add_argument("--owner", type=int)
    verb = verbs.add_parser("with")
    verb.add_argument("--folder")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.verb == "fetch":
        try:
            print(fetch())
        except Missing as missing:
            skip(missing)
    else:
        {"start": start, "stop": stop, "with": run_with}[options.verb](options)


if __name__ == "__main__":
    main()
